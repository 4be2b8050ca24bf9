"""The proxies whose word counts: only they may say which request they ask about."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from asgi_oidc.web.asgi_types import Scope

UNIX = "unix"  # stands for all connections over a unix socket, whose file permissions say who may connect

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class TrustedProxies:
    """Recognizes trusted proxies by the address of the socket's peer; no header is looked at."""

    __slots__ = ("_networks", "_trusts_unix_sockets")

    def __init__(self, addresses: Iterable[str]) -> None:
        """Read the addresses.

        Args:
            addresses: IP addresses, networks such as `10.0.0.0/24`, or `unix`.

        Raises:
            ValueError: one is none of these, or is a network of all addresses.
        """
        listed = tuple(addresses)
        self._trusts_unix_sockets = UNIX in listed
        self._networks = tuple(_read_network(address) for address in listed if address != UNIX)

    def client_address(self, scope: Scope) -> str | None:
        """Return the address of the client, for the audit trail only; None if no trusted proxy names it.

        A proxy adds the address that it sees itself at the end of `X-Forwarded-For`; before that, clients write what
        they like.
        """
        values = [value for name, value in scope.get("headers", ()) if name.lower() == b"x-forwarded-for"]
        if len(values) != 1 or not self.trust(scope):
            return None
        text = bytes(values[0]).rpartition(b",")[2].strip().decode("latin-1")
        try:
            return str(ip_address(text))
        except ValueError:
            return None

    def trust(self, scope: Scope) -> bool:
        """Return whether a request came from one of the proxies.

        A port of 0 is not that of a socket: servers write it if they took the address from a header.
        """
        client = scope.get("client")
        if not client:
            return self._trusts_unix_sockets
        host, port = client
        try:
            address: Address = ip_address(host)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return port != 0 and any(address in network for network in self._networks)


def _read_network(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a proxy: expected an address such as 127.0.0.1, a network such as 10.0.0.0/24, or unix"
        ) from None
    if network.prefixlen == 0:
        raise ValueError(f"{text!r} would trust everybody: name the address or the network of the proxy")
    return network
