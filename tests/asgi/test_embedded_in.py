"""The setting `embedded_in`: an app in a frame of another site, and what its `SameSite=None` cookies must not allow."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc import Provider, SettingsError
from asgi_oidc.login.login_transactions import IN_WINDOW
from asgi_oidc.testing import Browser, FakeProvider, Response
from asgi_oidc.web.cookies import CookieStyle
from asgi_oidc.web.request import Request
from tests.protected_site import ORIGIN, Site

PORTAL = "https://portal.example.org"
FRAME = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe", "accept": "text/html"}
FROM_PORTAL = {**FRAME, "sec-fetch-site": "cross-site", "referer": f"{PORTAL}/"}
WITHIN = {**FRAME, "sec-fetch-site": "same-origin", "referer": f"{ORIGIN}/"}
ANCESTORS = f"frame-ancestors 'self' {PORTAL}"


def embedded(**settings: Any) -> Site:
    return Site(embedded_in=[PORTAL], **settings)


async def in_frame(browser: Browser, path: str, **options: Any) -> Response:
    return await browser.fetch(path, headers={**FROM_PORTAL, **options.pop("headers", {})}, **options)


def window_of(page: Response) -> str:
    """Return the URL that the page opens in a window."""
    [url] = re.findall(r'<a id=login class=first target=_top href="([^"]+)">', page.text)
    return str(url).replace("&amp;", "&")


async def signed_in_within_a_frame(site: Site) -> Browser:
    """Sign in as a browser does: the window gets the response of the provider, and the frame finishes the login."""
    browser = site.browser()
    page = await in_frame(browser, "/page")
    window = site.browser()
    window.jar.receive("kept=1; Path=/; Secure", f"{site.provider.issuer}/")
    back = await window.get(window_of(page), follow=False)
    back = back if back.location else await window.submit(button="alice", follow=False)
    done = await window.get(str(back.location), follow=False)
    assert (done.status_code, "continues in the other window" in done.text, done.set_cookies) == (200, True, [])
    finished = await browser.fetch(str(back.location).removeprefix(ORIGIN), headers=WITHIN)
    assert (finished.status_code, finished.location) == (303, f"{ORIGIN}/page")
    return browser


async def test_a_frame_gets_a_page_that_opens_the_provider_in_a_window():
    """With the cookie of the login, which only this frame has; and the portal may show it."""
    page = await in_frame(embedded().browser(), "/page")

    policy = page.headers["content-security-policy"]
    assert (page.status_code, ANCESTORS in policy, "x-frame-options" in page.headers) == (401, True, False)
    assert "script-src 'sha256-" in policy
    assert window_of(page).startswith("https://id.example.com/")
    assert any("-login-" in line for line in page.set_cookies)


async def test_the_frame_finishes_what_its_window_has_begun():
    """The window never sees a cookie of the login, and never sets one."""
    site = embedded()
    browser = await signed_in_within_a_frame(site)

    page = await in_frame(browser, "/page")

    assert (page.status_code, page.json()["sub"], page.headers["content-security-policy"]) == (200, "alice", ANCESTORS)


@pytest.mark.parametrize("mode", ["form_post", "jwt", "form_post.jwt"])
async def test_a_response_that_a_window_cannot_hand_over_starts_no_login_in_a_frame(mode):
    """The window reads at the end of `state` that a frame waits: not in a form from another site, nor in a JWT."""
    page = await in_frame(embedded(authorization_params={"response_mode": mode}).browser(), "/page")

    assert (page.status_code, page.set_cookies) == (400, [])


async def test_a_window_finishes_nothing_itself():
    """Not even in a browser that keeps one set of cookies for all: the frame waits for the response."""
    site = embedded()
    browser = site.browser()
    page = await in_frame(browser, "/page")
    back = await browser.get(window_of(page), follow=False)
    back = back if back.location else await browser.submit(button="alice", follow=False)

    done = await browser.get(str(back.location), follow=False)

    assert (done.status_code, done.set_cookies, site.provider.count_grants("authorization_code")) == (200, [], 0)


async def test_every_cookie_is_partitioned_when_it_is_set_and_when_it_is_deleted():
    """With other attributes, browsers would not delete it."""
    site = embedded()
    browser = site.browser()
    lines = [*(await in_frame(browser, "/page")).set_cookies]
    browser = await signed_in_within_a_frame(site)
    lines += (await browser.fetch("/auth/logout", method="POST", headers=WITHIN)).set_cookies

    pattern = r"__Host-oidc-[a-z0-9._-]+=[^;]*; Path=/; Max-Age=\d+; HttpOnly; SameSite=None; Secure; Partitioned"
    assert len(lines) > 2
    assert [line for line in lines if not re.fullmatch(pattern, line, re.IGNORECASE)] == []


@given(st.sampled_from(["Lax", "None", None]), st.integers(0, 10**6))
def test_no_cookie_of_an_embedded_app_leaves_its_partition(same_site, max_age):
    """Whatever a caller asks for."""
    line = CookieStyle(secure=True, partitioned=True).set_cookie("__Host-x", "v", max_age=max_age, same_site=same_site)

    assert line.decode().partition("HttpOnly")[2] == "; SameSite=None; Secure; Partitioned"


async def test_cookies_from_before_the_setting_do_not_stand_in_the_way():
    """Browsers send both kinds: of the same name, neither would count."""
    before = (await Site().browser().get("/page", follow=False)).set_cookies
    after = (await embedded().browser().get("/page", follow=False)).set_cookies

    tags = [{line.partition("-login-")[0] for line in lines} for lines in (before, after)]
    assert (len(tags[0]), len(tags[1]), tags[0] & tags[1]) == (1, 1, set())


@pytest.mark.parametrize(
    ("headers", "method", "counts"),
    [
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, "GET", False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, "GET", False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}, "GET", False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, "POST", False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, "POST", False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, "GET", True),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, "GET", True),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, "GET", True),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, "POST", True),
        ({"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, "GET", True),
    ],
)
async def test_a_call_of_another_site_never_acts_as_the_user(headers, method, counts):
    """As with `SameSite=Lax`, also in browsers that do not know `Partitioned`; a page or frame may be opened."""
    site = embedded(public=["/public"])
    browser = await signed_in_within_a_frame(site)
    origin = {"origin": ORIGIN if counts else PORTAL} if method == "POST" else {}

    await browser.fetch("/public", method=method, headers={"accept": "*/*", **headers, **origin})

    assert site.app.scopes[-1]["user"].is_authenticated is counts


@given(
    st.sampled_from(["cross-site", "same-site", "same-origin", "none", "x", None]),
    st.sampled_from(["navigate", "cors", "no-cors", "websocket", "same-origin", None]),
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "get"]),
)
def test_a_cross_site_call_is_whatever_lax_cookies_are_not_sent_with(site, mode, method):
    """RFC 6265bis §5.8.3: cross-site, unless it opens a page by a safe method."""
    pairs = [(b"sec-fetch-site", site), (b"sec-fetch-mode", mode)]
    headers = [(name, value.encode()) for name, value in pairs if value is not None]

    request = Request({"type": "http", "method": method, "path": "/", "headers": headers})

    opens_page = mode == "navigate" and method in ("GET", "HEAD")
    assert request.is_cross_site_call == (site == "cross-site" and not opens_page)


@pytest.mark.parametrize("path", ["/public/x", "/", "/auth/callback?state=x.2", "/auth/logout", "/auth/session"])
async def test_no_response_can_be_framed_by_others(path):
    """Clickjacking: where browsers do not partition cookies, any site could show the app to its user."""
    site = embedded(public=["/public/*", "/"])
    browser = await signed_in_within_a_frame(site)

    framed = await in_frame(browser, path)
    page = await browser.get(path, follow=False)

    for response in (framed, page):
        found = re.findall(r"frame-ancestors ([^;]*)", response.headers.get("content-security-policy", ""))
        assert found in (["'none'"], [f"'self' {PORTAL}"])


async def test_a_policy_of_the_app_about_frames_stays():
    """It may be stricter for a page of its own; without one, ours is added beside its policy."""
    site = embedded(public=["/public/*"])
    policies = []
    for policy in (b"frame-ancestors 'none'", b"default-src 'self'"):
        site.app.headers = [(b"Content-Security-Policy", policy)]
        response = await site.browser().get("/public/x")
        policies.append(response.headers["content-security-policy"])

    assert policies == ["frame-ancestors 'none'", f"default-src 'self', {ANCESTORS}"]


@pytest.mark.parametrize(
    "policy",
    [
        "default-src 'self'; report-uri /csp?frame-ancestors",
        "frame-ancestors-x 'none'",
        "report-to frame-ancestors, img-src https://frame-ancestors",
    ],
)
async def test_a_policy_that_only_contains_the_name_of_the_directive_is_none_about_frames(policy):
    """Else any site could show the app, in browsers that do not partition cookies."""
    site = embedded(public=["/public/*"])
    site.app.headers = [(b"content-security-policy", policy.encode())]

    response = await site.browser().get("/public/x")

    assert response.headers["content-security-policy"] == f"{policy}, {ANCESTORS}"


@pytest.mark.parametrize(
    "policy", ["Frame-Ancestors 'none'", "img-src *;frame-ancestors\t'none'", "x, frame-ancestors *"]
)
async def test_a_policy_about_frames_is_recognized_in_any_spelling(policy):
    """Names of directives are not case-sensitive, and a header may have several policies (CSP 3 §2.2)."""
    site = embedded(public=["/public/*"])
    site.app.headers = [(b"content-security-policy", policy.encode())]

    response = await site.browser().get("/public/x")

    assert response.headers["content-security-policy"] == policy


async def test_a_sign_out_in_a_frame_ends_the_session_here():
    """The provider does not let others frame it; the page says that its session may go on."""
    browser = await signed_in_within_a_frame(embedded(public=[]))

    page = await browser.fetch("/auth/logout", method="POST", headers={**WITHIN, "origin": ORIGIN})
    after = await in_frame(browser, "/page")

    assert (page.status_code, "sign out there too" in page.text, after.status_code) == (200, True, 401)
    assert ANCESTORS in page.headers["content-security-policy"]


@pytest.mark.parametrize(("method", "headers"), [("GET", FROM_PORTAL), ("GET", WITHIN), ("POST", FROM_PORTAL)])
async def test_a_frame_cannot_sign_out_by_a_link_or_from_another_site(method, headers):
    """A portal, or a picture in a page of the app, must not."""
    browser = await signed_in_within_a_frame(embedded())

    await browser.fetch("/auth/logout", method=method, headers=headers)

    assert (await in_frame(browser, "/page")).status_code == 200


async def test_a_silent_login_stays_in_the_frame():
    """It shows no page, so it needs no window."""
    browser = embedded(login_params=["prompt"]).browser()

    page = await in_frame(browser, "/auth/login?prompt=none&return_to=/page")

    assert (page.status_code, "prompt=none" in str(page.location)) == (303, True)


async def test_the_choice_of_a_provider_is_made_in_the_frame():
    """Then the window opens the one that was chosen."""
    fakes = {name: FakeProvider(issuer=f"https://{name}.example.com") for name in ("one", "two")}
    providers = {
        name: Provider(issuer=fake.issuer, client_id="web", client_secret="s", http_client=fake.http_client())
        for name, fake in fakes.items()
    }
    alone: dict[str, Any] = dict.fromkeys(("issuer", "client_id", "client_secret", "http_client"), ...)
    browser = embedded(**alone, providers=providers).browser()

    led = await in_frame(browser, "/page")
    choice = await browser.fetch(str(led.location), headers=WITHIN)
    page = await browser.fetch("/auth/login?provider=two&return_to=/page", headers=WITHIN)

    assert (choice.status_code, "Continue with" in choice.text) == (200, True)
    assert ANCESTORS in choice.headers["content-security-policy"]
    assert window_of(page).startswith("https://two.example.com/")


async def test_a_provider_that_answers_by_a_form_needs_a_window_for_the_whole_app():
    """Its answer cannot be handed over; the page leads out of the frame."""
    browser = embedded(authorization_params={"response_mode": "form_post"}).browser()

    page = await in_frame(browser, "/page")

    assert f'<a class=first target=_top href="{ORIGIN}/page">Sign in</a>' in page.text


async def test_a_state_that_looks_like_that_of_a_frame_is_nothing_without_the_setting():
    """The usual rules apply."""
    page = await Site().browser().get(f"/auth/callback?code=x&state=y{IN_WINDOW}", follow=False)

    assert (page.status_code, str(page.location).startswith("https://id.example.com/")) == (303, True)


async def test_without_the_setting_nothing_changes(site):
    """A frame of another site still gets a page that leads out of it, and may not show it."""
    page = await in_frame(site.browser(), "/page")

    assert "target=_top" in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"embedded_in": ["http://portal.example.org"]}, "is not an https origin: write 'https://portal.example.com'"),
        ({"embedded_in": ["https://portal.example.org/"]}, "is not an https origin"),
        ({"embedded_in": ["https://*.example.org"]}, "is not an https origin"),
        ({"embedded_in": ["*"]}, "is not an https origin"),
        ({"embedded_in": ["https://a.example; script-src *"]}, "is not an https origin"),
        ({"embedded_in": [PORTAL], "base_url": "http://localhost:8000"}, "embedded_in: needs an https base_url"),
    ],
)
def test_a_site_that_is_no_origin_stops_the_start(settings, problem):
    """Exact names only: a wildcard would let anybody's page on that host show the app."""
    with pytest.raises(SettingsError, match=re.escape(problem)):
        Site(**settings)
