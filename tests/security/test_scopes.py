"""Scopes that are malformed, forged, foreign or huge open nothing, and hold nobody up."""

import time
from typing import Any

import pytest

from asgi_oidc.errors import UnsupportedScope
from asgi_oidc.testing import FakeProvider

from .attacked_site import NOW, ORIGIN, AttackedSite, Exchange, attempt, http_scope

pytestmark = pytest.mark.usefixtures("one_or_three_providers")


@pytest.fixture
def stage() -> AttackedSite:
    return AttackedSite(FakeProvider(clock=lambda: NOW, alg="EdDSA"))


@pytest.mark.parametrize(
    "kind", ["http.v2", "HTTP", "http ", "webtransport", "sse", "", None, 7, "Websocket", "lifespan2"]
)
async def test_an_unknown_scope_type_is_refused(stage: AttackedSite, kind: Any) -> None:
    """What comes new into ASGI is closed until somebody has thought about it."""
    exchange = Exchange()

    with pytest.raises(UnsupportedScope):
        await stage.middleware({**http_scope("/public"), "type": kind}, exchange.receive, exchange.send)

    assert stage.app.visits == []


@pytest.mark.parametrize(
    "members",
    [
        {"path": None},
        {"path": b"/public"},
        {"path": 7},
        {"path": ""},
        {"path": ["/public"]},
        {"raw_path": "/public"},
        {"raw_path": 7},
        {"root_path": None},
        {"root_path": 7},
        {"headers": None},
        {"headers": [(b"cookie",)]},
        {"headers": [("cookie", "x")]},
        {"headers": [[b"a", b"b", b"c"]]},
        {"headers": 7},
        {"query_string": None},
        {"query_string": "x=/public"},
        {"method": None},
        {"method": b"GET"},
        {"extensions": None},
        {"user": "admin", "auth": "admin", "oidc": "admin"},
    ],
    ids=str,
)
async def test_a_malformed_scope_opens_nothing(stage: AttackedSite, members: dict[str, Any]) -> None:
    """A server that breaks the specification must not break the guard."""
    for kind in ("http", "websocket"):
        scope = {**http_scope("/page"), **members, "type": kind}
        first = {"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request", "body": b""}
        answer = await attempt(stage, scope, first)
        assert answer is None or answer.sent[0].get("status", 401) in (303, 401) or answer.sent[0].get("code") == 4401

    assert stage.app.visits == []


@pytest.mark.parametrize(
    "missing", ["path", "raw_path", "root_path", "headers", "query_string", "method", "scheme", "client"]
)
async def test_a_scope_without_a_member_opens_nothing(stage: AttackedSite, missing: str) -> None:
    """The same for what is left out."""
    scope = {name: value for name, value in http_scope("/page").items() if name != missing}

    answer = await attempt(stage, scope)

    assert answer is None or answer.status == 401
    assert stage.app.visits == []


async def test_what_the_outside_put_into_the_scope_is_replaced(stage: AttackedSite) -> None:
    """Nobody is signed in by a server, a proxy or a middleware in front."""
    forged: dict[str, Any] = {
        "user": "admin",
        "auth": "admin",
        "oidc": "admin",
        "session": {"user": "admin"},
        "state": {"user": "admin"},
    }

    answer = await attempt(stage, http_scope("/public", **forged))

    assert answer is not None
    assert stage.app.visits == [("/public", None)]


@pytest.mark.parametrize(
    "members",
    [
        {"path": "/" + "a/" * 500_000},
        {"path": "/" + "." * 1_000_000},
        {"path": "/" + "\u0301\u0316" * 200_000},
        {"path": "/" + "a" * 100_000, "raw_path": b"/" + b"%61" * 100_000},
        {"path": "/x" * 100_000, "root_path": "/x" * 50_000},
        {"query_string": b"a=b&" * 250_000},
        {"query_string": b"return_to=/" + b"%2e/" * 250_000},
        {"headers": [(b"cookie", b"a=b; " * 200_000)]},
        {"headers": [(b"cookie", b"__Host-oidc-x-login-y=z; " * 2_000)]},
        {"headers": [(b"accept", b"text/html," * 100_000)]},
        {"headers": [(b"referer", f"{ORIGIN}/".encode() + b"a/../" * 200_000)]},
        {"headers": [(b"content-type", b"a;" * 500_000)]},
        {"headers": [(b"sec-purpose", b"prefetc" * 100_000)]},
    ],
    ids=lambda it: f"{next(iter(it))}-{len(str(it)) // 1000}k",
)
async def test_a_large_request_costs_no_more_than_its_size(stage: AttackedSite, members: dict[str, Any]) -> None:
    """No spelling makes one request hold up all others."""
    paths = [members["path"]] if "path" in members else ["/page", "/auth/login", "/auth/callback", "/auth/logout"]
    scopes = [{**http_scope("/"), **members, "path": path} for path in paths]
    began = time.process_time()

    answers = [await attempt(stage, scope) for scope in scopes]

    assert time.process_time() - began < 3  # seconds; ten times what it takes
    assert all(answer is not None and answer.status < 500 for answer in answers)


@pytest.mark.parametrize("name", [b"a", b"cookie", b"accept", b"sec-fetch-mode"])
async def test_many_headers_cost_no_more_than_their_number(stage: AttackedSite, name: bytes) -> None:
    """Not every server has a limit, and one request must not hold up all others."""
    began = time.process_time()

    answer = await attempt(stage, http_scope("/page", headers=[(name, b"a=b")] * 100_000))

    assert time.process_time() - began < 2  # seconds; it is 0.1 where each header is looked at once
    assert answer is not None
    assert answer.status == 401


@pytest.mark.parametrize(
    "origin", [None, b"null", b"https://evil.example", b"https://app.example.com.evil", b"http://app.example.com", b""]
)
@pytest.mark.parametrize("denial", [True, False])
async def test_a_websocket_of_another_site_does_not_get_the_user(
    stage: AttackedSite, origin: bytes | None, denial: bool
) -> None:
    """Browsers let any site open a websocket with our cookies."""
    browser = await stage.signed_in()
    cookie = "; ".join(f"{it.name}={it.value}" for it in browser.cookies if "oidc" in it.name).encode()
    headers = [(b"cookie", cookie)] + ([] if origin is None else [(b"origin", origin)])
    extensions: dict[str, Any] = {"websocket.http.response": {}} if denial else {}
    stage.app.visits.clear()
    exchange = Exchange({"type": "websocket.connect"})
    scope = http_scope("/page", type="websocket", headers=headers, extensions=extensions)

    await stage.middleware(scope, exchange.receive, exchange.send)

    assert exchange.sent[0].get("status", exchange.sent[0].get("code")) == (403 if denial else 4403)
    assert stage.app.visits == []
