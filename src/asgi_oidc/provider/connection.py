"""The interface of everything that talks to one provider; callers never ask which kind of provider it is."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from asgi_oidc.errors import ProviderError
from asgi_oidc.health import HealthCheck
from asgi_oidc.protocol.authorization_endpoint import AuthorizationResponse, Proofs
from asgi_oidc.protocol.bearer_token import AccessToken, ExpectedToken
from asgi_oidc.protocol.claims import Claims
from asgi_oidc.protocol.dpop.make_proof import DPoPKey
from asgi_oidc.protocol.logout_token import Logout
from asgi_oidc.protocol.step_up import AuthenticationRequest
from asgi_oidc.protocol.token_endpoint import RefreshAnswer, TokenAnswer, UnusableTokens
from asgi_oidc.protocol.token_exchange import ExchangeTarget
from asgi_oidc.provider.http import Http
from asgi_oidc.provider.provider_failures import log_provider_failure
from asgi_oidc.provider.provider_settings import ProviderSettings

AnswerWithTokens = TypeVar("AnswerWithTokens", TokenAnswer, RefreshAnswer)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedLogin:
    """What a login has requested, and its tokens have to match.

    Attributes:
        max_age: how many seconds ago the user may have signed in at the provider; None if not requested.
        acr_values: the requested authentication contexts; empty for any.
    """

    nonce: str = field(repr=False)
    max_age: int | None = None
    acr_values: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstTokens:
    """What the tokens of a login said, and those of its refreshes have to repeat.

    Attributes:
        claims: those of `FIRST` that the ID Token had.
    """

    issuer: str
    sub: str = field(repr=False)
    claims: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class UserClaims:
    """All claims about a user.

    Attributes:
        from_access_token: names of the claims that only the access token contains.
    """

    claims: dict[str, object] = field(repr=False)
    from_access_token: Collection[str] = ()


class ProviderConnection(ABC):
    """One provider: makes the calls to it, and checks its answers and tokens.

    Attributes:
        http: makes the calls.
    """

    settings: ProviderSettings
    http: Http

    @abstractmethod
    def replace_settings(self, settings: ProviderSettings) -> None:
        """Use another client secret from now on; everything else is as in the settings so far."""

    @abstractmethod
    async def prepare(self) -> None:
        """Get what every call to the provider needs, such as its metadata.

        Raises:
            ProviderError: it is not known, and cannot be fetched.
        """

    @abstractmethod
    async def fetch_what_is_due(self) -> None:
        """Fetch the metadata and the keys unless they are cached; do nothing if there are none.

        Raises:
            ProviderError: they cannot be fetched, and nothing usable is cached.
        """

    async def fetch_for_check(self) -> None:
        """Fetch what is due, for a check of the health; log a failure, and raise nothing."""
        try:
            await self.fetch_what_is_due()
        except ProviderError as error:
            log_provider_failure(error.code, error.detail, provider=self.settings.name, issuer=self.settings.issuer)

    @abstractmethod
    def metadata_check(self) -> HealthCheck | None:
        """Return the state of the metadata; None if this provider has none."""

    @abstractmethod
    def keys_check(self) -> HealthCheck | None:
        """Return the state of the keys; None if this provider has none."""

    async def dpop_key(self) -> DPoPKey | None:
        """Return a new key to which the tokens of a login have to be bound; None if its tokens are not to be bound.

        Raises:
            ProviderError: as in `prepare`.
        """
        return None

    @abstractmethod
    async def authorization_url(
        self, proofs: Proofs, *, redirect_uri: str, authentication: AuthenticationRequest
    ) -> str:
        """Return the URL of an authorization request.

        Args:
            authentication: what the login has to satisfy, the requirements of the settings included.

        Raises:
            ProviderUnsupported: no login can succeed; the detail says why.
            ProviderError: as in `prepare`.
        """

    @abstractmethod
    async def check_response(self, response: AuthorizationResponse) -> None:
        """Refuse an authorization response that another provider has sent (RFC 9207).

        Raises:
            RequestRejected: its `iss` is wrong or missing.
            ProviderError: as in `prepare`.
        """

    @abstractmethod
    async def verify_response(self, token: str, *, fetches_keys: bool = True) -> AuthorizationResponse:
        """Check a signed authorization response, its issuer included, and read what is inside (JARM §2.4).

        Args:
            fetches_keys: False if only keys are used that are cached.

        Raises:
            TokenRejected: it fails a check, or this provider has no signed responses.
            ProviderError: as in `prepare`, or the keys cannot be fetched.
        """

    @abstractmethod
    def issued(self, issuer: str, *, first: Claims, endpoints_digest: str) -> bool:
        """Return whether a login took place at this provider, for this client, and by a user who may sign in there.

        Args:
            first: as in `FirstTokens.claims`.
            endpoints_digest: as in `ProviderSettings` at the time of the login.
        """

    @abstractmethod
    async def exchange_code(
        self, code: str, *, code_verifier: str, redirect_uri: str, dpop_key: DPoPKey | None = None
    ) -> TokenAnswer:
        """Exchange an authorization code for tokens; they are not checked yet.

        Args:
            redirect_uri: as in the authorization request.
            dpop_key: the key of this login, as `dpop_key` has made it; None if its tokens are not to be bound.

        Raises:
            ProviderError: the provider refuses, or is down.
        """

    def decrypted(self, answer: AnswerWithTokens) -> AnswerWithTokens:
        """Return the answer of the token endpoint with its ID Token decrypted, if it is encrypted; still unverified.

        Raises:
            TokenRejected: it cannot be decrypted, or is not encrypted although it has to be.
        """
        return answer

    @abstractmethod
    async def identify(self, tokens: TokenAnswer, requested: RequestedLogin) -> dict[str, object]:
        """Find out who has signed in.

        Args:
            tokens: of the code exchange of this login; no other token identifies the user.

        Returns:
            The claims that identify the user, at least `iss`, `sub` and `aud`.

        Raises:
            TokenRejected: a token fails a check.
            ProviderError: something that this needs cannot be fetched.
        """

    @abstractmethod
    async def complete_claims(
        self, claims: Claims, tokens: TokenAnswer, *, scope: str, dpop_key: DPoPKey | None = None
    ) -> UserClaims:
        """Add further claims about the user.

        Args:
            claims: those of `identify`.
            scope: as granted.
            dpop_key: as in `exchange_code`.

        Raises:
            TokenRejected: a token fails a check, or is about another user.
            ProviderError: claims are needed, and cannot be fetched.
        """

    @abstractmethod
    async def refresh(
        self, refresh_token: str, *, resource: str | None = None, dpop_key: DPoPKey | None = None
    ) -> RefreshAnswer:
        """Exchange a refresh token for new tokens; they are not checked yet.

        Args:
            dpop_key: that of the session; None if its tokens are not bound.

        Raises:
            ProviderError: the provider refuses, or is down.
        """

    @abstractmethod
    def remaining_refresh_token(self, error: ProviderError, refresh_token: str) -> str | None:
        """Return the refresh token that can still be used after a failed refresh; None if there is none."""

    @abstractmethod
    async def refreshed_claims(self, answer: RefreshAnswer, first: FirstTokens) -> dict[str, object]:
        """Return what the provider states anew at a refresh about the user, checked; empty if it states nothing.

        Raises:
            TokenRejected: a token fails a check, or is about another user; `session_over` if the session has ended.
            ProviderError: something that this needs cannot be fetched.
        """

    @abstractmethod
    async def access_token_claims(self, token: str, *, issuer: str, sub: str) -> dict[str, object] | None:
        """Verify an access token and return its claims about the user; None if they are not used.

        Args:
            issuer: of the login; a provider with several tenants has several issuers.
            sub: the user that it has to be about.

        Raises:
            TokenRejected: it is not a JWT, or fails a check.
            ProviderError: as in `refreshed_claims`.
        """

    @abstractmethod
    async def confirm(self, access_token: str, *, issuer: str, sub: str, dpop_key: DPoPKey | None = None) -> Claims:
        """Ask the provider whether the session of an access token is still valid.

        Args:
            issuer, sub: of the login.
            dpop_key: as in `refresh`.

        Returns:
            The claims about the user that the provider states now; empty if it states none.

        Raises:
            TokenRejected: `session_over`: the access token is not valid any more; `recheck_impossible`: the provider
                has no endpoint to ask at; or the answer is about another user.
            ProviderError: there is no answer that says either.
        """

    @abstractmethod
    async def exchange_token(
        self, subject_token: str, target: ExchangeTarget, *, dpop_key: DPoPKey | None = None
    ) -> RefreshAnswer:
        """Exchange an access token for one that another API accepts (RFC 8693).

        Args:
            dpop_key: what the new token has to be bound to; None for a bearer token.

        Raises:
            ProviderError: the provider refuses, or is down.
        """

    @abstractmethod
    async def revoke(self, refresh_token: str, *, dpop_key: DPoPKey | None = None) -> None:
        """Revoke a refresh token if the provider has an endpoint for that (RFC 7009).

        Args:
            dpop_key: as in `refresh`.

        Raises:
            ProviderError: the provider refuses, or is down.
        """

    @abstractmethod
    async def end_session_endpoint(self) -> str | None:
        """Return where a browser signs out at the provider; None if a sign-out is local.

        Raises:
            ProviderError: as in `prepare`.
        """

    @abstractmethod
    async def check_logout_token(self, token: str) -> Logout:
        """Verify signature and claims of a logout token; return what it signs out.

        Raises:
            TokenRejected: it fails a check, or this provider has no logout tokens.
            ProviderError: as in `refreshed_claims`.
        """

    @abstractmethod
    def issues(self, issuer: str) -> bool:
        """Return whether this is an issuer of access tokens that `check_bearer_token` can verify."""

    @abstractmethod
    async def check_bearer_token(self, token: str, expected: ExpectedToken) -> AccessToken:
        """Verify signature and claims of a JWT that a request has sent as its access token.

        Raises:
            TokenRejected: it fails a check, or this provider has no access tokens that can be verified.
            ProviderError: as in `refreshed_claims`.
        """

    @abstractmethod
    async def introspect(self, token: str, expected: ExpectedToken) -> AccessToken:
        """Ask the provider about an access token that a request has sent (RFC 7662); one that is a JWT is verified too.

        Raises:
            TokenRejected: it is not active or fails a check, or this provider cannot be asked.
            ProviderUnavailable: the provider is down, slow or overloaded.
            ProviderError: it refuses, or its answer cannot be used.
        """


def remaining_refresh_token(error: ProviderError, refresh_token: str, *, rotates: bool) -> str | None:
    """Return the refresh token that can still be used after a failed refresh; None if there is none.

    A token that may have been used up must not be sent again: the provider would take that for theft, and revoke the
    whole grant (RFC 9700 §4.14.2). After a call without an answer, the token is kept: most such calls were never
    processed, and providers that rotate refresh tokens accept the old one again for a short time, for clients whose
    network fails.

    Args:
        rotates: whether the provider issues a new refresh token with each refresh, as far as is known.
    """
    if isinstance(error, UnusableTokens):
        return error.refresh_token if error.is_old_spent else refresh_token
    return None if error.was_processed and rotates else refresh_token
