"""Exceptions for providers that are not by the book: each has a name of its own, and none weakens another."""

from dataclasses import fields
from typing import Any

import pytest

from asgi_oidc import Provider, SettingsError
from asgi_oidc.provider.provider_exceptions import REASONS, ProviderExceptions
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.settings.provider_readers import PROVIDER_READERS
from tests.settings.required_settings import problems, read

LONG_SECRET = "a-client-secret-of-exactly-32-b."
ENDPOINTS = {
    name: f"https://id.example.com/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
}
NEITHER: dict[str, Any] = {"allow_missing_nonce": True, "allow_missing_pkce": True}


def settings_of(**changes: Any) -> ProviderSettings:
    """Return the settings of the one provider."""
    return read(**changes).fixed_providers[""]


def test_by_default_every_provider_is_by_the_book():
    """An exception that nobody names is not made."""
    assert settings_of().exceptions == ProviderExceptions()
    assert ProviderExceptions().in_use == []


def test_every_exception_is_a_setting_with_a_reason():
    """Each is logged with its risk; one without a reason could not be."""
    names = {field.name for field in fields(ProviderExceptions)}

    assert names == set(REASONS)
    assert names <= set(PROVIDER_READERS)


@pytest.mark.parametrize(
    ("name", "given", "read_as"),
    [
        ("metadata_url", "https://id.example.com/metadata?p=policy", "https://id.example.com/metadata?p=policy"),
        ("metadata_url", "http://localhost:8080/metadata", "http://localhost:8080/metadata"),
        ("internal_url", "https://keycloak.internal:8443/", "https://keycloak.internal:8443"),
        ("internal_url", "https://KEYCLOAK.internal:443", "https://keycloak.internal"),
        ("internal_url", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("end_session_parameters", "cognito", "cognito"),
        ("allow_http_hosts", ["Keycloak", "10.0.0.7", "::1"], {"keycloak", "10.0.0.7", "::1"}),
        ("allow_http_hosts", [], frozenset()),
        ("allow_missing_nonce", True, True),
        ("allow_missing_pkce", True, True),
        ("allow_missing_access_token", True, True),
        ("allow_azp_audiences", True, True),
    ],
    ids=str,
)
def test_an_exception_takes_its_forms(name, given, read_as):
    """The flat keywords and `Provider` are the same settings."""
    flat = settings_of(**{name: given})
    named = Provider(issuer="https://id.example.com", client_id="web", client_secret="s3cret", **{name: given})

    assert getattr(flat.exceptions, name) == read_as
    assert getattr(named.settings.exceptions, name) == read_as


@pytest.mark.parametrize(
    ("name", "given", "fix"),
    [
        ("metadata_url", "id.example.com", "must start with https://"),
        ("metadata_url", "http://keycloak:8080/metadata", "name it in allow_http_hosts"),
        ("metadata_url", 7, "must be text"),
        ("internal_url", "keycloak:8080", "must start with https://"),
        ("internal_url", "http://keycloak:8080", "to allow http for calls to keycloak, name it in allow_http_hosts"),
        ("internal_url", "https://keycloak/realms/staff", "only scheme, host and port: write https://keycloak"),
        ("internal_url", "https://keycloak?x=1", "only scheme, host and port"),
        ("internal_url", "https://user@keycloak", "must not contain a user name"),
        ("internal_url", "https://id.example.com:443", "is the address of the issuer: leave it out"),
        ("end_session_parameters", "keycloak", "must be one of standard, cognito"),
        ("end_session_parameters", ["cognito"], "must be one of standard, cognito"),
        ("allow_http_hosts", "keycloak", "must be a list"),
        ("allow_http_hosts", ["*"], "host names such as 'keycloak'"),
        ("allow_http_hosts", ["*.internal"], "host names such as 'keycloak'"),
        ("allow_http_hosts", ["keycloak:8080"], "host names such as 'keycloak'"),
        ("allow_http_hosts", ["http://keycloak"], "host names such as 'keycloak'"),
        ("allow_http_hosts", ["key cloak"], "host names such as 'keycloak'"),
        ("allow_http_hosts", [""], "must be text"),
        ("allow_missing_nonce", "yes", "must be True or False"),
        ("allow_hs256", 1, "must be True or False"),
    ],
    ids=str,
)
def test_a_wrong_exception_is_refused_with_the_fix(name, given, fix):
    """The error names the setting and says what to write."""
    (problem,) = problems(**{name: given})

    assert problem.startswith(f"{name}: ")
    assert fix in problem


def test_http_is_allowed_for_exactly_the_named_hosts():
    """One named host says nothing about another."""
    given = {"internal_url": "http://keycloak:8080", "metadata_url": "http://keycloak/metadata"}

    assert settings_of(**given, allow_http_hosts=["keycloak"]).exceptions.internal_url == "http://keycloak:8080"
    assert len(problems(**given, allow_http_hosts=["keycloak.example.com"])) == 2


def test_http_hosts_do_not_allow_an_issuer_or_an_endpoint_for_browsers():
    """The exception is for calls of the app: browsers would send passwords and codes in the clear."""
    hosts = {"allow_http_hosts": ["keycloak"]}
    metadata = {**ENDPOINTS, "authorization_endpoint": "http://keycloak/auth"}

    assert problems(**hosts, issuer="http://keycloak:8080")[0].startswith("issuer: must use https")
    assert problems(**hosts, metadata=metadata)[0].startswith("metadata: authorization_endpoint: must use https")
    assert settings_of(**hosts, metadata={**ENDPOINTS, "token_endpoint": "http://keycloak/token"}).metadata


def test_a_metadata_url_that_is_never_called_is_a_mistake():
    """Complete metadata needs no discovery."""
    (problem,) = problems(metadata_url="https://id.example.com/metadata", metadata=ENDPOINTS)

    assert problem.startswith("metadata_url: leave it out")


def test_without_nonce_and_without_pkce_the_risk_must_be_named():
    """Each replaces the other; without both, a stolen code signs its thief in (RFC 9700 §2.1.1)."""
    (problem,) = problems(**NEITHER)

    assert problem.startswith("allow_missing_pkce: remove it, or allow_missing_nonce: ")
    assert settings_of(**NEITHER, allow_code_injection=True).exceptions.allow_code_injection


@pytest.mark.parametrize("missing", [*NEITHER, None])
def test_the_risk_is_not_named_in_advance(missing):
    """A leftover would let the second exception slip in unnoticed."""
    given = {} if missing is None else {missing: True}

    assert problems(**given, allow_code_injection=True)[0].startswith("allow_code_injection: remove it")


@pytest.mark.parametrize("given", [{"client_secret": ...}, {"client_secret": ..., "client_auth": "none"}])
@pytest.mark.parametrize("others", [{}, {"allow_missing_nonce": True, "allow_code_injection": True}])
def test_a_public_client_always_has_pkce(given, others):
    """Nothing else binds a code to it."""
    (problem,) = problems(allow_missing_pkce=True, **given, **others)

    assert problem.startswith("allow_missing_pkce: needs client_secret")


# --- HS256


def test_hs256_is_the_only_algorithm_unless_others_are_named():
    """A provider signs the tokens of one client in one way."""
    alone = settings_of(allow_hs256=True, client_secret=LONG_SECRET)
    both = settings_of(allow_hs256=True, client_secret=LONG_SECRET, algorithms=["HS256", "RS256"])

    assert (alone.algorithms, alone.algorithms_named) == (("HS256",), True)
    assert both.algorithms == ("HS256", "RS256")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"client_secret": LONG_SECRET[:-1]},
            "client_secret: HS256 needs a client secret of at least 32 bytes, got 31",
        ),
        ({"client_secret": ...}, "allow_hs256: needs client_secret"),
        ({"client_secret": LONG_SECRET, "algorithms": ["RS256"]}, "allow_hs256: remove it, or add HS256 to algorithms"),
    ],
    ids=str,
)
def test_hs256_needs_a_secret_that_cannot_be_guessed(given, problem):
    """A token is enough to try secrets at leisure (RFC 7518 §3.2)."""
    (found,) = problems(allow_hs256=True, **given)

    assert found.startswith(problem)
    assert LONG_SECRET[:-1] not in found


