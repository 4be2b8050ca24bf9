"""Every setting has its variable, and a secret may stand in a file."""

from pathlib import Path
from typing import Any

import pytest

from asgi_oidc import OIDCMiddleware, Rule, SettingsError
from asgi_oidc.settings.environment import read_environment
from asgi_oidc.settings.settings import READERS
from asgi_oidc.settings.variable_values import MAX_FILE_SIZE, PARSERS
from tests.settings.required_settings import OTHER_SECRET, REQUIRED, SECRET

ENVIRON = {
    "OIDC_ISSUER": "https://id.example.com",
    "OIDC_CLIENT_ID": "web",
    "OIDC_BASE_URL": "https://app.example.com",
    "OIDC_SECRET": SECRET,
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Do nothing."""


def problems(**environ: str) -> tuple[str, ...]:
    return tuple(read_environment(environ)[1])


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("ISSUER", "https://id.example.com", "https://id.example.com"),
        ("CLIENT_ID", "web", "web"),
        ("CLIENT_SECRET", "a,b", "a,b"),
        ("BASE_URL", "https://app.example.com", "https://app.example.com"),
        ("BASE_URL", "https://a.example, https://b.example", ["https://a.example", "https://b.example"]),
        ("SECRET", SECRET, [SECRET]),
        ("SECRET", f"{SECRET},{OTHER_SECRET}", [SECRET, OTHER_SECRET]),
        ("SCOPE", "openid email", "openid email"),
        ("PUBLIC", "/,/static/*", ["/", "/static/*"]),
        ("PUBLIC", " / , /static/* ,", ["/", "/static/*"]),
        ("PUBLIC", "/\n/static/*\n", ["/", "/static/*"]),
        ("PLAIN_PREFIXES", "/admin,/a/b", ["/admin", "/a/b"]),
        ("PLAIN_PREFIXES", "[]", []),
        ("AUTH_PATH", "/oidc", "/oidc"),
        ("AUTHORIZATION_PARAMS", '{"prompt":"login","max_age":60}', {"prompt": "login", "max_age": 60}),
        ("CLIENT_AUTH", "none", "none"),
        ("STORE", "redis+cluster://a:6379,b:6379", "redis+cluster://a:6379,b:6379"),
        ("SESSION_IDLE", "60", 60),
        ("SESSION_LIFETIME", "600", 600),
        ("LEEWAY", "5", 5),
        ("RECHECK", "300", 300),
        ("POST_LOGOUT_REDIRECT_URI", "https://x", "https://x"),
        ("USERINFO", "never", "never"),
        ("TRUSTED_AUDIENCES", "a,b", ["a", "b"]),
        ("ALGORITHMS", "RS256,ES256", ["RS256", "ES256"]),
        ("ALLOW_HTTP_HOSTS", "keycloak, 10.0.0.7", ["keycloak", "10.0.0.7"]),
        ("ALLOW_MISSING_NONCE", "true", True),
        ("ALLOW_MISSING_PKCE", "true", True),
        ("ALLOW_CODE_INJECTION", "true", True),
        ("ALLOW_MISSING_ACCESS_TOKEN", "true", True),
        ("ALLOW_HS256", "true", True),
        ("ALLOW_AZP_AUDIENCES", "true", True),
        ("RULES", '[{"path":"/x","claims":{"a.b":["c",1]}}]', [Rule("/x", claims={"a.b": ["c", 1]})]),
        ("KEEP_FORMS", "true", True),
        ("WEBSOCKET_ACTIVITY", "true", True),
        ("KEEP_FRAGMENT", "0", False),
        ("METADATA", '{"jwks_uri":"https://x"}', {"jwks_uri": "https://x"}),
        ("TEXTS", '{"lang":"de"}', {"lang": "de"}),
    ],
)
def test_a_variable_is_read(variable, text, value):
    """Lists with commas, mappings as JSON, numbers as numbers."""
    assert read_environment({f"OIDC_{variable}": text}) == ({variable.lower(): value}, [])


def test_every_setting_but_the_objects_has_a_variable():
    """A client and a function cannot be written as text."""
    names = {"http_client", "on_login", "on_event", "choose_provider", "bearer", "pages"}
    assert set(READERS) - set(PARSERS) == names


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_every_variable_may_stand_in_a_file(name, tmp_path):
    """As Docker and Kubernetes mount secrets; the newline at the end is not part of it."""
    numbers = dict.fromkeys(("leeway", "max_cookie_header", "recheck", "session_idle", "session_lifetime"), "30")
    names = (
        "claims_from_access_token",
        "frontchannel_logout",
        "hide_cookies",
        "keep_forms",
        "keep_fragment",
        "request_object",
        "websocket_activity",
    )
    allowed = [name for name in PARSERS if name.startswith("allow_") and name != "allow_http_hosts"]
    switches = dict.fromkeys((*names, *allowed), "true")
    text = {
        "metadata": "{}",
        "claims": "{}",
        "texts": "{}",
        "app_colors": "{}",
        "authorization_params": "{}",
        "rules": "[]",
        "authorization_details": "[]",
        **switches,
        **numbers,
    }
    path = tmp_path / "value"
    path.write_text(text.get(name, "value") + "\n")

    found = read_environment({f"OIDC_{name.upper()}_FILE": str(path)})

    assert found == read_environment({f"OIDC_{name.upper()}": text.get(name, "value")})


def test_other_and_empty_variables_are_ignored():
    """An empty variable is how compose files say "not set"."""
    assert read_environment({"PATH": "/bin", "OIDC_SCOPE": "", "OIDCX": "1", "oidc_scope": "x"}) == ({}, [])


@pytest.mark.parametrize(
    ("variable", "text", "fix"),
    [
        ("OIDC_ISUER", "x", "did you mean OIDC_ISSUER?"),
        ("OIDC_CLIENTSECRET_FILE", "x", "did you mean OIDC_CLIENT_SECRET_FILE?"),
        ("OIDC_HTTP_CLIENT", "x", "unknown setting"),
        ("OIDC_issuer", "x", "unknown setting"),
        ("OIDC_", "x", "unknown setting"),
        ("OIDC__FILE", "x", "unknown setting"),
        ("OIDC_LEEWAY", "soon", "a whole number"),
        ("OIDC_LEEWAY", "1.5", "a whole number"),
        ("OIDC_SESSION_IDLE", "1h", "a whole number of seconds, such as 3600, got '1h'"),
        ("OIDC_METADATA", "{", "a JSON object"),
        ("OIDC_METADATA", "[]", "a JSON object"),
        ("OIDC_AUTHORIZATION_PARAMS", '{"a":' * 5000, "a JSON object"),
    ],
    ids=lambda value: value[:40],
)
def test_a_wrong_variable_is_refused_with_a_fix(variable, text, fix):
    """By its own name, as the person who set it knows it."""
    (problem,) = problems(**{variable: text})

    assert problem.startswith(f"{variable}: ")
    assert fix in problem


@pytest.mark.parametrize(
    ("content", "fix"),
    [
        (None, "cannot be read (FileNotFoundError); check that this path exists"),
        (b"\xff\xfe", "cannot be read (UnicodeDecodeError)"),
        (b"", "must not be empty"),
        (b" \n", "empty"),
        (b"x" * (MAX_FILE_SIZE + 1), "larger than 65536 bytes"),
    ],
    ids=["missing", "binary", "empty", "blank", "large"],
)
def test_a_file_that_holds_no_setting_is_refused(tmp_path: Path, content, fix):
    """An empty secret must not pass for none."""
    path = tmp_path / "s3cret"
    if content is not None:
        path.write_bytes(content)

    (problem,) = problems(OIDC_SECRET_FILE=str(path))

    assert problem.startswith("OIDC_SECRET_FILE: the file ")
    assert fix in problem


def test_a_folder_is_no_file(tmp_path):
    """A mount that went wrong."""
    assert "IsADirectoryError" in problems(OIDC_SECRET_FILE=str(tmp_path))[0]


@pytest.mark.parametrize("order", [1, -1])
def test_a_variable_and_its_file_together_are_refused(tmp_path, order):
    """Which of the two would count?"""
    (tmp_path / "secret").write_text(SECRET)
    both = {"OIDC_SECRET": SECRET, "OIDC_SECRET_FILE": str(tmp_path / "secret")}

    (problem,) = problems(**dict(list(both.items())[::order]))

    assert "set OIDC_SECRET or OIDC_SECRET_FILE, not both" in problem


def test_one_error_lists_all_that_is_wrong_with_the_variables():
    """Fixing one after the other, with a deploy in between, is no fun."""
    assert len(problems(OIDC_A="1", OIDC_LEEWAY="x", OIDC_SECRET_FILE="/does/not/exist")) == 3


def test_wrong_variables_and_wrong_values_stand_in_one_error():
    """A misspelt variable and a missing setting are often the same mistake."""
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware.from_env(
            app, environ={**ENVIRON, "OIDC_BASE_URL": "", "OIDC_BASEURL": "https://app.example.com"}
        )

    assert len(caught.value.problems) == 2
    assert "did you mean OIDC_BASE_URL?" in str(caught.value)
    assert "base_url (OIDC_BASE_URL): missing; " in str(caught.value)


def test_a_middleware_is_made_from_the_environment():
    """And keywords win over it."""
    middleware = OIDCMiddleware.from_env(app, environ=ENVIRON, base_url="https://other.example.com")

    assert middleware.app is app


def test_what_the_environment_says_is_checked_like_any_setting():
    """A short secret is short wherever it comes from."""
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware.from_env(app, environ={**ENVIRON, "OIDC_SECRET": "short", "OIDC_LEEWAY": "1000"})

    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["OIDC_SECRET", "OIDC_LEEWAY"]


def test_no_value_of_a_variable_stands_in_an_error():
    """It may be a secret under a wrong name."""
    assert "s3cret" not in str(problems(OIDC_CLIENT_SECRT="s3cret", OIDC_LEEWAY="s3cret", OIDC_METADATA="s3cret"))
    assert REQUIRED["client_secret"] not in str(problems(OIDC_CLIENT_SECRT=REQUIRED["client_secret"]))


def test_all_that_is_wrong_with_rules_is_told_at_once():
    """One start-up, one list."""
    text = '[{"path": "/a", "max_age": "300"}, {"path": "x"}, 7, {"path": "/b", "role": 1}]'

    found, (problem,) = read_environment({"OIDC_RULES": text})

    assert found == {}
    for part in (
        "max_age: must be",
        "'x' is not a path",
        "expected an object with a path",
        "a rule has no member 'role'",
    ):
        assert part in problem
    assert read_environment({"OIDC_RULES": "{}"})[1] == [
        'OIDC_RULES: must be a JSON list of objects such as [{"path": "/admin/*"}]'
    ]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("ISSUER", "http://id.example.com", "must use https"),
        ("CLIENT_SECRET", "a\nb", "must be on one line"),
        ("LEEWAY", "1000", "from 0 to 300, got 1000"),
        ("PUBLIC", "/*", "would open every path"),
        ("STORE", "mongodb://user:s3cret@host", "must be a URL such as redis://"),
        ("CLIENT_AUTH", "none", "is for public clients"),
        ("METADATA", '{"token_endpoint":7}', "token_endpoint"),
        ("RULES", '[{"path":"/auth/x"}]', "is below /auth"),
    ],
)
@pytest.mark.parametrize("suffix", ["", "_FILE"])
def test_an_error_names_the_variable_that_was_set(tmp_path, name, text, words, suffix):
    """Whoever deploys the app knows the variable, and may never have seen its code."""
    (tmp_path / "value").write_text(text)
    variable = f"OIDC_{name}{suffix}"
    others = {**ENVIRON, "OIDC_CLIENT_SECRET": "x"}
    others.pop(f"OIDC_{name}", None)
    environ = {**others, variable: str(tmp_path / "value") if suffix else text}

    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware.from_env(app, environ=environ)

    (problem,) = caught.value.problems
    assert problem.startswith(f"{variable}: ")
    assert words in problem


def test_an_error_names_the_keyword_that_was_given():
    """It wins over the variable, so the variable is not to blame."""
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware.from_env(app, environ={**ENVIRON, "OIDC_LEEWAY": "1000"}, leeway=2000, scop="openid")

    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["scop", "leeway"]


def test_a_missing_setting_is_named_with_its_keyword_and_variable():
    """Nobody can tell how it should have come."""
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware.from_env(app, environ={})

    named = [problem.partition(": missing; ")[0] for problem in caught.value.problems]
    assert named == [
        "issuer (OIDC_ISSUER)",
        "client_id (OIDC_CLIENT_ID)",
        "base_url (OIDC_BASE_URL)",
        "secret (OIDC_SECRET)",
    ]


def test_a_variable_that_cannot_be_read_is_not_missing_as_well():
    """One mistake, one line."""
    environ = {name: value for name, value in ENVIRON.items() if name != "OIDC_SECRET"}

    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware.from_env(app, environ={**environ, "OIDC_SECRET_FILE": "/nowhere/secret"})

    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["OIDC_SECRET_FILE"]
