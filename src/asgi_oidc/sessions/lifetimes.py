"""How long a session is valid: its limits, its grace when it is replaced, and when its tokens have to be refreshed."""

import msgspec

from asgi_oidc.sessions.session import Session

USE_INTERVAL = 60  # seconds; the last use is written at most that often
REFRESH_AHEAD = 60  # seconds before its expiry from which an access token is refreshed
MAX_SKEW = 300  # seconds by which the clocks of two machines may differ
MAX_CLOCK_SETBACK = 2 * 86_400  # seconds by which a clock may be set back without ending sessions
REPLACED_GRACE = 30  # seconds for which a replaced session of the same user stays valid, for requests under way


class Limits(msgspec.Struct, frozen=True):
    """How long a session may last, in seconds: without use, and in all."""

    idle: int
    lifetime: int


def expires_at(session: Session, limits: Limits) -> int:
    """Return when the session expires if it is not used again, in seconds since the epoch."""
    return min(ends_for_good_at(session, limits), session.seen_at + limits.idle)


def ends_for_good_at(session: Session, limits: Limits) -> int:
    """Return when the session ends even if it is in use, in seconds since the epoch."""
    ends = session.login.created_at + limits.lifetime
    return ends if session.tokens.ends_at is None else min(ends, session.tokens.ends_at)


def valid_period(session: Session, limits: Limits) -> tuple[int, int]:
    """Return from when and until when the session is within its limits, in seconds since the epoch.

    It may begin in the future if the clock was set back, but only by `MAX_CLOCK_SETBACK`: it must not last for ever.
    """
    return session.login.created_at - MAX_CLOCK_SETBACK, expires_at(session, limits)


def is_live(session: Session, limits: Limits, *, now: int) -> bool:
    """Return whether the session is within its limits; revocations are checked elsewhere."""
    begins_at, ends_at = valid_period(session, limits)
    return begins_at <= now < ends_at


def revocation_lifetime(limits: Limits) -> int:
    """Return the seconds for which a revocation has to be remembered: as long as a revoked session might last."""
    return limits.lifetime + MAX_CLOCK_SETBACK


def fresh_period(session: Session, limits: Limits) -> tuple[int, int]:
    """Return from when and until when the last use need not be written again, in seconds since the epoch."""
    # A last use far in the future is wrong: the clock was set back. A few minutes may be another machine's clock.
    return session.seen_at - MAX_SKEW, session.seen_at + min(USE_INTERVAL, max(1, limits.idle // 4))


def is_use_due(session: Session, limits: Limits, now: int) -> bool:
    """Return whether the last use should be written now."""
    fresh_from, fresh_until = fresh_period(session, limits)
    return not fresh_from <= now < fresh_until


def refresh_due_at(now: int, expires_in: int) -> int:
    """Return when to refresh an access token: a minute before it expires, or halfway if it is short-lived."""
    # At least a second from now: if tokens expire on arrival, not every request should call the provider.
    return now + max(1, expires_in - min(REFRESH_AHEAD, expires_in // 2))
