"""Shared clients are bounded in number, and closed when the last call that uses one is done."""

import pytest

from asgi_oidc.provider.client_pool import ClientPool
from asgi_oidc.provider.tls_contexts import DEFAULT_TLS, TlsOptions
from tests.certificate_texts import OTHER, SELF_SIGNED
from tests.provider.mutual_tls_server import options_with

A, B, C = options_with(SELF_SIGNED), options_with(OTHER), DEFAULT_TLS


class RecordedClient:
    """Knows whether it was closed."""

    def __init__(self, options: TlsOptions) -> None:
        self.options = options
        self.is_closed = False

    async def aclose(self) -> None:
        self.is_closed = True


class Clients:
    """Makes them, and knows all that it made."""

    def __init__(self) -> None:
        self.made: list[RecordedClient] = []

    async def make(self, options: TlsOptions) -> RecordedClient:
        self.made.append(RecordedClient(options))
        return self.made[-1]

    def pool(self, most: int = 2) -> ClientPool[RecordedClient]:
        return ClientPool(self.make, most=most)


@pytest.fixture
def clients() -> Clients:
    return Clients()


async def use(pool: ClientPool[RecordedClient], *used: TlsOptions) -> None:
    for options in used:
        async with pool.client(options) as client:
            assert (client.options, client.is_closed) == (options, False)


async def test_the_client_that_was_used_least_recently_is_closed(clients):
    """Thousands of tenants may have certificates of their own."""
    await use(pool := clients.pool(), A, B, A, C)

    assert [(client.options, client.is_closed) for client in clients.made] == [(A, False), (B, True), (C, False)]
    assert (pool.get(A), pool.get(B)) == (clients.made[0], None)


async def test_a_client_is_never_closed_under_a_call(clients):
    """The call may carry a code, which must not be sent twice."""
    pool = clients.pool(most=1)
    async with pool.client(A) as used:
        await use(pool, B, C)
        assert not used.is_closed

    assert [client.is_closed for client in clients.made] == [True, True, False]


async def test_a_retired_client_is_used_no_more_and_closed(clients):
    """Its certificate was replaced; a call under way ends first."""
    pool = clients.pool()
    async with pool.client(A) as used:
        pool.retire(A)
        await use(pool, A)
        assert not used.is_closed
    pool.retire(A)
    await use(pool, B)

    assert [client.is_closed for client in clients.made] == [True, True, False]


async def test_a_retired_client_is_closed_by_the_last_of_its_calls(clients):
    """The others are still under way."""
    pool = clients.pool()
    async with pool.client(A) as used:
        async with pool.client(A):
            pool.retire(A)
        assert not used.is_closed

    assert used.is_closed


async def test_closing_leaves_none_open(clients):
    """Neither those that are shared, nor one whose call began before."""
    pool = clients.pool()
    await use(pool, A, B)
    await pool.close()
    await use(pool, C)

    assert [client.is_closed for client in clients.made] == [True, True, True]
    assert pool.get(C) is None
