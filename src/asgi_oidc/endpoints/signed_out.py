"""The browser is back from a sign-out at the provider (RP-Initiated Logout 1.0 §3)."""

from asgi_oidc.errors import RequestRejected
from asgi_oidc.parts import Parts
from asgi_oidc.sessions.way_back import WayBack
from asgi_oidc.web.pages import signed_out_page
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, page, redirect


def welcome_back(request: Request, parts: Parts, *, is_signed_in: bool) -> Response | None:
    """Answer the browser that brings the state of a sign-out; everything else is an ordinary request (None)."""
    if b"state=" not in request.query or not _is_landing(request, parts):
        return None
    way_back = _read_state(request, parts)
    if way_back is None:
        return None
    if way_back.return_to is not None:
        return redirect(parts.origin + way_back.return_to)
    if is_signed_in or is_landing_public(request, parts):
        return redirect(parts.settings.landing_url)
    return page(
        signed_out_page(again=parts.urls.login, is_everywhere=way_back.is_everywhere, app=parts.settings.app_name),
        status=200,
    )


def is_landing_public(request: Request, parts: Parts) -> bool:
    """Say whether the page that browsers land on is there for everybody; it may be on another site.

    Args:
        request: another one, for what the server says of the mount.
    """
    path = parts.settings.landing_path
    if path is None:
        return True
    is_agreed = len(request.path.own) == 1
    scope = {"path": path, "root_path": parts.settings.base_path if is_agreed else ""}
    return parts.policy.place(scope, ("GET",)).opened_by is not None


def _is_landing(request: Request, parts: Parts) -> bool:
    path = parts.settings.landing_path
    is_there = path is not None and request.path.external.rstrip("/") == path.rstrip("/")
    return is_there and request.method == "GET" and request.is_navigation


def _read_state(request: Request, parts: Parts) -> WayBack | None:
    try:
        states = [value for name, value in request.parameters() if name == "state"]
    except RequestRejected:  # no query of the provider
        return None
    return parts.ways_back.read(states[0], now=parts.now()) if len(states) == 1 else None
