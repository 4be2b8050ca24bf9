"""An open response ends with its session by the clock of each event loop, and leaves nothing behind there."""

from typing import Any

import anyio
import pytest

from asgi_oidc import OIDCError
from asgi_oidc.asgi.session_watch import ConnectionEnded
from asgi_oidc.testing import Browser
from tests.asgi.test_open_responses import (
    BIT,
    END,
    OpenStreams,
    Stream,
    Wrapped,
    as_a_fault_while_it_is_handled,
    in_a_group,
)
from tests.asgi.test_open_websockets import signs_out_here
from tests.internals import open_responses_of
from tests.logout_site import LogoutSite
from tests.protected_site import Message, Scope


async def test_a_response_ends_with_its_session():
    """One check serves all open responses, and repeats while one is open."""
    site = LogoutSite()
    alice, bob = await site.signed_in(), await site.signed_in("bob")
    async with anyio.create_task_group() as tasks:
        stage = OpenStreams(tasks)
        of_bob, stream = await stage.open(site, bob), await stage.open(site, alice)
        await signs_out_here(site, alice)
        await stream.until_done()
        is_bobs_open = not of_bob.is_ended
        await signs_out_here(site, bob)
        await of_bob.until_done()

    assert (is_bobs_open, stream.is_ended, of_bob.is_ended) == (True, True, True)


async def test_checks_resume_after_some_responses_have_ended():
    """The checks stop when no response is open, and the next response starts them again."""
    site = LogoutSite()
    streams: list[Stream] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            alice = await site.signed_in()
            streams.append(await OpenStreams(tasks).open(site, alice))
            await signs_out_here(site, alice)
            await streams[-1].until_done()
            watched = open_responses_of(site.middleware)._watched_of_this_loop()
            with anyio.fail_after(60):
                while watched.is_check_scheduled:  # noqa: ASYNC110  # it sets no event of ours
                    await anyio.sleep(0.1)

    assert all(stream.is_ended for stream in streams)


async def test_a_response_is_ended_once():
    """Two tasks that find the session over at the same time send one end, and the response is not checked again."""
    site, stream = LogoutSite(), Stream()
    alice = await site.signed_in()
    async with anyio.create_task_group() as tasks:
        await OpenStreams(tasks).open(site, alice, stream=stream)
        watched = open_responses_of(site.middleware)._watched_of_this_loop()
        (response,) = watched.responses
        async with anyio.create_task_group() as ends:
            ends.start_soon(response.end)
            ends.start_soon(response.end)
        await stream.until_done()

    assert (stream.sent.count(END), len(stream.errors)) == (1, 1)
    assert response not in watched.responses


class LateStream(Stream):
    """Sends its headers at once, and its first bit when the test says so.

    Args:
        bits: the messages after that.
    """

    def __init__(self, *bits: Message) -> None:
        super().__init__()
        self.may_begin = anyio.Event()
        self._bits = bits

    async def app(self, scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.is_open.set()
        await self.may_begin.wait()
        for bit in self._bits:
            try:
                await send(bit)
            except OSError as error:
                self.errors.append(error)


async def until_late(site: LogoutSite, alice: Browser, stage: OpenStreams) -> None:
    """Sign a user out, and wait until those of their responses have ended that were watched from the start."""
    watched = await stage.open(site, alice, path="/watched")
    await signs_out_here(site, alice)
    await watched.until_done()


@pytest.mark.parametrize("form", ["cookies", "a store"])
async def test_a_response_that_has_sent_only_its_headers_ends_with_its_session(form):
    """It is not watched before the first part of its body, which may come long after a sign-out."""
    site, stream = LogoutSite(form), LateStream(BIT, BIT, BIT)
    alice = await site.signed_in()
    async with anyio.create_task_group() as tasks:
        stage = OpenStreams(tasks)
        await stage.open(site, alice, stream=stream)
        await until_late(site, alice, stage)
        stream.may_begin.set()
        await stream.until_done()

    assert (stream.sent[1:], len(stream.errors), stream.raised) == ([END], 3, None)


async def test_a_response_in_one_piece_may_finish_after_a_sign_out():
    """It may take the app any time to make it."""
    last = {**BIT, "more_body": False}
    site, stream = LogoutSite(), LateStream(last)
    alice = await site.signed_in()
    async with anyio.create_task_group() as tasks:
        stage = OpenStreams(tasks)
        await stage.open(site, alice, stream=stream)
        await until_late(site, alice, stage)
        stream.may_begin.set()
        await stream.until_done()

    assert (stream.sent[1:], stream.errors) == ([last], [])


async def test_an_app_that_is_cancelled_while_it_ends_its_response_leaves_no_task_waiting():
    """Another task of the app gets its disconnect all the same."""
    site, stream = LogoutSite(), LateStream()
    alice = await site.signed_in()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        stream.is_open.set()
        await stream.may_begin.wait()
        with anyio.CancelScope() as cancelled:
            cancelled.cancel()
            await send(BIT)
        try:
            await send(BIT)
        except OSError as error:
            stream.errors.append(error)

    async with anyio.create_task_group() as tasks:
        stage = OpenStreams(tasks)
        await stage.open(site, alice, stream=stream, app=app)
        await until_late(site, alice, stage)
        stream.may_begin.set()
        await stream.until_done()

    assert [type(error) for error in stream.errors] == [ConnectionEnded]


async def test_a_failed_check_before_the_first_chunk_sends_nothing():
    """However often the app tries to send, it gets an error of ours."""
    site, stream = LogoutSite(), LateStream(BIT)
    alice = await site.signed_in()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        stream.is_open.set()
        await stream.may_begin.wait()
        for _ in range(3):
            try:
                await send(BIT)
            except OIDCError as error:
                stream.errors.append(error)

    async with anyio.create_task_group() as tasks:
        await OpenStreams(tasks).open(site, alice, stream=stream, app=app)
        site.clock.now = "soon"  # type: ignore[assignment]  # a clock that is broken
        stream.may_begin.set()
        await stream.until_done()

    assert (stream.sent[1:], [str(error)[:16] for error in stream.errors]) == ([], ["unexpected_error"] * 3)


@pytest.mark.parametrize("reaction", [as_a_fault_while_it_is_handled, in_a_group])
async def test_an_error_of_the_app_after_the_end_comes_through(reaction):
    """A failure to clean up or to save data is not caused by the end alone."""
    site, stream = LogoutSite(), Stream()
    alice = await site.signed_in()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(BIT)
        stream.is_open.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        try:
            await send(BIT)
        except OSError as error:
            reaction(error)

    async with anyio.create_task_group() as tasks:
        await OpenStreams(tasks).open(site, alice, stream=stream, app=app)
        await signs_out_here(site, alice)
        await stream.until_done()

    assert type(stream.raised) in (Wrapped, ExceptionGroup)
