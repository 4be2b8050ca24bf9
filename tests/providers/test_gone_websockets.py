"""An open websocket ends when the provider of its session is removed, even without a request."""

from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc.asgi.session_watch import CHECK_INTERVAL
from asgi_oidc.provider.source_directory import FRESH, OUTDATED
from tests.asgi.test_open_websockets import OpenSockets
from tests.providers.tenants import TenantSite
from tests.providers.test_gone_providers import ENDS, STORES


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Use a clock that jumps to the next deadline when all tasks are waiting."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_a_websocket_ends_within_a_minute(end, store):
    """Those of other tenants go on."""
    site = TenantSite("acme", "globex", store=STORES[store]())
    acme, globex = await site.signed_in("acme"), await site.signed_in("globex")
    async with anyio.create_task_group() as tasks:
        sockets = OpenSockets(site, tasks)  # type: ignore[arg-type]  # it needs the app and the middleware
        socket, other = await sockets.connect(acme), await sockets.connect(globex)
        end(site)
        for _ in range(OUTDATED - FRESH):
            site.clock.advance(2)
            await anyio.sleep(CHECK_INTERVAL)
            if socket.code is not None:
                break

        assert (socket.code, other.code) == (4401, None)
        tasks.cancel_scope.cancel()
