"""Reads the form in the body of a POST request, limited in bytes and time."""

import anyio

from asgi_oidc.errors import RequestRejected
from asgi_oidc.errors.sanitized import ForeignError
from asgi_oidc.web.asgi_types import Message, Receive
from asgi_oidc.web.request import MAX_QUERY_LENGTH, Request

BODY_DEADLINE = 10.0  # seconds for the whole body


async def read_form_body(request: Request, receive: Receive, *, max_bytes: int = MAX_QUERY_LENGTH) -> bytes:
    """Return the body of a form POST, still encoded.

    Args:
        max_bytes: limit on the size of the body.

    Raises:
        RequestRejected: the body is not a form, is too large, took too long, or the client disconnected.
        ForeignError: carries an exception that the server raised.
    """
    if not request.is_form:
        raise RequestRejected("content_type", "expected application/x-www-form-urlencoded", status=415)
    try:
        with anyio.fail_after(BODY_DEADLINE):
            return await _read_whole_body(receive, max_bytes)
    except TimeoutError as exc:
        raise RequestRejected("body_timeout", f"the body took more than {BODY_DEADLINE:g} s", status=408) from exc


async def _read_whole_body(receive: Receive, max_bytes: int) -> bytes:
    body = bytearray()
    is_complete = False
    while not is_complete:
        message = await _receive_message(receive)
        if message["type"] != "http.request":
            raise RequestRejected("body_incomplete", "the client disconnected before the body was complete")
        body += message.get("body", b"")
        is_complete = not message.get("more_body", False)
        if len(body) > max_bytes:
            raise RequestRejected("body_too_large", f"the body is larger than {max_bytes} bytes", status=413)
    return bytes(body)


async def _receive_message(receive: Receive) -> Message:
    try:
        return await receive()
    except Exception as error:  # noqa: BLE001  # an exception of the server; it passes through unchanged
        foreign = ForeignError(error)
    raise foreign
