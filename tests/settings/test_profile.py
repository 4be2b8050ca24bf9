"""One switch asks for everything that a FAPI 2.0 profile demands; what contradicts it is refused at the start."""

from typing import Any

import pytest

from asgi_oidc import OAuth2Provider, OIDCMiddleware, Provider, SettingsError
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.testing import ClientCertificate, ClientKey
from tests.protected_site import ORIGIN, SECRET, App

KEY, OTHER_KEY = ClientKey("ES256"), ClientKey("ES384")
RSA_KEY = ClientKey("PS256")
CERTIFICATE = ClientCertificate("web")
FAPI2, SIGNING = "fapi2", "fapi2-message-signing"
ALGORITHMS = ("PS256", "ES256", "EdDSA", "Ed25519")


def provider_with(profile: str = FAPI2, **changes: Any) -> ProviderSettings:
    """Read the settings of a provider; `...` leaves one out."""
    settings = {
        "issuer": "https://id.example.com",
        "client_id": "web",
        "client_key": KEY.pem,
        "profile": profile,
        **changes,
    }
    return Provider(**{name: value for name, value in settings.items() if value is not ...}).settings


def problems_of(profile: str = FAPI2, **changes: Any) -> list[str]:
    """Return what is wrong with the settings of a provider."""
    with pytest.raises(SettingsError) as raised:
        provider_with(profile, **changes)
    return [problem.removeprefix("Provider: ") for problem in raised.value.problems]


def test_one_switch_asks_for_everything():
    """With a key, nothing else has to be set."""
    settings = provider_with()

    assert (settings.par, settings.dpop, settings.request_object, settings.response_mode) == (
        "always",
        "always",
        False,
        None,
    )
    assert tuple(settings.algorithms) == ALGORITHMS
    assert settings.tls.only_recommended_ciphers


def test_message_signing_signs_requests_and_asks_for_signed_responses():
    """Message Signing §5.3.2 and §5.4.2; what the app sends besides stays."""
    settings = provider_with(SIGNING, authorization_params={"ui_locales": "de"})

    assert (settings.request_object, settings.response_mode) == (True, "jwt")
    assert settings.authorization_params["ui_locales"] == "de"


def test_a_certificate_may_bind_the_tokens():
    """Then DPoP is not switched on, but may be."""
    bound = provider_with(client_key=..., client_certificate=CERTIFICATE.pem_with_key)
    both = provider_with(client_key=..., client_certificate=CERTIFICATE.pem_with_key, dpop="always")

    assert (bound.dpop, both.dpop) == ("never", "always")


def test_an_rsa_key_signs_as_the_profile_permits():
    """PKCS #1 v1.5 padding is not permitted, whatever the provider lists."""
    (key,) = provider_with(client_key=RSA_KEY.pem).client.keys

    assert key.algorithms == ("PS256",)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (FAPI2, {"client_key": ...}, "client_key: missing; profile='fapi2' needs"),
    (FAPI2, {"client_secret": "s" * 40}, "client_secret: profile='fapi2': only keys and certificates"),
    (FAPI2, {"client_auth": "client_secret_basic", "client_secret": "s" * 40}, "client_auth: profile='fapi2': must be"),
    (FAPI2, {"client_auth": "none", "client_key": ...}, "client_auth: profile='fapi2': must be one of private_key_jwt"),
    (FAPI2, {"client_assertion_file": "/run/token", "client_key": ...}, "client_assertion_file: profile='fapi2'"),
    (FAPI2, {"client_key": OTHER_KEY.pem}, "client_key: profile='fapi2': key 1 signs with ES384; use an RSA key"),
    (FAPI2, {"client_key": [KEY.pem, OTHER_KEY.pem]}, "client_key: profile='fapi2': key 2 signs with ES384"),
    (FAPI2, {"par": "never"}, "par: profile='fapi2': must be always, got never"),
    (FAPI2, {"par": "auto"}, "par: profile='fapi2': must be always, got auto"),
    (FAPI2, {"dpop": "never"}, "dpop: profile='fapi2': must be always, got never, unless client_certificate"),
    (FAPI2, {"dpop": "auto"}, "dpop: profile='fapi2': must be always, got auto"),
    (FAPI2, {"algorithms": ["RS256", "ES256"]}, "algorithms: profile='fapi2': remove RS256; permitted are PS256"),
    (FAPI2, {"allow_missing_pkce": True}, "allow_missing_pkce: profile='fapi2': PKCE must be used"),
    (FAPI2, {"allow_missing_nonce": True}, "allow_missing_nonce: profile='fapi2'"),
    (FAPI2, {"allow_code_injection": True}, "allow_code_injection: profile='fapi2': PKCE must be used"),
    (FAPI2, {"allow_hs256": True}, "allow_hs256: profile='fapi2'"),
    (FAPI2, {"allow_http_hosts": ["id.internal"]}, "allow_http_hosts: profile='fapi2': all connections must use TLS"),
    (FAPI2, {"allow_missing_access_token": True}, "allow_missing_access_token: profile='fapi2'"),
    (
        FAPI2,
        {"allow_azp_audiences": True},
        "allow_azp_audiences: profile='fapi2': audiences must be trusted",
    ),
    (FAPI2, {"internal_url": "https://id.internal"}, "internal_url: profile='fapi2'"),
    (FAPI2, {"metadata": {"token_endpoint": "https://id.example.com/t"}}, "metadata: profile='fapi2': endpoints"),
    (FAPI2, {"issuer": "http://127.0.0.1:8080"}, "issuer: profile='fapi2': must use https"),
    (FAPI2, {"issuer": "HTTP://127.0.0.1:8080"}, "issuer: profile='fapi2': must use https"),
    (FAPI2, {"metadata_url": "Http://127.0.0.1/x"}, "metadata_url: profile='fapi2': must use https"),
    (FAPI2, {"clientkey": None}, "clientkey: unknown setting"),
    (SIGNING, {"request_object": False}, "request_object: profile='fapi2-message-signing': must be true"),
    (
        SIGNING,
        {"authorization_params": {"response_mode": "query"}},
        "authorization_params: profile='fapi2-message-signing': response_mode must be jwt, got query",
    ),
    (
        SIGNING,
        {"client_key": ..., "client_certificate": CERTIFICATE.pem_with_key},
        "client_key: missing; profile='fapi2-message-signing' needs",
    ),
]


