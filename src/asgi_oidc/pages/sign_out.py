"""The pages about signing out."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from asgi_oidc.pages.layout import PAGE_CSP, Layout, csp_hash, framed, hidden_field, link, links
from asgi_oidc.pages.untrusted import app_html
from asgi_oidc.web.response import REFERRER_POLICY_OF_LEAVING, Response

SUBMIT = "document.forms[0].submit()"


def leaving_csp(provider: str, back: str) -> str:
    """Return the content security policy of a form that goes to the provider.

    Chromium also checks the redirects after a form against `form-action`, and a provider may redirect through other
    hosts before it comes back: any https host is allowed.

    Args:
        provider: the origin that the form goes to.
        back: URL that the browser comes back to.
    """
    is_plain = any(url.startswith("http:") for url in (provider, back))  # on loopback
    schemes = "https: http:" if is_plain else "https:"
    return f"{PAGE_CSP}; script-src {csp_hash(SUBMIT)}; form-action {provider} {schemes}"


@dataclass(frozen=True, slots=True)
class SignOutPages:
    """The pages about signing out.

    Attributes:
        home: absolute URL of the start page.
    """

    layout: Layout
    home: str

    def confirm(self, *, action: str) -> Response:
        """Ask before signing out: the request came from another site, or from nowhere that we can see.

        Args:
            action: absolute URL of ours that signs out.
        """
        texts, app = self.layout.texts, self.layout.app_name
        text = texts.html("sign_out.text") if app is None else texts.html("sign_out.text_with_app", app=app_html(app))
        content = (
            f'<p>{text}</p><form class=actions method=post action="{escape(action)}">'
            f"<button class=first>{texts.html('action.sign_out')}</button>"
            f"{link(texts.plain('action.stay_signed_in'), self.home)}</form>"
        )
        return self.layout.page(texts.plain("sign_out.title"), content, status=200)

    def at_provider(self, *, action: str, fields: Mapping[str, str], provider: str, back: str) -> Response:
        """Send the browser to the provider with a form that submits itself; without scripts the user presses a button.

        Args:
            action: absolute URL of the provider.
            fields: what it is sent.
            provider: its origin.
            back: URL that the browser comes back to.
        """
        texts = self.layout.texts
        content = (
            f"<p>{texts.html('sign_out_at_provider.text')}</p>"
            f'<form class=actions method=post action="{escape(action)}">'
            f"{''.join(hidden_field(name, value) for name, value in fields.items())}"
            f"<button class=first>{texts.html('action.sign_out')}</button></form>"
        )
        return self.layout.page(
            texts.plain("sign_out_at_provider.title"),
            content,
            status=200,
            csp=leaving_csp(provider, back),
            script=SUBMIT,
            referrer_policy=REFERRER_POLICY_OF_LEAVING,
        )

    def signed_out(self, *, login: str, is_everywhere: bool) -> Response:
        """Say that it worked, where the page that the browser came back to would only ask to sign in again.

        Args:
            login: absolute URL of ours that starts a login.
            is_everywhere: whether the provider was told.
        """
        texts = self.layout.texts
        text = texts.html("signed_out.text" if is_everywhere else "signed_out.text_here_only")
        content = f"<p>{text}</p>{links(link(texts.plain('action.sign_in_again'), login))}"
        return self.layout.page(texts.plain("signed_out.title"), content, status=200)

    def in_frame(self, *, provider: str) -> Response:
        """Say nothing: a provider shows this in a frame that nobody sees, whatever came of it.

        Args:
            provider: its origin.
        """
        texts = self.layout.texts
        content = f"<p>{texts.html('frontchannel_logout.text')}</p>"
        return framed(self.layout.html(texts.plain("frontchannel_logout.title"), content), ancestors=provider)
