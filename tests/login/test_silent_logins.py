"""`prompt=none`: the provider shows no page, and a failure returns to the app, never to an error page or a loop."""

from urllib.parse import parse_qs, urlsplit

import pytest

from asgi_oidc.errors import ProviderRefused, ProviderUnavailable, RequestRejected
from asgi_oidc.login.silent_login import NOT_SILENT, silent_result, with_result, without_result
from tests.login.test_login_params import login_url
from tests.protected_site import ORIGIN, PROGRAM, Site
from tests.providers.three_providers import ThreeProviders

SILENT = "/auth/login?prompt=none"


@pytest.mark.parametrize(
    ("return_to", "path"),
    [
        ("", "/?login_error=login_required"),
        ("&return_to=/public/x", "/public/x?login_error=login_required"),
        ("&return_to=/public/x?a=1%23b", "/public/x?a=1&login_error=login_required#b"),
        ("&return_to=/public/x?login_error=x%26a=1", "/public/x?a=1&login_error=login_required"),
    ],
)
async def test_a_user_who_is_unknown_at_the_provider_comes_back(return_to, path):
    """The app learns it from the URL, and shows the page to an anonymous user."""
    site = Site(login_params=["prompt"])

    page = await site.browser().get(SILENT + return_to)

    assert (page.status_code, page.url.removeprefix("https://app.example.com")) == (200, path)
    assert not site.app.scope["user"].is_authenticated


@pytest.mark.parametrize("error", NOT_SILENT)
async def test_each_error_of_a_silent_login_comes_back(error):
    """OIDC Core §3.1.2.6."""
    site = Site(login_params=["prompt"])
    browser = site.browser()
    state = parse_qs(urlsplit((await browser.get(SILENT, follow=False)).location).query)["state"][0]

    response = await browser.get(f"/auth/callback?error={error}&state={state}", follow=False)

    assert (response.status_code, response.location) == (303, f"https://app.example.com/?login_error={error}")


@pytest.mark.parametrize("error", ["invalid_request", "access_denied", "x%0d%0ay", "<script>"])
async def test_other_errors_get_their_page(error):
    """They have another cause, and their text stays in the log."""
    site = Site(login_params=["prompt"])
    browser = site.browser()
    state = parse_qs(urlsplit((await browser.get(SILENT, follow=False)).location).query)["state"][0]

    response = await browser.get(f"/auth/callback?error={error}&state={state}", follow=False)

    assert (response.location, response.status_code >= 400) == ("", True)
    assert "<script>" not in response.text


async def test_an_ordinary_login_gets_the_page():
    """Nobody can turn its failure into a redirect by sending the error of a silent one."""
    browser = Site().browser()
    state = parse_qs(urlsplit((await browser.get("/auth/login", follow=False)).location).query)["state"][0]

    response = await browser.get(f"/auth/callback?error=login_required&state={state}", follow=False)

    assert (response.status_code, response.location) == (403, "")


async def test_a_login_that_asks_for_a_page_is_not_silent():
    """A `prompt` of the settings is asked whatever a link says, so its failure is an ordinary one."""
    site = Site(login_params=["prompt"], authorization_params={"prompt": "consent"})
    browser = site.browser()
    query = parse_qs(urlsplit((await browser.get(SILENT, follow=False)).location).query)

    response = await browser.get(f"/auth/callback?error=login_required&state={query['state'][0]}", follow=False)

    assert (query["prompt"], response.status_code, response.location) == (["consent"], 403, "")


async def test_a_script_that_tries_again_and_again_is_stopped():
    """Also while the user is signed in, when each attempt succeeds: no user has clicked."""
    site = Site(login_params=["prompt"])
    browser = await site.signed_in()
    script = {"sec-fetch-site": "same-origin", "sec-fetch-user": None}

    statuses = [(await browser.get(SILENT, initiator=f"{ORIGIN}/", headers=script)).status_code for _ in range(6)]

    assert statuses[0] == 200
    assert 403 in statuses


