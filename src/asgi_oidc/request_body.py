"""Reads the form in the body of a POST, bounded in bytes and time."""

import anyio

from asgi_oidc.errors import RequestRejected
from asgi_oidc.errors.sanitized import ForeignError
from asgi_oidc.web.asgi_types import Message, Receive
from asgi_oidc.web.request import MAX_QUERY_LENGTH, Request

BODY_DEADLINE = 10.0  # seconds for the whole body


async def read_form_body(request: Request, receive: Receive, *, largest: int = MAX_QUERY_LENGTH) -> bytes:
    """Read the form of a POST, bounded in bytes and time.

    Raises:
        RequestRejected: no form, too large, too slow, or the browser went away.
        ForeignError: what the server raised.
    """
    if not request.is_form:
        raise RequestRejected("content_type", "expected a form", status=415)
    try:
        with anyio.fail_after(BODY_DEADLINE):
            return await _whole_body(receive, largest)
    except TimeoutError as exc:
        raise RequestRejected("body_timeout", f"more than {BODY_DEADLINE:g} s", status=408) from exc


async def _whole_body(receive: Receive, largest: int) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await _received(receive)
        if message["type"] != "http.request":
            raise RequestRejected("body_incomplete", "the browser went away")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > largest:
            raise RequestRejected("body_too_large", f"more than {largest} bytes", status=413)
    return bytes(body)


async def _received(receive: Receive) -> Message:
    try:
        return await receive()
    except Exception as error:  # noqa: BLE001  # it is passed on unchanged
        foreign = ForeignError(error)
    raise foreign
