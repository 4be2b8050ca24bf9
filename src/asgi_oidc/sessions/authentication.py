"""Who is calling? The session of the cookies, opened and held against its limits, or nobody."""

from asgi_oidc import events
from asgi_oidc.composition import Parts
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.login.login_transactions import LOGIN_LIFETIME
from asgi_oidc.sessions.digests import digest
from asgi_oidc.sessions.repository import ENDED, EXPIRED, ActiveSession, NoSession
from asgi_oidc.sessions.session import Session, is_live, life_of
from asgi_oidc.web.request import Request

OUTDATED = NoSession("outdated")  # cookies from before a refresh that took rights away; newer ones may be on their way
NOT_YET = NoSession("not_yet")  # it begins days from now: a clock was set back
SIGN_OUT_GRACE = (
    5  # seconds after the end of a session in which its cookies may still sign out: a double click, a second tab
)
LATE_RESPONSE_LIMIT = (
    1  # seconds after which another tab may have signed in, in another process that nobody here hears of
)


async def authenticate(request: Request, parts: Parts, *, now: int) -> ActiveSession | None:
    """Return the live session of a browser; whatever else it sends makes it anonymous.

    Raises:
        StoreUnavailable: nobody can tell.
    """
    live, absent = await _find(request, parts, now=now)
    if absent is None:
        return live
    if parts.sessions.is_there(request.cookies):
        events.log(events.COOKIE_IGNORED, reason=absent.reason)
    return None


async def who_was(request: Request, parts: Parts) -> ActiveSession | None:
    """Return what a login or a sign-out finds in a browser, live or not.

    A record that nobody can read must not stand in its way.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    try:
        return (await _find(request, parts, now=parts.now()))[0]
    except StoreUnavailable as error:
        if error.code != "store_garbage":
            raise
        events.log(events.STORE_FAILED, code=error.code, detail=error.detail, fallback="an anonymous user")
        return None


def may_sign_out(session: Session, parts: Parts, *, now: int) -> bool:
    """Say whether a session may still sign out: it is alive, or ended a moment ago.

    An old cookie opens nothing, and must not act either: it would end the sessions that its user has now, and give an
    ID Token away.
    """
    begins_at, ends_at = life_of(session, parts.limits)
    ended_at = parts.ended.ended_at(session.login, now=now)
    # How far apart, not which is later: the clock may have been set back since.
    is_recent = ended_at is None or abs(now - ended_at) < SIGN_OUT_GRACE
    return begins_at <= now < ends_at + SIGN_OUT_GRACE and is_recent


async def _find(request: Request, parts: Parts, *, now: int) -> tuple[ActiveSession | None, NoSession | None]:
    """Return the session of a browser, live or not, and what is wrong with it."""
    found = await parts.sessions.find(request.cookies)
    live = found if isinstance(found, ActiveSession) else None
    absent = found if isinstance(found, NoSession) else _why_over(found.session, parts, now=now)
    request.session_over_at = now if absent is not None and absent.is_over else None
    return live, absent


def is_over(session: Session, parts: Parts, *, now: int) -> bool:
    """Say whether a session has run out or was ended."""
    return _why_over(session, parts, now=now) is not None


def _why_over(session: Session, parts: Parts, *, now: int) -> NoSession | None:
    if parts.ended.is_dead(session.login, now=now):
        return ENDED
    if is_live(session, parts.limits, now=now):
        return OUTDATED if parts.ended.is_outdated(session) else None
    return EXPIRED if now >= life_of(session, parts.limits)[1] else NOT_YET


def expect_login(request: Request, parts: Parts) -> None:
    """Note that this browser is signing in: its cookies may soon be those of a new session.

    Answers to older requests, which may still be under way, delete none of them any more.
    """
    if parts.sessions.is_there(request.cookies):
        name = digest(parts.sessions.cookie(request.cookies))
        parts.signing_in.add(name, now=parts.now(), lifetime=2 * LOGIN_LIFETIME)


def delete_over(request: Request, parts: Parts) -> list[bytes]:
    """Return the Set-Cookie lines that delete a session that is known to be over.

    Browsers delete by name, and the next session has the same. So nothing is deleted by an answer that may arrive
    after a login: one that is late, or to a browser that is signing in. Nor by the answer to a form that a person sent:
    one step back there is what they typed, but only while the page of before (`Vary: Cookie`) has the same cookies.
    """
    over_at, cookies = request.session_over_at, request.cookies
    if over_at is None or not 0 <= parts.now() - over_at <= LATE_RESPONSE_LIMIT:
        return []
    if request.wants_page and request.has_form:
        return []
    if parts.transactions.is_any(cookies) or digest(parts.sessions.cookie(cookies)) in parts.signing_in:
        return []
    return parts.sessions.delete(cookies)
