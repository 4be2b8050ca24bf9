"""The pages about a form that was sent while nobody was signed in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from asgi_oidc.pages.layout import Layout, form_html, link, links
from asgi_oidc.pages.page import Action, Button, Form, FormEntry, FormOfferPage, HiddenField, Page
from asgi_oidc.pages.translation import Texts
from asgi_oidc.pages.untrusted import user_html, user_text, value_html, value_text
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

GO_BACK = """\
document.getElementById("back").addEventListener("click",event=>{event.preventDefault();history.back()})"""
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
        texts = self.layout.texts_for(request)
        why = "form_not_sent.text_step_up" if is_step_up else "form_not_sent.text"
        actions = (Action(texts.plain("action.sign_in"), login, is_primary=True), *_back_action(texts, back))
        page = Page(
            kind="form_not_sent",
            status=401,
            title=texts.plain("form_not_sent.title"),
            text=texts.plain(why),
            actions=actions,
        )
        return self._stopped(request, page, f"<p>{texts.html(why)}</p>{links(actions)}", back)

    def kept(self, request: Request, *, action: str, sealed: str, back: str | None, is_step_up: bool) -> Response:
        """Say before the login that a form was not sent, and is kept.

        Args:
            action: absolute URL of ours that keeps it and starts a login.
            sealed: the form, to be sent there.
            back: as above.
        """
        texts = self.layout.texts_for(request)
        why = "form_kept.text_step_up" if is_step_up else "form_kept.text"
        form = Form(
            action=action,
            button=Button(texts.plain("action.sign_in"), is_primary=True),
            fields=(HiddenField("form", sealed),),
            in_top_window=True,
        )
        actions = _back_action(texts, back)
        page = Page(
            kind="form_kept",
            status=401,
            title=texts.plain("form_kept.title"),
            text=texts.plain(why),
            actions=actions,
            forms=(form,),
        )
        written = form_html(form, "".join(map(link, actions)), attributes="class=actions ")
        return self._stopped(request, page, f"<p>{texts.html(why)}</p>{written}", back)

    def lost(self, request: Request, *, back: str) -> Response:
        """Say after the login that a form was not sent.

        Args:
            back: absolute URL of the page with the form, or of the start page.
        """
        return self._told(request, "form_lost", "form_lost.back", back)

    def not_found(self, request: Request, *, back: str) -> Response:
        """Say that no form is kept, which may be because it was sent.

        Args:
            back: absolute URL of the start page.
        """
        return self._told(request, "form_not_found", "action.home", back)

    def of_other_user(self, request: Request, *, name: str, back: str) -> Response:
        """Say that the form of one user is not sent by another.

        Args:
            name: of the user who is signed in now.
            back: absolute URL of the start page.
        """
        return self._told(request, "form_of_other_user", "action.home", back, user=name)

    def offer(
        self,
        request: Request,
        *,
        name: str,
        origin: str,
        target: str,
        pairs: Sequence[tuple[str, str]],
        discard: str,
    ) -> Response:
        """Ask after the login whether to send a form; show its target and its fields, but no value that looks secret.

        Args:
            name: of the user who is signed in now, and whose the form may not be.
            origin: our own.
            target: path and query on our own site that it goes to.
            pairs: names and values of its fields.
            discard: absolute URL of ours that forgets it.
        """
        texts = self.layout.texts_for(request)
        fields = tuple(HiddenField(name, value) for name, value in pairs)
        send = Button(texts.plain("action.send_form"), is_primary=True)
        forget = Button(texts.plain("action.discard_form"), name="discard", value="yes")
        forms = (Form(action=origin + target, button=send, fields=fields), Form(action=discard, button=forget))
        page = FormOfferPage(
            kind="form_offer",
            status=200,
            title=texts.plain("form_offer.title"),
            text=texts.plain("form_offer.text", user=user_text(name)),
            forms=forms,
            destination=value_text(target),
            destination_label=texts.plain("form_offer.target"),
            entries=tuple(_entry(texts, name, value) for name, value in pairs),
        )
        shown = "".join(f"<dt>{value_html(entry.name)}</dt><dd>{_entry_html(entry)}</dd>" for entry in page.entries)
        content = (
            f"<p>{texts.html('form_offer.text', user=user_html(name))}</p>"
            f"<dl class=fields tabindex=0><dt>{texts.html('form_offer.target')}</dt><dd>{value_html(target)}</dd>"
            f"{shown}</dl><div class=actions>"
            f"{form_html(forms[0], attributes='accept-charset=utf-8 ')}{form_html(forms[1])}</div>"
        )
        return self.layout.respond(request, page, content)

    def _stopped(self, request: Request, page: Page, content: str, back: str | None) -> Response:
        return self.layout.respond(request, page, content, script="" if back is None else GO_BACK, in_parts=True)

    def _told(self, request: Request, kind: str, label: str, href: str, *, user: str = "") -> Response:
        texts = self.layout.texts_for(request)
        actions = (Action(texts.plain(label), href, is_primary=True),)
        page = Page(
            kind=kind,
            status=200,
            title=texts.plain(f"{kind}.title"),
            text=texts.plain(f"{kind}.text", user=user_text(user)),
            actions=actions,
        )
        text = texts.html(f"{kind}.text", user=user_html(user))
        return self.layout.respond(request, page, f"<p>{text}</p>{links(actions)}")


def _back_action(texts: Texts, back: str | None) -> tuple[Action, ...]:
    return () if back is None else (Action(texts.plain("action.back"), back, id="back"),)


def _entry(texts: Texts, name: str, value: str) -> FormEntry:
    if not value:
        return FormEntry(value_text(name), texts.plain("form_offer.empty"), is_value=False)
    if _SECRET_FIELD.search(name):
        return FormEntry(value_text(name), texts.plain("form_offer.hidden"), is_value=False)
    return FormEntry(value_text(name), value_text(value), is_value=True)


def _entry_html(entry: FormEntry) -> str:
    return value_html(entry.value) if entry.is_value else escape(entry.value)
