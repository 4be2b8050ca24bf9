"""The spans of logins, refreshes, sign-outs and calls, as the SDK of OpenTelemetry exports them."""

import contextlib
from typing import Any

import anyio
import httpx
import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.trace import SpanKind, StatusCode

from asgi_oidc import MemoryStore, telemetry
from asgi_oidc.telemetry.catalogue import STATUS
from tests.logout_site import LogoutSite
from tests.protected_site import ORIGIN, Site, login_cookies, who_am_i
from tests.provider.provider_caches import all_at_once
from tests.providers.three_providers import ThreeProviders
from tests.scripted_store import ScriptedStore
from tests.telemetry.recorder import BrokenSpan, attributes_of, broken_recording, recording
from tests.token_site import TokenSite


async def test_a_login_is_two_operations_and_their_calls():
    """Whoever waits for a login sees which call took how long."""
    site = Site(userinfo="always")

    with recording() as recorded:
        await site.signed_in()

    login, callback = recorded.only("asgi_oidc.login"), recorded.only("asgi_oidc.callback")
    assert recorded.children(login) == ["GET metadata"]
    assert recorded.children(callback) == ["POST token", "GET jwks", "GET userinfo"]
    assert attributes_of(callback) == {"asgi_oidc.outcome": "succeeded"}
    assert (callback.kind, callback.status.status_code) == (SpanKind.INTERNAL, StatusCode.UNSET)


async def test_the_callback_is_linked_to_the_start_of_its_login():
    """Two requests, with the user's time at the provider in between."""
    site = Site()

    with recording() as recorded:
        await site.signed_in()

    login, callback = recorded.only("asgi_oidc.login"), recorded.only("asgi_oidc.callback")
    (link,) = callback.links
    assert login.context is not None
    assert (link.context.trace_id, link.context.span_id) == (login.context.trace_id, login.context.span_id)


async def test_only_the_first_of_several_logins_in_a_browser_is_linked():
    """The link takes room in a cookie, and eight logins have to fit."""
    site = Site()
    browser = site.browser()

    with recording():
        for _ in range(8):
            await browser.get("/page", follow=False)

    assert len(login_cookies(browser)) == 8


async def test_a_call_follows_the_conventions_for_http_clients():
    """Dashboards that know those show it without configuration; the query may hold anything, and is left out."""
    site = Site(metadata_url="https://id.example.com/.well-known/openid-configuration")

    with recording() as recorded:
        await site.signed_in()

    call = recorded.only("POST token")
    assert call.kind is SpanKind.CLIENT
    assert attributes_of(call) == {
        "http.request.method": "POST",
        "server.address": "id.example.com",
        "server.port": 443,
        "url.full": "https://id.example.com/token",
        "http.response.status_code": 200,
        "asgi_oidc.endpoint": "token",
    }


@pytest.mark.parametrize(
    ("url", "status", "expected"),
    [
        ("https://u:p@id.example.com:8443/token?code=x#y", 200, ("id.example.com", 8443, 200)),
        ("http://127.0.0.1/token", 200, ("127.0.0.1", 80, 200)),
        ("https://[broken/token", 999, ("", 0, None)),
    ],
)
def test_what_a_url_says_is_read_with_care(url, status, expected):
    """It comes from the provider's metadata, and so does the status."""
    with recording() as recorded, telemetry.provider_call("POST", url, endpoint="token", provider="") as call:
        call.answered(status)

    attributes = attributes_of(recorded.only("POST token"))
    assert tuple(attributes.get(f"{name}") for name in ("server.address", "server.port", STATUS)) == expected
    assert not any(part in attributes["url.full"] for part in ("u:p", "?", "code", "#"))


async def test_a_call_that_is_cancelled_is_no_error_of_the_provider():
    """It was given up on our side."""
    url = "https://id.example.com/revoke"

    with (
        recording() as recorded,
        anyio.move_on_after(0),
        telemetry.provider_call("POST", url, endpoint="revocation", provider=""),
    ):
        await anyio.sleep_forever()

    call = recorded.only("POST revocation")
    assert attributes_of(call)["error.type"] == "cancelled"


async def test_several_providers_are_named():
    """The flat keywords have no name."""
    site = ThreeProviders()

    with recording() as recorded:
        await site.signed_in("two")

    assert {attributes_of(span)["asgi_oidc.provider"] for span in recorded.spans} == {"two"}


async def test_a_failed_login_has_our_code_and_no_text():
    """The text of an exception may quote anything."""
    site = Site()

    with recording() as recorded:
        await site.failed_login("token_oauth_error")

    callback = recorded.only("asgi_oidc.callback")
    assert attributes_of(callback) == {
        "asgi_oidc.outcome": "failed",
        "asgi_oidc.code": "provider_refused",
        "error.type": "provider_refused",
    }
    assert (callback.status.status_code, callback.status.description) == (StatusCode.ERROR, "provider_refused")
    assert recorded.only("POST token").status.status_code is StatusCode.ERROR
    assert attributes_of(recorded.only("POST token"))["error.type"] == "400"
    assert all(not span.events for span in recorded.spans)


