"""The cookie jar takes, sends and refuses what a browser would."""

import pytest

from asgi_oidc.testing.cookie_jar import Cookie, CookieJar

NOW = 1_800_000_000
APP = "https://app.example.com/admin/page"
HTTP = "http://localhost:8000/"


def jar_with(*lines: str, url: str = APP) -> CookieJar:
    jar = CookieJar(lambda: NOW)
    for line in lines:
        jar.receive(line, url)
    return jar


def sent(jar: CookieJar, url: str = APP, *, is_same_site: bool = True, is_safe_navigation: bool = True) -> str:
    return jar.header(url, is_same_site=is_same_site, is_safe_navigation=is_safe_navigation)


REFUSED = [
    ("a=b; SameSite=None", APP, "needs Secure"),
    ("a=b; Secure", HTTP, "set over http"),
    ("__Secure-a=b", APP, "__Secure-"),
    ("__Host-a=b; Path=/", APP, "__Host-"),
    ("__Host-a=b; Secure", APP, "__Host-"),
    ("__Host-a=b; Secure; Path=/admin", APP, "__Host-"),
    ("__Host-a=b; Secure; Path=/; Domain=app.example.com", APP, "__Host-"),
    ("__HOST-a=b; Path=/", APP, "__Host-"),
    ("=__Host-a=b; Secure; Path=/", APP, "without a name"),
    ("a=b; Domain=evil.example", APP, "Domain"),
    ("a=b; Domain=com", APP, "Domain"),
    ("a=b; Domain=pp.example.com", APP, "Domain"),
    ("a=b; Domain=0.0.1", "http://127.0.0.1/", "Domain"),
    ("a=" + "x" * 4096, APP, "4096"),
    ("a=b\x00c", APP, "control"),
    ("a=b\r\nc", APP, "control"),
    ("", APP, "neither"),
    ("=; Path=/", APP, "neither"),
]


@pytest.mark.parametrize(("line", "url", "reason"), REFUSED)
def test_bad_cookies_are_refused_with_a_reason(line, url, reason):
    """What a browser drops in silence, a test should see."""
    jar = jar_with(line, url=url)

    assert (len(jar), reason in jar.refused[0].reason) == (0, True)


TAKEN = [
    ("a=b", APP),
    ("a=b; Secure; HttpOnly; SameSite=None; Path=/", APP),
    ("__Host-a=b; Secure; Path=/", APP),
    ("__Host-a=b; secure; PATH=/; httponly; SAMESITE=lax", APP),
    ("__Secure-a=b; Secure; Domain=example.com", APP),
    ("a=" + "x" * 4095, APP),
    ("a=b; Domain=.example.com", APP),
    ("a=b; Domain=localhost", HTTP),
    ("nameless", APP),
    ("a=b; Expires=nonsense", APP),
    ("a=b; Path=/" + "x" * 1024, APP),
]


@pytest.mark.parametrize(("line", "url"), TAKEN)
def test_good_cookies_are_taken_and_sent_back(line, url):
    """The other side of the table above."""
    jar = jar_with(line, url=url)

    assert (len(jar), jar.refused) == (1, [])
    assert sent(jar, url) == line.partition(";")[0]


def test_attributes_can_be_read():
    """Tests assert on flags, not on text."""
    cookie = jar_with("a=b; Path=/x; Secure; HttpOnly; SameSite=Strict; Max-Age=60; Domain=example.com")["a"]

    assert cookie == Cookie("a", "b", "example.com", "/x", False, True, True, "Strict", NOW + 60)


PATHS = [
    ("/", "/", True),
    ("/", "/any/thing", True),
    ("/admin", "/admin", True),
    ("/admin", "/admin/", True),
    ("/admin", "/admin/x", True),
    ("/admin/", "/admin/x", True),
    ("/admin/", "/admin", False),
    ("/admin", "/administrator", False),
    ("/admin", "/", False),
    ("relative", "/admin/other", True),
    ("relative", "/other", False),
]


@pytest.mark.parametrize(("path", "requested", "is_sent"), PATHS)
def test_paths_match_whole_segments(path, requested, is_sent):
    """RFC 6265bis §5.1.4."""
    jar = jar_with(f"a=b; Path={path}")

    assert bool(sent(jar, "https://app.example.com" + requested)) is is_sent


HOSTS = [
    ("a=b", "https://app.example.com/admin/", True),
    ("a=b", "https://x.app.example.com/admin/", False),
    ("a=b", "https://example.com/admin/", False),
    ("a=b", "https://app.example.com:8443/admin/", True),
    ("a=b", "http://app.example.com/admin/", True),
    ("a=b; Secure", "http://app.example.com/admin/", False),
    ("a=b; Domain=example.com", "https://other.example.com/admin/", True),
    ("a=b; Domain=example.com", "https://example.com/admin/", True),
    ("a=b; Domain=example.com", "https://badexample.com/admin/", False),
]


