"""An OpenID provider: its metadata, tokens, userinfo and revocation, and the checks of its tokens."""

from collections.abc import Callable
from dataclasses import replace

from asgi_oidc.errors import ProviderError, ProviderUnsupported
from asgi_oidc.health import HealthCheck
from asgi_oidc.protocol.authorization_details import Required
from asgi_oidc.protocol.authorization_endpoint import (
    AuthorizationResponse,
    Proofs,
    authorization_parameters,
    check_response_issuer,
)
from asgi_oidc.protocol.back_channel import BackChannel
from asgi_oidc.protocol.bearer_token import AccessToken, ExpectedToken
from asgi_oidc.protocol.claims import Claims, merge_claims
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.dpop.make_proof import DPoPKey, make_dpop_key
from asgi_oidc.protocol.hosted_domain import is_hosted
from asgi_oidc.protocol.issuer_template import IssuerTemplate, includes_issuer
from asgi_oidc.protocol.logout_token import Logout
from asgi_oidc.protocol.messages import Call
from asgi_oidc.protocol.metadata import ProviderMetadata
from asgi_oidc.protocol.provider_compatibility import find_incompatibilities, supports_dpop
from asgi_oidc.protocol.step_up import AuthenticationRequest
from asgi_oidc.protocol.token_endpoint import (
    BEARER,
    DPOP,
    RefreshAnswer,
    TokenAnswer,
    read_refresh_answer,
    read_token_answer,
    refresh_call,
    token_call,
)
from asgi_oidc.protocol.token_exchange import ExchangeTarget, exchange_call
from asgi_oidc.protocol.token_revocation import check_revocation_answer, revocation_call
from asgi_oidc.provider.authorization_requests import AuthorizationRequests, extra_parameters
from asgi_oidc.provider.client_calls import ClientCalls
from asgi_oidc.provider.connection import (
    AnswerWithTokens,
    FirstTokens,
    ProviderConnection,
    RequestedLogin,
    UserClaims,
    remaining_refresh_token,
)
from asgi_oidc.provider.discovery import Discovery
from asgi_oidc.provider.dpop_calls import DPoPCalls
from asgi_oidc.provider.http import Http
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.provider.session_confirmation import SessionConfirmation
from asgi_oidc.provider.token_introspection import TokenIntrospection
from asgi_oidc.provider.token_verifier import Expectations, TokenVerifier
from asgi_oidc.provider.userinfo_endpoint import UserinfoEndpoint


