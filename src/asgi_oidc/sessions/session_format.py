"""The bytes of a session: what is sealed in cookies and in stores, and kept as it is by a `MemoryStore`.

A version comes first. Values that the previous release wrote are read as well (see session_format_3.py).
"""

from typing import Any

import msgspec

from asgi_oidc.protocol.authorization_details import NOTHING
from asgi_oidc.protocol.id_token import FIRST
from asgi_oidc.sessions import session_format_3
from asgi_oidc.sessions.digests import SHORT_DIGEST, short_digest
from asgi_oidc.sessions.packing.short_texts import restore, shorten
from asgi_oidc.sessions.packing.structs import members_of
from asgi_oidc.sessions.packing.token_texts import TokenTexts
from asgi_oidc.sessions.session import Login, Session, Tokens

VERSION = b"\x04"  # changes with the meaning of the fields; new ones may be added at the end without that
INSTANT = 5  # bytes of seconds since the epoch
JSON = 1  # msgpack extension type: JSON text

_Text = Any  # text or bytes, see packing/short_texts.py; msgspec has no type for either


class _Login(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A `Login` as it is stored: the claims in `first` are named by their index in `FIRST`."""

    id: _Text
    issuer: str
    sub: _Text
    first: dict[int, Any]
    created_at: int
    began: int
    sid: _Text | None = None
    provider: str = ""
    replaced: tuple[_Text, ...] = ()
    set_by_on_login: tuple[str, ...] = ()
    endpoints_digest: _Text = ""
    dpop_key: _Text = ""
    requested_details: tuple[_Text, ...] = ()


class _Tokens(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`Tokens` as they are stored: `scope` as on the wire, `authorization_details` as JSON text, empty for none."""

    generation: int
    texts: bytes
    scope: str
    access_expires_at: int | None = None
    refresh_due_at: int | None = None
    ends_at: int | None = None
    confirmed_at: int = 0
    retry_at: int = 0
    forced_at: int = 0
    from_access_token: tuple[str, ...] = ()
    id_token_claim_names: list[str] | None = None
    authorization_details: bytes = b""
    access_token_claim_names: tuple[str, ...] = ()


class _Session(msgspec.Struct, frozen=True, array_like=True):
    login: _Login
    tokens: _Tokens
    seen_at: int


_login_decoder = msgspec.msgpack.Decoder(_Login)
_tokens_decoder = msgspec.msgpack.Decoder(_Tokens)
_session_decoder = msgspec.msgpack.Decoder(_Session)


def encode_login(login: Login) -> bytes:
    """Encode a login."""
    return VERSION + msgspec.msgpack.encode(members_of(_stored_login(login)))


def encode_tokens(tokens: Tokens) -> bytes:
    """Encode tokens."""
    return VERSION + msgspec.msgpack.encode(members_of(_stored_tokens(tokens)))


def encode_session(session: Session) -> bytes:
    """Encode a session."""
    login, tokens = _stored_login(session.login), _stored_tokens(session.tokens)
    return VERSION + msgspec.msgpack.encode((members_of(login), members_of(tokens), session.seen_at))


def encode_use(session_id: str, seen_at: int) -> bytes:
    """Encode when a session was last used, in seconds since the epoch."""
    return VERSION + short_digest(session_id).encode("ascii") + seen_at.to_bytes(INSTANT, "big")


def decode_login(data: bytes) -> Login | None:
    """Decode a login; None if the bytes are of another format."""
    if not data.startswith(VERSION):
        return session_format_3.decode_login(data)
    try:
        return _read_login(_login_decoder.decode(data[1:]))
    except ValueError:
        return None


def decode_tokens(data: bytes) -> Tokens | None:
    """Decode tokens; None if the bytes are of another format."""
    if not data.startswith(VERSION):
        return session_format_3.decode_tokens(data)
    try:
        return _read_tokens(_tokens_decoder.decode(data[1:]))
    except ValueError:
        return None


def decode_session(data: bytes) -> Session | None:
    """Decode a session; None if the bytes are of another format."""
    if not data.startswith(VERSION):
        return session_format_3.decode_session(data)
    try:
        stored = _session_decoder.decode(data[1:])
        return Session(login=_read_login(stored.login), tokens=_read_tokens(stored.tokens), seen_at=stored.seen_at)
    except ValueError:
        return None


def decode_use(data: bytes) -> tuple[str, int] | None:
    """Return the short digest of a session, and when it was last used; None if the bytes are of another format."""
    if not data.startswith(VERSION):
        use = session_format_3.decode_use(data)
        return None if use is None else (short_digest(use[0]), use[1])
    digest, instant = data[1 : 1 + SHORT_DIGEST], data[1 + SHORT_DIGEST :]
    return (digest.decode("ascii"), int.from_bytes(instant, "big")) if len(instant) == INSTANT else None


def _stored_login(login: Login) -> _Login:
    return _Login(
        shorten(login.id),
        login.issuer,
        shorten(login.sub),
        {FIRST.index(name): _stored_claim(value) for name, value in login.first.items()},
        login.created_at,
        login.began,
        None if login.sid is None else shorten(login.sid),
        login.provider,
        tuple(shorten(each) for each in login.replaced),
        tuple(login.set_by_on_login),
        shorten(login.endpoints_digest),
        shorten(login.dpop_key),
        tuple(shorten(each) for each in login.requested_details),
    )


def _stored_claim(value: object) -> object:
    if isinstance(value, str):
        return shorten(value)
    try:
        return msgspec.Raw(msgspec.msgpack.encode(value))
    except OverflowError:  # JSON has larger numbers
        return msgspec.msgpack.Ext(JSON, msgspec.json.encode(value))


def _read_claim(stored: object) -> object:
    if isinstance(stored, msgspec.msgpack.Ext):
        return msgspec.json.decode(stored.data)
    return restore(stored) if isinstance(stored, bytes) else stored


def _read_login(stored: _Login) -> Login:
    return Login(
        id=restore(stored.id),
        issuer=stored.issuer,
        sub=restore(stored.sub),
        first={FIRST[index]: _read_claim(value) for index, value in stored.first.items()},
        created_at=stored.created_at,
        began=stored.began,
        # What most logins lack is not looked at: the first request of a session waits for this.
        sid=stored.sid and restore(stored.sid),
        provider=stored.provider,
        replaced=[restore(each) for each in stored.replaced] if stored.replaced else [],
        set_by_on_login=list(stored.set_by_on_login),
        endpoints_digest=stored.endpoints_digest and restore(stored.endpoints_digest),
        dpop_key=stored.dpop_key and restore(stored.dpop_key),
        requested_details=tuple(restore(each) for each in stored.requested_details) if stored.requested_details else (),
    )


def _stored_tokens(tokens: Tokens) -> _Tokens:
    details = bytes(tokens.authorization_details)
    return _Tokens(
        tokens.generation,
        tokens.texts.packed(),
        " ".join(tokens.scopes),
        tokens.access_expires_at,
        tokens.refresh_due_at,
        tokens.ends_at,
        tokens.confirmed_at,
        tokens.retry_at,
        tokens.forced_at,
        tuple(tokens.from_access_token),
        tokens.id_token_claim_names,
        b"" if details == bytes(NOTHING) else details,
        tuple(tokens.access_token_claim_names),
    )


def _read_tokens(stored: _Tokens) -> Tokens:
    return Tokens(
        generation=stored.generation,
        texts=TokenTexts(packed=stored.texts),
        scopes=stored.scope.split(),
        access_expires_at=stored.access_expires_at,
        refresh_due_at=stored.refresh_due_at,
        ends_at=stored.ends_at,
        confirmed_at=stored.confirmed_at,
        retry_at=stored.retry_at,
        forced_at=stored.forced_at,
        from_access_token=list(stored.from_access_token),
        id_token_claim_names=stored.id_token_claim_names,
        authorization_details=msgspec.Raw(stored.authorization_details) if stored.authorization_details else NOTHING,
        access_token_claim_names=list(stored.access_token_claim_names),
    )
