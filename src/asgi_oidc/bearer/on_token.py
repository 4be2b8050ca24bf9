"""Calls the app's `on_token` hook, which may change the claims of a new token or refuse it, but not change its user."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from asgi_oidc.errors import OIDCError
from asgi_oidc.login.on_login import HookClaims, is_cancelled
from asgi_oidc.principal import BearerUser
from asgi_oidc.protocol.bearer_token import AccessToken
from asgi_oidc.protocol.claims import without_stale_verification

ON_TOKEN_DEADLINE = 10.0  # seconds; all requests with the token wait for it

Hook = Callable[..., Awaitable[Mapping[str, Any] | None]]
"""Called with the user and the claims."""


class OnToken:
    """Calls the app's `on_token` hook, and handles everything that may go wrong in it."""

    __slots__ = ("_hook", "_trusted_email_domains")

    def __init__(self, hook: Hook | None, *, trusted_email_domains: frozenset[str]) -> None:
        self._hook = hook
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
        if hook is None:
            return token.claims
        claims = dict(token.claims)
        changed = HookClaims(copy.deepcopy(claims))
        user = BearerUser(
            token.sub,
            token.issuer,
            copy.deepcopy(claims),
            trusted_email_domains=self._trusted_email_domains,
            provider=provider,
            client_id=token.client_id,
            is_machine=token.is_machine,
        )
        try:
            with anyio.fail_after(ON_TOKEN_DEADLINE):
                returned = await hook(user, changed)
        except OIDCError:
            raise
        except Exception as exc:  # the app's own code may raise anything, and then the token does not count
            detail = f"on_token raised an exception, or took more than {ON_TOKEN_DEADLINE:g} s; the token was refused"
            raise OIDCError("on_token_failed", detail) from exc
        except asyncio.CancelledError as exc:
            if is_cancelled():
                raise
            raise OIDCError("on_token_failed", "on_token failed: a task that it awaited was cancelled") from exc
        admitted = changed if returned is None else returned
        if not isinstance(admitted, Mapping):
            raise OIDCError(
                "on_token_result", "on_token must return a mapping of claims, or None to keep those that it got"
            )
        if (admitted.get("iss"), admitted.get("sub")) != (claims.get("iss"), claims.get("sub")):
            raise OIDCError("on_token_identity", "on_token must not change iss or sub")
        return without_stale_verification(claims, admitted, set_by_app=changed.stated if admitted is changed else ())
