"""The valid access token of a request: what a session is for a browser."""

from typing import Any

import msgspec

from asgi_oidc.principal import read_claims
from asgi_oidc.protocol.bearer_token import AccessToken
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.sessions.session import UserId


class ActiveToken:
    """A valid access token, and the claims that the app sees. All requests with the same token share it.

    Attributes:
        access_token: what the token says; checked.
        token: as it was sent; a secret.
        provider: the name of the provider in the settings; empty for the one provider of the flat keywords.
        connection: to that provider.
        written_claims: JSON text of the claims after `on_token`.
        needs_proof: whether each request also has to prove that its sender has a key or a certificate.
        is_introspected: whether the provider has to be asked again, at `fresh_until`.
        fresh_from: seconds since the epoch; before that, which only a clock that was set back shows, it has to be
            verified anew.
        fresh_until: seconds since the epoch; from then on it has to be verified anew, or has expired.
        valid_until: seconds since the epoch; from then on it has expired. The leeway is included.
        user_id: whose sign-outs end it.
        names_version: `Revocations.names_version` of the names of the revocations that would end it.
        revocations_version: `Revocations.version` when it was last found not to be revoked.
    """

    __slots__ = (
        "access_token",
        "connection",
        "fresh_from",
        "fresh_until",
        "is_introspected",
        "names_version",
        "needs_proof",
        "provider",
        "revocation_names",
        "revocations_version",
        "scopes",
        "sid",
        "token",
        "user_id",
        "valid_until",
        "written_claims",
    )

    def __init__(
        self,
        access_token: AccessToken,
        written_claims: msgspec.Raw,
        *,
        token: str,
        provider: str,
        connection: ProviderConnection,
        needs_proof: bool,
        valid_until: float,
        fresh_from: int = 0,
        fresh_until: float | None = None,
    ) -> None:
        """Keep what was verified.

        Args:
            fresh_from: when the provider was asked; 0 for a token that stays valid until it expires.
            fresh_until: None for such a token.
        """
        self.access_token = access_token
        self.token = token
        self.provider = provider
        self.connection = connection
        self.written_claims = written_claims
        self.needs_proof = needs_proof
        self.scopes = list(access_token.scopes)
        self.valid_until = valid_until
        self.is_introspected = fresh_until is not None
        self.fresh_from = fresh_from
        self.fresh_until = valid_until if fresh_until is None else min(fresh_until, valid_until)
        sid = access_token.claims.get("sid")
        self.sid = sid if isinstance(sid, str) else None
        self.user_id = UserId(access_token.issuer, access_token.sub)
        self.revocation_names: tuple[str, ...] = ()
        self.names_version = -1
        self.revocations_version = -1

    def __repr__(self) -> str:
        return "ActiveToken(...)"

    @property
    def claims(self) -> dict[str, Any]:
        """JSON object: the claims of the token, as `on_token` has changed them; a new object each time."""
        return read_claims(self.written_claims)
