"""A login may push its request first: then the browser carries only a reference, and nothing that could be changed."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import pytest

from asgi_oidc import Rule
from asgi_oidc.provider.authorization_requests import MAX_CALLS, MAX_WAITING
from asgi_oidc.testing import Client, FakeProvider
from asgi_oidc.testing.faults import FAULTS
from tests.protected_site import ORIGIN, PROGRAM, Site, login_cookies, who_am_i

LOGIN_URL = "/auth/login?return_to=/page"


def pushing_site(**settings: Any) -> Site:
    return Site(**{"par": "always", **settings})


def pushed(site: Site) -> dict[str, str]:
    """Return the request that was pushed last."""
    return [call.form for call in site.provider.calls if call.path.endswith("/par")][-1]


def query_of(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)


async def test_the_browser_carries_a_reference_only():
    """RFC 9126 §4: what it could change or leak is not there."""
    site = pushing_site()

    redirect = await site.browser().get("/page", follow=False)

    names = [name for name, _ in query_of(redirect.location)]
    assert (redirect.status_code, names) == (303, ["client_id", "request_uri"])
    request = pushed(site)
    assert (request["redirect_uri"], request["scope"]) == (f"{ORIGIN}/auth/callback", "openid profile email")
    assert {"state", "nonce", "code_challenge", "code_challenge_method", "response_type"} <= request.keys()


async def test_a_pushed_login_signs_in():
    """With one call more, and nothing beside the reference that the provider had to ignore."""
    site = pushing_site()
    site.provider.requires_par = True

    browser = await site.signed_in()

    assert await who_am_i(browser) == "alice"
    assert (site.provider.count("/par"), site.provider.count("/token"), site.provider.ignored_params) == (1, 1, [])


REQUIRED = {"require_pushed_authorization_requests": True}


@pytest.mark.parametrize(
    ("par", "members", "pushes"),
    [("auto", {}, 0), ("auto", REQUIRED, 1), ("always", {}, 1), ("always", REQUIRED, 1), ("never", {}, 0)],
    ids=str,
)
async def test_when_requests_are_pushed(par, members, pushes):
    """By default, only where the provider requires it."""
    site = Site(par=par)
    site.provider.metadata |= members

    assert (await site.browser().sign_in("alice", "/page")).status_code == 200
    assert site.provider.count("/par") == pushes


async def test_a_public_client_pushes_too():
    """RFC 9126 §2: it sends its id."""
    site = pushing_site(provider=FakeProvider(alg="ES256", clients=[Client("web", None)]), client_secret=...)

    await site.signed_in()

    assert pushed(site)["client_id"] == "web"


WAYS = ["/page", LOGIN_URL, "/auth/login?prompt=none&login_hint=zoe", "/strong", "/auth/callback?code=x&state=y"]


@pytest.mark.parametrize("path", WAYS)
async def test_each_way_to_start_a_login_pushes_once(path):
    """A page, a link, a silent login, a rule, a callback that came too late."""
    site = pushing_site(login_params=["prompt", "login_hint"], rules=[Rule("/strong", acr_values=["mfa"])])

    redirect = await site.browser().get(path, follow=False)

    assert [name for name, _ in query_of(redirect.location)] == ["client_id", "request_uri"]
    assert site.provider.count("/par") == 1
    asked = {name: pushed(site).get(name) for name in ("prompt", "login_hint", "acr_values")}
    assert asked["login_hint"] == ("zoe" if "login_hint" in path else None)
    assert asked["acr_values"] == ("mfa" if path == "/strong" else None)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/page", {**PROGRAM}),
        ("/page", {"sec-purpose": "prefetch"}),
        (LOGIN_URL, {"sec-purpose": "prefetch"}),
        (LOGIN_URL, {**PROGRAM}),
        ("/public/page", {}),
    ],
    ids=str,
)
async def test_only_a_page_navigation_costs_a_call(path, headers):
    """Anyone may send requests, and most of them open no page."""
    site = pushing_site()

    await site.browser().get(path, headers=headers, follow=False)

    assert site.provider.count("/par") == 0


async def test_a_login_loop_pushes_nothing_more():
    """It ends before the call."""
    site = pushing_site()
    browser = await site.signed_in()
    login = None
    for _ in range(20):
        calls = site.provider.count("/par")
        login = await browser.get(LOGIN_URL)
        if site.provider.count("/par") == calls:
            break

    assert login is not None
    assert login.status_code == 403


# Fault -> status and error code of the login that fails by it. Names that are missing here let logins succeed.
FAILURES = {
    "par_without_request_uri": (502, "par_malformed"),
    "par_request_uri_not_text": (502, "par_malformed"),
    "par_request_uri_null": (502, "par_malformed"),
    "par_request_uri_empty": (502, "par_malformed"),
    "par_request_uri_with_line_break": (502, "par_malformed"),
    "par_request_uri_too_long": (502, "par_malformed"),
    "par_expired_at_once": (502, "par_malformed"),
    "par_expires_in_the_past": (502, "par_malformed"),
    "par_without_expires_in": (502, "par_malformed"),
    "par_expires_in_text": (502, "par_malformed"),
    "par_expires_in_not_number": (502, "par_malformed"),
    "par_expires_in_1e300": (502, "par_malformed"),
    "par_status_200": (502, "par_status"),
    "par_not_found": (502, "par_status"),
    "par_error_too_large": (502, "par_status"),
    "par_500": (503, "par_unavailable"),
    "par_down": (503, "par_unavailable"),
    "par_error_too_many": (503, "par_unavailable"),
    "par_redirect": (502, "par_redirect"),
    "par_html": (502, "par_not_json"),
    "par_empty": (502, "par_not_json"),
    "par_not_json": (502, "par_not_json"),
    "par_json_array": (502, "par_not_json"),
    "par_two_request_uris": (502, "par_not_json"),
    "par_huge": (502, "par_too_large"),
    "par_gzip_bomb": (502, "par_compressed"),
    "par_error_invalid_request": (502, "invalid_request"),
    "par_error_invalid_client": (502, "invalid_client"),
    "par_error_unauthorized_client": (502, "unauthorized_client"),
    "par_error_invalid_request_object": (502, "invalid_request_object"),
    "par_error_invalid_scope": (502, "invalid_scope"),
    "par_error_invalid_authorization_details": (502, "invalid_authorization_details"),
}
# The provider refuses its own reference, on a page of its own; or it is only slow.
AT_THE_PROVIDER = {"par_request_uri_https", "par_request_uri_with_more_params", "par_unknown_request_uri"}
SLOW = {"par_slow", "par_hangs"}


def test_every_fault_is_tried():
    """A new one needs a decision."""
    assert {name for name in FAULTS if name.startswith("par_")} == FAILURES.keys() | AT_THE_PROVIDER | SLOW


@pytest.mark.parametrize("fault", FAILURES)
async def test_a_wrong_answer_fails_the_login_before_it_began(fault, caplog):
    """No cookie, no redirect, one call, and the reason is in the log only."""
    site = pushing_site()
    browser = site.browser()

    with site.provider.fault(fault):
        page = await browser.get(LOGIN_URL)

    status, code = FAILURES[fault]
    (line,) = [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    assert (page.status_code, page.path, login_cookies(browser)) == (status, LOGIN_URL, [])
    assert (site.provider.count("/par"), site.provider.count("/authorize")) == (1, 0)
    assert code in line
    assert ("PHISHING" in line, "PHISHING" in page.text) == (fault.startswith("par_error_"), False)
    assert pushed(site)["state"] not in line
    assert (page.headers.get("retry-after") is not None) == (status == 503)


@pytest.mark.parametrize("fault", sorted(AT_THE_PROVIDER))
async def test_a_reference_cannot_bring_parameters_along(fault):
    """Whatever it contains, it is one value of the URL."""
    site = pushing_site()

    with site.provider.fault(fault):
        redirect = await site.browser().get("/page", follow=False)

    assert [name for name, _ in query_of(redirect.location)] == ["client_id", "request_uri"]
    assert redirect.location.startswith(f"{site.provider.issuer}/authorize?client_id=web&request_uri=")


async def test_a_silent_login_tells_the_app_of_an_outage():
    """As when the provider says so in its response."""
    site = pushing_site(login_params=["prompt"])

    with site.provider.fault("par_down"):
        back = await site.browser().get("/auth/login?prompt=none&return_to=/public/page", follow=False)

    assert back.location == f"{ORIGIN}/public/page?login_error=temporarily_unavailable"


@pytest.mark.parametrize(
    ("par", "members", "code"),
    [
        ("never", REQUIRED, "par_required"),
        ("always", {"pushed_authorization_request_endpoint": None}, "par_unsupported"),
        ("auto", {**REQUIRED, "pushed_authorization_request_endpoint": None}, "par_unsupported"),
    ],
    ids=str,
)
async def test_a_login_that_cannot_be_pushed_does_not_start(par, members, code, caplog):
    """It is never sent in the URL instead."""
    site = Site(par=par)
    site.provider.metadata |= members

    page = await site.browser().get("/page")

    assert (page.status_code, site.provider.count("/authorize")) == (502, 0)
    assert f"code={code}" in caplog.text
    assert "set par (OIDC_PAR)" in caplog.text or "set it in metadata" in caplog.text


@pytest.mark.parametrize("name", ["request", "request_uri"])
async def test_no_link_names_a_request_of_its_own(name):
    """A `request_uri` of somebody else would replace all that a login asks for."""
    site = pushing_site()
    browser = await site.signed_in()
    with pytest.raises(ValueError, match=name):
        site.app.scope["oidc"].login_url(params={name: "https://collector.example.org/request"})

    await browser.get(f"{LOGIN_URL}&{name}=https://collector.example.org/request", follow=False)

    assert name not in pushed(site)


async def test_a_flood_of_logins_is_turned_away_and_leaves_room_for_the_others():
    """A provider that hangs: those who wait get 503, and a login in progress still gets its tokens."""
    site = pushing_site()
    browser, url = await site.at_callback()
    statuses: list[int] = []

    async def start() -> None:
        statuses.append((await site.browser().get("/page", follow=False)).status_code)

    with site.provider.hold("par") as gate:
        async with anyio.create_task_group() as group:
            for _ in range(MAX_CALLS):
                group.start_soon(start)
            await gate.until_held(MAX_CALLS)
            for _ in range(MAX_WAITING + 30):
                group.start_soon(start)
            await anyio.wait_all_tasks_blocked()
            assert statuses == [503] * 30
            assert (await browser.get(url)).json()["sub"] == "alice"
            gate.open()

    assert sorted(statuses) == [303] * (MAX_CALLS + MAX_WAITING) + [503] * 30


async def test_a_provider_that_has_had_too_many_pushes_gets_none_for_a_while():
    """Anyone can start logins, and what the provider counts against us may be refreshes as well."""
    site = pushing_site()
    with site.provider.fault("par_error_too_many"):
        refused = await site.browser().get("/page", follow=False)
    paused = await site.browser().get("/page", headers=PROGRAM, follow=False)
    waiting = await site.browser().get("/page", follow=False)
    site.clock.advance(5)  # as long as it is without a Retry-After
    again = await site.browser().get("/page", follow=False)

    assert (refused.status_code, paused.status_code, waiting.status_code, again.status_code) == (503, 401, 503, 303)
    assert waiting.headers["retry-after"] == "5"
    assert site.provider.count("/par") == 2


async def test_a_clock_that_is_set_back_does_not_stop_logins():
    """The pause is measured with the clock of the machine."""
    site = pushing_site()
    with site.provider.fault("par_error_too_many"):
        await site.browser().get("/page", follow=False)
    site.clock.advance(-3600)

    assert (await site.browser().get("/page", follow=False)).status_code == 303
