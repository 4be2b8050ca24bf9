"""Where does the time of a signed-in request go? Measures the steps of the middleware one by one.

Run it as `python -m benchmarks.anatomy`. In a loop of its own, a step finds everything in the processor's caches, so
the sum is less than what `python -m benchmarks.requests` measures for the whole.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from benchmarks.harness import Harness
from benchmarks.sites import HEADERS, OTHER_COOKIES, OurSite, ignore

from asgi_oidc.asgi.app_response import AppResponse
from asgi_oidc.sessions.sealing import NONCE, decode_base64url
from asgi_oidc.sessions.session_cache import SessionCache
from asgi_oidc.sessions.session_format import decode_login, decode_tokens
from asgi_oidc.web.caching import private_headers
from asgi_oidc.web.cookies import Cookies
from asgi_oidc.web.paths import UNREAD
from asgi_oidc.web.request import Request

ANSWER = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
ROUNDS = 2

Work = Callable[[], object]


class Specimen:
    """A request of a signed-in user, and what the middleware makes of it."""

    def __init__(self) -> None:
        site = OurSite()
        own = asyncio.run(site.sign_in())
        self.http, self.sessions = site.app._composition.http, site.watcher.sessions
        self.cookies = f"{OTHER_COOKIES}; {own}".encode()
        self.lines = (HEADERS + b"\ncookie: " + self.cookies).split(b"\n")
        active = self.sessions.at_once(self.cookies)
        assert active is not None
        self.active = active
        self.request = Request(self.scope(), UNREAD)
        self.policy = self.http._reader._policy
        self.matched = self.policy.match(self.scope(), ())
        sessions: Any = self.sessions
        self.session_cookies = sessions._session_cookies
        self.own = Cookies(self.cookies, self.session_cookies.stem).beginning_with(self.session_cookies.name)
        tokens = self.session_cookies.tokens_name(self.active.session.id)
        self.texts = {"session": self.own[self.session_cookies.name], "tokens": self.own[tokens].partition(".")[2]}
        self.bound = {
            "session": self.session_cookies.name,
            "tokens": self.session_cookies._bound_to(self.active.session.id),
        }

    def scope(self) -> dict[str, Any]:
        """Return a new scope, as a server makes it."""
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
    return lambda: it.sessions.at_once(bytes(memoryview(it.cookies)))


def match_the_policy(it: Specimen) -> Work:
    scope = it.scope()
    return lambda: it.policy.match(scope, ())


def decide(it: Specimen) -> Work:
    return lambda: it.http._access.decide(it.matched, it.active)


def scope_of_the_app(it: Specimen) -> Work:
    scope = it.scope()
    return lambda: it.http._app_scopes.make(scope, it.active)


async def never() -> Any:
    """Receive nothing; no app calls this."""


def wrap_send(it: Specimen) -> Work:
    responses = it.http._app_responses
    return lambda: AppResponse(responses, it.active, it.matched, it.request, never, ignore)


def headers_of_the_answer(it: Specimen) -> Work:
    return lambda: private_headers(ANSWER)


def read_own_cookies(it: Specimen) -> Work:
    return lambda: Cookies(it.cookies, it.session_cookies.stem).beginning_with(it.session_cookies.name)


def decode_texts(it: Specimen) -> Work:
    return lambda: [decode_base64url(text) for text in it.texts.values()]


def decrypt(it: Specimen) -> Work:
    sealer, todo = it.session_cookies.sealer, []
    for kind, text in it.texts.items():
        sealed = decode_base64url(text) or b""
        bound = sealer._bound_to(kind, it.bound[kind])
        todo.append((sealer._keys[kind][0], sealed[:NONCE], sealed[NONCE:], bound))
    return lambda: [key.decrypt(nonce, sealed, bound) for key, nonce, sealed, bound in todo]


def decode_json(it: Specimen) -> Work:
    login, tokens = (it.session_cookies.sealer.open(kind, it.bound[kind], text) for kind, text in it.texts.items())
    return lambda: (decode_login(login), decode_tokens(tokens))


def open_the_session(it: Specimen) -> Work:
    return lambda: it.session_cookies.open(it.own)


def keep_what_was_opened(it: Specimen) -> Work:
    seen: SessionCache[int, object] = SessionCache(max_entries=100)
    numbers = iter(range(1 << 60))
    return lambda: seen.keep(next(numbers), it.active, size=1)


STEPS: dict[str, tuple[Callable[[Specimen], Work], Callable[[Specimen], Work] | None]] = {
    "read a request": (read_a_request, nothing),
    "match the policy to its path": (match_the_policy, None),
    "find the session of its cookies, hold it against limits and revocations": (find_the_session, fresh_cookies),
    "decide": (decide, None),
    "copy the scope, and put user, auth and oidc into it": (scope_of_the_app, None),
    "wrap send": (wrap_send, None),
    "make the headers of the answer private": (headers_of_the_answer, None),
    "not seen before: read our cookies": (read_own_cookies, None),
    "not seen before: open the session": (open_the_session, None),
    "of that: base64 of login and tokens": (decode_texts, None),
    "of that: AEAD of both": (decrypt, None),
    "of that: JSON of both": (decode_json, None),
    "not seen before: keep it": (keep_what_was_opened, None),
}


def main() -> None:
    """Measure each step."""
    harness = Harness("anatomy", processes=3)
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
