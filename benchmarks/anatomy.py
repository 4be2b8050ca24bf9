"""Where does the time of a signed-in request go? Its steps alone, as the middleware takes them.

Run it as `python -m benchmarks.anatomy`. In a loop of its own a step finds everything in the caches of the processor:
the sum is less than what `python -m benchmarks.requests` finds of the whole.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from benchmarks.harness import Harness
from benchmarks.sites import HEADERS, OTHER_COOKIES, OurSite, ignore

from asgi_oidc.asgi.app_response import AppResponse, app_scope
from asgi_oidc.asgi.open_response import OpenResponses
from asgi_oidc.policy.app_checks import decide_at_once
from asgi_oidc.sessions.sealing import NONCE, decode_base64url
from asgi_oidc.sessions.session import decode_login, decode_tokens
from asgi_oidc.sessions.session_cache import SessionCache
from asgi_oidc.web.caching import private_headers
from asgi_oidc.web.cookies import Cookies
from asgi_oidc.web.paths import UNREAD
from asgi_oidc.web.request import Request

ANSWER = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
ROUNDS = 2

Work = Callable[[], object]


class Specimen:
    """A request of somebody who is signed in, and what the middleware makes of it."""

    def __init__(self) -> None:
        site = OurSite()
        own = asyncio.run(site.sign_in())
        self.parts = site.app._parts
        self.cookies = f"{OTHER_COOKIES}; {own}".encode()
        self.lines = (HEADERS + b"\ncookie: " + self.cookies).split(b"\n")
        live = self.parts.sessions.at_once(self.cookies)
        assert live is not None
        self.live = live
        self.request = Request(self.scope(), UNREAD)
        self.place = self.parts.policy.place(self.scope(), ())
        self.jar: Any = site.app._parts.sessions._jar  # type: ignore[attr-defined]  # sealed cookies have one
        self.own = Cookies(self.cookies, self.jar.stem).beginning_with(self.jar.name)
        tokens = self.jar.tokens_name(self.live.session.id)
        self.texts = {"session": self.own[self.jar.name], "tokens": self.own[tokens].partition(".")[2]}
        self.bound = {"session": self.jar.name, "tokens": self.jar._bound_to(self.live.session.id)}

    def scope(self) -> dict[str, Any]:
        """Make one as a server does."""
        headers = [tuple(line.split(b": ", 1)) for line in self.lines]
        path = {"path": b"/orders".decode(), "raw_path": b"/orders", "root_path": "", "query_string": b""}
        return {"type": "http", "method": "GET", "headers": headers, "client": ("192.0.2.1", 1), "server": None, **path}


def nothing(it: Specimen) -> Work:
    return it.scope


def read_a_request(it: Specimen) -> Work:
    return lambda: Request(it.scope(), UNREAD)


def fresh_cookies(it: Specimen) -> Work:
    return lambda: bytes(memoryview(it.cookies))


def find_the_session(it: Specimen) -> Work:
    return lambda: it.parts.sessions.at_once(bytes(memoryview(it.cookies)))


def find_the_place(it: Specimen) -> Work:
    scope = it.scope()
    return lambda: it.parts.policy.place(scope, ())


def decide(it: Specimen) -> Work:
    return lambda: decide_at_once(it.parts, it.place, it.live)


def scope_of_the_app(it: Specimen) -> Work:
    scope = it.scope()
    return lambda: app_scope(scope, it.parts, it.live)


async def never() -> Any:
    """Receive nothing: nobody asks."""


def wrap_send(it: Specimen) -> Work:
    open_responses = OpenResponses(it.parts)
    return lambda: AppResponse(it.parts, it.live, it.place, it.request, never, ignore, open_responses)


def headers_of_the_answer(it: Specimen) -> Work:
    return lambda: private_headers(ANSWER)


def read_own_cookies(it: Specimen) -> Work:
    return lambda: Cookies(it.cookies, it.jar.stem).beginning_with(it.jar.name)


def decode_texts(it: Specimen) -> Work:
    return lambda: [decode_base64url(text) for text in it.texts.values()]


def decrypt(it: Specimen) -> Work:
    sealer, todo = it.jar.sealer, []
    for kind, text in it.texts.items():
        sealed = decode_base64url(text) or b""
        bound = sealer._bound_to(kind, it.bound[kind])
        todo.append((sealer._keys[kind][0], sealed[:NONCE], sealed[NONCE:], bound))
    return lambda: [key.decrypt(nonce, sealed, bound) for key, nonce, sealed, bound in todo]


def decode_json(it: Specimen) -> Work:
    login, tokens = (it.jar.sealer.open(kind, it.bound[kind], text) for kind, text in it.texts.items())
    return lambda: (decode_login(login), decode_tokens(tokens))


def open_the_jar(it: Specimen) -> Work:
    return lambda: it.jar.open(it.own)


def keep_what_was_opened(it: Specimen) -> Work:
    seen: SessionCache[int, object] = SessionCache(most=100)
    numbers = iter(range(1 << 60))
    return lambda: seen.keep(next(numbers), it.live, size=1)


STEPS: dict[str, tuple[Callable[[Specimen], Work], Callable[[Specimen], Work] | None]] = {
    "read a request": (read_a_request, nothing),
    "find the place of its path": (find_the_place, None),
    "find the session of its cookies, hold it against limits and marks": (find_the_session, fresh_cookies),
    "decide": (decide, None),
    "copy the scope, and put user, auth and oidc into it": (scope_of_the_app, None),
    "wrap send": (wrap_send, None),
    "make the headers of the answer private": (headers_of_the_answer, None),
    "not seen before: read our cookies": (read_own_cookies, None),
    "not seen before: open the jar": (open_the_jar, None),
    "of that: base64 of login and tokens": (decode_texts, None),
    "of that: AEAD of both": (decrypt, None),
    "of that: JSON of both": (decode_json, None),
    "not seen before: keep it": (keep_what_was_opened, None),
}


def main() -> None:
    """Measure each step."""
    harness = Harness("anatomy", processes=2, values=3)
    specimen: list[Specimen] = []

    def of(make: Callable[[Specimen], Work]) -> Callable[[], Work]:
        def made() -> Work:
            if not specimen:
                specimen.append(Specimen())
            return make(specimen[0])

        return made

    for _ in range(ROUNDS):
        for name, (make, make_under) in STEPS.items():
            harness.work(name, of(make))
            if make_under is not None:
                harness.work(f"nothing: {name}", of(make_under))
    if not harness.is_main:
        return
    for name, (_, make_under) in STEPS.items():
        spent = harness.least[name] if make_under is None else harness.more(name, f"nothing: {name}")
        harness.row(name, spent * 1e6, "us")
    harness.save()


if __name__ == "__main__":
    main()
