"""Serves a fake provider for development on a port of this machine."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asgi_oidc.cli.local_servers import HOST, listening, serve_until_stopped, server, url_of
from asgi_oidc.cli.provider.development_provider import DevelopmentProvider, kept_signing_key, new_signing_key
from asgi_oidc.cli.provider.personas import PersonasFile, made_up
from asgi_oidc.testing import Client, Persona
from asgi_oidc.testing.accounts import PERSONAS

MAX_LISTED = 20  # users that are printed


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOptions:
    """The options of the command; see its help.

    Attributes:
        client_secret: None for a public client.
        issuer: None for the address at which it is served.
        redirect_uris: none for any.
    """

    host: str = HOST
    port: int
    issuer: str | None = None
    personas: Path | None = None
    subs: Sequence[str] = ()
    signed_in_as: str | None = None
    client_id: str
    client_secret: str | None
    redirect_uris: Sequence[str] = ()
    backchannel_logout_uri: str | None = None
    key: Path | None = None


class UnknownPersona(Exception):
    """No user has that `sub`; the message lists those there are."""


def run_provider(options: ProviderOptions) -> None:
    """Serve the provider until SIGINT or SIGTERM.

    Raises:
        PortTaken: listening on the port failed.
        InvalidPersonas, InvalidKeyFile: a file cannot be used.
        UnknownPersona: `signed_in_as` names nobody.
    """
    others = made_up(options.subs)
    users = None if options.personas is None else PersonasFile(options.personas, others)
    key = new_signing_key() if options.key is None else kept_signing_key(options.key)
    personas = others if users is None else users.personas
    if not personas:
        personas = {persona.sub: persona for persona in PERSONAS}
    if options.signed_in_as is not None and options.signed_in_as not in personas:
        raise UnknownPersona(f"nobody has the sub {options.signed_in_as!r}; there are {', '.join(personas)}")
    with listening(options.port, "--port", host=options.host) as listener:
        issuer = options.issuer or url_of(listener, host=options.host)
        provider = DevelopmentProvider(issuer, clients=[_client(options)], personas=personas.values(), signing_key=key)
        provider.users = users
        provider.sign_in_as(options.signed_in_as)
        provider.tell_clients_by_network()
        serve_until_stopped([server(provider, listener)], _message(issuer, options, personas))


def is_loopback(host: str) -> bool:
    """Return whether only programs on this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _client(options: ProviderOptions) -> Client:
    return Client(
        options.client_id,
        options.client_secret,
        redirect_uris=options.redirect_uris or None,
        backchannel_logout_uri=options.backchannel_logout_uri,
    )


def _message(issuer: str, options: ProviderOptions, personas: Mapping[str, Persona]) -> str:
    """Say where the provider is, what to set, and who can sign in; the client secret is none to keep."""
    variables = {"OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": options.client_id}
    if options.client_secret is not None:
        variables["OIDC_CLIENT_SECRET"] = options.client_secret
    listed = [f"  {persona.sub}: {persona.name}, {persona.email}" for persona in list(personas.values())[:MAX_LISTED]]
    more = [f"  and {len(personas) - MAX_LISTED} more"] if len(personas) > MAX_LISTED else []
    warning = [] if is_loopback(options.host) else [f"WARNING: whoever can reach {options.host} can sign in as anyone."]
    return "\n".join(
        [
            f"Provider at {issuer} (press Ctrl-C to stop)",
            *warning,
            "Set in your app:",
            *(f"  {name}={value}" for name, value in variables.items()),
            "Who can sign in:",
            *listed,
            *more,
        ]
    )
