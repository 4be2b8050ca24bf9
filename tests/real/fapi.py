"""Clients that authenticate with keys and certificates at the certified provider in its FAPI 2.0 profile."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, Key, KeyParameters, RSAKey, import_key

from tests.real.certificates import ClientAuthority
from tests.real.real_provider import REFRESHING, client

Members = Mapping[str, Any]


@dataclass(frozen=True)
class StrongClient:
    """A client of the FAPI profile: what the provider knows of it, and what the app is set up with.

    Attributes:
        registered: the members of its metadata (OpenID Connect Registration §2) that are not those of each client.
        settings: of the middleware, by keyword.
    """

    registered: Members
    settings: Members = field(repr=False)

    def at(self, origin: str, **changes: Any) -> dict[str, Any]:
        """Return its metadata when the app is at this origin."""
        own = {"client_id": self.settings["client_id"], "client_secret": None, "token_endpoint_auth_method": None}
        return client(origin, **(own | REFRESHING | dict(self.registered) | changes))

    def knowing(self, members: Members, *, key: str | None = None) -> "StrongClient":
        """Return the client with further members of its metadata, and one more key, for encryption."""
        further = {} if key is None else {"jwks": {"keys": [*self.registered["jwks"]["keys"], public_jwk(key)]}}
        return StrongClient({**self.registered, **members, **further}, self.settings)

    @property
    def environ(self) -> dict[str, str]:
        """The settings as variables."""
        return {f"OIDC_{name.upper()}": _text(value) for name, value in self.settings.items()}


def client_with_key(client_id: str = "web", **settings: Any) -> StrongClient:
    """Make a client with `private_key_jwt`."""
    key = new_key()
    has_dpop = settings.get("dpop") == "always" or "profile" in settings
    registered = {"jwks": {"keys": [public_jwk(key)]}, "dpop_bound_access_tokens": has_dpop}
    return StrongClient(registered, {"client_id": client_id, "client_key": key, **settings})


def client_with_certificate(authority: ClientAuthority, client_id: str = "web", **settings: Any) -> StrongClient:
    """Make a client with `tls_client_auth`, whose access tokens are bound to its certificate."""
    own = authority.issue(client_id)
    registered = {
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": f"CN={client_id}",
        "tls_client_certificate_bound_access_tokens": True,
    }
    return StrongClient(registered, {"client_id": client_id, "client_certificate": own.pem, **settings})


def new_key() -> str:
    """Return a new key for ES256, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def new_decryption_key(alg: str = "RSA-OAEP-256") -> str:
    """Return a new key for RSA-OAEP-256 or ECDH-ES, as a JWK in JSON."""
    members: KeyParameters = {"use": "enc", "alg": alg}
    made = ECKey.generate_key("P-256", members) if alg == "ECDH-ES" else RSAKey.generate_key(2048, members)
    made.ensure_kid()
    return json.dumps(made.as_dict(private=True))


def public_jwk(key: str) -> dict[str, Any]:
    """Return what a provider has to know of a key: PEM for ES256, or a JWK in JSON."""
    if key.startswith("{"):
        private = json.loads(key)
        made: Key = import_key(private, private["kty"])
    else:
        made = ECKey.import_key(key, {"use": "sig", "alg": "ES256"})
        made.ensure_kid()
    return dict(made.as_dict(private=False))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
