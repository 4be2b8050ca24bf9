"""Asks an OpenID provider whether a session is still valid, with the access token of the session."""

from collections.abc import Awaitable, Callable

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.claims import Claims
from asgi_oidc.protocol.dpop.make_proof import DPoPKey
from asgi_oidc.protocol.metadata import ProviderMetadata
from asgi_oidc.protocol.userinfo import check_token_accepted, merge_userinfo
from asgi_oidc.provider.token_introspection import TokenIntrospection
from asgi_oidc.provider.token_verifier import TokenVerifier
from asgi_oidc.provider.userinfo_endpoint import UserinfoEndpoint


class SessionConfirmation:
    """Asks by introspection (RFC 7662), else at the userinfo endpoint (OIDC Core §5.3)."""

    __slots__ = ("_has_claims", "_introspection", "_metadata", "_tokens", "_userinfo")

    def __init__(
        self,
        introspection: TokenIntrospection,
        tokens: TokenVerifier,
        userinfo: UserinfoEndpoint,
        *,
        metadata: Callable[[], Awaitable[ProviderMetadata]],
        has_claims: bool,
    ) -> None:
        """Prepare.

        Args:
            metadata: returns the provider's metadata, or raises `ProviderError`.
            has_claims: whether the claims of userinfo count without the ID Token; at Entra, they need its tenant.
        """
        self._introspection = introspection
        self._tokens = tokens
        self._userinfo = userinfo
        self._metadata = metadata
        self._has_claims = has_claims

    async def confirm(self, access_token: str, dpop_key: DPoPKey | None, *, issuer: str, sub: str) -> Claims:
        """Ask about an access token; see `ProviderConnection.confirm`.

        Raises:
            TokenRejected: `session_over`; `recheck_impossible`; or userinfo is about another user.
            ProviderError: neither endpoint says whether the token is valid.
        """
        if await self._introspection.confirms(access_token):
            return {}
        userinfo_endpoint = (await self._metadata()).userinfo_endpoint
        if userinfo_endpoint is None:
            detail = "the provider has neither an introspection endpoint for this client nor a userinfo endpoint"
            raise TokenRejected("recheck_impossible", detail)
        answer = await self._userinfo.call(userinfo_endpoint, access_token, dpop_key)
        check_token_accepted(answer)
        user = {"iss": issuer, "sub": sub}
        claims = merge_userinfo(user, await self._tokens.read_userinfo(answer, issuer=issuer))
        return {name: claims[name] for name in claims if name not in user} if self._has_claims else {}
