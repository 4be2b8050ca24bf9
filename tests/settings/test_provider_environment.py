"""Several providers, described by variables alone."""

from typing import Any

import pytest

from asgi_oidc import OIDCMiddleware, Provider, Rule, SettingsError
from asgi_oidc.settings.environment import read_environment
from asgi_oidc.testing import Browser
from tests.settings.required_settings import SECRET

CLIENT_SECRET = "s3cret-of-the-client"
SITE = {"OIDC_BASE_URL": "https://app.example.com", "OIDC_SECRET": SECRET}
GOOGLE = {"OIDC_GOOGLE_ISSUER": "https://accounts.google.com", "OIDC_GOOGLE_CLIENT_ID": "g"}
WORK = {"OIDC_WORK_DE_ISSUER": "https://id.example.com", "OIDC_WORK_DE_CLIENT_ID": "w"}
TWO = {**SITE, "OIDC_PROVIDERS": "google, work-de", **GOOGLE, **WORK}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


def providers_of(environ: dict[str, str]) -> dict[str, Any]:
    """Return the providers that the variables describe."""
    found, problems = read_environment(environ)
    assert problems == []
    providers: dict[str, Any] = found["providers"]
    return providers


def problems_of(environ: dict[str, str], **settings: Any) -> tuple[str, ...]:
    """Return what is wrong with the variables."""
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware.from_env(app, environ=environ, **settings)
    assert CLIENT_SECRET not in str(caught.value)
    return caught.value.problems


def test_each_provider_has_its_own_variables():
    """Upper case, and `_` for `-`, because a shell takes nothing else."""
    providers = providers_of(TWO)

    assert {name: (each.settings.issuer, each.settings.client.client_id) for name, each in providers.items()} == {
        "google": ("https://accounts.google.com", "g"),
        "work-de": ("https://id.example.com", "w"),
    }


async def test_a_login_starts_at_the_provider_of_the_variables():
    """The whole way: from the variables to the provider's address, and its own redirect URI."""
    metadata = (
        '{"authorization_endpoint": "https://id.example.com/authorize", "token_endpoint": '
        '"https://id.example.com/token", "jwks_uri": "https://id.example.com/keys"}'
    )
    middleware = OIDCMiddleware.from_env(app, environ={**TWO, "OIDC_WORK_DE_METADATA": metadata})
    browser = Browser(middleware, "https://app.example.com", {})

    response = await browser.get("/auth/login?provider=work-de", follow=False)

    assert response.status_code in (302, 303)
    assert response.headers["location"].startswith("https://id.example.com/authorize?")
    assert "redirect_uri=https%3A%2F%2Fapp.example.com%2Fauth%2Fcallback%2Fwork-de" in response.headers["location"]


def test_every_setting_of_a_provider_is_read_as_for_a_single_one(tmp_path):
    """Lists, mappings, switches and files."""
    (tmp_path / "secret").write_text(f"{CLIENT_SECRET}\n")
    own = {
        "TITLE": "My company",
        "CLIENT_SECRET_FILE": str(tmp_path / "secret"),
        "SCOPE": "openid groups",
        "AUTHORIZATION_PARAMS": '{"prompt": "login"}',
        "FRONTCHANNEL_LOGOUT": "true",
        "TRUSTED_AUDIENCES": "a,b",
    }

    settings = providers_of({**TWO, **{f"OIDC_GOOGLE_{name}": text for name, text in own.items()}})["google"].settings

    assert (settings.title, settings.client.secret, settings.scope) == ("My company", CLIENT_SECRET, "openid groups")
    assert settings.authorization_params == {"prompt": "login"}
    assert settings.frontchannel_logout
    assert settings.trusted_audiences == ("a", "b")


def test_the_names_may_stand_in_a_file(tmp_path):
    """As every other variable may."""
    (tmp_path / "names").write_text("google\nwork-de\n")
    environ = {name: text for name, text in TWO.items() if name != "OIDC_PROVIDERS"}

    assert list(providers_of({**environ, "OIDC_PROVIDERS_FILE": str(tmp_path / "names")})) == ["google", "work-de"]


