"""The HTTP client: one call, one answer, both bounded, and nothing is sent that the caller did not ask for."""

import gzip
import socket
from typing import Any

import httpx
import httpx2
import pytest

from asgi_oidc.errors import AnswerRejected, ProviderUnavailable
from asgi_oidc.protocol.messages import Call
from asgi_oidc.provider.http import MAX_ANSWER_SIZE, Http, OwnClient
from tests.provider.provider_caches import plain, wire

CLIENTS = pytest.mark.parametrize("make", [httpx.AsyncClient, httpx2.AsyncClient, None], ids=["httpx", "httpx2", "own"])
PACKED = gzip.compress(b'{"a":1}')


class HttpWith:
    """Our HTTP layer over a client of that kind, closed at the end."""

    def __init__(self, make: Any, **options: Any) -> None:
        self.client = None if make is None else make(**options)
        self.http = Http(self.client)

    async def __aenter__(self) -> Http:
        return self.http

    async def __aexit__(self, *exc_info: object) -> None:
        if self.client is not None:
            await self.client.aclose()


@CLIENTS
async def test_an_answer_comes_back_whole(make):
    """Status, headers by lower-case name, body."""
    async with wire(plain(b'{"a":1}', "X-Some: Thing", status="418 x")) as server, HttpWith(make) as http:
        answer = await http.send(Call("GET", server.url), endpoint="metadata")

    assert (answer.status, answer.headers["x-some"], answer.body) == (418, "Thing", b'{"a":1}')


@CLIENTS
async def test_a_call_goes_out_as_it_is(make):
    """Its method, its headers, its body, and nothing packed is asked for."""
    call = Call("POST", "", {"content-type": "application/x-www-form-urlencoded", "x-some": "thing"}, b"a=1&b=%20")
    async with wire(plain()) as server, HttpWith(make) as http:
        await http.send(Call(call.method, server.url, call.headers, call.body), endpoint="token")

    (heard,) = server.heard
    head, _, body = heard.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /x http/1.1"
    assert body == b"a=1&b=%20"
    assert [line for line in lines if line.startswith(b"accept-encoding")] == [b"accept-encoding: identity"]
    assert b"x-some: thing" in lines


@CLIENTS
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (plain(b"", "Location: https://evil.example/", status="302 Found"), "token_redirect"),
        (plain(b"", "Location: /y", status="307 Temporary Redirect"), "token_redirect"),
        (plain(b"", status="304 Not Modified"), "token_redirect"),
        (plain(PACKED, "Content-Encoding: gzip"), "token_compressed"),
        (plain(PACKED, "Content-Encoding: identity, gzip"), "token_compressed"),
        (plain(b"x", "Content-Encoding: br"), "token_compressed"),
        (plain(b"x" * (MAX_ANSWER_SIZE + 1)), "token_too_large"),
    ],
    ids=["302", "307", "304", "gzip", "twice", "br", "large"],
)
async def test_an_answer_that_we_do_not_take_is_refused(make, answer, code):
    """A redirect would carry codes and secrets elsewhere; what is packed has no bound."""
    async with wire(answer) as server, HttpWith(make) as http:
        with pytest.raises(AnswerRejected) as caught:
            await http.send(Call("GET", server.url), endpoint="token")

    assert (caught.value.code, len(server.heard)) == (code, 1)


# httpx leaves its inner generators to the garbage collector, and trio says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@CLIENTS
async def test_an_answer_that_does_not_say_its_length_is_bounded_too(make):
    """It could be endless."""
    chunks = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks * 5
    async with wire(answer) as server, HttpWith(make) as http:
        with pytest.raises(AnswerRejected) as caught:
            await http.send(Call("GET", server.url), endpoint="token")

    assert caught.value.code == "token_too_large"


@CLIENTS
@pytest.mark.parametrize("answer", [plain(b"x" * MAX_ANSWER_SIZE), plain(b"x", "Content-Encoding: Identity")])
async def test_an_answer_within_its_bounds_is_taken(make, answer):
    """As many bytes as there may be, and an encoding that is none."""
    async with wire(answer) as server, HttpWith(make) as http:
        assert (await http.send(Call("GET", server.url), endpoint="token")).status == 200


@CLIENTS
@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 99_999,
    ],
    ids=["nonsense", "length", "headers"],
)
async def test_what_is_no_http_is_an_outage(make, answer):
    """Exceptions of both HTTP libraries become ours."""
    async with wire(answer) as server, HttpWith(make) as http:
        with pytest.raises(ProviderUnavailable) as caught:
            await http.send(Call("GET", server.url), endpoint="jwks")

    assert caught.value.code == "jwks_unreachable"


