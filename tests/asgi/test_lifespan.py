"""The lifespan belongs to the app: the app starts while the provider is down, and its exceptions propagate."""

import logging
from typing import Any

import pytest

from asgi_oidc import MemoryStore
from asgi_oidc.asgi.worker_processes import suggests_several_workers
from tests.protected_site import Exchange, Site

START, STOP = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}


async def test_it_is_passed_through(site):
    """The app starts and stops when the server says so."""
    exchange = Exchange(START, STOP)
    scope = {"type": "lifespan", "asgi": {}, "state": {}}

    await site.middleware(scope, exchange.receive, exchange.send)

    assert [message["type"] for message in exchange.sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert site.app.scope is scope


async def test_the_provider_is_not_called_at_start_up():
    """The app has to start while the provider is down."""
    site = Site()
    exchange = Exchange(START, STOP)

    with site.provider.fault("discovery_down"):
        await site.middleware({"type": "lifespan"}, exchange.receive, exchange.send)

    assert site.provider.calls == []


@pytest.mark.parametrize("own_client", [True, False])
@pytest.mark.parametrize("last", ["complete", "failed"])
async def test_our_own_client_opens_and_closes_with_it(own_client, last):
    """Connections must not be left open, even if the app fails to stop."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.complete"})
        await send({"type": f"lifespan.shutdown.{last}", "message": "x"})

    site = Site(inner=app, **({"http_client": None} if own_client else {}))
    exchange = Exchange()

    for _ in range(2):
        await site.middleware({"type": "lifespan"}, exchange.receive, exchange.send)

    assert [message["type"] for message in exchange.sent[:2]] == [
        "lifespan.startup.complete",
        f"lifespan.shutdown.{last}",
    ]


async def test_an_app_that_knows_no_lifespan_says_so_to_the_server():
    """Django raises; servers then go on without a lifespan."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise ValueError("Django can only handle ASGI/HTTP connections, not lifespan.")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    site = Site(inner=app)
    exchange = Exchange(START)

    with pytest.raises(ValueError, match="not lifespan"):
        await site.middleware({"type": "lifespan"}, exchange.receive, exchange.send)

    assert exchange.sent == []
    assert (await site.browser().sign_in("alice", "/page")).status_code == 200


async def test_an_app_that_fails_to_start_fails_to_start(site):
    """The app's message reaches the server unchanged."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    exchange = Exchange(START)
    await Site(inner=app).middleware({"type": "lifespan"}, exchange.receive, exchange.send)

    assert exchange.sent == [{"type": "lifespan.startup.failed", "message": "no database"}]


async def test_an_error_of_the_app_propagates_while_the_revocation_feed_is_read():
    """Servers look at the class of the error, which a task group would have wrapped."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.complete"})
        raise LookupError("of the app")

    exchange = Exchange(START)

    with pytest.raises(LookupError, match="of the app"):
        await Site(inner=app, logout_store=MemoryStore()).middleware(
            {"type": "lifespan"}, exchange.receive, exchange.send
        )


REDIS = "redis://127.0.0.1:1"  # nobody is asked at start-up


@pytest.mark.parametrize(
    ("settings", "event", "warning"),
    [
        ({}, "logout_in_this_process", "logout_not_shared"),
        ({"logout_store": MemoryStore()}, "logout_in_this_process", "logout_not_shared"),
        ({"store": MemoryStore()}, "sessions_in_this_process", "sessions_not_shared"),
        ({"store": REDIS}, None, None),
        ({"logout_store": REDIS}, None, None),
    ],
)
@pytest.mark.parametrize("processes", ["1", "4"])
async def test_state_that_one_process_keeps_to_itself_is_logged(
    settings, event, warning, processes, caplog, monkeypatch
):
    """The notice names the fix at start-up. Among several processes it is a warning, as users would be affected."""
    monkeypatch.setenv("WEB_CONCURRENCY", processes)
    caplog.set_level(logging.INFO, "asgi_oidc")
    exchange = Exchange(START, STOP)

    await Site(**settings).middleware({"type": "lifespan"}, exchange.receive, exchange.send)

    told = [record for record in caplog.records if record.name == "asgi_oidc"]
    expected = (event, "INFO") if processes == "1" else (warning, "WARNING")
    assert [(record.__dict__["event"], record.levelname) for record in told] == ([expected] if event else [])
    assert all("fix='set store" in record.getMessage() and "RedisStore" in record.getMessage() for record in told)


async def test_a_memory_store_in_several_processes_warns_of_lost_sessions(caplog, monkeypatch):
    """Users would be signed out at random; that matters more than copies of cookies that stay valid."""
    monkeypatch.setenv("WEB_CONCURRENCY", "4")

    await Site(store=MemoryStore()).browser().get("/")

    (line,) = [record.getMessage() for record in caplog.records]
    assert "users lose their sessions whenever another process answers" in line
    assert "cop" not in line


@pytest.mark.parametrize("has_lifespan", [True, False])
async def test_it_warns_once_without_a_lifespan_too(has_lifespan, caplog, monkeypatch):
    """A mounted app gets no lifespan, and on some servers it is switched off."""
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    site, exchange = Site(), Exchange(START, STOP)
    if has_lifespan:
        await site.middleware({"type": "lifespan"}, exchange.receive, exchange.send)

    for _ in range(3):
        await site.browser().get("/")

    assert len([record for record in caplog.records if "logout_not_shared" in record.getMessage()]) == 1


@pytest.mark.parametrize(
    ("arguments", "environ", "name", "expected"),
    [
        ([], {}, "MainProcess", False),
        (["uvicorn", "app:app"], {}, "SpawnProcess-1", False),
        (["uvicorn", "app:app"], {}, "SpawnProcess-2", True),
        (["uvicorn", "app:app", "--reload"], {}, "SpawnProcess-7", False),
        (["uvicorn", "app:app", "--workers", "4"], {}, "SpawnProcess-1", True),
        (["hypercorn", "--workers=2", "app:app"], {}, "Process-1", True),
        (["gunicorn", "-w4", "app:app"], {}, "MainProcess", True),
        (["gunicorn", "-w", "4", "app:app"], {}, "MainProcess", True),
        (["gunicorn", "-w", "1", "app:app"], {}, "MainProcess", False),
        (["gunicorn", "-w"], {}, "MainProcess", False),
        (["python", "-W", "2"], {}, "MainProcess", False),
        (["app"], {"WEB_CONCURRENCY": "2"}, "MainProcess", True),
        (["uvicorn", "--workers", "1"], {"WEB_CONCURRENCY": "4"}, "MainProcess", False),
        (["gunicorn", "app"], {"GUNICORN_CMD_ARGS": "--bind x --workers=4"}, "MainProcess", True),
        (["granian", "app"], {"GRANIAN_WORKERS": "4"}, "MainProcess", True),
        (["app"], {"WEB_CONCURRENCY": "1"}, "MainProcess", False),
        (["app"], {"WEB_CONCURRENCY": "many"}, "MainProcess", False),
        (["app"], {}, "worker Process-x", False),
    ],
)
def test_several_processes_are_recognised_by_how_the_server_was_started(arguments, environ, name, expected):
    """Each server shows it in another way: an option, a variable or a process name."""
    assert suggests_several_workers(arguments, environ, name) is expected
