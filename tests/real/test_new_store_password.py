"""The password of a real Redis changes while the app runs: the file of the URL is all that has to change."""

import logging
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from tests.protected_site import Exchange, who_am_i
from tests.real.processes import PATIENCE
from tests.real.redis_server import redis
from tests.reloading_site import ReloadingSite

pytestmark = pytest.mark.real

OLD, NEW = "an-old-password", "a-new-password"


def connections(admin: Any) -> set[str]:
    """Return the ids of all connections but that of the test."""
    return {client["id"] for client in admin.client_list(_type="normal")} - {str(admin.client_id())}


@pytest.mark.parametrize("setting", ["store", "logout_store"])
async def test_a_new_password_needs_no_restart_and_signs_nobody_out(tmp_path, setting, caplog):
    """The connections with the old one are closed, and the new ones use the new one."""
    caplog.set_level(logging.INFO, logger="asgi_oidc")
    with redis() as server, server.ask() as admin:
        admin.config_set("requirepass", OLD)
        site = ReloadingSite(tmp_path, {setting: f"redis://:{OLD}@127.0.0.1:{server.port}"})
        exchange = Exchange({"type": "lifespan.startup"})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(site.middleware, {"type": "lifespan"}, exchange.receive, exchange.send)
            while not exchange.sent:  # the app has no event for it
                await anyio.lowlevel.checkpoint()
            browser = await site.signed_in()
            admin.config_set("requirepass", NEW)
            with_old_password = connections(admin)

            await site.change(setting, f"redis://:{NEW}@127.0.0.1:{server.port}")
            with anyio.fail_after(PATIENCE):
                while with_old_password & connections(admin):  # noqa: ASYNC110  # Redis tells nobody
                    await anyio.sleep(0.02)

            assert await who_am_i(browser) == "alice"
            tasks.cancel_scope.cancel()

    assert f"setting_reloaded variable=OIDC_{setting.upper()}_FILE" in caplog.messages
