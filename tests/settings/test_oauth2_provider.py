"""The settings of a provider without OpenID Connect: what is wrong is found at start-up, with the fix."""

from dataclasses import replace
from typing import Any, get_type_hints

import httpx
import pytest

from asgi_oidc import OAuth2Provider, OIDCMiddleware, Provider, Rule, SettingsError
from asgi_oidc.protocol.user_api import UserApi
from asgi_oidc.provider.oauth2_settings import OAuth2Settings
from asgi_oidc.settings.oauth2_keywords import OAuth2Keywords
from asgi_oidc.settings.oauth2_provider import OAUTH2_READERS
from tests.protected_site import App

HUB = "https://hub.example.net"
REQUIRED: dict[str, Any] = {
    "client_id": "web",
    "client_secret": "hub-secret-for-tests",
    "authorization_endpoint": f"{HUB}/authorize?tenant=1",
    "token_endpoint": f"{HUB}/token",
    "userinfo_endpoint": f"{HUB}/user?fields=id",
}


def settings_of(**changes: Any) -> OAuth2Settings:
    settings = {name: value for name, value in {**REQUIRED, **changes}.items() if value is not ...}
    return OAuth2Provider(**settings).settings


def problems(**changes: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings_of(**changes)
    return list(caught.value.problems)


def test_the_defaults_are_those_of_the_standards():
    """Basic authentication (RFC 6749 §2.3.1), no scope, the id at `id`."""
    settings = settings_of()

    assert (settings.client.client_id, settings.client.auth_method, settings.scope) == ("web", None, "")
    assert settings.user_api == UserApi(endpoint=f"{HUB}/user?fields=id", subject=("id",))
    assert (settings.response_issuer, settings.revocation_endpoint, settings.can_step_up) == (None, None, False)


def test_every_keyword_is_read_and_documented():
    """A keyword that nobody reads would be ignored silently."""
    assert set(get_type_hints(OAuth2Keywords)) == set(OAUTH2_READERS)


VALID = [
    ("subject", "data.id", ("data", "id")),
    ("subject", ("a.b", "id"), ("a.b", "id")),
    ("claims", {"name": "data.name"}, {"name": "data.name"}),
    ("claims", {"name": ["a.b", "c"]}, {"name": ("a.b", "c")}),
    ("claims", {"picture": "https://x.example/{id}.png"}, {"picture": "https://x.example/{id}.png"}),
    ("userinfo_headers", {"X-API-Version": "7"}, {"x-api-version": "7"}),
    ("emails_endpoint", f"{HUB}/emails?per_page=100", f"{HUB}/emails?per_page=100"),
    ("emails_are_verified", True, True),
    ("app_secret_proof", True, True),
]
NAMES = {"userinfo_headers": "headers"}


@pytest.mark.parametrize(("name", "given", "read_as"), VALID)
def test_what_the_user_api_needs_is_read(name, given, read_as):
    """All of it ends up in one value."""
    assert getattr(settings_of(**{name: given}).user_api, NAMES.get(name, name)) == read_as


@pytest.mark.parametrize(
    ("name", "given", "read_as"),
    [
        ("scope", "a b", "a b"),
        ("scope", ["a", "b"], "a b"),
        ("scope", "", ""),
        ("authorization_params", {"prompt": "none", "theme": 7}, {"prompt": "none", "theme": "7"}),
        ("another_account_params", {"prompt": "login"}, {"prompt": "login"}),
        ("response_issuer", f"{HUB}/oauth", f"{HUB}/oauth"),
        ("revocation_endpoint", "http://localhost:8080/revoke", "http://localhost:8080/revoke"),
        ("callback_path", "/complete/hub/", "/complete/hub/"),
        ("title", " The Hub ", "The Hub"),
    ],
)
def test_everything_else_is_read(name, given, read_as):
    """Much of it means the same as for `Provider`."""
    assert getattr(settings_of(**{name: given}), name) == read_as


WRONG = [
    ("client_id", ..., "missing; set it to the client id"),
    ("client_secret", " ", "is empty"),
    ("authorization_endpoint", ..., "missing; set it to the URL in the provider's documentation"),
    ("token_endpoint", ..., "missing; set it to the URL in the provider's documentation"),
    ("userinfo_endpoint", ..., "missing; set it to the URL in the provider's documentation"),
    ("authorization_endpoint", "hub.example.net", "must start with https://"),
    ("token_endpoint", "http://hub.example.net/token", "must use https"),
    ("token_endpoint", "https://a:b@hub.example.net/token", "must not contain a user name"),
    ("userinfo_endpoint", 7, "must be text"),
    ("emails_endpoint", "ftp://hub.example.net", "must start with https://"),
    ("revocation_endpoint", "/revoke", "must start with https://"),
    ("response_issuer", "GitHub", "must start with https://"),
    ("subject", "", "expected a path"),
    ("subject", "data..id", "expected a path"),
    ("subject", 7, "must be a path"),
    ("subject", ("data", 7), "must be a path"),
    ("claims", "name", "must be a mapping"),
    ("claims", {7: "name"}, "must be a mapping"),
    ("claims", {"": "name"}, "must be a mapping"),
    ("claims", {"name": 7}, "name: must be a path"),
    ("claims", {"name": ["a", 7]}, "name: must be a path"),
    ("claims", {"name": ""}, "expected a path"),
    ("claims", {"picture": "https://x.example/{id"}, "expected paths in braces"),
    ("claims", {"sub": "id"}, "sub: cannot come from a user API"),
    ("claims", {"acr": "level", "iss": "x"}, "acr, iss: cannot come from a user API"),
    ("scope", "a,b", "separate the scopes by spaces"),
    ("scope", ["a b"], "separate the scopes by spaces"),
    ("scope", 7, "must be a list"),
    ("authorization_params", {"max_age": 60}, "max_age: not supported without OpenID Connect"),
    ("authorization_params", {"acr_values": "mfa"}, "acr_values: not supported without OpenID Connect"),
    ("authorization_params", {"response_mode": "jwt"}, "response_mode must be query or form_post: without OpenID"),
    ("authorization_params", {"state": "x"}, "state: set by asgi-oidc"),
    ("authorization_params", {"code_challenge": "x"}, "code_challenge: set by asgi-oidc"),
    ("another_account_params", {"max_age": 0}, "max_age: not supported without OpenID Connect"),
    ("userinfo_headers", ["accept"], "must be a mapping"),
    ("userinfo_headers", {f"x-{n}": "1" for n in range(17)}, "at most 16 headers"),
    ("userinfo_headers", {"Authorization": "Bearer x"}, "authorization: set by asgi-oidc"),
    ("userinfo_headers", {"cookie": "a=b", "Accept-Encoding": "gzip"}, "accept-encoding, cookie: set by asgi-oidc"),
    ("userinfo_headers", {"x y": "1"}, "must be a header of plain ASCII"),
    ("userinfo_headers", {"x": "ü"}, "must be a header of plain ASCII"),
    ("userinfo_headers", {"x": "a\r\nb"}, "must be on one line"),
    ("emails_are_verified", "yes", "must be True or False"),
    ("app_secret_proof", 1, "must be True or False"),
    ("client_auth", "private_key_jwt", "must be one of"),
    ("callback_path", "callback", "must be a path"),
    ("http_client", httpx.AsyncClient, "must be an httpx.AsyncClient"),
    ("title", "a\nb", "must be one line"),
    ("user_info_endpoint", "x", "unknown setting; did you mean userinfo_endpoint?"),
    ("issuer", HUB, "unknown setting"),
]


@pytest.mark.parametrize(("name", "given", "text"), WRONG, ids=lambda value: ascii(value)[:40])
def test_a_wrong_setting_is_named_with_the_fix(name, given, text):
    """Nobody finds out at the first login."""
    (problem,) = problems(**{name: given})

    assert problem.startswith(f"OAuth2Provider: {name}: ")
    assert text in problem


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"client_secret": ..., "client_auth": "client_secret_post"},
            "client_secret: missing; client_auth='client_secret_post' needs it",
        ),
        ({"client_auth": "none"}, "client_auth: 'none' is for public clients"),
        ({"client_secret": ..., "app_secret_proof": True}, "app_secret_proof: needs client_secret"),
        ({"emails_endpoint": f"{HUB}/emails", "emails_are_verified": True}, "emails_are_verified: remove it"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes, text):
    """One of them would be ignored."""
    assert text in problems(**changes)[0]


