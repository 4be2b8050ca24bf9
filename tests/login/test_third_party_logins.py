"""Another site starts a login (OIDC Core §4): at a provider of ours, to a page of ours, and never more than that."""

from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from asgi_oidc import Provider, Rule
from asgi_oidc.testing import Browser, Response
from asgi_oidc.testing.in_process import http_scope
from asgi_oidc.testing.standins.entra_accounts import CONTOSO, STRANGERS
from tests.login.test_login_params import Tenants
from tests.protected_site import ORIGIN, PROGRAM, Exchange, Site, login_cookies, who_am_i
from tests.providers.entra_site import EntraSite
from tests.providers.oauth2_site import WORK, OAuth2Site
from tests.providers.three_providers import NAMES, ThreeProviders, issuer_of

PORTAL = "https://portal.example.org"


def login(**parameters: str) -> str:
    """Write the URL of such a login."""
    return "/auth/login?" + urlencode(parameters)


async def post(browser: Browser, path: str = "/auth/login", *, follow: bool = False, **parameters: str) -> Response:
    """Submit the form of a portal."""
    return await browser.post(path, parameters, initiator=PORTAL, follow=follow)


def sent(response: Response) -> dict[str, list[str]]:
    """Return the parameters of the authorization request."""
    assert response.status_code == 303, response.text
    return parse_qs(urlsplit(response.location).query)


# --- GET


async def test_a_portal_starts_a_login():
    """The provider gets the hint, and the user ends at the page that the portal names."""
    site = Site()
    browser = site.browser()
    url = login(iss=site.provider.issuer, login_hint="alice@example.com", target_link_uri=f"{ORIGIN}/private?a=1")

    query = sent(await browser.get(url, initiator=PORTAL, follow=False))
    page = await browser.sign_in("alice", url)

    assert query["login_hint"] == ["alice@example.com"]
    assert (page.status_code, page.path) == (200, "/private?a=1")


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "https://evil.example",
        "https://id.example.com/",
        "https://id.example.com.",
        "HTTPS://id.example.com",
        "https://id.example.com:443",
        "https://id.example.com@evil.example",
        "https://id.example.com\n",
        " https://id.example.com",
        "id.example.com",
        "x" * 10_000,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_issuer_never_leads_away(issuer, method):
    """The setting and `iss` are compared as text."""
    site = Site(issuer="https://id.example.com", http_client=...)
    browser = site.browser()

    if method == "GET":
        response = await browser.get(login(iss=issuer), initiator=PORTAL, follow=False)
        told = await browser.get(login(iss=issuer), headers={**PROGRAM, "accept": "*/*"}, follow=False)
        assert told.json()["error"] == "issuer_unknown"
    else:
        response = await post(browser, iss=issuer)

    assert (response.status_code, response.location, response.set_cookies) == (400, "", [])
    assert "This link does not work" in response.text


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        f"{ORIGIN}.evil.example/x",
        f"{ORIGIN}@evil.example/",
        f"{ORIGIN}:8443/private",
        "http://app.example.com/private",
        "javascript:alert(1)",
        "/auth/logout",
        "/auth/callback?code=x",
        "/auth/form?form=x",
        "/%2e%2e/x",
        "/" + "x" * 3_000,
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_target_elsewhere_is_ignored(target, method):
    """No open redirect (OIDC Core §4): the user ends at the start page."""
    site = Site()
    browser = site.browser()

    if method == "GET":
        await browser.get(login(iss=site.provider.issuer, target_link_uri=target))
    else:
        await post(browser, iss=site.provider.issuer, target_link_uri=target, follow=True)
    page = await browser.submit(button="alice")

    assert (page.status_code, page.url) == (200, f"{ORIGIN}/")


