"""Reads sessions that earlier releases wrote: JSON, or, in cookies that were large, a compressed array.

No session is older than `session_lifetime`; after an update, nothing writes this format any more.
"""

import zlib
from typing import Any, TypeVar

import msgspec

from asgi_oidc.protocol.authorization_details import NOTHING
from asgi_oidc.sessions.packing.structs import unpack
from asgi_oidc.sessions.session import Login, Session, Tokens, make_tokens

FORMAT = 3
MAX_UNPACKED_SIZE = 9000  # bytes of a value that was compressed

_Stored = TypeVar("_Stored")


class _Login(msgspec.Struct, frozen=True, array_like=True):
    format: int
    id: str
    issuer: str
    sub: str
    sid: str | None
    first: dict[str, Any]
    set_by_on_login: list[str]
    created_at: int
    began: int
    replaced: list[str] = []
    provider: str = ""
    endpoints_digest: str = ""
    dpop_key: str = ""
    requested_details: tuple[str, ...] = ()


class _Tokens(msgspec.Struct, frozen=True, array_like=True):
    generation: int
    written_claims: msgspec.Raw
    id_token: str
    access_token: str | None
    access_expires_at: int | None
    refresh_due_at: int | None
    refresh_token: str | None
    scopes: list[str]
    retry_at: int = 0
    forced_at: int = 0
    ends_at: int | None = None
    id_token_claim_names: list[str] | None = None
    from_access_token: list[str] = []
    confirmed_at: int = 0
    authorization_details: msgspec.Raw = NOTHING


class _Session(msgspec.Struct, frozen=True, array_like=True):
    login: _Login
    tokens: _Tokens
    seen_at: int


def decode_login(data: bytes) -> Login | None:
    """Decode a login; None if the bytes are of another format."""
    stored = _decode(data, _Login)
    return None if stored is None else _read_login(stored)


def decode_tokens(data: bytes) -> Tokens | None:
    """Decode tokens; None if the bytes are of another format."""
    stored = _decode(data, _Tokens) if data.startswith(b"[") else _decode_compressed(data)
    return None if stored is None else _read_tokens(stored)


def decode_session(data: bytes) -> Session | None:
    """Decode a session; None if the bytes are of another format."""
    stored = _decode(data, _Session)
    login = None if stored is None else _read_login(stored.login)
    if stored is None or login is None:
        return None
    return Session(login=login, tokens=_read_tokens(stored.tokens), seen_at=stored.seen_at)


def decode_use(data: bytes) -> tuple[str, int] | None:
    """Return the id of a session, and when it was last used in seconds since the epoch; None for another format."""
    return _decode(data, tuple[str, int])


def _read_login(stored: _Login) -> Login | None:
    if stored.format != FORMAT:
        return None
    return Login(**{name: getattr(stored, name) for name in Login.__struct_fields__})


def _read_tokens(stored: _Tokens) -> Tokens:
    return make_tokens(**{name: getattr(stored, name) for name in _Tokens.__struct_fields__})


def _decode(data: bytes, kind: type[_Stored]) -> _Stored | None:
    try:
        return msgspec.json.decode(data, type=kind)
    except (ValueError, RecursionError):
        return None


def _decode_compressed(data: bytes) -> _Tokens | None:
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(data, MAX_UNPACKED_SIZE)
        return unpack(unpacked, _Tokens) if stream.eof else None
    except (ValueError, RecursionError, zlib.error):
        return None
