"""`asgi-oidc doctor --call-app`: what a proxy does to the app is found by name."""

from collections.abc import Callable
from typing import Any

import pytest

from asgi_oidc import MemoryStore, OIDCMiddleware
from asgi_oidc.testing import serve
from tests.cli.doctor.examined import CLIENT_SECRET, SECRET, Doctor, guarded, make_provider, site
from tests.real.processes import free_port

OTHER = "base_url_differs"
Headers = list[tuple[bytes, bytes]]


class Proxy:
    """Stands between the command and the app, and changes responses.

    Attributes:
        app: set once the port is known.
    """

    def __init__(
        self, change: Callable[[Headers], Headers] = list, *, status: int = 200, largest: int = 65_536
    ) -> None:
        self.app: Any = None
        self._change = change
        self._status = status
        self._largest = largest

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_large = sum(len(value) for _, value in scope["headers"]) > self._largest
        if is_large or self._status != 200:
            headers = self._change([(b"content-length", b"0")])
            await send({"type": "http.response.start", "status": 431 if is_large else self._status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return

        async def send_changed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._change(list(message["headers"]))}
            await send(message)

        await self.app(scope, receive, send_changed)


def replaced(name: bytes, old: bytes, new: bytes) -> Callable[[Headers], Headers]:
    return lambda headers: [(key, value.replace(old, new) if key == name else value) for key, value in headers]


def removed(name: bytes) -> Callable[[Headers], Headers]:
    return lambda headers: [(key, value) for key, value in headers if key != name]


def examine(doctor: Doctor, proxy: Proxy | None, **changes: Any) -> frozenset[str]:
    """Examine an app that is behind this proxy, or not there at all."""
    port = free_port()
    provider = make_provider(redirect_uris=None, post_logout_redirect_uris=None)
    settings = {
        "issuer": provider.issuer,
        "client_id": "web",
        "client_secret": CLIENT_SECRET,
        "base_url": f"http://127.0.0.1:{port}",
        "secret": SECRET,
        "http_client": provider.http_client(),
        **changes,
    }
    app = OIDCMiddleware(site(), **settings)
    if proxy is None:
        return doctor.examine(app, "--call-app").names
    proxy.app = app
    with serve(proxy, port=port):
        return doctor.examine(app, "--call-app").names


@pytest.mark.parametrize(
    ("proxy", "name"),
    [
        (Proxy(status=404), "app_not_there"),
        (Proxy(lambda headers: [*headers, (b"location", b"https://www.example.com/")], status=301), "app_redirects"),
        (Proxy(removed(b"set-cookie")), "cookies_removed"),
        (Proxy(replaced(b"set-cookie", b"Path=/;", b"Path=/app;")), "cookies_changed"),
        (Proxy(replaced(b"set-cookie", b"; HttpOnly", b"; Domain=example.com")), "cookies_changed"),
        (Proxy(replaced(b"location", b"redirect_uri", b"uri")), "login_redirect_changed"),
        (
            Proxy(
                replaced(b"location", b"redirect_uri=http%3A%2F%2F127.0.0.1", b"redirect_uri=http%3A%2F%2Flocalhost")
            ),
            OTHER,
        ),
        (Proxy(largest=4096), "large_cookies_refused"),
        (None, "app_unreachable"),
    ],
)
def test_what_a_proxy_does_is_found_by_name(proxy, name, doctor):
    """It works without the proxy, so nobody looks there."""
    assert examine(doctor, proxy) == {name}


def test_nothing_is_found_where_the_app_is_as_it_should_be(doctor):
    """The cookies of a session that is in a store are small."""
    assert examine(doctor, Proxy()) == frozenset()
    assert examine(doctor, Proxy(largest=4096), store=MemoryStore()) == frozenset()


def test_a_login_that_does_not_start_is_found_by_name(doctor):
    """The app has its own way to the provider, which may be closed."""
    provider = make_provider(redirect_uris=None, post_logout_redirect_uris=None)
    provider.faults.add("discovery_down")

    assert "login_not_started" in examine(doctor, Proxy(), http_client=provider.http_client())


def test_an_app_that_does_not_run_is_not_called_a_provider(doctor):
    """Whoever reads that would look in the wrong place."""
    app = guarded(base_url=f"http://127.0.0.1:{free_port()}")

    finding = doctor.examine(app, "--call-app").findings["app_unreachable"]

    assert finding["fix"] == "start the app, or correct base_url (OIDC_BASE_URL)"
