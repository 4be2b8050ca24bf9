"""Providers without OpenID Connect, described by variables alone."""

import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.provider.oauth2_settings import OAuth2Settings
from tests.settings.test_provider_environment import SITE, app, problems_of, providers_of

HUB = "https://hub.example.net"
ENDPOINTS = {
    "OIDC_HUB_CLIENT_ID": "h",
    "OIDC_HUB_AUTHORIZATION_ENDPOINT": f"{HUB}/authorize",
    "OIDC_HUB_TOKEN_ENDPOINT": f"{HUB}/token",
    "OIDC_HUB_USERINFO_ENDPOINT": f"{HUB}/user",
}
ONE = {**SITE, "OIDC_PROVIDERS": "hub", **ENDPOINTS}


def settings_of(environ: dict[str, str]) -> OAuth2Settings:
    (provider,) = providers_of(environ).values()
    assert isinstance(provider.settings, OAuth2Settings)
    return provider.settings


@pytest.mark.parametrize("named", [{}, {"OIDC_HUB_TYPE": "oauth2"}])
def test_a_provider_with_endpoints_has_no_openid_connect(named):
    """Its type need not be named."""
    more = {
        "OIDC_HUB_SUBJECT": "data.id",
        "OIDC_HUB_CLAIMS": '{"picture": "data.avatar"}',
        "OIDC_HUB_SCOPE": "a b",
        "OIDC_HUB_USERINFO_HEADERS": '{"x-version": "7"}',
        "OIDC_HUB_EMAILS_ARE_VERIFIED": "true",
        "OIDC_HUB_ANOTHER_ACCOUNT_PARAMS": '{"prompt": "login"}',
        "OIDC_HUB_TITLE": "The Hub",
    }

    settings = settings_of({**ONE, **more, **named})

    assert (settings.token_endpoint, settings.scope, settings.shown_title) == (f"{HUB}/token", "a b", "The Hub")
    assert (settings.user_api.subject, settings.user_api.claims) == (("data", "id"), {"picture": "data.avatar"})
    assert (settings.user_api.headers, settings.user_api.emails_are_verified) == ({"x-version": "7"}, True)
    assert settings.another_account_params == {"prompt": "login"}


@pytest.mark.parametrize("name", ["github", "discord", "facebook", "x"])
def test_the_name_of_a_ready_made_provider_is_its_type(name, tmp_path):
    """Id and secret are enough."""
    (tmp_path / "secret").write_text("s3cret-of-the-client")
    prefix = f"OIDC_{name.upper()}"
    own = {f"{prefix}_CLIENT_ID": "c", f"{prefix}_CLIENT_SECRET_FILE": str(tmp_path / "secret")}

    settings = settings_of({**SITE, "OIDC_PROVIDERS": name, **own})

    assert (settings.logo, settings.client.secret) == (name, "s3cret-of-the-client")


def test_a_ready_made_provider_may_have_another_name():
    """Two apps at GitHub, for example."""
    hub = {"OIDC_CODE_TYPE": "github", "OIDC_CODE_CLIENT_ID": "c", "OIDC_CODE_CLIENT_SECRET": "s3cret-of-the-client"}
    facebook = {"OIDC_FB_TYPE": "facebook", "OIDC_FB_CLIENT_ID": "c", "OIDC_FB_CLIENT_SECRET": "s3cret-of-the-client"}
    environ = {**SITE, "OIDC_PROVIDERS": "code,fb", **hub, **facebook, "OIDC_FB_GRAPH_VERSION": "v99.0"}

    providers = providers_of(environ)

    assert [each.settings.logo for each in providers.values()] == ["github", "facebook"]
    assert "v99.0" in str(providers["fb"].settings)
    assert OIDCMiddleware.from_env(app, environ=environ).base_url == "https://app.example.com"


@pytest.mark.parametrize(
    ("changes", "variable", "text"),
    [
        ({"OIDC_HUB_TOKEN_ENDPOINT": ""}, "OIDC_HUB_TOKEN_ENDPOINT", "missing"),
        ({"OIDC_HUB_SCOPE": "a,b"}, "OIDC_HUB_SCOPE", "separate the scopes by spaces"),
        ({"OIDC_HUB_CLAIMS": "name"}, "OIDC_HUB_CLAIMS", "must be a JSON object"),
        ({"OIDC_HUB_APP_SECRET_PROOF": "true"}, "OIDC_HUB_APP_SECRET_PROOF", "needs client_secret"),
        ({"OIDC_HUB_TRUSTED_AUDIENCES": "x"}, "OIDC_HUB_TRUSTED_AUDIENCES", "has no setting trusted_audiences"),
        ({"OIDC_HUB_TYPE": "github2"}, "OIDC_HUB_TYPE", "oauth2, github, discord, facebook, x, got"),
    ],
)
def test_a_wrong_variable_is_named(changes, variable, text):
    """With what is expected."""
    (problem,) = problems_of({**ONE, **changes})

    assert (problem.startswith(f"{variable}: "), text in problem) == (True, True)
