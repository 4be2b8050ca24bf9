"""The record of a session in a store: to open it takes both our secret and the id that only the browser has.

A record consists of a header, a summary that the secret alone opens (for lists of sessions), and the session, whose key
depends on the id as well. The cipher is AES-256-GCM-SIV (RFC 8452), as for cookies.
"""

import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from asgi_oidc.errors import SessionTooLarge, StoreUnavailable
from asgi_oidc.sessions.lifetimes import Limits, expires_at
from asgi_oidc.sessions.record_names import KEY_ID, RecordKeys, RecordNames
from asgi_oidc.sessions.sealing import NONCE, bound_to, derive
from asgi_oidc.sessions.session import Session
from asgi_oidc.sessions.session_format import decode_session, encode_session

MAGIC = b"oidc-session-"
VERSION = b"1"
HEADER = len(MAGIC) + len(VERSION) + KEY_ID
LENGTH = 2  # bytes of the length of the summary
MAX_RECORD_SIZE = 524_288  # bytes of a record, and of its claims and tokens before they are packed


class Summary(msgspec.Struct, frozen=True, array_like=True):
    """What lists of sessions show of a session. All instants are seconds since the epoch."""

    created_at: int
    seen_at: int
    expires_at: int


class SealedRecords:
    """Seals and opens the records of one middleware.

    Attributes:
        names: of the records, with the keys that are derived from the secrets.
    """

    __slots__ = ("names",)

    def __init__(self, names: RecordNames) -> None:
        self.names = names

    def seal(self, session: Session, limits: Limits) -> bytes:
        """Return the record of a session.

        Raises:
            SessionTooLarge: it is larger than `MAX_RECORD_SIZE`, which protects the store.
            OIDCError: a claim that `on_login` returned is not a JSON value.
        """
        check_unpacked_size(session)
        handle, keys = self.names.handle(session.id), self.names.keys[0]
        login = session.login
        summary = msgspec.json.encode(Summary(login.created_at, session.seen_at, expires_at(session, limits)))
        sealed_summary = _seal(keys.summary, summary, self._bound_to("summary", handle))
        head = b"".join((MAGIC, VERSION, keys.id, len(sealed_summary).to_bytes(LENGTH, "big"), sealed_summary))
        # The head is associated data: the parts of two records cannot be combined.
        body = _seal(_key_of(keys, session.id), encode_session(session), self._bound_to("session", handle) + head)
        return within_limit(head + body)

    def open(self, session_id: str, record: bytes) -> Session | None:
        """Open a record.

        Returns:
            None if it was sealed with a secret that is not configured, or by another version of the library.

        Raises:
            StoreUnavailable: the library never wrote these bytes: the store is broken, not the session.
        """
        keys = self._keys_of(record)
        if keys is None:
            return None
        head, _, body = _fields(record)
        bound = self._bound_to("session", self.names.handle(session_id)) + head
        data = _open(_key_of(keys, session_id), body, bound)
        session = decode_session(data)
        return session if session is not None and session.id == session_id else None

    def summary(self, handle: str, record: bytes) -> Summary | None:
        """Return the summary of a record; None and errors as for `open`."""
        keys = self._keys_of(record)
        if keys is None:
            return None
        data = _open(keys.summary, _fields(record)[1], self._bound_to("summary", handle))
        try:
            return msgspec.json.decode(data, type=Summary)
        except ValueError:
            return None

    def is_of_old_secret(self, record: bytes) -> bool:
        """Return whether a readable record was sealed with another secret than the first one."""
        return self._keys_of(record) is not self.names.keys[0]

    def _keys_of(self, record: bytes) -> RecordKeys | None:
        if not record.startswith(MAGIC) or len(record) < HEADER + LENGTH:
            raise StoreUnavailable("store_garbage", "the store contains a record that asgi-oidc did not write")
        if record[len(MAGIC) : len(MAGIC + VERSION)] != VERSION:
            return None
        key_id = record[len(MAGIC + VERSION) : HEADER]
        return next((keys for keys in self.names.keys if keys.id == key_id), None)

    def _bound_to(self, part: str, handle: str) -> bytes:
        return bound_to("record", part, handle, *self.names.context)


def check_unpacked_size(session: Session) -> None:
    """Check the size of claims and tokens before they are packed, which takes time.

    Raises:
        SessionTooLarge: they are larger than `MAX_RECORD_SIZE`: they may compress well, but are unpacked to be used.
    """
    size = session.tokens.texts.size
    if size > MAX_RECORD_SIZE:
        raise SessionTooLarge(
            detail=f"request fewer claims: claims and tokens take {size} bytes, and at most {MAX_RECORD_SIZE} may be "
            "kept"
        )


def within_limit(record: bytes) -> bytes:
    """Return a record that is not larger than `MAX_RECORD_SIZE`.

    Raises:
        SessionTooLarge: it is.
    """
    if len(record) > MAX_RECORD_SIZE:
        raise SessionTooLarge(
            detail=f"request fewer claims: the session needs {len(record)} bytes in the store, and at most "
            f"{MAX_RECORD_SIZE} are allowed"
        )
    return record


def _key_of(keys: RecordKeys, session_id: str) -> AESGCMSIV:
    return AESGCMSIV(derive(keys.secret, "record", salt=session_id.encode("ascii")))


def _fields(record: bytes) -> tuple[bytes, bytes, bytes]:
    """Split a record into its head, the summary (which is the end of the head), and the session."""
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
        raise StoreUnavailable("store_garbage", "a record in the store was changed, or moved to another key") from exc
