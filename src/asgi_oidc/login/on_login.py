"""The app's `on_login` hook: it may change the claims or refuse the login, but never change who the user is."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from asgi_oidc import events
from asgi_oidc.errors import OIDCError
from asgi_oidc.principal import User
from asgi_oidc.protocol.claims import is_true, without_stale_verification

ON_LOGIN_DEADLINE = 30.0  # seconds; a disconnecting browser does not cancel the hook, so nothing else would end it

Hook = Callable[[User, dict[str, Any]], Awaitable[Mapping[str, Any] | None]]


class HookClaims(dict[str, Any]):
    """The claims that `on_login` may change in place.

    Attributes:
        stated: names of the claims that it set, even to the same value.
    """

    def __init__(self, claims: Mapping[str, Any]) -> None:
        super().__init__(claims)
        self.stated: set[str] = set()

    def __setitem__(self, name: str, value: Any) -> None:
        self.stated.add(name)
        super().__setitem__(name, value)

    def update(self, *others: Any, **named: Any) -> None:
        """Set several."""
        for name, value in dict(*others, **named).items():
            self[name] = value

    def __ior__(self, others: Any) -> "HookClaims":  # type: ignore[override,misc]  # any mapping will do
        self.update(others)
        return self


class OnLogin:
    """The app's `on_login`, with everything that may go wrong in it."""

    __slots__ = ("_hook", "_trusted_email_domains")

    def __init__(self, hook: Hook | None, *, trusted_email_domains: frozenset[str]) -> None:
        self._hook = hook
        self._trusted_email_domains = trusted_email_domains

    async def admit(self, claims: dict[str, Any]) -> dict[str, Any]:
        """Return the claims as the hook leaves them.

        Raises:
            LoginRefused: the hook refuses the login.
            OIDCError: it failed, took too long, or tried to change who the user is.
        """
        hook = self._hook
        if hook is None:
            return claims
        changed = HookClaims(copy.deepcopy(claims))
        user = User(
            claims["sub"], claims["iss"], copy.deepcopy(claims), trusted_email_domains=self._trusted_email_domains
        )
        try:
            with anyio.fail_after(ON_LOGIN_DEADLINE):
                returned = await hook(user, changed)
        except OIDCError:
            raise
        except Exception as exc:  # the app's own code may raise anything, and then nobody is admitted
            raise OIDCError("on_login_failed", "on_login raised or took too long; nobody was signed in") from exc
        except asyncio.CancelledError as exc:
            if _is_cancelled():
                raise
            raise OIDCError("on_login_failed", "a task that on_login waited for was cancelled") from exc
        admitted = changed if returned is None else returned
        if not isinstance(admitted, Mapping):
            raise OIDCError("on_login_result", "on_login must return claims, or None to keep those it was given")
        if (admitted.get("iss"), admitted.get("sub")) != (claims["iss"], claims["sub"]):
            raise OIDCError("on_login_identity", "on_login must not change iss or sub")
        result = without_stale_verification(claims, admitted, stated=changed.stated if admitted is changed else ())
        for name in (name for name, value in admitted.items() if is_true(value) and not is_true(result.get(name))):
            events.log(
                events.CLAIM_DROPPED,
                claim=name,
                why="on_login changed the value that this claim verifies, but did not set the claim again",
            )
        return result


def _is_cancelled() -> bool:
    """Say whether this very task is cancelled, on asyncio: an inner one that was waited for raises the same."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # trio has an exception of its own for that
        return False
    return task is not None and task.cancelling() > 0
