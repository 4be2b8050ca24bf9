"""`asgi-oidc init`: asks five questions, and writes an app with its settings."""

import argparse
from pathlib import Path

from asgi_oidc.cli.arguments import INTERRUPTED, fail

HELP = "start a project: five questions, then an app, its settings, and what to register"
DESCRIPTION = (
    "Ask five questions, and write an app (app.py) and its settings (.env, with a new secret) into a folder; print "
    "which URIs to register at the provider. Files that exist are left as they are. Options answer questions."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="default: this one")
    parser.add_argument("--framework", metavar="NAME", help="fastapi, starlette, quart, litestar, django or asgi")
    parser.add_argument("--provider", metavar="NAME", help="local, google, entra, okta, auth0, keycloak, ... or other")
    parser.add_argument("--address", metavar="TEXT", help="the provider's issuer, domain or tenant")
    parser.add_argument("--base-url", metavar="URL", help="the public URL of the app")
    parser.add_argument("--store", metavar="URL", help="cookies, or a store such as redis://localhost:6379")
    parser.add_argument("--api", metavar="AUDIENCE", help="also accept access tokens with this audience")
    parser.add_argument("--client-id", metavar="ID", help="if the app is registered already")
    parser.add_argument("--yes", action="store_true", help="ask nothing: use the default where no option answers")


def run(options: argparse.Namespace) -> int:
    """Ask and write; the status is 1 if nothing was written."""
    from asgi_oidc.cli.init.answers import Given, NoAnswer
    from asgi_oidc.cli.init.run import set_up

    given = Given(
        framework=options.framework,
        provider=options.provider,
        address=options.address,
        base_url=options.base_url,
        store=options.store,
        audience=options.api,
        client_id=options.client_id,
        uses_defaults=options.yes,
    )
    if not options.folder.is_dir():
        return fail(f"{options.folder} is not a folder")
    try:
        set_up(given, options.folder.resolve(), prompt=input, say=print)
    except NoAnswer as error:
        return fail(f"{error}; nothing was written")
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}; nothing was written")
    except KeyboardInterrupt:
        print()
        fail("interrupted; nothing was written")
        return INTERRUPTED
    return 0
