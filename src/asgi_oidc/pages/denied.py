"""The page for a signed-in user who has no access."""

from dataclasses import dataclass

from asgi_oidc.pages.layout import Layout, links, reference_html
from asgi_oidc.pages.page import Action, ForbiddenPage
from asgi_oidc.pages.untrusted import shorten, user_html, user_text
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
        self,
        request: Request,
        *,
        name: str,
        email: str | None,
        another_account: str,
        reference: str,
        requirement: str,
    ) -> Response:
        """Tell a signed-in user that this account may not, and offer another one.

        Args:
            name, email: of the user, as the provider tells them.
            another_account: absolute URL of ours that starts a login with another account, and comes back here.
            reference: stands in the log too.
            requirement: what the user lacks; only the app's own page may show it.
        """
        texts = self.layout.texts_for(request)
        actions = (
            Action(texts.plain("action.another_account"), another_account, is_primary=True),
            Action(texts.plain("action.home"), self.home),
        )
        page = ForbiddenPage(
            kind="forbidden",
            status=403,
            title=texts.plain("forbidden.title"),
            text=texts.plain("forbidden.text", user=user_text(name, email)),
            actions=actions,
            reference=reference,
            user_name=shorten(name),
            user_email=None if email is None else shorten(email),
            requirement=requirement,
        )
        text = texts.html("forbidden.text", user=user_html(name, email))
        content = f"<p>{text}</p>{links(actions)}{reference_html(texts, reference)}"
        return self.layout.respond(request, page, content, in_parts=True)
