"""Which tools a message calls is read in one way only, within limits."""

import json

import anyio
import pytest

from asgi_oidc.integrations.mcp_messages import (
    MAX_BATCH,
    MAX_BODY,
    MessageRejected,
    read_again,
    read_message,
    read_tool_calls,
)
from asgi_oidc.web.asgi_types import Message, Receive

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "delete_note", "arguments": {}}}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


def written(message: object) -> bytes:
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    ("body", "tools"),
    [
        (written(CALL), ["delete_note"]),
        (written(LIST), []),
        (written([LIST, CALL, {**CALL, "params": {"name": "who_am_i"}}]), ["delete_note", "who_am_i"]),
        (written({**LIST, "params": {"name": "delete_note"}}), []),
        (written({"method": "tools/call", "params": {"name": "a notification"}}), ["a notification"]),
        (rb'{"\u006dethod": "tools\/call", "params": {"n\u0061me": "delete\u005fnote"}}', ["delete_note"]),
        (written({**CALL, "params": {"name": "é", "arguments": {"name": "other"}}}), ["é"]),
        (written("tools/call"), []),
        (written([[CALL]]), []),
        (b"1", []),
    ],
)
def test_the_tools_that_a_message_calls(body, tools):
    """A batch may call several; escapes change nothing."""
    assert read_tool_calls(body) == tools


def test_a_batch_is_read_up_to_a_limit():
    """Each call is checked against every rule, and other requests wait meanwhile."""
    assert len(read_tool_calls(written([CALL] * MAX_BATCH))) == MAX_BATCH
    with pytest.raises(MessageRejected) as rejected:
        read_tool_calls(written([CALL] * (MAX_BATCH + 1)))
    assert rejected.value.status == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"name=delete_note",
        written(CALL) + written(LIST),
        b'{"method": "tools/list", "method": "tools/call", "params": {"name": "a"}}',
        b'{"method": "tools/call", "params": {"name": "a", "name": "b"}}',
        b'{"method": "tools/call", "params": {"name": "a"}, "params": {"name": "b"}}',
        b'{"method": "tools/call", "params": {"name": "a", "arguments": {"x": NaN}}}',
        b'{"method": "tools/call", "params": {"name": "a", "arguments": {"x": ' + b"9" * 5000 + b"}}}",
        json.dumps(CALL).encode("utf-16"),
        json.dumps(CALL).encode("utf-8-sig"),
        b"[" * 100_000,
        b'{"method": "tools/call", "params": {"name": "\xff"}}',
        written({**CALL, "params": {}}),
        written({**CALL, "params": None}),
        written({**CALL, "params": ["delete_note"]}),
        written({**CALL, "params": {"name": ["delete_note"]}}),
        written({**CALL, "params": {"name": None}}),
    ],
    ids=lambda body: repr(body[:60]),
)
def test_a_message_that_another_parser_may_read_differently_is_rejected(body):
    """The server could call another tool than the one that was checked."""
    with pytest.raises(MessageRejected) as caught:
        read_tool_calls(body)

    assert caught.value.status == 400


def receiving(*messages: Message) -> Receive:
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    return receive


async def test_the_server_reads_the_same_body_again():
    """It gets what was checked, and then what the client does next."""
    first, last = written(CALL)[:20], written(CALL)[20:]
    disconnect = {"type": "http.disconnect"}
    receive = receiving(
        {"type": "http.request", "body": first, "more_body": True}, {"type": "http.request", "body": last}, disconnect
    )

    message = await read_message(receive)
    assert message is not None
    again = read_again(message[0], receive)

    assert message[1] == ["delete_note"]
    assert await again() == {"type": "http.request", "body": first + last, "more_body": False}
    assert await again() == disconnect


async def test_a_large_message_is_read_too():
    """In a thread, so that no other user waits."""
    large = written({**CALL, "params": {"name": "delete_note", "arguments": {"text": "x" * 200_000}}})

    assert await read_message(receiving({"type": "http.request", "body": large})) == (large, ["delete_note"])


async def test_a_body_that_is_too_large_is_rejected():
    """It is not kept in memory to its end."""
    piece = {"type": "http.request", "body": b"x" * (MAX_BODY // 2 + 1), "more_body": True}

    with pytest.raises(MessageRejected) as caught:
        await read_message(receiving(piece, piece))

    assert caught.value.status == 413


async def test_a_client_that_disconnects_has_no_message():
    """Nobody is there to answer."""
    start = {"type": "http.request", "body": b"{", "more_body": True}

    assert await read_message(receiving(start, {"type": "http.disconnect"})) is None


async def test_a_body_that_never_ends_is_rejected():
    """A slow client must not hold a connection for ever."""

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    with pytest.raises(MessageRejected) as caught:
        await read_message(receive, deadline=0.01)

    assert caught.value.status == 408
