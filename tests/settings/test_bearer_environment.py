"""The setting `bearer` from variables: one for each field."""

from typing import Any

import pytest

from asgi_oidc import Bearer, OIDCMiddleware, Rule, SettingsError
from asgi_oidc.settings.bearer import READERS
from asgi_oidc.settings.bearer_environment import BEARER_PARSERS
from asgi_oidc.settings.environment import read_environment
from tests.settings.required_settings import SECRET

AUDIENCE = "https://api.example.com"
SITE = {
    "OIDC_ISSUER": "https://id.example.com",
    "OIDC_CLIENT_ID": "web",
    "OIDC_BASE_URL": "https://app.example.com",
    "OIDC_SECRET": SECRET,
}
MINIMAL = {"OIDC_BEARER_AUDIENCE": AUDIENCE}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Do nothing."""


def problems(environ: dict[str, str], **settings: Any) -> tuple[str, ...]:
    """Say what is wrong with the variables, beside those that every app needs."""
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware.from_env(app, environ={**SITE, **environ}, **settings)
    return caught.value.problems


@pytest.mark.parametrize(
    ("variable", "text", "setting", "value"),
    [
        ("AUDIENCE", "a, api://b", "audience", ["a", "api://b"]),
        ("PROVIDERS", "work,partners", "providers", ["work", "partners"]),
        ("TOKEN_TYPES", "at+jwt", "token_types", ["at+jwt"]),
        ("ALLOW_MISSING_AUDIENCE", "true", "allow_missing_audience", True),
        ("INTROSPECT", "False", "introspect", False),
        ("INTROSPECT", "work", "introspect", "work"),
        ("INTROSPECT_JWT", "1", "introspect_jwt", True),
        ("INTROSPECTION_CACHE", "0", "introspection_cache", 0),
        ("DPOP", "require", "dpop", "require"),
        ("DPOP_NONCE", "true", "dpop_nonce", True),
        ("MTLS", "require", "mtls", "require"),
    ],
)
def test_a_variable_is_read(variable, text, setting, value):
    """Lists with commas, switches as true or false."""
    found, problems = read_environment({**MINIMAL, f"OIDC_BEARER_{variable}": text})

    assert problems == []
    assert found["bearer"] == Bearer(**{"audience": [AUDIENCE], setting: value})


def test_the_proxies_have_variables_too():
    """They come in pairs."""
    names = {"CLIENT_CERTIFICATE_HEADER": "client-cert", "CLIENT_CERTIFICATE_PROXIES": "10.0.0.7,unix"}

    found, problems = read_environment({**MINIMAL, **{f"OIDC_BEARER_{name}": text for name, text in names.items()}})

    assert problems == []
    assert found["bearer"].proxies.has_unix


def test_every_field_but_the_function_has_a_variable():
    """A function cannot be written as text."""
    assert set(READERS) - set(BEARER_PARSERS) == {"on_token"}


def test_a_variable_may_stand_in_a_file(tmp_path):
    """As every other one may."""
    (tmp_path / "audience").write_text(f"{AUDIENCE}\n")

    assert read_environment({"OIDC_BEARER_AUDIENCE_FILE": str(tmp_path / "audience")})[0]["bearer"].audiences == (
        AUDIENCE,
    )


def test_no_variable_is_no_bearer():
    """Tokens count only where somebody has asked for it; an empty variable is not set."""
    assert read_environment({"OIDC_BEARER_AUDIENCE": ""}) == ({}, [])


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"OIDC_BEARER": AUDIENCE}, "OIDC_BEARER: unknown setting; did you mean OIDC_BEARER_AUDIENCE?"),
        (
            {**MINIMAL, "OIDC_BEARER_AUDIENCES": "a"},
            "OIDC_BEARER_AUDIENCES: unknown setting; did you mean OIDC_BEARER_AUDIENCE?",
        ),
        ({"OIDC_AUDIENCE": AUDIENCE}, "OIDC_AUDIENCE: unknown setting; did you mean OIDC_BEARER_AUDIENCE?"),
        ({"OIDC_INTROSPECT": "always"}, "OIDC_INTROSPECT: unknown setting; did you mean OIDC_BEARER_INTROSPECT?"),
        ({**MINIMAL, "OIDC_BEARER_DPOB": "a"}, "OIDC_BEARER_DPOB: unknown setting; did you mean OIDC_BEARER_DPOP?"),
        (
            {**MINIMAL, "OIDC_BEARER_ON_TOKEN": "a"},
            "OIDC_BEARER_ON_TOKEN: unknown setting; did you mean OIDC_BEARER_AUDIENCE?",
        ),
        (
            {**MINIMAL, "OIDC_BEARER_dpop": "require"},
            "OIDC_BEARER_dpop: unknown setting; did you mean OIDC_BEARER_DPOP?",
        ),
        (
            {"OIDC_BEARER_MTLS": "require", "OIDC_BEARER_DPOP": "require"},
            "OIDC_BEARER_AUDIENCE: missing; OIDC_BEARER_DPOP, OIDC_BEARER_MTLS needs it",
        ),
        ({"OIDC_BEARER_AUDIENCE": "*"}, "OIDC_BEARER_AUDIENCE: is compared exactly: '*' is not a wildcard; list the "
         "audiences"),
        ({**MINIMAL, "OIDC_BEARER_DPOP_NONCE": "yes"}, "OIDC_BEARER_DPOP_NONCE: must be true or false, got 'yes'"),
        (
            {**MINIMAL, "OIDC_BEARER_INTROSPECTION_CACHE": "1 h"},
            "OIDC_BEARER_INTROSPECTION_CACHE: must be a whole number of seconds, such as 3600, got '1 h'",
        ),
        (
            {**MINIMAL, "OIDC_BEARER_CLIENT_CERTIFICATE_HEADER": "client-cert"},
            "OIDC_BEARER_CLIENT_CERTIFICATE_HEADER: needs client_certificate_proxies, the addresses of the proxies "
            "that set it: otherwise, any client could send it",
        ),
        (
            {**MINIMAL, "OIDC_BEARER_INTROSPECT": "work"},
            "OIDC_BEARER_INTROSPECT: needs the setting providers; with the flat keywords, providers have no name: "
            "leave it out",
        ),
        ({"OIDC_BEARER_AUDIENCE_FILE": "/no/such"}, "OIDC_BEARER_AUDIENCE_FILE: the file cannot be read "
         "(FileNotFoundError); check that this path exists, and that this process may read it"),
        (
            {**MINIMAL, "OIDC_BEARER_AUDIENCE_FILE": "/no/such"},
            "OIDC_BEARER_AUDIENCE_FILE: set OIDC_BEARER_AUDIENCE or OIDC_BEARER_AUDIENCE_FILE, not both",
        ),
    ],
)  # fmt: skip
def test_a_problem_names_the_variable(environ, problem):
    """Whoever reads it looks at a deployment, not at code."""
    assert problems(environ) == (problem,)


@pytest.mark.parametrize("others", [{}, MINIMAL])
def test_no_provider_of_the_variables_is_called_bearer(others):
    """`OIDC_BEARER_PROVIDERS` and its kin could mean both."""
    found, problems = read_environment({"OIDC_PROVIDERS": "work,bearer", "OIDC_BEARER_ISSUER": "https://x", **others})

    assert "providers" not in found
    assert problems == [
        "OIDC_PROVIDERS: bearer cannot be the name of a provider here, because variables such as OIDC_BEARER_AUDIENCE "
        "are those of the setting bearer: rename the provider"
    ]


def test_a_provider_whose_name_begins_with_bearer_keeps_its_variables():
    """Only the very name collides."""
    environ = {
        "OIDC_PROVIDERS": "bearer-x",
        "OIDC_BEARER_X_ISSUER": "https://id.example.com",
        "OIDC_BEARER_X_CLIENT_ID": "web",
        **MINIMAL,
    }

    found, problems = read_environment(environ)

    assert problems == []
    assert list(found["providers"]) == ["bearer-x"]
    assert found["bearer"] == Bearer([AUDIENCE])
    (problem,) = read_environment({**environ, "OIDC_BEARER_X_TITEL": "X"})[1]
    assert problem == "OIDC_BEARER_X_TITEL: unknown setting; did you mean OIDC_BEARER_X_TITLE?"


def test_a_keyword_replaces_all_variables_of_bearer():
    """Keywords take precedence; a problem of the keyword does not name a variable."""
    environ = {**SITE, **MINIMAL, "OIDC_BEARER_INTROSPECT": "work"}

    OIDCMiddleware.from_env(app, environ=environ, bearer=Bearer(AUDIENCE))

    (problem,) = problems(environ, bearer=Bearer(AUDIENCE, introspect="other"))
    assert problem.startswith("bearer: introspect: needs the setting providers")


def test_what_bearer_lacks_is_not_guessed_while_its_variables_cannot_be_read():
    """One problem, not two."""
    assert len(problems({"OIDC_BEARER_AUDIENCE": "*"}, rules=[Rule("/x", credentials=["bearer"])])) == 1
