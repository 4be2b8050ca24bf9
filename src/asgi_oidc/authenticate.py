"""Who is calling? The session cookie, opened and held against its limits, or nobody."""

from asgi_oidc import events
from asgi_oidc.parts import Parts
from asgi_oidc.sessions.session import Session, is_live
from asgi_oidc.web.request import Request


def authenticate(request: Request, parts: Parts, *, now: int) -> Session | None:
    """Return the live session of a browser; whatever else it sends makes it anonymous."""
    session = parts.jar.open(request.cookies)
    if session is None:
        if parts.jar.is_there(request.cookies):
            events.log(events.COOKIE_IGNORED, reason="not_ours")
        return None
    if not is_live(session, parts.limits, now=now):
        events.log(events.COOKIE_IGNORED, reason="expired")
        return None
    if parts.ended.is_dead(session.id, now=now):
        events.log(events.COOKIE_IGNORED, reason="ended")
        return None
    return session