class OpenIDConnection(ProviderConnection):
    """The connection to an OpenID provider."""

    def __init__(
        self, settings: ProviderSettings, expectations: Expectations, http: Http, clock: Callable[[], float]
    ) -> None:
        self.settings = settings
        self.http = http
        self._expectations = expectations
        self._exceptions = exceptions = settings.exceptions
        self._back_channel = BackChannel(exceptions.internal_url, exceptions.allow_http_hosts)
        self._discovery = Discovery(
            http,
            issuer=settings.issuer,
            configured=settings.metadata,
            clock=clock,
            url=settings.metadata_url,
            back_channel=self._back_channel,
            provider=settings.name,
            uses_aliases=settings.client.presents_certificate,
        )
        self._tokens = TokenVerifier(settings, expectations, http=http, metadata=self.metadata, clock=clock)
        self._dpop = DPoPCalls(http, clock=clock, public_url=self._public_url)
        self._calls = ClientCalls(http, settings.client, issuer=settings.issuer, clock=clock, dpop=self._dpop)
        self._requests = AuthorizationRequests(self._calls, clock=clock)
        self._userinfo = UserinfoEndpoint(
            settings, expectations, self._tokens, http=http, dpop=self._dpop, metadata=self.metadata
        )
        self._introspection = TokenIntrospection(
            settings, self._tokens, self._calls, metadata=self.metadata, clock=clock, leeway=expectations.leeway
        )
        self._confirmation = SessionConfirmation(
            self._introspection, self._tokens, self._userinfo, metadata=self.metadata, has_claims=settings.entra is None
        )
        self._rotates_refresh_tokens = True  # assumed until an answer shows that it does not

    def replace_settings(self, settings: ProviderSettings) -> None:
        """Use other credentials for the next calls, and another secret for tokens that are signed with it."""
        self.settings = settings
        self._tokens.replace_settings(settings)
        self._calls.replace_client(settings.client)
        self.http.replace_tls(settings.tls)

    async def metadata(self) -> ProviderMetadata:
        """Return the metadata.

        Raises:
            ProviderError: nothing usable is cached, and it cannot be fetched.
        """
        return await self._discovery.metadata()

    async def prepare(self) -> None:
        """Fetch the metadata unless it is cached. Errors as in `metadata`."""
        await self.metadata()

    async def fetch_what_is_due(self) -> None:
        """Fetch the metadata and the keys unless they are cached. Errors as in `metadata`."""
        await self._tokens.fetch_keys_if_due()

    def metadata_check(self) -> HealthCheck:
        """Return the state of the metadata."""
        return self._discovery.check()

    def keys_check(self) -> HealthCheck:
        """Return the state of the keys."""
        return self._tokens.keys_check()

    def _public_url(self, url: str) -> str:
        return self._back_channel.public_url(url, issuer=self.settings.issuer)

    async def dpop_key(self) -> DPoPKey | None:
        """Return a new key for a login if `dpop` asks for one. Errors as in `metadata`."""
        setting = self.settings.dpop
        if setting == "never" or (setting == "auto" and not supports_dpop(await self.metadata())):
            return None
        return make_dpop_key()

    async def authorization_url(
        self, proofs: Proofs, *, redirect_uri: str, authentication: AuthenticationRequest
    ) -> str:
        """Return the URL of an authorization request if logins are possible with the metadata.

        Raises:
            ProviderUnsupported: no login can succeed; the detail says why.
            ProviderError: as in `metadata`, and as in `AuthorizationRequests`.
        """
        metadata, settings = await self._metadata_for_login(authentication.authorization_details), self.settings
        parameters = authorization_parameters(
            settings.client,
            proofs,
            redirect_uri=redirect_uri,
            scope=settings.scope,
            extra=extra_parameters(settings, authentication, metadata),
            uses_pkce=not self._exceptions.allow_missing_pkce,
        )
        return await self._requests.url(metadata, settings.login_plan, parameters, dpop_key=proofs.dpop_key)

    async def _metadata_for_login(self, details: Required) -> ProviderMetadata:
        metadata, settings = await self.metadata(), self.settings
        obstacles = find_incompatibilities(metadata, replace(settings.login_plan, authorization_details=details))
        if obstacles:
            texts = "; ".join(obstacle.text for obstacle in obstacles)
            raise ProviderUnsupported(obstacles[0].code, f"metadata of {settings.issuer}: {texts}")
        return metadata

    async def check_response(self, response: AuthorizationResponse) -> None:
        """Refuse a response from another provider. Errors as in `check_response_issuer` and `metadata`."""
        issuers = self.settings.issuers
        template = issuers if isinstance(issuers, IssuerTemplate) else None
        is_required = self.settings.requires_response_issuer
        check_response_issuer(response, await self.metadata(), template=template, is_required=is_required)

    async def verify_response(self, token: str, *, fetches_keys: bool = True) -> AuthorizationResponse:
        """Check a signed authorization response, its issuer included, and read what is inside (JARM §2.4).

        Errors as in `identify`.
        """
        return await self._tokens.authorization_response(token, fetches_keys=fetches_keys)

    def issued(self, issuer: str, *, first: Claims, endpoints_digest: str) -> bool:
        """Return whether the ID Token of a login came from this provider, for this client, and from its organizations.

        Args:
            first: claims of the ID Token.
            endpoints_digest: empty, as the issuer says it all.
        """
        audience, settings = first.get("aud"), self.settings
        audiences = audience if isinstance(audience, list) else [audience]
        is_ours = settings.client.client_id in audiences and not endpoints_digest
        return is_ours and includes_issuer(settings.issuers, issuer) and is_hosted(first, settings.hosted_domains)

    async def exchange_code(
        self, code: str, *, code_verifier: str, redirect_uri: str, dpop_key: DPoPKey | None = None
    ) -> TokenAnswer:
        """Exchange an authorization code for tokens; they are not checked yet.

        Args:
            redirect_uri: as in the authorization request.

        Raises:
            ProviderError: the provider refuses, or is down.
        """
        metadata = await self.metadata()

        def make(client: Client) -> Call:
            verifier = None if self._exceptions.allow_missing_pkce else code_verifier
            return token_call(metadata, client, code=code, code_verifier=verifier, redirect_uri=redirect_uri)

        answer = await self._calls.send(make, endpoint="token", dpop_key=dpop_key)
        requires_access_token = not self._exceptions.allow_missing_access_token
        return read_token_answer(answer, requires_access_token=requires_access_token, token_type=_type_for(dpop_key))

    async def refresh(
        self, refresh_token: str, *, resource: str | None = None, dpop_key: DPoPKey | None = None
    ) -> RefreshAnswer:
        """Exchange a refresh token for new tokens; they are not checked yet.

        Raises:
            ProviderError: the provider refuses, or is down.
        """
        metadata = await self.metadata()

        def make(client: Client) -> Call:
            return refresh_call(metadata, client, refresh_token, resource=resource)

        sent = await self._calls.send(make, endpoint="token", dpop_key=dpop_key)
        answer = read_refresh_answer(sent, token_type=_type_for(dpop_key))
        self._rotates_refresh_tokens = answer.refresh_token not in (None, refresh_token)
        return answer

    def remaining_refresh_token(self, error: ProviderError, refresh_token: str) -> str | None:
        """Return the refresh token that can still be used after a failed refresh; None if there is none."""
        return remaining_refresh_token(error, refresh_token, rotates=self._rotates_refresh_tokens)

    async def exchange_token(
        self, subject_token: str, target: ExchangeTarget, *, dpop_key: DPoPKey | None = None
    ) -> RefreshAnswer:
        """Exchange an access token for one that another API accepts (RFC 8693).

        Raises:
            ProviderError: the provider refuses, or is down.
        """
        metadata = await self.metadata()

        def make(client: Client) -> Call:
            return exchange_call(metadata, client, subject_token, target)

        answer = await self._calls.send(make, endpoint="token", dpop_key=dpop_key)
        return read_refresh_answer(answer, token_type=_type_for(dpop_key))

    async def revoke(self, refresh_token: str, *, dpop_key: DPoPKey | None = None) -> None:
        """Revoke a refresh token if the provider has a revocation endpoint (RFC 7009).

        The proof is one that no specification asks for; Keycloak's policies for DPoP do.

        Raises:
            ProviderError: the provider refuses, or is down.
        """
        metadata = await self.metadata()
        url = metadata.revocation_endpoint
        if url is None:
            return

        def make(client: Client) -> Call:
            return revocation_call(metadata, client, refresh_token, url=url)

        check_revocation_answer(await self._calls.send(make, endpoint="revocation", dpop_key=dpop_key))

    async def end_session_endpoint(self) -> str | None:
        """Return where a browser signs out at the provider; None if it cannot. Errors as in `metadata`."""
        return (await self.metadata()).end_session_endpoint

    def decrypted(self, answer: AnswerWithTokens) -> AnswerWithTokens:
        """Return the answer of the token endpoint with its ID Token decrypted, if it is encrypted; still unverified.

        The signed JWT is what a session keeps, and a sign-out sends as the hint (OIDC Core §3.1.2.1). Errors as there.
        """
        if answer.id_token is None:
            return answer
        return replace(answer, id_token=self._tokens.signed_id_token(answer.id_token))

    async def identify(self, tokens: TokenAnswer, requested: RequestedLogin) -> dict[str, object]:
        """Verify signature and claims of the ID Token; return its claims.

        Raises:
            TokenRejected: it fails a check.
            ProviderError: no keys are cached, and they cannot be fetched.
        """
        return await self._tokens.id_token_claims(tokens, requested)

    async def refreshed_claims(self, answer: RefreshAnswer, first: FirstTokens) -> dict[str, object]:
        """Verify the ID Token of a refresh and return its claims, none if it has no ID Token (OIDC Core §12.2).

        Errors as in `identify`.
        """
        return await self._tokens.refreshed_claims(answer, first)

    async def check_logout_token(self, token: str) -> Logout:
        """Verify signature and claims of a logout token; return what it signs out. Errors as in `identify`."""
        return await self._tokens.check_logout_token(token)

    def issues(self, issuer: str) -> bool:
        """Return whether this is the issuer of the provider's tokens, or that of one of its tenants, exactly."""
        return self.settings.has_issuer(issuer)

    async def check_bearer_token(self, token: str, expected: ExpectedToken) -> AccessToken:
        """Verify signature and claims of a JWT that a request has sent. Errors as in `identify`."""
        return await self._tokens.check_bearer_token(token, expected)

    async def introspect(self, token: str, expected: ExpectedToken) -> AccessToken:
        """Ask the provider about an access token that a request has sent.

        Raises:
            TokenRejected: it is not active or fails a check; `introspection_unsupported` if there is no way to ask.
            ProviderError: the provider refuses, is down, or its answer cannot be used.
        """
        return await self._introspection.introspect(token, expected)

    async def access_token_claims(self, token: str, *, issuer: str, sub: str) -> dict[str, object] | None:
        """Verify an access token and return its claims about the user; None if `claims_from_access_token` is off.

        Args:
            issuer: the `iss` of the login's ID Token.
            sub: its `sub`.

        Errors as in `identify`.
        """
        return await self._tokens.access_token_claims(token, issuer=issuer, sub=sub)

    async def complete_claims(
        self, claims: Claims, tokens: TokenAnswer, *, scope: str, dpop_key: DPoPKey | None = None
    ) -> UserClaims:
        """Add the claims of the access token, and of userinfo, if the settings, the scopes or the rules ask for them.

        Raises:
            TokenRejected: the access token fails a check, or userinfo is about another user.
            ProviderError: userinfo was needed, and its answer is an error or unusable.
        """
        if tokens.access_token is None:
            return UserClaims(dict(claims))
        issuer, sub = str(claims["iss"]), str(claims["sub"])
        further = await self.access_token_claims(tokens.access_token, issuer=issuer, sub=sub) or {}
        completed = await self._userinfo.complete_claims(
            claims, tokens.access_token, dpop_key, scope=scope, access_token_claims=further
        )
        merged = merge_claims(completed, further)
        return UserClaims(merged, from_access_token=merged.keys() - completed.keys())

    async def confirm(self, access_token: str, *, issuer: str, sub: str, dpop_key: DPoPKey | None = None) -> Claims:
        """Ask the introspection endpoint, or else the userinfo endpoint, about an access token of a session."""
        return await self._confirmation.confirm(access_token, dpop_key, issuer=issuer, sub=sub)


def _type_for(dpop_key: DPoPKey | None) -> str:
    return BEARER if dpop_key is None else DPOP