@pytest.mark.parametrize("name", ["iss", "target_link_uri", "login_hint"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_repeated_parameter_is_refused(name, method):
    """Which of the two would count?"""
    site = Site()
    known = {"iss": site.provider.issuer, "target_link_uri": "/private", "login_hint": "x"}
    again = urlencode({name: known[name]})

    if method == "GET":
        response = await site.browser().get(f"{login(**known)}&{again}", initiator=PORTAL, follow=False)
    else:
        response = await site.browser().post(f"/auth/login?{again}", known, initiator=PORTAL, follow=False)

    assert (response.status_code, response.location) == (400, "")


@pytest.mark.parametrize("hint", ["x" * 10_000, "x" * 513, "a\r\nb", "a\u2028b"])
async def test_the_hint_is_bounded(hint):
    """It is one line, and no longer than an address."""
    site = Site()

    response = await site.browser().get(login(iss=site.provider.issuer, login_hint=hint), follow=False)

    assert (response.status_code, response.location) == (400, "")


async def test_what_is_not_understood_is_ignored():
    """OIDC Core §4; also what only our own links have: a portal does not decide on a sealed request."""
    site = Site(rules=[Rule("/bank/*", max_age=60)])
    told = await site.browser().get("/bank/", headers=PROGRAM)
    ask = parse_qs(urlsplit(told.json()["login_url"]).query)["ask"][0]
    url = login(iss=site.provider.issuer, ask=ask, return_to="/private", scope="x", prompt="none", provider="x")

    query = sent(await site.browser().get(url, follow=False))
    page = await site.browser().sign_in("alice", url)

    assert not {"max_age", "prompt"} & query.keys()
    assert query["scope"] == ["openid profile email"]
    assert page.url == f"{ORIGIN}/"


async def test_login_params_are_passed_on_here_too():
    """Such as the `lti_message_hint` of a learning platform."""
    site = Site(login_params=["lti_message_hint", "max_age"])

    response = await post(site.browser(), iss=site.provider.issuer, lti_message_hint="m", max_age="60", follow=False)
    query = sent(await site.browser().get(response.location.removeprefix(ORIGIN), follow=False))

    assert (query["lti_message_hint"], query["max_age"]) == (["m"], ["60"])


async def test_the_url_is_below_the_mount():
    """`initiate_login_uri` is the login URL of that app."""
    site = Site(base_url=f"{ORIGIN}/admin")

    page = await site.browser().sign_in(
        "alice", "/admin" + login(iss=site.provider.issuer, target_link_uri=f"{ORIGIN}/admin/private")
    )

    assert (page.status_code, page.path) == (200, "/admin/private")


# --- POST


async def test_a_portal_may_post():
    """The POST comes without our cookies, so a GET of the same follows, which has them."""
    site = Site()
    browser = site.browser()

    first = await post(browser, iss=site.provider.issuer, login_hint="alice", target_link_uri=f"{ORIGIN}/private")
    await browser.get(first.location.removeprefix(ORIGIN), initiator=PORTAL)
    page = await browser.submit(button="alice")

    assert (first.status_code, first.set_cookies) == (303, [])
    assert first.location == f"{ORIGIN}" + login(
        iss=site.provider.issuer, login_hint="alice", target_link_uri="/private"
    )
    assert (page.status_code, page.path) == (200, "/private")


async def test_many_posts_leave_few_cookies():
    """Another site can post as often as it likes; a proxy takes 8 kB of cookies."""
    site = Site()
    browser = site.browser()

    for _ in range(20):
        await post(browser, iss=site.provider.issuer, follow=True)

    assert len(login_cookies(browser)) <= 8


async def test_a_post_without_issuer_starts_nothing():
    """Our own links use GET."""
    browser = Site().browser()

    response = await post(browser, return_to="/private")

    assert (response.status_code, response.location, response.set_cookies) == (400, "", [])


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"iss=%ff", {}, 400),
        (b"iss=" + b"x" * 20_000, {}, 413),
        (b"&" * 100, {}, 400),
        (b'{"iss": "x"}', {"content-type": "application/json"}, 415),
        (b"iss=https://id.example.com", {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, 400),
        (b"iss=https://id.example.com", {"sec-fetch-dest": "iframe"}, 400),
    ],
)
async def test_a_bad_post_starts_nothing(body, headers, status):
    """Neither does one of a script, or of a frame (clickjacking)."""
    site = Site(issuer="https://id.example.com", http_client=...)
    form = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-mode": "navigate", **headers}
    exchange = Exchange({"type": "http.request", "body": body, "more_body": False})
    scope = http_scope("POST", f"{ORIGIN}/auth/login", {"sec-fetch-dest": "document", **form})

    await site.middleware(scope, exchange.receive, exchange.send)

    assert (exchange.status, exchange.header(b"location"), exchange.header(b"set-cookie")) == (status, None, None)


