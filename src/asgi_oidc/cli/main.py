"""The command line: reads the arguments, runs the subcommand, returns the exit status."""

import argparse
import logging
import sys
from collections.abc import Sequence

from asgi_oidc import __version__
from asgi_oidc.errors import SettingsError
from asgi_oidc.events import logger

MAX_PORT = 65_535

_SILENT = logging.NullHandler()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: without the program's name; by default those of the shell.

    Returns:
        The exit status: 0 on success, 1 on failure.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.exit(2, parser.format_help())
    if options.command == "rules":
        return _rules(options)
    return _demo(app_port=options.port, provider_port=options.provider_port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="asgi-oidc", description="Sign-in with OpenID Connect for any ASGI app.")
    parser.add_argument("--version", action="version", version=f"asgi-oidc {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="command")
    demo = commands.add_parser(
        "demo",
        help="try it: an app with sign-in at three fake providers, all on this machine",
        description="Start an app with sign-in at three fake providers, and print the app's address. "
        "All listen on 127.0.0.1 only. Ctrl-C ends them.",
    )
    for name, default, whose in (("--port", 8000, "the app"), ("--provider-port", 9400, "the fake providers")):
        demo.add_argument(
            name,
            type=_port,
            default=default,
            metavar="PORT",
            help=f"the port of {whose} (default {default}; 0 chooses a free port)",
        )
    rules = commands.add_parser(
        "rules",
        help="show what an app's middleware decides about a path, and why",
        description="Import an app as a server does, and show what its OIDCMiddleware decides about a path: who has "
        "access, by which pattern or rule, and what all others get. Without a path, list all patterns and rules. The "
        "exit status is 1 if the settings are invalid or there is no middleware, so it can be used as a check in CI.",
    )
    rules.add_argument("app", help="the app, as package.module:app")
    rules.add_argument("path", nargs="?", help="a path as in the browser's address bar, such as /admin/users")
    rules.add_argument(
        "--factory", action="store_true", help="call package.module:create_app to get the app, as uvicorn does"
    )
    rules.add_argument("--method", default="GET", help="the HTTP method, or WEBSOCKET (default GET)")
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: expected a number from 0 to {MAX_PORT}")
    return int(text)


def _demo(*, app_port: int, provider_port: int) -> int:
    try:
        from asgi_oidc.cli.demo import PortTaken, run_demo
    except ModuleNotFoundError as exc:
        if exc.name != "uvicorn":
            raise
        return _fail("the demo needs uvicorn: pip install 'asgi-oidc[cli]'")
    try:
        run_demo(app_port=app_port, provider_port=provider_port)
    except PortTaken as taken:
        return _fail(str(taken))
    except KeyboardInterrupt:  # Ctrl-C before our signal handlers were set
        return 0
    return 0


def _rules(options: argparse.Namespace) -> int:
    from asgi_oidc.cli.rules import NoSuchApp, explain_rules

    logger.addHandler(_SILENT)  # the error itself is printed below
    try:
        print(explain_rules(options.app, options.path, options.method, is_factory=options.factory))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    except (NoSuchApp, ValueError) as error:
        return _fail(str(error))
    finally:
        logger.removeHandler(_SILENT)
    return 0


def _fail(problem: str) -> int:
    print(f"asgi-oidc: {problem}", file=sys.stderr)
    return 1
