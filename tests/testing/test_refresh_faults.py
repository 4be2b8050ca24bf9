"""Each named fault of a refresh or a revocation does what its sentence says, and spares the login."""

import time
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from asgi_oidc.testing import FakeProvider
from tests.testing.relying_party import RelyingParty


@pytest.fixture
def rp(provider: FakeProvider) -> RelyingParty:
    return RelyingParty(provider, scope="openid offline_access")


def claims_of(provider: FakeProvider, answer: httpx.Response) -> dict[str, Any]:
    keys = KeySet.import_key_set({"keys": provider.published_keys})
    return jwt.decode(answer.json()["id_token"], keys, algorithms=[provider.alg]).claims


# fault: (what is seen of the answer, is the refresh token still good?)
ANSWERS: list[tuple[str, Callable[[httpx.Response], Any], Any, bool]] = [
    ("refresh_down", lambda it: it.status_code, 503, True),
    ("refresh_invalid_grant", lambda it: (it.status_code, it.json()["error"]), (400, "invalid_grant"), True),
    ("refresh_invalid_client", lambda it: (it.status_code, it.json()["error"]), (401, "invalid_client"), True),
    ("refresh_not_json", lambda it: (it.status_code, it.text[-1:] == "}"), (200, False), False),
    ("refresh_without_access_token", lambda it: "access_token" in it.json(), False, False),
    ("refresh_malformed_refresh_token", lambda it: it.json()["refresh_token"], 7, False),
]


@pytest.mark.parametrize(("fault", "look", "seen", "is_still_good"), ANSWERS)
async def test_faults_of_the_refresh_answer(provider, rp, fault, look, seen, is_still_good):
    """The login works, the refresh does not; a call that was not processed uses nothing up."""
    with provider.fault(fault):
        tokens = await rp.login()
        answer = await rp.refresh(tokens["refresh_token"])

    assert look(answer) == seen
    assert sorted(tokens) == ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]
    assert provider.token_info(tokens["refresh_token"]).active is is_still_good


CLAIMS = [
    ("refresh_other_sub", "sub", "admin"),
    ("refresh_other_iss", "iss", "https://someone-else.example.com"),
    ("refresh_other_aud", "aud", "another-client"),
    ("refresh_other_nonce", "nonce", "nonce-of-another-login"),
]


@pytest.mark.parametrize(("fault", "claim", "value"), CLAIMS)
async def test_faults_of_the_refreshed_claims_are_well_signed(provider, rp, fault, claim, value):
    """A reader that checks the signature alone would take them."""
    with provider.fault(fault):
        tokens = await rp.login()
        answer = await rp.refresh(tokens["refresh_token"])

    assert claims_of(provider, answer)[claim] == value
    assert claims_of(provider, httpx.Response(200, json=tokens))[claim] != value


async def test_refreshed_id_token_can_be_badly_signed(provider, rp):
    """The one of the login is good."""
    with provider.fault("refresh_bad_signature"):
        tokens = await rp.login()
        answer = await rp.refresh(tokens["refresh_token"])

    assert claims_of(provider, httpx.Response(200, json=tokens))["sub"] == "alice"
    with pytest.raises(BadSignatureError):
        claims_of(provider, answer)


HANGS = [("refresh_hangs_before_processing", True), ("refresh_hangs_after_processing", False)]


@pytest.mark.parametrize(("fault", "is_still_good"), HANGS)
async def test_refresh_can_hang_before_and_after_it_is_processed(provider, rp, fault, is_still_good):
    """The client cannot tell the two apart; only one of them has used the refresh token up."""
    token = (await rp.login())["refresh_token"]
    with provider.fault(fault):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rp.refresh, token)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    assert provider.token_info(token).active is is_still_good


async def test_hanging_provider_is_done_when_the_client_is_gone(provider):
    """A server that stops should not wait for answers that nobody wants."""
    form = b"grant_type=refresh_token"
    messages = [{"type": "http.request", "body": form}, {"type": "http.disconnect"}]
    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    with provider.fault("refresh_hangs_before_processing"), anyio.fail_after(5):
        await provider({"type": "http", "method": "POST", "path": "/token", "headers": headers}, receive, send)

    assert (messages, sent) == ([], [])


async def test_slow_refresh_and_revocation_take_their_time(provider, rp):
    """The time is a setting of the provider, so that tests need not wait long."""
    provider.slow_by = 0.05
    with provider.fault("refresh_slow", "revoke_slow"):
        start = time.perf_counter()
        tokens = await rp.login()
        refreshed = await rp.refresh(tokens["refresh_token"])
        revoked = await rp.revoke(token=refreshed.json()["refresh_token"])

    assert time.perf_counter() - start >= 0.09
    assert (refreshed.status_code, revoked.status_code) == (200, 200)


async def test_login_is_not_slowed_by_a_slow_refresh(provider, rp):
    """Faults of a refresh are for refreshes alone."""
    with provider.fault("refresh_slow"), anyio.fail_after(5):
        tokens = await rp.login()

    assert "refresh_token" in tokens


@pytest.mark.parametrize(("fault", "status"), [("revoke_down", 503), ("revoke_refuses", 400)])
async def test_revocation_can_fail(provider, rp, fault, status):
    """A logout goes on without it."""
    token = (await rp.login())["refresh_token"]
    with provider.fault(fault):
        answer = await rp.revoke(token=token)

    assert answer.status_code == status
    assert (provider.revoked, provider.token_info(token).active) == ([], True)
