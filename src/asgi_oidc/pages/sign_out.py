"""The pages about signing out."""

from collections.abc import Mapping
from dataclasses import dataclass

from asgi_oidc.pages.layout import Layout, form_html, link, links
from asgi_oidc.pages.page import Action, Button, Form, HiddenField, Page
from asgi_oidc.pages.untrusted import app_html
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import REFERRER_POLICY_OF_LEAVING, Response

SUBMIT = 'document.getElementById("leave").submit()'


def leaving_form_action(provider: str, back: str) -> str:
    """Return the directive of the content security policy of a form that goes to the provider.

    Chromium also checks the redirects after a form against `form-action`, and a provider may redirect through other
    hosts before it comes back: any https host is allowed.

    Args:
        provider: the origin that the form goes to.
        back: URL that the browser comes back to.
    """
    is_plain = any(url.startswith("http:") for url in (provider, back))  # on loopback
    schemes = "https: http:" if is_plain else "https:"
    return f"form-action {provider} {schemes}"


@dataclass(frozen=True, slots=True)
class SignOutPages:
    """The pages about signing out.

    Attributes:
        home: absolute URL of the start page.
    """

    layout: Layout
    home: str

    def confirm(self, request: Request, *, action: str) -> Response:
        """Ask before signing out: the request came from another site, or from nowhere that we can see.

        Args:
            action: absolute URL of ours that signs out.
        """
        texts, app = self.layout.texts_for(request), self.layout.app_name
        text_id = "sign_out.text" if app is None else "sign_out.text_with_app"
        form = Form(action=action, button=Button(texts.plain("action.sign_out"), is_primary=True))
        stay = Action(texts.plain("action.stay_signed_in"), self.home)
        page = Page(
            kind="sign_out",
            status=200,
            title=texts.plain("sign_out.title"),
            text=texts.plain(text_id, app=app or ""),
            actions=(stay,),
            forms=(form,),
        )
        text = texts.html(text_id, app=app_html(app or ""))
        content = f"<p>{text}</p>{form_html(form, link(stay), attributes='class=actions ')}"
        return self.layout.respond(request, page, content)

    def at_provider(
        self, request: Request, *, action: str, fields: Mapping[str, str], provider: str, back: str
    ) -> Response:
        """Send the browser to the provider with a form that submits itself; without scripts the user presses a button.

        Args:
            action: absolute URL of the provider.
            fields: what it is sent.
            provider: its origin.
            back: URL that the browser comes back to.
        """
        texts = self.layout.texts_for(request)
        form = Form(
            action=action,
            button=Button(texts.plain("action.sign_out"), is_primary=True),
            fields=tuple(HiddenField(name, value) for name, value in fields.items()),
            id="leave",
        )
        page = Page(
            kind="sign_out_at_provider",
            status=200,
            title=texts.plain("sign_out_at_provider.title"),
            text=texts.plain("sign_out_at_provider.text"),
            forms=(form,),
        )
        return self.layout.respond(
            request,
            page,
            f"<p>{texts.html('sign_out_at_provider.text')}</p>{form_html(form, attributes='class=actions ')}",
            script=SUBMIT,
            further_csp=leaving_form_action(provider, back),
            referrer_policy=REFERRER_POLICY_OF_LEAVING,
        )

    def signed_out(self, request: Request, *, login: str, is_everywhere: bool) -> Response:
        """Say that it worked, where the page that the browser came back to would only ask to sign in again.

        Args:
            login: absolute URL of ours that starts a login.
            is_everywhere: whether the provider was told.
        """
        texts = self.layout.texts_for(request)
        text_id = "signed_out.text" if is_everywhere else "signed_out.text_here_only"
        actions = (Action(texts.plain("action.sign_in_again"), login),)
        page = Page(
            kind="signed_out",
            status=200,
            title=texts.plain("signed_out.title"),
            text=texts.plain(text_id),
            actions=actions,
        )
        return self.layout.respond(request, page, f"<p>{texts.html(text_id)}</p>{links(actions)}")

    def in_frame(self, request: Request, *, provider: str) -> Response:
        """Say nothing: a provider shows this in a frame that nobody sees, whatever came of it.

        Args:
            provider: its origin.
        """
        title, text = "frontchannel_logout.title", "frontchannel_logout.text"
        return self.layout.framed(request, title, text, ancestors=provider)
