"""An open response ends with its session by the clock of each event loop, and leaves nothing behind there."""

import anyio

from tests.flow.logouts import LogoutSite
from tests.flow.test_open_responses import END, Stage, Stream
from tests.flow.test_open_websockets import signs_out_here


async def test_a_response_ends_with_its_session():
    """One look serves all of them, and goes on while one is open."""
    site = LogoutSite()
    alice, bob = await site.signed_in(), await site.signed_in("bob")
    async with anyio.create_task_group() as tasks:
        stage = Stage(tasks)
        of_bob, stream = await stage.open(site, bob), await stage.open(site, alice)
        await signs_out_here(site, alice)
        await stream.until_done()
        is_bobs_open = not of_bob.is_ended
        await signs_out_here(site, bob)
        await of_bob.until_done()

    assert (is_bobs_open, stream.is_ended, of_bob.is_ended) == (True, True, True)


async def test_responses_are_looked_at_anew_when_some_had_ended():
    """A watch that has nothing to look at ends, and the next response starts another one."""
    site = LogoutSite()
    streams: list[Stream] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            alice = await site.signed_in()
            streams.append(await Stage(tasks).open(site, alice))
            await signs_out_here(site, alice)
            await streams[-1].until_done()
            watched = site.middleware._open_responses._watched_of_this_loop()
            with anyio.fail_after(60):
                while watched.has_next_look:  # noqa: ASYNC110  # it sets no event of ours
                    await anyio.sleep(0.1)

    assert all(stream.is_ended for stream in streams)


async def test_a_response_is_ended_once():
    """Two that find its session over at the same time send one end between them, and nobody looks at it again."""
    site, stream = LogoutSite(), Stream()
    alice = await site.signed_in()
    async with anyio.create_task_group() as tasks:
        await Stage(tasks).open(site, alice, stream=stream)
        watched = site.middleware._open_responses._watched_of_this_loop()
        (response,) = watched.responses
        async with anyio.create_task_group() as ends:
            ends.start_soon(response.end)
            ends.start_soon(response.end)
        await stream.until_done()

    assert (stream.sent.count(END), len(stream.errors)) == (1, 1)
    assert response not in watched.responses
