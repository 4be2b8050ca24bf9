"""Several hosts: finds the app for a request by its Host header, compared exactly."""

from collections.abc import Mapping, Sequence

from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send
from asgi_oidc.web.headers import read_names


class ByHost:
    """Passes each connection to the app that serves its host."""

    __slots__ = ("_first", "_served")

    def __init__(self, served: Mapping[bytes, ASGIApp], first: ASGIApp) -> None:
        """Set up the hosts.

        Args:
            served: by each way to write a host in a Host header, in lower case.
            first: serves all other hosts, as an app on a single host does.
        """
        self._served = served
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        headers = scope.get("headers", ())
        if not isinstance(headers, list | tuple):  # it may be read only once
            headers = list(headers)
            scope = {**scope, "headers": headers}
        await self._served.get(host_in(headers), self._first)(scope, receive, send)


def host_in(headers: Sequence[Sequence[bytes]]) -> bytes:
    """Return the host that the headers of a request name, in lower case; empty if they name none, or several.

    Only the Host header counts (servers write `:authority` of HTTP/2 there): proxies that do not set `X-Forwarded-Host`
    let clients choose it, and then a link in a mail could name another host than the cookies are for.

    Source: RFC 9110 §7.2, RFC 9112 §3.2 (more than one Host header is invalid).
    """
    positions = read_names(headers).positions.get(b"host", ())
    return bytes(headers[positions[0]][1]).lower() if len(positions) == 1 else b""
