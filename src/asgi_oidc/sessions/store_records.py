"""A session as it lies in a store: opened by the id that only the browser has, and by our secret, never by one alone.

A record is a header, a summary that the secret opens by itself (for lists of sessions), and the session, whose key
depends on the id as well. AES-256-GCM-SIV (RFC 8452), like the cookies.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import digest as hmac_digest

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from asgi_oidc.errors import SessionTooLarge, StoreUnavailable
from asgi_oidc.sessions.sealing import NONCE, base64url, bound_to, derive
from asgi_oidc.sessions.session import Limits, Session, decode_session, encode, expires_at

MAGIC = b"oidc-session-"
VERSION = b"1"
KEY_ID = 8  # bytes that tell which secret sealed a record, without telling anything about it
HEADER = len(MAGIC) + len(VERSION) + KEY_ID
LENGTH = 2  # bytes before the summary
REVOCATION_NAME = 16  # bytes
MAX_RECORD_SIZE = 524_288  # bytes of a record

_ID = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")  # 32 bytes in base64url, in their one spelling


class Summary(msgspec.Struct, frozen=True, array_like=True):
    """What a list of sessions shows of one; instants in seconds since the epoch."""

    created_at: int
    seen_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class _Keys:
    """What follows from one secret."""

    secret: bytes = field(repr=False)
    id: bytes
    summary: AESGCMSIV
    index: bytes = field(repr=False)
    revoked: bytes = field(repr=False)


class Records:
    """Names and seals the records of one middleware."""

    def __init__(self, secrets: Sequence[bytes], *, context: Sequence[str]) -> None:
        """Derive the keys.

        Args:
            secrets: the first seals, all open.
            context: issuer, client id and base URL: deployments that share a store never meet.
        """
        self._context = tuple(context)
        self.tag = base64url(sha256(bound_to(*context)).digest()[:12])
        self._keys = [
            _Keys(
                secret,
                derive(secret, "record key id", length=KEY_ID),
                AESGCMSIV(derive(secret, "record summary")),
                derive(secret, "record index"),
                derive(secret, "ended names"),
            )
            for secret in secrets
        ]

    def handle(self, session_id: str) -> str:
        """Name a session without giving its id away."""
        return base64url(sha256(bound_to("asgi-oidc session", session_id)).digest())

    def key(self, handle: str) -> str:
        """Name the record of a session in the store."""
        return f"{self.tag}:session:{handle}"

    def lock_key(self, handle: str) -> str:
        """Name the lock that is held while a session is renewed."""
        return f"{self.tag}:lock:{handle}"

    def login_key(self, state: str) -> str:
        """Name a login that was used."""
        return f"{self.tag}:login:{base64url(sha256(bound_to('login', state)).digest())}"

    def once_key(self, jti: str) -> str:
        """Name a logout token that was used."""
        return f"{self.tag}:jti:{base64url(sha256(bound_to('jti', jti)).digest())}"

    def index_keys(self, kind: str, issuer: str, name: str) -> list[str]:
        """Name the index of the sessions of one user (`sub`), or of one session at the provider (`sid`).

        The first name is written, all are read: a secret that was changed has left its own. A dump of the store does
        not tell who has sessions: the name depends on the secret.
        """
        data = bound_to(kind, issuer, name, *self._context)
        return [f"{self.tag}:{kind}:{base64url(hmac_digest(keys.index, data, 'sha256'))}" for keys in self._keys]

    def revocation_names(self, kind: str, value: str) -> tuple[str, ...]:
        """Name what ended, with every secret: whoever reads it may still have the old one only.

        A session goes by its handle, which is known also where its id is not.
        """
        if kind == "id":
            kind, value = "handle", self.handle(value)
        data = bound_to(kind, value, *self._context)
        return tuple(base64url(hmac_digest(keys.revoked, data, "sha256")[:REVOCATION_NAME]) for keys in self._keys)

    def seal(self, session: Session, limits: Limits) -> bytes:
        """Write the record of a session.

        Raises:
            SessionTooLarge: no store should be asked to keep that much.
            OIDCError: a claim that `on_login` put there is no JSON value.
        """
        handle, keys = self.handle(session.id), self._keys[0]
        login = session.login
        summary = msgspec.json.encode(Summary(login.created_at, session.seen_at, expires_at(session, limits)))
        sealed_summary = _seal(keys.summary, summary, self._bound_to("summary", handle))
        head = b"".join((MAGIC, VERSION, keys.id, len(sealed_summary).to_bytes(LENGTH, "big"), sealed_summary))
        # The head is bound in: a record is whole, or it is none.
        body = _seal(_key_of(keys, session.id), encode(session), self._bound_to("session", handle) + head)
        record = head + body
        if len(record) > MAX_RECORD_SIZE:
            raise SessionTooLarge(
                detail=f"drop claims in on_login, or ask for fewer: {len(record)} of {MAX_RECORD_SIZE} bytes"
            )
        return record

    def open(self, session_id: str, record: bytes) -> Session | None:
        """Open a record.

        Returns:
            None when a secret that is gone, or another version of the library, has sealed it.

        Raises:
            StoreUnavailable: the bytes are none of ours: the store is broken, not the session.
        """
        keys = self._keys_of(record)
        if keys is None:
            return None
        head, _, body = _fields(record)
        bound = self._bound_to("session", self.handle(session_id)) + head
        data = _open(_key_of(keys, session_id), body, bound)
        session = decode_session(data)
        return session if session is not None and session.id == session_id else None

    def summary(self, handle: str, record: bytes) -> Summary | None:
        """Read what a list shows of a record; None and errors are those of `open`."""
        keys = self._keys_of(record)
        if keys is None:
            return None
        data = _open(keys.summary, _fields(record)[1], self._bound_to("summary", handle))
        try:
            return msgspec.json.decode(data, type=Summary)
        except ValueError:
            return None

    def is_of_old_secret(self, record: bytes) -> bool:
        """Say whether a record that we can open was sealed with another secret than we seal with now."""
        return self._keys_of(record) is not self._keys[0]

    def _keys_of(self, record: bytes) -> _Keys | None:
        if not record.startswith(MAGIC) or len(record) < HEADER + LENGTH:
            raise StoreUnavailable("store_garbage", "a record that asgi-oidc did not write")
        if record[len(MAGIC) : len(MAGIC + VERSION)] != VERSION:
            return None
        key_id = record[len(MAGIC + VERSION) : HEADER]
        return next((keys for keys in self._keys if keys.id == key_id), None)

    def _bound_to(self, part: str, handle: str) -> bytes:
        return bound_to("record", part, handle, *self._context)


def is_session_id(text: str) -> bool:
    """Say whether a text could be one of our session ids."""
    return _ID.fullmatch(text) is not None


def _key_of(keys: _Keys, session_id: str) -> AESGCMSIV:
    return AESGCMSIV(derive(keys.secret, "record", salt=session_id.encode("ascii")))


def _fields(record: bytes) -> tuple[bytes, bytes, bytes]:
    """Cut a record into its head, the summary that ends it, and the session."""
    start = HEADER + LENGTH
    end = start + int.from_bytes(record[HEADER:start], "big")
    return record[:end], record[start:end], record[end:]


def _seal(key: AESGCMSIV, data: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + key.encrypt(nonce, data, bound)


def _open(key: AESGCMSIV, sealed: bytes, bound: bytes) -> bytes:
    try:
        return key.decrypt(sealed[:NONCE], sealed[NONCE:], bound)
    except (InvalidTag, ValueError) as exc:
        raise StoreUnavailable("store_garbage", "a record that somebody changed") from exc
