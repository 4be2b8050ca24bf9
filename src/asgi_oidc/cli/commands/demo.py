"""`asgi-oidc demo`: an app with sign-in at three fake providers, to try."""

import argparse

from asgi_oidc.cli.arguments import fail, read_port

HELP = "try it: an app with sign-in at three fake providers, all on this machine"
DESCRIPTION = (
    "Start an app with sign-in at three fake providers, and print the app's address. "
    "All listen on 127.0.0.1 only. Ctrl-C ends them."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    for name, default, whose in (("--port", 8000, "the app"), ("--provider-port", 9400, "the fake providers")):
        parser.add_argument(
            name,
            type=read_port,
            default=default,
            metavar="PORT",
            help=f"the port of {whose} (default {default}; 0 chooses a free port)",
        )


def run(options: argparse.Namespace) -> int:
    """Run the demo until it is stopped."""
    try:
        from asgi_oidc.cli.demo import run_demo
        from asgi_oidc.cli.local_servers import PortTaken
    except ModuleNotFoundError as exc:
        if exc.name != "uvicorn":
            raise
        return fail("the demo needs uvicorn: pip install 'asgi-oidc[cli]'")
    try:
        run_demo(app_port=options.port, provider_port=options.provider_port)
    except PortTaken as taken:
        return fail(str(taken))
    except KeyboardInterrupt:  # Ctrl-C before our signal handlers were set
        return 0
    return 0
