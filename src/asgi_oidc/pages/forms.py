"""The pages about a form that was sent while nobody was signed in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from asgi_oidc.pages.layout import PAGE_CSP, Layout, csp_hash, hidden_field, link, links
from asgi_oidc.pages.untrusted import user_html, value_html
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

GO_BACK = """\
document.getElementById("back").addEventListener("click",event=>{event.preventDefault();history.back()})"""
FORM_CSP = f"{PAGE_CSP}; script-src {csp_hash(GO_BACK)}"
_SECRET_FIELD = re.compile(  # names of fields that nobody should be able to read over somebody's shoulder
    r"passw|passphrase|pwd|secret|token|csrf|xsrf|nonce|(?<![a-z])(pass|pin|otp|totp|cvv|cvc)(?![a-z])", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class FormPages:
    """The pages about a form that was sent while nobody was signed in."""

    layout: Layout

    def not_sent(self, request: Request, *, login: str, back: str | None, is_step_up: bool) -> Response:
        """Say before the login that a form was not sent, and is not kept.

        Args:
            login: absolute URL of ours that starts a login.
            back: absolute URL of the page with the form, None if it is not known. With scripts the browser goes one
                step back in its history instead, where it still has what was entered.
        """
        texts = self.layout.texts
        why = texts.html("form_not_sent.text_step_up" if is_step_up else "form_not_sent.text")
        button = link(texts.plain("action.sign_in"), login, is_first=True)
        content = f"<p>{why}</p>{links(button, self._back_link(back))}"
        return self._stopped(request, texts.plain("form_not_sent.title"), content, back)

    def kept(self, request: Request, *, action: str, sealed: str, back: str | None, is_step_up: bool) -> Response:
        """Say before the login that a form was not sent, and is kept.

        Args:
            action: absolute URL of ours that keeps it and starts a login.
            sealed: the form, to be sent there.
            back: as above.
        """
        texts = self.layout.texts
        why = texts.html("form_kept.text_step_up" if is_step_up else "form_kept.text")
        content = (
            f'<p>{why}</p><form class=actions method=post target=_top action="{escape(action)}">'
            f"{hidden_field('form', sealed)}<button class=first>{texts.html('action.sign_in')}</button>"
            f"{self._back_link(back)}</form>"
        )
        return self._stopped(request, texts.plain("form_kept.title"), content, back)

    def lost(self, *, back: str) -> Response:
        """Say after the login that a form was not sent.

        Args:
            back: absolute URL of the page with the form, or of the start page.
        """
        return self._told("form_lost", "form_lost.back", back)

    def not_found(self, *, back: str) -> Response:
        """Say that no form is kept, which may be because it was sent.

        Args:
            back: absolute URL of the start page.
        """
        return self._told("form_not_found", "action.home", back)

    def of_other_user(self, *, name: str, back: str) -> Response:
        """Say that the form of one user is not sent by another.

        Args:
            name: of the user who is signed in now.
            back: absolute URL of the start page.
        """
        return self._told("form_of_other_user", "action.home", back, user=user_html(name))

    def offer(self, *, name: str, origin: str, target: str, pairs: Sequence[tuple[str, str]], discard: str) -> Response:
        """Ask after the login whether to send a form; show its target and its fields, but no value that looks secret.

        Args:
            name: of the user who is signed in now, and whose the form may not be.
            origin: our own.
            target: path and query on our own site that it goes to.
            pairs: names and values of its fields.
            discard: absolute URL of ours that forgets it.
        """
        texts = self.layout.texts
        fields = "".join(hidden_field(name, value) for name, value in pairs)
        shown = "".join(f"<dt>{value_html(name)}</dt><dd>{self._shown(name, value)}</dd>" for name, value in pairs)
        content = (
            f"<p>{texts.html('form_offer.text', user=user_html(name))}</p>"
            f"<dl class=fields tabindex=0><dt>{texts.html('form_offer.target')}</dt><dd>{value_html(target)}</dd>"
            f'{shown}</dl><div class=actions><form method=post action="{escape(origin + target)}" '
            f"accept-charset=utf-8>{fields}"
            f"<button class=first>{texts.html('action.send_form')}</button></form>"
            f'<form method=post action="{escape(discard)}">'
            f"<button name=discard value=yes>{texts.html('action.discard_form')}</button></form></div>"
        )
        return self.layout.page(texts.plain("form_offer.title"), content, status=200)

    def _back_link(self, back: str | None) -> str:
        return "" if back is None else link(self.layout.texts.plain("action.back"), back, element_id="back")

    def _stopped(self, request: Request, title: str, content: str, back: str | None) -> Response:
        script = "" if back is None else GO_BACK
        return self.layout.page_for(request, title, content, status=401, csp=FORM_CSP, script=script)

    def _told(self, page: str, action: str, href: str, **values: str) -> Response:
        texts = self.layout.texts
        content = (
            f"<p>{texts.html(f'{page}.text', **values)}</p>{links(link(texts.plain(action), href, is_first=True))}"
        )
        return self.layout.page(texts.plain(f"{page}.title"), content, status=200)

    def _shown(self, name: str, value: str) -> str:
        if not value:
            return self.layout.texts.html("form_offer.empty")
        return self.layout.texts.html("form_offer.hidden") if _SECRET_FIELD.search(name) else value_html(value)
