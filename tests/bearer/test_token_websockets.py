"""A websocket whose handshake has a token is refused or passed to the app, and ends with the token."""

from dataclasses import replace
from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc import NotSignedIn, Rule, StepUpRequired, StoreUnavailable
from asgi_oidc.asgi.bearer_watch import REPEAT_INTERVAL
from asgi_oidc.asgi.session_watch import CHECK_INTERVAL, STORE_SILENCE_LIMIT
from tests.asgi.test_open_responses import BIT, DISCONNECT, END, Stream
from tests.asgi.test_open_websockets import Socket
from tests.bearer.test_opaque_access import opaque
from tests.bearer.token_calls import TokenSite
from tests.protected_site import NOW, Exchange, cookie_header

SOON = 2 * CHECK_INTERVAL + 1  # seconds
DENIAL: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Use a clock that jumps to the next deadline when all tasks are waiting."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


def handshake(token: str, *, cookie: str = "", **scope: Any) -> dict[str, Any]:
    headers = [(b"authorization", f"Bearer {token}".encode())]
    headers += [(b"cookie", cookie.encode())] if cookie else []
    return {"type": "websocket", "path": "/ws", "headers": headers, "query_string": b"", **scope}


async def connect(site: TokenSite, token: str, *, cookie: str = "", **scope: Any) -> Exchange:
    exchange = Exchange({"type": "websocket.connect"})
    await site.middleware(handshake(token, cookie=cookie, **scope), exchange.receive, exchange.send)
    return exchange


async def test_a_websocket_with_a_token_reaches_the_app():
    """Programs have no Origin; nothing would be forged with a token."""
    site = TokenSite()

    exchange = await connect(site, site.token())

    assert exchange.sent == [{"type": "websocket.accept"}]
    assert (site.app.scope["user"].sub, site.app.scope["user"].credential) == ("alice", "bearer")


async def test_the_token_decides_and_not_the_cookie():
    """As for requests."""
    site = TokenSite()
    cookie = cookie_header(await site.signed_in("bob"))
    origin = (b"origin", b"https://app.example.com")
    scope = handshake(site.token(aud="other"), cookie=cookie)
    scope["headers"].append(origin)
    exchange = Exchange({"type": "websocket.connect"})

    await site.middleware(scope, exchange.receive, exchange.send)

    assert exchange.sent == [{"type": "websocket.close", "code": 4401}]


@pytest.mark.parametrize(
    ("rule", "changes", "status", "code"),
    [
        ({}, {"aud": "other"}, 401, 4401),
        ({"acr_values": ["gold"]}, {}, 401, 4401),
        ({"scopes": ["admin"]}, {}, 403, 4403),
        ({"credentials": ["session"]}, {}, 403, 4403),
    ],
)
async def test_a_token_that_is_not_enough_is_refused_before_the_accept(rule, changes, status, code):
    """With a response where the server can send one, otherwise with a close code."""
    site = TokenSite(rules=[Rule("/ws", **rule)])

    answer = await connect(site, site.token(**changes), **DENIAL)
    closed = await connect(site, site.token(**changes))

    assert (answer.status, closed.sent, site.app.scopes) == (
        status,
        [{"type": "websocket.close", "code": code}],
        [],
    )


async def test_without_keys_it_says_to_try_again():
    """An outage is no refusal."""
    site = TokenSite()
    with site.provider.fault("jwks_down"):
        closed = await connect(site, site.token())

    assert closed.sent == [{"type": "websocket.close", "code": 1013}]


async def test_without_a_token_a_path_for_tokens_is_closed():
    """The handshake of a browser with a session is not for it."""
    site = TokenSite(rules=[Rule("/ws", credentials=["bearer"])])
    headers = [(b"origin", b"https://app.example.com")]
    exchange = Exchange({"type": "websocket.connect"})

    await site.middleware({**handshake(""), "headers": headers, **DENIAL}, exchange.receive, exchange.send)

    assert exchange.status == 401
    assert (exchange.header(b"www-authenticate") or b"").startswith(b"Bearer resource_metadata=")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotSignedIn(), 4401),
        (StepUpRequired(max_age=1), 4401),
        (StepUpRequired(max_age=-1), 1011),
        (StoreUnavailable("store_failed", ""), 1013),
    ],
)
async def test_an_error_of_ours_that_the_app_raises_refuses_the_websocket(error, code):
    """As if the policy had asked for that."""

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        raise error

    site = TokenSite(inner=refusing)

    assert (await connect(site, site.token())).sent == [{"type": "websocket.close", "code": code}]


