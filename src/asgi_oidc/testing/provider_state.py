"""What a fake provider is set to, knows and remembers; its endpoints work on this."""

import contextlib
import secrets
import time
import urllib.parse
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx

from . import faults as fault_tables
from .accounts import CLIENTS, PERSONAS, Client, Persona
from .authorization import metadata_of
from .faults import ActiveFaults, Draft, Setting
from .grants import DueLogout, Grant, Memory, SignIn, Token, TokenInfo, id_token_claims, overridden
from .keys import ALGORITHMS, SigningKey, compact_jws, json_bytes, left_half_hash, signing_key
from .wire import Call

COOKIE = "fake_provider_session"


class ProviderState:
    """A fake provider without its endpoints.

    Args:
        issuer: Its URL; a path and an ending "/" are kept as they are. It can be set again later, for a
            server whose port is known only once it runs.
        clients: Registered applications; by default `web` (with a secret) and `spa` (public).
        personas: Who can sign in; by default alice, bob, chloe and erin (200 groups).
        clock: Gives seconds since the epoch.
        alg: What the ID Tokens are signed with: RS256, PS256, ES256, EdDSA, ...
        claims_in_id_token: False leaves profile and email to the userinfo endpoint, as many providers do.
        signed_userinfo: True makes the userinfo answer a signed JWT.
    """

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
    ) -> None:
        if alg not in ALGORITHMS:
            raise ValueError(f"alg {alg!r} is not one of {', '.join(ALGORITHMS)}")
        self.clients = {client.client_id: client for client in (CLIENTS if clients is None else clients)}
        self.personas = {persona.sub: persona for persona in (PERSONAS if personas is None else personas)}
        """Who can sign in, by `sub`; what is changed here shows in the next refresh and at userinfo."""
        self.clock = clock
        self.alg = alg
        self.claims_in_id_token = claims_in_id_token
        self.signed_userinfo = signed_userinfo
        self.calls: list[Call] = []
        """Every request that came in, oldest first."""
        self.faults = ActiveFaults()
        self.slow_by = 30.0
        """Seconds that the `..._slow` faults take."""
        self.latency = 0.0
        """Seconds that every answer takes."""
        self.access_token_lifetime = 3600
        self.id_token_lifetime = 300
        self.refresh_token_lifetime: int | None = None
        """Seconds; `None`: a refresh token does not expire."""
        self.rotates_refresh_tokens = True
        """False keeps the refresh token as it is; else each works once, and its reuse ends the whole grant."""
        self.has_spaces_in_tokens = False
        """True puts a space into codes and refresh tokens, which may have them (RFC 6749 appendix A)."""
        self.always_refresh_tokens = False
        """True gives refresh tokens without the scope `offline_access` too, as some providers do."""
        self.revocation_ends_session = False
        """True ends, with one refresh token, all that the sign-in gave to that client, as Keycloak does."""
        self.id_token_on_refresh = True
        """False leaves the ID Token out of the refresh answer (OpenID Connect Core §12.2 allows it)."""
        self.targets: Collection[str] | None = None
        """Resources (RFC 8707) and audiences (RFC 8693) that tokens are given out for; `None` takes any."""
        self.revoked: list[str] = []
        """Tokens of ours that were revoked at `/revoke`, oldest first."""
        self.backchannel_client: httpx.AsyncClient | None = None
        """What posts logout tokens to the clients; one of the event loop that the provider runs in."""
        self.backchannel_timeout = 5.0
        """Seconds that a client may take to answer a logout token."""
        self.due_logouts: list[DueLogout] = []
        """What clients have still to hear, oldest first: `/end_session` adds to it, to send it empties it."""
        self.id_token_overrides: dict[str, Any] = {}
        """Claims put into every ID Token at the very end; `...` takes a claim away."""
        self.userinfo_overrides: dict[str, Any] = {}
        """The same for userinfo."""
        self.jwt_access_tokens = False
        """True makes access tokens signed JWTs (RFC 9068) instead of opaque names."""
        self.access_token_overrides: dict[str, Any] = {}
        """The same for those."""
        self.access_token_typ: str | None = "at+jwt"
        """`typ` in their header; `None` for none."""
        self.jwks_headers: dict[str, str] = {}
        """Further headers of the key set, `{"cache-control": "max-age=60"}` for one."""
        self.memory = Memory()
        self.signed_in_as: Persona | None = None
        self._number = 0
        self._kept_numbers: list[int] = []
        self.issuer = issuer

    @property
    def issuer(self) -> str:
        """The issuer; to set it writes `metadata` anew."""
        return self._issuer

    @issuer.setter
    def issuer(self, issuer: str) -> None:
        self._issuer = issuer
        self.base_path = urllib.parse.urlsplit(issuer).path.rstrip("/")
        self.metadata = metadata_of(issuer, self.alg)
        """What discovery answers; tests may edit it."""

    @property
    def origin(self) -> str:
        """The origin that a browser finds this provider at."""
        split = urllib.parse.urlsplit(self._issuer)
        return f"{split.scheme}://{split.netloc}"

    def now(self) -> int:
        """Read the clock."""
        return int(self.clock())

    def setting(self) -> Setting:
        """Say what a fault may know."""
        return Setting(self._issuer, self.now(), self.slow_by)

    @contextlib.contextmanager
    def fault(self, *names: str) -> Iterator[None]:
        """Put faults in force for a while."""
        for name in names:
            self.faults.add(name)
        try:
            yield
        finally:
            for name in names:
                self.faults.discard(name)

    # --- people

    def sign_in_as(self, sub: str | None) -> None:
        """Let `/authorize` answer at once for this persona; `None` shows the login page again."""
        self.signed_in_as = None if sub is None else self.personas[sub]

    def session_cookie(self, sub: str) -> str:
        """Sign somebody in and give the `Set-Cookie` line: the browser that has it sees no login page.

        For many people at once: `browser.jar.receive(provider.session_cookie("user-0007"), provider.issuer)`.
        """
        return self.remember(SignIn(self.personas[sub], self.now()))

    def remember(self, sign_in: SignIn) -> str:
        """Remember a sign-in and give the `Set-Cookie` line that stands for it."""
        value = secrets.token_urlsafe(24)
        self.memory.sign_ins[value] = sign_in
        secure = "; Secure" if self._issuer.startswith("https:") else ""
        return f"{COOKIE}={value}; Path={self.base_path or '/'}; HttpOnly; SameSite=Lax{secure}"

    def random_text(self) -> str:
        """Make a code, or what makes a refresh token one of its kind."""
        text = secrets.token_urlsafe(24)
        return f"{text} {secrets.token_urlsafe(4)}" if self.has_spaces_in_tokens else text

    def up_to_date(self, grant: Grant) -> Grant | None:
        """Give the grant with its person as they are known now; `None` when they are no more."""
        persona = self.personas.get(grant.sign_in.persona.sub)
        return None if persona is None else replace(grant, sign_in=replace(grant.sign_in, persona=persona))

    # --- keys and tokens

    @property
    def key(self) -> SigningKey:
        """The key that signs now."""
        return signing_key(self.alg, self._number)

    @property
    def published_keys(self) -> list[dict[str, Any]]:
        """The keys that the key set shows."""
        return [signing_key(self.alg, number).public_jwk() for number in [*self._kept_numbers, self._number]]

    def rotate_keys(self, *, keep_old: bool = False) -> str:
        """Sign with a new key from now on and give its `kid`.

        Args:
            keep_old: Whether the key set goes on showing the keys from before.
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
        """Make an ID Token by hand, with further or other claims; faults have their say."""
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
        """Make the ID Token of a grant; the faults of refreshed ones count for those alone."""
        lifetime, with_profile = self.id_token_lifetime, self.claims_in_id_token
        claims = id_token_claims(grant, now=self.now(), lifetime=lifetime, with_profile=with_profile)
        claims["iss"] = self._issuer
        if access_token is not None:
            claims["at_hash"] = left_half_hash(access_token, self.alg)
        claims = self.faults.change(fault_tables.ID_TOKEN_CLAIMS, claims, self.setting())
        if is_refreshed:
            claims = self.faults.change(fault_tables.REFRESHED_CLAIMS, claims, self.setting())
        claims = overridden(claims, {**(further or {}), **self.id_token_overrides})
        header = {"alg": self.alg, "kid": self.key.kid, "typ": "JWT"}
        tables = [fault_tables.ID_TOKEN_SIGNING, *([fault_tables.REFRESHED_SIGNING] if is_refreshed else [])]
        id_token = self.faults.sign(Draft(header, json_bytes(claims), self.key), *tables)
        self.memory.id_tokens[id_token] = grant
        return id_token

    def access_token_of(self, token: Token) -> str:
        """Make the JWT access token of a grant (RFC 9068 §2.2); where no target was named, it is for the client."""
        grant = token.grant
        claims = {
            "iss": self._issuer,
            "sub": grant.sign_in.persona.sub,
            "aud": list(token.audience) or grant.client_id,
            "client_id": grant.client_id,
            "scope": " ".join(token.scopes),
            "iat": self.now(),
            "exp": self.now() + self.access_token_lifetime,
            "jti": secrets.token_urlsafe(12),
        }
        header = {} if self.access_token_typ is None else {"typ": self.access_token_typ}
        return self.sign(overridden(claims, self.access_token_overrides), **header)

    def token_info(self, token: str) -> TokenInfo:
        """Say what an access token or a refresh token is, and whether it still counts."""
        return self.memory.info(token, now=self.now())
