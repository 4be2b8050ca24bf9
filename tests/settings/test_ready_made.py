"""Ready-made providers: what they settle in advance, what the app may add, and what they refuse."""

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey

from asgi_oidc import Provider, SettingsError

CLIENT: dict[str, Any] = {"client_id": "web", "client_secret": "a-client-secret"}
PRIVATE_KEY = ECKey.generate_key("P-256").as_pem(private=True).decode()
CALL: dict[str, str] = {"audience": "https://appleid.apple.com", "jti": "one-attempt"}
SERVICE: dict[str, Any] = {
    "client_id": "com.example.web",
    "team_id": "DEF123GHIJ",
    "key_id": "ABC123DEFG",
    "private_key": PRIVATE_KEY,
}


def problems_of(make: Callable[..., Provider], **settings: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        make(**settings)
    return caught.value.problems


def test_google_is_known_by_two_values():
    """The client id and the secret."""
    settings = Provider.google(**CLIENT).settings

    assert (settings.issuer, settings.shown_title, settings.logo) == ("https://accounts.google.com", "Google", "google")
    assert (settings.scope, settings.authorization_params) == ("openid profile email", {})


@pytest.mark.parametrize(
    ("domains", "parameter"), [(["Example.com"], "example.com"), (["example.com", "example.org"], "*")]
)
def test_hosted_domains_are_a_parameter_and_a_requirement(domains, parameter):
    """The parameter can name one domain, or all organizations."""
    settings = Provider.google(**CLIENT, hosted_domains=domains).settings

    assert settings.authorization_params == {"hd": parameter}
    assert settings.hosted_domains == {domain.lower() for domain in domains}


@pytest.mark.parametrize(
    ("given", "prompt"), [({}, "consent"), ({"prompt": "select_account"}, "select_account consent")]
)
def test_offline_access_asks_for_consent(given, prompt):
    """Else a refresh token comes once per user, and what the app has asked for stays."""
    settings = Provider.google(**CLIENT, offline_access=True, authorization_params=given).settings

    assert settings.authorization_params == {"access_type": "offline", "prompt": prompt}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"issuer": "https://id.example.com"}, "issuer: Provider.google sets it; leave it out"),
        ({"client_secret": None}, "client_secret: missing"),
        ({"hosted_domains": []}, "hosted_domains: is empty"),
        ({"hosted_domains": "example.com"}, "hosted_domains: must be a list"),
        ({"hosted_domains": ["*"]}, "hosted_domains: '*' is not a domain"),
        ({"offline_access": "yes"}, "offline_access: must be True or False"),
        ({"authorization_params": {"hd": "example.com"}}, "authorization_params: hd: users can remove this parameter"),
        ({"authorization_params": {"access_type": "offline"}}, "authorization_params: access_type: offline_access"),
        ({"authorization_params": "prompt"}, "authorization_params: must be a mapping"),
        ({"scopes": "openid"}, "scopes: unknown setting; did you mean scope?"),
        ({"title": "two\nlines"}, "title: must be one line"),
    ],
)
def test_what_google_does_not_accept(settings, problem):
    """The error names the way out."""
    (found,) = problems_of(Provider.google, **{**CLIENT, **settings})

    assert found.startswith(f"Provider.google: {problem}")


def test_all_problems_are_in_one_error():
    """Those of the arguments, and those of the settings."""
    found = problems_of(Provider.google, client_secret="x", hosted_domains=[], issuer="https://x.example", scope="a,b")

    assert [problem.split(": ")[1] for problem in found] == ["hosted_domains", "issuer", "client_id", "scope"]


def test_other_settings_can_be_given():
    """A title of the app's own, for example."""
    provider = Provider.google(
        **CLIENT, title="Staff", scope="openid email", authorization_params={"login_hint": "x"}, userinfo="never"
    )

    assert (provider.settings.shown_title, provider.settings.scope) == ("Staff", "openid email")
    assert (provider.settings.authorization_params, provider.settings.userinfo) == ({"login_hint": "x"}, "never")


