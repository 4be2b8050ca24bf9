"""Who is calling? The session of the cookies, opened and held against its limits, or nobody."""

from asgi_oidc import events
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.parts import Parts
from asgi_oidc.sessions.session import Session, is_live
from asgi_oidc.sessions.sessions import Live
from asgi_oidc.web.request import Request


async def authenticate(request: Request, parts: Parts, *, now: int) -> Live | None:
    """Return the live session of a browser; whatever else it sends makes it anonymous.

    Raises:
        StoreUnavailable: nobody can tell.
    """
    live = await parts.sessions.open(request.cookies)
    if live is None:
        if parts.sessions.is_there(request.cookies):
            events.log(events.COOKIE_IGNORED, reason="not_ours")
        return None
    if (reason := _why_over(live.session, parts, now=now)) is not None:
        events.log(events.COOKIE_IGNORED, reason=reason)
        return None
    return live


async def who_was(request: Request, parts: Parts) -> Live | None:
    """Return what a login or a sign-out finds in a browser, live or not.

    A record that nobody can read must not stand in its way.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    try:
        return await parts.sessions.open(request.cookies)
    except StoreUnavailable as error:
        if error.code != "store_garbage":
            raise
        events.log(events.STORE_FAILED, code=error.code, detail=error.detail, going_on_with="nobody")
        return None


def is_over(session: Session, parts: Parts, *, now: int) -> bool:
    """Say whether a session has run out or was ended."""
    return _why_over(session, parts, now=now) is not None


def _why_over(session: Session, parts: Parts, *, now: int) -> str | None:
    if not is_live(session, parts.limits, now=now):
        return "expired"
    return "ended" if parts.ended.is_dead(session.login, now=now) else None
