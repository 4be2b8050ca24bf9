"""`client_certificate`: what it has to fit together with, and that a wrong one is reported at start-up."""

from typing import Any

import pytest

from asgi_oidc import OIDCMiddleware, Provider, SettingsError
from asgi_oidc.settings.settings import read_settings
from tests.certificate_texts import LEAF, OTHER, SELF_SIGNED, SMALL_RSA_KEY, make
from tests.settings.required_settings import REQUIRED, SECRET
from tests.settings.test_settings import app

PROVIDER: dict[str, Any] = {"issuer": "https://id.example.com", "client_id": "web"}
OWN = {name: value for name, value in REQUIRED.items() if name not in ("issuer", "client_id", "client_secret")}


class NoClient:
    """An `http_client` that is never used."""

    def build_request(self, method: str, url: str, *, headers: Any, content: Any) -> Any: ...

    async def send(self, request: Any, *, stream: bool, auth: None, follow_redirects: bool) -> Any: ...


def problems_of(**settings: Any) -> tuple[str, ...]:
    try:
        read_settings({**REQUIRED, **settings})
    except SettingsError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    "settings",
    [
        {"client_certificate": SELF_SIGNED.both},
        {"client_certificate": SELF_SIGNED.pem, "client_certificate_key": SELF_SIGNED.key_pem},
        {"client_certificate": SELF_SIGNED.both, "client_auth": "tls_client_auth", "client_secret": None},
        {"client_certificate": SELF_SIGNED.both, "client_auth": "self_signed_tls_client_auth", "client_secret": None},
        {"client_certificate": SELF_SIGNED.both, "client_auth": "client_secret_basic"},  # for bound tokens
        {"client_auth": "tls_client_auth", "http_client": NoClient()},
    ],
)
def test_a_certificate_goes_with_each_way_to_authenticate(settings):
    """Tokens can be bound to it however the client authenticates (RFC 8705 §3)."""
    assert problems_of(**settings) == ()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"client_certificate": SELF_SIGNED.pem}, "client_certificate: has no private key"),
        ({"client_certificate": OTHER.pem + LEAF.key_pem}, "client_certificate: the private key does not belong"),
        ({"client_certificate": make(key=SMALL_RSA_KEY).both}, "client_certificate: the private key must have"),
        ({"client_certificate": "/tls/tls.crt"}, "variable that ends with _FILE"),
        ({"client_certificate": b"-----BEGIN "}, "client_certificate: must be PEM text"),
        ({"client_certificate_key": SELF_SIGNED.key_pem}, "client_certificate_key: needs client_certificate"),
        ({"client_auth": "tls_client_auth"}, "client_certificate: missing; client_auth='tls_client_auth' needs it"),
        ({"client_certificate": SELF_SIGNED.both, "http_client": NoClient()}, "client_certificate: an http_client of"),
    ],
)
def test_what_cannot_work_is_reported_at_start_up(settings, problem):
    """Once, with the setting and the fix."""
    problems = problems_of(**settings)

    assert [problem in each for each in problems] == [True]


def test_no_problem_shows_a_key():
    """It is in the log of the start."""
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware(app, **{**REQUIRED, "client_certificate": OTHER.pem + SELF_SIGNED.key_pem})

    frames, trace = [], caught.value.__traceback__
    while trace is not None:
        frames.append(repr(trace.tb_frame.f_locals) if "asgi_oidc/" in trace.tb_frame.f_code.co_filename else "")
        trace = trace.tb_next
    secret_lines = SELF_SIGNED.key_pem.splitlines()[1:-1]
    assert all(line not in f"{caught.value} {frames}" for line in secret_lines)


def test_the_http_client_of_all_providers_presents_no_certificate_either():
    """The calls would go without it, to endpoints that refuse them."""
    provider = Provider(**PROVIDER, client_certificate=SELF_SIGNED.both)

    with pytest.raises(SettingsError) as caught:
        read_settings({**OWN, "providers": {"bank": provider}, "http_client": NoClient()})

    (problem,) = caught.value.problems
    assert problem.startswith("providers: bank: client_certificate: an http_client of the app presents its own")


def test_the_reprs_show_no_key():
    """Of the settings of each kind."""
    settings = read_settings({**REQUIRED, "client_certificate": SELF_SIGNED.both})
    provider = Provider(**PROVIDER, client_certificate=SELF_SIGNED.both)

    assert "BEGIN" not in f"{settings!r} {settings.fixed_providers!r} {provider!r} {provider.settings!r}"


def test_both_files_of_cert_manager_are_read(tmp_path):
    """As `OIDC_CLIENT_CERTIFICATE_FILE` and `OIDC_CLIENT_CERTIFICATE_KEY_FILE`."""
    (tmp_path / "tls.crt").write_text(SELF_SIGNED.pem)
    (tmp_path / "tls.key").write_text(SELF_SIGNED.key_pem)
    environ = {
        "OIDC_ISSUER": "https://id.example.com",
        "OIDC_CLIENT_ID": "web",
        "OIDC_BASE_URL": "https://app.example.com",
        "OIDC_SECRET": SECRET,
        "OIDC_CLIENT_CERTIFICATE_FILE": str(tmp_path / "tls.crt"),
        "OIDC_CLIENT_CERTIFICATE_KEY_FILE": str(tmp_path / "tls.key"),
    }

    assert OIDCMiddleware.from_env(app, environ=environ).base_url == "https://app.example.com"
    (tmp_path / "tls.key").write_text(OTHER.key_pem)
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware.from_env(app, environ=environ)
    assert caught.value.problems[0].startswith("OIDC_CLIENT_CERTIFICATE_FILE: the private key does not belong")
