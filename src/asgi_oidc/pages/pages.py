"""All pages of one middleware."""

from dataclasses import dataclass

from asgi_oidc.pages.denied import DeniedPages
from asgi_oidc.pages.forms import FormPages
from asgi_oidc.pages.layout import Layout
from asgi_oidc.pages.providers import ProviderPages
from asgi_oidc.pages.sign_in import SignInPages
from asgi_oidc.pages.sign_out import SignOutPages
from asgi_oidc.pages.translation import Texts
from asgi_oidc.web.response import Response, problem


@dataclass(frozen=True, slots=True)
class Pages:
    """All pages of one middleware, by subject; those about failures are made by `Failures`."""

    layout: Layout
    sign_in: SignInPages
    providers: ProviderPages
    denied: DeniedPages
    forms: FormPages
    sign_out: SignOutPages

    def problem(self, status: int, error: str, title: str, **members: object) -> Response:
        """Respond to a program.

        Args:
            title: id of a text.
        """
        return problem(status, error, self.layout.texts.plain(title), **members)


def make_pages(texts: Texts, *, app_name: str | None, home: str) -> Pages:
    """Make the pages of one middleware.

    Args:
        home: absolute URL of the start page.
    """
    layout = Layout(texts, app_name)
    return Pages(
        layout=layout,
        sign_in=SignInPages(layout),
        providers=ProviderPages(layout),
        denied=DeniedPages(layout, home),
        forms=FormPages(layout),
        sign_out=SignOutPages(layout, home),
    )
