"""Calls the app's `on_login` hook, which may change claims or refuse the login, but not change the user's identity."""

import asyncio
import copy
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from asgi_oidc import events
from asgi_oidc.errors import OIDCError
from asgi_oidc.principal import User
from asgi_oidc.protocol.claims import is_true, without_stale_verification

ON_LOGIN_DEADLINE = 30.0  # seconds; nothing else would end the hook, as a browser that disconnects does not cancel it

Hook = Callable[..., Awaitable[Mapping[str, Any] | None]]
"""Called with the user and the claims, and with `access_token=` if it has a parameter of that name."""


class HookClaims(dict[str, Any]):
    """The claims that `on_login` may change in place.

    Attributes:
        stated: names of the claims that the hook has set, even to the same value.
    """

    def __init__(self, claims: Mapping[str, Any]) -> None:
        super().__init__(claims)
        self.stated: set[str] = set()

    def __setitem__(self, name: str, value: Any) -> None:
        self.stated.add(name)
        super().__setitem__(name, value)

    def update(self, *others: Any, **named: Any) -> None:
        """Set several claims, as `dict.update` does."""
        for name, value in dict(*others, **named).items():
            self[name] = value

    def __ior__(self, others: Any) -> "HookClaims":  # type: ignore[override,misc]  # any mapping is accepted
        self.update(others)
        return self


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
        changed = HookClaims(copy.deepcopy(claims))
        user = User(
            claims["sub"],
            claims["iss"],
            copy.deepcopy(claims),
            trusted_email_domains=self._trusted_email_domains,
            provider=provider,
        )
        try:
            with anyio.fail_after(ON_LOGIN_DEADLINE):
                further = {"access_token": access_token} if self._takes_access_token else {}
                returned = await hook(user, changed, **further)
        except OIDCError:
            raise
        except Exception as exc:  # the app's own code may raise anything, and then the login fails
            detail = (
                f"on_login raised an exception, or took more than {ON_LOGIN_DEADLINE:g} s; the user is not signed in"
            )
            raise OIDCError("on_login_failed", detail) from exc
        except asyncio.CancelledError as exc:
            if is_cancelled():
                raise
            raise OIDCError("on_login_failed", "on_login failed: a task that it awaited was cancelled") from exc
        admitted = changed if returned is None else returned
        if not isinstance(admitted, Mapping):
            raise OIDCError(
                "on_login_result", "on_login must return a mapping of claims, or None to keep those that it got"
            )
        if (admitted.get("iss"), admitted.get("sub")) != (claims["iss"], claims["sub"]):
            raise OIDCError("on_login_identity", "on_login must not change iss or sub")
        result = without_stale_verification(claims, admitted, set_by_app=changed.stated if admitted is changed else ())
        for name in (name for name, value in admitted.items() if is_true(value) and not is_true(result.get(name))):
            events.log(
                events.CLAIM_DROPPED,
                claim=name,
                why="on_login changed the value that this claim verifies, but did not set the claim again",
            )
        return result


def takes_access_token(hook: Hook) -> bool:
    """Return whether a hook has a parameter `access_token`; others do not get the token."""
    try:
        parameter = inspect.signature(hook).parameters.get("access_token")
    except (TypeError, ValueError):  # a callable without a signature
        return False
    return parameter is not None and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)


def is_cancelled() -> bool:
    """Return whether this task is cancelled, on asyncio: awaiting another task that was cancelled raises the same."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # trio, which has an exception of its own for cancellation
        return False
    return task is not None and task.cancelling() > 0
