"""A session: who signed in, with which tokens, and until when."""

from typing import Any

import msgspec

from asgi_oidc.errors import OIDCError

FORMAT = 1  # changes with the fields; a value of another format is not a session
ROLL_AFTER = 60  # seconds; the last use is written down at most that often
GRACE = 30  # seconds that a replaced session of the same user lives on, for requests that are under way


class Session(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One login of one user in one browser.

    Attributes:
        id: new at every login, 256 bits.
        claims: of the ID Token, with what userinfo and `on_login` added.
        access_expires_at: None when the provider did not say.
        created_at: seconds since the epoch.
        seen_at: the last use, as a `Use` says; at first that is the login.
        replaced: ids of the sessions that this one took over from within `GRACE`.
    """

    format: int = FORMAT
    id: str
    issuer: str
    sub: str
    claims: dict[str, Any]
    id_token: str
    access_token: str
    access_expires_at: int | None
    scopes: list[str]
    created_at: int
    seen_at: int
    replaced: list[str] = []

    def __repr__(self) -> str:
        return f"Session(created_at={self.created_at}, seen_at={self.seen_at})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("created_at", self.created_at), ("seen_at", self.seen_at)]


class Use(msgspec.Struct, frozen=True, array_like=True):
    """When a session was last used: all that is ever written again after a login.

    It opens nothing by itself, so an answer that comes after a sign-out brings nothing back.
    """

    session: str
    seen_at: int


class Limits(msgspec.Struct, frozen=True):
    """How long a session may live, in seconds."""

    idle: int
    lifetime: int


def expires_at(session: Session, limits: Limits) -> int:
    """Say when the session ends if it is not used again, in seconds since the epoch."""
    return min(session.created_at + limits.lifetime, session.seen_at + limits.idle)


def is_live(session: Session, limits: Limits, *, now: int) -> bool:
    """Say whether the session is within both of its limits."""
    return now < expires_at(session, limits)


def is_roll_due(session: Session, limits: Limits, *, now: int) -> bool:
    """Say whether its last use should be written down."""
    return now - session.seen_at >= min(ROLL_AFTER, max(1, limits.idle // 4))


def used(session: Session, use: Use) -> Session:
    """Take the last use into account; that of another session, or an older one, says nothing."""
    if use.session != session.id or use.seen_at <= session.seen_at:
        return session
    return msgspec.structs.replace(session, seen_at=use.seen_at)


def encode_session(session: Session) -> bytes:
    """Write a session as bytes.

    Raises:
        OIDCError: a claim that `on_login` put there is no JSON value.
    """
    try:
        return msgspec.json.encode(session)  # JSON: a claim may be a number that msgpack does not know
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise OIDCError("claims_not_json", "claims must be JSON values") from exc


def encode_use(use: Use) -> bytes:
    """Write a use as bytes."""
    return msgspec.json.encode(use)


def decode_use(data: bytes) -> Use | None:
    """Read a use, None when the bytes are of another format."""
    try:
        return _use_decoder.decode(data)
    except ValueError:
        return None


_use_decoder = msgspec.json.Decoder(Use)
_decoder = msgspec.json.Decoder(Session)


def decode_session(data: bytes) -> Session | None:
    """Read a session, None when the bytes are of another format."""
    try:
        session = _decoder.decode(data)
    except (ValueError, RecursionError):
        return None
    return session if session.format == FORMAT else None
