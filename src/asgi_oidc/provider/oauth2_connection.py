"""A provider with plain OAuth 2.0: its user API, called with the access token of the login, returns the user.

An access token may have been issued to any client, so it identifies a user only if this app has just received it for
its own code. Other tokens, ID Tokens included, are never used for that (RFC 6749 §10.16; OIDC Core §16.11).
"""

from collections.abc import Callable, Sequence

from asgi_oidc.errors import ProviderError, ProviderUnsupported, TokenRejected
from asgi_oidc.protocol.authorization_endpoint import (
    AuthorizationResponse,
    Proofs,
    authorization_parameters,
    authorization_url,
    check_response_issuer,
)
from asgi_oidc.protocol.bearer_token import AccessToken, ExpectedToken
from asgi_oidc.protocol.claims import Claims
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.dpop.make_proof import DPoPKey
from asgi_oidc.protocol.logout_token import Logout
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.protocol.metadata import ServerMetadata
from asgi_oidc.protocol.step_up import ANOTHER_ACCOUNT, AuthenticationRequest, joined_prompt
from asgi_oidc.protocol.token_endpoint import (
    RefreshAnswer,
    TokenAnswer,
    read_oauth2_refresh_answer,
    read_oauth2_token_answer,
    refresh_call,
    token_call,
)
from asgi_oidc.protocol.token_exchange import ExchangeTarget, exchange_call
from asgi_oidc.protocol.token_revocation import check_revocation_answer, revocation_call
from asgi_oidc.protocol.user_api import read_emails_answer, read_user_answer, user_api_call, with_verified_email
from asgi_oidc.provider.client_calls import ClientCalls
from asgi_oidc.provider.connection import (
    FirstTokens,
    ProviderConnection,
    RequestedLogin,
    UserClaims,
    remaining_refresh_token,
)
from asgi_oidc.provider.http import Http
from asgi_oidc.provider.oauth2_settings import OAuth2Settings
from asgi_oidc.provider.provider_settings import ProviderSettings


