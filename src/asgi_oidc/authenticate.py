"""Who is calling? The session of the cookies, opened and held against its limits, or nobody."""

from asgi_oidc import events
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.parts import Parts
from asgi_oidc.sessions.session import Session, is_live, life_of
from asgi_oidc.sessions.sessions import Live
from asgi_oidc.web.request import Request

LAST_WORD = 5  # seconds after its end in which a session may still sign out: a double click, a second tab


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


def may_sign_out(session: Session, parts: Parts, *, now: int) -> bool:
    """Say whether a session may still end something: it is alive, or ended a moment ago.

    An old cookie opens nothing, and must not act either: it would end the sessions that its user has now, and give an
    ID Token away.
    """
    begins_at, ends_at = life_of(session, parts.limits)
    ended_at = parts.ended.ended_at(session.login, now=now)
    # How far apart, not which is later: the clock may have been set back since.
    is_recent = ended_at is None or abs(now - ended_at) < LAST_WORD
    return begins_at <= now < ends_at + LAST_WORD and is_recent


def is_over(session: Session, parts: Parts, *, now: int) -> bool:
    """Say whether a session has run out or was ended."""
    return _why_over(session, parts, now=now) is not None


def _why_over(session: Session, parts: Parts, *, now: int) -> str | None:
    if not is_live(session, parts.limits, now=now):
        return "expired"
    if parts.ended.is_dead(session.login, now=now):
        return "ended"
    return "outdated" if parts.ended.is_outdated(session) else None
