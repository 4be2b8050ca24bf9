"""Which request a proxy asks about: only a trusted one may say so, in four headers, and nothing stands in for them."""

import logging

import pytest

from asgi_oidc import SettingsError
from asgi_oidc.forward_auth import ForwardAuth
from tests.forward_auth.forward_site import PROXY, STRANGER, ForwardSite, told
from tests.protected_site import PROGRAM

NAMES = [name for name, _ in told()]
PUBLIC = "/public/x"
both = pytest.mark.parametrize("proxy", ["nginx", "traefik"])


@pytest.fixture
def site() -> ForwardSite:
    return ForwardSite()


@both
@pytest.mark.parametrize(
    "peer",
    [STRANGER, None, ("127.0.0.1", 0), ("127.0.0.2", 5000), ("::1", 5000), ("", 5000), ("127.0.0.1.evil.example", 1)],
)
async def test_a_peer_that_is_not_a_trusted_proxy_is_refused(site, proxy, peer, caplog):
    """Whoever can reach the port could else choose the path. A port of 0 means that a header named the address."""
    with caplog.at_level(logging.WARNING):
        reply = await site.ask(PUBLIC, cookie=await site.cookie(), proxy=proxy, peer=peer)

    assert (reply.status, reply.all("x-user")) == (403, [])
    assert [record.getMessage().split()[:3] for record in caplog.records] == [
        ["forward_auth_refused", "status=403", "code=proxy_not_trusted"]
    ]


async def test_by_default_nobody_is_trusted():
    """A safe feature with an unsafe default would not be safe."""
    site = ForwardSite({"trusted_proxies": ()})

    assert (await site.ask(PUBLIC)).status == 403


@pytest.mark.parametrize(
    ("trusted", "peer"),
    [
        ("127.0.0.1", PROXY),
        ("127.0.0.1", ("::ffff:127.0.0.1", 5000)),
        ("10.1.0.0/16", ("10.1.2.3", 5000)),
        ("fd00::/8", ("fd00::7", 5000)),
        ("unix", None),
    ],
)
async def test_a_proxy_is_named_by_its_address_its_network_or_its_unix_socket(trusted, peer):
    """A server reports a dual-stack socket's peer as an IPv6 address."""
    site = ForwardSite({"trusted_proxies": [trusted]})

    assert (await site.ask(PUBLIC, peer=peer)).status == 200


async def test_unix_trusts_no_address():
    """And an address trusts no socket."""
    site = ForwardSite({"trusted_proxies": ["unix"]})

    assert (await site.ask(PUBLIC, peer=PROXY)).status == 403


@pytest.mark.parametrize("address", ["0.0.0.0/0", "::/0", "proxy.example.com", "*", "", "10.0.0.1/8", "127.0.0.1:80"])
def test_a_proxy_that_would_be_everybody_or_is_none_is_refused_at_start_up(address):
    """The others look like a mistake."""
    with pytest.raises(SettingsError) as refused:
        ForwardSite({"trusted_proxies": [address]})

    assert "proxy" in str(refused.value)


@both
@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "get"])
async def test_an_auth_request_that_is_not_a_get_is_refused(site, proxy, method):
    """A proxy may have passed on a browser's own request to our path; a GET that is refused before has no answer."""
    reply = await site.ask(PUBLIC, cookie=await site.cookie(), proxy=proxy, asked_with=method)

    assert (reply.status, reply.all("x-user")) == (403, [])


@both
@pytest.mark.parametrize("name", NAMES)
async def test_a_missing_header_is_refused(site, proxy, name):
    """Nothing of what the browser sends takes its place."""
    rest = [pair for pair in told(PUBLIC) if pair[0] != name]
    others = {"x-original-uri": PUBLIC, "forwarded": "host=app.example.com;proto=https", "x-forwarded-path": PUBLIC}

    replies = [
        await site.ask(forwarded=rest, headers=others, proxy=proxy),
        await site.ask(forwarded=[*rest, (name, "")], proxy=proxy),
    ]

    assert [reply.status for reply in replies] == [403, 403]