@pytest.mark.parametrize(
    ("given", "issuer"),
    [
        ({}, "https://gitlab.com"),
        ({"url": "https://gitlab.example.org/"}, "https://gitlab.example.org"),
        ({"url": "https://example.org/gitlab"}, "https://example.org/gitlab"),
    ],
)
def test_a_gitlab_is_known_by_its_url(given, issuer):
    """Its issuer is the URL without a slash at the end."""
    settings = Provider.gitlab(**CLIENT, **given).settings

    assert (settings.issuer, settings.shown_title, settings.logo) == (issuer, "GitLab", "gitlab")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"url": "gitlab.example.org"}, "url: must start with https://"),
        ({"url": "http://gitlab.example.org"}, "url: "),
        ({"url": "https://gitlab.com/?x=1"}, "url: must not have a query"),
        ({"issuer": "https://gitlab.example.org"}, "issuer: url decides it"),
    ],
)
def test_what_gitlab_does_not_accept(settings, problem):
    """Nor an issuer beside the URL."""
    found = problems_of(Provider.gitlab, **{**CLIENT, **settings})

    assert found[0].startswith(f"Provider.gitlab: {problem}")


def test_a_gitlab_application_may_be_public():
    """Then there is no secret."""
    assert Provider.gitlab(client_id="web").settings.client.secret is None


def test_linkedin_gets_the_secret_in_the_form():
    """Its metadata does not say so."""
    settings = Provider.linkedin(**CLIENT).settings

    assert (settings.issuer, settings.shown_title, settings.logo) == (
        "https://www.linkedin.com/oauth",
        "LinkedIn",
        "linkedin",
    )
    assert settings.client.auth_method == "client_secret_post"


def test_linkedin_has_neither_nonce_nor_pkce():
    """By name; a client for which LinkedIn has enabled PKCE can use it."""
    usual = Provider.linkedin(**CLIENT).settings.exceptions
    with_pkce = Provider.linkedin(**CLIENT, allow_missing_pkce=False, allow_code_injection=False).settings.exceptions

    assert usual.in_use == ["allow_missing_nonce", "allow_missing_pkce", "allow_code_injection"]
    assert with_pkce.in_use == ["allow_missing_nonce"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"client_auth": "client_secret_basic"}, "client_auth: Provider.linkedin sets it"),
        ({"client_secret": None}, "client_secret: missing"),
        ({"issuer": "https://www.linkedin.com"}, "issuer: Provider.linkedin sets it"),
    ],
)
def test_what_linkedin_does_not_accept(settings, problem):
    """It knows one way only."""
    found = problems_of(Provider.linkedin, **{**CLIENT, **settings})

    assert found[0].startswith(f"Provider.linkedin: {problem}")


def test_apple_needs_no_discovery():
    """Its documentation names all endpoints; a sign-out does not take the consent of the user back."""
    settings = Provider.apple(**SERVICE).settings

    assert (settings.issuer, settings.shown_title, settings.logo) == ("https://appleid.apple.com", "Apple", "apple")
    assert (settings.scope, settings.form_post) == ("openid name email", True)
    assert {"token_endpoint", "jwks_uri", "authorization_endpoint"} <= settings.metadata.keys()
    assert "revocation_endpoint" not in settings.metadata


def test_members_of_the_metadata_can_be_added():
    """Such as the endpoint that takes the consent back, for an app that deletes the account at a sign-out."""
    url = "https://appleid.apple.com/auth/revoke"
    settings = Provider.apple(**SERVICE, metadata={"revocation_endpoint": url}).settings

    assert (settings.metadata["revocation_endpoint"], "jwks_uri" in settings.metadata) == (url, True)


def test_apple_with_the_same_key_is_the_same_provider():
    """An app that looks it up makes a new object each time; its connection stays while the settings are equal."""
    other = ECKey.generate_key("P-256").as_pem(private=True).decode()

    assert Provider.apple(**SERVICE).settings == Provider.apple(**SERVICE).settings
    assert Provider.apple(**SERVICE).settings != Provider.apple(**{**SERVICE, "private_key": other}).settings