def test_all_problems_are_reported_at_once():
    """One start, one list."""
    assert len(problems(client_id=..., subject="", scope="a,b")) == 3


def test_no_secret_is_printed():
    """Not in the repr, not in an error."""
    provider = OAuth2Provider(**REQUIRED)

    assert repr(provider) == "OAuth2Provider(authorization_endpoint='https://hub.example.net/authorize?tenant=1')"
    assert "hub-secret-for-tests" not in repr(provider.settings)
    assert "hub-secret-for-tests" not in str(problems(scope="a,b"))


# --- among other providers


def middleware(**settings: Any) -> OIDCMiddleware:
    return OIDCMiddleware(
        App(),
        base_url="https://app.example.com",
        secret="u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw",
        **{"providers": {"hub": OAuth2Provider(**REQUIRED)}, **settings},
    )


def test_the_issuer_follows_the_name():
    """Nobody can set another one, so no other provider has it."""
    provider = OAuth2Provider(**REQUIRED)

    assert (provider.settings.issuer, replace(provider.settings, name="hub").issuer) == ("oauth2:", "oauth2:hub")


RULES = [Rule("/fresh", max_age=60), Rule("/strong", acr_values=["mfa"])]


@pytest.mark.parametrize("rule", RULES, ids=["max_age", "acr_values"])
def test_a_rule_that_no_provider_can_satisfy_is_refused(rule):
    """Every user would get 403."""
    with pytest.raises(SettingsError, match=r"hub cannot report it without OpenID Connect"):
        middleware(rules=[rule])


