"""Finds the certificate of a request's client: in the TLS connection, or in a header if a named proxy has set it.

A header is only as trustworthy as its sender, so it counts from the named proxies alone. It is removed from every other
request before anything can read it.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from asgi_oidc.errors import ProofRejected
from asgi_oidc.protocol.client_certificate import certificate_thumbprint, read_certificate_header, read_tls_extension
from asgi_oidc.web.asgi_types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_ADDRESS_LENGTH = 64  # characters of an address in the log
CACHED_ADDRESSES = 1024  # in each of two caches

_FORWARDED_FOR = (b"x-forwarded-for", b"forwarded")  # headers from which servers take the address of the client
_SEPARATORS = re.compile(r'[\s,;="]+')


class ClientCertificates:
    """The certificates of clients, as the server or its proxies report them."""

    __slots__ = ("_folded", "_has_unix", "_header", "_is_proxy", "_networks")

    def __init__(self, header: str | None = None, *, networks: Sequence[Network] = (), has_unix: bool = False) -> None:
        """Set up where certificates are found.

        Args:
            header: in which proxies pass the certificate on, in lower case; None for the TLS connection only.
            networks: addresses of these proxies.
            has_unix: whether a peer that is connected by a Unix socket is one of them.
        """
        self._header = None if header is None else header.encode("ascii")
        self._folded = None if self._header is None else _folded(self._header)
        self._networks = tuple(networks)
        self._has_unix = has_unix
        self._is_proxy = lru_cache(CACHED_ADDRESSES)(self._is_in_networks)

    def thumbprint_of(self, scope: Mapping[str, Any]) -> str | None:
        """Return the `x5t#S256` of the client's certificate; None if there is none.

        If a named proxy sends the request, then only its header counts: the TLS connection is that of the proxy.

        Raises:
            ProofRejected: the certificate cannot be read.
        """
        if self._header is None or not self.is_from_proxy(scope):
            certificate = read_tls_extension(scope)
            return None if certificate is None else certificate_thumbprint(certificate)
        values = [bytes(value) for name, value in scope.get("headers", ()) if bytes(name).lower() == self._header]
        if len(values) > 1:
            raise ProofRejected("client_certificate_repeated", f"expected one {self._header.decode()} header")
        if not values or values[0] in (b"", b"-"):  # what proxies send without a certificate
            return None
        return certificate_thumbprint(read_certificate_header(values[0].decode("latin-1")))

    def why_missing(self, scope: Mapping[str, Any]) -> str:
        """Return why a request has no certificate that counts, for the log."""
        if self._header is None:
            return "the TLS connection has no client certificate, or the server does not tell the app"
        if self.is_from_proxy(scope):
            return f"the proxy has sent no certificate in {self._header.decode()}"
        client = scope.get("client")
        peer = "a Unix socket" if client is None else str(client[0])[:MAX_ADDRESS_LENGTH]
        return (
            f"{peer} is not one of client_certificate_proxies, so its {self._header.decode()} does not count; if it is "
            "the address of the client, the server takes it from X-Forwarded-For: turn that off"
        )

    def without_foreign_header(self, scope: Scope) -> Scope:
        """Return the scope without the header, unless it was set by a named proxy, once and under its exact name.

        Names that some apps take for the same one, with `_` for `-`, are removed in any case.
        """
        folded = self._folded
        found = [name for name, _ in scope.get("headers", ()) if _folded(bytes(name)) == folded]
        if not found:
            return scope
        is_genuine = self.is_from_proxy(scope)
        exact = [name for name in found if bytes(name).lower() == self._header]
        keeps_exact = is_genuine and len(exact) == 1
        kept = [
            (name, value)
            for name, value in scope["headers"]
            if _folded(bytes(name)) != folded or (keeps_exact and bytes(name).lower() == self._header)
        ]
        return {**scope, "headers": kept}

    def is_from_proxy(self, scope: Mapping[str, Any]) -> bool:
        """Return whether the peer of the connection is a named proxy.

        Many servers can replace the peer's address by one that a header names, and clients can send such headers. So an
        address does not count if the request names it as well.
        """
        client = scope.get("client")
        if client is None:
            return self._has_unix
        address = _read_address(str(client[0]))
        if address is None or not self._is_proxy(address):
            return False
        forwarded = [bytes(value) for name, value in scope.get("headers", ()) if bytes(name).lower() in _FORWARDED_FOR]
        return not any(_names(value.decode("latin-1"), address) for value in forwarded)

    def _is_in_networks(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


@lru_cache(CACHED_ADDRESSES)
def _read_address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket for both versions writes an IPv4 address as IPv6 (RFC 4291 §2.5.5.2).
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _names(forwarded: str, address: Address) -> bool:
    """Return whether a header such as `X-Forwarded-For` names an address, with or without a port."""
    for item in filter(None, _SEPARATORS.split(forwarded)):
        host = item[1:].partition("]")[0] if item.startswith("[") else item
        if address in (_read_address(host), _read_address(host.rpartition(":")[0])):
            return True
    return False


def _folded(name: bytes) -> bytes:
    return name.lower().replace(b"_", b"-")
