"""A session: who signed in, with which tokens, and until when."""

from collections.abc import Mapping
from typing import Any

import msgspec

from asgi_oidc.errors import OIDCError
from asgi_oidc.principal import read_claims

FORMAT = 3  # changes with the fields; a value of another format is not a session
USE_INTERVAL = 60  # seconds; the last use is written down at most that often
REFRESH_AHEAD = 60  # seconds before its end in which an access token is renewed
MAX_SKEW = 300  # seconds between the clocks of two machines
MAX_CLOCK_SETBACK = 2 * 86_400  # seconds by which a clock may be set back and sessions go on
REPLACED_GRACE = 30  # seconds that a replaced session of the same user lives on, for requests that are under way


class Login(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One login of one user in one browser: what never changes as long as the session lives.

    Attributes:
        id: new at every login, 256 bits.
        sid: the session at the provider, where the ID Token names it (OpenID Connect Back-Channel Logout 1.0 §2.1).
        first: `aud`, `azp`, `nonce` and `auth_time` of the first ID Token: later ones have to agree (OIDC Core §12.2);
            and its `acr`, which rules look at.
        set_by_on_login: names of the claims that `on_login` made or took away: a refresh leaves them as they are.
        created_at: seconds since the epoch.
        began: milliseconds in logical time: after all sign-outs that were known when the login started.
        replaced: ids of the sessions that this one took over from within `REPLACED_GRACE`.
    """

    format: int = FORMAT
    id: str
    issuer: str
    sub: str
    sid: str | None = None
    first: dict[str, Any]
    set_by_on_login: list[str] = []
    created_at: int
    began: int
    replaced: list[str] = []

    def __repr__(self) -> str:
        return f"Login(created_at={self.created_at})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("created_at", self.created_at)]


class Tokens(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a refresh renews: the tokens, and what they say.

    Attributes:
        generation: larger with each refresh. Where the provider states the claims it follows the seconds since the
            login, so that of two processes that know nothing of each other the one that was told last has the larger.
        written_claims: as JSON text, which nobody changes; few requests look into it.
        access_expires_at: None when the provider did not say.
        refresh_due_at: when a request that wants the access token renews it first; None for never.
        retry_at: after a refresh that failed, none is tried before.
        forced_at: when an API last refused a token that looked fine.
        ends_at: when the provider wants the session to end, None when it did not say.
        id_token_claim_names: names of the claims that earlier ID Tokens of this session contained, if `id_token` is a
            newer one without any claim about the user; None if `id_token` itself contains them.
        from_access_token: names of the claims whose values only the access token gave, or gave last.
    """

    generation: int = 0
    written_claims: msgspec.Raw
    id_token: str
    access_token: str
    access_expires_at: int | None
    refresh_due_at: int | None = None
    refresh_token: str | None = None
    scopes: list[str]
    retry_at: int = 0
    forced_at: int = 0
    ends_at: int | None = None
    id_token_claim_names: list[str] | None = None
    from_access_token: list[str] = []

    @property
    def claims(self) -> dict[str, Any]:
        """JSON object: of the ID Token, with what userinfo and `on_login` added; a new one each time."""
        return read_claims(self.written_claims)

    def __repr__(self) -> str:
        return f"Tokens(generation={self.generation})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("generation", self.generation)]


class Session(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A login, its newest tokens, and its last use.

    Attributes:
        seen_at: seconds since the epoch; at first that is the login.
    """

    login: Login
    tokens: Tokens
    seen_at: int

    @property
    def id(self) -> str:
        """The id of the login."""
        return self.login.id

    def __repr__(self) -> str:
        return f"Session(created_at={self.login.created_at}, seen_at={self.seen_at})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("created_at", self.login.created_at), ("seen_at", self.seen_at)]


class Use(msgspec.Struct, frozen=True, array_like=True):
    """When a session was last used, in a cookie of its own.

    It opens nothing by itself, so an answer that comes after a sign-out brings nothing back.
    """

    session: str
    seen_at: int

    def __repr__(self) -> str:
        return f"Use(seen_at={self.seen_at})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("seen_at", self.seen_at)]


class Limits(msgspec.Struct, frozen=True):
    """How long a session may live, in seconds."""

    idle: int
    lifetime: int


def expires_at(session: Session, limits: Limits) -> int:
    """Say when the session ends if it is not used again, in seconds since the epoch."""
    return min(ends_for_good_at(session, limits), session.seen_at + limits.idle)


def ends_for_good_at(session: Session, limits: Limits) -> int:
    """Say when the session ends however much it is used, in seconds since the epoch."""
    ends = session.login.created_at + limits.lifetime
    return ends if session.tokens.ends_at is None else min(ends, session.tokens.ends_at)


def valid_period(session: Session, limits: Limits) -> tuple[int, int]:
    """Say from when on and until when the session is within all of its limits, in seconds since the epoch.

    One that began in the future may be right, the clock was set back; but it must not live for ever by that.
    """
    return session.login.created_at - MAX_CLOCK_SETBACK, expires_at(session, limits)


def is_live(session: Session, limits: Limits, *, now: int) -> bool:
    """Say whether the session is within all of its limits."""
    begins_at, ends_at = valid_period(session, limits)
    return begins_at <= now < ends_at


def revocation_lifetime(limits: Limits) -> int:
    """Say how many seconds an id has to be remembered as dead: for as long as its session might live."""
    return limits.lifetime + MAX_CLOCK_SETBACK


def fresh_period(session: Session, limits: Limits) -> tuple[int, int]:
    """Say from when on and until when its last use need not be written down, in seconds since the epoch."""
    # One that is far in the future is wrong: the clock was set back. A little is the clock of another machine.
    return session.seen_at - MAX_SKEW, session.seen_at + min(USE_INTERVAL, max(1, limits.idle // 4))


def is_use_due(session: Session, limits: Limits, now: int) -> bool:
    """Say whether its last use should be written down."""
    fresh_from, fresh_until = fresh_period(session, limits)
    return not fresh_from <= now < fresh_until


def earliest(ends_at: int | None, stated: object) -> int | None:
    """Lower the end of a session to what the provider states, never lift it.

    Args:
        stated: `session_expiry` of a checked ID Token (OpenID Connect Enterprise Extensions 1.0).
    """
    if not isinstance(stated, int | float):
        return ends_at
    return int(stated) if ends_at is None else min(ends_at, int(stated))


def refresh_due_at(now: int, expires_in: int) -> int:
    """Say when an access token should be renewed: a minute before its end, or halfway when it is short-lived."""
    # At once is never: a provider whose tokens are dead on arrival would be asked with every request.
    return now + max(1, expires_in - min(REFRESH_AHEAD, expires_in // 2))


def with_use(session: Session, use: Use) -> Session:
    """Take the last use into account; that of another session says nothing."""
    if use.session != session.id:
        return session
    return msgspec.structs.replace(session, seen_at=use.seen_at)


def with_new_tokens(session: Session, tokens: Tokens) -> Session:
    """Put newer tokens into a session; when it was to end before, it still does."""
    ends_at = earliest(tokens.ends_at, session.tokens.ends_at)
    return msgspec.structs.replace(session, tokens=msgspec.structs.replace(tokens, ends_at=ends_at))


def ending_at(session: Session, at: int) -> Session:
    """Let a session end at an instant, unless it ends before."""
    ends_at = earliest(session.tokens.ends_at, at)
    return msgspec.structs.replace(session, tokens=msgspec.structs.replace(session.tokens, ends_at=ends_at))


def encode(value: Session | Login | Tokens | Use) -> bytes:
    """Write a value as bytes."""
    return msgspec.json.encode(value)  # JSON: a claim may be a number that msgpack does not know


def write_claims(claims: Mapping[str, Any]) -> msgspec.Raw:
    """Write claims as JSON text.

    Raises:
        OIDCError: a claim that `on_login` put there is no JSON value.
    """
    try:
        return msgspec.Raw(msgspec.json.encode(claims))
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise OIDCError("claims_not_json", "claims must be JSON values") from exc


_sessions = msgspec.json.Decoder(Session)
_logins = msgspec.json.Decoder(Login)
_tokens = msgspec.json.Decoder(Tokens)
_uses = msgspec.json.Decoder(Use)


def decode_session(data: bytes) -> Session | None:
    """Read a session, None when the bytes are of another format."""
    try:
        session = _sessions.decode(data)
    except (ValueError, RecursionError):
        return None
    return session if session.login.format == FORMAT else None


def decode_login(data: bytes) -> Login | None:
    """Read a login, None when the bytes are of another format."""
    try:
        login = _logins.decode(data)
    except (ValueError, RecursionError):
        return None
    return login if login.format == FORMAT else None


def decode_tokens(data: bytes) -> Tokens | None:
    """Read tokens, None when the bytes are of another format."""
    try:
        return _tokens.decode(data)
    except (ValueError, RecursionError):
        return None


def decode_use(data: bytes) -> Use | None:
    """Read a use, None when the bytes are of another format."""
    try:
        return _uses.decode(data)
    except ValueError:
        return None
