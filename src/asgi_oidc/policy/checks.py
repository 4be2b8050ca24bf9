"""The app's own check of a rule: a function that decides whether a user may have a path."""

import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgi_oidc.errors import describe_value
from asgi_oidc.principal import User

Scope = MutableMapping[str, Any]
Check = Callable[[User, Scope], bool | Awaitable[bool]]
"""A check of the app; only the result True grants access."""


def read_check(check: object) -> Check:
    """Check a check of the app: a function of the user, or of the user and the ASGI scope; async or not.

    An optional second argument gets the scope only if it is named `scope`.

    Raises:
        ValueError: it is not such a function.
    """
    if not callable(check) or inspect.isclass(check):
        raise ValueError(
            f"must be a function of the user, or of the user and the ASGI scope, got {describe_value(check)}"
        )
    if _takes(check, 2) and (not _takes(check, 1) or "scope" in inspect.signature(check).parameters):
        return check
    if _takes(check, 1):
        return lambda user, scope: check(user)
    raise ValueError("must take one argument, the user, or two, the user and the ASGI scope")


async def passes(check: Check, user: User, scope: Scope) -> bool:
    """Call a check of the app, and return whether it grants access; its exceptions propagate."""
    result = check(user, scope)
    return (await result if inspect.isawaitable(result) else result) is True


def _takes(check: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(check).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True
