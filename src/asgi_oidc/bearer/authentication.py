"""Authentication by access token: verifies new tokens, and checks known ones against clock, revocations and proofs."""

import math
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple, Protocol

from asgi_oidc import telemetry
from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.bearer.authorization_header import AUTHORIZATION, PresentedToken, read_token
from asgi_oidc.bearer.introspection_cache import Introspected
from asgi_oidc.bearer.known_tokens import KnownTokens
from asgi_oidc.bearer.on_token import OnToken
from asgi_oidc.bearer.token_issuers import TokenIssuers
from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.bearer_token import AccessToken, ExpectedToken, claimed_issuer
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.sessions.revocation_feed import RevocationFeed
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session import write_claims
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.telemetry import catalogue
from asgi_oidc.tokens.refresh_result import claims_differ
from asgi_oidc.web.request import Request


class Proofs(Protocol):
    """What a request has to prove beside its token: that the client has the key or certificate it is bound to."""

    def are_needed(self, token: AccessToken, presented: PresentedToken) -> bool:
        """Return whether `check` has to be called for each request with this token."""

    async def check(self, request: Request, token: ActiveToken, presented: PresentedToken) -> None:
        """Check the proofs of one request.

        Raises:
            ProofRejected: a proof is missing or wrong.
            StoreUnavailable: it cannot be told whether the proof was used before.
        """


class Introspects(Protocol):
    """Asks a provider about a token."""

    async def introspect(self, token: str, connection: ProviderConnection) -> Introspected:
        """Return what the provider says about a token that is active.

        Raises:
            TokenRejected: it is not active, or fails a check.
            ProviderError: the provider cannot be asked, or its answer cannot be used.
        """

    async def drained(self) -> None:
        """Wait until no call is running."""


class _Verified(NamedTuple):
    """A token whose provider vouches for it.

    Attributes:
        fresh_from, fresh_until: as in `ActiveToken`.
    """

    access_token: AccessToken
    provider: str
    connection: ProviderConnection
    fresh_from: int = 0
    fresh_until: float | None = None


