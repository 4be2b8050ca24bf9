"""The record of a session in a store: to open it takes both our secret and the id that only the browser has.

A record consists of a header, a summary that the secret alone opens (for lists of sessions), and the session, whose key
depends on the id as well. The cipher is AES-256-GCM-SIV (RFC 8452), as for cookies.
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
from asgi_oidc.sessions.lifetimes import Limits, expires_at
from asgi_oidc.sessions.sealing import NONCE, base64url, bound_to, derive
from asgi_oidc.sessions.session import Session
from asgi_oidc.sessions.session_format import decode_session, encode_session

MAGIC = b"oidc-session-"
VERSION = b"1"
KEY_ID = 8  # bytes that show which secret sealed a record, but reveal nothing about the secret
HEADER = len(MAGIC) + len(VERSION) + KEY_ID
LENGTH = 2  # bytes of the length of the summary
REVOCATION_NAME = 16  # bytes of the keyed hash in a revocation's name
MAX_REMOVED = 4  # secrets removed while the process runs, which still name revocations
MAX_RECORD_SIZE = 524_288  # bytes of a record

_ID = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")  # 32 bytes in base64url, in the only spelling that is accepted


class Summary(msgspec.Struct, frozen=True, array_like=True):
    """What lists of sessions show of a session. All instants are seconds since the epoch."""

    created_at: int
    seen_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys that are derived from one secret."""

    secret: bytes = field(repr=False)
    id: bytes
    summary: AESGCMSIV
    index: bytes = field(repr=False)
    revoked: bytes = field(repr=False)


