"""Mistakes that are rarer, answers that could mean anything, and stores that fail: each has its name, too."""

import re
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from quart import Quart

from asgi_oidc import OAuth2Provider, OIDCMiddleware, Rule
from asgi_oidc.cli.doctor import stores
from asgi_oidc.cli.doctor.catalogue import KINDS
from asgi_oidc.cli.main import main
from asgi_oidc.testing import ClientKey
from asgi_oidc.testing.standins import GitHubStandIn
from tests.cli.doctor.examined import ORIGIN, SECRET, guarded, make_provider, site
from tests.scripted_store import ScriptedStore

CALLBACK = f"{ORIGIN}/auth/callback"
TOKENS = '{"access_token": "a", "token_type": "Bearer", "id_token": "b"}'
FORM = f'<form method="post" action="{CALLBACK}"><input name="error" value="invalid_scope"></form>'


def answering(path: str, status: int, body: str = "", **headers: str) -> httpx.AsyncClient:
    """Return a client for the provider, which gives another answer at one of its endpoints."""
    provider = make_provider()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != path:
            await provider(scope, receive, send)
            return
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body.encode()})

    return httpx.AsyncClient(transport=httpx.ASGITransport(app=answer))


@pytest.mark.parametrize(
    ("client", "name"),
    [
        (answering("/token", 200, TOKENS), "any_code_accepted"),
        (answering("/token", 400, '{"error": "unauthorized_client"}'), "client_not_allowed"),
        (answering("/token", 401, '{"error": "unauthorized_client"}'), "client_rejected"),
        (answering("/token", 400, '{"error": "invalid_request"}'), "client_not_checked"),
        (answering("/token", 503), "provider_unavailable"),
        (answering("/jwks", 503), "provider_unavailable"),
        (answering("/authorize", 302, location=f"{CALLBACK}?error=invalid_scope"), "login_refused_by_provider"),
        (answering("/authorize", 302, location=f"{CALLBACK}?error=unauthorized_client"), "login_refused_by_provider"),
        (answering("/authorize", 200, FORM), "login_refused_by_provider"),
        (answering("/authorize", 302, location="https://id.example.com/error"), "redirect_uri_not_checked"),
        (answering("/authorize", 200, "<h1>Sign in</h1>"), "redirect_uri_not_checked"),
        (answering("/authorize", 400, "<h1>Something is wrong</h1>"), "redirect_uri_not_checked"),
        (answering("/authorize", 400, "<h1>Client not found.</h1>"), "client_unknown"),
        (answering("/authorize", 429, "redirect_uri"), "redirect_uri_not_checked"),
        (answering("/authorize", 503), "redirect_uri_not_checked"),
        (answering("/end_session", 400, "<h1>Invalid redirect uri</h1>"), "logout_uri_unregistered"),
    ],
)
def test_an_answer_that_can_mean_several_things_is_not_guessed(client, name, doctor):
    """And what can mean several things is not guessed."""
    assert doctor.examine(guarded(http_client=client)).names == {name}


@pytest.mark.parametrize("path", ["/authorize", "/end_session"])
@pytest.mark.parametrize("location", [f"{CALLBACK}?error=login_required", f"{CALLBACK}?error=access_denied", CALLBACK])
def test_an_answer_that_shows_that_the_uri_is_known_is_fine(path, location, doctor):
    """Also one that a provider gives for reasons of its own."""
    assert doctor.examine(guarded(http_client=answering(path, 302, location=location))).names == frozenset()


def test_a_provider_without_a_sign_out_is_information(doctor):
    """Many have none; the URI is not listed then."""
    provider = make_provider()
    del provider.metadata["end_session_endpoint"]

    report = doctor.examine(guarded(provider))

    names = set(report.findings)
    assert (report.status, {"logout_is_local", "register_backchannel_uri", "register_logout_uri"} & names) == (
        0,
        {"logout_is_local"},
    )


