"""Answers that are huge, packed, endless, slow or odd: a clear failure, in bounded time and memory."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import httpx
import pytest
import trio.testing

from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.faults import gzip_bomb
from tests.attacked_provider import holds_nothing, own_path

from .attacked_site import NOW, AttackedSite, Exchange, http_scope
from .bomb_server import bomb_server
from .sizes import size

MAX_MEMORY = 20 * 1024 * 1024  # bytes
MAX_TIME = 1.0  # seconds of a processor
DEADLINE = 10.0  # seconds for one call
PATIENCE = 300  # seconds for a process; a machine may be busy

PACKED = ("gzip-gzip", "gzip", "GZIP", "x-gzip", "identity-gzip", "br", "zstd", "deflate")
BOMBS = {
    **dict.fromkeys(size(PACKED[:2], PACKED), "token_compressed"),
    **dict.fromkeys(("endless", "endless-chunks", "one-huge-chunk", "huge"), "token_too_large"),
    "endless-headers": "token_unreachable",
    # The clock of a real socket cannot be wound on.
    **dict.fromkeys(size((), ("dripping", "silent")), "token_timeout"),
}


@pytest.fixture(scope="module")
def bombs() -> Iterator[str]:
    with bomb_server() as url:
        yield url


@pytest.mark.long
@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_costs_neither_memory_nor_time(bombs: str, kind: str) -> None:
    """One answer must not bring the process down: 1 kB packed twice unpacks to half a gigabyte."""
    for backend in size(("asyncio",), ("asyncio", "trio")):
        figures = relying_party(bombs, kind, backend)

        print(f"{kind}: {figures['grown'] / 1024:.0f} KB more, {figures['seconds']:.2f} s")
        assert figures["warm_up"] == "token_not_json"
        assert figures["error"] == BOMBS[kind]
        assert figures["grown"] < MAX_MEMORY
        assert figures["seconds"] < MAX_TIME


def test_a_bomb_is_one_to_whoever_unpacks(bombs: str) -> None:
    """Or the test above would pass whatever we did; this one is an eighth of the size."""
    figures = relying_party(bombs, "small", "asyncio", "just_get")

    assert figures["grown"] > MAX_MEMORY
    assert len(gzip_bomb()) < 2_500


def relying_party(url: str, kind: str, backend: str, deed: str = "log_in") -> Any:
    command = [sys.executable, "-m", "tests.security.relying_party", url, kind, backend, deed]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


class Drip(httpx.AsyncByteStream):
    """A body that comes a byte a second and never ends."""

    def __init__(self) -> None:
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await anyio.sleep(1)

    async def aclose(self) -> None:
        self.is_closed = True


class DrippingTransport(httpx.AsyncBaseTransport):
    """A provider that answers at once and then takes its time."""

    def __init__(self) -> None:
        self.bodies: list[Drip] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(Drip())
        return httpx.Response(200, stream=self.bodies[-1])


@pytest.fixture
def wound_clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(autojump_threshold=0)


@pytest.mark.usefixtures("one_or_three_providers")
class TestSlow:
    """On a clock that jumps ahead whenever everybody waits: seconds cost nothing."""

    @pytest.fixture
    def anyio_backend(self, wound_clock: trio.testing.MockClock) -> tuple[str, dict[str, Any]]:
        return ("trio", {"clock": wound_clock})

    async def test_an_answer_that_drips_is_cut_off(self, wound_clock: trio.testing.MockClock) -> None:
        """A byte now and then keeps every read alive, so the whole call has a deadline."""
        transport = DrippingTransport()
        stage = AttackedSite(http_client=httpx.AsyncClient(transport=transport))
        began = wound_clock.current_time()

        answer = await stage.browser().get("/page", headers={"accept": "application/json", "sec-fetch-dest": "empty"})
        page = await stage.browser().get("/page")

        assert (answer.status_code, page.status_code) == (401, 503)
        assert DEADLINE <= wound_clock.current_time() - began < DEADLINE + 2
        assert [body.is_closed for body in transport.bodies] == [True]

    @pytest.mark.parametrize("fault", ["discovery_slow", "token_slow", "jwks_slow", "userinfo_slow"])
    async def test_a_slow_provider_is_given_up(self, wound_clock: trio.testing.MockClock, fault: str) -> None:
        """Nobody waits longer than the deadline of one call."""
        stage = AttackedSite(FakeProvider(clock=lambda: NOW, claims_in_id_token=False))
        stage.provider.slow_by = 1e6
        stage.provider.faults.add(fault)
        began = wound_clock.current_time()

        page = await stage.browser().sign_in("alice", "/page")

        assert page.status_code == 503
        assert int(page.headers["retry-after"]) > 0
        assert wound_clock.current_time() - began < DEADLINE + 2
        assert stage.app.visits == []

    async def test_a_slow_provider_holds_up_no_sign_out(self, wound_clock: trio.testing.MockClock) -> None:
        """Who wants to leave, leaves."""
        stage = AttackedSite()
        browser = await stage.signed_in()
        stage.clock.now += 3590  # the metadata are due, the session is not
        await browser.get("/page")
        stage.clock.now += 20
        stage.provider.slow_by = 1e6
        began = wound_clock.current_time()

        with stage.provider.fault("discovery_slow"):
            gone = await browser.post("/auth/logout", follow=False)

        assert gone.status_code == 303
        assert all(holds_nothing(cookie.name) for cookie in browser.cookies.starting_with("__Host-oidc"))
        assert wound_clock.current_time() - began < 5

    async def test_a_form_that_drips_in_is_cut_off(self, wound_clock: trio.testing.MockClock) -> None:
        """A browser may be slow, but not for ever."""
        stage = AttackedSite(authorization_params={"response_mode": "form_post"})
        began = wound_clock.current_time()

        status, body = await post_slowly(stage)

        assert (status, body["error"]) == (408, "body_timeout")
        assert wound_clock.current_time() - began < DEADLINE + 2


async def post_slowly(stage: AttackedSite) -> tuple[int, Any]:
    class Slow(Exchange):
        async def receive(self) -> Any:
            await anyio.sleep(1)
            return {"type": "http.request", "body": b"a", "more_body": True}

    exchange = Slow()
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    scope = http_scope(own_path("callback"), method="POST", headers=form)
    await stage.middleware(scope, exchange.receive, exchange.send)
    return exchange.status, json.loads(exchange.body)


# fault -> status, code
ODD_ANSWERS = {
    "discovery_down": (503, "metadata_unavailable"),
    "discovery_issuer_mismatch": (502, "metadata_issuer"),
    "discovery_html": (502, "metadata_not_json"),
    "discovery_redirect": (502, "metadata_redirect"),
    "discovery_endpoints_plain_http": (502, "metadata_endpoint"),
    "discovery_members_of_wrong_type": (502, "metadata_invalid"),
    "jwks_down": (503, "jwks_unavailable"),
    "jwks_html": (502, "jwks_not_json"),
    "jwks_empty": (502, "kid_unknown"),
    "token_500": (503, "token_unavailable"),
    "token_html": (502, "token_not_json"),
    "token_not_json": (502, "token_not_json"),
    "token_json_array": (502, "token_not_json"),
    "token_oauth_error": (400, "provider_refused"),
    "token_invalid_client": (502, "provider_refused"),
    "token_redirect": (502, "token_redirect"),
    "token_huge": (502, "token_too_large"),
    "token_gzip": (502, "token_compressed"),
    "token_deep_json": (502, "token_not_json"),
    "token_no_id_token": (502, "id_token_missing"),
    "token_no_access_token": (502, "access_token_missing"),
    "token_type_dpop": (502, "token_type"),
    "token_wrong_types": (502, "access_token_missing"),
    "userinfo_down": (503, "userinfo_unavailable"),
    "userinfo_not_json": (502, "userinfo_not_json"),
    "userinfo_wrong_sub": (502, "userinfo_sub"),
    "userinfo_no_sub": (502, "userinfo_sub"),
}


@pytest.mark.usefixtures("one_or_three_providers")
@pytest.mark.parametrize("fault", ODD_ANSWERS)
async def test_an_odd_answer_is_a_clear_failure(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the provider says, nobody is signed in by it, and the log names what was wrong."""
    stage = AttackedSite(FakeProvider(clock=lambda: NOW, claims_in_id_token=False))
    stage.provider.faults.add(fault)
    browser = stage.browser()
    status, code = ODD_ANSWERS[fault]

    page = await browser.sign_in("alice", "/page")

    assert page.status_code == status
    assert f"code={code} " in caplog.text
    assert "PHISHING" not in page.text
    assert stage.app.visits == []
    assert not [
        cookie for cookie in browser.cookies if cookie.name.startswith("__Host-oidc") and "login" not in cookie.name
    ]
    assert any(href.startswith("https://app.example.com/auth/login") for href, _ in page.page.links)
