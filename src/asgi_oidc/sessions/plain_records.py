"""The record of a session in the memory of this process: it is not sealed, as it never leaves the process.

It is read only with the session's id, and only while the secret is configured under which it was written, as if it were
sealed. It consists of the id of that secret, a summary for lists of sessions, and the session.
"""

import struct

import msgspec

from asgi_oidc.sessions.lifetimes import Limits, expires_at
from asgi_oidc.sessions.record_names import KEY_ID, RecordNames, indexes_of
from asgi_oidc.sessions.sealed_records import Summary, check_unpacked_size, within_limit
from asgi_oidc.sessions.sealing import base64url, decode_base64url
from asgi_oidc.sessions.session import Session
from asgi_oidc.sessions.session_format import decode_session, encode_session

_HEAD = struct.Struct(f">{KEY_ID}s3q")  # the id of the secret, and the fields of the summary
INDEX_NAME = 15  # bytes of the keyed hash in the name of an index; with 16, Python needs 16 more for each


class PlainRecords:
    """Names, writes and reads the records of one middleware."""

    __slots__ = ("_limits", "_names")

    def __init__(self, names: RecordNames, limits: Limits) -> None:
        """Write records under the secrets of `names`, and name them for the same middleware."""
        self._names = names
        self._limits = limits

    def key(self, session_id: str) -> bytes:
        """Return the key of a session's record: no other middleware has the same."""
        return self._names.context_digest + self._names.digest(session_id)

    def key_of(self, handle: str) -> bytes:
        """Return the key for a handle."""
        return self._names.context_digest + (decode_base64url(handle) or b"")

    def handle(self, key: bytes) -> str:
        """Return the handle for a key."""
        return base64url(key[len(self._names.context_digest) :])

    def index_names(self, kind: str, issuer: str, name: str) -> list[bytes]:
        """Return the names of an index, one for each secret, as `RecordNames.index_keys`."""
        return [digest[:INDEX_NAME] for digest in self._names.index_digests(kind, issuer, name)]

    def indexes(self, session: Session) -> list[bytes]:
        """Return the names of the indexes that a session belongs to."""
        issuer = session.login.issuer
        return [self.index_names(kind, issuer, name)[0] for kind, name in indexes_of(session)]

    def write(self, session: Session) -> bytes:
        """Return the record of a session.

        Raises:
            SessionTooLarge: it is larger than `MAX_RECORD_SIZE`.
        """
        check_unpacked_size(session)
        created_at, seen_at, ends_at = session.login.created_at, session.seen_at, expires_at(session, self._limits)
        return within_limit(_HEAD.pack(self._names.key_ids[0], created_at, seen_at, ends_at) + encode_session(session))

    def with_use(self, record: bytes, session: Session) -> bytes:
        """Return the record of a session whose last use alone has changed; nothing is encoded."""
        created_at, seen_at, ends_at = session.login.created_at, session.seen_at, expires_at(session, self._limits)
        return _HEAD.pack(record[:KEY_ID], created_at, seen_at, ends_at) + record[_HEAD.size :]

    def open(self, session_id: str, record: bytes) -> Session | None:
        """Return the session of a record; None if it is another one, or of a secret that is not configured."""
        key_id, _, seen_at, _ = _HEAD.unpack_from(record)
        if key_id not in self._names.key_ids:
            return None
        session = decode_session(record[_HEAD.size :])
        if session is None or session.id != session_id:
            return None
        return session if session.seen_at == seen_at else msgspec.structs.replace(session, seen_at=seen_at)

    def summary(self, record: bytes) -> Summary | None:
        """Return the summary of a record; None if its secret is not configured."""
        key_id, *summary = _HEAD.unpack_from(record)
        return Summary(*summary) if key_id in self._names.key_ids else None

    def is_of_old_secret(self, record: bytes) -> bool:
        """Return whether a record was written under another secret than the first one."""
        return record[:KEY_ID] != self._names.key_ids[0]