class OAuth2Connection(ProviderConnection):
    """The connection to a provider without OpenID Connect. Its tokens are never bound to a key: there is none."""

    settings: OAuth2Settings

    def __init__(self, settings: OAuth2Settings, http: Http, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.http = http
        self._calls = ClientCalls(http, settings.client, issuer=settings.issuer, clock=clock)
        self._metadata = ServerMetadata(
            issuer=settings.response_issuer or settings.issuer,
            authorization_endpoint=settings.authorization_endpoint,
            token_endpoint=settings.token_endpoint,
            revocation_endpoint=settings.revocation_endpoint,
        )
        self._endpoints_digest = settings.endpoints_digest  # requests with a session need it
        self._rotates_refresh_tokens = True  # assumed until an answer shows that it does not

    def replace_settings(self, settings: ProviderSettings) -> None:
        """Use another client secret for the next calls."""
        if isinstance(settings, OAuth2Settings):
            self.settings = settings
            self._calls.replace_client(settings.client)

    async def prepare(self) -> None:
        """Do nothing: the settings contain all endpoints."""

    async def fetch_what_is_due(self) -> None:
        """Do nothing: there is neither metadata nor a key."""

    def metadata_check(self) -> None:
        """Return None: there is no metadata."""

    def keys_check(self) -> None:
        """Return None: there are no keys."""

    async def authorization_url(
        self, proofs: Proofs, *, redirect_uri: str, authentication: AuthenticationRequest
    ) -> str:
        """Return the URL of an authorization request, with state and PKCE; there is no ID Token for a nonce.

        Raises:
            ProviderUnsupported: the login has to satisfy `acr_values` or `max_age`.
        """
        settings = self.settings
        self._check_no_step_up(bool(authentication.acr_values) or authentication.max_age is not None)
        parameters = authorization_parameters(
            settings.client,
            proofs,
            redirect_uri=redirect_uri,
            scope=settings.scope,
            extra=_parameters(settings, authentication),
            uses_nonce=False,
        )
        return authorization_url(self._metadata, parameters)

    async def check_response(self, response: AuthorizationResponse) -> None:
        """Refuse a response whose `iss` is not that of the settings; without that setting, `iss` means nothing here."""
        if self.settings.response_issuer is not None:
            check_response_issuer(response, self._metadata)

    async def verify_response(self, token: str, *, fetches_keys: bool = True) -> AuthorizationResponse:
        """Refuse it: there are no keys to verify it with.

        Raises:
            TokenRejected: always.
        """
        raise TokenRejected("response_mode", "a provider without OpenID Connect has no signed responses")

    def issued(self, issuer: str, *, first: Claims, endpoints_digest: str) -> bool:
        """Return whether a login took place at this provider, for this client."""
        is_ours = endpoints_digest == self._endpoints_digest and first.get("aud") == self.settings.client.client_id
        return is_ours and issuer == self.settings.issuer

    async def exchange_code(
        self, code: str, *, code_verifier: str, redirect_uri: str, dpop_key: DPoPKey | None = None
    ) -> TokenAnswer:
        """Exchange an authorization code for tokens.

        Raises:
            ProviderError: the provider refuses, or is down.
        """

        def make(client: Client) -> Call:
            return token_call(self._metadata, client, code=code, code_verifier=code_verifier, redirect_uri=redirect_uri)

        return read_oauth2_token_answer(await self._calls.send(make, endpoint="token"))

    async def identify(self, tokens: TokenAnswer, requested: RequestedLogin) -> dict[str, object]:
        """Ask the user API who has signed in.

        Raises:
            AnswerRejected: `user_api_subject` if its answer has no usable id.
            ProviderError: it refuses, or is down.
        """
        self._check_no_step_up(bool(requested.acr_values) or requested.max_age is not None)
        user = self._read_user(await self._call_user_api(self.settings.user_api.endpoint, tokens.access_token))
        return {"iss": self.settings.issuer, "aud": self.settings.client.client_id, **user}

    async def complete_claims(
        self, claims: Claims, tokens: TokenAnswer, *, scope: str, dpop_key: DPoPKey | None = None
    ) -> UserClaims:
        """Add the verified e-mail address, if the provider lists addresses at an endpoint of their own.

        Without the scope or the permission for it, the login continues without an address.

        Raises:
            ProviderError: the endpoint is down, or its answer is not a list.
        """
        return UserClaims(await self._with_address(claims, tokens.access_token))

    async def _with_address(self, claims: Claims, access_token: str | None) -> dict[str, object]:
        endpoint = self.settings.user_api.emails_endpoint
        if endpoint is None:
            return dict(claims)
        answer = await self._call_user_api(endpoint, access_token)
        email = None if answer.status in (403, 404) else read_emails_answer(answer)
        return with_verified_email(claims, email)

    async def refresh(
        self, refresh_token: str, *, resource: str | None = None, dpop_key: DPoPKey | None = None
    ) -> RefreshAnswer:
        """Exchange a refresh token for new tokens.

        Raises:
            ProviderError: the provider refuses, or is down.
        """

        def make(client: Client) -> Call:
            return refresh_call(self._metadata, client, refresh_token, resource=resource)

        answer = read_oauth2_refresh_answer(await self._calls.send(make, endpoint="token"))
        self._rotates_refresh_tokens = answer.refresh_token not in (None, refresh_token)
        return answer

    def remaining_refresh_token(self, error: ProviderError, refresh_token: str) -> str | None:
        """Return the refresh token that can still be used after a failed refresh; None if there is none."""
        return remaining_refresh_token(error, refresh_token, rotates=self._rotates_refresh_tokens)

    async def refreshed_claims(self, answer: RefreshAnswer, first: FirstTokens) -> dict[str, object]:
        """Return nothing: the user does not change at a refresh."""
        return {}

    async def access_token_claims(self, token: str, *, issuer: str, sub: str) -> None:
        """Return None: access tokens are opaque to clients (RFC 6749 §1.4)."""
        return

    async def confirm(self, access_token: str, *, issuer: str, sub: str, dpop_key: DPoPKey | None = None) -> Claims:
        """Ask the user API again, with the access token of the session.

        Raises:
            TokenRejected: `session_over`: it does not accept the token any more; `userinfo_sub`: another user.
            ProviderError: it gives another error, or is down.
        """
        answer = await self._call_user_api(self.settings.user_api.endpoint, access_token)
        if answer.status == 401:  # there is no standard for its error
            raise TokenRejected("session_over", "the user API does not accept the access token any more")
        user = self._read_user(answer)
        if user["sub"] != sub:
            raise TokenRejected("userinfo_sub", "expected the user of the login, got another one")
        return await self._with_address(user, access_token)

    async def exchange_token(
        self, subject_token: str, target: ExchangeTarget, *, dpop_key: DPoPKey | None = None
    ) -> RefreshAnswer:
        """Exchange an access token for one that another API accepts (RFC 8693).

        Raises:
            ProviderError: the provider refuses, or is down.
        """

        def make(client: Client) -> Call:
            return exchange_call(self._metadata, client, subject_token, target)

        return read_oauth2_refresh_answer(await self._calls.send(make, endpoint="token"))

    async def revoke(self, refresh_token: str, *, dpop_key: DPoPKey | None = None) -> None:
        """Revoke a refresh token if the settings name an endpoint for that (RFC 7009).

        Raises:
            ProviderError: the provider refuses, or is down.
        """
        url = self._metadata.revocation_endpoint
        if url is None:
            return

        def make(client: Client) -> Call:
            return revocation_call(self._metadata, client, refresh_token, url=url)

        check_revocation_answer(await self._calls.send(make, endpoint="revocation"))

    async def end_session_endpoint(self) -> None:
        """Return None: OAuth 2.0 has no sign-out, so it is local."""
        return

    async def check_logout_token(self, token: str) -> Logout:
        """Refuse every logout token: there is no key that could have signed one.

        Raises:
            TokenRejected: always.
        """
        raise TokenRejected("logout_token_unsupported", "a provider without OpenID Connect has no logout tokens")

    def issues(self, issuer: str) -> bool:
        """Return False: there is no key that could verify an access token."""
        return False

    async def check_bearer_token(self, token: str, expected: ExpectedToken) -> AccessToken:
        """Refuse every access token of a request: its user API tells neither the audience nor the client of a token.

        Raises:
            TokenRejected: always.
        """
        raise TokenRejected("bearer_unsupported", "access tokens of a provider without OpenID Connect are not accepted")

    async def introspect(self, token: str, expected: ExpectedToken) -> AccessToken:
        """Refuse every access token. Errors as in `check_bearer_token`."""
        return await self.check_bearer_token(token, expected)

    def _read_user(self, answer: Answer) -> dict[str, object]:
        user_api = self.settings.user_api
        return read_user_answer(
            answer,
            subject=user_api.subject,
            claims=user_api.claims,
            emails_are_verified=user_api.emails_are_verified,
        )

    async def _call_user_api(self, endpoint: str, access_token: str | None) -> Answer:
        user_api, secret = self.settings.user_api, self.settings.client.secret
        proof_of = secret if user_api.app_secret_proof else None
        # `read_oauth2_token_answer` has made sure that there is a token.
        call = user_api_call(endpoint, access_token or "", user_api.headers, app_secret=proof_of)
        return await self.http.send(call, endpoint="user_api")

    def _check_no_step_up(self, is_requested: bool) -> None:
        if is_requested:
            detail = f"{self.settings.name}: OAuth 2.0 says neither how nor when a user has signed in"
            raise ProviderUnsupported("step_up_unsupported", f"{detail}: use an OpenID provider for such a page")


def _parameters(settings: OAuth2Settings, authentication: AuthenticationRequest) -> dict[str, str | Sequence[str]]:
    always, prompt = settings.authorization_params, authentication.prompt
    parameters = {**always, **dict(authentication.params)}
    if prompt == ANOTHER_ACCOUNT:
        return {**parameters, **settings.another_account_params}
    if prompt is not None:
        parameters["prompt"] = joined_prompt(str(always.get("prompt", "")), prompt)
    return parameters
