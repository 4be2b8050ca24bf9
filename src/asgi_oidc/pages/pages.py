"""All pages of one middleware."""

from dataclasses import dataclass

from asgi_oidc.pages.denied import DeniedPages
from asgi_oidc.pages.forms import FormPages
from asgi_oidc.pages.languages import Translations
from asgi_oidc.pages.layout import Layout
from asgi_oidc.pages.page import RenderPages
from asgi_oidc.pages.providers import ProviderPages
from asgi_oidc.pages.rendering import PageRenderer
from asgi_oidc.pages.sign_in import SignInPages
from asgi_oidc.pages.sign_out import SignOutPages
from asgi_oidc.pages.theme import Colors, make_theme
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response


@dataclass(frozen=True, slots=True)
class Pages:
    """All pages of one middleware, by subject; those about failures are made by `Failures`."""

    layout: Layout
    sign_in: SignInPages
    providers: ProviderPages
    denied: DeniedPages
    forms: FormPages
    sign_out: SignOutPages

    def problem(self, request: Request, status: int, error: str, title: str, **members: object) -> Response:
        """Respond to a program.

        Args:
            title: id of a text.
        """
        return self.layout.problem(request, status, error, title, **members)


def make_pages(
    translations: Translations,
    *,
    home: str,
    app_name: str | None = None,
    app_logo: str | None = None,
    app_colors: Colors | None = None,
    render: RenderPages | None = None,
    embedded_in: tuple[str, ...] = (),
) -> Pages:
    """Make the pages of one middleware.

    Args:
        home: absolute URL of the start page.
        render: the app's own function for pages.
        embedded_in: origins of the sites that show the app in a frame.
    """
    renderer = None if render is None else PageRenderer(render)
    layout = Layout(translations, app_name, app_logo, make_theme(app_colors), renderer, embedded_in)
    return Pages(
        layout=layout,
        sign_in=SignInPages(layout),
        providers=ProviderPages(layout),
        denied=DeniedPages(layout, home),
        forms=FormPages(layout),
        sign_out=SignOutPages(layout, home),
    )
