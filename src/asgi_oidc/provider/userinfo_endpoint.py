"""Asks an OpenID provider about a user, with an access token (OIDC Core §5.3)."""

from collections.abc import Awaitable, Callable, Collection

from asgi_oidc import events
from asgi_oidc.errors import AnswerRejected, ProviderError
from asgi_oidc.protocol.claims import Claims
from asgi_oidc.protocol.dpop.make_proof import DPoPKey
from asgi_oidc.protocol.messages import Answer, check_status
from asgi_oidc.protocol.metadata import ProviderMetadata
from asgi_oidc.protocol.userinfo import lacks_claims, merge_userinfo, userinfo_call
from asgi_oidc.provider.dpop_calls import DPoPCalls
from asgi_oidc.provider.http import Http
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.provider.token_verifier import Expectations, TokenVerifier

REFUSALS = (401, 403)


class UserinfoEndpoint:
    """The userinfo endpoint of one provider."""

    __slots__ = ("_dpop", "_expectations", "_http", "_metadata", "_settings", "_tokens")

    def __init__(
        self,
        settings: ProviderSettings,
        expectations: Expectations,
        tokens: TokenVerifier,
        *,
        http: Http,
        dpop: DPoPCalls,
        metadata: Callable[[], Awaitable[ProviderMetadata]],
    ) -> None:
        """Prepare.

        Args:
            tokens: verifies signed answers.
            dpop: makes the calls with a token that is bound to a key.
            metadata: returns the provider's metadata, or raises `ProviderError`.
        """
        self._settings = settings
        self._expectations = expectations
        self._tokens = tokens
        self._http = http
        self._dpop = dpop
        self._metadata = metadata

    async def call(self, endpoint: str, access_token: str, dpop_key: DPoPKey | None) -> Answer:
        """Make the call.

        Args:
            dpop_key: the key that the token is bound to; None for a bearer token.

        Raises:
            ProviderError: no connection, no complete answer, or as in `DPoPCalls`.
        """
        if dpop_key is None:
            return await self._http.send(userinfo_call(endpoint, access_token), endpoint="userinfo")
        call = userinfo_call(endpoint, access_token, scheme="DPoP")
        return await self._dpop.send(lambda: call, endpoint="userinfo", key=dpop_key, access_token=access_token)

    async def complete_claims(
        self,
        claims: Claims,
        access_token: str,
        dpop_key: DPoPKey | None,
        *,
        scope: str,
        access_token_claims: Collection[str],
    ) -> dict[str, object]:
        """Add the claims of userinfo, unless the access token has those that are needed.

        Args:
            claims: those of the ID Token.
            scope: as granted.

        Raises:
            TokenRejected: userinfo is about another user, or fails another check.
            ProviderError: userinfo was needed, and its answer is an error or unusable.
        """
        userinfo_endpoint = (await self._metadata()).userinfo_endpoint
        setting, is_auto = self._settings.userinfo, self._settings.userinfo == "auto"
        named = [
            names for names in self._expectations.named_claims if not any(name in access_token_claims for name in names)
        ]
        lacks = lacks_claims(scope, claims, named=named)
        if setting == "never" or (is_auto and (userinfo_endpoint is None or not lacks)):
            return dict(claims)
        if userinfo_endpoint is None:
            detail = 'the setting userinfo is "always", but the metadata has no userinfo_endpoint'
            raise AnswerRejected("userinfo_unsupported", detail)
        try:
            answer = await self.call(userinfo_endpoint, access_token, dpop_key)
            if is_auto and answer.status in REFUSALS:
                check_status(answer, endpoint="userinfo")
        except ProviderError as error:
            if not is_auto or error.answer_status not in REFUSALS:
                raise
            # Often the access token is for another API (`resource`, `audience`).
            events.log(events.USERINFO_REFUSED, detail=error.detail, fallback="the claims of the ID Token")
            return dict(claims)
        userinfo, entra = await self._tokens.read_userinfo(answer, issuer=str(claims["iss"])), self._settings.entra
        if entra is not None:
            userinfo = entra.checked_userinfo(userinfo, tid=claims.get("tid"))
        return merge_userinfo(claims, userinfo)
