"""Tokens for other APIs in exchange for the access token of a request, on behalf of its user (RFC 8693).

The provider decides whose tokens it exchanges, and for which API; those of clients that act for no user are included.
A token that is bound to a key of the caller (DPoP) is exchanged without proof of that key, which only the caller has.
If the setting `dpop` asks for it, the new token is bound to a new key of ours, which is kept with it.
"""

from collections.abc import Callable
from hashlib import sha256

from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.bearer.authentication import TokenAuthenticator
from asgi_oidc.errors import SessionEnded
from asgi_oidc.protocol.token_exchange import ExchangeTarget
from asgi_oidc.tokens.api_token import ApiToken
from asgi_oidc.tokens.api_tokens import ApiTokens, IssuedToken, exchange


class TokenExchange:
    """Exchanges access tokens; bounded, and apart from what sessions have cached."""

    __slots__ = ("_authenticator", "_tokens")

    def __init__(self, authenticator: TokenAuthenticator, *, now: Callable[[], int]) -> None:
        self._authenticator = authenticator
        self._tokens = ApiTokens(now=now)

    async def drained(self) -> None:
        """Wait until no token call is under way."""
        await self._tokens.drained()

    async def exchanged_token(
        self, active: ActiveToken, target: ExchangeTarget, *, refused: str | None = None
    ) -> ApiToken:
        """Return an access token in exchange for that of a request.

        Args:
            refused: a token that the API refused although it has not expired.

        Raises:
            TokenNotGranted: the provider grants no token.
            RefreshFailed: the provider is down, or its answer is unusable.
            SessionEnded: the token of the request expired or was revoked in the meantime.
        """

        async def call() -> IssuedToken:
            dpop_key = await active.connection.dpop_key()
            answer = await active.connection.exchange_token(active.token, target, dpop_key=dpop_key)
            return IssuedToken(answer, "" if dpop_key is None else dpop_key.text)

        async def request_token() -> IssuedToken:
            return await exchange(call, provider=active.provider, issuer=active.user_id.issuer)

        async def check_owner() -> None:
            if self._authenticator.is_over(active):
                raise SessionEnded(detail="the access token expired or was revoked while the request was under way")

        # By hash: the cache keeps no token of others, and error reporters show the keys of mappings.
        owner = sha256(active.token.encode()).hexdigest()
        return await self._tokens.token(owner, target, request_token, check_owner=check_owner, refused=refused)
