"""A rule that is not clear does not let the app start."""

from typing import Any

import pytest

from asgi_oidc import Rule, SettingsError
from asgi_oidc.policy.rules import rule_of
from tests.settings.required_settings import problems, read


def wrong(*path: Any, **requirements: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        Rule(*path, **requirements)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("requirements", "problem"),
    [
        ({"methods": []}, "methods: is empty"),
        ({"methods": "GET"}, "methods: must be a list"),
        ({"methods": ["PSOT"]}, "methods: 'PSOT' is not an HTTP method or WEBSOCKET; did you mean 'POST'?"),
        ({"methods": ["get"]}, "methods: 'get' is not an HTTP method or WEBSOCKET; did you mean 'GET'?"),
        ({"claims": {"roles": []}}, "claims: 'roles': must be text"),
        ({"scopes": ["a b"]}, "scopes: must be a list of scopes"),
        ({"email_domains": ["@x"]}, "email_domains: '@x' is not a domain"),
        ({"acr_values": []}, "acr_values: must not be empty"),
        ({"max_age": -1}, "max_age: must be a whole number"),
        ({"login": "no"}, "login: must be True or False"),
        ({"check": "admins"}, "check: must be a function"),
        ({"origins": ["https://x.example/"]}, "origins: 'https://x.example/' is not an https origin"),
        ({"origins": ["*"]}, "origins: '*' is not an https origin"),
        ({"origins": []}, "origins: is empty"),
    ],
)
def test_an_invalid_requirement_is_refused_with_the_fix(requirements, problem):
    """A restriction that is silently dropped protects nothing."""
    assert wrong("/x/*", **requirements).startswith(f"Rule('/x/*'): {problem}")


@pytest.mark.parametrize("path", ["", "x", "/x/", "/x*", "/a//b", None])
def test_a_wrong_path_is_refused(path):
    """A rule that matches nothing protects nothing."""
    assert f"Rule({path!r}): path: {path!r} is not a path" in wrong(path)


def test_an_unknown_keyword_is_refused():
    """Python itself names it."""
    with pytest.raises(TypeError, match="role"):
        Rule("/x", role="admin")  # type: ignore[call-arg]  # what the test is about


def test_everything_that_is_wrong_is_told_at_once():
    """Developers should not have to start the app once for each mistake."""
    with pytest.raises(SettingsError) as caught:
        Rule("x", methods=[], scopes=[], max_age=-1)

    assert len(caught.value.problems) == 4


def test_a_rule_is_written_as_it_is_given():
    """Tables and errors show it; a function is shown by its name."""

    def is_on_duty(user: object) -> bool:
        return True

    rule = Rule("/x", methods=["GET"], claims={"roles": "a"}, login=False, check=is_on_duty)

    assert repr(rule).startswith("Rule('/x', methods=('GET',), claims={'roles': 'a'}, login=False, check=")
    assert repr(rule).endswith("is_on_duty)")
    assert repr(Rule("/y")) == "Rule('/y')"


def test_a_rule_closes_unless_it_only_names_origins():
    """`Rule("/x")` means that `/x` needs a user."""
    spa = ["https://spa.example.com"]

    assert [
        rule.closes for rule in (Rule("/x"), Rule("/x", origins=spa, login=False), Rule("/x", origins=spa, max_age=1))
    ]
    assert not Rule("/x", origins=spa).closes


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"claims": {"a": "b"}}, "expected an object with a path"),
        ("/x", "expected an object with a path"),
        ({"path": "/x", "role": "admin"}, "a rule has no member 'role'"),
        ({"path": "/x", "claim": {}}, "did you mean 'claims'?"),
        ({"path": "/x", "pattern": 1}, "a rule has no member 'pattern'"),
    ],
)
def test_a_rule_of_json_is_held_to_the_same(members, problem):
    """`OIDC_RULES` is written by hand as well."""
    with pytest.raises(ValueError, match=problem.replace("?", r"\?")):
        rule_of(members)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"rules": Rule("/x")}, "rules: must be a list"),
        ({"rules": ["/x"]}, "rules: expected a Rule such as Rule('/admin/*', claims={'roles': 'admin'}), got '/x'"),
        ({"rules": {"/x": {}}}, "rules: must be a list"),
        (
            {"rules": [Rule("/auth/*", login=False)]},
            "rules: Rule('/auth/*', login=False) is below /auth, where asgi-oidc has its own URLs",
        ),
        ({"rules": [Rule("/auth/login")]}, "is below /auth, where asgi-oidc has its own URLs: move the page"),
        ({"rules": [Rule("/o/x")], "auth_path": "/o"}, "is below /o, where asgi-oidc has its own URLs"),
        ({"rules": [Rule("/x")], "public": ["/x"]}, "needs a user, but public opens '/x'"),
        ({"rules": [Rule("/x/*", max_age=1)], "public": ["/x/*"]}, "needs a user, but public opens '/x/*'"),
        (
            {"rules": [Rule("/in/x")], "base_url": "https://app.example.com/in"},
            "paths are relative to base_url; write '/x'",
        ),
        (
            {"rules": [Rule("/x", acr_values=["pwd"])], "authorization_params": {"acr_values": ["gold"]}},
            "asks for none of the acr_values in authorization_params",
        ),
        ({"public": ["/in/x"], "base_url": "https://app.example.com/in"}, "public: '/in/x' can never match"),
        (
            {"public": ["/in/*"], "base_url": "https://app.example.com/in"},
            "relative to base_url; write 'everything-but-rules'",
        ),
        (
            {"rules": [Rule("/x/*", acr_values=["a"]), Rule("/x/y", acr_values=["b"], methods=["POST"])]},
            "no single login satisfies the acr_values of both",
        ),
        ({"rules": [Rule("/x", acr_values=["a"]), Rule("/x", acr_values=["b"])]}, "match the same page"),
        ({"public": ["/*"]}, "public: '/*' would open every path"),
        ({"public": "/*"}, "public: must be a list of paths"),
        ({"public": ["everything-but-rules", "/x"]}, "public: 'everything-but-rules' is not a path"),
    ],
)
def test_what_can_never_match_or_opens_everything_is_refused(settings, problem):
    """The middleware sees `public` and `rules` together, so it can tell."""
    (told,) = problems(**settings)

    assert problem in told


@pytest.mark.parametrize(
    "settings",
    [
        {"rules": [Rule("/x", methods=["POST"])], "public": ["/x"]},
        {"rules": [Rule("/x")], "public": ["/x/*"]},
        {"rules": [Rule("/x", origins=["https://spa.example.com"])], "public": ["/x"]},
        {"rules": [Rule("/authors/*")]},
        {"rules": [Rule("/x", acr_values=["gold"])], "authorization_params": {"acr_values": "silver gold"}},
        {"rules": [Rule("/x", acr_values=["a"]), Rule("/x/y", acr_values=["b"])]},
        {"rules": [Rule("/x/*", acr_values=["a"]), Rule("/xy", acr_values=["b"])]},
        {"rules": [Rule("/x/*", acr_values=["a"]), Rule("/x/y", acr_values=["b", "a"])]},
        {"rules": [Rule("/x", acr_values=[each], methods=[each]) for each in ("GET", "POST")]},
        {"public": "everything-but-rules", "rules": [Rule("/x/*")]},
        {"public": ["everything-but-rules"]},
    ],
)
def test_what_makes_sense_together_is_taken(settings):
    """For example, reading may be public while posting needs a user."""
    assert read(**settings)