class TokenAuthenticator:
    """Finds out who sends a request with an access token."""

    __slots__ = (
        "_expected",
        "_feed",
        "_flight",
        "_introspecting",
        "_introspection",
        "_introspects_jwt",
        "_issuers",
        "_known",
        "_leeway",
        "_now",
        "_on_token",
        "_proofs",
        "_revocations",
        "_why_not",
    )

    def __init__(
        self,
        expected: ExpectedToken,
        issuers: TokenIssuers,
        proofs: Proofs,
        on_token: OnToken,
        revocations: Revocations,
        feed: RevocationFeed,
        introspection: Introspects | None = None,
        *,
        introspecting: str = "",
        introspects_jwt: bool = False,
        why_not: str = "",
        leeway: int,
        now: Callable[[], int],
    ) -> None:
        """Set up authentication.

        Args:
            introspection: None if no provider is asked about tokens.
            introspecting: the name of the provider that is asked.
            introspects_jwt: whether it is asked about JWTs too.
            why_not: why no provider is asked, for the log.
            leeway: seconds of clock skew allowed.
        """
        self._expected = expected
        self._issuers = issuers
        self._proofs = proofs
        self._on_token = on_token
        self._revocations = revocations
        self._feed = feed
        self._introspection = introspection
        self._introspecting = introspecting
        self._introspects_jwt = introspects_jwt
        self._why_not = why_not
        self._leeway = leeway
        self._now = now
        self._known = KnownTokens()
        self._flight: SingleFlight[ActiveToken] = SingleFlight()

    def at_once(self, request: Request) -> ActiveToken | None:
        """Return the token of a request if it is known to be valid; None if `authenticate` has to find out."""
        values = request.values(AUTHORIZATION)
        token = self._known.get(values[0]) if len(values) == 1 else None
        if token is None or token.needs_proof or self._feed.is_due() or not self._issuers.are_fixed:
            return None
        if not token.fresh_from <= self._now() < token.fresh_until or self._is_revoked(token):
            return None
        return token

    async def authenticate(self, request: Request) -> ActiveToken:
        """Return the token of a request. The request has an `Authorization` header of ours.

        Raises:
            TokenRejected: the token is not valid.
            LoginRefused: `on_token` refuses it.
            ProviderError, StoreUnavailable: what its check needs is not available.
            OIDCError: `on_token` failed.
        """
        presented = read_token(request)
        await self._feed.poll()
        token = self._known.get(presented.header)
        if token is None or not await self._is_fresh(token):
            token = await self._verify_once(presented)
        self._check_not_over(token)
        if token.needs_proof:
            await self._proofs.check(request, token, presented)
        return token

    def is_over(self, token: ActiveToken) -> bool:
        """Return whether a token has expired, or its user was signed out."""
        return self._now() >= token.valid_until or self._is_revoked(token)

    async def drained(self) -> None:
        """Wait until no provider is being asked."""
        if self._introspection is not None:
            await self._introspection.drained()

    async def is_still_active(self, token: ActiveToken) -> bool:
        """Return whether the provider still says of an introspected token what it said when it was presented.

        Any change counts, of its user or key as well: the connection was opened with what it said then.

        Raises:
            ProviderError: the provider could not be asked.
        """
        if self._introspection is None:
            return False
        try:
            newest = (await self._introspection.introspect(token.token, token.connection)).access_token
        except TokenRejected:
            return False
        first = token.access_token
        return set(newest.scopes) == set(first.scopes) and not claims_differ(newest.claims, first.claims)

    async def _is_fresh(self, token: ActiveToken) -> bool:
        """Return whether a known token needs no verification: not even by an app that has changed its providers."""
        if not token.fresh_from <= self._now() < token.fresh_until:
            return False
        return self._issuers.are_fixed or await self._issuers.named(token.provider) is token.connection

    async def _verify_once(self, presented: PresentedToken) -> ActiveToken:
        """Verify a token; the requests that wait share one call of the app's hook, as they share all other calls."""
        if not self._on_token.is_set:
            return await self._verify(presented)
        # Not the token itself: error reporters show the keys of mappings.
        key = sha256(presented.header).hexdigest()
        return await self._flight.run(key, lambda: self._verify(presented))

    async def _verify(self, presented: PresentedToken) -> ActiveToken:
        """Verify a token, let the app look at it, and remember it."""
        known = self._known.get(presented.header)
        verified = await self._verified(presented.token)
        access_token = verified.access_token
        if known is not None and (known.access_token, known.provider) == (access_token, verified.provider):
            written_claims = known.written_claims  # the provider has said the same again, so the app need not look
        else:
            written_claims = write_claims(await self._on_token.admit(access_token, provider=verified.provider))
        token = ActiveToken(
            access_token,
            written_claims,
            token=presented.token,
            provider=verified.provider,
            connection=verified.connection,
            needs_proof=self._proofs.are_needed(access_token, presented),
            valid_until=math.inf if access_token.expires_at is None else access_token.expires_at + self._leeway,
            fresh_from=verified.fresh_from,
            fresh_until=verified.fresh_until,
        )
        self._known.keep(presented.header, token)
        telemetry.count(catalogue.TOKENS, provider=verified.provider, outcome="accepted")
        return token

    async def _verified(self, token: str) -> _Verified:
        """Check a token with the keys of the provider that it names, or ask the provider that introspects."""
        issuer = claimed_issuer(token)
        if issuer is not None:
            provider, connection = await self._issuers.find(issuer)
            if self._introspection is None or not self._introspects_jwt or provider != self._introspecting:
                access_token = await connection.check_bearer_token(token, self._expected)
                return _Verified(access_token, provider, connection)
        elif self._introspection is None:
            detail = f"the token is opaque, and no provider is asked about such tokens: {self._why_not}"
            raise TokenRejected("token_opaque", detail)
        else:
            provider, connection = self._introspecting, await self._issuers.get(self._introspecting)
        found = await self._introspection.introspect(token, connection)
        return _Verified(found.access_token, provider, connection, found.asked_at, found.fresh_until)

    def _check_not_over(self, token: ActiveToken) -> None:
        if self._is_revoked(token):
            raise TokenRejected("token_revoked", "the user was signed out after the token was issued")
        if self._now() >= token.valid_until:
            raise TokenRejected("claim_exp", "the token has expired")

    def _is_revoked(self, token: ActiveToken) -> bool:
        revocations = self._revocations
        if token.revocations_version == revocations.version:
            return False
        if token.names_version != revocations.names_version:
            token.names_version = revocations.names_version
            token.revocation_names = revocations.names_of_token(token.user_id, token.sid)
        if revocations.is_token_revoked(token.revocation_names, issued_at=token.access_token.issued_at):
            return True
        token.revocations_version = revocations.version
        return False
