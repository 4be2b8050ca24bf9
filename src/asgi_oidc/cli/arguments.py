"""What several subcommands need: ports, names of apps, and how they fail."""

import argparse
import sys

MAX_PORT = 65_535
# The client secret of `asgi-oidc provider`: that accepts connections from this machine only, where anyone may use it.
DEVELOPMENT_SECRET = "secret-for-development"  # noqa: S105  # no secret: see above
INTERRUPTED = 130  # exit status after Ctrl-C, as in shells


def read_port(text: str) -> int:
    """Read a port; 0 means any free one."""
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: expected a number from 0 to {MAX_PORT}")
    return int(text)


def add_app_arguments(parser: argparse.ArgumentParser, *, is_optional: bool = False) -> None:
    """Add the arguments that name an app, as servers take them."""
    parser.add_argument("app", nargs="?" if is_optional else None, help="the app, as package.module:app")
    parser.add_argument(
        "--factory", action="store_true", help="call package.module:create_app to get the app, as uvicorn does"
    )


def add_env_file_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a file of variables."""
    parser.add_argument("--env-file", metavar="FILE", help="read variables from a file of NAME=VALUE lines first")


def fail(problem: str) -> int:
    """Print a problem; return the exit status."""
    print(f"asgi-oidc: {problem}", file=sys.stderr)
    return 1