@CLIENTS
async def test_a_connection_that_breaks_in_the_middle_is_an_outage(make):
    """Half an answer is none."""
    async with wire(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", hangs_up=True) as server, HttpWith(make) as http:
        with pytest.raises(ProviderUnavailable) as caught:
            await http.send(Call("GET", server.url), endpoint="token")

    assert caught.value.code == "token_unreachable"


@CLIENTS
async def test_a_refused_connection_is_an_outage(make):
    """Nobody listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening
        async with HttpWith(make) as http:
            with pytest.raises(ProviderUnavailable) as caught:
                await http.send(
                    Call("GET", f"http://127.0.0.1:{taken.getsockname()[1]}/?code=s3cret"), endpoint="metadata"
                )

    assert caught.value.code == "connect_refused"
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("make", [httpx.AsyncClient, httpx2.AsyncClient])
async def test_cookies_of_the_users_client_are_never_sent(make):
    """A provider must not link our users by them, nor one login with another."""
    answer = plain(b"{}", "Set-Cookie: seen=1; Path=/")
    async with wire(answer) as server, HttpWith(make, cookies={"mine": "1"}) as http:
        for _ in range(3):
            await http.send(Call("GET", server.url), endpoint="token")

    assert not any(b"cookie" in heard.lower() for heard in server.heard)


@pytest.mark.parametrize("make", [httpx.AsyncClient, httpx2.AsyncClient])
async def test_the_default_auth_of_the_users_client_is_never_used(make):
    """It was meant for somebody else."""
    async with wire(plain()) as server, HttpWith(make, auth=("user", "s3cret")) as http:
        await http.send(Call("GET", server.url), endpoint="token")
        await http.send(Call("GET", server.url, {"authorization": "Bearer at"}), endpoint="userinfo")

    assert [heard.lower().count(b"authorization: ") for heard in server.heard] == [0, 1]
    assert b"bearer at" in server.heard[1].lower()


@pytest.mark.parametrize("make", [httpx.AsyncClient, httpx2.AsyncClient])
async def test_the_redirects_of_the_users_client_are_never_followed(make):
    """RFC 9700 §4.12."""
    answer = plain(b"", "Location: /y", status="307 x")
    async with wire(answer) as server, HttpWith(make, follow_redirects=True) as http:
        with pytest.raises(AnswerRejected):
            await http.send(Call("POST", server.url, {}, b"code=x"), endpoint="token")

    assert len(server.heard) == 1


@pytest.mark.parametrize("make", [httpx.AsyncClient, httpx2.AsyncClient])
async def test_the_users_client_stays_open(make):
    """It is the user's to close, and our lifespan has no say in it."""
    async with wire(plain()) as server, HttpWith(make) as http:
        http.open()
        await http.send(Call("GET", server.url), endpoint="token")
        await http.close()
        await http.send(Call("GET", server.url), endpoint="token")

    assert server.connections == 1


async def test_with_a_lifespan_one_connection_serves_all_calls():
    """A new TLS handshake for each would cost more than the login."""
    http = Http()
    async with wire(plain()) as server:
        http.open()
        http.open()
        for _ in range(3):
            await http.send(Call("GET", server.url), endpoint="token")
        connections = server.connections
        await http.close()
        await http.close()

    assert connections == 1


async def test_without_a_lifespan_each_call_has_a_client_of_its_own():
    """No connection outlives its loop."""
    http = Http()
    async with wire(plain()) as server:
        for _ in range(3):
            await http.send(Call("GET", server.url), endpoint="token")

    assert server.connections == 3


async def test_after_the_lifespan_calls_still_work():
    """A late request is not an error."""
    http = Http()
    async with wire(plain()) as server:
        http.open()
        await http.send(Call("GET", server.url), endpoint="token")
        await http.close()
        await http.send(Call("GET", server.url), endpoint="token")

    assert server.connections == 2


async def test_our_own_client_keeps_no_cookies_either():
    """Two logins in one process are two people."""
    http = Http()
    async with wire(plain(b"{}", "Set-Cookie: seen=1; Path=/")) as server:
        http.open()
        for _ in range(2):
            await http.send(Call("GET", server.url), endpoint="token")
        await http.close()

    assert not any(b"cookie" in heard.lower() for heard in server.heard)


class Broken:
    """A client with a bug of its own."""

    def build_request(self, method: str, url: str, **options: Any) -> Any:
        """Make nothing."""

    async def send(self, request: Any, **options: Any) -> Any:
        raise ZeroDivisionError("a bug")


async def test_whatever_the_users_client_raises_is_an_outage():
    """A closed client, or a bug in it: nobody gets in, and people get a page instead of a traceback."""
    with pytest.raises(ProviderUnavailable) as caught:
        await Http(Broken()).send(Call("GET", "https://id.example.com"), endpoint="token")

    assert (caught.value.code, caught.value.detail) == (
        "token_unreachable",
        "https://id.example.com: ZeroDivisionError",
    )


@pytest.mark.parametrize("make", [httpx.AsyncClient, httpx2.AsyncClient])
async def test_a_url_that_no_client_takes_is_an_outage(make):
    """Metadata is checked before, so this is the second line."""
    async with HttpWith(make) as http:
        with pytest.raises(ProviderUnavailable) as caught:
            await http.send(Call("GET", "https://xn--/\x00"), endpoint="token")

    assert caught.value.code == "token_unreachable"


async def test_our_own_client_keeps_no_cookie_of_the_provider():
    """A cookie jar would grow for as long as the process lives, and link our users to each other."""
    own = OwnClient()
    http = Http(own=own)
    http.open()
    client = own.shared()
    async with wire(plain(b"{}", "Set-Cookie: c=x; Max-Age=9999")) as server:
        await http.send(Call("GET", server.url), endpoint="token")
    await http.close()

    assert client is not None
    assert list(client.cookies.jar) == []
