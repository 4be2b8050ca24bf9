"""`asgi-oidc serve`: sign-in for apps that are not ASGI, behind nginx, Traefik or Caddy."""

import argparse

from asgi_oidc.cli.arguments import fail, read_port

HELP = "sign-in for an app that is not ASGI: answer the authentication requests of nginx, Traefik or Caddy"
DESCRIPTION = (
    "Serve sign-in for an app in any language, behind a proxy that asks before it passes a request on: nginx "
    "(auth_request), Traefik (ForwardAuth) or Caddy (forward_auth). The settings are the OIDC_... variables. The guide "
    "has a configuration for each proxy: "
    "https://github.com/asgi-oidc/asgi-oidc/blob/main/examples/forward-auth/README.md"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=_read_port, default=9000, help="the port (default 9000)")
    parser.add_argument("--uds", metavar="PATH", help="listen on this unix socket instead")
    parser.add_argument("--workers", type=_read_workers, default=1, metavar="N", help="processes (default 1)")
    parser.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="the address or network of the proxy, such as 127.0.0.1 or 10.0.0.0/24, or unix for the unix socket; "
        "may be repeated. Auth requests from all others are refused.",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        type=_read_header,
        metavar="NAME=CLAIM",
        help="tell the app a claim of the user in this header, such as X-User=sub; may be repeated",
    )
    parser.add_argument(
        "--token-header", metavar="NAME", help="tell the app who the user is in this header, as a signed JWT"
    )
    parser.add_argument("--token-audience", metavar="TEXT", help="its aud (default: the origin of the request)")
    parser.add_argument(
        "--token-claim",
        action="append",
        default=[],
        metavar="CLAIM",
        help="a claim of the user in it, beside sub; may be repeated",
    )
    parser.add_argument(
        "--signing-key",
        action="append",
        default=[],
        metavar="FILE",
        help="the private key that signs it, on P-256, as PEM or JWK (default: a new one at each start); may be "
        "repeated: the first signs, the public keys of all are at /forward-auth/jwks",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until the process is stopped."""
    from asgi_oidc.errors import SettingsError

    try:
        from asgi_oidc.cli.forward_auth_server import ServeProblem, run_server
    except ModuleNotFoundError as exc:
        if exc.name != "uvicorn":
            raise
        return fail("serve needs uvicorn: pip install 'asgi-oidc[cli]'")
    headers = dict(options.header)
    if len(headers) < len(options.header):
        return fail("--header: a name occurs twice")
    try:
        return run_server(
            {
                "trusted_proxies": options.trusted_proxy,
                "headers": headers,
                "token_header": options.token_header,
                "token_audience": options.token_audience,
                "token_claims": options.token_claim,
            },
            signing_keys=options.signing_key,
            host=options.host,
            port=options.port,
            uds=options.uds,
            workers=options.workers,
        )
    except ServeProblem as problem:
        return fail(str(problem))
    except SettingsError as error:
        return fail(str(error).removeprefix("asgi-oidc: "))


def _read_port(text: str) -> int:
    port = read_port(text)
    if port == 0:
        raise argparse.ArgumentTypeError("a proxy has to know the port: choose one")
    return port


def _read_workers(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 64):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes from 1 to 64")
    return int(text)


def _read_header(text: str) -> tuple[str, str]:
    name, equals, claim = text.partition("=")
    if not (name and equals and claim):
        raise argparse.ArgumentTypeError(f"{text!r} does not name a header and a claim, such as X-User=sub")
    return name, claim
