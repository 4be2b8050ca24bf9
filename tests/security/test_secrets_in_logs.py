"""No secret and nothing personal is in a log line, an error page, an error or a repr, whatever goes wrong."""

import contextlib
import gc
import json
import logging
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.audit import AuditEvent
from asgi_oidc.errors import SettingsError
from asgi_oidc.testing import Browser, Client, FakeProvider, Persona, serve
from asgi_oidc.testing.browser import Response
from asgi_oidc.testing.faults import FAULTS
from tests.attacked_provider import holds_nothing, own_path
from tests.internals import deliver_events

from .attacked_site import (
    FAULTS_OF_APIS,
    FAULTS_OF_REGISTRATIONS,
    NOW,
    ORIGIN,
    AttackedSite,
    Exchange,
    Scope,
    http_scope,
)
from .recorder import Recorder

pytestmark = pytest.mark.usefixtures("one_or_three_providers")

PERSON = Persona(
    "subject-4711-of-zoe",
    "Zoe Zimmermann-Quux",
    "zoe.4711@zimmermann-quux.example",
    {"phone_number": "+49-4711-0815", "roles": ["role-4711-of-zoe"]},
)
PERSONAL = (PERSON.sub, PERSON.name, PERSON.email, "Zimmermann", "+49-4711-0815", "role-4711-of-zoe")
PLANTED = "planted-4711-by-somebody"
CLIENT_SECRET = "client-secret-4711-" + secrets.token_urlsafe(16)
SECRET = secrets.token_urlsafe(32)
SHOWS_THE_USER = ("/", "/page", "/auth/session")  # the app's own pages; and whoever asks is told who they are
# Faults that a visit without a refresh token never meets.
UNMET = (*FAULTS_OF_APIS, *FAULTS_OF_REGISTRATIONS, "logout_token_", "refresh_", "revoke_")
FAILURES = sorted(name for name in FAULTS if not name.endswith("_slow") and not name.startswith(UNMET))


@pytest.fixture
def recorder() -> Recorder:
    clients = [Client("web", CLIENT_SECRET)]
    provider = FakeProvider(clock=lambda: NOW, clients=clients, personas=[PERSON], claims_in_id_token=False)
    return Recorder(provider, CLIENT_SECRET, SECRET)


@pytest.fixture
def heard() -> list[AuditEvent]:
    """Everything that an audit trail hears."""
    return []


@pytest.fixture
def stage(recorder: Recorder, heard: list[AuditEvent]) -> AttackedSite:
    async def hear(event: AuditEvent) -> None:
        heard.append(event)

    return AttackedSite(
        recorder.provider,
        client_secret=CLIENT_SECRET,
        secret=[SECRET],
        http_client=httpx.AsyncClient(transport=httpx.ASGITransport(app=recorder)),
        on_event=hear,
    )


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """All loggers at DEBUG, those of the libraries too."""
    with caplog.at_level(logging.DEBUG):
        yield


def written(records: list[logging.LogRecord]) -> str:
    """Give all that a handler could write of these records: the lines, tracebacks, and every attribute."""
    formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")
    return "\n".join(formatter.format(record) + repr(vars(record)) for record in records)


def leaks(text: str, *hidden: str) -> list[str]:
    return [secret for secret in hidden if secret and secret in text]


async def whole_visit(stage: AttackedSite, recorder: Recorder) -> tuple[list[Response], set[str]]:
    """Sign in, look around, do what is not allowed, sign out; give all responses of ours, and the secrets."""
    browser = Browser(stage.middleware, ORIGIN, {stage.provider.origin: recorder}, clock=stage.clock)
    seen = []
    page = await browser.sign_in(PERSON.sub, "/page")
    seen += [page, *page.history]
    own_url = ORIGIN + own_path("callback")
    callback = next((step.url for step in reversed(seen) if "/auth/callback" in step.url), own_url)
    seen.append(await browser.get(callback, follow=False))
    seen.append(await browser.get(callback + f"&state={PLANTED}", follow=False))
    seen.append(await browser.fetch(callback))
    seen.append(await browser.get(f"{own_url}?error={PLANTED}&error_description={PLANTED}&state={PLANTED}.2"))
    seen.append(await browser.get("/auth/session"))
    seen.append(await browser.get(f"/auth/login?return_to=//{PLANTED}", follow=False))
    seen.append(await browser.get("/auth/logout", initiator="https://evil.example"))
    stolen = {"authorization": f"Bearer {PLANTED}", "cookie": f"__Host-oidc-x={PLANTED}; a={PLANTED}"}
    seen.append(await browser.fetch(f"/page?x={PLANTED}", headers=stolen))
    gone = await browser.post("/auth/logout", {"x": PLANTED}, follow=False)
    seen.append(gone)
    lines = [line for step in seen for line in step.set_cookies if not holds_nothing(line.partition("=")[0])]
    cookies = {line.partition(";")[0].partition("=")[2] for line in lines}
    ours = [step for step in seen if step.url.startswith(ORIGIN)]
    return ours, recorder.all() | {value for value in cookies if value}