async def test_a_call_without_an_answer_has_the_code_of_the_failure():
    """The same code as in the log."""

    async def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("the secret is s3cr3t")

    site = Site(http_client=httpx.AsyncClient(transport=httpx.MockTransport(refuse)))

    with recording() as recorded:
        await site.browser().get("/private", follow=False)

    call, login = recorded.only("GET metadata"), recorded.only("asgi_oidc.login")
    assert attributes_of(call)["error.type"] == "metadata_unreachable"
    assert "http.response.status_code" not in attributes_of(call)
    assert attributes_of(login)["asgi_oidc.code"] == "metadata_unreachable"


@pytest.mark.parametrize(("path", "outcome"), [("/auth/callback?code=x&state=y", "repeated")])
async def test_a_repeated_callback_is_no_failure(path, outcome):
    """Users go back, reload and open bookmarks."""
    site = Site()

    with recording() as recorded:
        await site.browser().get(path, follow=False)

    callback = recorded.only("asgi_oidc.callback")
    assert attributes_of(callback)["asgi_oidc.outcome"] == outcome
    assert callback.status.status_code is StatusCode.UNSET
    assert "asgi_oidc.login" in recorded.children(callback)


async def test_a_bug_or_an_exception_of_the_app_is_known_by_its_class():
    """Its text may hold anything."""

    async def broken(user: Any, claims: Any) -> None:
        raise ZeroDivisionError("4711")

    site = Site(on_login=broken)

    with recording() as recorded:
        await site.failed_login()

    assert attributes_of(recorded.only("asgi_oidc.callback"))["asgi_oidc.code"] == "on_login_failed"
    assert "4711" not in repr([span.to_json() for span in recorded.spans])


async def test_the_span_of_the_server_is_the_parent():
    """The instrumentation of the app or its server opens it."""
    site = Site()
    tracer = trace.get_tracer("the app's own")

    with recording() as recorded, tracer.start_as_current_span("GET /page") as server:
        await site.browser().get("/page", follow=False)

    login = recorded.only("asgi_oidc.login")
    assert login.parent == server.get_span_context()
    assert attributes_of(recorded.only("GET /page")) == {}


async def test_the_provider_gets_no_ids_of_the_trace_and_no_baggage_even_from_an_instrumented_client():
    """It is another company, and the baggage may be personal; nor is a call recorded twice."""
    site = Site()
    client = site.settings["http_client"]
    HTTPXClientInstrumentor.instrument_client(client)
    token = context.attach(baggage.set_baggage("user", "alice"))

    try:
        with recording() as recorded:
            await site.signed_in()
    finally:
        context.detach(token)
        HTTPXClientInstrumentor.uninstrument_client(client)

    assert [span.name for span in recorded.spans if span.kind is SpanKind.CLIENT] == [
        "GET metadata",
        "POST token",
        "GET jwks",
    ]
    for call in site.provider.calls:
        assert not {"traceparent", "tracestate", "baggage"} & {name.lower() for name in call.headers}


async def test_calls_of_the_app_within_a_request_are_not_affected():
    """Only our own calls are hidden from instrumentation."""
    headers: list[httpx.Headers] = []

    async def keep(request: httpx.Request) -> httpx.Response:
        headers.append(request.headers)
        return httpx.Response(200)

    client = httpx.AsyncClient(transport=httpx.MockTransport(keep))
    HTTPXClientInstrumentor.instrument_client(client)
    site = Site()

    async def call_an_api(scope: Any) -> None:
        await client.get("https://api.example.com/")

    site.app.at_work = call_an_api
    with recording():
        await site.signed_in()

    assert "traceparent" in headers[-1]


async def test_requests_that_wait_for_one_fetch_are_linked_to_the_one_that_makes_it():
    """Its span is in one trace only; the others would show a gap."""
    site = Site()

    with recording() as recorded, site.provider.hold("discovery") as gate:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(lambda: site.browser().get("/page", follow=False))
            await gate.until_held()
            await anyio.wait_all_tasks_blocked()
            gate.open()

    fetch = recorded.only("GET metadata")
    logins = recorded.named("asgi_oidc.login")
    assert len(logins) == 3
    assert [link.context for login in logins for link in login.links] == [fetch.parent, fetch.parent]


