"""`asgi-oidc register`: registers this client at the provider, and manages the registration."""

import argparse
import os
import sys
from pathlib import Path

from asgi_oidc.cli.arguments import INTERRUPTED, add_app_arguments, add_env_file_argument, fail

HELP = "register the app as a client at the provider, and print the values to keep"
DESCRIPTION = (
    "Register the app as a client at a provider that supports this (RFC 7591). URLs, keys, methods and algorithms come "
    "from the settings, which need no client_id yet. Without an app, the settings come from OIDC_... variables."
)
EPILOG = (
    "Prints the client_id, the secret if there is one, and what --show, --update and --delete need later, as lines of "
    "an environment file. Reports where the registration differs from the settings. Exit status: 0 if there is no "
    "difference, 1 if it failed or a difference makes logins fail or less secure, 2 if there are only warnings; 2 also "
    "if the arguments are wrong."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.epilog = EPILOG
    add_app_arguments(parser, is_optional=True)
    actions = parser.add_mutually_exclusive_group()
    for action, text in (
        ("show", "print the registration"),
        ("update", "replace the registration by what the settings say now"),
        ("delete", "delete the registration at the provider"),
    ):
        actions.add_argument(f"--{action}", dest="action", action="store_const", const=action, help=text)
    parser.add_argument("--provider", metavar="NAME", help="the provider's name, if there are several")
    parser.add_argument("--dry-run", action="store_true", help="print what would be sent, and register nothing")
    parser.add_argument(
        "--jwks", choices=("url", "inline"), default="url", help="how the provider gets public keys (default: url)"
    )
    parser.add_argument(
        "--initial-access-token-file",
        metavar="FILE",
        help="file of the token that some providers require; or set the variable INITIAL_ACCESS_TOKEN",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the values to keep into a new, private file")
    parser.add_argument("--overwrite", action="store_true", help="replace the file of --output")
    add_env_file_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Register, and return the exit status."""
    from asgi_oidc.cli.register.run import Options, register

    chosen = Options(
        action=options.action or "register",
        app=options.app,
        is_factory=options.factory,
        env_file=options.env_file,
        provider=options.provider,
        keys_by_value=options.jwks == "inline",
        is_dry_run=options.dry_run,
        initial_access_token_file=options.initial_access_token_file,
        output=options.output,
        overwrites=options.overwrite,
    )
    try:
        return register(chosen, environ=os.environ, output=sys.stdout, errors=sys.stderr)
    except KeyboardInterrupt:
        fail("interrupted")
        return INTERRUPTED
