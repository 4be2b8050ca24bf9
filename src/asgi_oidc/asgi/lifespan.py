"""The ASGI edge: lifespan is the app's; we only keep connections open meanwhile, and hang up after it."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import anyio

from asgi_oidc import events
from asgi_oidc.asgi.worker_processes import is_one_of_several
from asgi_oidc.composition import Parts

POLL_INTERVAL = 1.0  # seconds
FINISH_DEADLINE = 10.0  # seconds; as long as a call to the provider may take

# What is kept in memory: what to say when this process is the only one, and when it is one of several.
NOTICES = {
    "logout": (
        (
            events.LOGOUT_IN_THIS_PROCESS,
            "sign-outs are remembered in this process only",
            "set store or logout_store to a RedisStore before you run several processes",
        ),
        (
            events.LOGOUT_NOT_SHARED,
            "a sign-out does not reach the other processes: saved copies of session cookies stay valid there",
            "set store or logout_store to a RedisStore",
        ),
    ),
    "sessions": (
        (
            events.SESSIONS_IN_THIS_PROCESS,
            "sessions are in the memory of this process: a restart signs everybody out",
            "set store to a RedisStore, or leave it out to keep sessions in cookies",
        ),
        (
            events.SESSIONS_NOT_SHARED,
            "each process has its own MemoryStore: users lose their sessions whenever another process answers",
            "set store to a RedisStore, or leave it out to keep sessions in cookies",
        ),
    ),
}

Message = MutableMapping[str, Any]
ASGIApp = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


async def run_lifespan(
    app: ASGIApp,
    parts: Parts,
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Pass a lifespan through. The provider is not asked for anything: the app starts while it is down."""

    async def watched_send(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            parts.provider.http.open()
            tell_at_start(parts)
        try:
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await _finish(parts)
        finally:
            await send(message)

    if parts.shared is None:
        await app(scope, receive, watched_send)
        return
    async with parts.shared.running(), _listening(parts):
        await app(scope, receive, watched_send)


@asynccontextmanager
async def _listening(parts: Parts) -> AsyncIterator[None]:
    """Look every second what other processes have ended, so that no request waits for that.

    Where sessions are in a store, they are gone from there.
    """
    if parts.store is not None:
        yield
        return
    error: Exception | None = None
    async with anyio.create_task_group() as tasks:
        is_over = anyio.Event()
        tasks.start_soon(_listen, parts, is_over)
        try:
            yield
        except Exception as exc:  # noqa: BLE001  # raised below: a task group would wrap it
            error = exc
        finally:
            is_over.set()  # a look that is under way ends first: one that is cut off leaves its connection open
    if error is not None:
        raise error


async def _listen(parts: Parts, is_over: anyio.Event) -> None:
    while not is_over.is_set():
        await parts.log.look()
        with anyio.move_on_after(POLL_INTERVAL):
            await is_over.wait()


def tell_at_start(parts: Parts, *, is_late: bool = False) -> None:
    """Say once what nobody would notice before it matters.

    Args:
        is_late: no lifespan came; then only a warning is worth a line between those of requests.
    """
    if "start" in parts.notices:
        return
    parts.notices.add("start")
    _tell_what_a_sign_out_reaches(parts, is_late=is_late)
    _tell_of_root_paths(parts)
    _tell_of_rules_that_may_be_passed(parts)


def _tell_of_root_paths(parts: Parts) -> None:
    """Warn if the app removes a path prefix that is not in `base_url`: then its pages have two addresses."""
    for root_path in sorted(parts.policy.mounts.root_paths):
        if not f"{parts.settings.base_path}/".endswith(f"{root_path.rstrip('/')}/"):
            events.log(
                events.ROOT_PATH_OF_APP,
                root_path=root_path,
                base_url=parts.settings.base_url,
                what="the app sets a root path (FastAPI(root_path=...), FORCE_SCRIPT_NAME) that is not in base_url",
                fix="make base_url end with the path under which browsers reach the app, or remove that root path",
            )


def _tell_what_a_sign_out_reaches(parts: Parts, *, is_late: bool) -> None:
    """Say what this process alone knows, sessions or sign-outs."""
    if parts.is_shared:
        return
    is_warning = is_one_of_several()
    if is_warning or not is_late:
        alone, among_others = NOTICES["logout" if parts.store is None else "sessions"]
        event, what, fix = among_others if is_warning else alone
        events.log(event, what=what, fix=fix)


def _tell_of_rules_that_may_be_passed(parts: Parts) -> None:
    """Warn about apps that may match plain prefixes and cannot be inspected."""
    bypassable_rules = parts.policy.bypassable_rules()
    if bypassable_rules:
        events.log(
            events.MOUNTS_UNKNOWN,
            app=", ".join(bypassable_rules),
            rules=", ".join(dict.fromkeys(path for paths in bypassable_rules.values() for path in paths)),
            what="asgi-oidc cannot tell how this app matches paths: if it serves '/adminx' as '/admin' and 'x', "
            "a rule for '/admin/*' does not protect that",
            fix="set plain_prefixes to the paths that it matches that way, such as ['/admin'], or to [] if none",
        )


async def _finish(parts: Parts) -> None:
    """Let renewals that are under way end, so that no refresh token gets lost, and hang up."""
    with anyio.move_on_after(FINISH_DEADLINE):
        await parts.renewals.drained()
        await parts.errands.drained()
        await parts.afterwards.drained()
        await parts.log.drained()
    await parts.provider.http.close()