@both
@pytest.mark.parametrize("name", NAMES)
async def test_a_repeated_header_is_refused(site, proxy, name):
    """A proxy that adds its own to the browser's leaves two; which one counts would be chance."""
    value = dict(told(PUBLIC))[name]
    for forwarded in ([(name, value), *told(PUBLIC)], [*told(PUBLIC), (name.upper(), value)]):
        assert (await site.ask(forwarded=forwarded, proxy=proxy)).status == 403


@both
@pytest.mark.parametrize("name", NAMES)
async def test_a_header_with_underscores_is_refused(site, proxy, name, caplog):
    """Many programs take `X_Forwarded_Uri` for `X-Forwarded-Uri`, and a proxy replaces only the one."""
    misspelt = [
        name.replace("-", "_"),
        name.replace("-", "_", 1),
        name.upper().replace("-", "_"),
        name.replace("-", "."),
    ]
    with caplog.at_level(logging.INFO):
        replies = [await site.ask(PUBLIC, headers={other: "/"}, proxy=proxy) for other in misspelt]

    assert [reply.status for reply in replies] == [403] * len(misspelt)
    assert all("code=forwarded_header_misspelt" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "name",
    [
        *("x-original-url", "x-rewrite-url", "X_Original_URL", "X-Rewrite_Url", "X.Original.URL"),
        *("SCRIPT_NAME", "script-name", "X-Script-Name", "PATH_INFO", "Daphne-Root-Path"),
    ],
)
async def test_a_header_from_which_frameworks_take_the_path_is_refused(site, name):
    """The app behind the proxy is unknown: with `SCRIPT_NAME: /public`, Gunicorn serves `/page` for `/public/page`."""
    reply = await site.ask(PUBLIC, headers={name: "/page"})

    assert (reply.status, reply.error) == (403, "forwarded_path_header")


@pytest.mark.parametrize(
    "method", ["get", "Get", "GET ", " GET", "GET, POST", "WEBSOCKET", "MADEUP", "G\xcbT", "GET\t", "GET/", "-GET"]
)
async def test_a_method_that_is_none_is_refused(site, method):
    """Apps may take it for one."""
    reply = await site.ask(PUBLIC, method)

    assert (reply.status, reply.error) == (403, "forwarded_method")


@pytest.mark.parametrize("scheme", ["HTTPS", "https,http", "ftp", "https ", "https:"])
async def test_a_scheme_that_is_none_is_refused(site, scheme):
    """Two proxies may have joined theirs."""
    forwarded = [(name, scheme if name == "x-forwarded-proto" else value) for name, value in told(PUBLIC)]

    assert (await site.ask(forwarded=forwarded)).error == "forwarded_scheme"


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("evil.example", "forwarded_url_unknown"),
        ("app.example.com.evil.example", "forwarded_url_unknown"),
        ("xapp.example.com", "forwarded_url_unknown"),
        ("app.example.com:8443", "forwarded_url_unknown"),
        ("app.example.com:80", "forwarded_url_unknown"),
        ("app.example.com.", "forwarded_url_unknown"),
        ("app.example.com,evil.example", "forwarded_host"),
        ("app.example.com/public/x?", "forwarded_host"),
        ("app.example.com#", "forwarded_host"),
        ("app.example.com@evil.example", "forwarded_host"),
        ("evil.example\\@app.example.com", "forwarded_host"),
        ("app.example.com:", "forwarded_host"),
        ("app.example.com:443:443", "forwarded_host"),
        ("app.example.com evil", "forwarded_host"),
        ("[app.example.com]", "forwarded_host"),
    ],
)
async def test_an_unknown_or_malformed_host_is_refused(site, host, code):
    """Only the hosts of `base_url` are ours."""
    assert (await site.ask(forwarded=told(PUBLIC, host=host))).error == code


@pytest.mark.parametrize("host", ["app.example.com", "APP.example.com", "app.example.com:443"])
async def test_a_host_is_compared_as_browsers_do(site, host):
    """Case and the default port make no difference."""
    assert (await site.ask(forwarded=told(PUBLIC, host=host))).status == 200


@pytest.mark.parametrize("scheme", ["wss", "https"])
async def test_the_scheme_of_a_websocket_counts_as_that_of_its_pages(site, scheme):
    """Proxies name either."""
    forwarded = [(name, scheme if name == "x-forwarded-proto" else value) for name, value in told(PUBLIC)]

    assert (await site.ask(forwarded=forwarded)).status == 200


