"""A session and a token in one request: the header alone decides, and no header weakens what protects the session."""

import pytest

from asgi_oidc import Rule

from .api_calls import PROTECTED, WEBSOCKET, APISite, bearer, refusal_of, set_cookies

CROSS_SITE = [
    (b"origin", b"https://evil.example"),
    (b"sec-fetch-site", b"cross-site"),
    (b"sec-fetch-mode", b"cors"),
    (b"content-type", b"text/plain"),
]
# Schemes that are not ours: then the cookie counts, and with it all that protects it.
FOREIGN = [b"Basic d2ViOnNlY3JldA==", b"Digest x", b"Negotiate x", b"BearerToken x", b"Token x", b"", b"x", b" "]


@pytest.mark.parametrize("value", [None, *FOREIGN])
async def test_no_header_switches_the_csrf_check_of_a_session_off(value: bytes | None) -> None:
    """Another site can make a browser send the cookie, and some headers."""
    site = APISite()
    cookie = await site.session_cookie("alice")
    headers = [] if value is None else [(b"authorization", value)]

    crossing = await site.call(PROTECTED, [cookie, *headers, *CROSS_SITE], method="POST")
    own = await site.call(PROTECTED, [cookie, *headers, (b"origin", b"https://app.example.com")], method="POST")

    assert (crossing.status, own.status, site.app.visits) == (403, 200, [(PROTECTED, "alice")])


async def test_a_token_needs_no_csrf_check_and_never_acts_for_the_session() -> None:
    """No other site can send a user's token; one that sends its own acts as itself."""
    site = APISite()
    cookie = await site.session_cookie("alice")

    answer = await site.call(PROTECTED, [cookie, bearer(site.token("bob")), *CROSS_SITE], method="POST")

    assert (answer.status, site.app.visits, set_cookies(answer)) == (200, [(PROTECTED, "bob")], [])


async def test_a_token_on_a_websocket_needs_no_origin_of_ours_and_never_acts_for_the_session() -> None:
    """A page of another site cannot set the header; a program has no origin."""
    site = APISite()
    cookie = await site.session_cookie("alice")
    token = bearer(site.token("bob"))

    await site.call(WEBSOCKET, [cookie, token])
    await site.call(WEBSOCKET, [token])

    assert {sub for _, sub in site.app.visits} == {"bob"}


async def test_rights_of_session_and_token_never_add_up() -> None:
    """Alice's role with Bob's scope is nobody's."""
    rules = [Rule("/page", claims={"roles": "admin"}, scopes=["orders:read"])]
    site = APISite(rules=rules)
    cookie = await site.session_cookie("alice")  # is an admin, and has no such scope

    reader = await site.call(PROTECTED, [cookie, bearer(site.token("bob"))])
    admin = await site.call(PROTECTED, [cookie, bearer(site.token("alice", scopes=[]))])
    both = await site.call(PROTECTED, [cookie, bearer(site.token("alice"))])

    assert [it.status for it in (reader, admin, both)] == [403, 403, 200]


async def test_a_refused_token_leaves_the_session_as_it_was() -> None:
    """Whoever makes a browser send a bad header signs nobody out."""
    site = APISite()
    cookie = await site.session_cookie("alice")

    refused = await site.call(PROTECTED, [cookie, bearer("x")])
    allowed = await site.call(PROTECTED, [cookie])

    assert (refusal_of(refused).status, set_cookies(refused), allowed.status) == (401, [], 200)


async def test_an_answer_to_a_token_is_never_stored_for_another() -> None:
    """A shared cache in front tells neither tokens nor cookies apart by itself (RFC 9111 §3.5)."""
    site = APISite()
    cookie = await site.session_cookie("alice")

    for headers in ([bearer(site.token("bob"))], [cookie, bearer(site.token("bob"))], [bearer("x")]):
        for place in (PROTECTED, "/public", "/auth/session"):
            answer = await site.call(place, headers)
            control = b",".join(answer.headers(b"cache-control"))
            assert (b"private" in control) or (b"no-store" in control), (place, control)
            if b"no-store" not in control:
                assert b"authorization" in b",".join(answer.headers(b"vary")).lower(), place


async def test_no_browser_answers_a_token_with_what_it_kept_for_the_cookie() -> None:
    """Both requests have the same cookie, so the header has to tell them apart (RFC 9111 §4.1)."""
    site = APISite()
    cookie = await site.session_cookie("alice")

    for place in (PROTECTED, "/public"):
        answer = await site.call(place, [cookie])

        assert answer.headers(b"vary") == [b"Cookie", b"Authorization"], place


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "X"])
async def test_no_method_lets_a_bad_token_in(method: str) -> None:
    """A preflight has no token; one that has is a request like any other."""
    site = APISite()
    cookie = await site.session_cookie("alice")

    answer = await site.call(PROTECTED, [cookie, bearer("x")], method=method)

    assert (answer.status, site.app.visits) == (401, [])
