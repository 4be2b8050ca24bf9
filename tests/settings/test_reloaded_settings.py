"""Client secrets and stores that change while the app runs, and files that cannot be used."""

import logging
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc import OIDCMiddleware
from asgi_oidc.composition.reloading import IDLE, INTERVAL, MAX_SILENCE, Reloading
from asgi_oidc.settings.settings import read_settings
from asgi_oidc.settings.watched_files import Change, WatchedFiles
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.testing import Client, FakeProvider
from tests.protected_site import CLIENT_SECRET, OTHER_SECRET, SECRET, Exchange, Site, who_am_i
from tests.providers.test_hs256 import LONG_SECRET, SecretSigner
from tests.reloading_site import LOOKS, ReloadingSite, wait_for_readers
from tests.scripted_store import ScriptedStore
from tests.settings.required_settings import REQUIRED


def with_client_secret(provider: FakeProvider, secret: str) -> None:
    """Change the secret at the provider."""
    provider.clients["web"] = Client("web", client_secret=secret)


async def test_a_new_client_secret_is_used_for_the_next_call(tmp_path):
    """Providers rotate secrets; the old one is refused from some time on."""
    site = ReloadingSite(tmp_path, {"client_secret": CLIENT_SECRET})
    await site.signed_in()
    with_client_secret(site.provider, "another-client-secret")

    await site.change("client_secret", "another-client-secret")

    await site.signed_in("bob")


async def test_the_client_secret_of_a_named_provider_is_replaced(tmp_path):
    """Each has a file of its own."""
    provider = FakeProvider(alg="ES256")
    path = tmp_path / "work"
    path.write_text(CLIENT_SECRET)
    site = Site(provider=provider)
    site.middleware = OIDCMiddleware.from_env(
        site.app,
        environ={
            "OIDC_PROVIDERS": "work",
            "OIDC_WORK_ISSUER": provider.issuer,
            "OIDC_WORK_CLIENT_ID": "web",
            "OIDC_WORK_CLIENT_SECRET_FILE": str(path),
        },
        clock=site.clock,
        base_url="https://app.example.com",
        secret=SECRET,
        public=["/public/*"],
        http_client=provider.http_client(),
    )
    with_client_secret(provider, "another-client-secret")
    path.write_text("another-client-secret")
    for _ in range(LOOKS):
        site.clock.advance(INTERVAL)
        await site.call("/public/look")
        wait_for_readers()

    await site.signed_in()


async def test_tokens_signed_with_the_new_client_secret_are_accepted(tmp_path):
    """HS256: the secret is a key as well."""
    new = LONG_SECRET[::-1]
    provider = SecretSigner()
    site = ReloadingSite(tmp_path, {"client_secret": LONG_SECRET}, provider=provider, allow_hs256=True)
    await site.signed_in()
    with_client_secret(provider, new)
    provider.signing_secret = new

    await site.change("client_secret", new)

    await site.signed_in("bob")


@pytest.mark.parametrize("setting", ["store", "logout_store"])
async def test_a_new_store_is_used_for_the_next_call(tmp_path, setting, caplog):
    """A new password of Redis, for example; sessions are where the new URL leads to."""
    caplog.set_level(logging.INFO, logger="asgi_oidc")
    site = ReloadingSite(tmp_path, {setting: "redis://127.0.0.1:1"})
    assert (await site.browser().get("/page")).status_code in (200, 503)

    await site.change(setting, "memory:")

    await site.signed_in()
    assert f"setting_reloaded variable=OIDC_{setting.upper()}_FILE" in caplog.messages


async def test_a_url_that_cannot_be_read_keeps_the_store(tmp_path, caplog):
    """Its text may contain a password, so the line does not quote it."""
    site = ReloadingSite(tmp_path, {"store": "memory:"})
    browser = await site.signed_in()

    await site.change("store", "redsi://:hunter2@redis")

    assert await who_am_i(browser) == "alice"
    (line,) = [message for message in caplog.messages if message.startswith("setting_not_reloaded")]
    assert "variable=OIDC_STORE_FILE" in line
    assert "hunter2" not in line