@pytest.mark.parametrize("fault", ["none", *FAILURES])
async def test_nothing_secret_is_logged_or_shown(
    stage: AttackedSite, recorder: Recorder, heard: list[AuditEvent], fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs are read by many and kept for long; pages are read by whoever made the request.

    An audit trail names the user, and nothing else that is personal.
    """
    with stage.provider.fault(fault) if fault != "none" else contextlib.nullcontext():
        seen, hidden = await whole_visit(stage, recorder)

    assert len(hidden) >= 2
    assert leaks(written(caplog.records), *hidden, *PERSONAL, PLANTED) == []
    await deliver_events(stage.middleware)
    assert len(heard) > 2
    assert leaks(msgspec.json.encode(heard).decode() + repr(heard), *hidden, *PERSONAL[1:]) == []
    assert leaks(repr([msgspec.structs.replace(event, path=None) for event in heard]), PLANTED) == []
    for step in seen:
        if urlsplit(step.url).path not in SHOWS_THE_USER or step.status_code != 200:
            assert leaks(step.text, *hidden, *PERSONAL, PLANTED) == []


async def test_nothing_secret_is_logged_over_real_connections(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """The libraries below us log as well."""
    provider = recorder.provider
    with serve(recorder, log_level="debug", access_log=False) as server:
        provider.issuer = server.url
        stage = AttackedSite(provider, client_secret=CLIENT_SECRET, secret=SECRET, http_client=None)
        seen, hidden = await whole_visit(stage, recorder)

    assert any(step.url.endswith("/auth/session") and step.status_code == 200 for step in seen)
    assert any(text.startswith("at-") for text in hidden)  # the recorder has learnt what there is to hide
    assert any(text.count(".") == 2 for text in hidden)
    assert {"asgi_oidc", "httpx", "httpcore.http11"} <= {record.name for record in caplog.records}
    ours = [record for record in caplog.records if not record.name.startswith("uvicorn")]
    assert leaks(written(ours), *hidden, *PERSONAL, PLANTED) == []


class Reprs:
    """An app that writes down what its scope looks like when printed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        kept = {name: scope[name] for name in ("user", "auth", "oidc")}
        self.texts += [repr(kept), *(f"{it} {it!r}" for it in kept.values()), repr(await_token(scope))]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


def await_token(scope: Scope) -> Any:
    waiting = scope["oidc"].access_token()
    text = repr(waiting)
    waiting.close()
    return text


async def test_what_is_in_the_scope_prints_nothing_secret(recorder: Recorder) -> None:
    """Apps print their scope when they debug, and error reporters do it for them."""
    app = Reprs()
    stage = AttackedSite(recorder.provider, app, client_secret=CLIENT_SECRET, secret=SECRET)
    browser = Browser(stage.middleware, ORIGIN, {stage.provider.origin: recorder}, clock=stage.clock)

    await browser.sign_in(PERSON.sub, "/page")

    assert app.texts
    cookies = [cookie.value for cookie in browser.cookies if not holds_nothing(cookie.name)]
    assert leaks(" ".join(app.texts), *recorder.all(), *cookies, *PERSONAL) == []


def objects_in(root: object) -> list[object]:
    """Return all objects of ours that an object is made of, itself included."""
    found: dict[int, object] = {}
    waiting = [root]
    while waiting:
        each = waiting.pop()
        if id(each) in found or not type(each).__module__.startswith("asgi_oidc."):
            continue
        found[id(each)] = each
        waiting += gc.get_referents(each)
        waiting += [value for held in gc.get_referents(each) if isinstance(held, dict) for value in held.values()]
    return list(found.values())


async def test_the_repr_of_the_middleware_and_its_objects_shows_no_secret(
    stage: AttackedSite, recorder: Recorder
) -> None:
    """A traceback with local variables shows every part that a frame holds."""
    browser = Browser(stage.middleware, ORIGIN, {stage.provider.origin: recorder}, clock=stage.clock)
    await browser.sign_in(PERSON.sub, "/page")

    objects = objects_in(stage.middleware)
    texts = [str(stage.middleware), *map(repr, objects)]

    assert len(objects) > 50
    assert leaks(" ".join(texts), *recorder.all(), *PERSONAL) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "too-short-4711"},
        {"secret": ["too-short-4711", SECRET]},
        {"secret": {SECRET: SECRET}},
        {"client_secret": b"as-bytes-4711"},
        {"client_secret": "with\ncontrol-4711"},
        {"client_secret": CLIENT_SECRET, "client_auth": "none"},
        {"client_secret": CLIENT_SECRET, "client_auth": "private-4711"},
        {"client_secrets": CLIENT_SECRET},
        {"base_url": "https://user:password-4711@app.example.com"},
        {"issuer": "https://user:password-4711@id.example.com"},
        {"post_logout_redirect_uri": "https://user:password-4711@app.example.com"},
        {"metadata": {"token_endpoint": "https://user:password-4711@id.example.com/token"}},
        {"authorization_params": {"client_secret": "password-4711"}},
    ],
    ids=str,
)
def test_an_error_about_a_setting_does_not_quote_it(wrong: dict[str, Any]) -> None:
    """A start-up error lands in the log of the whole platform."""
    settings = {"issuer": "https://id.example.com", "client_id": "web", "base_url": ORIGIN, "secret": SECRET}

    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware(Reprs(), **{**settings, **wrong})

    text = f"{caught.value} {caught.value!r} {caught.value.problems}"
    assert leaks(text, "4711", CLIENT_SECRET, SECRET) == []


