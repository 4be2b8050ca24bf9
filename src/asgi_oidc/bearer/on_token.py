"""Calls the app's `on_token` hook, which may change the claims of a new token or refuse it, but not change its user."""

import copy
from typing import Any

from asgi_oidc.login.claims_hook import Hook, claims_from_hook
from asgi_oidc.principal import BearerUser
from asgi_oidc.protocol.bearer_token import AccessToken
from asgi_oidc.protocol.claim_mapping import ALL_CLAIMS, ClaimMapping

ON_TOKEN_DEADLINE = 10.0  # seconds; all requests with the token wait for it


class OnToken:
    """Calls the app's `on_token` hook, and handles everything that may go wrong in it."""

    __slots__ = ("_claim_mapping", "_hook", "_trusted_email_domains")

    def __init__(
        self, hook: Hook | None, *, trusted_email_domains: frozenset[str], claim_mapping: ClaimMapping = ALL_CLAIMS
    ) -> None:
        self._hook = hook
        self._claim_mapping = claim_mapping
        self._trusted_email_domains = trusted_email_domains

    @property
    def is_set(self) -> bool:
        """Whether the app has one."""
        return self._hook is not None

    async def admit(self, token: AccessToken, *, provider: str) -> dict[str, Any]:
        """Return the claims as the hook has changed them.

        Args:
            provider: the name of the provider in the settings.

        Raises:
            LoginRefused: the hook refuses the token.
            OIDCError: the hook failed, took too long, or tried to change `iss` or `sub`.
        """
        hook = self._hook
        claims = self._claim_mapping.apply(token.claims)
        if hook is None:
            return claims
        user = BearerUser(
            token.sub,
            token.issuer,
            copy.deepcopy(claims),
            trusted_email_domains=self._trusted_email_domains,
            provider=provider,
            client_id=token.client_id,
            is_machine=token.is_machine,
        )
        return await claims_from_hook(
            "on_token", hook, user, claims=claims, deadline=ON_TOKEN_DEADLINE, outcome="the token was refused"
        )
