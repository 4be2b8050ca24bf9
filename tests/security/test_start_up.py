"""A setting that is odd, weak or contradictory stops the start: an app that does not start is noticed."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.errors import SettingsError

from .attacked_site import ORIGIN, SECRET, CountingApp

GOOD: dict[str, Any] = {
    "issuer": "https://id.example.com",
    "client_id": "web",
    "client_secret": "x",
    "base_url": ORIGIN,
    "secret": SECRET,
}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("public", ["/*"]),
        ("public", ["*"]),
        ("public", ["/admin*"]),
        ("public", ["^/health"]),
        ("public", ["/a/../b"]),
        ("public", ["/a//b"]),
        ("public", ["//"]),
        ("public", ["health"]),
        ("public", [""]),
        ("public", [None]),
        ("public", [b"/health"]),
        ("public", "/health"),
        ("public", {"/health": True}),
        ("public", ["/%68ealth"]),
        ("public", ["/a;b"]),
        ("public", ["/a\\b"]),
        ("public", ["/a?b"]),
        ("public", ["/a b"]),
        ("public", ["/a\n"]),
        ("public", ["/{id}"]),
        ("public", ["/*/x"]),
        ("public", ["/x/**"]),
        ("secret", ""),
        ("secret", []),
        ("secret", [""]),
        ("secret", b""),
        ("secret", "a" * 100),
        ("secret", "changeme" * 8),
        ("secret", "0123456789abcdef" * 4),
        ("secret", 7),
        ("base_url", "http://app.example.com"),
        ("base_url", "https://app.example.com/?x=1"),
        ("base_url", "https://app.example.com/#x"),
        ("base_url", "//app.example.com"),
        ("base_url", "app.example.com"),
        ("base_url", "https://"),
        ("base_url", "https://localhost:80@evil.example"),
        ("issuer", "http://id.example.com"),
        ("issuer", "http://localhost.evil.example"),
        ("issuer", "http://127.0.0.1.evil.example"),
        ("issuer", "http://localhost@evil.example"),
        ("session_idle", 0),
        ("session_idle", -1),
        ("session_idle", True),
        ("session_idle", float("inf")),
        ("session_idle", "3600"),
        ("session_lifetime", 10**12),
        ("leeway", 10_000),
        ("leeway", -1),
        ("algorithms", ["none"]),
        ("algorithms", ["HS256"]),
        ("algorithms", []),
        ("algorithms", "RS256"),
        ("userinfo", "sometimes"),
        ("userinfo", False),
        ("client_auth", "none"),
        ("client_auth", "client_secret_jwt_typo"),
        ("auth_path", "/"),
        ("auth_path", ""),
        ("auth_path", "auth"),
        ("auth_path", "/auth/"),
        ("auth_path", "/a/../b"),
        ("auth_path", "/a*"),
        ("authorization_params", {"state": "x"}),
        ("authorization_params", {"code_challenge_method": "plain"}),
        ("authorization_params", {"redirect_uri": "https://evil.example"}),
        ("authorization_params", {"response_mode": "fragment"}),
        ("on_login", lambda user, claims: None),
        ("on_login", "app.hook"),
        ("http_client", httpx.Client),
        ("http_client", object()),
        ("scope", "profile"),
        ("scope", ""),
        ("trusted_audiences", "web"),
        ("trusted_email_domains", ["*.example.com"]),
        ("metadata", {"token_endpoint": "http://id.example.com/token"}),
        ("metadata", {"issuer": "https://evil.example"}),
        ("metadata", [("token_endpoint", "x")]),
        ("post_logout_redirect_uri", "//evil.example"),
        ("publics", ["/"]),
        ("allow_all", True),
    ],
    ids=str,
)
def test_a_setting_that_is_odd_or_weak_stops_the_start(name: str, wrong: Any) -> None:
    """An app that does not start is noticed; one that starts open is not."""
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware(CountingApp(), **{**GOOD, name: wrong})

    assert name in str(caught.value)


@pytest.mark.parametrize(
    "environ",
    [
        {"OIDC_SECRET_FILE": "/nowhere/secret"},
        {"OIDC_PUBLIC": "/*"},
        {"OIDC_PUBLIC": "health"},
        {"OIDC_PUBLIK": "/health"},
        {"oidc_public": "/health", "OIDC_public": "/health"},
        {"OIDC_METADATA": "[]"},
        {"OIDC_METADATA": "{"},
        {"OIDC_LEEWAY": "1e9"},
        {"OIDC_ALGORITHMS": "none"},
        {"OIDC_SECRET": SECRET, "OIDC_SECRET_FILE": "/nowhere/secret"},
        {"OIDC_HTTP_CLIENT": "x"},
    ],
    ids=str,
)
def test_a_broken_environment_stops_the_start(environ: dict[str, str]) -> None:
    """The same for variables and files."""
    good = {f"OIDC_{name.upper()}": value for name, value in GOOD.items()}

    with pytest.raises(SettingsError):
        OIDCMiddleware.from_env(CountingApp(), environ={**good, **environ})


def test_a_secret_file_that_is_empty_or_huge_stops_the_start(tmp_path: Path) -> None:
    """A mount that went wrong leaves such files."""
    good = {f"OIDC_{name.upper()}": value for name, value in GOOD.items() if name != "secret"}

    for content in (b"", b"\n", b" \n", b"\xff" * 50, b"a" * 100_000):
        (tmp_path / "secret").write_bytes(content)
        with pytest.raises(SettingsError):
            OIDCMiddleware.from_env(CountingApp(), environ={**good, "OIDC_SECRET_FILE": str(tmp_path / "secret")})
