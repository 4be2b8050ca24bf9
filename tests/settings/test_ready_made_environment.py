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
