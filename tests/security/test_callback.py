"""A callback counts once, whole, in the browser that began it; whatever else comes to it ends at a page."""

import random
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.cookie_jar import CookieJar
from tests.attacked_provider import holds_nothing, own_path

from .attacked_site import NOW, ORIGIN, AttackedSite, Exchange, http_scope, who_am_i
from .held_calls import calls_of_ours
from .sizes import size

pytestmark = pytest.mark.usefixtures("one_or_three_providers")

FORM = (b"content-type", b"application/x-www-form-urlencoded")
NAVIGATION = ((b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document"))


@pytest.fixture
def stage() -> AttackedSite:
    return AttackedSite(FakeProvider(clock=lambda: NOW, alg="EdDSA"))


@pytest.fixture
def form_stage() -> AttackedSite:
    return AttackedSite(
        FakeProvider(clock=lambda: NOW, alg="EdDSA"), authorization_params={"response_mode": "form_post"}
    )


def params_of(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query)


def callback_url(params: list[tuple[str, str]]) -> str:
    return f"{ORIGIN}{own_path('callback')}?{urlencode(params)}"


@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
@pytest.mark.parametrize("place", [0, 9])
async def test_a_duplicate_parameter_is_refused(stage: AttackedSite, name: str, place: int) -> None:
    """Which of the two counts depends on the reader (RFC 6749 §3.1); the login goes on with the real one."""
    browser, callback = await stage.login_in_progress()
    params = params_of(callback)
    planted = (name, dict(params).get(name, "access_denied"))
    doubled = [planted, *params] if place == 0 else [*params, planted]
    if name == "error":
        doubled.append(planted)

    refused = await browser.fetch(callback_url(doubled))

    assert (refused.status_code, refused.json()["error"]) == (400, "parameter_repeated")
    assert stage.provider.count("/token") == 0
    assert (await browser.get(callback)).json()["sub"] == "alice"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("callback_no_iss", 400, "iss_missing"),
        ("callback_wrong_iss", 400, "iss_mismatch"),
        ("callback_no_code", 400, "code_missing"),
        ("callback_no_state", 400, "transaction_missing"),
        ("callback_wrong_state", 400, "transaction_missing"),
        ("callback_double_code", 400, "parameter_repeated"),
        ("callback_double_state", 400, "parameter_repeated"),
        ("callback_error_and_code", 403, "provider_refused"),
        ("callback_error_access_denied", 403, "provider_refused"),
        ("callback_error_server_error", 503, "provider_refused"),
    ],
)
async def test_a_spoilt_response_signs_nobody_in(stage: AttackedSite, fault: str, status: int, code: str) -> None:
    """No token call is made for a response that is not whole."""
    stage.provider.faults.add(fault)
    browser, callback = await stage.login_in_progress()

    refused = await browser.fetch(callback)

    assert (refused.status_code, refused.json()["error"]) == (status, code)
    assert "token" not in calls_of_ours(stage.provider)
    assert await who_am_i(browser) is None


@pytest.mark.parametrize(
    "iss", ["https://id.example.com/", "HTTPS://ID.EXAMPLE.COM", "https://id.example.com%00", "", " "]
)
async def test_another_spelling_of_the_issuer_is_another_issuer(stage: AttackedSite, iss: str) -> None:
    """RFC 9207 compares simple strings."""
    browser, callback = await stage.login_in_progress()
    params = [(name, iss if name == "iss" else value) for name, value in params_of(callback)]

    refused = await browser.fetch(callback_url(params))

    assert (refused.status_code, refused.json()["error"]) == (400, "iss_mismatch")


async def test_iss_is_not_asked_of_a_provider_that_does_not_promise_it(stage: AttackedSite) -> None:
    """But where it comes, it has to be right."""
    stage.provider.metadata["authorization_response_iss_parameter_supported"] = False
    stage.provider.faults.add("callback_no_iss")

    assert await who_am_i(await stage.signed_in()) == "alice"


async def test_a_callback_in_another_browser_signs_nobody_in(stage: AttackedSite) -> None:
    """An attacker who lets a victim finish the attacker's login would read all that the victim types there."""
    _, callback = await stage.login_in_progress(sub="bob")
    victim = stage.browser()

    sent_on = await victim.get(callback, follow=False)

    assert sent_on.location.startswith("https://id.example.com/authorize?")
    assert dict(params_of(sent_on.location))["state"] != dict(params_of(callback))["state"]
    assert stage.provider.count("/token") == 0
    assert await who_am_i(victim) is None


