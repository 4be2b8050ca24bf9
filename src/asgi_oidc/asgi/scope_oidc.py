"""`scope["oidc"]`: the session of a request, its tokens, and the URLs for signing in and out."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from asgi_oidc.bearer.challenges import Challenges
from asgi_oidc.bearer.token_exchange import TokenExchange
from asgi_oidc.errors import NotSignedIn
from asgi_oidc.login.endpoint_urls import EndpointUrls, with_return_to
from asgi_oidc.protocol.dpop.server_nonces import NONCE_HEADER
from asgi_oidc.protocol.step_up import AuthenticationRequest
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.sessions.lifetimes import Limits
from asgi_oidc.tokens.api_token import ApiCalls, ApiToken
from asgi_oidc.tokens.httpx_auth import GetToken, make_api_auth
from asgi_oidc.tokens.refresh import TokenRefresher
from asgi_oidc.tokens.resource_tokens import ResourceTokens
from asgi_oidc.web.request import Scope


class Access(Protocol):
    """What `OIDC` needs from the session of a signed-in user."""

    @property
    def id_token(self) -> str: ...

    @property
    def expires_at(self) -> int | None: ...

    @property
    def session_id(self) -> str | None: ...

    @property
    def authorization_details(self) -> list[dict[str, Any]]: ...

    def meets(self, authentication: AuthenticationRequest) -> bool: ...

    @property
    def token_type(self) -> str | None: ...

    async def access_token(self, *, resource: str | None = None, refused: ApiToken | None = None) -> ApiToken: ...

    async def exchange_token(
        self,
        *,
        audience: str | None = None,
        resource: str | None = None,
        scope: str | None = None,
        refused: ApiToken | None = None,
    ) -> ApiToken: ...

    async def client_tls_context(self) -> ssl.SSLContext: ...


TextOf = Callable[[str, Scope], str]
"""Returns a text of the pages by its id, in the language of the user of a scope."""


class OIDC:
    """The session of a request: `scope["oidc"]`."""

    __slots__ = ("_text", "_token_challenges", "_urls")

    def __init__(self, urls: EndpointUrls, text: TextOf, challenges: Challenges | None = None) -> None:
        """Stand for an anonymous user.

        Args:
            text: see `TextOf`.
            challenges: those for programs with access tokens; None if none are accepted.
        """
        self._urls = urls
        self._text = text
        self._token_challenges = challenges

    @property
    def _access(self) -> Access | None:
        """Access to the session; None because this class stands for an anonymous user."""
        return None

    def _title(self, text_id: str, scope: Scope) -> str:
        """Return the title of a problem, for the integrations: apps can replace it like those of the middleware."""
        return self._text(text_id, scope)

    @property
    def _challenges(self) -> Challenges | None:
        """The challenges for programs with access tokens, for the integrations."""
        return self._token_challenges

    @property
    def _scopes_of_path(self) -> Sequence[str]:
        """The scopes that the rules of this path require of an access token, for the integrations."""
        return ()

    def __repr__(self) -> str:
        return f"OIDC(is_authenticated={self._access is not None})"

    @property
    def id_token(self) -> str | None:
        """The newest ID Token, exactly as issued; None without a session, or if the session has none.

        Some providers issue none, and the setting `tokens` may leave it out.
        """
        return access.id_token or None if (access := self._access) else None

    @property
    def expires_at(self) -> int | None:
        """When the session ends if it stays unused, in seconds since the epoch; None if the user is not signed in.

        With an access token instead of a session, when that expires.
        """
        return access.expires_at if (access := self._access) else None

    @property
    def session_id(self) -> str | None:
        """The id of this session in `middleware.sessions`; it grants no access. None if there is no session."""
        return access.session_id if (access := self._access) else None

    @property
    def token_type(self) -> str | None:
        """How to send the session's access tokens: as `Bearer`, or as `DPoP` with a proof; None without a session.

        `httpx_auth` and `authorization_headers` do this for you.
        """
        return access.token_type if (access := self._access) else None

    @property
    def authorization_details(self) -> list[dict[str, Any]]:
        """The authorization details that were granted (RFC 9396), as new objects each time; empty if none were."""
        return access.authorization_details if (access := self._access) else []

    def meets(
        self,
        *,
        acr_values: Sequence[str] | None = None,
        max_age: int | None = None,
        authorization_details: Sequence[Mapping[str, Any]] | None = None,
    ) -> bool:
        """Return whether the user's login satisfies these requirements; False if the user is not signed in.

        It compares the claims that the provider signed, not what `on_login` changed.

        Args:
            acr_values: authentication contexts; the login must satisfy one of them (RFC 9470).
            max_age: how long ago the user may have signed in at the provider, in seconds.
            authorization_details: those that must have been granted, as in `Rule`.

        Raises:
            ValueError: no login can satisfy them.
        """
        authentication = self._urls.read_authentication(acr_values, max_age, authorization_details)
        return (access := self._access) is not None and access.meets(authentication)

    async def access_token(self, *, resource: str | None = None) -> str:
        """Return a valid access token for calls to other APIs; it is refreshed when less than a minute is left.

        Args:
            resource: URI of another API that the token is for (RFC 8707); this needs a refresh token.

        Raises:
            NotSignedIn: the user is not signed in; `SessionEnded` if the session ended during the request.
            AccessTokenExpired: it has expired, and there is no refresh token; the user has to sign in again.
            RefreshFailed: it has expired and cannot be refreshed right now.
            StoreUnavailable: it has expired and cannot be refreshed, because the session store is unavailable.
            TokenNotGranted: the provider gives no token for `resource`, or issued none at the login, or the setting
                `tokens` keeps none; always if the user came with an access token, which is for this app and no other:
                use `exchange_token`.
            ValueError: `resource` is not an absolute URI, or has a fragment.
        """
        return (await self._require_access().access_token(resource=resource)).value

    async def exchange_token(
        self, *, audience: str | None = None, resource: str | None = None, scope: str | None = None
    ) -> str:
        """Return an access token for another API, in exchange for the user's own (RFC 8693).

        Args:
            audience: name of the other API at the provider.
            resource: its URI.
            scope: scopes, separated by spaces; without it, the provider chooses.

        Raises:
            TokenNotGranted: the provider gives no token.
            OIDCError, ValueError: as for `access_token`.
        """
        token = await self._require_access().exchange_token(audience=audience, resource=resource, scope=scope)
        return token.value

    def httpx_auth(
        self, *origins: str, resource: str | None = None, audience: str | None = None, scope: str | None = None
    ) -> httpx.Auth:
        """Return an `httpx.Auth` that sends the access token to these origins, and to no others.

        After a 401, the token is refreshed, and the request is sent once more. If the token is bound to a key, each
        request has a DPoP proof (RFC 9449), which is repeated once with the nonce that the API demands. It works with
        the async clients of httpx and httpx2.

        Args:
            origins: such as `https://api.example.com`.
            resource: as for `access_token`.
            audience: sends a token from `exchange_token` instead.
            scope: only with `audience`.

        Raises:
            NotSignedIn: the user is not signed in.
            ValueError: no origin is given, or a token must not be sent to one of them.
        """
        return make_api_auth(origins, self._token_source(resource, audience, scope), self._api_calls)

    async def authorization_headers(
        self,
        method: str,
        url: str,
        *,
        resource: str | None = None,
        audience: str | None = None,
        scope: str | None = None,
        nonce: str | None = None,
    ) -> dict[str, str]:
        """Return the headers that authorize one request to an API, for HTTP clients other than httpx.

        They are `Authorization` and, if the token is bound to a key, `DPoP` with a proof for this method and URL
        (RFC 9449): call this for each request anew, and follow no redirects with these headers.

        Args:
            method: of the request, such as `GET`.
            url: its URL.
            resource, audience, scope: as for `httpx_auth`.
            nonce: the header `DPoP-Nonce` of the latest response of this API, if it had one. A 401 with the error
                `use_dpop_nonce` asks for the same request again with that nonce.

        Raises:
            ValueError: the token must not be sent to this URL.
            OIDCError: as for `access_token`.
        """
        origin = origin_of(check_url(url.partition("#")[0].partition("?")[0]))
        token, calls = await self._token_source(resource, audience, scope)(), self._api_calls
        if nonce is not None:
            calls.learn(origin, {NONCE_HEADER: nonce})
        proof = calls.proof(token, method.upper(), url, nonce=calls.nonce(origin))
        headers = {"Authorization": f"{token.scheme} {token.value}"}
        return headers if proof is None else {**headers, "DPoP": proof}

    def _token_source(self, resource: str | None, audience: str | None, scope: str | None) -> GetToken:
        access = self._require_access()

        async def get_token(refused: ApiToken | None = None) -> ApiToken:
            if audience is None:
                return await access.access_token(resource=resource, refused=refused)
            return await access.exchange_token(audience=audience, resource=resource, scope=scope, refused=refused)

        if scope is not None and audience is None:
            raise ValueError("scope is only valid with audience: the session's own token has the scopes of the login")
        return get_token

    @property
    def _api_calls(self) -> ApiCalls:
        """What makes the headers of calls to APIs; only a signed-in user has it."""
        raise NotSignedIn(detail="the user of this request is not signed in")

    async def client_tls_context(self) -> ssl.SSLContext:
        """Return a TLS context that presents `client_certificate` to other APIs (RFC 8705 §3).

            client = httpx.AsyncClient(verify=await scope["oidc"].client_tls_context())

        Call it for each request: a renewed certificate has a new context. It trusts the same CAs as httpx.

        Raises:
            NotSignedIn: the user is not signed in; `SessionEnded` if the app does not have the provider any more.
            OIDCError: the provider cannot be looked up, or `SSL_CERT_FILE` is invalid.
        """
        return await self._require_access().client_tls_context()

    def _require_access(self) -> Access:
        access = self._access
        if access is None:
            raise NotSignedIn(detail="the user of this request is not signed in")
        return access

    @property
    def base_path(self) -> str:
        """The path of `base_url` without a trailing `/`: what precedes the app's own paths in the browser's address."""
        return self._urls.base_path

    def login_url(
        self,
        return_to: str | None = None,
        *,
        provider: str | None = None,
        acr_values: Sequence[str] | None = None,
        max_age: int | None = None,
        params: Mapping[str, str | int | Sequence[str]] | None = None,
        authorization_details: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        """Return the URL that starts a login, even if the user is already signed in.

        Args:
            return_to: path on this site to come back to, with query and fragment; by default, the start page.
            provider: name of the provider to sign in at, as in the setting `providers`; by default, the user chooses.
            acr_values: authentication contexts; the login must satisfy one of them (RFC 9470).
            max_age: how long ago the user may have signed in at the provider, in seconds.
            params: further parameters of the authorization request, such as `{"login_hint": "alice@example.com"}`. They
                are encrypted in the URL, so that the browser cannot change them, and are valid for 12 hours.
            authorization_details: what the user is asked to authorize (RFC 9396), beyond the setting of that name.

        Raises:
            ValueError: no login can satisfy them, the middleware sets such a parameter itself, or no provider has that
                name.
        """
        self._urls.check_provider(provider)
        authentication = self._urls.read_request(acr_values, max_age, params, authorization_details)
        return self._urls.login_for(authentication, return_to, provider=provider)

    def logout_url(self, return_to: str | None = None) -> str:
        """Return the URL that signs out: send a form to it with POST, or link to it from a page of this site.

        Args:
            return_to: path on this site where the browser ends up; by default, `post_logout_redirect_uri`.
        """
        return with_return_to(self._urls.logout, return_to)


@dataclass(frozen=True, slots=True, repr=False)
class SessionTools:
    """What `scope["oidc"]` needs, the same for all requests.

    Attributes:
        name_session: turns the secret session id into the public one of `middleware.sessions`, which grants no access.
        leeway: seconds of clock skew allowed.
        text: see `TextOf`.
        api_calls: makes the headers of calls to APIs.
        challenges, token_exchange: for programs with access tokens; None if none are accepted.
    """

    urls: EndpointUrls
    refresher: TokenRefresher
    resource_tokens: ResourceTokens
    limits: Limits
    name_session: Callable[[str], str]
    leeway: int
    text: TextOf
    now: Callable[[], int]
    api_calls: ApiCalls
    challenges: Challenges | None = None
    token_exchange: TokenExchange | None = None


def reveal(token: ApiToken | None) -> str | None:
    """Return the token itself."""
    return None if token is None else token.value