@pytest.mark.parametrize(("error", "is_accepted"), [(ZeroDivisionError, False), (NotSignedIn, True)])
async def test_any_other_error_is_the_app_s_own(error, is_accepted):
    """The server logs it, and one that comes after the accept as well."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        if is_accepted:
            await send({"type": "websocket.accept"})
        raise error

    site = TokenSite(inner=broken)

    with pytest.raises(error):
        await connect(site, site.token())


async def test_a_response_of_the_app_to_the_handshake_is_private():
    """As any other response."""

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    site = TokenSite(inner=refusing)

    answer = await connect(site, site.token(), **DENIAL)

    assert answer.sent[0]["headers"] == [(b"vary", b"Authorization"), (b"cache-control", b"private")]


async def expires(site: TokenSite) -> None:
    site.clock.advance(600 + 30)


async def user_is_signed_out(site: TokenSite) -> None:
    site.clock.advance(10)
    await site.sign_out("alice")


ENDS = [expires, user_is_signed_out]


@pytest.mark.parametrize("ends", ENDS)
async def test_an_open_websocket_ends_with_its_token(ends):
    """A connection must not outlive what it was opened with."""
    socket = Socket()
    site = TokenSite(inner=socket.app)
    async with anyio.create_task_group() as tasks:
        await socket.to_app.send({"type": "websocket.connect"})
        tasks.start_soon(site.middleware, handshake(site.token()), socket.receive, socket.send)
        await anyio.sleep(SOON)
        before = socket.code
        await ends(site)
        with anyio.fail_after(SOON):
            await socket.is_closed.wait()
            await socket.has_app_ended.wait()
        tasks.cancel_scope.cancel()

    assert (before, socket.code, socket.errors) == (None, 4401, ["OSError"])


@pytest.mark.parametrize("ends", ENDS)
async def test_an_open_response_ends_with_its_token(ends):
    """Server-sent events too."""
    stream = Stream()
    site = TokenSite(inner=stream.app)
    scope = {**handshake(site.token()), "type": "http", "method": "GET", "path": "/page"}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(site.middleware, scope, stream.receive, stream.send)
        await stream.is_open.wait()
        await anyio.sleep(SOON)
        before = list(stream.sent)
        await ends(site)
        with anyio.fail_after(SOON):
            await stream.has_app_ended.wait()
        tasks.cancel_scope.cancel()

    assert before[1:] == [BIT]
    assert (stream.sent[1:], stream.heard[-1], len(stream.errors)) == ([BIT, END], DISCONNECT, 1)


async def is_revoked(site: TokenSite, token: str) -> str:
    site.provider.memory.access_tokens.pop(token)
    return ""


def changes(**claims: Any) -> Any:
    async def change(site: TokenSite, token: str) -> str:
        known = site.provider.memory.access_tokens
        known[token] = replace(known[token], claims={**known[token].claims, **claims})
        return ""

    return change


async def provider_is_down(site: TokenSite, token: str) -> str:
    return "introspection_down"


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (is_revoked, 4401),
        (changes(scope="profile"), 4401),
        (changes(roles=[]), 4401),
        (changes(sub="bob"), 4401),
        (changes(cnf={"jkt": "A" * 43}), 4401),
        (changes(jti="another", exp=NOW + 3600), None),
        (provider_is_down, 1013),
    ],
)
async def test_an_open_websocket_ends_when_its_token_is_not_active_any_more(ends, code):
    """Or when that could not be found out for a minute."""
    socket = Socket()
    site = TokenSite(inner=socket.app)
    token = opaque(site, lifetime=3600)
    headers = [(b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "websocket", "path": "/ws", "headers": headers, "query_string": b""}
    async with anyio.create_task_group() as tasks:
        await socket.to_app.send({"type": "websocket.connect"})
        tasks.start_soon(site.middleware, scope, socket.receive, socket.send)
        for _ in range(3):  # it stays open for as long as the token is active
            site.clock.advance(REPEAT_INTERVAL)
            await anyio.sleep(2 * CHECK_INTERVAL)
        before = socket.code
        fault = await ends(site, token)
        with site.provider.fault(*([fault] if fault else [])):
            for _ in range(2):
                site.clock.advance(STORE_SILENCE_LIMIT)
                await anyio.sleep(2 * CHECK_INTERVAL)
        tasks.cancel_scope.cancel()

    assert (before, socket.code) == (None, code)
