"""The pages that lead to a login, where a redirect to the provider would not work."""

from dataclasses import dataclass

from asgi_oidc.pages.layout import PAGE_CSP, Layout, csp_hash, link, links
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

ADD_FRAGMENT = """\
const link=document.getElementById("login");location.replace(link.href+encodeURIComponent(location.hash))"""
FRAGMENT_CSP = f"{PAGE_CSP}; script-src {csp_hash(ADD_FRAGMENT)}"


@dataclass(frozen=True, slots=True)
class SignInPages:
    """The pages that lead to a login."""

    layout: Layout

    def required(self, request: Request, *, login: str, is_step_up: bool) -> Response:
        """Ask to sign in: in a frame, or in a part of a page.

        Args:
            login: absolute URL of ours that starts a login.
        """
        texts, app = self.layout.texts, self.layout.app_name
        title = texts.plain("sign_in.title") if app is None else texts.plain("sign_in.title_with_app", app=app)
        why = texts.html("sign_in.text_step_up" if is_step_up else "sign_in.text")
        button = link(texts.plain("action.sign_in"), login, is_first=True)
        return self.layout.page_for(request, title, f"<p>{why}</p>{links(button)}", status=401)

    def keeping_fragment(self, *, login: str) -> Response:
        """Take the fragment of the address along to the login; without scripts, go on without it.

        Args:
            login: absolute URL of ours that starts a login and ends with the return path.
        """
        texts = self.layout.texts
        button = link(texts.plain("action.sign_in"), login, is_first=True, element_id="login")
        content = f"<p>{texts.html('signing_in.text')}</p>{links(button)}"
        title = texts.plain("signing_in.title")
        return self.layout.page(title, content, status=401, csp=FRAGMENT_CSP, script=ADD_FRAGMENT)