async def test_a_protected_page_starts_an_ordinary_login_afterwards():
    """Once, and without the marker in the end."""
    site = Site(login_params=["prompt"])
    browser = site.browser()

    page = await browser.get(f"{SILENT}&return_to=/private?a=1")
    response = await browser.submit(button="alice")

    assert page.url.startswith(site.provider.issuer)
    assert (response.status_code, response.url) == (200, "https://app.example.com/private?a=1")


async def test_code_starts_a_silent_login():
    """`login_url(params={"prompt": "none"})` needs no setting."""
    site = Site()
    browser = site.browser()

    page = await browser.get(await login_url(site, browser, "/public/x", params={"prompt": "none"}))

    assert (page.status_code, page.url) == (200, "https://app.example.com/public/x?login_error=login_required")


async def test_a_page_that_tries_again_and_again_is_stopped():
    """An app that ignores the result gets the page about login loops."""
    site = Site(login_params=["prompt"])
    browser = site.browser()

    statuses = [(await browser.get(SILENT, headers={"sec-fetch-site": "cross-site"})).status_code for _ in range(6)]

    assert statuses[0] == 200
    assert 400 in statuses


async def test_a_provider_that_is_down_does_not_take_the_page_along():
    """The page is public; a login that nobody asked for must not replace it by a 503."""
    site = Site(login_params=["prompt"])
    with site.provider.fault("discovery_down"):
        page = await site.browser().get(f"{SILENT}&return_to=/public/x")
        ordinary = await site.browser().get("/auth/login", follow=False)

    assert (page.status_code, page.url) == (200, "https://app.example.com/public/x?login_error=temporarily_unavailable")
    assert ordinary.status_code == 503


async def test_with_a_provider_down_a_loop_is_stopped_too():
    """The browser never gets to the provider, so only our own cookie can tell."""
    site = Site(login_params=["prompt"])
    browser = site.browser()

    with site.provider.fault("discovery_down"):
        statuses = [(await browser.get(SILENT)).status_code for _ in range(5)]

    assert statuses == [200, 200, 200, 200, 400]


async def test_a_frame_or_script_gets_no_silent_login():
    """It would need cookies that browsers do not send there; a navigation works."""
    response = await Site(login_params=["prompt"]).browser().get(SILENT, headers=PROGRAM, follow=False)

    assert (response.status_code, response.json()["error"]) == (400, "not_a_navigation")


async def test_nobody_chooses_a_provider_silently():
    """The app learns that the user has to choose."""
    site = ThreeProviders(login_params=["prompt"])

    page = await site.browser().get(f"{SILENT}&return_to=/public/x")

    assert page.url == "https://app.example.com/public/x?login_error=account_selection_required"


async def test_the_last_provider_is_asked_silently():
    """That is where the user is likely to be signed in."""
    site = ThreeProviders(login_params=["prompt"])
    browser = await site.signed_in("two")

    response = await browser.get(SILENT, follow=False)

    assert response.location.startswith("https://two.id.example.net")


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("/", "/?login_error=x"),
        ("/a?b", "/a?b&login_error=x"),
        ("/a#b?c", "/a?login_error=x#b?c"),
        ("/a?login_error=y#z", "/a?login_error=x#z"),
        ("/a?b=1&login_error=y&c&login_error=", "/a?b=1&c&login_error=x"),
        ("/a?my_login_error=y", "/a?my_login_error=y&login_error=x"),
    ],
)
def test_the_result_is_in_the_query_once(url, result):
    """Before the fragment, and in place of an earlier one."""
    assert with_result(url, "x") == result
    assert "login_error=x" not in without_result(result).replace("my_login_error", "")


def test_only_failures_of_a_silent_login_are_results():
    """What may be an attack stays an error."""
    assert silent_result(ProviderRefused("login_required", "")) == "login_required"
    assert silent_result(ProviderRefused("invalid_scope", "")) is None
    assert silent_result(ProviderUnavailable("x", "")) == "temporarily_unavailable"
    assert silent_result(RequestRejected("iss_mismatch", "")) is None
