"""No token of a request is in a repr, a log, or the frames of an exception that error reporters send."""

import gc
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from asgi_oidc import LoginRefused, Rule
from asgi_oidc.testing import DPoPKey, FakeProvider

from .api_calls import API, PROTECTED, WEBSOCKET, APISite, bearer, replayable, written
from .attacked_site import LIBRARY, NOW, Broken, CountingApp
from .recorder import reported
from .test_secrets_in_logs import objects_in

PLACES = (PROTECTED, WEBSOCKET)


def hidden_in(token: str) -> list[str]:
    """Return what of a token must be nowhere."""
    return [token, *replayable(token.encode())]


def leaks(text: str, token: str) -> list[str]:
    return [secret[:12] for secret in hidden_in(token) if secret in text]


def report_of(error: BaseException) -> str:
    """Return what a reporter sends of an exception, beginning with our own frames: this test's hold the token."""
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(LIBRARY):
        trace = trace.tb_next
    return reported(error.with_traceback(trace))


def reports_in(records: list[logging.LogRecord]) -> str:
    """Return what a reporter that listens to the log sends."""
    errors = [record.exc_info[1] for record in records if record.exc_info and record.exc_info[1]]
    return "\n".join([written(records), *map(report_of, errors)])


class WorkingApp(CountingApp):
    """An app that does something with its user first."""

    def __init__(self, work: Callable[[Any], Awaitable[Any]]) -> None:
        super().__init__()
        self.work = work
        self.errors: list[BaseException] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.work(scope)
        except BaseException as error:
            self.errors.append(error)
            raise
        await super().__call__(scope, receive, send)


async def crash(scope: Any) -> None:
    raise Broken("the app is broken")


WORK: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "crash": crash,
    "access_token": lambda scope: scope["oidc"].access_token(),
    "exchange_token": lambda scope: scope["oidc"].exchange_token(audience="orders"),
    "resource": lambda scope: scope["oidc"].access_token(resource="https://orders.example.com"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("opaque", [False, True], ids=["JWT", "opaque"])
@pytest.mark.parametrize("work", WORK)
async def test_what_an_app_raises_brings_no_token_out(
    work: str, opaque: bool, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It passes through our frames, and its reporter sends their local variables."""
    app = WorkingApp(WORK[work])
    site = APISite(inner=app)
    site.provider.targets = []  # so that every exchange fails
    token = site.token(opaque=opaque)
    errors: list[BaseException] = []
    with caplog.at_level(logging.DEBUG):
        try:
            await site.call(place, [bearer(token)])
        except Exception as error:  # noqa: BLE001  # the test looks at it
            errors.append(error)

    assert app.errors
    assert [leaks(report_of(error), token) for error in [*app.errors, *errors]] == [[]] * len([*app.errors, *errors])
    assert leaks(reports_in(caplog.records), token) == []


async def hook_that_raises(user: Any, claims: Any) -> None:
    raise Broken("no database")


async def hook_that_refuses(user: Any, claims: Any) -> None:
    raise LoginRefused("not on the list")


async def check_that_raises(*_: Any) -> bool:
    raise Broken("no database")


def broken_clock() -> float:
    raise Broken("no clock")


BROKEN: dict[str, dict[str, Any]] = {
    "hook": {"bearer": {"on_token": hook_that_raises}},
    "hook refuses": {"bearer": {"on_token": hook_that_refuses}},
    "check": {"rules": [Rule("/page", check=check_that_raises)]},
    "clock": {"clock": broken_clock},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("opaque", [False, True], ids=["JWT", "opaque"])
@pytest.mark.parametrize("name", BROKEN)
async def test_what_breaks_in_between_brings_no_token_out(
    name: str, opaque: bool, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure of the app's own hook or check is logged, with its traceback."""
    site = APISite(**BROKEN[name])
    token = site.token(opaque=opaque)
    errors: list[BaseException] = []
    with caplog.at_level(logging.DEBUG):
        try:
            await site.call(place, [bearer(token)])
        except Exception as error:  # noqa: BLE001  # the test looks at it
            errors.append(error)

    assert site.app.visits == []
    assert [leaks(report_of(error), token) for error in errors] == [[]] * len(errors)
    assert leaks(reports_in(caplog.records), token) == []


async def test_a_cancelled_request_brings_no_token_out() -> None:
    """A server that gives up on a request keeps the cancellation as a cause."""
    site = APISite()
    token = site.token(opaque=True)
    cancelled: list[BaseException] = []

    async def ask() -> None:
        try:
            await site.call(PROTECTED, [bearer(token)])
        except BaseException as error:
            cancelled.append(error)
            raise

    with site.provider.hold("introspect") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await gate.until_held()
            tasks.cancel_scope.cancel()

    assert [type(error) for error in cancelled] == [anyio.get_cancelled_exc_class()]
    assert [leaks(report_of(error), token) for error in cancelled] == [[]]


async def test_reprs_of_all_that_knows_tokens_show_none() -> None:
    """A traceback with local variables shows every part that a frame holds."""
    site = APISite()
    tokens = [site.token(), site.token(opaque=True), site.provider.machine_token("web", audience=API)]
    for token in tokens:
        assert (await site.call(PROTECTED, [bearer(token)])).status == 200

    objects = objects_in(site.middleware)
    texts = " ".join([str(site.middleware), *map(repr, objects)])

    assert any(type(each).__name__ == "KnownTokens" for each in objects)
    assert [leaks(texts, token) for token in tokens] == [[]] * 3
    assert not [name for name in ("alice", "bob", "Bob Brown") if name in texts]


async def test_what_is_in_the_scope_prints_no_token() -> None:
    """Apps print their scope when they debug."""
    texts: list[str] = []

    async def write(scope: Any) -> None:
        kept = {name: scope[name] for name in ("user", "auth", "oidc")}
        texts.extend([repr(kept), *(f"{it} {it!r}" for it in kept.values())])

    site = APISite(FakeProvider(clock=lambda: NOW), inner=WorkingApp(write))
    token = site.token("bob", scopes=["profile", "email"])
    await site.call(PROTECTED, [bearer(token)])

    assert texts
    assert leaks(" ".join(texts), token) == []
    assert not [name for name in ("Bob Brown", "bob@example.com") if name in " ".join(texts)]


async def test_proofs_and_thumbprints_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A proof may be replayed elsewhere while it is fresh."""
    site, key = APISite(), DPoPKey(clock=lambda: NOW)
    token = site.token(dpop_key=key)
    proof = key.proof("GET", "https://app.example.com/page", access_token=token)
    with caplog.at_level(logging.DEBUG):
        for headers in (
            [(b"authorization", b"DPoP " + token.encode()), (b"dpop", proof.encode())],
            [bearer(token), (b"dpop", proof.encode())],
            [(b"authorization", b"DPoP " + token.encode()), (b"dpop", proof.encode()), (b"dpop", proof.encode())],
            [(b"authorization", b"DPoP " + token.encode()), (b"dpop", proof.encode() + b"x")],
        ):
            await site.call(PROTECTED, headers)

    text = written(caplog.records)
    assert (leaks(text, token), leaks(text, proof), key.thumbprint in text) == ([], [], False)


async def test_nothing_keeps_the_tokens_of_a_site_that_is_gone() -> None:
    """Tests and reloads make many middlewares in one process."""
    site = APISite()
    token = site.token(opaque=True)
    await site.call(PROTECTED, [bearer(token)])
    before = len([it for it in gc.get_objects() if type(it).__name__ == "ActiveToken"])
    del site
    gc.collect()

    after = len([it for it in gc.get_objects() if type(it).__name__ == "ActiveToken"])
    assert after < before