class Records:
    """Names, seals and opens the records of one middleware.

    Attributes:
        context_digest: 12 bytes that no other middleware has.
        tag: the same as text.
        key_ids: what shows under which secret a record was written; that of the secret that seals is first.
    """

    def __init__(self, secrets: Sequence[bytes], *, context: Sequence[str], default_issuer: str | None) -> None:
        """Derive the keys.

        Args:
            secrets: the first one seals, all of them open.
            context: issuer, client id and base URL, so that deployments with a common store never share a record.
            default_issuer: of the only provider: names of revocations and of used logout tokens do not contain it.
                None if there are several providers.
        """
        self._context = tuple(context)
        self._default_issuer = default_issuer
        self.context_digest = sha256(bound_to(*context)).digest()[:12]
        self.tag = base64url(self.context_digest)
        self._keys: Sequence[_Keys] = ()
        self.key_ids: Sequence[bytes] = ()
        self._removed_names: tuple[bytes, ...] = ()
        self.replace_secrets(secrets)

    def replace_secrets(self, secrets: Sequence[bytes]) -> None:
        """Seal, open and name with other secrets from now on.

        Names of revocations are also still made with secrets that were removed: access tokens are not sealed, so a
        sign-out that ended one must stay known after a secret was removed.
        """
        before, self._keys = self._keys, [_keys_from(secret) for secret in secrets]
        self.key_ids = [keys.id for keys in self._keys]
        current = {keys.revoked for keys in self._keys}
        removed = (*(keys.revoked for keys in before), *self._removed_names)
        self._removed_names = tuple(name for name in dict.fromkeys(removed) if name not in current)[:MAX_REMOVED]

    def digest(self, session_id: str) -> bytes:
        """Return 32 bytes that name a session, and do not reveal its id."""
        return sha256(bound_to("asgi-oidc session", session_id)).digest()

    def handle(self, session_id: str) -> str:
        """Return the same name as text."""
        return base64url(self.digest(session_id))

    def key(self, handle: str) -> str:
        """Return the store's key for the record of a session."""
        return f"{self.tag}:session:{handle}"

    def lock_key(self, handle: str) -> str:
        """Return the store's key for the refresh lock of a session."""
        return f"{self.tag}:lock:{handle}"

    def login_key(self, state: str) -> str:
        """Return the store's key that marks a login as used."""
        return f"{self.tag}:login:{base64url(sha256(bound_to('login', state)).digest())}"

    def once_key(self, jti: str, *, issuer: str) -> str:
        """Return the store's key that marks a logout token of an issuer as used."""
        return f"{self.tag}:jti:{base64url(sha256(bound_to('jti', *self._named(issuer), jti)).digest())}"

    def proof_key(self, jkt: str, jti: str) -> str:
        """Return the store's key that marks a DPoP proof of a key as used."""
        return f"{self.tag}:dpop:{base64url(sha256(bound_to('dpop', jkt, jti)).digest())}"

    def index_keys(self, kind: str, issuer: str, name: str) -> list[str]:
        """Return the names of the index of the sessions of one user (`sub`) or of one session at the provider (`sid`).

        There is one name per secret: the first is written, and all are read, as old secrets have left indexes of their
        own. Because names depend on the secret, a dump of the store does not reveal who has sessions.
        """
        return [f"{self.tag}:{kind}:{base64url(digest)}" for digest in self.index_digests(kind, issuer, name)]

    def index_digests(self, kind: str, issuer: str, name: str) -> list[bytes]:
        """Return what makes the names of an index differ, 32 bytes for each secret; see `index_keys`."""
        data = bound_to(kind, issuer, name, *self._context)
        return [hmac_digest(keys.index, data, "sha256") for keys in self._keys]

    def revocation_names(self, kind: str, value: str, *, issuer: str | None = None) -> tuple[str, ...]:
        """Return the names of a revocation, one per secret: processes that read it may have only an old secret.

        A session is named by its handle, which is known even if the id is not. See `NamingScheme`.
        """
        if kind == "id":
            kind, value = "handle", self.handle(value)
        data = bound_to(kind, *self._named(issuer), value, *self._context)
        name_keys = (*(keys.revoked for keys in self._keys), *self._removed_names)
        return tuple(base64url(hmac_digest(key, data, "sha256")[:REVOCATION_NAME]) for key in name_keys)

    def seal(self, session: Session, limits: Limits) -> bytes:
        """Return the record of a session.

        Raises:
            SessionTooLarge: it is larger than `MAX_RECORD_SIZE`, which protects the store.
            OIDCError: a claim that `on_login` returned is not a JSON value.
        """
        handle, keys = self.handle(session.id), self._keys[0]
        login = session.login
        summary = msgspec.json.encode(Summary(login.created_at, session.seen_at, expires_at(session, limits)))
        sealed_summary = _seal(keys.summary, summary, self._bound_to("summary", handle))
        head = b"".join((MAGIC, VERSION, keys.id, len(sealed_summary).to_bytes(LENGTH, "big"), sealed_summary))
        # The head is associated data: the parts of two records cannot be combined.
        body = _seal(_key_of(keys, session.id), encode_session(session), self._bound_to("session", handle) + head)
        record = head + body
        if len(record) > MAX_RECORD_SIZE:
            raise SessionTooLarge(
                detail=f"drop claims in on_login, or request fewer: the session needs {len(record)} bytes in the "
                f"store, and at most {MAX_RECORD_SIZE} are allowed"
            )
        return record

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
        bound = self._bound_to("session", self.handle(session_id)) + head
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
        return self._keys_of(record) is not self._keys[0]

    def _named(self, issuer: str | None) -> tuple[str, ...]:
        """Return the part of a name that tells issuers apart."""
        return () if issuer in (None, self._default_issuer) else (issuer,)

    def _keys_of(self, record: bytes) -> _Keys | None:
        if not record.startswith(MAGIC) or len(record) < HEADER + LENGTH:
            raise StoreUnavailable("store_garbage", "the store contains a record that asgi-oidc did not write")
        if record[len(MAGIC) : len(MAGIC + VERSION)] != VERSION:
            return None
        key_id = record[len(MAGIC + VERSION) : HEADER]
        return next((keys for keys in self._keys if keys.id == key_id), None)

    def _bound_to(self, part: str, handle: str) -> bytes:
        return bound_to("record", part, handle, *self._context)


def _keys_from(secret: bytes) -> _Keys:
    return _Keys(
        secret,
        derive(secret, "record key id", length=KEY_ID),
        AESGCMSIV(derive(secret, "record summary")),
        derive(secret, "record index"),
        derive(secret, "ended names"),
    )


def indexes_of(session: Session) -> list[tuple[str, str]]:
    """Return kind and name of the indexes that a session belongs to: of its user, and of the one at the provider."""
    login = session.login
    return [("sub", login.sub), ("sid", login.sid) if login.sid is not None else ("lone", login.sub)]


def is_session_id(text: str) -> bool:
    """Return whether a text has the form of our session ids."""
    return _ID.fullmatch(text) is not None


def _key_of(keys: _Keys, session_id: str) -> AESGCMSIV:
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
