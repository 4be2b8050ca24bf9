"""Ready-made providers, described by variables alone."""

from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from asgi_oidc.settings.environment import read_environment
from tests.settings.test_provider_environment import CLIENT_SECRET, SITE, problems_of, providers_of

PRIVATE_KEY = ECKey.generate_key("P-256").as_pem(private=True).decode()


def client_of(name: str) -> dict[str, str]:
    return {f"OIDC_{name}_CLIENT_ID": "web", f"OIDC_{name}_CLIENT_SECRET": CLIENT_SECRET}


APPLE = {
    "OIDC_APPLE_CLIENT_ID": "com.example.web",
    "OIDC_APPLE_TEAM_ID": "DEF123GHIJ",
    "OIDC_APPLE_KEY_ID": "ABC123DEFG",
}


def test_a_name_is_enough():
    """Each knows its own issuer."""
    names = {"OIDC_PROVIDERS": "google,gitlab,linkedin,apple"}
    clients = {**client_of("GOOGLE"), **client_of("GITLAB"), **client_of("LINKEDIN"), **APPLE}
    providers = providers_of({**SITE, **names, **clients, "OIDC_APPLE_PRIVATE_KEY": PRIVATE_KEY})

    assert [(name, each.settings.logo) for name, each in providers.items()] == [
        ("google", "google"),
        ("gitlab", "gitlab"),
        ("linkedin", "linkedin"),
        ("apple", "apple"),
    ]


def test_another_name_needs_the_type():
    """Two of one kind have two names."""
    url = {"OIDC_OURS_TYPE": "gitlab", "OIDC_OURS_URL": "https://gitlab.example.org"}
    providers = providers_of(
        {**SITE, "OIDC_PROVIDERS": "gitlab,ours", **client_of("GITLAB"), **client_of("OURS"), **url}
    )

    assert [each.settings.issuer for each in providers.values()] == ["https://gitlab.com", "https://gitlab.example.org"]


def test_the_settings_of_one_kind_are_read():
    """A list has commas, and a switch is true or false."""
    own = {"OIDC_GOOGLE_HOSTED_DOMAINS": "example.com, example.org", "OIDC_GOOGLE_OFFLINE_ACCESS": "true"}
    google = providers_of({**SITE, "OIDC_PROVIDERS": "google", **client_of("GOOGLE"), **own})["google"]

    assert google.settings.hosted_domains == {"example.com", "example.org"}
    assert google.settings.authorization_params["access_type"] == "offline"


@pytest.mark.parametrize("text", [PRIVATE_KEY, PRIVATE_KEY.replace("\n", "\\n")])
def test_the_key_may_stand_in_a_file_or_in_one_line(text, tmp_path):
    """As Apple gives it, and as secret stores keep it."""
    path = Path(tmp_path) / "AuthKey_ABC123DEFG.p8"
    path.write_text(text, encoding="utf-8")
    in_file = {**SITE, "OIDC_PROVIDERS": "apple", **APPLE, "OIDC_APPLE_PRIVATE_KEY_FILE": str(path)}
    in_variable = {**SITE, "OIDC_PROVIDERS": "apple", **APPLE, "OIDC_APPLE_PRIVATE_KEY": text}

    for environ in (in_file, in_variable):
        assert providers_of(environ)["apple"].settings.client.secret_signer is not None


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"OIDC_APPLE_PRIVATE_KEY": "x"}, "OIDC_APPLE_PRIVATE_KEY: expected a private key on the curve P-256"),
        ({}, "OIDC_APPLE_PRIVATE_KEY: missing"),
        (
            {"OIDC_APPLE_PRIVATE_KEY": PRIVATE_KEY, "OIDC_APPLE_CLIENT_SECRET": CLIENT_SECRET},
            "OIDC_APPLE_CLIENT_SECRET: a provider of type apple has no setting client_secret: remove it",
        ),
        (
            {"OIDC_APPLE_PRIVATE_KEY": PRIVATE_KEY, "OIDC_APPLE_HOSTED_DOMAINS": "example.com"},
            "OIDC_APPLE_HOSTED_DOMAINS: a provider of type apple has no setting hosted_domains",
        ),
    ],
)
def test_a_problem_names_the_variable(variables, problem):
    """Whoever deploys the app need not know its code."""
    (found,) = problems_of({**SITE, "OIDC_PROVIDERS": "apple", **APPLE, **variables})

    assert found.startswith(problem)
    assert PRIVATE_KEY[40:80] not in found


def test_an_issuer_makes_it_an_ordinary_one():
    """Whatever its name is."""
    environ = {
        **SITE,
        "OIDC_PROVIDERS": "google",
        **client_of("GOOGLE"),
        "OIDC_GOOGLE_ISSUER": "https://id.example.com",
    }
    found, problems = read_environment(environ)

    assert (found["providers"]["google"].settings.logo, problems) == (None, [])


