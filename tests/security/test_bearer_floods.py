"""Made-up tokens cost a bounded number of calls, and take no turn of a sign-in, a logout or a good token."""

import secrets

import anyio
import pytest

from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.keys import compact_jws, json_bytes, signing_key

from .api_calls import API, PROTECTED, APISite, bearer, refusal_of
from .attacked_site import NOW

pytestmark = pytest.mark.usefixtures("quiet")

MANY = 100


def forged(site: APISite, **changes: object) -> str:
    """Return a token that somebody has signed with a key of their own."""
    claims = {"iss": site.provider.issuer, "sub": "admin", "aud": API, "client_id": "x", "scope": "orders:read"}
    header = {"alg": "RS256", "typ": "at+jwt", "kid": secrets.token_hex(8)} | changes
    payload = json_bytes(claims | {"iat": NOW, "exp": NOW + 600, "jti": secrets.token_hex(8)})
    return compact_jws(header, payload, signing_key("RS256", 999))


async def flood(site: APISite, **changes: object) -> None:
    """Send many forged tokens, each another one."""
    for _ in range(MANY):
        assert refusal_of(await site.call(PROTECTED, [bearer(forged(site, **changes))])).status == 401


async def test_unknown_keys_cost_few_calls() -> None:
    """Else anyone could make us hammer the provider with made-up key ids."""
    site = APISite()
    assert (await site.call(PROTECTED, [bearer(site.token())])).status == 200
    known = site.provider.count("/jwks")

    await flood(site)

    assert site.provider.count("/jwks") - known <= 3
    assert {call.path for call in site.provider.calls} == {"/jwks", "/.well-known/openid-configuration"}


async def test_a_flood_of_unknown_keys_costs_no_sign_in_its_look_at_new_keys() -> None:
    """The provider has changed its keys, and a user comes back from it (OpenID Connect Core §10.1.1)."""
    site = APISite()
    await flood(site)
    site.provider.rotate_keys()
    await flood(site)

    await site.signed_in("alice")


async def test_a_flood_of_unknown_keys_costs_no_logout_its_look_at_new_keys() -> None:
    """A user who signs out elsewhere has to be signed out here, whatever programs send."""
    site = APISite()
    cookie = await site.session_cookie("alice")
    await flood(site)
    site.provider.rotate_keys()
    form = b"logout_token=" + site.provider.logout_token("alice").encode()
    headers = [(b"content-type", b"application/x-www-form-urlencoded")]

    answer = await site.call("/auth/backchannel-logout", headers, method="POST", body=form)

    assert answer.status == 200
    assert (await site.call(PROTECTED, [cookie])).status in (302, 303, 401)


@pytest.mark.parametrize("endpoint", ["jwks", "discovery"])
async def test_clients_that_hang_up_cost_no_sign_in_the_keys(endpoint: str) -> None:
    """Some servers cancel their requests; the call goes on, so that it is made once, and not for nothing."""
    site = APISite()
    with site.provider.hold(endpoint) as gate:
        for _ in range(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(site.call, PROTECTED, [bearer(forged(site))])
                await gate.until_held()
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()
        gate.open()

    await site.signed_in("alice")

    assert site.provider.count("/jwks") == 1


async def test_after_a_flood_tokens_of_new_keys_count_again() -> None:
    """Within the time that keys may be old: 30 s."""
    site = APISite()
    await flood(site)
    site.provider.rotate_keys()
    token = site.token()

    site.clock.now += 31
    await flood(site)

    assert (await site.call(PROTECTED, [bearer(token)])).status == 200


@pytest.mark.parametrize("outage", ["jwks_down", "discovery_down"])
async def test_keys_that_cannot_be_had_are_no_reason_to_refuse_or_to_let_in(outage: str) -> None:
    """A 401 would make the client throw its token away; a 503 makes it wait."""
    site = APISite()
    with site.provider.fault(outage):
        for _ in range(20):
            answer = await site.call(PROTECTED, [bearer(site.token())])
            assert (answer.status, len(answer.headers(b"retry-after"))) == (503, 1)
        assert len(site.provider.calls) <= 4
    assert site.app.visits == []

    site.clock.now += 31
    assert (await site.call(PROTECTED, [bearer(site.token())])).status == 200


async def test_tokens_that_are_none_cost_no_call() -> None:
    """Nor do tokens of providers that are not ours, wherever they say that their keys are."""
    site = APISite(bearer={"introspect": False})
    for token in (
        *("x" * 500, "a.b.c", "..", "e30.e30.e30", "." * 10_000),
        *(FakeProvider(f"https://{n}.example.net", clock=site.clock).access_token(audience=API) for n in range(20)),
        forged(site, alg="none"),
        forged(site, alg="HS256"),
        forged(site, crit=["exp"]),
        forged(site, kid="k" * 5000),
    ):
        assert refusal_of(await site.call(PROTECTED, [bearer(token)])).status == 401

    assert [call.path for call in site.provider.calls] == []


async def test_a_user_with_many_tokens_costs_nobody_else_theirs() -> None:
    """A client that gets a new token for each call drops its own ones."""
    site = APISite()
    others = site.token("alice")
    await site.call(PROTECTED, [bearer(others)])
    checked = []
    verify = site.provider.count("/jwks")

    for _ in range(MANY):
        checked.append((await site.call(PROTECTED, [bearer(site.token("bob"))])).status)

    assert set(checked) == {200}
    assert (await site.call(PROTECTED, [bearer(others)])).status == 200
    assert site.provider.count("/jwks") == verify
