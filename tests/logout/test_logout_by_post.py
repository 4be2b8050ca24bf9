"""A sign-out whose ID Token is too large for a URL goes to the provider as a form (RP-Initiated Logout 1.0 §2)."""

from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from asgi_oidc import MemoryStore
from asgi_oidc.protocol.end_session import MAX_URL_LENGTH
from asgi_oidc.testing import Browser, FakeProvider, Response
from tests.protected_site import ORIGIN, PROGRAM, Site, cookie_header, session_cookies

GROUPS = [f"00000000-0000-0000-0000-{number:012}" for number in range(200)]
LOGOUT = "/auth/logout"


def site_with_groups(**settings: Any) -> Site:
    """Whose ID Tokens take about 10 kB."""
    site = Site(**{"store": MemoryStore(), **settings})
    site.provider.id_token_overrides = {"groups": GROUPS}
    return site


async def sign_out(browser: Browser, **options: Any) -> Response:
    return await browser.post(LOGOUT, follow=False, **options)


async def test_a_large_id_token_is_sent_as_a_form():
    """Else the provider answers 400 and knows the user still, whom the next page would sign in silently."""
    site = site_with_groups()
    browser = await site.signed_in()
    id_token = site.app.scope["oidc"].id_token

    home = await browser.post(LOGOUT)

    (call,) = [call for call in site.provider.calls if call.path.endswith("/end_session")]
    sent = (call.method, call.form["id_token_hint"], call.form["client_id"], call.form["post_logout_redirect_uri"])
    assert sent == ("POST", id_token, "web", ORIGIN)
    assert (home.status_code, home.json()["sub"], urlsplit(home.url).query) == (200, None, "")
    assert (await browser.get("/page")).page.forms  # of the provider: it asks again


async def test_the_page_with_the_form_can_do_nothing_else():
    """It holds an ID Token: no cache keeps it, nobody frames it, and its one script is known by its hash."""
    site = site_with_groups()
    browser = await site.signed_in()

    page = await sign_out(browser)

    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert (page.status_code, page.headers["cache-control"], session_cookies(browser)) == (200, "no-store", [])
    assert policy["form-action"] == f"{site.provider.origin} https:"
    assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
    assert policy["script-src"].startswith("'sha256-")
    assert page.headers["referrer-policy"] == "strict-origin"  # else the provider is told "Origin: null"
    (form,) = page.page.forms
    assert (form.method, form.action, [button.text for button in form.buttons]) == (
        "POST",
        site.provider.issuer + "/end_session",
        ["Sign out"],
    )


async def test_over_plain_http_the_form_may_be_sent_too():
    """On loopback, where people try things."""
    provider = FakeProvider("http://127.0.0.1:9400", alg="ES256")
    site = site_with_groups(provider=provider, base_url="http://127.0.0.1:8000")
    browser = site.browser(origin="http://127.0.0.1:8000")
    await browser.sign_in("alice", "/page")

    page = await sign_out(browser)

    assert "form-action http://127.0.0.1:9400 https: http:" in page.headers["content-security-policy"]


async def test_the_url_of_the_provider_keeps_its_query():
    """Some have one already."""
    site = site_with_groups()
    site.provider.metadata["end_session_endpoint"] += "?tenant=a&x=%22"
    browser = await site.signed_in()

    (form,) = (await sign_out(browser)).page.forms

    assert form.action == site.provider.issuer + "/end_session?tenant=a&x=%22"


@pytest.mark.parametrize("asks", ["a script", "a program"])
async def test_a_program_gets_a_logout_url_without_the_id_token(asks):
    """It can send no form; the provider asks the person then."""
    site = site_with_groups()
    browser = await site.signed_in()

    if asks == "a script":
        location = (await browser.fetch(LOGOUT, method="POST")).location
    else:
        headers = {**{name: value for name, value in PROGRAM.items() if value}, "cookie": cookie_header(browser)}
        location = ((await site.call(LOGOUT, method="POST", headers=headers)).header(b"location") or b"").decode()

    query = dict(parse_qsl(urlsplit(location).query))
    assert location.startswith(site.provider.issuer + "/end_session?")
    assert (sorted(query), query["client_id"]) == (["client_id", "post_logout_redirect_uri", "state"], "web")


@pytest.mark.parametrize(("more", "status"), [(0, 303), (1, 200)])
async def test_a_logout_url_up_to_the_limit_is_a_redirect(more, status):
    """Real servers take 2 kB."""
    site = Site(store=MemoryStore())
    browser = await site.signed_in()
    length = len((await sign_out(browser)).location)
    long_site = Site(store=MemoryStore(), provider=site.provider)
    pad = "x" * 8
    site.provider.metadata["end_session_endpoint"] += f"?{pad}"
    room = MAX_URL_LENGTH - length
    site.provider.metadata["end_session_endpoint"] += "x" * (room - len(pad) - 1 + more)
    again = await long_site.signed_in()

    response = await sign_out(again)

    assert (response.status_code, "id_token_hint" in parse_qs(urlsplit(response.location).query)) == (
        status,
        status == 303,
    )