def test_credentials_are_tried_with_a_proof_if_dpop_is_on(doctor):
    """Without one, a provider that requires DPoP tells nothing about them."""
    provider = make_provider()
    provider.requires_dpop, provider.dpop_nonces = True, "always"

    assert doctor.examine(guarded(provider, dpop="always")).names == frozenset()
    assert doctor.examine(guarded(provider, dpop="auto")).names == frozenset()


def test_an_example_in_a_problem_of_the_settings_is_not_its_fix(doctor):
    """The colon in JSON separates nothing."""
    report = doctor.examine(OIDC_AUTHORIZATION_DETAILS="payment")

    found = report.findings["settings_invalid"]
    assert (found["problem"].endswith('[{"type": "payment"}]'), found["fix"]) == (True, "")


def test_the_address_of_public_keys_is_listed_for_a_client_that_has_keys(doctor):
    """It is what the provider's administrator asks for; without a key, nothing is published."""
    key = ClientKey()
    provider = make_provider(client_secret=None, jwks=[key.public_jwk])

    with_key = doctor.examine(guarded(provider, client_secret=None, client_key=key.pem)).findings["register_jwks_uri"]

    assert with_key["problem"] == "https://app.example.com/auth/jwks"
    assert "register_jwks_uri" not in doctor.examine(guarded(make_provider())).findings


def test_the_logout_of_cognito_is_not_tried(doctor):
    """It is not that of OpenID Connect."""
    provider = make_provider(post_logout_redirect_uris=[])

    assert doctor.examine(guarded(provider, end_session_parameters="cognito")).status == 0


def test_metadata_from_the_settings_is_not_fetched(doctor):
    """Its other members are those of the settings."""
    provider = make_provider()
    metadata = dict(provider.metadata)

    report = doctor.examine(guarded(provider, metadata=metadata))

    assert (report.status, provider.count("/openid-configuration")) == (0, 0)


def test_tokens_that_are_signed_with_the_client_secret_need_no_key(doctor):
    """The setting says so."""
    secret = "Tq7Zb1nVx4Lw9KcYh2PsRd8MgJf3Ue6AoWi5XvBkQzE"
    provider = make_provider(client_secret=secret)
    provider.faults.add("jwks_empty")

    app = guarded(provider, client_secret=secret, algorithms=["HS256"], allow_hs256=True)

    assert doctor.examine(app).names == frozenset()


def test_a_wrong_secret_of_a_provider_without_openid_connect_is_found_by_name(doctor):
    """GitHub has a status and names of its own for it."""
    hub = GitHubStandIn()
    client_id = next(iter(hub.clients))
    provider = OAuth2Provider.github(client_id=client_id, client_secret="not-the-one", http_client=hub.http_client())
    app = OIDCMiddleware(site(), base_url=ORIGIN, secret=SECRET, providers={"github": provider})

    report = doctor.examine(app)

    assert report.names == {"client_rejected"}
    assert "OIDC_GITHUB_CLIENT_SECRET" in report.findings["client_rejected"]["fix"]


def test_many_providers_are_checked_up_to_a_limit(doctor, monkeypatch):
    """A run has to end."""
    monkeypatch.setattr("asgi_oidc.cli.doctor.examination.MAX_PROVIDERS", 1)
    hub = GitHubStandIn()
    client = hub.clients[next(iter(hub.clients))]
    providers = {
        name: OAuth2Provider.github(
            client_id=client.client_id, client_secret=client.client_secret, http_client=hub.http_client(), title=name
        )
        for name in ("one", "two")
    }

    report = doctor.examine(OIDCMiddleware(site(), base_url=ORIGIN, secret=SECRET, providers=providers))

    assert report.names == {"not_finished"}


@pytest.mark.parametrize(
    ("method", "answer"), [("get", b"other"), ("add", False), ("replace", False), ("linked", ["x"])]
)
def test_a_store_that_is_not_faithful_is_found_by_name(method, answer, doctor):
    """Sessions would get lost, or mixed up."""
    store = ScriptedStore()
    store.answers[method] = answer

    assert doctor.examine(guarded(store=store)).names == {"store_inconsistent"}


