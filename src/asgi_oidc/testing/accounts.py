"""The accounts of the fake provider: its registered clients and the users who can sign in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JWKs = Sequence[Mapping[str, Any]] | Mapping[str, Any]
"""Public keys: a list of JWKs, or a JWK Set."""


@dataclass(frozen=True)
class AssertionIssuer:
    """A third party whose assertions authenticate a client, such as a cluster or a CI service (RFC 7521 §3)."""

    issuer: str
    """`iss` of its assertions."""
    subject: str
    """`sub` of the assertions for the client."""
    jwks: JWKs | Callable[[], JWKs]
    """Its public keys, or a function that returns them."""
    audience: str | None = None
    """`aud` of the assertions; `None` means the issuer of the provider."""

    @property
    def keys(self) -> Sequence[Mapping[str, Any]]:
        """Its public keys at this moment."""
        return keys_in(self.jwks)


@dataclass(frozen=True)
class Client:
    """An application that is registered at the fake provider."""

    client_id: str = "web"
    client_secret: str | None = field(default="web-secret-for-tests", repr=False)
    """`None` makes a public client."""
    redirect_uris: Sequence[str] | None = None
    """`None` accepts any."""
    post_logout_redirect_uris: Sequence[str] | None = None
    """`None` accepts any."""
    auth_methods: Sequence[str] | None = None
    """`None` means `tls_client_auth` with the subject of a certificate, `private_key_jwt` with keys that sign; else
    `client_secret_basic` and `client_secret_post` with a secret, or `none` without."""
    jwks: JWKs | Callable[[], JWKs] | None = None
    """The public keys of the client, or a function that returns them."""
    jwks_uri: str | None = None
    """Where the client publishes its keys: `provider.client_keys_client` fetches them for each call that needs them."""
    tls_client_auth_subject_dn: str | None = None
    """The subject of its certificate (RFC 4514), for `tls_client_auth`. For `self_signed_tls_client_auth`, `jwks` has
    the certificate as `x5c`, or its thumbprint as `x5t#S256`."""
    tls_client_certificate_bound_access_tokens: bool = False
    """Whether its access tokens are bound to the certificate with which it gets them (RFC 8705 §3)."""
    token_endpoint_auth_signing_alg: str | None = None
    """The algorithm of the client's assertions; `None` allows all that the metadata lists."""
    request_object_signing_alg: str | None = None
    """The algorithm of the client's request objects; `None` allows all that the metadata lists."""
    assertion_issuers: Sequence[AssertionIssuer] = ()
    """Third parties whose assertions authenticate this client."""
    resources: Sequence[str] | None = None
    """The APIs that this client is: it may exchange tokens that were issued for them; `None` for any."""
    backchannel_logout_uri: str | None = None
    """Where logout tokens are posted when a user of this client signs out; `None` for nowhere."""
    frontchannel_logout_uri: str | None = None
    """What the browser loads in a frame when a user of this client signs out; `None` for nothing."""
    id_token_signed_response_alg: str | None = None
    """The algorithm that signs its ID Tokens; `None` for `FakeProvider.alg`, here and below."""
    id_token_encrypted_response_alg: str | None = None
    """The algorithm that encrypts its ID Tokens, to its key with `use: enc`; `None` for none, here and below."""
    id_token_encrypted_response_enc: str | None = None
    """`None` for `A128CBC-HS256`, here and below."""
    userinfo_signed_response_alg: str | None = None
    """The algorithm that signs its userinfo answers; `None` for JSON, unless `FakeProvider.signed_userinfo` is set."""
    userinfo_encrypted_response_alg: str | None = None
    """The algorithm that encrypts its userinfo answers."""
    userinfo_encrypted_response_enc: str | None = None
    introspection_signed_response_alg: str | None = None
    """The algorithm that signs the introspection answers that it asks for as a JWT (RFC 9701)."""
    introspection_encrypted_response_alg: str | None = None
    """The algorithm that encrypts the introspection answers that it asks for as a JWT."""
    introspection_encrypted_response_enc: str | None = None
    authorization_signed_response_alg: str | None = None
    """The algorithm that signs its authorization responses, if it asks for a JWT (JARM)."""
    authorization_encrypted_response_alg: str | None = None
    """The algorithm that encrypts its authorization responses as JWT."""
    authorization_encrypted_response_enc: str | None = None

    @property
    def allowed_auth_methods(self) -> Sequence[str]:
        """The `token_endpoint_auth_method`s that this client may use."""
        if self.auth_methods is not None:
            return self.auth_methods
        if self.tls_client_auth_subject_dn is not None:
            return ("tls_client_auth",)
        if self._authenticates_by_keys or self.jwks_uri is not None or self.assertion_issuers:
            return ("private_key_jwt",)
        return ("client_secret_basic", "client_secret_post") if self.client_secret else ("none",)

    @property
    def _authenticates_by_keys(self) -> bool:
        """Whether it has keys, and not a secret with keys that only decrypt; a function is not called for that."""
        if self.jwks is None:
            return False
        return not self.client_secret or callable(self.jwks) or any(key.get("use") != "enc" for key in self.keys)

    @property
    def is_public(self) -> bool:
        """Whether the client cannot authenticate (RFC 6749 §2.1)."""
        return all(method == "none" for method in self.allowed_auth_methods)

    @property
    def keys(self) -> Sequence[Mapping[str, Any]]:
        """The public keys that are registered at this moment; none for a client without."""
        return () if self.jwks is None else keys_in(self.jwks)


@dataclass(frozen=True)
class Persona:
    """A user of the fake provider, who signs in by one click."""

    sub: str
    name: str
    email: str
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Further claims; they are sent wherever the profile claims are sent."""

    @property
    def hint(self) -> str:
        """What the login page shows below the name."""
        return self.email

    def claims_for(self, scopes: Sequence[str]) -> dict[str, Any]:
        """Return the claims that these scopes request (OpenID Connect Core §5.4)."""
        claims: dict[str, Any] = {}
        if "profile" in scopes:
            given_name, _, family_name = self.name.partition(" ")
            claims |= {
                "name": self.name,
                "given_name": given_name,
                "family_name": family_name,
                "preferred_username": self.sub,
            }
        if "email" in scopes:
            claims |= {"email": self.email, "email_verified": True}
        return claims | dict(self.claims)


def keys_in(jwks: JWKs | Callable[[], JWKs]) -> Sequence[Mapping[str, Any]]:
    """Return the keys of a list, a JWK Set, or a function that returns one of them, without what is not an object."""
    found = jwks() if callable(jwks) else jwks
    keys = found.get("keys", ()) if isinstance(found, Mapping) else found
    return [key for key in keys if isinstance(key, Mapping)] if isinstance(keys, Sequence) else ()


def numbered_personas(count: int) -> list[Persona]:
    """Return that many personas: `user-0000`, `user-0001` and so on."""
    return [
        Persona(f"user-{number:04}", f"User {number:04}", f"user-{number:04}@example.com") for number in range(count)
    ]


CLIENTS = (Client(), Client("spa", client_secret=None))
PERSONAS = (
    Persona("alice", "Alice Adams", "alice@example.com", {"roles": ["admin"]}),
    Persona("bob", "Bob Brown", "bob@example.com", {"roles": ["reader"]}),
    Persona("chloe", "Chloë Čapková", "chloe@example.com"),
    Persona(
        "erin",
        "Erin Everywhere",
        "erin@example.com",
        {"groups": [f"group-{number:03}" for number in range(200)]},
    ),
)
