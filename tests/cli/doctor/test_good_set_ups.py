"""Set-ups without a mistake: nothing is found, nobody is signed in, and no call is made that is not announced."""

import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_oidc import OAuth2Provider, OIDCMiddleware, Provider, Rule
from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.testing import serve
from asgi_oidc.testing.standins import GitHubStandIn
from tests.cli.doctor.examined import CLIENT_SECRET, ORIGIN, SECRET, guarded, make_provider, site


def flat() -> Any:
    api = FastAPI()

    @api.get("/health")
    def health() -> None:
        """Answer probes."""

    @api.get("/orders/{number}")
    def order(number: int) -> None:
        """Show an order."""

    return guarded(inner=api, public=["/", "/health"], rules=[Rule("/orders/*", claims={"roles": "admin"})])


def several_providers() -> Any:
    google = make_provider("https://google.example.net", redirect_uris=[f"{ORIGIN}/auth/callback/google"])
    hub = GitHubStandIn()
    client = hub.clients[next(iter(hub.clients))]
    return OIDCMiddleware(
        site(),
        base_url=ORIGIN,
        secret=SECRET,
        providers={
            "google": Provider(
                issuer=google.issuer, client_id="web", client_secret=CLIENT_SECRET, http_client=google.http_client()
            ),
            "github": OAuth2Provider.github(
                client_id=client.client_id, client_secret=client.client_secret, http_client=hub.http_client()
            ),
        },
    )


def mounted() -> Any:
    provider = make_provider(
        redirect_uris=[f"{ORIGIN}/admin/auth/callback"], post_logout_redirect_uris=[f"{ORIGIN}/admin"]
    )
    return Starlette(routes=[Mount("/admin", app=guarded(provider, inner=site("/users"), base_url=f"{ORIGIN}/admin"))])


def public_client() -> Any:
    return guarded(make_provider(client_secret=None), client_secret=..., store=MemoryStore())


def behind_a_proxy() -> Any:
    """Built by `add_middleware`, below a path that a proxy strips."""
    provider = make_provider(
        redirect_uris=[f"{ORIGIN}/shop/auth/callback"], post_logout_redirect_uris=[f"{ORIGIN}/shop"]
    )
    app = FastAPI(openapi_url=None)
    app.add_middleware(
        OIDCMiddleware,
        issuer=provider.issuer,
        client_id="web",
        client_secret=CLIENT_SECRET,
        base_url=f"{ORIGIN}/shop",
        secret=SECRET,
        http_client=provider.http_client(),
    )
    return app


def several_hosts() -> Any:
    hosts = ["https://a.example.com", "https://b.example.com"]
    provider = make_provider(redirect_uris=[f"{host}/auth/callback" for host in hosts], post_logout_redirect_uris=hosts)
    return guarded(provider, base_url=hosts)


def form_post() -> Any:
    return guarded(authorization_params={"response_mode": "form_post"})


def pushed_requests() -> Any:
    return guarded(par="always")


SET_UPS: list[Callable[[], Any]] = [
    flat,
    several_providers,
    mounted,
    public_client,
    behind_a_proxy,
    several_hosts,
    form_post,
    pushed_requests,
]


@pytest.mark.parametrize("make", SET_UPS, ids=lambda make: make.__name__)
def test_nothing_is_found_in_a_good_set_up(make, doctor):
    """A command that cries wolf is not run in CI."""
    report = doctor.examine(make())

    assert (report.status, report.names) == (0, frozenset())


def test_over_the_network_the_clock_counts_as_well(doctor):
    """A real server sends a Date, and the settings come from the environment."""
    provider = make_provider()
    with serve(provider) as server:
        provider.issuer = server.url
        environ = {"ISSUER": server.url, "CLIENT_ID": "web", "CLIENT_SECRET": CLIENT_SECRET, "BASE_URL": ORIGIN}
        status, text = doctor.say(
            None, **{f"OIDC_{name}": value for name, value in environ.items()}, OIDC_SECRET=SECRET
        )

    assert (status, "Clock: ok" in text, text.rstrip().splitlines()[-1]) == (0, True, "Nothing to fix.")


def test_the_calls_are_those_of_the_help_text_and_sign_nobody_in(doctor):
    """Production is safe: one call to the token endpoint, and no code, session or token is made."""
    provider = make_provider()

    doctor.examine(guarded(provider))

    assert Counter(call.path for call in provider.calls) == {
        "/.well-known/openid-configuration": 1,
        "/jwks": 1,
        "/token": 1,
        "/authorize": 1,
        "/end_session": 1,
    }
    asked = next(call for call in provider.calls if call.path == "/authorize").params
    assert (asked["prompt"], provider.memory.codes, provider.memory.sign_ins) == ("none", {}, {})


def test_offline_makes_no_call(doctor):
    """For a build that has no network."""
    provider = make_provider()

    report = doctor.examine(guarded(provider, client_secret="wrong-but-not-tried"), "--offline")

    assert (report.status, provider.calls) == (0, [])


def test_the_uris_to_register_are_listed_for_each_provider_and_host(doctor):
    """They are what goes wrong most often."""
    _, text = doctor.say(several_providers())

    listed = [line.strip() for line in text.splitlines() if line.strip().startswith(ORIGIN)]
    assert listed == [
        f"{ORIGIN}/auth/callback/google",
        ORIGIN,
        f"{ORIGIN}/auth/backchannel-logout/google",
        f"{ORIGIN}/auth/callback/github",
    ]


def test_providers_that_are_looked_up_are_not_checked(doctor):
    """They may be thousands."""

    class Source:
        async def get(self, name: str) -> Provider | None:
            raise AssertionError

    report = doctor.examine(OIDCMiddleware(site(), base_url=ORIGIN, secret=SECRET, providers=Source()))

    assert (report.status, set(report.findings)) == (0, {"providers_looked_up", "proxy_buffers"})


@pytest.mark.parametrize(("ahead", "told"), [(3600, "behind"), (-3600, "ahead of")])
def test_a_wrong_clock_is_found_by_name(ahead, told, doctor):
    """Tokens from the future are refused at each login."""
    provider = make_provider()
    date = formatdate(time.time() + ahead, usegmt=True).encode()

    async def with_date(scope: Any, receive: Any, send: Any) -> None:
        async def send_with_date(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"date", date)]}
            await send(message)

        await provider(scope, receive, send_with_date)

    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=with_date))

    report = doctor.examine(guarded(http_client=client))

    assert report.names == {"clock_skew"}
    assert told in report.findings["clock_skew"]["problem"]


def test_a_pattern_without_a_route_is_information(doctor):
    """Browsers ask for icons that an app need not have."""
    report = doctor.examine(guarded(public=["/", "/favicon.ico"]))

    assert (report.status, report.findings["public_pattern_unused"]["where"]) == (0, "/favicon.ico")