async def test_a_callback_does_not_change_who_is_signed_in(stage: AttackedSite) -> None:
    """The same, with a victim who is signed in: home, as before."""
    _, callback = await stage.login_in_progress(sub="bob")
    victim = await stage.signed_in("alice")

    page = await victim.get(callback)

    assert page.url == f"{ORIGIN}/"
    assert await who_am_i(victim) == "alice"


async def test_a_repeated_callback_goes_home_and_uses_no_code(stage: AttackedSite) -> None:
    """The back button and bookmarks come by here."""
    browser, callback = await stage.login_in_progress()
    await browser.get(callback)
    stage.provider.calls.clear()

    again = await browser.get(callback)

    assert (again.status_code, again.url) == (200, f"{ORIGIN}/")
    assert calls_of_ours(stage.provider) == []


async def test_a_callback_kept_with_its_cookies_is_no_second_login(stage: AttackedSite) -> None:
    """Who steals the address and the cookies before the login ends comes too late afterwards."""
    browser, callback = await stage.login_in_progress()
    thief = stage.browser(jar=browser.jar.copy())
    await browser.get(callback)
    await browser.post("/auth/logout")

    late = await thief.fetch(callback)

    assert (late.status_code, late.json()["error"]) == (400, "transaction_missing")
    assert stage.provider.count("/token") == 1


async def test_a_login_that_took_too_long_begins_again_and_comes_back_to_its_page(stage: AttackedSite) -> None:
    """Ten minutes, whatever the cookie's own age is."""
    browser, callback = await stage.login_in_progress("/page?x=1")
    stage.clock.now += 601

    page = await browser.fetch(callback)
    assert (page.status_code, page.json()["error"]) == (400, "transaction_missing")

    jar = browser.jar
    jar.clock = lambda: NOW  # a browser that keeps cookies for ever
    sent_on = await browser.get(callback, follow=False)
    assert sent_on.location.startswith("https://id.example.com/authorize?")
    assert stage.provider.count("/token") == 0


async def test_two_tabs_finish_in_any_order(stage: AttackedSite) -> None:
    """Each tab comes back to its own page."""
    browser = stage.browser()
    first, second = browser.tab(), browser.tab()
    pages = [await tab.get(path) for tab, path in ((first, "/one"), (second, "/two"))]

    final_pages = [await tab.submit(page, "alice") for tab, page in zip((second, first), reversed(pages), strict=True)]

    assert [page.path for page in final_pages] == ["/two", "/one"]
    assert browser.cookies.starting_with("__Host-oidc-") != []


async def test_a_browser_keeps_at_most_eight_logins_and_the_newest_work(stage: AttackedSite) -> None:
    """Cookies that pile up end in a 431, for the whole site."""
    browser = stage.browser()
    pages = []
    for number in range(12):
        stage.clock.now += 1
        pages.append(await browser.get(f"/page/{number}"))
        assert len(browser.cookies) <= 9  # one is the provider's

    at_callback = [await browser.tab().submit(page, "alice", follow=False) for page in pages]
    callbacks = [back.location for back in at_callback]

    oldest = await browser.fetch(callbacks[0])
    assert oldest.json()["error"] == "transaction_missing"
    for callback in callbacks[-7:]:
        assert (await browser.get(callback)).json()["sub"] == "alice"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"x-moz": "prefetch"},
        {"sec-fetch-dest": "image", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-dest": "iframe"},
        {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
        {"sec-fetch-dest": "serviceworker", "sec-fetch-mode": "same-origin"},
        {"sec-fetch-mode": "navigate", "sec-fetch-dest": "empty", "accept": "*/*"},
    ],
    ids=str,
)
async def test_only_a_navigation_begins_a_login(stage: AttackedSite, headers: dict[str, str]) -> None:
    """An image, a frame, a script or a look ahead gets no login cookie."""
    browser = stage.browser()

    for path in ("/page", "/auth/login", f"{own_path('callback')}?code=x&state=y"):
        answer = await browser.get(path, headers=headers)
        assert answer.status_code in (400, 401)
        assert answer.set_cookies == []


class NoCookies(CookieJar):
    """The cookie jar of a browser that blocks cookies."""

    def receive(self, set_cookie: str, url: str) -> None:
        """Take the provider's, and none of ours."""
        if not url.startswith(ORIGIN):
            super().receive(set_cookie, url)


