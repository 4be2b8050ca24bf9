"""Calls a hook of the app that may change the claims of a user or refuse the user, but not change who it is."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from asgi_oidc import events
from asgi_oidc.errors import OIDCError
from asgi_oidc.errors.cancelled import is_cancelled
from asgi_oidc.principal import User
from asgi_oidc.protocol.claims import is_true, without_stale_verification

Hook = Callable[..., Awaitable[Mapping[str, Any] | None]]
"""Called with the user and the claims; changes the claims, or returns others."""


class HookClaims(dict[str, Any]):
    """The claims that a hook may change in place.

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


async def claims_from_hook(
    name: str, hook: Hook, user: User, *, claims: dict[str, Any], deadline: float, outcome: str, **further: object
) -> dict[str, Any]:
    """Return the claims of a user as a hook has changed them.

    Args:
        name: of the setting; the codes of its errors begin with it.
        user: made from a copy of the claims, which the hook may spoil.
        deadline: in seconds.
        outcome: what a failure leads to, for the log.
        further: keywords for the hook.

    Raises:
        LoginRefused: the hook refuses the user.
        OIDCError: the hook failed, took too long, or tried to change `iss` or `sub`.
    """
    changed = HookClaims(copy.deepcopy(claims))
    try:
        with anyio.fail_after(deadline):
            returned = await hook(user, changed, **further)
    except OIDCError:
        raise
    except Exception as exc:  # the app's own code may raise anything, and then the user does not get in
        detail = f"{name} raised an exception, or took more than {deadline:g} s; {outcome}"
        raise OIDCError(f"{name}_failed", detail) from exc
    except asyncio.CancelledError as exc:
        if is_cancelled():
            raise
        raise OIDCError(f"{name}_failed", f"{name} failed: a task that it awaited was cancelled") from exc
    admitted = changed if returned is None else returned
    if not isinstance(admitted, Mapping):
        raise OIDCError(f"{name}_result", f"{name} must return a mapping of claims, or None to keep those that it got")
    if any(admitted.get(claim) != claims.get(claim) for claim in ("iss", "sub")):
        raise OIDCError(f"{name}_identity", f"{name} must not change iss or sub")
    result = without_stale_verification(claims, admitted, set_by_app=changed.stated if admitted is changed else ())
    _log_dropped(name, admitted, result)
    return result


def _log_dropped(name: str, admitted: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    for claim in (claim for claim, value in admitted.items() if is_true(value) and not is_true(result.get(claim))):
        events.log(
            events.CLAIM_DROPPED,
            claim=claim,
            why=f"{name} changed the value that this claim verifies, but did not set the claim again",
        )
