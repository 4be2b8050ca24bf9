"""What a proxy gets: `yes`, and who the user is, or the middleware's own response to the browser.

Proxies take any 2xx for "yes". So the middleware's own responses never have such a status, whatever they say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

Headers = Sequence[tuple[bytes, bytes]]

MAX_COOKIES = 6  # Set-Cookie lines of one answer that nginx can pass on; a refreshed session has at most these
NO_STORE = (b"cache-control", b"no-store")
NOT_FOR_THE_APP = 403  # in place of a 2xx with which the middleware answers the browser itself

_SET_COOKIE = b"set-cookie"


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer to a proxy."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def cookies(self) -> list[bytes]:
        """The Set-Cookie lines."""
        return [value for name, value in self.headers if name.lower() == _SET_COOKIE]


def allowed(answer: Answer, identity: Headers) -> Answer:
    """Return "yes" with the identity headers and the cookies that are due; no cache may keep it."""
    cookies = [(_SET_COOKIE, line) for line in answer.cookies]
    return Answer(200, [*identity, *cookies, NO_STORE, (b"content-length", b"0")])


def denied(answer: Answer) -> Answer:
    """Return "no" with the middleware's response, which the proxy passes on to the browser."""
    if not 200 <= answer.status < 300:
        return answer
    return Answer(NOT_FOR_THE_APP, answer.headers, answer.body)


def with_cookies_first(answer: Answer, url: str) -> Answer:
    """Return "not yet": the browser gets its cookies, and asks again. For proxies that pass no cookie on with "yes".

    Source: RFC 9110 §15.4.8 (307 keeps the method).
    """
    cookies = [(_SET_COOKIE, line) for line in answer.cookies]
    return Answer(307, [*cookies, (b"location", url.encode("ascii")), NO_STORE, (b"content-length", b"0")])


def for_nginx(answer: Answer) -> Answer:
    """Return an answer that nginx understands: it takes 2xx, 401 and 403, and sees one header of each name.

    Set-Cookie lines become `X-Auth-Cookie-1` and so on, those that delete a cookie last. To a "no", nginx adds nothing
    from here: the browser gets the response to its own request, which nginx passes on to us.
    """
    if 200 <= answer.status < 300:
        kept = [(name, value) for name, value in answer.headers if name.lower() != _SET_COOKIE]
        lines = sorted(answer.cookies, key=_is_deletion)[:MAX_COOKIES]
        numbered = [(f"x-auth-cookie-{number}".encode(), line) for number, line in enumerate(lines, 1)]
        return Answer(answer.status, [*kept, *numbered])
    status = answer.status if answer.status == NOT_FOR_THE_APP or answer.status >= 500 else 401
    return Answer(status, [NO_STORE, (b"content-length", b"0")])


def _is_deletion(line: bytes) -> bool:
    return line.partition(b"=")[2].startswith(b";")