def test_a_rule_that_names_only_providers_that_cannot_is_refused():
    """The others do not count."""
    providers = {"hub": OAuth2Provider(**REQUIRED), "work": Provider(issuer="https://id.example.com", client_id="web")}

    with pytest.raises(SettingsError, match=r"hub cannot report it"):
        middleware(providers=providers, rules=[Rule("/fresh", max_age=60, providers=["hub"])])
    assert middleware(providers=providers, rules=RULES) is not None


# --- ready-made

READY_MADE = {
    "github": OAuth2Provider.github,
    "discord": OAuth2Provider.discord,
    "facebook": OAuth2Provider.facebook,
    "x": OAuth2Provider.x,
}


@pytest.mark.parametrize("name", READY_MADE)
def test_a_ready_made_provider_needs_an_id_and_a_secret_only(name):
    """Title and logo are there as well."""
    settings = READY_MADE[name](client_id="web", client_secret="s").settings

    assert (settings.logo, settings.shown_title.lower()) == (name, name)
    assert settings.authorization_endpoint.startswith("https://")


@pytest.mark.parametrize("name", READY_MADE)
def test_everything_of_a_ready_made_provider_can_be_replaced(name):
    """Consoles and versions change."""
    settings = READY_MADE[name](
        client_id="web", client_secret="s", scope="a", userinfo_endpoint=HUB, title="Ours", callback_path="/back"
    ).settings

    assert (settings.scope, settings.user_api.endpoint, settings.shown_title) == ("a", HUB, "Ours")
    assert settings.callback_path == "/back"


def test_the_version_of_the_graph_api_can_be_chosen():
    """Each is available for about two years."""
    settings = OAuth2Provider.facebook(client_id="web", client_secret="s", graph_version="v99.0").settings

    assert settings.token_endpoint == "https://graph.facebook.com/v99.0/oauth/access_token"


@pytest.mark.parametrize("scope", ["users.read users.email", ["users.read", "users.email"]])
def test_the_address_at_x_is_asked_for_where_the_scope_allows_it(scope):
    """Without the scope, there is nothing to ask for."""
    assert "confirmed_email" in OAuth2Provider.x(client_id="web", scope=scope).settings.user_api.endpoint
    assert "confirmed_email" not in OAuth2Provider.x(client_id="web").settings.user_api.endpoint


def test_a_ready_made_provider_without_its_secret_names_the_secret():
    """Its `client_auth` is none of the app's settings."""
    with pytest.raises(SettingsError) as caught:
        OAuth2Provider.github(client_id="web")

    assert caught.value.problems == (
        "OAuth2Provider: client_secret: missing; client_auth='client_secret_post' needs it",
    )
