"""What an app that accepts access tokens should know is in its log once, from the start."""

from typing import Any

import pytest

from asgi_oidc import Bearer, MemoryStore
from tests.bearer.token_calls import API
from tests.protected_site import ORIGIN, Exchange, Site

REDIS = "redis://127.0.0.1:1"  # nobody is asked at start-up
NAMES = ("tokens_without_audience", "audience_is_client_id", "proofs_not_shared", "metadata_not_routed")


async def notices(site: Site, caplog: Any) -> dict[str, str]:
    """Start a site twice, and return the lines about tokens by their event."""
    for _ in range(2):
        exchange = Exchange({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
        await site.middleware({"type": "lifespan"}, exchange.receive, exchange.send)
    lines = [record.getMessage() for record in caplog.records if record.event in NAMES]
    found = {line.partition(" ")[0]: line for line in lines}
    assert len(lines) == len(found)
    return found


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"bearer": None}, []),
        ({"bearer": None, "base_url": f"{ORIGIN}/admin"}, []),
        ({"bearer": Bearer(API)}, []),
        ({"bearer": Bearer(API, allow_missing_audience=True)}, ["tokens_without_audience"]),
        ({"bearer": Bearer([API, "web"])}, ["audience_is_client_id"]),
        ({"bearer": Bearer(API), "base_url": f"{ORIGIN}/admin"}, ["metadata_not_routed"]),
    ],
)
async def test_a_risk_or_a_task_is_logged(settings, names, caplog):
    """Nobody looks for them otherwise."""
    assert list(await notices(Site(**settings), caplog)) == names


@pytest.mark.parametrize(
    ("settings", "is_logged"),
    [
        ({}, True),
        ({"store": MemoryStore()}, True),
        ({"logout_store": REDIS}, False),
        ({"bearer": None}, False),
    ],
)
async def test_processes_that_share_no_proofs_are_told(settings, is_logged, caplog, monkeypatch):
    """A copied DPoP proof would work once in each of them."""
    monkeypatch.setenv("WEB_CONCURRENCY", "4")

    found = await notices(Site(**{"bearer": Bearer(API), **settings}), caplog)

    assert ("proofs_not_shared" in found) == is_logged


async def test_metadata_that_the_outer_app_serves_is_not_missing(caplog):
    """The line says which paths; once they are routed, there is nothing to do."""
    path = "/.well-known/oauth-protected-resource/admin"
    site = Site(bearer=Bearer(API), base_url=f"{ORIGIN}/admin")
    assert f"paths={path} " in (await notices(site, caplog))["metadata_not_routed"]

    caplog.clear()
    routed = Site(bearer=Bearer(API), base_url=f"{ORIGIN}/admin")
    assert routed.middleware.protected_resource_metadata.paths == (path,)
    assert await notices(routed, caplog) == {}