def test_a_store_of_the_apps_own_that_fails_is_found_by_name(doctor):
    """By the class of its exception alone."""
    store = ScriptedStore()
    store.broken.add("link")

    report = doctor.examine(guarded(logout_store=store))

    assert (report.names, report.findings["store_failed"]["where"]) == ({"store_failed"}, "ScriptedStore")


def test_a_store_that_hangs_is_found_by_name(doctor, monkeypatch):
    """Requests would hang with it."""
    monkeypatch.setattr(stores, "DEADLINE", 0.05)
    store = ScriptedStore()
    store.before["add"].append(anyio.sleep_forever)

    assert doctor.examine(guarded(store=store)).names == {"store_unreachable"}


def test_the_probe_is_removed_from_the_store(doctor):
    """The only thing that a run writes."""
    store = ScriptedStore()

    doctor.examine(guarded(store=store))

    assert store.calls[-3:] == ["unlink", "remove", "get"]
    assert "doctor" not in repr(vars(store.memory))


def test_a_root_path_that_is_not_in_base_url_is_found_by_name(doctor):
    """Each page then has two addresses."""
    inner = FastAPI(openapi_url=None)
    inner.root_path = "/shop"

    assert doctor.examine(guarded(inner=inner)).names == {"root_path_of_app"}


@pytest.mark.parametrize(
    ("lines", "is_found"),
    [
        ("app = OIDCMiddleware(None, **REST, secret=secrets.token_urlsafe(32))", True),
        ("SECRET = secrets.token_hex(32)\napp = OIDCMiddleware(None, **REST, secret=[SECRET])", True),
        ("app = OIDCMiddleware(None, **REST, secret=os.environ.get('KEY') or secrets.token_urlsafe(32))", True),
        ("KEY = os.environ['OTHER']\napp = OIDCMiddleware(None, **REST, secret=KEY)", False),
        ("app = OIDCMiddleware(None, **REST, secret=os.environ.get('OTHER', secrets.token_urlsafe(32)))", False),
    ],
)
def test_a_secret_that_is_made_at_start_is_found_by_name(lines, is_found, tmp_path, monkeypatch, capsys):
    """A restart would sign all users out."""
    rest = {"issuer": "https://id.example.com", "client_id": "web", "base_url": ORIGIN}
    source = f"import os, secrets\nfrom asgi_oidc import OIDCMiddleware\nREST = {rest}\n{lines}\n"
    (tmp_path / "made_secret_app.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OTHER", SECRET)
    monkeypatch.delitem(sys.modules, "made_secret_app", raising=False)

    status = main(["doctor", "made_secret_app:app", "--offline"])

    assert (status, "secret_changes" in capsys.readouterr().out) == ((2, True) if is_found else (0, False))
    monkeypatch.delitem(sys.modules, "made_secret_app", raising=False)


def test_rules_that_might_be_bypassed_are_found_by_name(doctor):
    """The routing of an unknown app might read `/adminx` as `/admin`."""

    async def unknown(scope: Any, receive: Any, send: Any) -> None:
        """Route by means of its own."""

    app = guarded(inner=unknown, rules=[Rule("/admin/*", claims={"roles": "admin"})])

    assert doctor.examine(app).names == {"mounts_unknown"}


def test_a_quart_app_is_looked_into(doctor):
    """Its middleware wraps a method."""
    app = Quart(__name__, static_folder=None)

    @app.get("/healthz")
    async def healthz() -> str:
        return ""

    app.asgi_app = guarded(inner=app.asgi_app)  # type: ignore[method-assign, assignment]  # as Quart's documentation does

    assert doctor.examine(app).names == {"health_closed"}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_finding_has_a_test(name):
    """One that nothing causes may never be found."""
    here = Path(__file__).parent
    files = [
        *here.glob("*.py"),
        here.parents[1] / "real" / "test_doctor.py",
        here.parents[1] / "real" / "test_postgres.py",
    ]

    assert any(re.search(rf'"{name}"', file.read_text(encoding="utf-8")) for file in files)
