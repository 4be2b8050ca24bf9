"""Two ways to sign in: the company's OpenID provider for staff, and a code hub with plain OAuth 2.0 for others."""

import os
from html import escape
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from asgi_oidc import OAuth2Provider, OIDCMiddleware, Provider, Rule

ID = os.environ.get("PROVIDER_URL", "http://127.0.0.1:9400")  # the demo's provider plays both parts
CLIENT: Any = {"client_id": "example", "client_secret": os.environ.get("CLIENT_SECRET", "example-secret")}
LINKS = ("/me", "/staff/", "/billing", "/auth/login?provider=work&return_to=/me")


async def home(request: Request) -> HTMLResponse:
    """Anyone may see this."""
    links = "".join(f'<li><a href="{escape(link)}">{escape(link)}</a></li>' for link in LINKS)
    return HTMLResponse(f"<!doctype html><h1>Welcome</h1><ul>{links}</ul>")


async def me(request: Request) -> HTMLResponse:
    """Show who came, and from where: a user is (issuer, sub), never the address."""
    user = request.user
    who = f"{user.display_name}, {user.sub} at {user.issuer} ({user.provider})"
    sign_out = '<form method="post" action="/auth/logout"><button>Sign out</button></form>'
    return HTMLResponse(f"<!doctype html><h1>{escape(who)}</h1>{sign_out}")


def choose_provider(scope: Any) -> str | None:
    """Send colleagues who use the internal name of the site straight to the company's provider; let others choose."""
    host = dict(scope["headers"]).get(b"host", b"")
    return "work" if host.startswith(b"intranet.") else None


providers = {
    "work": Provider(issuer=ID, title="Example GmbH", **CLIENT),
    "hub": OAuth2Provider(
        title="Code Hub",
        authorization_endpoint=f"{ID}/authorize",
        token_endpoint=f"{ID}/token",
        userinfo_endpoint=f"{ID}/userinfo",
        subject="sub",
        scope="openid profile email",
        **CLIENT,
    ),
}
rules = [
    Rule("/staff/*", providers=["work"]),
    Rule("/billing", max_age=300),  # only OpenID providers report when users signed in
]
starlette = Starlette(routes=[Route("/", home), *(Route(path, me) for path in ("/me", "/staff/", "/billing"))])
app = OIDCMiddleware.from_env(
    starlette, providers=providers, choose_provider=choose_provider, rules=rules, public=["/"]
)