def test_the_client_secret_is_made_for_each_call():
    """It lives for minutes, not for months."""
    client = Provider.apple(**SERVICE).settings.client
    one, other = (
        client.for_call(now=1_800_000_000, **CALL),
        client.for_call(now=1_800_000_001, **CALL),
    )

    assert client.secret is None
    assert one.secret != other.secret


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"client_secret": "a-client-secret"}, "client_secret: it is made from private_key for each call"),
        ({"client_auth": "client_secret_basic"}, "client_auth: the client secret is sent in the form"),
        *[
            ({name: value}, f"{name}: Apple takes a client secret only, which is made from private_key; leave it out")
            for name, value in (
                ("client_key", PRIVATE_KEY),
                ("client_assertion_file", "/run/token"),
                ("token_endpoint_auth_signing_alg", "ES256"),
                ("client_assertion_typ", "JWT"),
                ("client_certificate", "-----BEGIN CERTIFICATE-----"),
            )
        ],
        ({"authorization_params": {"response_mode": "query"}}, "authorization_params: response_mode: Apple sends"),
        ({"scope": "openid profile email"}, "scope: Apple knows only openid, name, email: remove profile"),
        ({"scope": ["openid", "offline_access"]}, "scope: Apple knows only openid, name, email: remove offline"),
        ({"team_id": "ABC"}, "team_id: must be 10 capital letters and digits"),
        ({"team_id": None}, "team_id: missing"),
        ({"key_id": "abc123defg"}, "key_id: must be 10 capital letters and digits"),
        ({"private_key": PRIVATE_KEY[:60]}, "private_key: expected a private key on the curve P-256"),
        ({"private_key": b"bytes"}, "private_key: must be text, got bytes; it is the text of the .p8 file"),
        ({"private_key": None}, "private_key: missing; it is the text of the .p8 file"),
        ({"client_id": None}, "client_id: missing"),
    ],
)
def test_what_apple_does_not_accept(settings, problem):
    """Each value has its own way of being wrong."""
    (found,) = problems_of(Provider.apple, **{**SERVICE, **settings})

    assert found.startswith(f"Provider.apple: {problem}")


def test_a_response_mode_that_is_right_may_be_named():
    """It changes nothing."""
    settings = Provider.apple(**SERVICE, authorization_params={"response_mode": "form_post"}).settings

    assert settings.authorization_params == {"response_mode": "form_post"}


@pytest.mark.parametrize(
    ("make", "settings", "secret"),
    [
        (Provider.google, {**CLIENT, "scope": "a,b"}, "a-client-secret"),
        (Provider.gitlab, {**CLIENT, "scope": "a,b"}, "a-client-secret"),
        (Provider.linkedin, {**CLIENT, "scope": "a,b"}, "a-client-secret"),
        (Provider.apple, {**SERVICE, "scope": "a,b"}, PRIVATE_KEY[40:80]),
        (Provider.apple, {**SERVICE, "private_key": PRIVATE_KEY[:100]}, PRIVATE_KEY[40:80]),
        (Provider.apple, {**SERVICE, "private_key": PRIVATE_KEY, "team_id": 7}, PRIVATE_KEY[40:80]),
    ],
)
def test_an_error_brings_no_secret_out(make, settings, secret):
    """Error reporters record the variables of every frame."""
    with pytest.raises(SettingsError) as caught:
        make(**settings)

    error = caught.value
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][1:]  # the first is this test
    assert error.__context__ is None
    assert secret not in str(error)
    assert frames
    assert all(secret not in repr(frame.f_locals) for frame in frames)


def test_no_repr_shows_a_secret():
    """Neither the key nor what is signed with it."""
    provider = Provider.apple(**SERVICE)
    shown = (
        f"{provider!r} {provider.settings!r} {provider.settings.client!r} {provider.settings.client.secret_signer!r}"
    )

    assert PRIVATE_KEY[40:80] not in shown
    assert "ECKey" not in shown
