"""`asgi-oidc provider`: a fake provider for the development of an app, on this machine."""

import argparse
from pathlib import Path

from asgi_oidc.cli.arguments import DEVELOPMENT_SECRET, fail, read_port

HELP = "a fake provider to develop an app with: sign in as anyone, no account anywhere"
DESCRIPTION = (
    "Start a fake OpenID provider, and print what to set in your app. On its login page, a click signs in any user. "
    "It listens on 127.0.0.1 only. Ctrl-C ends it."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.add_argument(
        "--port", type=read_port, default=9400, metavar="PORT", help="default 9400; 0 chooses a free port"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="the address to listen on (default 127.0.0.1)"
    )
    parser.add_argument(
        "--allow-other-machines",
        action="store_true",
        help="allow a --host that other machines can reach: anyone there can then sign in as anyone",
    )
    parser.add_argument("--issuer", metavar="URL", help="the issuer, if a proxy serves the provider at another address")
    parser.add_argument(
        "--personas",
        type=Path,
        metavar="FILE",
        help='the users, as JSON: [{"sub": "alice", "name": "Alice Adams", "email": "...", "groups": ["admin"], '
        '"claims": {...}}]; the file is read again when it changes',
    )
    parser.add_argument("--persona", action="append", default=[], metavar="SUB", help="a further user; repeatable")
    parser.add_argument("--signed-in-as", metavar="SUB", help="sign in this user without showing the login page")
    parser.add_argument("--client-id", default="web", metavar="ID", help="default web")
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument(
        "--client-secret", default=DEVELOPMENT_SECRET, metavar="SECRET", help=f"default {DEVELOPMENT_SECRET}"
    )
    secret.add_argument("--public-client", action="store_true", help="a client without a secret, such as an SPA")
    parser.add_argument(
        "--redirect-uri", action="append", default=[], metavar="URL", help="repeatable; without it, any is accepted"
    )
    parser.add_argument(
        "--backchannel-logout-uri", metavar="URL", help="where to send logout tokens; without it, nowhere"
    )
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="keep the signing key in this file, so that tokens outlive a restart"
    )


def run(options: argparse.Namespace) -> int:
    """Run the provider until it is stopped."""
    try:
        from asgi_oidc.cli.local_servers import PortTaken
        from asgi_oidc.cli.provider.development_provider import InvalidKeyFile
        from asgi_oidc.cli.provider.personas import InvalidPersonas
        from asgi_oidc.cli.provider.run import ProviderOptions, UnknownPersona, is_loopback, run_provider
    except ModuleNotFoundError as exc:
        if exc.name != "uvicorn":
            raise
        return fail("the provider needs uvicorn: pip install 'asgi-oidc[cli]'")
    if not is_loopback(options.host) and not options.allow_other_machines:
        return fail(
            f"other machines may reach {options.host}, and anyone there could sign in as anyone: leave out --host, or "
            "add --allow-other-machines if that is what you want"
        )
    chosen = ProviderOptions(
        host=options.host,
        port=options.port,
        issuer=options.issuer,
        personas=options.personas,
        subs=options.persona,
        signed_in_as=options.signed_in_as,
        client_id=options.client_id,
        client_secret=None if options.public_client else options.client_secret,
        redirect_uris=options.redirect_uri,
        backchannel_logout_uri=options.backchannel_logout_uri,
        key=options.key,
    )
    try:
        run_provider(chosen)
    except (PortTaken, InvalidPersonas, InvalidKeyFile, UnknownPersona) as problem:
        return fail(str(problem))
    except KeyboardInterrupt:  # Ctrl-C before our signal handlers were set
        return 0
    return 0
