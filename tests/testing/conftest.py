"""A fake provider, a tiny relying party and a browser between them."""

import pytest

from asgi_oidc.testing import Browser, FakeProvider
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
