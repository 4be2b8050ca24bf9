"""One account, several ways in: a signed-in user adds another provider, and confirms it."""

import os
import secrets
from html import escape
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from asgi_oidc import OAuth2Provider, OIDCMiddleware, Provider, User

ID = os.environ.get("PROVIDER_URL", "http://127.0.0.1:9400")  # the demo's provider plays both parts
CLIENT: Any = {"client_id": "example", "client_secret": os.environ.get("CLIENT_SECRET", "example-secret")}
IS_HTTPS = os.environ["OIDC_BASE_URL"].startswith("https://")
COOKIE = "__Host-link" if IS_HTTPS else "link"  # no other host can set a cookie with this prefix

accounts: dict[tuple[str, str], str] = {}  # (issuer, sub) -> account; in your app, a table with this key
links: dict[str, str] = {}  # random value -> account; in your app, a table whose rows expire after ten minutes


def account_of(user: User) -> str:
    """Return the account of a user; the first login makes one."""
    return accounts.setdefault((user.issuer, user.sub), f"account {len(set(accounts.values())) + 1}")


async def me(request: Request) -> Response:
    """Show the account, and all the ways into it."""
    account = account_of(request.user)
    ways = "".join(
        f"<li>{escape(sub)} at {escape(issuer)}" for (issuer, sub), owner in accounts.items() if owner == account
    )
    buttons = "".join(f'<button name="provider" value="{name}">Add {name}</button>' for name in providers)
    form = f'<form method="post" action="/link">{buttons}</form>'
    sign_out = '<form method="post" action="/auth/logout"><button>Sign out</button></form>'
    return HTMLResponse(f"<!doctype html><h1>{escape(account)}</h1><ul>{ways}</ul>{form}{sign_out}")


async def link(request: Request) -> Response:
    """Remember in this browser to which account the login will be added, and start that login."""
    name = str((await request.form()).get("provider"))
    if name not in providers:
        return HTMLResponse("<!doctype html><h1>No such provider</h1>", 404)
    value = secrets.token_urlsafe(32)
    links[value] = account_of(request.user)
    response = RedirectResponse(request.scope["oidc"].login_url("/link/confirm", provider=name), 303)
    response.set_cookie(COOKIE, value, max_age=600, secure=IS_HTTPS, httponly=True, samesite="lax")
    return response


async def confirm(request: Request) -> Response:
    """Ask the user, who is now signed in at the other provider; add it when the form comes back."""
    value, user = request.cookies.get(COOKIE, ""), request.user
    account, owner = links.get(value), accounts.get((user.issuer, user.sub))
    if account is None or owner is not None:
        text = "Nothing to add" if owner in (None, account) else "This login already belongs to another account"
        return HTMLResponse(f'<!doctype html><h1>{text}</h1><p><a href="/me">Continue</a>', 409)
    if request.method == "GET":
        question = f"Add {user.display_name} ({user.provider}) to {account}?"
        return HTMLResponse(
            f'<!doctype html><h1>{escape(question)}</h1><form method="post"><button>Add</button></form>'
        )
    accounts[user.issuer, user.sub] = links.pop(value)
    response = RedirectResponse("/me", 303)
    response.delete_cookie(COOKIE, secure=IS_HTTPS, httponly=True, samesite="lax")
    return response


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
starlette = Starlette(
    routes=[
        Route("/me", me),
        Route("/link", link, methods=["POST"]),
        Route("/link/confirm", confirm, methods=["GET", "POST"]),
    ]
)
app = OIDCMiddleware.from_env(starlette, providers=providers)
