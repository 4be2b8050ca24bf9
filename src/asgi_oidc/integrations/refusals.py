"""What a route answers in place of its response if its requirements are not met."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CLOSE_LOGIN_NEEDED = 4401  # websocket close codes, the same that the middleware has
CLOSE_FORBIDDEN = 4403


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response to send instead of calling the route.

    Attributes:
        status: 303 for a page navigation if a login would help, otherwise 401 or 403.
        problem: JSON object (RFC 9457); `error` is its stable name, `login_url` starts the login that would help.
    """

    status: int
    headers: dict[str, str] = field(repr=False)
    problem: dict[str, Any] = field(repr=False)

    @property
    def title(self) -> str:
        """A short description."""
        return str(self.problem["title"])

    @property
    def close_code(self) -> int:
        """The close code for a websocket."""
        return CLOSE_FORBIDDEN if self.status == 403 else CLOSE_LOGIN_NEEDED


def refusal(status: int, error: str, title: str, headers: Mapping[str, str], **members: object) -> Refusal:
    """Return a refusal that no cache stores."""
    problem = {"type": "about:blank", "title": title, "status": status, "error": error, **members}
    return Refusal(status, {"cache-control": "no-store", **headers}, problem)
