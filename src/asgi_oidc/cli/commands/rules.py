"""`asgi-oidc rules`: what an app's middleware decides about a path, and why."""

import argparse
import logging
import os
import sys
from pathlib import Path

from asgi_oidc.cli.arguments import add_app_arguments, add_env_file_argument, fail
from asgi_oidc.errors import SettingsError
from asgi_oidc.events import logger

HELP = "show what an app's middleware decides about a path, and why"
DESCRIPTION = (
    "Import an app as a server does, and show what its OIDCMiddleware decides about a path: who has "
    "access, by which pattern or rule, and what all others get. Without a path, list all patterns and rules. The "
    "exit status is 1 if the settings are invalid or there is no middleware, so it can be used as a check in CI."
)

_SILENT = logging.NullHandler()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    add_app_arguments(parser)
    parser.add_argument("path", nargs="?", help="a path as in the browser's address bar, such as /admin/users")
    parser.add_argument("--method", default="GET", help="the HTTP method, or WEBSOCKET (default GET)")
    add_env_file_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Print the explanation; the status is 1 if there is none."""
    from asgi_oidc.cli.env_file import UNREAD, add_variables, is_unread
    from asgi_oidc.cli.find_app import NoSuchApp

    try:
        if options.env_file is not None:
            add_variables(Path(options.env_file), os.environ)
    except (OSError, ValueError) as error:
        return fail(f"--env-file {options.env_file}: {getattr(error, 'strerror', None) or error}")
    logger.addHandler(_SILENT)  # the error itself is printed below
    try:
        print(_explain(options.app, options.path, options.method, is_factory=options.factory))
    except SettingsError as error:
        print(error, file=sys.stderr)
        if is_unread(options.env_file, error):
            print(f"{UNREAD} was not read: add --env-file {UNREAD}", file=sys.stderr)
        return 1
    except (NoSuchApp, ValueError) as error:
        return fail(str(error))
    finally:
        logger.removeHandler(_SILENT)
    return 0


def _explain(name: str, path: str | None, method: str, *, is_factory: bool) -> str:
    """Explain one path, or list all rules, of each middleware in an app.

    Raises:
        NoSuchApp: there is no such app, it has no middleware, or `path` is not below it.
        SettingsError: the middleware's settings are invalid.
        ValueError: `method` is not an HTTP method.
    """
    from asgi_oidc.cli.find_app import NoSuchApp, find_middlewares

    found = find_middlewares(name, is_factory=is_factory)
    if path is None:
        return "\n\n".join(middleware.explain_all() for middleware in found)
    if not path.startswith(("/", "https://", "http://")):
        raise NoSuchApp(f"{path!r} is not a path: start it with '/'")
    covering = [middleware for middleware in found if middleware.covers(path)]
    if not covering:
        raise NoSuchApp(f"{path} is not below {', '.join(middleware.base_url for middleware in found)}")
    return "\n\n".join(f"{middleware.base_url}: {middleware.explain(path, method)}" for middleware in covering)