@pytest.mark.parametrize(
    ("changes", "variable", "fix"),
    [
        ({"OIDC_GOOGLE_ISUER": "x"}, "OIDC_GOOGLE_ISUER", "unknown setting; did you mean OIDC_GOOGLE_ISSUER?"),
        ({"OIDC_GOOGLE_BASE_URL": "x"}, "OIDC_GOOGLE_BASE_URL", "unknown setting"),
        ({"OIDC_GOOGLE_HTTP_CLIENT": "x"}, "OIDC_GOOGLE_HTTP_CLIENT", "unknown setting"),
        ({"OIDC_GOOGLE_": "x"}, "OIDC_GOOGLE_", "unknown setting"),
        ({"OIDC_google_SCOPE": "x"}, "OIDC_google_SCOPE", "unknown setting"),
        ({"OIDC_GOOGLE_scope": "openid"}, "OIDC_GOOGLE_scope", "unknown setting"),
        ({"OIDC_WORK_SCOPE": "x"}, "OIDC_WORK_SCOPE", "If it is for a provider, add work to OIDC_PROVIDERS"),
        ({"OIDC_GOOGLE_CLIENT_ID": ""}, "OIDC_GOOGLE_CLIENT_ID", "missing; set it to the client id"),
        ({"OIDC_WORK_DE_ISSUER": ""}, "OIDC_WORK_DE_ISSUER", "missing; set it to the provider's issuer URL"),
        ({"OIDC_GOOGLE_ISSUER": "http://x.example"}, "OIDC_GOOGLE_ISSUER", "must use https"),
        ({"OIDC_GOOGLE_METADATA": "["}, "OIDC_GOOGLE_METADATA", "must be a JSON object"),
        ({"OIDC_GOOGLE_METADATA": '{"token_endpoint": 7}'}, "OIDC_GOOGLE_METADATA", "token_endpoint"),
        ({"OIDC_GOOGLE_CLIENT_SECRET_FILE": "/no/such"}, "OIDC_GOOGLE_CLIENT_SECRET_FILE", "cannot be read"),
        ({"OIDC_GOOGLE_CLIENT_ID": "", "OIDC_GOOGLE_CLIENT_ID_FILE": "/no"}, "OIDC_GOOGLE_CLIENT_ID_FILE", "read"),
        ({"OIDC_GOOGLE_FRONTCHANNEL_LOGOUT": "maybe"}, "OIDC_GOOGLE_FRONTCHANNEL_LOGOUT", "must be true or false"),
        (
            {"OIDC_GOOGLE_CLIENT_AUTH": "client_secret_post"},
            "OIDC_GOOGLE_CLIENT_SECRET",
            "missing; client_auth='client_secret_post' needs it",
        ),
        ({"OIDC_GOOGLE_TYPE": "gogle"}, "OIDC_GOOGLE_TYPE", "must be one of openid, google"),
        ({"OIDC_GOOGLE_TYPE": "gogle"}, "OIDC_GOOGLE_TYPE", "got text of 5 characters; did you mean google?"),
        ({"OIDC_GOOGLE_TYPE_FILE": "/no/such/file"}, "OIDC_GOOGLE_TYPE_FILE", "cannot be read"),
        ({"OIDC_PROVIDERS": "google,work-de,google"}, "OIDC_PROVIDERS", "names google twice: remove one"),
        ({"OIDC_PROVIDERS": "Google,work-de"}, "OIDC_PROVIDERS", "is not a valid name of a provider"),
        ({"OIDC_PROVIDERS": ","}, "OIDC_PROVIDERS", "is empty: name at least one provider"),
        (
            {"OIDC_GOOGLE_ISSUER": "https://id.example.com", "OIDC_GOOGLE_CLIENT_ID": "w"},
            "OIDC_PROVIDERS",
            "google and work-de are the same client",
        ),
        (
            {"OIDC_PROVIDERS": "google,work-de,work_de"},
            "OIDC_PROVIDERS",
            "work-de and work_de share the variables OIDC_WORK_DE_...: rename one of them",
        ),
        ({"OIDC_PROVIDERS": "google,work-de", "OIDC_PROVIDERS_FILE": "/x"}, "OIDC_PROVIDERS_FILE", "not both"),
        ({"OIDC_ISSUER": "https://x.example"}, "OIDC_ISSUER", "remove it: with OIDC_PROVIDERS, each provider has its"),
        ({"OIDC_CLIENT_SECRET": CLIENT_SECRET}, "OIDC_CLIENT_SECRET", "its own (OIDC_NAME_CLIENT_SECRET)"),
    ],
    ids=str,
)
def test_a_mistake_is_named_by_its_variable(changes, variable, fix):
    """Whoever deploys the app knows the variables, and may never have seen its code."""
    problems = problems_of({**TWO, **changes})

    assert [problem for problem in problems if problem.startswith(f"{variable}: ") and fix in problem], problems
    assert len(problems) == 1 or changes.keys() & {"OIDC_PROVIDERS"}