@pytest.mark.parametrize(("profile", "changes", "problem"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_contradicts_the_profile_is_refused(profile, changes, problem):
    """Each names the setting, the section and the fix."""
    problems = problems_of(profile, **changes)

    assert any(found.startswith(problem) for found in problems), problems


def test_everything_that_is_wrong_is_in_one_error():
    """Nobody wants to start the app ten times."""
    problems = problems_of(client_key=..., client_secret="s" * 40, par="never", dpop="never", algorithms=["RS256"])

    assert [problem.partition(":")[0] for problem in problems] == [
        "client_secret",
        "client_key",
        "algorithms",
        "par",
        "dpop",
    ]


def test_a_variable_is_named_as_such():
    """The error of the environment names what the environment has."""
    with pytest.raises(SettingsError) as raised:
        OIDCMiddleware.from_env(
            App(),
            environ={
                "OIDC_ISSUER": "https://id.example.com",
                "OIDC_CLIENT_ID": "web",
                "OIDC_CLIENT_SECRET": "s" * 40,
                "OIDC_BASE_URL": ORIGIN,
                "OIDC_SECRET": SECRET,
                "OIDC_PROFILE": "fapi2",
            },
        )

    assert [problem.partition(":")[0] for problem in raised.value.problems] == ["OIDC_CLIENT_SECRET", "client_key"]


@pytest.mark.parametrize("has_names", [False, True])
def test_users_come_back_by_https_only(has_names):
    """FAPI 2.0 Security Profile §5.3.2.2: the code must not travel unencrypted, not even on this machine."""
    provider: dict[str, Any] = {
        "issuer": "https://id.example.com",
        "client_id": "web",
        "client_key": KEY.pem,
        "profile": FAPI2,
    }
    chosen: dict[str, Any] = {"providers": {"bank": Provider(**provider)}} if has_names else provider
    with pytest.raises(SettingsError) as raised:
        OIDCMiddleware(App(), base_url="http://localhost:8000", secret=SECRET, **chosen)

    assert [problem.partition(" (§")[0] for problem in raised.value.problems] == [
        "base_url: profile='fapi2': the redirect URI must use https, on this machine too"
    ]


def test_a_profile_needs_openid_connect():
    """The error says so, instead of a setting that is unknown."""
    names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    settings: dict[str, Any] = {**dict.fromkeys(names, "https://hub.example.com/x"), "profile": "fapi2"}
    with pytest.raises(SettingsError) as raised:
        OAuth2Provider(client_id="web", **settings)

    assert list(raised.value.problems) == ["OAuth2Provider: profile: needs an OpenID provider: use Provider(...)"]
