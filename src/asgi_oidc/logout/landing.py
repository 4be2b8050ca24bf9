"""The browser is back from a sign-out at the provider (RP-Initiated Logout 1.0 §3)."""

from urllib.parse import unquote, urlsplit

from asgi_oidc.composition import Parts
from asgi_oidc.errors import RequestRejected
from asgi_oidc.login.endpoint_urls import with_return_to
from asgi_oidc.logout.logout_state import LogoutState
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, redirect


def welcome_back(request: Request, parts: Parts, *, is_signed_in: bool) -> Response | None:
    """Answer the browser that brings the state of a sign-out; everything else is an ordinary request (None)."""
    if b"state=" not in request.query or not _is_landing(request, parts):
        return None
    way_back = _read_state(request, parts)
    if way_back is None:
        return None
    is_shown = is_signed_in or is_goal_public(way_back.return_to, request, parts)
    return redirect(landing_url(way_back.return_to, parts)) if is_shown else signed_out(way_back, parts)


def signed_out(way_back: LogoutState, parts: Parts) -> Response:
    """Show "You are signed out" if the target page would start a login, which could silently undo the sign-out."""
    login = with_return_to(parts.urls.login, way_back.return_to)
    return parts.pages.sign_out.signed_out(login=login, is_everywhere=way_back.is_everywhere)


def landing_url(return_to: str | None, parts: Parts) -> str:
    """Return the URL that a sign-out ends at."""
    return parts.settings.landing_url if return_to is None else parts.origin + return_to


def is_goal_public(return_to: str | None, request: Request, parts: Parts) -> bool:
    """Say whether the page that a sign-out ends at is public; it may be on another site.

    Args:
        request: another one, for what the server says of the mount.
    """
    path = parts.settings.landing_path if return_to is None else urlsplit(return_to).path
    if path is None:
        return True
    is_agreed = len(request.path.readings) == 1
    scope = {
        "path": unquote(path),
        "raw_path": path.encode("ascii", "replace"),
        "root_path": parts.settings.base_path if is_agreed else "",
    }
    return parts.policy.place(scope, ("GET",)).opened_by is not None


def _is_landing(request: Request, parts: Parts) -> bool:
    path = parts.settings.landing_path
    is_there = path is not None and request.path.external.rstrip("/") == path.rstrip("/")
    return is_there and request.method == "GET" and request.is_navigation


def _read_state(request: Request, parts: Parts) -> LogoutState | None:
    try:
        states = [value for name, value in request.parameters() if name == "state"]
    except RequestRejected:  # no query of the provider
        return None
    return parts.ways_back.read(states[0], now=parts.now()) if len(states) == 1 else None
