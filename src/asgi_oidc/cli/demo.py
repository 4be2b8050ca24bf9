"""Serves the demo: the app and its providers, each on a port of this machine."""

from asgi_oidc.cli.demo_app import protected_demo
from asgi_oidc.cli.demo_providers import EXAMPLE, demo_providers
from asgi_oidc.cli.local_servers import listening, serve_until_stopped, server, url_of


def run_demo(*, app_port: int, provider_port: int) -> None:
    """Serve the demo until SIGINT or SIGTERM.

    Args:
        app_port: The port of the app; 0 chooses a free one.
        provider_port: The port of the fake providers; 0 chooses a free one.

    Raises:
        PortTaken: Listening on one of the ports failed.
    """
    with listening(app_port, "--port") as at_app, listening(provider_port, "--provider-port") as at_provider:
        issuer, base_url = url_of(at_provider), url_of(at_app)
        providers = demo_providers(url=issuer, app_url=base_url)
        providers.example.tell_clients_by_network()
        providers.work.tell_clients_by_network()
        app = protected_demo(base_url=base_url, providers=providers.settings())
        message = f"Open {base_url} (press Ctrl-C to stop)\n{_provider_line(issuer)}"
        serve_until_stopped([server(providers, at_provider), server(app, at_app)], message)


def _provider_line(issuer: str) -> str:
    """Return the settings of an app that uses the demo's provider; `EXAMPLE` is no secret."""
    variables = {
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": EXAMPLE.client_id,
        "OIDC_CLIENT_SECRET": EXAMPLE.client_secret,
    }
    return "Provider for your own apps: " + " ".join(f"{name}={value}" for name, value in variables.items())