def test_an_error_about_the_environment_does_not_quote_it() -> None:
    """The same for variables, and for what a secret file holds."""
    environ = {
        "OIDC_SECRET": "too-short-4711",
        "OIDC_CLIENT_SECRET": "with\ncontrol-4711",
        "OIDC_AUTHORIZATION_PARAMS": "no-json-4711",
        "OIDC_LEEWAY": "no-number-4711",
        "OIDC_CLIENT_SECERT": "misspelt-4711",
        "OIDC_ISSUER": "https://user:password-4711@id.example.com",
    }

    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware.from_env(Reprs(), environ=environ)

    assert leaks(f"{caught.value} {caught.value!r}", "4711") == []


async def test_a_request_that_is_refused_logs_nothing_of_it(
    stage: AttackedSite, caplog: pytest.LogCaptureFixture
) -> None:
    """A path, a query, a header or a cookie may hold a secret of the app."""
    headers = [
        (b"authorization", b"Bearer " + PLANTED.encode()),
        (b"cookie", f"__Host-oidc={PLANTED}; session={PLANTED}".encode()),
        (b"referer", f"{ORIGIN}/reset?token={PLANTED}".encode()),
        (b"host", PLANTED.encode()),
        (b"user-agent", PLANTED.encode()),
    ]
    for kind in ("http", "websocket"):
        exchange = Exchange({"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request"})
        scope = http_scope(f"/{PLANTED}", headers=headers, query_string=b"x=" + PLANTED.encode(), type=kind)
        await stage.middleware(scope, exchange.receive, exchange.send)

    assert leaks(written(caplog.records), PLANTED) == []


async def test_what_a_log_line_quotes_cannot_forge_another(
    stage: AttackedSite, caplog: pytest.LogCaptureFixture
) -> None:
    """The provider's words and the browser's go to the log cut, and on one line."""
    browser, callback = await stage.login_in_progress(sub=PERSON.sub)
    state = dict(parse_qsl(urlsplit(callback).query))["state"]
    forged = "%0d%0aWARNING%20asgi_oidc%20login_succeeded%1b%5b31m" + "x" * 3000

    page = await browser.get(f"{own_path('callback')}?error={forged}&state={state}&iss=https://id.example.com")

    assert page.status_code >= 400
    for record in caplog.records:
        line = record.getMessage()
        assert line.isprintable()
        assert len(line) < 1000
        assert json.dumps(line)
