"""Apps with wrong settings, as servers import them."""

from starlette.applications import Starlette

from asgi_oidc import OIDCMiddleware
from tests.settings.required_settings import REQUIRED

added = Starlette()
added.add_middleware(OIDCMiddleware, **{**REQUIRED, "isuer": "https://id.example.com"})

added_well = Starlette()
added_well.add_middleware(OIDCMiddleware, **REQUIRED)


def from_variables() -> OIDCMiddleware:
    """Make an app as with `uvicorn --factory`."""
    return OIDCMiddleware.from_env(Starlette())