@pytest.mark.parametrize(("line", "url", "is_sent"), HOSTS)
def test_hosts_match_exactly_unless_a_domain_is_given(line, url, is_sent):
    """Ports do not keep cookies apart; hosts do, and Secure ones stay off http."""
    assert bool(sent(jar_with(line), url)) is is_sent


SAME_SITE = [
    # same site?, safe navigation?, what is sent
    (True, True, {"lax", "strict", "none", "unsaid"}),
    (True, False, {"lax", "strict", "none", "unsaid"}),
    (False, True, {"lax", "none", "unsaid"}),
    (False, False, {"none"}),
]


@pytest.mark.parametrize(("is_same_site", "is_safe", "names"), SAME_SITE)
def test_same_site_decides_what_a_foreign_page_may_send(is_same_site, is_safe, names):
    """A cross-site POST carries only `None`; a cross-site link carries `Lax` too."""
    jar = jar_with("lax=1; SameSite=Lax", "strict=1; SameSite=Strict", "none=1; SameSite=None; Secure", "unsaid=1")
    header = sent(jar, is_same_site=is_same_site, is_safe_navigation=is_safe)

    assert {pair.partition("=")[0] for pair in header.split("; ")} == names


LIFETIMES = [
    ("a=b", None),
    ("a=b; Max-Age=60", NOW + 60),
    ("a=b; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", NOW + 60),
    ("a=b; Expires=Fri, 15 Jan 2027 09:00:00 GMT", NOW + 3600),
    ("a=b; Max-Age=99999999999", NOW + 400 * 86_400),
    ("a=b; Max-Age=soon", None),
]


@pytest.mark.parametrize(("line", "expires_at"), LIFETIMES)
def test_lifetimes(line, expires_at):
    """Max-Age counts before Expires, and 400 days is the most."""
    assert jar_with(line)["a"].expires_at == expires_at


DELETIONS = ["a=; Max-Age=0", "a=; Max-Age=-1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]


@pytest.mark.parametrize("line", DELETIONS)
def test_a_cookie_is_deleted_by_one_that_has_expired(line):
    """Sign-out relies on it."""
    assert len(jar_with("a=b", line)) == 0


def test_a_deletion_for_another_path_deletes_nothing():
    """The classic mistake: signed out, yet still signed in."""
    assert "a" in jar_with("a=b; Path=/", "a=; Max-Age=0; Path=/admin")


def test_cookies_expire_by_the_clock():
    """An idle session ends in the browser too."""
    times = [NOW]
    jar = CookieJar(lambda: times[0])
    jar.receive("a=b; Max-Age=60", APP)
    times[0] += 60

    assert ("a" in jar, sent(jar)) == (False, "")


def test_longer_paths_come_first_then_older_cookies():
    """RFC 6265bis §5.8.3."""
    jar = jar_with("old=1; Path=/", "new=1; Path=/", "deep=1; Path=/admin", "old=2; Path=/")

    assert sent(jar) == "deep=1; old=2; new=1"


def test_http_does_not_replace_what_https_set():
    """Else someone on the network could plant a session."""
    jar = jar_with("a=good; Secure; Path=/")
    jar.receive("a=planted; Path=/", "http://app.example.com/")

    assert (jar["a"].value, len(jar.refused)) == ("good", 1)


def test_a_host_keeps_180_cookies_at_most():
    """Piled-up cookies push the oldest ones out, as in Chromium."""
    jar = jar_with(*(f"a{number}=b" for number in range(200)))

    assert (len(jar), "a19" in jar, "a20" in jar) == (180, False, True)


def test_a_name_that_is_not_there_once_is_a_clear_error():
    """`browser.cookies["x"]` says what there is instead."""
    jar = jar_with("a=1; Path=/", "a=2; Path=/admin", "b=1")

    for name in ("a", "c"):
        with pytest.raises(KeyError, match="'a', 'a', 'b'"):
            jar[name]
    assert (jar.get("c"), len(jar.starting_with("a"))) == (None, 2)


def test_a_jar_can_be_copied_planted_and_emptied():
    """Thieves, planted cookies and a closed browser are all part of tests."""
    jar = jar_with("a=1", "b=1; Max-Age=60")
    copy = jar.copy()
    jar.put(Cookie("planted", "1", "app.example.com", "/"))
    jar.close_browser()
    names = [cookie.name for cookie in jar]
    jar.delete("b")

    assert (names, len(jar), len(copy)) == (["b"], 0, 2)
    copy.clear()
    assert len(copy) == 0


def test_values_stay_out_of_reprs():
    """Test output ends up in logs."""
    assert "hush" not in repr(list(jar_with("a=hush")))