async def test_concurrent_requests_keep_their_calls_apart():
    """The current span follows the task, on asyncio and on trio."""
    site = Site()
    await site.signed_in()

    with recording() as recorded:
        await all_at_once(5, lambda: site.signed_in())

    callbacks = recorded.named("asgi_oidc.callback")
    assert len(callbacks) == 5
    assert all(recorded.children(callback) == ["POST token"] for callback in callbacks)
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_a_request_that_is_cancelled_ends_its_span_without_an_error():
    """The client has left: nothing is wrong with the provider or the app."""
    site = Site()

    with recording() as recorded, site.provider.hold("discovery") as gate:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: site.browser().get("/page", follow=False))
            await gate.until_held()
            tasks.cancel_scope.cancel()
        gate.open()

    login = recorded.only("asgi_oidc.login")
    assert attributes_of(login) == {"asgi_oidc.outcome": "cancelled"}
    assert login.status.status_code is StatusCode.UNSET


async def test_a_refresh_is_an_operation_with_its_calls():
    """The app waits for it."""
    site = TokenSite()
    browser = await site.signed_in()
    site.clock.advance(400)

    with recording() as recorded:
        await browser.get("/page")

    refresh = recorded.only("asgi_oidc.refresh")
    assert "POST token" in recorded.children(refresh)
    assert attributes_of(refresh) == {"asgi_oidc.outcome": "succeeded"}


async def test_a_sign_out_is_an_operation_with_its_calls():
    """A provider that is slow to revoke a token delays the user."""
    site = LogoutSite()
    browser = await site.signed_in()

    with recording() as recorded:
        await browser.post("/auth/logout", headers={"origin": ORIGIN}, follow=False)

    assert attributes_of(recorded.only("asgi_oidc.logout")) == {
        "asgi_oidc.by": "user",
        "asgi_oidc.outcome": "succeeded",
    }
    assert await who_am_i(browser) is None


async def test_calls_to_a_store_follow_the_conventions_for_databases():
    """No key is recorded: it names a session."""
    site = Site(store=ScriptedStore())

    with recording() as recorded:
        await site.signed_in()

    call = recorded.named("link")[0]
    assert call.kind is SpanKind.CLIENT
    assert attributes_of(call) == {"db.system.name": "ScriptedStore", "db.operation.name": "link"}
    assert "add" in recorded.children(recorded.only("asgi_oidc.callback"))


async def test_a_store_that_fails_has_the_code_of_the_failure():
    """The same code as in the log."""
    store = ScriptedStore()
    site = Site(store=store)
    browser = await site.signed_in()
    store.broken = {"get"}

    with recording() as recorded, trace.get_tracer("app").start_as_current_span("GET /page"):
        await browser.get("/page")

    assert attributes_of(recorded.named("get")[0])["error.type"] == "store_failed"
    assert recorded.named("get")[0].status.description == "store_failed"


async def test_a_call_to_a_store_outside_of_a_trace_is_only_counted():
    """Each process reads sign-outs every second: no trace for each of them."""
    store = ScriptedStore()
    site = Site(logout_store=store)

    with recording() as recorded:
        await site.middleware.health()

    assert recorded.named("get") == []
    assert "db.client.operation.duration" in recorded.metrics()


@pytest.mark.parametrize("store", [None, MemoryStore])
async def test_a_signed_in_request_records_nothing(store):
    """It is the hot path: no call is made, so there is nothing to tell."""
    site = Site(store=None if store is None else store())
    browser = await site.signed_in()

    with recording() as recorded, trace.get_tracer("app").start_as_current_span("GET /page"):
        await browser.get("/page")

    assert [span.name for span in recorded.spans] == ["GET /page"]
    assert recorded.metrics() == {}


def test_the_text_of_an_exception_is_in_no_span_and_no_metric():
    """It may quote anything: a URL with a password, a token."""
    with recording() as recorded:
        call = telemetry.provider_call("POST", "https://id.test/token", endpoint="token", provider="")
        with contextlib.suppress(RuntimeError), call:
            raise RuntimeError("s3cr3t")
        exported = "".join(span.to_json() for span in recorded.spans) + repr(recorded.metrics())

    assert attributes_of(recorded.only("POST token"))["error.type"] == "RuntimeError"
    assert "s3cr3t" not in exported


@pytest.mark.parametrize("makes_spans", [False, True])
async def test_an_sdk_that_fails_harms_no_login(makes_spans):
    """An exporter that is down must not take the users along, nor the metrics."""
    site = Site(store=ScriptedStore())

    with broken_recording(makes_spans=makes_spans) as recorded:
        browser = await site.signed_in()
        counted = recorded.metrics()

    assert await who_am_i(browser) == "alice"
    assert "asgi_oidc.logins" in counted


@pytest.mark.parametrize("working", [(), ("get_span_context",)])
async def test_an_sdk_that_fails_harms_no_request_that_waits_for_another(working):
    """They are linked to the one that makes the call."""
    site = Site()
    outside = BrokenSpan(trace.SpanContext(1, 2, is_remote=False), *working)

    with broken_recording(makes_spans=True):
        token = context.attach(trace.set_span_in_context(outside))
        answers = await all_at_once(5, lambda: site.browser().get("/page", follow=False))
        context.detach(token)

    assert [answer.status_code for answer in answers] == [303] * 5
