"""Finds an app by name, as servers do, and the middlewares in it."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any, NamedTuple

from asgi_oidc.errors import SettingsError
from asgi_oidc.integrations.find_middlewares import middlewares
from asgi_oidc.middleware import OIDCMiddleware
from asgi_oidc.web.asgi_types import Receive, Scope, Send


class NoSuchApp(Exception):
    """There is no such app, or it has no `OIDCMiddleware`; the message tells which."""


class NoMiddleware(NoSuchApp):
    """The app has no `OIDCMiddleware`."""


class ImportFailed(Exception):
    """The app raised an exception when it was imported."""


class FoundApp(NamedTuple):
    """An app, and its middlewares, of which there is at least one."""

    app: Any
    middlewares: Sequence[OIDCMiddleware]


def find_middlewares(name: str, *, is_factory: bool = False) -> Sequence[OIDCMiddleware]:
    """Import an app, and find all middlewares in it; there is at least one. As in `find_app`."""
    return find_app(name, is_factory=is_factory).middlewares


def find_app(name: str, *, is_factory: bool = False) -> FoundApp:
    """Import an app, and find all middlewares in it.

    Args:
        name: the app, in the form that servers take: `package.module:app`.
        is_factory: whether it is a function that returns the app.

    Raises:
        NoSuchApp: there is no such app, or it has no middleware.
        SettingsError: the middleware's settings are invalid.
    """
    app = _call_factory(load(name), name) if is_factory else load(name)
    found = list(middlewares(app))
    if not found:
        may_be_factory = inspect.isfunction(app) and not inspect.iscoroutinefunction(app)
        if may_be_factory:
            raise NoSuchApp(f"{name} is a function: add --factory if it returns the app")
        raise NoMiddleware(
            f"{name} has no OIDCMiddleware around it, in its stack or on a mount, as far as can be seen from "
            "outside: name the middleware itself, such as package.module:guarded_app"
        )
    return FoundApp(app, found)


def import_app(name: str, *, is_factory: bool) -> FoundApp:
    """Import an app; whatever it raises becomes one exception, whose text shows the class and the line only.

    Raises:
        ImportFailed: the app raised an exception.
        NoSuchApp, SettingsError: as in `find_app`.
    """
    try:
        with redirect_stdout(sys.stderr):  # what an app prints must not stand in front of the JSON
            return find_app(name, is_factory=is_factory)
    except (NoSuchApp, SettingsError):
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001  # an app may raise anything
        last = traceback.extract_tb(error.__traceback__)[-1]
        missing = f" ({error.name})" if isinstance(error, ModuleNotFoundError) and error.name else ""
        raise ImportFailed(f"{type(error).__name__}{missing} at {last.filename}, line {last.lineno}") from None


async def no_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand for the app where only its settings count."""


def _call_factory(factory: Any, name: str) -> Any:
    try:
        inspect.signature(factory).bind()
    except (TypeError, ValueError):
        raise NoSuchApp(f"{name} must be a function that takes no arguments and returns an app") from None
    return factory()


def load(name: str) -> Any:
    """Import an app.

    Raises:
        NoSuchApp: the module or the app in it does not exist.
    """
    module_name, colon, attributes = name.partition(":")
    if not colon or not attributes:
        raise NoSuchApp(f"{name!r} does not name an app: write package.module:app")
    sys.path.insert(0, "")  # the current directory, where servers search for apps too
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{module_name}.".startswith(f"{exc.name}."):
            raise
        raise NoSuchApp(f"cannot find the module {exc.name!r} from here") from None
    finally:
        sys.path.remove("")
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            raise NoSuchApp(f"{module_name} has no {attributes!r}")
        found = getattr(found, attribute)
    return found