async def test_another_scheme_than_that_of_base_url_is_refused(site):
    """A page over http has no secure cookies; the proxy should redirect it."""
    forwarded = [(name, "http" if name == "x-forwarded-proto" else value) for name, value in told(PUBLIC)]

    assert (await site.ask(forwarded=forwarded)).error == "forwarded_url_unknown"


@pytest.mark.parametrize(
    "uri",
    [
        *("public/x", "*", "http://app.example.com/public/x", "https://app.example.com/public/x", "//public/x"),
        *("//evil.example/public/x", "/public/x#", "/public/x?a#b", "/public/x y", "/public/x\t", "?/public/x"),
        *("/public/\xe9", "/public/x\x00", "/public/x\x7f", "\\public\\x", "/" + "x" * 20_000),
    ],
)
async def test_what_is_no_path_of_this_site_is_refused(site, uri):
    """An absolute URI names a host of its own."""
    assert (await site.ask(uri)).error == "forwarded_uri"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/public/../page",
            "/public/./x",
            "/public/..",
            "/public/%2e%2e/page",
            "/public/.%2e/page",
            "/public/%2E./page",
        ),
        *("/public/..%2fpage", "/public/..;/page", "/public/..;x=1/page", "/public/%2e%2e;/page", "/public/.;/x"),
        *("/public/..%5cpage", "/public\\..\\page", "/public/%5c../page", "/public/%252e%252e/page"),
        *("/public/%25252e%25252e/page", "/public/%2525252e%2525252e/page", "/public/..%3b/page", "/public/..%20/page"),
        *("/public/x%00", "/public/x%0a", "/public/x%0d%0aX-User:%20mallory", "/public/x%7f", "/public/x%2500"),
        *("/public/%", "/public/%2", "/public/%zz", "/public/%u002e", "/public/%c0%ae%c0%ae/page", "/public/%ff"),
        *("/public/%ed%a0%80", "/public/%e0%80%af"),
    ],
)
async def test_a_path_that_proxies_and_apps_resolve_differently_is_refused(site, path):
    """For whomever: what the app makes of it is unknown."""
    replies = [await site.ask(path, cookie=cookie) for cookie in ("", await site.cookie())]

    assert [(reply.status, reply.error) for reply in replies] == [(403, "forwarded_path")] * 2


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/public//x",
            "/public/a%2fb",
            "/public/a;b",
            "/public/a%3bb",
            "/public/a%3fb",
            "/public/a%23b",
            "/public%2fx",
        ),
        *("/public/a%25b", "/%70ublic/x", "/public/x%20", "//public/x".replace("//", "/%2f"), "/PUBLIC/x"),
    ],
)
async def test_an_ambiguous_path_is_never_public(site, path):
    """It is open to users all the same: there are apps with such paths."""
    replies = [
        await site.ask(path, cookie=cookie, headers={"accept": "application/json"})
        for cookie in ("", await site.cookie())
    ]

    assert [reply.status for reply in replies] == [401, 200]


async def test_neither_query_nor_user_agent_nor_any_other_header_opens_a_path(site):
    """All of these did somewhere."""
    headers = {
        **{name: value for name, value in PROGRAM.items() if value is not None},
        "user-agent": "kube-probe/1.30",
        "x-middleware-subrequest": "middleware",
        "x-forwarded-path": "/public/x",
        "x-forwarded-prefix": "/public",
        "x-forwarded-for": "127.0.0.1",
        "x-original-uri": "/public/x",
    }

    replies = [await site.ask(uri, headers=headers) for uri in ("/page", "/page?x=/public/x", "/page?/public/x")]

    assert [reply.status for reply in replies] == [401, 401, 401]


async def test_a_reason_is_a_warning_once_a_minute(site, caplog):
    """A wrong configuration asks with every request."""
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            await site.ask(PUBLIC, peer=STRANGER)
        site.clock.advance(60)
        await site.ask(PUBLIC, peer=STRANGER)

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "INFO", "WARNING"]


def test_the_repr_shows_no_secret():
    """It ends up in logs."""
    site = ForwardSite()

    assert repr(site.app) == "ForwardAuth(base_url='https://app.example.com')"
    assert isinstance(site.app, ForwardAuth)
