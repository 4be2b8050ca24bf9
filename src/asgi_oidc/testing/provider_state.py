"""The settings and the state of a fake provider, and the tokens that it makes; its endpoints use this."""

import contextlib
import secrets
import time
import urllib.parse
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import EllipsisType
from typing import Any

import httpx

from . import faults as fault_tables
from .accounts import CLIENTS, PERSONAS, Client, Persona
from .authorization import client_auth_metadata, metadata_of
from .faults import ActiveFaults, Draft, Setting
from .grants import DueLogout, Grant, Memory, SignIn, TokenInfo, id_token_claims, overridden
from .keys import ALGORITHMS, SigningKey, compact_jws, json_bytes, left_half_hash, signing_key
from .response_algs import PURPOSES, Purpose, registered_signing_algs, response_algs
from .response_encryption import encrypted_response
from .wire import Call

COOKIE = "fake_provider_session"


class ProviderState:
    """A fake provider without its endpoints.

    Args:
        issuer: Its URL; a path and a trailing "/" are kept. It can be changed later, for a server whose port
            is known only once it runs.
        clients: Registered applications; by default `web` (with a secret) and `spa` (public).
        personas: Who can sign in; by default alice, bob, chloe and erin (200 groups).
        clock: Returns seconds since the epoch.
        alg: The signature algorithm of ID Tokens: RS256, PS256, ES256, EdDSA, ...
        claims_in_id_token: False returns profile and email only at the userinfo endpoint, as many providers do.
        signed_userinfo: True makes the userinfo answer a signed JWT.
        signed_introspection: True signs the introspection answers for clients that ask for it (RFC 9701).
    """

    subject_path: tuple[str, ...] = ("sub",)
    """Where the userinfo answer has the user's id: other names than `sub` are those of stand-ins."""

    def __init__(
        self,
        issuer: str = "https://id.example.com",
        *,
        clients: Iterable[Client] | None = None,
        personas: Iterable[Persona] | None = None,
        clock: Callable[[], float] = time.time,
        alg: str = "RS256",
        claims_in_id_token: bool = True,
        signed_userinfo: bool = False,
        signed_introspection: bool = False,
    ) -> None:
        if alg not in ALGORITHMS:
            raise ValueError(f"alg {alg!r} is not one of {', '.join(ALGORITHMS)}")
        self.clients = {client.client_id: client for client in (CLIENTS if clients is None else clients)}
        self.personas = {persona.sub: persona for persona in (PERSONAS if personas is None else personas)}
        """Who can sign in, by `sub`; the next refresh and userinfo call return changes made here."""
        self.clock = clock
        self.alg = alg
        self.claims_in_id_token = claims_in_id_token
        self.signed_userinfo = signed_userinfo
        self.signed_introspection = signed_introspection
        self.calls: list[Call] = []
        """Every request received, oldest first."""
        self.faults = ActiveFaults()
        self.slow_by = 30.0
        """Seconds by which the `..._slow` faults delay an answer."""
        self.latency = 0.0
        """Seconds by which every answer is delayed."""
        self.access_token_lifetime = 3600
        self.id_token_lifetime = 300
        self.refresh_token_lifetime: int | None = None
        """Seconds; `None` if refresh tokens do not expire."""
        self.rotates_refresh_tokens = True
        """Whether each refresh token works once, and its reuse revokes the grant; False keeps the same one."""
        self.has_spaces_in_tokens = False
        """True puts a space into codes and refresh tokens, which RFC 6749 appendix A allows."""
        self.always_refresh_tokens = False
        """True issues refresh tokens even without the scope `offline_access`, as some providers do."""
        self.revocation_ends_session = False
        """True makes revoking a refresh token end all grants of the session to that client, as in Keycloak."""
        self.id_token_on_refresh = True
        """False leaves the ID Token out of the refresh answer, which OpenID Connect Core §12.2 allows."""
        self.targets: Collection[str] | None = None
        """Resources (RFC 8707) and audiences (RFC 8693) for which tokens are issued; `None` accepts any."""
        self.revoked: list[str] = []
        """Tokens that were revoked at `/revoke`, oldest first."""
        self.client_keys_client: httpx.AsyncClient | None = None
        """Fetches the `jwks_uri` of clients; it must belong to the event loop in which the provider runs."""
        self.ignored_params: list[str] = []
        """Parameters that counted for nothing, because they stood beside a pushed request or a request object."""
        self.client_refusals: list[str] = []
        """Why client assertions were refused, oldest first."""
        self.backchannel_client: httpx.AsyncClient | None = None
        """Posts logout tokens to the clients; it must belong to the event loop in which the provider runs."""
        self.backchannel_timeout = 5.0
        """Seconds for a client to answer a logout token."""
        self.due_logouts: list[DueLogout] = []
        """Logout tokens still to send, oldest first: `/end_session` adds them, `send_due_logouts` removes them."""
        self.id_token_overrides: dict[str, Any] = {}
        """Claims that replace those of every ID Token, after all faults; the value `...` removes a claim."""
        self.userinfo_overrides: dict[str, Any] = {}
        """The same for userinfo."""
        self.introspection_overrides: dict[str, Any] = {}
        """The same for introspection."""
        self.jwt_access_tokens = False
        """True issues access tokens as signed JWTs, in the shape of `access_token_style`, instead of opaque text."""
        self.access_token_overrides: dict[str, Any] = {}
        """Claims that replace those of every access token; the value `...` removes a claim."""
        self.access_token_typ: str | EllipsisType | None = ...
        """`typ` in the header of JWT access tokens; `None` for no `typ`, `...` for that of `access_token_style`."""
        self.further_algs: Sequence[str] = ()
        """Algorithms for which the JWKS has a key, besides `alg` and those that clients registered."""
        self.jwks_headers: dict[str, str] = {}
        """Further headers of the JWKS answer, such as `{"cache-control": "max-age=60"}`."""
        self.memory = Memory()
        self.signed_in_as: Persona | None = None
        self._number = 0
        self._kept_numbers: list[int] = []
        self.issuer = issuer

    @property
    def issuer(self) -> str:
        """The issuer; setting it also resets `metadata`."""
        return self._issuer

    @issuer.setter
    def issuer(self, issuer: str) -> None:
        self._issuer = issuer
        self.base_path = urllib.parse.urlsplit(issuer).path.rstrip("/")
        self.metadata = metadata_of(issuer, self.alg, self.clients.values())
        """The metadata that discovery returns; tests may change it."""

    def register(self, client: Client) -> None:
        """Add a client, or replace one; the metadata lists its client authentication from now on."""
        self.clients[client.client_id] = client
        self.metadata |= client_auth_metadata(self.clients.values())

    @property
    def origin(self) -> str:
        """The origin of the issuer's URL."""
        split = urllib.parse.urlsplit(self._issuer)
        return f"{split.scheme}://{split.netloc}"

    def now(self) -> int:
        """Return the current time, in seconds since the epoch."""
        return int(self.clock())

    def setting(self) -> Setting:
        """Return what faults need to know about this provider."""
        return Setting(self._issuer, self.now(), self.slow_by, self.subject_path)

    @contextlib.contextmanager
    def fault(self, *names: str) -> Iterator[None]:
        """Activate faults for the duration of the block."""
        for name in names:
            self.faults.add(name)
        try:
            yield
        finally:
            for name in names:
                self.faults.discard(name)

    # --- users

    def sign_in_as(self, sub: str | None) -> None:
        """Let `/authorize` sign in this persona without a login page; `None` shows the login page again."""
        self.signed_in_as = None if sub is None else self.personas[sub]

    def session_cookie(self, sub: str) -> str:
        """Sign a persona in; return the `Set-Cookie` line with which a browser sees no login page.

        This is useful for many users: `browser.jar.receive(provider.session_cookie("user-0007"), provider.issuer)`.
        """
        return self.remember(SignIn(self.personas[sub], self.now()))

    def remember(self, sign_in: SignIn) -> str:
        """Remember a session, and return the `Set-Cookie` line for it."""
        value = secrets.token_urlsafe(24)
        self.memory.sign_ins[value] = sign_in
        secure = "; Secure" if self._issuer.startswith("https:") else ""
        return f"{COOKIE}={value}; Path={self.base_path or '/'}; HttpOnly; SameSite=Lax{secure}"

    def random_text(self) -> str:
        """Return a new random code, or the random part of a refresh token."""
        text = secrets.token_urlsafe(24)
        return f"{text} {secrets.token_urlsafe(4)}" if self.has_spaces_in_tokens else text

    def up_to_date(self, grant: Grant) -> Grant | None:
        """Return the grant with the persona's current claims; `None` if the persona was removed."""
        if grant.is_machine:
            return grant
        persona = self.personas.get(grant.sign_in.persona.sub)
        return None if persona is None else replace(grant, sign_in=replace(grant.sign_in, persona=persona))

    # --- keys and tokens

    @property
    def key(self) -> SigningKey:
        """The current signing key."""
        return signing_key(self.alg, self._number)

    @property
    def published_keys(self) -> list[dict[str, Any]]:
        """The keys that the JWKS contains."""
        algs = dict.fromkeys([self.alg, *registered_signing_algs(self.clients.values(), *PURPOSES), *self.further_algs])
        numbers = [*self._kept_numbers, self._number]
        return [signing_key(alg, number).public_jwk() for alg in algs for number in numbers]

    def key_for(self, client: Client | None, purpose: Purpose) -> SigningKey:
        """Return the current key of the algorithm that a client registered for its JWTs of this kind."""
        alg = response_algs(client, purpose).signed
        return self.key if alg in (None, self.alg) else signing_key(alg, self._number)

    def rotate_keys(self, *, keep_old: bool = False) -> str:
        """Sign with a new key from now on; return its `kid`.

        Args:
            keep_old: Whether the JWKS keeps the old keys.
        """
        self._kept_numbers = [*self._kept_numbers, self._number] if keep_old else []
        self._number += 1
        return self.key.kid

    def sign(self, claims: Mapping[str, Any] | bytes, **header: Any) -> str:
        """Sign anything with the provider's key, in the compact form."""
        payload = claims if isinstance(claims, bytes) else json_bytes(dict(claims))
        return compact_jws({"alg": self.alg, "kid": self.key.kid, **header}, payload, self.key)

    def id_token(
        self,
        sub: str = "alice",
        *,
        client_id: str = "web",
        nonce: str | None = None,
        access_token: str | None = None,
        **claims: Any,
    ) -> str:
        """Return an ID Token with additional or other claims, changed by the active faults."""
        sign_in = SignIn(self.personas[sub], self.now())
        grant = Grant(sign_in, client_id, ("openid", "profile", "email"), nonce=nonce)
        return self.id_token_of(grant, access_token, further=claims)

    def id_token_of(
        self,
        grant: Grant,
        access_token: str | None,
        *,
        further: Mapping[str, Any] | None = None,
        is_refreshed: bool = False,
    ) -> str:
        """Return the ID Token of a grant, changed by the active faults; those of a refresh only if `is_refreshed`."""
        lifetime, with_profile = self.id_token_lifetime, self.claims_in_id_token
        claims = id_token_claims(grant, now=self.now(), lifetime=lifetime, with_profile=with_profile)
        claims["iss"] = self._issuer
        key = self._id_token_key(grant)
        if access_token is not None:
            claims["at_hash"] = left_half_hash(access_token, key.alg)
        claims = self.faults.change(fault_tables.ID_TOKEN_CLAIMS, claims, self.setting())
        if is_refreshed:
            claims = self.faults.change(fault_tables.REFRESHED_CLAIMS, claims, self.setting())
        claims = overridden(claims, {**(further or {}), **self.id_token_overrides})
        header = {"alg": key.alg, "kid": key.kid, "typ": "JWT"}
        tables = [fault_tables.ID_TOKEN_SIGNING, *([fault_tables.REFRESHED_SIGNING] if is_refreshed else [])]
        draft = Draft(header, json_bytes(claims), key)
        signed = self.faults.sign(draft, *tables)
        id_token = self.encrypted(signed, draft, grant.client_id, "id_token")
        self.memory.id_tokens |= {signed: grant, id_token: grant}
        return id_token

    def encrypted(self, token: str, draft: Draft, client_id: str, purpose: Purpose) -> str:
        """Return a signed JWT encrypted to the client's key; if the client did not register for that, as it is."""
        client = self.client_with_keys(client_id)
        return encrypted_response(self.faults, draft, client, purpose, token=token) or token

    def client_with_keys(self, client_id: str) -> Client | None:
        """Return a registered client with the keys of its `jwks_uri`, as far as they were fetched."""
        client = self.clients.get(client_id)
        fetched = self.memory.client_keys.get(client_id)
        return client if client is None or fetched is None else replace(client, jwks=fetched)

    def _id_token_key(self, grant: Grant) -> SigningKey:
        client = self.clients.get(grant.client_id)
        is_pinned = response_algs(client, "id_token").signed not in (None, self.alg)
        return self.key_for(client, "id_token") if is_pinned else self._key_of(grant)

    def _key_of(self, _grant: Grant) -> SigningKey:
        """Return the key that signs the ID Tokens and access tokens of a grant."""
        return self.key

    def token_info(self, token: str) -> TokenInfo:
        """Describe an access token or a refresh token, and whether it is still valid."""
        return self.memory.info(token, now=self.now())