TENANT = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
OTHER_TENANT = "6babcaad-604b-40ac-a9d7-9fd97c0b779f"
HUB = {
    "OIDC_HUB_AUTHORIZATION_ENDPOINT": "https://hub.example.com/authorize",
    "OIDC_HUB_TOKEN_ENDPOINT": "https://hub.example.com/token",
    "OIDC_HUB_USERINFO_ENDPOINT": "https://hub.example.com/user",
}


def test_entra_needs_its_tenants():
    """One, several, or all organizations."""
    own = {
        "OIDC_WORK_TYPE": "entra",
        "OIDC_WORK_TENANTS": f"{TENANT}, {OTHER_TENANT}",
        "OIDC_WORK_TRUSTED_TENANTS": TENANT,
        "OIDC_ENTRA_TENANTS": "organizations",
    }
    named = {**SITE, "OIDC_PROVIDERS": "work,entra", **client_of("WORK"), **client_of("ENTRA"), **own}

    work, entra = providers_of(named).values()

    assert work.settings.entra.template.tenants == {TENANT, OTHER_TENANT}
    assert work.settings.entra.trusted_tenants == {TENANT}
    assert entra.settings.entra.template.tenants is None
    (problem,) = problems_of({**named, "OIDC_WORK_TENANTS": "", "OIDC_WORK_TRUSTED_TENANTS": ""})
    assert problem.startswith("OIDC_WORK_TENANTS: missing")


@pytest.mark.parametrize("name", ["github", "discord", "facebook", "x"])
def test_providers_without_openid_connect_are_known_by_name(name):
    """As those with it."""
    settings = providers_of({**SITE, "OIDC_PROVIDERS": name, **client_of(name.upper())})[name].settings

    assert settings.logo == name


def test_a_provider_without_openid_connect_is_known_by_its_endpoints():
    """It has no issuer, so nothing else can be meant; its type may be named as well."""
    own = {
        **client_of("HUB"),
        "OIDC_HUB_SUBJECT": "data.id",
        "OIDC_HUB_CLAIMS": '{"picture": "avatar_url"}',
        "OIDC_HUB_SCOPE": "read:user",
        "OIDC_HUB_USERINFO_HEADERS": '{"accept": "application/json"}',
        "OIDC_HUB_EMAILS_ARE_VERIFIED": "true",
    }
    environ = {**SITE, "OIDC_PROVIDERS": "hub", **HUB, **own}

    settings = providers_of(environ)["hub"].settings

    assert settings.token_endpoint == "https://hub.example.com/token"
    assert settings.scope == "read:user"
    assert settings == providers_of({**environ, "OIDC_HUB_TYPE": "oauth2"})["hub"].settings


@pytest.mark.parametrize(
    ("changes", "variable", "fix"),
    [
        ({"OIDC_HUB_TOKEN_ENDPOINT": ""}, "OIDC_HUB_TOKEN_ENDPOINT", "missing"),
        ({"OIDC_HUB_USERINFO_ENDPOINT": "http://hub.example.com"}, "OIDC_HUB_USERINFO_ENDPOINT", "must use https"),
        ({"OIDC_HUB_CLAIMS": "[]"}, "OIDC_HUB_CLAIMS", "must be a JSON object"),
        (
            {"OIDC_HUB_ALGORITHMS": "RS256"},
            "OIDC_HUB_ALGORITHMS",
            "a provider of type oauth2 has no setting algorithms",
        ),
        ({"OIDC_HUB_ISSUER": "https://hub.example.com"}, "OIDC_HUB_TOKEN_ENDPOINT", "set OIDC_HUB_TYPE to oauth2"),
    ],
    ids=str,
)
def test_a_mistake_at_a_provider_without_openid_connect_is_named(changes, variable, fix):
    """By the variable, and with the type that would take it."""
    problems = problems_of({**SITE, "OIDC_PROVIDERS": "hub", **HUB, **client_of("HUB"), **changes})

    assert [problem for problem in problems if problem.startswith(f"{variable}: ") and fix in problem], problems


def test_a_variable_that_two_providers_could_have_is_refused():
    """Never a guess: this one decides whose word counts."""
    names = {**SITE, "OIDC_PROVIDERS": "work,work-trusted", "OIDC_WORK_TRUSTED_TENANTS": TENANT}

    problems = problems_of({**names, **client_of("WORK"), **client_of("WORK_TRUSTED")})

    (problem,) = [each for each in problems if each.startswith("OIDC_WORK_TRUSTED_TENANTS: ")]
    assert "trusted_tenants of the provider work or the setting tenants of the provider work-trusted" in problem