@pytest.mark.parametrize("path", ["/page", "/auth/login?return_to=/page"])
async def test_with_cookies_blocked_a_login_ends_at_a_page(stage: AttackedSite, path: str) -> None:
    """With a provider that remembers the user, the browser would loop."""
    stage.provider.sign_in_as("alice")
    browser = stage.browser(jar=NoCookies())

    page = await browser.get(path)

    assert page.status_code == 400
    assert page.page.links
    assert stage.provider.count("/authorize") == 2


@pytest.mark.parametrize("fault", ["callback_no_state", "callback_wrong_state"])
async def test_with_a_lost_state_a_login_ends_at_a_page(stage: AttackedSite, fault: str) -> None:
    """So would one that does not give the state back."""
    stage.provider.sign_in_as("alice")
    stage.provider.faults.add(fault)

    page = await stage.browser().get("/page")

    assert page.status_code == 400
    assert stage.provider.count("/authorize") <= 4


@pytest.mark.parametrize(
    "fault", ["id_token_wrong_nonce", "token_500", "userinfo_down", "callback_error_access_denied", "jwks_down"]
)
async def test_a_login_that_fails_ends_at_a_page(stage: AttackedSite, fault: str) -> None:
    """Trying again is the user's choice: nothing loops by itself."""
    stage.provider.sign_in_as("alice")
    stage.provider.claims_in_id_token = False
    stage.provider.faults.add(fault)

    page = await stage.browser().get("/page")

    assert page.status_code in (403, 502, 503)
    assert stage.provider.count("/authorize") == 1
    assert page.headers["cache-control"] == "no-store"


async def test_a_response_by_form_signs_in(form_stage: AttackedSite) -> None:
    """The form comes from another site: only SameSite=None lets the cookie along."""
    browser = form_stage.browser()

    page = await browser.sign_in("alice", "/page?x=1")

    assert (page.path, page.json()["sub"]) == ("/page?x=1", "alice")


async def test_a_response_that_comes_the_other_way_is_refused(stage: AttackedSite, form_stage: AttackedSite) -> None:
    """What was asked for is what counts."""
    browser, callback = await stage.login_in_progress()
    posted = await browser.post(own_path("callback"), dict(params_of(callback)), follow=False)

    waiting = form_stage.browser()
    asked = await waiting.get("/page")
    form = (await waiting.submit(asked, "alice", follow=False)).page.forms[0]
    in_query = await waiting.fetch(callback_url(form.data(None, {})))

    assert posted.status_code == 400
    assert (in_query.status_code, in_query.json()["error"]) == (400, "response_mode")
    assert [it.provider.count("/token") for it in (stage, form_stage)] == [0, 0]


