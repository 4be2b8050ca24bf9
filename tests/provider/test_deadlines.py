"""Every call ends in time, on a clock that jumps."""

from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc.errors import ProviderUnavailable
from asgi_oidc.protocol.messages import Call
from asgi_oidc.provider.call_limit import CallLimit
from asgi_oidc.provider.http import CLOSE_DEADLINE, DEADLINE, Http
from tests.provider.provider_caches import Caches


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Time jumps to the next deadline as soon as nobody has anything to do."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


class Slow:
    """A client whose provider takes its time: to answer, for each piece, and to hang up."""

    def __init__(self, *, answers: float = 0, piece: float = 0, closes: float = 0) -> None:
        self.answers, self.piece, self.closes = answers, piece, closes
        self.status_code = 200
        self.headers: dict[str, str] = {}
        self.is_closed = False

    def build_request(self, method: str, url: str, **options: Any) -> object:
        return object()

    async def send(self, request: object, **options: Any) -> "Slow":
        await anyio.sleep(self.answers)
        return self

    async def aiter_raw(self) -> Any:
        for _ in range(100):
            await anyio.sleep(self.piece)
            yield b"x"

    async def aclose(self) -> None:
        self.is_closed = True
        await anyio.sleep(self.closes)


async def time_of(client: Slow) -> float:
    began = anyio.current_time()
    with pytest.raises(ProviderUnavailable) as caught:
        await Http(client).send(Call("GET", "https://id.example.com"), endpoint="token")
    assert caught.value.code == "token_timeout"
    return anyio.current_time() - began


@pytest.mark.parametrize("client", [Slow(answers=3600), Slow(piece=1), Slow(answers=5, piece=0.5)])
async def test_a_slow_answer_ends_in_time(client):
    """A provider that drips bytes does not hold a login."""
    assert await time_of(client) == pytest.approx(DEADLINE, abs=0.1)


async def test_hanging_up_ends_in_time_too():
    """And it is done also when the deadline has passed."""
    client = Slow(piece=1, closes=3600)

    assert await time_of(client) == pytest.approx(DEADLINE + CLOSE_DEADLINE, abs=0.1)
    assert client.is_closed


async def test_an_answer_just_in_time_is_taken():
    """Slow is not broken."""
    answer = await Http(Slow(answers=DEADLINE - 0.5)).send(Call("GET", "https://id.example.com"), endpoint="token")

    assert answer.body == b"x" * 100


@pytest.mark.parametrize(("fault", "code"), [("discovery_slow", "metadata_timeout"), ("jwks_slow", "jwks_timeout")])
async def test_each_kind_of_call_has_the_deadline(fault, code):
    """One deadline covers the whole call."""
    caches = Caches()
    calls: dict[str, Any] = {"discovery_slow": caches.discovery.metadata, "jwks_slow": caches.verify}

    with caches.provider.fault(fault), pytest.raises(ProviderUnavailable) as caught:
        await calls[fault]()

    assert caught.value.code == code


async def test_waiters_of_a_slow_call_wait_no_longer_than_the_first():
    """One deadline, not one after the other."""
    caches = Caches()
    began = anyio.current_time()
    codes: list[str] = []

    async def one() -> None:
        try:
            await caches.discovery.metadata()
        except ProviderUnavailable as exc:
            codes.append(exc.code)

    with caches.provider.fault("discovery_slow"):
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(one)

    assert (codes, caches.metadata_calls) == (["metadata_timeout"] * 10, 1)
    assert anyio.current_time() - began == pytest.approx(DEADLINE, abs=0.1)


async def test_the_wait_for_a_place_counts_towards_the_deadline():
    """A login ends with an answer in any case, also while 50 others hang at the same provider."""
    limit, client = CallLimit(1), Slow()

    async with limit.hold():
        began = anyio.current_time()
        with pytest.raises(ProviderUnavailable) as caught:
            await Http(client, limits=[limit]).send(Call("GET", "https://id.example.com"), endpoint="token")

    assert caught.value.code == "token_timeout"
    assert anyio.current_time() - began == pytest.approx(DEADLINE, abs=0.1)