def test_all_mistakes_are_told_at_once():
    """One start-up, one list."""
    wrong = {"OIDC_GOOGLE_CLIENT_ID": "", "OIDC_WORK_DE_SCOPE": "email", "OIDC_ISSUER": "https://x.example"}

    assert [problem.partition(":")[0] for problem in problems_of({**TWO, **wrong})] == [
        "OIDC_GOOGLE_CLIENT_ID",
        "OIDC_WORK_DE_SCOPE",
        "OIDC_ISSUER",
    ]


@pytest.mark.parametrize(
    "unreadable",
    [
        {"OIDC_GOOGLE_CLIENT_ID": "", "OIDC_GOOGLE_CLIENT_ID_FILE": "/no/such/file"},
        {"OIDC_GOOGLE_ISSUER": "", "OIDC_GOOGLE_TYPE_FILE": "/no/such/file"},
        {"OIDC_GOOGLE_ALGORITHMS_FILE": "/no/such/file"},
    ],
    ids=str,
)
def test_a_variable_that_cannot_be_read_is_one_problem(unreadable):
    """Nothing follows from it, neither for the provider nor for the rules that name it."""
    problems = problems_of({**TWO, **unreadable}, rules=[Rule("/x", providers=["google"])])

    assert [problem.partition(":")[0] for problem in problems] == [list(unreadable)[-1]]


def test_variables_of_providers_that_are_not_listed_are_unknown():
    """Without the list, nobody would notice a provider that is missing."""
    found, problems = read_environment(GOOGLE)

    assert found == {}
    assert problems[0] == (
        "OIDC_GOOGLE_ISSUER: unknown setting; did you mean OIDC_ISSUER? If it is for a provider, add google to "
        "OIDC_PROVIDERS"
    )


def test_names_that_begin_alike_keep_their_variables_apart():
    """`OIDC_A_CLIENT_ID` is the client id of `a`: `a_client` has no setting `id`."""
    issuers = {f"OIDC_{name}_ISSUER": "https://id.example.com" for name in ("A", "A_CLIENT")}
    clients = {"OIDC_A_CLIENT_ID": "x", "OIDC_A_CLIENT_CLIENT_ID": "y"}

    providers = providers_of({"OIDC_PROVIDERS": "a,a_client", **issuers, **clients})

    assert [each.settings.client.client_id for each in providers.values()] == ["x", "y"]


def test_keywords_replace_the_providers_of_the_variables():
    """As they replace every other variable."""
    own = {"only": Provider(issuer="https://only.example", client_id="o")}

    OIDCMiddleware.from_env(app, environ=TWO, providers=own, rules=[Rule("/x", providers=["only"])])

    (problem,) = problems_of({**TWO, "OIDC_GOOGLE_SCOPE": "email"}, providers=own)
    assert problem.startswith("OIDC_GOOGLE_SCOPE: ")


def test_flat_keywords_beside_the_variables_of_several_providers_are_refused():
    """Which of them would sign the user in?"""
    (problem,) = problems_of(TWO, issuer="https://x.example")

    assert problem.startswith("issuer: remove it: with OIDC_PROVIDERS")


def test_no_secret_stands_in_an_error():
    """It may be in a variable with a wrong name, or beside one that is wrong."""
    environ = {**TWO, "OIDC_GOOGLE_CLIENT_SECRET": CLIENT_SECRET, "OIDC_GOOGLE_CLIENT_SECRT": CLIENT_SECRET}

    assert len(problems_of({**environ, "OIDC_PROVIDERS": f"google,work-de,{CLIENT_SECRET}.", "OIDC_LEEWAY": "x"})) == 3
