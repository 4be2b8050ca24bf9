"""Lets only the named sites show the app in a frame (the setting `embedded_in`), also where the app says nothing."""

from collections.abc import MutableMapping, Sequence
from typing import Any

from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send

_POLICY = b"content-security-policy"


class FrameAncestors:
    """Adds `frame-ancestors` (CSP 3 §6.4.2) to all responses without one.

    Browsers that do not know `Partitioned` send the cookies in frames of any site. Without this, such a site could show
    the app to its user, and lead the user to click in it.
    """

    def __init__(self, serve: ASGIApp, embedded_in: Sequence[str]) -> None:
        self._serve = serve
        self._header = (_POLICY, f"frame-ancestors {frame_sources(embedded_in)}".encode("ascii"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_policy(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(
                    bytes(name).lower() == _POLICY and _names_ancestors(bytes(value)) for name, value in headers
                ):
                    message = {**message, "headers": [*headers, self._header]}
            await send(message)

        await self._serve(scope, receive, send_with_policy)


def _names_ancestors(value: bytes) -> bool:
    """Return whether one of the policies of a header has the directive; a URL or the like may contain its name too."""
    directives = [directive.split(None, 1) for directive in value.lower().replace(b",", b";").split(b";")]
    return any(words and words[0] == b"frame-ancestors" for words in directives)


def frame_sources(embedded_in: Sequence[str]) -> str:
    """Return the sources of `frame-ancestors`."""
    return " ".join(("'self'", *embedded_in))
