"""Reads which tools a request to an MCP server calls (JSON-RPC 2.0, MCP over Streamable HTTP), within limits."""

import json
from typing import Any

import anyio
import anyio.to_thread

from asgi_oidc.web.asgi_types import Message, Receive

CALL_TOOL = "tools/call"
MAX_BODY = 4 * 1024 * 1024  # bytes; the same as in the MCP SDK
BODY_DEADLINE = 60.0  # seconds
MAX_BATCH = 100  # messages; each call in one is checked against all rules, and no batch of a client is that long
MAX_BLOCKING = 64 * 1024  # bytes; a larger body is parsed in a thread, so that other requests go on


class MessageRejected(Exception):
    """The body of a request cannot be accepted."""

    def __init__(self, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


async def read_message(receive: Receive, *, deadline: float = BODY_DEADLINE) -> tuple[bytes, list[str]] | None:
    """Return the body of a request and the tools that it calls; None if the client has disconnected.

    Args:
        deadline: seconds for the whole body.

    Raises:
        MessageRejected: the body is too large, took too long, or is not a JSON-RPC message that can be read in one way.
    """
    try:
        with anyio.fail_after(deadline):
            body = await _read_body(receive)
    except TimeoutError:
        raise MessageRejected(f"the body took more than {deadline:g} s", status=408) from None
    if body is None:
        return None
    if len(body) > MAX_BLOCKING:
        return body, await anyio.to_thread.run_sync(read_tool_calls, body)
    return body, read_tool_calls(body)


def read_again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives this body first, and then what the server has."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return unread.pop() if unread else await receive()

    return receive_again


def read_tool_calls(body: bytes) -> list[str]:
    """Return the names of the tools that a JSON-RPC message calls, or a batch of them.

    Only JSON that every parser reads in the same way is accepted: otherwise the server could call another tool than
    the one that was checked.

    Raises:
        MessageRejected: the body is not JSON in UTF-8, has a member twice, calls a tool without a name, or is a batch
            of too many messages.
    """
    try:
        message = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise MessageRejected("the body is not JSON in UTF-8") from None
    messages = message if isinstance(message, list) else [message]
    if len(messages) > MAX_BATCH:
        raise MessageRejected(f"a batch has more than {MAX_BATCH} messages", status=413)
    return [_tool_name(one) for one in messages if isinstance(one, dict) and one.get("method") == CALL_TOOL]


def _tool_name(message: dict[str, Any]) -> str:
    params = message.get("params")
    name = params.get("name") if isinstance(params, dict) else None
    if not isinstance(name, str):
        raise MessageRejected("tools/call needs the name of a tool")
    return name


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MessageRejected("an object has a member twice")
    return members


def _refuse(constant: str) -> None:
    raise MessageRejected("NaN and Infinity are not JSON")


async def _read_body(receive: Receive) -> bytes | None:
    body = bytearray()
    is_complete = False
    while not is_complete:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        is_complete = not message.get("more_body", False)
        if len(body) > MAX_BODY:
            raise MessageRejected(f"the body is larger than {MAX_BODY} bytes", status=413)
    return bytes(body)
