"""Names of providers in URLs: whatever stands there that is no name leads nowhere, ends nothing and uses nothing up."""

from urllib.parse import urlencode, urlsplit

import pytest

from asgi_oidc.testing.in_process import call_app
from tests.protected_site import ORIGIN, PROGRAM
from tests.providers.lookalike_providers import FORM, SID, SUB, AttackedProviders, at, param
from tests.providers.three_providers import NAMES, issuer_of

# As they stand in the URL; each is one segment of a path once the server has decoded it.
UNKNOWN = {
    "empty": "",
    "unknown": "four",
    "title": "One",
    "upper case": "ONE",
    "encoded twice": "%256fne",
    "longer": "one.",
    "dot": "%2e",
    "dots": "%2e%2e",
    "space": "one%20",
    "plus": "+one",
    "parameter": "one;x=1",
    "question mark": "one%3Fx=1",
    "fragment": "one%23",
    "NUL": "one%00",
    "line break": "one%0a",
    "letter that folds": "%C3%B6ne",
    "no UTF-8": "%ff",
    "4 kB": "x" * 4000,
}
# No paths of ours, for they have more segments or are too long: they are for the app, and so they are protected.
OTHER_PATHS = {
    "10 kB": "x" * 10_000,
    "doubled": "one/one",
    "two names": "two/one",
    "slash before": "/one",
    "encoded slash": "one%2Fone",
    "encoded slash before": "%2Fone",
    "dots before": "%2e%2e/one",
    "back and forth": "two/%2e%2e/one",
}
# Spellings that servers and mounts make of the same path.
SAME = {"as it is": "one", "trailing slash": "one/", "encoded": "%6fne"}


@pytest.fixture
async def site() -> AttackedProviders:
    """With the same user signed in at each of the providers."""
    site = AttackedProviders()
    await site.sign_victims_in()
    return site


def cases() -> list[tuple[str, int]]:
    """Return all bad names, each with the status of what it gets."""
    return [*((name, 404) for name in UNKNOWN.values()), *((name, 401) for name in OTHER_PATHS.values())]


IDS = [*UNKNOWN, *OTHER_PATHS]


@pytest.mark.parametrize(("name", "status"), cases(), ids=IDS)
async def test_no_callback(site, name, status):
    """The login in progress is not used up by it."""
    browser, url = await site.at_callback("one")

    refused = await browser.get(f"/auth/callback/{name}?{urlsplit(url).query}", headers=PROGRAM, follow=False)

    code = "provider_unknown" if status == 404 else "login_required"
    assert (refused.status_code, refused.json()["error"]) == (status, code)
    assert site.calls_of("one") == 0
    assert (await browser.get(url, headers=PROGRAM, follow=False)).status_code == 303


@pytest.mark.parametrize(("name", "status"), cases(), ids=IDS)
async def test_no_back_channel(site, name, status):
    """The token would have been good, and can still be used."""
    token = site.fakes["one"].logout_token(SUB)
    url = f"{ORIGIN}/auth/backchannel-logout/{name}"

    refused, *_ = await call_app(site.middleware, "POST", url, FORM, urlencode({"logout_token": token}).encode())

    assert refused == status
    await site.assert_untouched(*NAMES)


@pytest.mark.parametrize(("name", "status"), cases(), ids=IDS)
async def test_no_front_channel(site, name, status):
    """The `iss` and `sid` would have been right."""
    query = urlencode({"iss": issuer_of("one"), "sid": SID})
    signed_in = 200 if status == 401 else status  # the app answers, whatever it has there

    answer = await site.victims["one"].fetch(f"/auth/frontchannel-logout/{name}?{query}")

    assert (answer.status_code, answer.set_cookies) == (signed_in, [])
    await site.assert_untouched(*NAMES)


@pytest.mark.parametrize("name", [*UNKNOWN.values(), *OTHER_PATHS.values()], ids=IDS)
async def test_no_login(site, name):
    """The user may choose again, or the request is malformed; it never leaves the site."""
    page = await site.browser().get(f"/auth/login?provider={name}", follow=False)

    expected = 400 if name == "%ff" else 200 if "&provider=" in name else 404  # two names are as good as none
    assert (page.status_code, page.location) == (expected, "")
    assert [line for line in page.set_cookies if "-login-" in line] == []
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", [*UNKNOWN.values(), *OTHER_PATHS.values()], ids=IDS)
async def test_the_path_of_the_login_has_no_name(site, name):
    """Only the parameter names a provider."""
    answer = await site.browser().get(f"/auth/login/{name}", headers=PROGRAM, follow=False)

    assert answer.location.startswith(issuer_of("one")) is False
    assert [line for line in answer.set_cookies if "-login-" in line] == []


async def test_two_names_for_a_login_are_none(site):
    """Which of them counts would depend on the reader."""
    page = await site.browser().get("/auth/login?provider=one&provider=two", follow=False)

    assert (page.status_code, page.location) == (200, "")


@pytest.mark.parametrize("spelling", SAME.values(), ids=SAME)
async def test_other_spellings_of_a_path_are_of_the_same_provider(site, spelling):
    """Servers decode the path, and some mounts add a slash; that changes nothing about whose callback it is."""
    for name, code in (("two", "provider_mismatch"), ("one", "")):
        browser, url = await site.at_callback(name)
        back = await browser.get(f"/auth/callback/{spelling}?{urlsplit(url).query}", headers=PROGRAM, follow=False)
        assert (back.status_code, "" if back.status_code == 303 else back.json()["error"]) == (
            303 if name == "one" else 400,
            code,
        )

    (call,) = (call for call in site.fakes["one"].calls if call.path.endswith("/token"))
    assert call.form["redirect_uri"] == f"{ORIGIN}/auth/callback/one"


@pytest.mark.parametrize("name", NAMES)
async def test_the_nameless_callback_takes_no_code(site, name):
    """It would be the same for all, and hide a mix-up."""
    browser, url = await site.at_callback(name)
    nameless = at("", url).replace("/?", "?")

    for path in (nameless, nameless.replace("?", "/?")):
        refused = await browser.get(path, headers=PROGRAM, follow=False)
        assert (refused.status_code, refused.json()["error"]) == (404, "provider_unknown")

    form = {"code": param(url, "code"), "state": param(url, "state")}
    assert (await browser.post("/auth/callback", form, headers=PROGRAM)).status_code == 404
    assert site.calls_of(name) == 0
    assert (await browser.get(url, headers=PROGRAM, follow=False)).status_code == 303


@pytest.mark.parametrize("name", NAMES)
async def test_the_nameless_sign_out_urls_end_nothing(site, name):
    """Neither guesses the provider from the token or from `iss`."""
    token, url = site.fakes[name].logout_token(SUB), f"{ORIGIN}/auth/backchannel-logout"
    query = urlencode({"iss": issuer_of(name), "sid": SID})

    status, *_ = await call_app(site.middleware, "POST", url, FORM, urlencode({"logout_token": token}).encode())
    answer = await site.victims[name].fetch(f"/auth/frontchannel-logout?{query}")

    assert (status, answer.status_code) == (404, 404)
    await site.assert_untouched(*NAMES)
