"""Tokens for other APIs on behalf of the user of an access token: each for one token and one target, and bounded."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx
import pytest

from asgi_oidc import Bearer, OIDCError, RefreshFailed, SessionEnded, TokenNotGranted
from asgi_oidc.tokens import token_cache
from tests.protected_site import Exchange, Site

API, ORDERS = "https://api.example.com", "https://orders.example.com"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
LIFETIME = 300  # seconds of an exchanged token


class ExchangingSite(Site):
    """A site whose app asks for a token for another API while it answers."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"bearer": Bearer(audience=API), **settings})
        self.provider.access_token_lifetime = LIFETIME
        self.got: list[str] = []
        self.raised: list[OIDCError] = []
        self.app.at_work = self.asking_for(lambda oidc: oidc.exchange_token(audience="orders"))

    def token(self, sub: str = "alice", **options: Any) -> str:
        """Mint a token that outlives the exchanged ones."""
        return self.provider.access_token(sub, audience=API, **{"lifetime": 3600, **options})

    def asking_for(self, ask: Callable[[Any], Awaitable[str]]) -> Callable[[Any], Awaitable[None]]:
        async def at_work(scope: Any) -> None:
            try:
                self.got.append(await ask(scope["oidc"]))
            except OIDCError as error:
                self.raised.append(error)

        return at_work

    async def call_with(self, token: str) -> Exchange:
        """Call the app with a token."""
        return await self.call("/page", headers={"authorization": f"Bearer {token}"})

    @property
    def exchanges(self) -> int:
        """Calls of the provider so far."""
        return self.provider.count_grants(EXCHANGE)

    @property
    def codes(self) -> list[str]:
        """The codes of the errors that the app got."""
        return [error.code for error in self.raised]


@pytest.fixture
def site() -> ExchangingSite:
    return ExchangingSite()


async def test_the_user_of_a_token_gets_a_token_for_another_api(site):
    """It is about the same user, and for that API alone."""
    await site.call_with(site.token())

    info = site.provider.token_info(site.got[0])
    assert (info.sub, info.audience, site.raised) == ("alice", ("orders",), [])


async def test_a_machine_gets_one_as_well(site):
    """Whose tokens are exchanged is decided by the provider."""
    await site.call_with(site.provider.machine_token("web", audience=API))

    assert (site.provider.token_info(site.got[0]).sub, site.codes) == ("web", [])


async def test_a_token_is_requested_once_and_again_when_it_is_due(site):
    """A minute ahead, like those of sessions."""
    token = site.token()
    for _ in range(3):
        await site.call_with(token)
    once = site.exchanges
    site.clock.advance(LIFETIME - 59)
    await site.call_with(token)

    assert (once, site.exchanges, len(set(site.got))) == (1, 2, 2)


async def test_fifty_at_once_make_one_call(site):
    """And get one token."""
    token = site.token()
    await site.call_with(site.token("bob"))  # keys and metadata are there now
    before = site.exchanges

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(site.call_with, token)

    assert (site.exchanges - before, len(site.got), len(set(site.got[1:]))) == (1, 51, 1)


async def test_two_tokens_share_nothing(site):
    """Not even those of one user: their rights may differ (CVE-2025-67490 mixed up users)."""
    for token in (site.token(), site.token(scopes=["openid"]), site.token("bob")):
        await site.call_with(token)

    assert (site.exchanges, len(set(site.got))) == (3, 3)
    assert [site.provider.token_info(token).sub for token in site.got] == ["alice", "alice", "bob"]
    assert site.provider.token_info(site.got[1]).scopes == ("openid",)


async def test_each_target_has_a_token_of_its_own(site):
    """A token for less is not one for more."""
    token = site.token()
    wishes: list[dict[str, str]] = [{"audience": "orders"}, {"resource": ORDERS}, {"audience": "orders", "scope": "x"}]

    for wish in wishes * 2:
        site.app.at_work = site.asking_for(lambda oidc, wish=wish: oidc.exchange_token(**wish))
        await site.call_with(token)

    assert (site.exchanges, len(set(site.got))) == (3, 3)


async def test_a_refusal_is_kept_for_some_seconds(site):
    """A loop of requests must not hammer the provider."""
    site.provider.targets = []
    token = site.token()
    for _ in range(3):
        await site.call_with(token)

    assert ([type(error) for error in site.raised], site.exchanges) == ([TokenNotGranted] * 3, 1)
    site.clock.advance(10)
    await site.call_with(token)
    assert site.exchanges == 2


