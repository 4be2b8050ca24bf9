"""A fake provider, a tiny relying party and a browser between them."""

from collections.abc import AsyncIterator

import httpx
import pytest

from asgi_oidc.testing import Browser, FakeProvider
from tests.testing.back_channel import Receiver
from tests.testing.relying_party import NOW, RelyingParty


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(clock=lambda: NOW)


@pytest.fixture
def rp(provider: FakeProvider) -> RelyingParty:
    return RelyingParty(provider)


@pytest.fixture
def browser(rp: RelyingParty, provider: FakeProvider) -> Browser:
    return Browser(rp, others={provider.origin: provider}, clock=lambda: NOW)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def back_channel(receiver: Receiver) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(receiver)) as client:
        yield client
