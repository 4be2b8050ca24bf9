"""The page for a signed-in user who has no access."""

from dataclasses import dataclass

from asgi_oidc.pages.layout import Layout, link, links, reference_html
from asgi_oidc.pages.untrusted import user_html
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response


@dataclass(frozen=True, slots=True)
class DeniedPages:
    """The page for a signed-in user who has no access.

    Attributes:
        home: absolute URL of the start page.
    """

    layout: Layout
    home: str

    def forbidden(
        self, request: Request, *, name: str, email: str | None, another_account: str, reference: str
    ) -> Response:
        """Tell a signed-in user that this account may not, and offer another one.

        Args:
            name, email: of the user, as the provider tells them.
            another_account: absolute URL of ours that starts a login with another account, and comes back here.
            reference: stands in the log too.
        """
        texts = self.layout.texts
        content = (
            f"<p>{texts.html('forbidden.text', user=user_html(name, email))}</p>"
            + links(
                link(texts.plain("action.another_account"), another_account, is_first=True),
                link(texts.plain("action.home"), self.home),
            )
            + reference_html(texts, reference)
        )
        return self.layout.page_for(request, texts.plain("forbidden.title"), content, status=403)
