"""Sends a response of ours in place of the app's."""

from asgi_oidc.web.asgi_types import Send
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response


async def send_response(response: Response, request: Request, send: Send) -> None:
    """Send a complete response; that to a HEAD request has no body (RFC 9110 §9.3.2)."""
    if response.write_body is not None:
        response = response.with_body(await response.write_body())
    await send({"type": "http.response.start", "status": response.status, "headers": list(response.headers)})
    body = b"" if request.method == "HEAD" else response.body
    # `more_body` has a default, but Quart's test client does without it.
    await send({"type": "http.response.body", "body": body, "more_body": False})
