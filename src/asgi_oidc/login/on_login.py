"""Calls the app's `on_login` hook, which may change claims or refuse the login, but not change the user's identity."""

import copy
import inspect
from typing import Any

from asgi_oidc.login.claims_hook import Hook, claims_from_hook
from asgi_oidc.principal import User

ON_LOGIN_DEADLINE = 30.0  # seconds; nothing else would end the hook, as a browser that disconnects does not cancel it


class OnLogin:
    """Calls the app's `on_login` hook, and handles everything that may go wrong in it."""

    __slots__ = ("_hook", "_takes_access_token", "_trusted_email_domains")

    def __init__(self, hook: Hook | None, *, trusted_email_domains: frozenset[str]) -> None:
        self._hook = hook
        self._takes_access_token = hook is not None and takes_access_token(hook)
        self._trusted_email_domains = trusted_email_domains

    async def admit(self, claims: dict[str, Any], *, provider: str, access_token: str | None = None) -> dict[str, Any]:
        """Return the claims as the hook has changed them.

        Args:
            provider: the name of the provider in the settings.
            access_token: of the login, for hooks that call an API of the provider.

        Raises:
            LoginRefused: the hook refuses the login.
            OIDCError: the hook failed, took too long, or tried to change `iss` or `sub`.
        """
        hook = self._hook
        if hook is None:
            return claims
        user = User(
            claims["sub"],
            claims["iss"],
            copy.deepcopy(claims),
            trusted_email_domains=self._trusted_email_domains,
            provider=provider,
        )
        return await claims_from_hook(
            "on_login",
            hook,
            user,
            claims=claims,
            deadline=ON_LOGIN_DEADLINE,
            outcome="the user is not signed in",
            **({"access_token": access_token} if self._takes_access_token else {}),
        )


def takes_access_token(hook: Hook) -> bool:
    """Return whether a hook has a parameter `access_token`; others do not get the token."""
    try:
        parameter = inspect.signature(hook).parameters.get("access_token")
    except (TypeError, ValueError):  # a callable without a signature
        return False
    return parameter is not None and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