async def test_other_methods_are_not_allowed():
    """As before."""
    exchange = await Site().call("/auth/login", method="PUT")

    assert (exchange.status, exchange.header(b"allow")) == (405, b"GET, POST")


# --- who is signed in


async def test_the_session_goes_on_until_the_login_has_ended():
    """A link of another site signs nobody out; the same user then goes to the page."""
    site = Site()
    browser = await site.signed_in("alice")

    await post(browser, iss=site.provider.issuer, target_link_uri=f"{ORIGIN}/private", follow=True)
    during = await who_am_i(browser)

    assert during == "alice"
    assert (await browser.get("/private")).json()["sub"] == "alice"


async def test_another_user_can_sign_in_only_at_the_provider():
    """The hint of another site does not choose the account."""
    site = Site()
    browser = await site.signed_in("alice")

    page = await browser.get(login(iss=site.provider.issuer, login_hint="mallory", target_link_uri="/private"))

    assert page.json()["sub"] == "alice"


async def test_such_logins_are_counted():
    """A page of the app that sends users to a portal, which sends them back, is a loop."""
    site = Site()
    browser = site.browser()
    await browser.sign_in("alice", login(iss=site.provider.issuer))

    statuses = [(await browser.get(login(iss=site.provider.issuer), initiator=PORTAL)).status_code for _ in range(5)]

    assert 403 in statuses


async def test_such_logins_are_counted_in_old_browsers_too():
    """No header tells where they come from, but `iss` does."""
    site = Site()
    old = {**PROGRAM, "accept": "text/html"}

    async def counts(url: str) -> bool:
        browser = site.browser()
        await browser.get(url, headers=old)
        await browser.submit(button="alice")
        return any(cookie.name.endswith("-rounds") for cookie in browser.jar.starting_with("__Host-oidc-"))

    assert [await counts(login(iss=site.provider.issuer)), await counts("/auth/login")] == [True, False]


@pytest.mark.parametrize("headers", [{}, {**PROGRAM, "accept": "text/html"}])
async def test_such_logins_give_way_first(headers):
    """Logins that the user has started take precedence, also in old browsers without Fetch Metadata."""
    site = Site()
    browser = site.browser()
    await browser.get("/auth/login?return_to=/mine", follow=False)
    (mine,) = login_cookies(browser)

    for _ in range(12):
        await browser.get(login(iss=site.provider.issuer), headers=headers, follow=False)

    assert mine in login_cookies(browser)


# --- several providers


@pytest.mark.parametrize("name", NAMES)
async def test_the_issuer_names_the_provider(name):
    """There is nothing to choose."""
    site = ThreeProviders()

    response = await site.browser().get(login(iss=issuer_of(name)), initiator=PORTAL, follow=False)

    assert response.location.startswith(f"{issuer_of(name)}/")


