"""Names whatever a middleware keeps in a store, such as the records of sessions, their indexes and their locks.

Names depend on the secret, or on ids that only browsers have, so a dump of the store does not reveal who has sessions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import digest as hmac_digest

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from asgi_oidc.sessions.sealing import base64url, bound_to, derive
from asgi_oidc.sessions.session import Session

KEY_ID = 8  # bytes that show which secret sealed a record, but reveal nothing about the secret
REVOCATION_NAME = 16  # bytes of the keyed hash in a revocation's name
MAX_REMOVED = 4  # secrets removed while the process runs, which still name revocations

_ID = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")  # 32 bytes in base64url, in the only spelling that is accepted


@dataclass(frozen=True, slots=True)
class RecordKeys:
    """The keys that are derived from one secret."""

    secret: bytes = field(repr=False)
    id: bytes
    summary: AESGCMSIV
    index: bytes = field(repr=False)
    revoked: bytes = field(repr=False)


class RecordNames:
    """The names that one middleware uses, and the keys that are derived from its secrets.

    Attributes:
        context: issuer, client id and base URL.
        context_digest: 12 bytes that no other middleware has.
        tag: the same as text.
        keys: of all secrets; those of the one that seals are first.
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
        self.context = tuple(context)
        self._default_issuer = default_issuer
        self.context_digest = sha256(bound_to(*context)).digest()[:12]
        self.tag = base64url(self.context_digest)
        self.keys: Sequence[RecordKeys] = ()
        self.key_ids: Sequence[bytes] = ()
        self._removed_names: tuple[bytes, ...] = ()
        self.replace_secrets(secrets)

    def replace_secrets(self, secrets: Sequence[bytes]) -> None:
        """Name, seal and open with other secrets from now on.

        Names of revocations are also still made with secrets that were removed: access tokens are not sealed, so a
        sign-out that ended one must stay known after a secret was removed.
        """
        before, self.keys = self.keys, [_keys_from(secret) for secret in secrets]
        self.key_ids = [keys.id for keys in self.keys]
        current = {keys.revoked for keys in self.keys}
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
        own.
        """
        return [f"{self.tag}:{kind}:{base64url(digest)}" for digest in self.index_digests(kind, issuer, name)]

    def index_digests(self, kind: str, issuer: str, name: str) -> list[bytes]:
        """Return what makes the names of an index differ, 32 bytes for each secret; see `index_keys`."""
        data = bound_to(kind, issuer, name, *self.context)
        return [hmac_digest(keys.index, data, "sha256") for keys in self.keys]

    def revocation_names(self, kind: str, value: str, *, issuer: str | None = None) -> tuple[str, ...]:
        """Return the names of a revocation, one per secret: processes that read it may have only an old secret.

        A session is named by its handle, which is known even if the id is not. See `NamingScheme`.
        """
        if kind == "id":
            kind, value = "handle", self.handle(value)
        data = bound_to(kind, *self._named(issuer), value, *self.context)
        name_keys = (*(keys.revoked for keys in self.keys), *self._removed_names)
        return tuple(base64url(hmac_digest(key, data, "sha256")[:REVOCATION_NAME]) for key in name_keys)

    def _named(self, issuer: str | None) -> tuple[str, ...]:
        """Return the part of a name that tells issuers apart."""
        return () if issuer in (None, self._default_issuer) else (issuer,)


def indexes_of(session: Session) -> list[tuple[str, str]]:
    """Return kind and name of the indexes that a session belongs to: of its user, and of the one at the provider."""
    login = session.login
    return [("sub", login.sub), ("sid", login.sid) if login.sid is not None else ("lone", login.sub)]


def is_session_id(text: str) -> bool:
    """Return whether a text has the form of our session ids."""
    return _ID.fullmatch(text) is not None


def _keys_from(secret: bytes) -> RecordKeys:
    return RecordKeys(
        secret,
        derive(secret, "record key id", length=KEY_ID),
        AESGCMSIV(derive(secret, "record summary")),
        derive(secret, "record index"),
        derive(secret, "ended names"),
    )
