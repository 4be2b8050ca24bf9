"""Pages with different requirements: a role, a stronger login, the app's own check, and a fresh login on demand."""

from html import escape
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from asgi_oidc import OIDCMiddleware, Rule, User

LINKS = ("/admin/users", "/billing", "/orders/7", "/reports")
OWNERS = {7: "alice"}  # a database in a real app; by `sub`, because the provider is one


async def home(request: Request) -> HTMLResponse:
    """Anyone may see this."""
    links = "".join(f'<li><a href="{link}">{link}</a></li>' for link in LINKS)
    return HTMLResponse(f"<!doctype html><h1>Welcome</h1><ul>{links}</ul>")


async def page(request: Request) -> HTMLResponse:
    """A rule decides who gets here."""
    return HTMLResponse(f"<!doctype html><h1>Hello, {escape(request.user.display_name)}</h1>{request.url.path}")


async def order(request: Request) -> HTMLResponse:
    """Every user may look at an order; the rule is about deleting it."""
    return HTMLResponse('<!doctype html><h1>Order 7</h1><form method="post"><button>Delete</button></form>')


async def delete(request: Request) -> HTMLResponse:
    """Only the owner gets here."""
    return HTMLResponse("<!doctype html><h1>Deleted</h1>")


async def reports(request: Request) -> Response:
    """Ask for a fresh login from the app itself."""
    oidc = request.scope["oidc"]
    if not oidc.meets(max_age=300):
        return RedirectResponse(oidc.login_url("/reports", max_age=300), 303)
    return await page(request)


def may_change(user: User, scope: Any) -> bool:
    """Let the owner of the order in, and nobody else."""
    order_id = scope["path"].rpartition("/")[2]
    return order_id.isdecimal() and OWNERS.get(int(order_id)) == user.sub


rules = [
    Rule("/admin/*", claims={"roles": "admin"}),
    Rule("/billing", acr_values=["urn:example:mfa"]),
    Rule("/orders/*", methods=["POST", "DELETE"], check=may_change),
]
routes = [
    Route("/", home),
    Route("/admin/users", page),
    Route("/billing", page),
    Route("/orders/7", order),
    Route("/orders/7", delete, methods=["POST"]),
    Route("/reports", reports),
]
app = OIDCMiddleware.from_env(Starlette(routes=routes), public=["/"], rules=rules)