async def test_an_outage_is_a_failed_refresh(site):
    """The app may answer 503: it is not the fault of the client."""
    token = site.token()
    await site.call_with(token)
    site.clock.advance(LIFETIME)
    with site.provider.fault("token_500"):
        await site.call_with(token)

    assert [type(error) for error in site.raised] == [RefreshFailed]
    assert site.codes[0].startswith("exchange_")


async def test_a_token_that_was_revoked_meanwhile_gets_nothing(site):
    """The user has signed out everywhere while the provider took its time."""
    token = site.token()
    await site.call_with(site.token("bob"))
    with site.provider.hold("token_exchange", when="after") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(site.call_with, token)
            await gate.until_held(1)
            site.clock.advance(4000)
            gate.open()

    assert ([type(error) for error in site.raised], len(site.got)) == ([SessionEnded], 1)


async def test_the_token_of_the_request_is_never_passed_on(site):
    """Another API that got it could act as the user here."""
    token = site.token()
    ways: list[Callable[[Any], Awaitable[str]]] = [
        lambda oidc: oidc.access_token(),
        lambda oidc: oidc.access_token(resource=ORDERS),
    ]

    for ask in ways:
        site.app.at_work = site.asking_for(ask)
        await site.call_with(token)

    assert (site.codes, site.got, site.exchanges) == (["token_pass_through"] * 2, [], 0)


async def test_httpx_sends_the_exchanged_token(site):
    """The usual way to call another API; after its 401 there is one new token."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(401 if len(seen) == 1 else 200)

    async def call_orders(oidc: Any) -> str:
        auth = oidc.httpx_auth(ORDERS, audience="orders")
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), auth=auth) as client:
            return str((await client.get(ORDERS)).status_code)

    site.app.at_work = site.asking_for(call_orders)
    token = site.token()
    await site.call_with(token)

    assert (site.got, site.exchanges, len(set(seen))) == (["200"], 2, 2)
    assert f"Bearer {token}" not in seen


async def test_httpx_without_an_audience_sends_nothing(site):
    """There would be only the token of the request to send."""

    async def call_orders(oidc: Any) -> str:
        async with httpx.AsyncClient(auth=oidc.httpx_auth(ORDERS)) as client:
            return str((await client.get(ORDERS)).status_code)

    site.app.at_work = site.asking_for(call_orders)
    await site.call_with(site.token())

    assert site.codes == ["token_pass_through"]


@pytest.mark.parametrize("wish", [{"audience": ""}, {"scope": "a\nb"}, {"resource": "orders"}])
async def test_a_wrong_argument_is_told_before_a_call_is_made(site, wish):
    """As for sessions."""
    site.app.at_work = site.asking_for(lambda oidc: oidc.exchange_token(**wish))

    with pytest.raises(ValueError, match="must be"):
        await site.call_with(site.token())

    assert site.exchanges == 0


async def test_what_a_token_knows_of_its_login(site):
    """`scope["oidc"]` has no session, and the facts of the token."""
    token = site.token(claims={"acr": "mfa", "auth_time": int(site.clock.now) - 100})
    site.app.at_work = site.asking_for(lambda oidc: oidc.exchange_token(audience="orders"))
    await site.call_with(token)

    oidc = site.app.scope["oidc"]
    assert (oidc.id_token, oidc.session_id, oidc.expires_at) == (None, None, int(site.clock.now) + 3600)
    assert (oidc.meets(acr_values=["mfa"], max_age=300), oidc.meets(max_age=50)) == (True, False)
    assert oidc.login_url("/page").startswith("https://app.example.com/auth/login?")


async def test_the_cache_is_bounded(site):
    """A client with ever new tokens must not fill the memory."""
    assert token_cache.MAX_TOKENS == 10_000

    exchange = site.middleware._composition.http._app_scopes._tools.token_exchange
    exchange._tokens._cache._max_entries = 2
    for _ in range(4):
        await site.call_with(site.token())

    assert len(exchange._tokens._cache._tokens) == 2


async def test_no_error_shows_a_token(site):
    """Error reporters record the variables of all frames."""
    site.provider.targets = []
    token = site.token()
    await site.call_with(token)

    error = site.raised[0]
    assert token not in f"{error!r} {error} {error.detail}"
    assert (error.__cause__, error.__context__) == (None, None)
