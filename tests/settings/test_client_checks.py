"""Settings of client authentication that contradict each other are reported when the app starts."""

from typing import Any

import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.errors import SettingsError
from asgi_oidc.testing import ClientKey
from tests.protected_site import App
from tests.settings.required_settings import REQUIRED

EC, RSA = ClientKey().pem, ClientKey("PS256").pem
KEY: dict[str, Any] = {"client_secret": None, "client_key": EC}
FILE: dict[str, Any] = {"client_secret": None, "client_assertion_file": "/run/token"}
LONG = "s" * 32


def problems(**settings: Any) -> tuple[str, ...]:
    try:
        OIDCMiddleware(App(), **{**REQUIRED, **settings})
    except SettingsError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    "settings",
    [
        KEY,
        FILE,
        KEY | {"client_auth": "private_key_jwt"},
        FILE | {"client_auth": "private_key_jwt"},
        KEY | {"client_secret": LONG},
        KEY | {"client_key": [EC, RSA], "token_endpoint_auth_signing_alg": "ES256"},
        KEY | {"client_key": RSA, "token_endpoint_auth_signing_alg": "RS256"},
        KEY | {"client_secret": LONG, "client_auth": "client_secret_basic", "request_object": True},
        KEY | FILE | {"request_object": True},
        KEY | {"allow_missing_pkce": True},
        {"client_secret": LONG, "client_auth": "client_secret_jwt"},
        {"client_secret": LONG, "client_auth": "client_secret_jwt", "client_assertion_typ": "JWT"},
        KEY | {"client_assertion_typ": "JWT"},
        KEY | {"decryption_key": RSA},
        {"client_secret": LONG * 2, "client_auth": "client_secret_jwt", "token_endpoint_auth_signing_alg": "HS512"},
    ],
)
def test_settings_that_fit_together_are_accepted(settings):
    """A key, a file or a secret, and a key that only signs requests."""
    assert problems(**settings) == ()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"client_auth": "private_key_jwt"}, "client_key: missing; client_auth='private_key_jwt' needs it"),
        (
            {"client_secret": None, "client_auth": "client_secret_post"},
            "client_secret: missing; client_auth='client_secret_post'",
        ),
        (
            KEY | {"client_secret": LONG, "client_auth": "client_secret_basic"},
            "client_key: nothing uses it with client_auth='client_secret_basic'",
        ),
        (KEY | {"client_auth": "none"}, "client_key: nothing uses it with client_auth='none'"),
        (FILE | {"client_auth": "none"}, "client_assertion_file: nothing uses it with client_auth='none'"),
        (KEY | FILE, "client_assertion_file: the app already signs its assertions with client_key"),
        (
            {"client_secret": "short", "client_auth": "client_secret_jwt"},
            "client_secret: client_auth='client_secret_jwt' with HS256 needs at least 32 bytes, got 5",
        ),
        (
            {"client_secret": LONG, "client_auth": "client_secret_jwt", "token_endpoint_auth_signing_alg": "HS512"},
            "client_secret: client_auth='client_secret_jwt' with HS512 needs at least 64 bytes, got 32",
        ),
        (
            {"client_secret": LONG, "client_auth": "client_secret_jwt", "token_endpoint_auth_signing_alg": "ES256"},
            "token_endpoint_auth_signing_alg: client_secret_jwt needs one of HS256",
        ),
        (
            KEY | {"token_endpoint_auth_signing_alg": "PS256"},
            "token_endpoint_auth_signing_alg: the first client_key signs with ES256",
        ),
        (FILE | {"token_endpoint_auth_signing_alg": "PS256"}, "token_endpoint_auth_signing_alg: nothing uses it"),
        ({"token_endpoint_auth_signing_alg": "PS256"}, "token_endpoint_auth_signing_alg: nothing uses it"),
        (FILE | {"client_assertion_typ": "JWT"}, "client_assertion_typ: nothing uses it"),
        ({"client_assertion_typ": "JWT"}, "client_assertion_typ: nothing uses it"),
        (KEY | {"client_assertion_typ": "jwt"}, "client_assertion_typ: must be one of client-authentication+jwt, JWT"),
        (
            KEY | {"client_key": [RSA, EC], "decryption_key": [ClientKey().pem, EC]},
            "decryption_key: client_key has the same key: make another one",
        ),
        ({"token_endpoint_auth_signing_alg": "none"}, "token_endpoint_auth_signing_alg: must be one of PS256"),
    ],
)
def test_a_contradiction_is_reported_at_start_up(settings, problem):
    """Nobody finds out at the first login that a key is not used."""
    (found,) = problems(**settings)

    assert found.startswith(problem)
