"""Each fault of a pushed request does what its sentence says."""

import json
import math
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc.testing import FakeProvider
from tests.testing.strong_relying_party import StrongRelyingParty, strong_provider


@pytest.fixture
def provider() -> FakeProvider:
    return strong_provider()


@pytest.fixture
def rp(provider: FakeProvider) -> StrongRelyingParty:
    return StrongRelyingParty(provider)


MEMBERS: list[tuple[str, Callable[[dict[str, Any]], Any], Any]] = [
    ("par_without_request_uri", lambda it: "request_uri" in it, False),
    ("par_request_uri_not_text", lambda it: it["request_uri"], 7),
    ("par_request_uri_null", lambda it: it["request_uri"], None),
    ("par_request_uri_empty", lambda it: it["request_uri"], ""),
    ("par_request_uri_https", lambda it: it["request_uri"], "https://collector.example.org/request"),
    ("par_request_uri_with_more_params", lambda it: "&client_id=another-client" in it["request_uri"], True),
    ("par_request_uri_with_line_break", lambda it: "\r\n" in it["request_uri"], True),
    ("par_request_uri_too_long", lambda it: len(it["request_uri"]) > 100_000, True),
    ("par_unknown_request_uri", lambda it: it["request_uri"][-8:], ":unknown"),
    ("par_expired_at_once", lambda it: it["expires_in"], 0),
    ("par_expires_in_the_past", lambda it: it["expires_in"], -60),
    ("par_without_expires_in", lambda it: "expires_in" in it, False),
    ("par_expires_in_text", lambda it: it["expires_in"], "60"),
    ("par_expires_in_not_number", lambda it: it["expires_in"], [60]),
    ("par_expires_in_1e300", lambda it: it["expires_in"], 1e300),
    ("par_two_request_uris", lambda it: "urn:" in it["request_uri"], True),
    ("par_huge", lambda it: len(it["padding"]), 10_000_000),
]


@pytest.mark.parametrize(("fault", "look", "seen"), MEMBERS)
async def test_faults_of_the_members(provider, rp, fault, look, seen):
    """The answer is spoilt while the fault is in force, and good after it."""
    with provider.fault(fault):
        spoilt = await rp.push()
    good = await rp.push()

    assert (spoilt.status_code, look(spoilt.json())) == (201, seen)
    assert good.json()["expires_in"] == 60


@pytest.mark.parametrize("fault", ["par_expired_at_once", "par_expires_in_the_past", "par_unknown_request_uri"])
async def test_a_request_that_is_over_at_once_is_refused_in_the_browser(provider, rp, fault):
    """The user comes too late, however fast they are."""
    with provider.fault(fault):
        request_uri = (await rp.push()).json()["request_uri"]
    back = await rp.browser().get(rp.pushed_url(request_uri), follow=False)

    assert back.status_code == 400


@pytest.mark.parametrize("fault", ["par_without_expires_in", "par_expires_in_text", "par_two_request_uris"])
async def test_a_request_whose_lifetime_is_not_told_works(provider, rp, fault):
    """The reference itself is good."""
    with provider.fault(fault):
        request_uri = (await rp.push()).json()["request_uri"]

    assert "code" in await rp.response_to(rp.pushed_url(request_uri))


ANSWERS: list[tuple[str, int, Callable[[httpx.Response], Any], Any]] = [
    ("par_status_200", 200, lambda it: it.json()["expires_in"], 60),
    ("par_500", 500, lambda it: it.text, "oops"),
    ("par_down", 503, lambda it: it.headers["content-type"], "text/plain"),
    ("par_not_found", 404, lambda it: it.text[:9], "<!doctype"),
    ("par_redirect", 307, lambda it: it.headers["location"], "https://collector.example.org/par"),
    ("par_html", 201, lambda it: it.headers["content-type"][:9], "text/html"),
    ("par_empty", 201, lambda it: it.content, b""),
    ("par_not_json", 201, lambda it: (it.text[:1], it.text[-1:] == "}"), ("{", False)),
    ("par_json_array", 201, lambda it: type(it.json()), list),
    ("par_error_invalid_request", 400, lambda it: it.json()["error"], "invalid_request"),
    ("par_error_invalid_client", 401, lambda it: it.json()["error"], "invalid_client"),
    ("par_error_unauthorized_client", 400, lambda it: it.json()["error"], "unauthorized_client"),
    ("par_error_invalid_request_object", 400, lambda it: it.json()["error"], "invalid_request_object"),
    ("par_error_invalid_scope", 400, lambda it: it.json()["error"], "invalid_scope"),
    ("par_error_too_large", 413, lambda it: it.json()["error"], "invalid_request"),
    ("par_error_too_many", 429, lambda it: it.json()["error"], "temporarily_unavailable"),
]


@pytest.mark.parametrize(("fault", "status", "look", "seen"), ANSWERS)
async def test_faults_of_the_answer(provider, rp, fault, status, look, seen):
    """Status and body are as the sentence says."""
    with provider.fault(fault):
        answer = await rp.push()

    assert (answer.status_code, look(answer)) == (status, seen)


async def test_a_refused_push_keeps_its_status(provider, rp):
    """Only a request that is accepted gets the wrong status."""
    with provider.fault("par_status_200"):
        assert (await rp.push(scope="profile")).status_code == 400


@pytest.mark.parametrize(("fault", "slow_by"), [("par_slow", math.inf), ("par_hangs", 0.0)])
async def test_a_slow_push_can_be_cancelled(provider, rp, fault, slow_by):
    """A client that gives up is not held."""
    provider.slow_by = slow_by
    with provider.fault(fault), anyio.move_on_after(0.05) as patience:
        await rp.push()

    assert patience.cancelled_caught


async def test_a_push_can_be_a_gzip_bomb(provider, rp):
    """About 1 kB travels."""
    with provider.fault("par_gzip_bomb"):
        async with provider.http_client() as client:
            endpoint = provider.metadata["pushed_authorization_request_endpoint"]
            call = client.stream("POST", endpoint, data={**rp.request(), **rp.assertion()})
            async with call as answer:
                size = len(b"".join([chunk async for chunk in answer.aiter_raw()]))

    assert (answer.headers["content-encoding"], size < 1500) == ("gzip, gzip", True)


METADATA: list[tuple[str, dict[str, Any]]] = [
    ("discovery_par_required_without_endpoint", {"pushed_authorization_request_endpoint": None}),
    ("discovery_par_endpoint_plain_http", {"pushed_authorization_request_endpoint": "http://id.example.com/par"}),
    ("discovery_par_members_of_wrong_type", {"require_pushed_authorization_requests": "sometimes"}),
]


@pytest.mark.parametrize(("fault", "members"), METADATA)
async def test_faults_of_what_the_metadata_says_about_pushed_requests(provider, fault, members):
    """A client must not go on as if nothing were required."""
    with provider.fault(fault):
        async with provider.http_client() as client:
            answer = await client.get(f"{provider.issuer}/.well-known/openid-configuration")

    told = json.loads(answer.text)
    assert {name: told.get(name) for name in members} == members
    assert told["require_pushed_authorization_requests"] in (True, "sometimes")
