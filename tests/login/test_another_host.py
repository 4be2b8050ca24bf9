"""A browser at another host than `base_url` says: its logins never finish, and the log says why, once."""

import pytest

from asgi_oidc.testing.in_process import http_scope
from tests.protected_site import ORIGIN, PROGRAM, Exchange, Site

PAGE = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none"}


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "host_mismatch" in record.getMessage()]


async def visit(site: Site, *hosts: str, path: str = "/page", headers: dict[str, str] | None = None) -> int:
    """Open a page with these Host headers; give the status."""
    exchange = Exchange({"type": "http.request", "body": b"", "more_body": False})
    scope = http_scope("GET", ORIGIN + path, PAGE if headers is None else headers)
    others = [(name, value) for name, value in scope["headers"] if name != b"host"]
    scope["headers"] = [*others, *((b"host", host.encode()) for host in hosts)]
    await site.middleware(scope, exchange.receive, exchange.send)
    return exchange.status


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://app.example.com", "www.example.com"),
        ("https://app.example.com", "app.example.com.evil.example"),
        ("https://app.example.com", "backend:8000"),
        ("http://localhost:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000", "localhost:8000"),
        ("https://192.0.2.1", "192.0.2.2"),
        ("http://[::1]:8000", "localhost:8000"),
    ],
)
async def test_a_login_at_another_host_is_logged_once_with_the_fix(base_url, host, caplog):
    """The login cookie is left there, and the callback finds none: "it worked on the other machine"."""
    site = Site(base_url=base_url)

    statuses = [await visit(site, host) for _ in range(3)]

    (line,) = told(caplog)
    assert statuses == [303, 303, 303]
    assert f"base_url={base_url}" in line
    assert "visit base_url" in line


@pytest.mark.parametrize(
    ("base_url", "hosts"),
    [
        ("https://app.example.com", ["app.example.com"]),
        ("https://app.example.com", ["APP.example.com."]),
        ("https://app.example.com", ["app.example.com:8443"]),
        ("https://App.example.com:8443/mount", ["app.example.com"]),
        ("https://app.example.com", ["203.0.113.7"]),
        ("https://app.example.com", ["127.0.0.1:8000"]),
        ("https://app.example.com", ["[::1]:8000"]),
        ("https://app.example.com", []),
        ("https://app.example.com", [""]),
        ("https://app.example.com", ["[evil"]),
        ("https://app.example.com", ["www.example.com", "app.example.com"]),
        ("http://[::1]:8000", ["[::1]:8000"]),
    ],
)
async def test_ports_and_ip_addresses_are_not_logged_as_another_host(base_url, hosts, caplog):
    """Ports share cookies; scanners come by address, and some proxies put that of their upstream there."""
    assert await visit(Site(base_url=base_url), *hosts, path="/page") in (303, 401)

    assert told(caplog) == []


async def test_only_a_started_login_logs_another_host(caplog):
    """Health checks, programs and public pages have no cookie to lose."""
    site = Site()
    browser = await site.signed_in()

    await visit(site, "10.0.0.1:80", headers={"accept": "*/*"})
    await visit(site, "www.example.com", headers={name: value for name, value in PROGRAM.items() if value})
    await visit(site, "www.example.com", path="/auth/login", headers={"accept": "*/*"})
    await visit(site, "www.example.com", path="/public/x")
    await visit(site, "www.example.com", path="/auth/session")
    await browser.get("/page")

    assert told(caplog) == []


async def test_a_hostile_host_header_is_logged_as_one_clean_word(caplog):
    """Anybody can send any."""
    await visit(Site(), "evil.example\x1b\r\nINFO asgi_oidc login_succeeded" + "x" * 500)

    (line,) = told(caplog)
    assert line.isprintable()
    assert len(line) < 800
