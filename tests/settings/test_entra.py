"""Which tenants may sign in is said by id, and nothing that would let in more of them is accepted."""

from typing import Any

import pytest

from asgi_oidc import OIDCMiddleware, Provider, SettingsError
from asgi_oidc.protocol.issuer_template import PERSONAL_ACCOUNTS
from tests.certificate_texts import RSA_KEY, make
from tests.protected_site import ORIGIN, SECRET

ONE = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
TWO = "82229342-1101-4ab6-817b-70c0747630f3"


CERTIFICATE, CURVE = make(key=RSA_KEY), make()


def entra(**settings: Any) -> Provider:
    return Provider.entra(**{"tenants": [ONE], "client_id": "web", "client_secret": "a-secret", **settings})


def problems_of(**settings: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        entra(**settings)
    assert all(problem.startswith("Provider.entra: ") for problem in caught.value.problems)
    return [problem.removeprefix("Provider.entra: ") for problem in caught.value.problems]


def test_one_tenant_has_an_exact_issuer():
    """Its metadata is below the issuer, as with any provider."""
    settings = entra().settings

    assert settings.issuer == settings.issuers == f"https://login.microsoftonline.com/{ONE}/v2.0"
    assert settings.metadata_url is None


@pytest.mark.parametrize(
    ("tenants", "directory"),
    [([ONE, TWO], "organizations"), ("organizations", "organizations"), ([ONE, PERSONAL_ACCOUNTS], "common")],
)
def test_several_tenants_have_a_template(tenants, directory):
    """And the metadata of all tenants."""
    settings = entra(tenants=tenants).settings

    assert settings.issuer == "https://login.microsoftonline.com/{tenantid}/v2.0"
    assert (
        settings.metadata_url == f"https://login.microsoftonline.com/{directory}/v2.0/.well-known/openid-configuration"
    )
    assert settings.origin == "https://login.microsoftonline.com"


@pytest.mark.parametrize("authority", ["login.microsoftonline.us", "login.partner.microsoftonline.cn"])
def test_a_national_cloud_is_another_host(authority):
    """For one tenant and for several."""
    assert entra(authority=authority).settings.issuer == f"https://{authority}/{ONE}/v2.0"
    assert (
        entra(authority=authority, tenants="organizations").settings.issuer == f"https://{authority}/{{tenantid}}/v2.0"
    )


def test_userinfo_is_not_called_unless_it_is_wanted():
    """It has nothing that the ID Token has not."""
    assert (entra().settings.userinfo, entra(userinfo="auto").settings.userinfo) == ("never", "auto")


def test_it_has_a_title_and_a_logo():
    """The title may be another one."""
    assert (entra().settings.title, entra().settings.logo) == ("Microsoft", "entra")
    assert entra(title="Contoso").settings.title == "Contoso"


@pytest.mark.parametrize(
    ("settings", "setting", "words"),
    [
        ({"tenants": ONE}, "tenants", "must be a list"),
        ({"tenants": "common"}, "tenants", "'organizations'"),
        ({"tenants": "consumers"}, "tenants", "'organizations'"),
        ({"tenants": "Organizations"}, "tenants", "'organizations'"),
        ({"tenants": None}, "tenants", "must be a list"),
        ({"tenants": []}, "tenants", "empty"),
        ({"tenants": [ONE.upper()]}, "tenants", "lower case"),
        ({"tenants": ["contoso.onmicrosoft.com"]}, "tenants", "not a domain"),
        ({"tenants": ["organizations"]}, "tenants", "not the id of a tenant"),
        ({"tenants": ["*"]}, "tenants", "not the id of a tenant"),
        ({"tenants": ["../" + ONE]}, "tenants", "not the id of a tenant"),
        ({"tenants": [None]}, "tenants", "not the id of a tenant"),
        ({"tenants": {ONE: True}}, "tenants", "must be a list"),
        ({"tenants": [ONE] * 10_001}, "tenants", "at most 10000"),
        ({"trusted_tenants": [TWO]}, "trusted_tenants", f"{TWO} is not in tenants"),
        ({"trusted_tenants": "organizations"}, "trusted_tenants", "must be a list"),
        ({"trusted_tenants": ["contoso.com"]}, "trusted_tenants", "not a domain"),
        ({"authority": "login.example.com"}, "authority", "must be one of login.microsoftonline.com, "),
        ({"authority": "LOGIN.microsoftonline.com"}, "authority", "must be one of"),
        ({"authority": "login.microsoftonline.com.evil.example"}, "authority", "must be one of"),
        ({"authority": None}, "authority", "must be one of"),
        ({"authority": ["login.microsoftonline.us"]}, "authority", "must be one of"),
        ({"issuer": "https://login.microsoftonline.com/common/v2.0"}, "issuer", "made from tenants"),
        ({"trusted_email_domains": ["contoso.com"]}, "trusted_email_domains", "trusted_tenants"),
        ({"internal_url": "https://entra.internal"}, "internal_url", "no address inside your network"),
        ({"tenant": ONE}, "tenant", "unknown setting"),
        ({"client_key": CERTIFICATE.key_pem}, "client_key", "set client_certificate"),
        ({"client_assertion_typ": "JWT"}, "client_assertion_typ", "Provider.entra sets it"),
        ({"token_endpoint_auth_signing_alg": "RS256"}, "token_endpoint_auth_signing_alg", "Provider.entra sets it"),
        ({"client_certificate": CURVE.both}, "client_certificate", "with an RSA key, for PS256; got a key of type EC"),
        ({"client_certificate": CERTIFICATE.pem}, "client_certificate", "has no private key"),
        ({"client_certificate_key": CERTIFICATE.key_pem}, "client_certificate_key", "needs client_certificate"),
        (
            {"client_certificate": CERTIFICATE.both, "client_auth": "tls_client_auth"},
            "client_auth",
            "private_key_jwt only",
        ),
        (
            {"client_certificate": CERTIFICATE.both, "client_assertion_file": "/run/token"},
            "client_assertion_file",
            "remove one of them",
        ),
        ({"client_id": None}, "client_id", "missing"),
    ],
)
def test_a_mistake_is_named_with_its_fix(settings, setting, words):
    """One line, at start-up."""
    (problem,) = problems_of(**settings)

    assert problem.startswith(f"{setting}: ")
    assert words in problem


def test_all_mistakes_are_listed_at_once():
    """Those of Entra and those of any provider."""
    found = problems_of(tenants=[], authority="x", scope="profile", issuer="https://x.example")

    assert [problem.partition(":")[0] for problem in found] == ["tenants", "authority", "issuer", "scope"]


def test_organizations_may_trust_any_tenant():
    """The list is of those whose word counts, not of those who may sign in."""
    rules = entra(tenants="organizations", trusted_tenants=[TWO]).settings.entra

    assert rules is not None
    assert rules.trusted_tenants == {TWO}


def test_endpoints_may_be_set_for_several_tenants():
    """The setting `metadata` works as for any provider."""
    settings = entra(tenants="organizations", metadata={"end_session_endpoint": "https://x.example/logout"}).settings

    assert settings.metadata == {"end_session_endpoint": "https://x.example/logout"}


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """An app that has nothing to say."""


@pytest.mark.parametrize(
    "settings",
    [
        {"client_certificate": CERTIFICATE.both},
        {"client_certificate": CERTIFICATE.pem, "client_certificate_key": CERTIFICATE.key_pem},
        {"client_certificate": CERTIFICATE.both, "client_auth": "private_key_jwt"},
    ],
)
def test_a_certificate_signs_and_is_not_presented(settings):
    """One PEM or two; the HTTP client knows nothing of it, so that it may be the app's own."""
    made = entra(**settings, client_secret=None)
    client = made.settings.client

    assert (client.certificate, client.presents_certificate, len(client.keys)) == (None, False, 1)
    assert (client.auth_method, client.signing_alg) == ("private_key_jwt", "PS256")
    assert "PRIVATE KEY" not in repr((made, made.settings))


def test_two_registrations_may_be_there_at_once():
    """But the same one only once."""
    every, other = entra(tenants="organizations"), entra(tenants="organizations", client_id="other", title="Partners")
    OIDCMiddleware(nothing, providers={"a": every, "b": other}, base_url=ORIGIN, secret=SECRET)

    with pytest.raises(SettingsError, match="are the same client"):
        OIDCMiddleware(nothing, providers={"a": every, "b": entra(tenants=[ONE, TWO])}, base_url=ORIGIN, secret=SECRET)
