"""`asgi-oidc doctor`: checks a set-up, and names a fix for each finding."""

import argparse
import difflib
import os
import sys

from asgi_oidc.cli.arguments import INTERRUPTED, add_app_arguments, add_env_file_argument, fail

HELP = "check settings, provider, store and rules, with a fix for each finding"
DESCRIPTION = (
    "Check a set-up: settings, provider, credentials, URIs, clock, store, processes and rules. Without an app, the "
    "settings come from OIDC_... variables, as with OIDCMiddleware.from_env."
)
EPILOG = (
    "The checks fetch the provider's metadata and keys; make one call to the token endpoint, with a made-up code, "
    "which tells whether the credentials are right; request one login with prompt=none and one logout without a "
    "session, which tells whether the URIs are registered; and write one key to the store, which is removed again. "
    "With --call-app, they also call the app at base_url and begin a login there, which nobody continues. "
    "Nobody is signed in or out. --offline makes no call at all. A run takes at most 30 seconds, and prints no "
    "secret. Exit status: 0 if nothing is wrong, 1 if there is at least one error, 2 if there are only warnings or "
    "something could not be checked; 2 also if the arguments are wrong."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.epilog = EPILOG
    add_app_arguments(parser, is_optional=True)
    parser.add_argument("--json", action="store_true", help="print JSON; the guide describes its members")
    parser.add_argument("--offline", action="store_true", help="make no call to a provider or a store")
    parser.add_argument(
        "--call-app",
        action="store_true",
        help="also call the app at base_url, through its proxy: is it there, and do cookies arrive unchanged",
    )
    add_env_file_argument(parser)
    parser.add_argument("--workers", type=int, metavar="N", help="how many processes run the app in production")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        type=read_finding_name,
        metavar="NAME",
        help="leave a finding out; may be repeated",
    )


def read_finding_name(text: str) -> str:
    """Read the name of a finding."""
    from asgi_oidc.cli.doctor.catalogue import KINDS

    if text not in KINDS:
        near = difflib.get_close_matches(text, KINDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise argparse.ArgumentTypeError(f"there is no finding {text!r}{hint}")
    return text


def run(options: argparse.Namespace) -> int:
    """Print the report; the status says what was found."""
    from asgi_oidc.cli.doctor.run import Options, diagnose

    chosen = Options(
        app=options.app,
        is_factory=options.factory,
        is_json=options.json,
        is_offline=options.offline,
        calls_app=options.call_app,
        env_file=options.env_file,
        workers=options.workers,
        ignored=options.ignore,
    )
    try:
        return diagnose(chosen, environ=os.environ, output=sys.stdout)
    except KeyboardInterrupt:
        fail("interrupted")
        return INTERRUPTED
