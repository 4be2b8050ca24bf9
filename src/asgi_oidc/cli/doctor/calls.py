"""Makes the calls of the checks, counts them, and remembers what each answer says in its headers."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from asgi_oidc.errors import OIDCError
from asgi_oidc.provider.http import HttpClient

MAX_CALLS = 100  # in one run, to all providers together


class TooManyCalls(OIDCError):
    """The run has made as many calls as it may."""

    default_code = "too_many_calls"


class CallBudget:
    """Counts the calls of one run."""

    def __init__(self, limit: int = MAX_CALLS) -> None:
        self.left = limit

    def take(self) -> None:
        """Count a call.

        Raises:
            TooManyCalls: no more calls are allowed.
        """
        if self.left <= 0:
            raise TooManyCalls
        self.left -= 1


class AnswerHeaders(NamedTuple):
    """What the headers of an answer say.

    Attributes:
        status: None if there was no answer.
        location: where a redirect leads; empty if there is none.
        skew: seconds by which the provider's clock is ahead of ours; NaN if it does not tell the time.
        cookies: each `Set-Cookie`.
    """

    status: int | None = None
    location: str = ""
    skew: float = math.nan
    cookies: Sequence[str] = ()


class RecordingClient:
    """An HTTP client that counts calls, and keeps what the headers of the answers say."""

    def __init__(self, client: HttpClient, budget: CallBudget, clock: Callable[[], float]) -> None:
        self._client = client
        self._budget = budget
        self._clock = clock
        self.cookie = ""  # sent with each call; `Http` leaves out those of a cookie jar
        self.last = AnswerHeaders()
        self.skews: list[float] = []

    def build_request(self, method: str, url: str, *, headers: Any, content: Any) -> Any:
        """Make a request."""
        return self._client.build_request(method, url, headers=headers, content=content)

    async def send(self, request: Any, *, stream: bool, auth: None, follow_redirects: bool) -> Any:
        """Send it, and keep what the headers of the answer say."""
        self._budget.take()
        self.last = AnswerHeaders()
        if self.cookie:
            request.headers["cookie"] = self.cookie
        response = await self._client.send(request, stream=stream, auth=auth, follow_redirects=follow_redirects)
        headers = response.headers
        skew = _skew(headers.get("date", ""), headers.get("age", ""), self._clock())
        # Our cookies have no comma, by which libraries join the lines of a header.
        cookies = [cookie for cookie in headers.get("set-cookie", "").split(", ") if cookie]
        self.last = AnswerHeaders(response.status_code, headers.get("location", ""), skew, cookies)
        if not math.isnan(skew):
            self.skews.append(skew)
        return response


def _skew(date: str, age: str, now: float) -> float:
    """Compare a `Date` header with the clock; a cached answer is older by its `Age` (RFC 9111 §5.1)."""
    try:
        told = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return math.nan
    seconds = int(age) if age.isascii() and age.isdigit() and len(age) < 9 else 0
    return told.replace(tzinfo=told.tzinfo or UTC).timestamp() + seconds - now