class OpenStore(ScriptedStore):
    """A store that says when it is opened and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.opened, self.closed = anyio.Event(), anyio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.opened.set()
        yield
        self.closed.set()


async def test_the_new_store_is_opened_and_the_old_one_closed():
    """Connections must neither be left open nor opened for each call."""
    old, new = OpenStore(), OpenStore()
    store = GuardedStore(old)
    async with store.running():
        await old.opened.wait()

        store.replace_store(new)

        await new.opened.wait()
        await old.closed.wait()
        assert not new.closed.is_set()
        await store.get("key")
        assert (old.calls, new.calls) == ([], ["get"])
    assert new.closed.is_set()


async def test_a_mistake_keeps_the_old_secret_and_is_logged_once(tmp_path, caplog):
    """The app must not stop because somebody saved half a file."""
    site = ReloadingSite(tmp_path)
    browser = await site.signed_in()

    await site.change("secret", "too-short")
    for _ in range(LOOKS):
        await site.look()

    assert await who_am_i(browser) == "alice"
    lines = [message for message in caplog.messages if message.startswith("setting_not_reloaded")]
    assert len(lines) == 1
    assert "variable=OIDC_SECRET_FILE" in lines[0]
    assert "too-short" not in lines[0]
    await site.change("secret", OTHER_SECRET)
    assert await who_am_i(browser) is None


@pytest.mark.parametrize(
    "anyio_backend", [pytest.param(("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}), id="trio")]
)
async def test_a_running_app_looks_at_the_files_without_a_request(tmp_path, caplog):
    """The lifespan does it every few seconds; on a clock that jumps."""
    caplog.set_level(logging.INFO, logger="asgi_oidc")
    site = ReloadingSite(tmp_path)
    browser = await site.signed_in()
    exchange = Exchange({"type": "lifespan.startup"})
    site.write("secret", OTHER_SECRET)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(site.middleware, {"type": "lifespan"}, exchange.receive, exchange.send)
        while "setting_reloaded" not in caplog.text:  # noqa: ASYNC110  # another thread reads the file
            await anyio.sleep(INTERVAL)
        tasks.cancel_scope.cancel()

    assert await who_am_i(browser) is None


async def test_without_a_lifespan_the_first_request_after_a_pause_gets_the_new_secret(tmp_path):
    """Django has none, and a secret that has leaked must not open a cookie hours later."""
    site = ReloadingSite(tmp_path)
    browser = await site.signed_in()
    site.write("secret", OTHER_SECRET)
    site.clock.advance(IDLE + 1)

    assert await who_am_i(browser) is None


async def test_a_change_that_cannot_be_applied_is_reported_and_stops_nothing(tmp_path, caplog):
    """An exception in the loop that looks at the files would end the app."""
    site = ReloadingSite(tmp_path, {"client_secret": CLIENT_SECRET})
    browser = await site.signed_in()
    known: Any = site.middleware._composition.replaceable.directory.at_once("")
    known.connection.replace_settings = None  # to call it is an error

    await site.change("client_secret", "another-client-secret")

    assert await who_am_i(browser) == "alice"
    told = [message for message in caplog.messages if message.startswith("setting_not_reloaded")]
    assert ["variable=OIDC_CLIENT_SECRET_FILE" in message and "restart" in message for message in told] == [True]
    assert ("unexpected_error" in caplog.text, "another-client-secret" in caplog.text) == (True, False)


class BrokenFiles(WatchedFiles):
    """Files that cannot be looked at, for a reason that nobody has thought of."""

    def look(self, *, is_first: bool = False) -> list[Change]:
        raise KeyError("s3cret")


async def test_an_error_of_the_thread_that_reads_the_files_is_logged(tmp_path, caplog):
    """A thread has nobody to tell, and Python would print the text of the error."""
    site = ReloadingSite(tmp_path)
    files = BrokenFiles({"OIDC_SECRET_FILE": str(site.path("secret"))}, {})
    reloading = Reloading(files, site.middleware._composition.replaceable, read_settings(REQUIRED), site.clock)

    reloading.look()
    wait_for_readers()

    assert "unexpected_error raised=KeyError" in caplog.text
    assert "s3cret" not in caplog.text


async def test_a_file_system_that_hangs_harms_nobody(tmp_path, caplog):
    """One thread waits for it; requests, and the event loop, do not."""
    fifo = tmp_path / "secret"
    site = ReloadingSite(tmp_path)
    browser = await site.signed_in()
    fifo.unlink()
    os.mkfifo(fifo)  # whoever opens it to read waits until somebody writes
    try:
        for _ in range(5):
            site.clock.advance(MAX_SILENCE / 2)
            assert await who_am_i(browser) == "alice"

        readers = [thread for thread in threading.enumerate() if thread.name == "asgi-oidc files"]
        assert len(readers) == 1
        lines = [message for message in caplog.messages if "does not answer" in message]
        assert len(lines) == 1
    finally:
        fifo.write_text(SECRET)
        wait_for_readers()


async def test_without_files_nothing_looks_at_requests(tmp_path):
    """The hot path is the same as if there were no reloading."""
    site = Site()
    middleware = OIDCMiddleware.from_env(
        site.app, environ={"OIDC_SECRET": SECRET}, **{k: v for k, v in site.settings.items() if k != "secret"}
    )

    assert middleware._composition.serve_http == middleware._composition.http.serve