@pytest.mark.parametrize(
    ("headers", "chunks", "status", "code"),
    [
        ([], [b"code=x&state=y"], 415, "content_type"),
        ([(b"content-type", b"text/plain")], [b"code=x&state=y"], 415, "content_type"),
        ([(b"content-type", b"application/json")], [b'{"code":"x"}'], 415, "content_type"),
        ([(b"content-type", b"multipart/form-data; boundary=x")], [b"--x--"], 415, "content_type"),
        ([(b"content-type", b"\xff\x00")], [b"x"], 415, "content_type"),
        ([FORM, FORM], [b"code=x&state=y"], 415, "content_type"),
        ([FORM], [b""], 400, "transaction_missing"),
        ([(b"content-type", b"APPLICATION/X-WWW-FORM-URLENCODED; charset=x")], [b"a=b"], 400, "transaction_missing"),
        ([FORM], [b"a" * 16_385], 413, "body_too_large"),
        ([FORM], [b"a" * 1000] * 100, 413, "body_too_large"),
        ([FORM], [b""] * 1000 + [b"a=b"], 400, "transaction_missing"),
        ([FORM, (b"content-length", b"999999999999")], [b"a=b"], 400, "transaction_missing"),
        ([FORM], [b"&" * 10_000], 400, "parameters_malformed"),
        ([FORM], [b"a=b&" * 65], 400, "parameters_malformed"),
        ([FORM], [b"a=%ff"], 400, "parameters_malformed"),
        ([FORM], [b"state=\xff"], 400, "parameters_malformed"),
        ([FORM], [b"state=" + b"s" * 9000], 400, "parameter_too_long"),
        ([FORM], None, 400, "body_incomplete"),
    ],
)
async def test_a_body_that_is_no_form_of_ours_is_refused(
    form_stage: AttackedSite, headers: list[tuple[bytes, bytes]], chunks: list[bytes] | None, status: int, code: str
) -> None:
    """Malformed is the client's mistake, never an error 500."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks or [b"a="]]
    messages.append({"type": "http.disconnect"} if chunks is None else {"type": "http.request", "body": b""})

    exchange = Exchange(*messages)
    await form_stage.middleware(
        http_scope(own_path("callback"), method="POST", headers=headers), exchange.receive, exchange.send
    )

    assert exchange.status == status
    assert f'"{code}"'.encode() in exchange.body


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "Post", "", "GET\n"])
@pytest.mark.parametrize("name", ["login", "callback", "logout", "session"])
async def test_another_method_is_not_allowed(stage: AttackedSite, method: str, name: str) -> None:
    """A HEAD must use up no login, and a method in lower case is none that we know."""
    browser, callback = await stage.login_in_progress()
    query = urlsplit(callback).query.encode()
    cookie = "; ".join(f"{it.name}={it.value}" for it in browser.cookies if it.domain == "app.example.com").encode()
    exchange = Exchange({"type": "http.request", "body": b""})
    path = own_path(name) if name == "callback" else f"/auth/{name}"
    scope = http_scope(path, method=method, headers=[(b"cookie", cookie)], query_string=query)

    await stage.middleware(scope, exchange.receive, exchange.send)

    assert exchange.status == (401 if (method, name) == ("HEAD", "session") else 405)
    assert exchange.headers(b"set-cookie") == []
    assert (await browser.get(callback)).json()["sub"] == "alice"


@pytest.mark.long
async def test_no_query_or_body_breaks_an_endpoint(stage: AttackedSite, quiet: None) -> None:
    """Every parser that sees the query, the body or the path gets bytes that nobody would write."""
    source = random.Random("endpoints")
    words = [
        b"state",
        b"code",
        b"iss",
        b"error",
        b"return_to",
        b"=",
        b"&",
        b"%",
        b"%00",
        b"%ff",
        b"+",
        b";",
        b"\x00",
        b"\xff",
    ]
    words += [b"https://id.example.com", b"/page", b"x" * 3000, b"%F0%9F", b"[]", b"error_description", b".2", b"\r\n"]
    broken = []

    for _ in range(size(1_000, 50_000)):
        data = b"".join(source.choice(words) for _ in range(source.randrange(12)))
        name = source.choice(["login", "callback", "logout", "session", "", "other"])
        method = source.choice(["GET", "POST"])
        headers = [
            source.choice([FORM, (b"accept", data[:100]), (b"origin", data[:50])]),
            *source.choice([(), NAVIGATION]),
        ]
        exchange = Exchange({"type": "http.request", "body": data})
        path = own_path(name) if name == "callback" else f"/auth/{name}"
        scope = http_scope(path, method=method, headers=headers, query_string=data)
        await stage.middleware(scope, exchange.receive, exchange.send)
        shown = [value for _, value in exchange.sent[0]["headers"]]
        is_clean = all(value.isascii() and value.decode().isprintable() for value in shown)
        is_kept = exchange.headers(b"cache-control") != [b"no-store"]
        if exchange.status >= 500 or b"x" * 100 in exchange.body or is_kept or not is_clean:
            broken.append((method, name, data, exchange.status))

    assert broken == []
    assert stage.provider.count("/token") == 0
    assert stage.app.visits == []


async def test_a_new_login_ends_the_session_of_another_user(stage: AttackedSite) -> None:
    """After bob signs in in alice's browser, nothing of alice's session is left."""
    browser = await stage.signed_in("alice")
    thief = stage.browser(jar=browser.jar.copy())

    stage.provider.sign_in_as("bob")
    await browser.get("/auth/login")

    assert await who_am_i(browser) == "bob"
    assert await who_am_i(thief) is None


async def test_a_planted_session_does_not_become_the_victims(stage: AttackedSite) -> None:
    """No session is ever taken over from what a browser brings."""
    attacker = await stage.signed_in("bob")
    victim = stage.browser(jar=attacker.jar.copy())

    stage.provider.sign_in_as("alice")
    await victim.get("/auth/login")

    assert await who_am_i(victim) == "alice"
    assert await who_am_i(attacker) != "alice"


async def test_a_sign_out_ends_every_copy_of_the_session(stage: AttackedSite) -> None:
    """Dead stays dead: a copy of the cookie does not bring it back, nor does a slower answer."""
    browser = await stage.signed_in()
    stage.clock.now += 120
    copy = stage.browser(jar=browser.jar.copy())

    await browser.post("/auth/logout", follow=False)

    assert await who_am_i(copy) is None
    assert (await copy.get("/page", follow=False)).status_code == 303
    assert all(holds_nothing(cookie.name) for cookie in browser.cookies.starting_with("__Host-oidc-"))
