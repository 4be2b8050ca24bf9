"""The PostgreSQL store on a real server, as Debian packages it: the contract, its tables, and what it costs."""

import gc
from collections.abc import AsyncIterator, Iterator

import pytest

from asgi_oidc import PostgresStore
from asgi_oidc.testing import SessionStoreContract
from tests.real.postgres_server import PostgresServer

LONG = 600.0  # seconds

pytestmark = pytest.mark.real


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Two ways to use the driver, one for each."""
    return str(request.param)


@pytest.fixture(scope="module", autouse=True)
def rubbish() -> Iterator[None]:
    """What was left unclosed belongs to these tests."""
    yield
    gc.collect()


class TestPostgresStore(SessionStoreContract):
    """While the app runs."""

    short = 0.05

    @pytest.fixture
    async def store(self, postgres_server: PostgresServer) -> AsyncIterator[PostgresStore]:
        store = PostgresStore(postgres_server.url)
        async with store.running():
            yield store