def test_the_length_of_a_secret_counts_in_bytes():
    """That is what the key is made of."""
    assert settings_of(allow_hs256=True, client_secret="ä" * 16).algorithms == ("HS256",)


@pytest.mark.parametrize("algorithms", [["HS256"], ["RS256", "HS256"]])
def test_hs256_among_the_algorithms_is_not_enough(algorithms):
    """Its risk has a name that can be searched for."""
    (problem,) = problems(algorithms=algorithms, client_secret=LONG_SECRET)

    assert problem.startswith("algorithms: with HS256, ")
    assert "set allow_hs256" in problem


# --- no access token


@pytest.mark.parametrize("given", [{"userinfo": "always"}, {"claims_from_access_token": True}], ids=str)
def test_what_needs_an_access_token_contradicts_going_without(given):
    """Every login would fail, or claims would be missing without a word."""
    (problem,) = problems(allow_missing_access_token=True, **given)

    assert problem.endswith("remove it, or allow_missing_access_token")


# --- several providers


def test_a_named_provider_has_the_same_checks():
    """`Provider(...)` is where most exceptions stand."""
    with pytest.raises(SettingsError) as caught:
        Provider(issuer="https://id.example.com", client_id="web", client_secret="s3cret", **NEITHER)

    assert caught.value.problems[0].startswith("Provider: allow_missing_pkce: ")


def test_a_flat_exception_beside_providers_is_an_error():
    """It would seem to hold for all of them."""
    provider = Provider(issuer="https://id.example.com", client_id="web")

    (problem,) = problems(
        issuer=..., client_id=..., client_secret=..., providers={"one": provider}, allow_missing_nonce=True
    )

    assert problem == "allow_missing_nonce: remove it: with providers, each Provider has its own"