@pytest.mark.parametrize(
    ("provider", "issuer"),
    [("two", issuer_of("one")), ("four", issuer_of("one")), ("", issuer_of("one")), ("x" * 9_000, issuer_of("one"))],
)
async def test_a_name_in_the_url_must_fit_the_issuer(provider, issuer):
    """A registered URL may name the provider; then no other one can use it."""
    site = ThreeProviders()

    response = await site.browser().get(login(iss=issuer, provider=provider), initiator=PORTAL, follow=False)
    good = await site.browser().get(login(iss=issuer, provider="one"), initiator=PORTAL, follow=False)

    assert (response.status_code, response.location) == (400, "")
    assert good.location.startswith(issuer_of("one"))


async def test_of_two_clients_of_one_issuer_the_user_chooses():
    """Among these two only."""
    made = ThreeProviders()
    client = made.fakes["one"].http_client()
    again = Provider(issuer=issuer_of("one"), client_id="other", client_secret="s", http_client=client)
    site = ThreeProviders(providers={**made.providers, "again": again})

    page = await site.browser().get(login(iss=issuer_of("one"), login_hint="alice"), initiator=PORTAL, follow=False)
    links = [href for href, _ in page.page.links if "provider=" in href]
    query: dict[str, Any] = sent(await site.browser().get(links[1], follow=False))

    assert page.status_code == 200
    assert ["provider=one" in links[0], "provider=again" in links[1], len(links)] == [True, True, 2]
    assert (query["client_id"], query["login_hint"]) == (["other"], ["alice"])
    assert (await site.browser().get(links[0].replace("provider=one", "provider=two"), follow=False)).location == ""


async def test_a_post_keeps_the_name_of_the_registered_url():
    """`initiate_login_uri` may have a query."""
    site = ThreeProviders()
    browser = site.browser()

    first = await post(browser, "/auth/login?provider=one", iss=issuer_of("one"))
    second = await browser.get(first.location.removeprefix(ORIGIN), initiator=PORTAL, follow=False)
    refused = await post(browser, "/auth/login?provider=two", iss=issuer_of("one"))

    assert first.location == f"{ORIGIN}/auth/login?provider=one&iss={quote(issuer_of('one'), safe='')}"
    assert second.location.startswith(issuer_of("one"))
    assert refused.status_code == 400


@pytest.mark.parametrize("further", [{}, {"provider": "acme"}, {"provider": "../x"}])
async def test_where_providers_are_looked_up_the_url_names_one(further):
    """There is no list to search for the issuer."""
    site = ThreeProviders(providers=Tenants())

    response = await site.browser().get(login(iss=issuer_of("one"), **further), initiator=PORTAL, follow=False)

    assert (response.status_code, response.location) == (400, "")


@pytest.mark.parametrize("issuer", ["oauth2:hub", "https://github.com", ""])
@pytest.mark.parametrize("further", [{}, {"provider": "hub"}])
async def test_a_provider_without_openid_connect_has_no_issuer(issuer, further):
    """Only this app knows the text in `user.issuer`."""
    site = OAuth2Site()

    refused = await site.browser().get(login(iss=issuer, **further), initiator=PORTAL, follow=False)
    good = await site.browser().get(login(iss=WORK), initiator=PORTAL, follow=False)

    assert (refused.status_code, refused.location) == (400, "")
    assert good.location.startswith(WORK)


@pytest.mark.parametrize(
    ("tenants", "tid", "status"),
    [
        ((CONTOSO,), CONTOSO, 303),
        ("organizations", CONTOSO, 303),
        ((CONTOSO,), STRANGERS, 400),
        ("organizations", "{tenantid}", 400),
        ("organizations", f"../{CONTOSO}", 400),
        ("organizations", CONTOSO.upper(), 400),
        ("organizations", "", 400),
    ],
)
async def test_the_issuer_of_a_tenant_counts(tenants, tid, status):
    """By the check that its tokens have to pass; the template is no issuer."""
    browser = EntraSite(tenants).browser()
    issuer = f"https://login.microsoftonline.com/{tid}/v2.0"

    assert (await browser.get(login(iss=issuer), initiator=PORTAL, follow=False)).status_code == status
