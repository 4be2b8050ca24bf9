"""The policy is closed by default, opened by `public`, and restricted by all rules that match."""

from collections.abc import Sequence
from typing import Any

import pytest

from asgi_oidc import Rule
from asgi_oidc.policy.policy import ALLOW, Decision, Policy, Refuse, StartLogin, StepUp, decide
from asgi_oidc.policy.requirements import Subject
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest
from asgi_oidc.web.request import Request, methods_of
from tests.settings.required_settings import read

NOW = 1_800_000_000
ADMIN = Subject({"roles": ["admin"], "email": "a@example.com", "email_verified": True}, ("read",), "mfa", NOW - 60)
PLAIN_USER = Subject({}, ())
SPA = "https://spa.example.com"


def policy(*rules: Rule, public: Sequence[str] | str = ()) -> Policy:
    return Policy(read(public=public).public, rules, base_path="")


def decision(policy: Policy, path: str, person: Subject | None = None, **scope: Any) -> Decision:
    made = {"type": "http", "method": "GET", "path": path, "headers": [], **scope}
    return decide(policy.match(made, Request(made).methods), person, now=NOW, leeway=30)


def why(said: Decision) -> str:
    assert isinstance(said, Refuse)
    return said.why


def test_a_path_without_a_pattern_needs_a_user_and_nothing_more():
    """Paths are closed by default."""
    assert decision(policy(), "/x") == StartLogin(ANY_LOGIN)
    assert decision(policy(), "/x", PLAIN_USER) == ALLOW


def test_all_rules_that_match_apply_together():
    """They are checked in the order in which they are given."""
    both = policy(Rule("/a/*", claims={"roles": "admin"}), Rule("/a/b", scopes=["read", "write"]))

    assert decision(both, "/a/x", ADMIN) == ALLOW
    assert why(decision(both, "/a/b", PLAIN_USER)) == "/a/* needs claims roles"
    assert decision(both, "/a/b", ADMIN) == Refuse("/a/b needs scopes write", ("read", "write"))
    assert decision(both, "/b", PLAIN_USER) == ALLOW


def test_an_anonymous_user_gets_one_login_for_all_matching_rules():
    """Users should not have to sign in twice in a row."""
    both = policy(Rule("/a/*", max_age=300), Rule("/a/b", acr_values=["mfa", "gold"], max_age=600))

    assert decision(both, "/a/b") == StartLogin(AuthenticationRequest(("mfa", "gold"), 300))
    assert decision(both, "/a/x") == StartLogin(AuthenticationRequest((), 300))
    assert decision(both, "/x") == StartLogin(ANY_LOGIN)


def test_a_login_that_is_too_weak_or_too_old_is_done_again():
    """The user has to step up (RFC 9470)."""
    strong = policy(Rule("/a/*", acr_values=["mfa"], max_age=300))

    assert decision(strong, "/a", ADMIN) == ALLOW
    assert decision(strong, "/a", Subject({}, (), "pwd", NOW)) == StepUp(AuthenticationRequest(("mfa",), 300))
    assert decision(strong, "/a", Subject({}, (), "mfa", NOW - 331)) == StepUp(AuthenticationRequest(("mfa",), 300))
    assert decision(strong, "/a", Subject({"acr": "mfa", "auth_time": NOW}, ())) == StepUp(
        AuthenticationRequest(("mfa",), 300)
    )


def test_a_user_without_the_right_is_not_sent_to_the_login():
    """Another login would not change the rights."""
    both = policy(Rule("/a", claims={"roles": "admin"}, max_age=1))

    assert why(decision(both, "/a", PLAIN_USER)) == "/a needs claims roles"


def test_contradictory_acr_values_let_nobody_in():
    """A login has a single `acr`."""
    both = policy(Rule("/a/*", acr_values=["a"]), Rule("/a/b", acr_values=["b"]))

    assert "no single login" in why(decision(both, "/a/b", ADMIN))
    assert decision(both, "/a/b") == StartLogin(ANY_LOGIN)


@pytest.mark.parametrize(
    ("public", "rule", "path", "is_open"),
    [
        (["/docs/*"], "/docs/internal/*", "/docs/x", True),
        (["/docs/*"], "/docs/internal/*", "/docs/internal/x", False),
        (["/docs/*"], "/docs/internal/*", "/docs/INTERNAL", False),
        (["/health"], "/*", "/health", True),
        (["/health"], "/*", "/x", False),
        (["/x"], "/x/*", "/x", True),
        (["/x/*"], "/x", "/x", False),
        (["/x/*"], "/x", "/x/y", True),
        ("everything-but-rules", "/admin/*", "/anything", True),
        ("everything-but-rules", "/admin/*", "/admin/x", False),
        ("everything-but-rules", "/admin/*", "//x", False),
    ],
)
def test_the_narrower_of_a_public_pattern_and_a_rule_wins(public, rule, path, is_open):
    """That is what developers expect. If both are equally narrow, the rule wins."""
    said = decision(policy(Rule(rule), public=public), path)

    assert (said == ALLOW) is is_open


def test_a_public_path_requires_nothing():
    """Rules for a wider path do not apply there, whether or not the user is signed in."""
    open_health = policy(Rule("/*", claims={"roles": "admin"}), public=["/health"])

    assert decision(open_health, "/health", PLAIN_USER) == ALLOW


@pytest.mark.parametrize(
    ("methods", "scope", "is_for"),
    [
        (["POST"], {"method": "POST"}, True),
        (["POST"], {"method": "GET"}, False),
        (["GET"], {"method": "HEAD"}, True),
        (["GET"], {"method": "get"}, True),
        (["GET"], {"method": "GET "}, True),
        (["HEAD"], {"method": "GET"}, False),
        (["DELETE"], {"method": "BREW"}, True),
        (["DELETE"], {"method": ""}, True),
        (["GET"], {"type": "websocket"}, True),
        (["WEBSOCKET"], {"type": "websocket"}, True),
        (["POST"], {"type": "websocket"}, False),
        (["WEBSOCKET"], {"method": "GET"}, False),
        (["DELETE"], {"method": "POST", "headers": [(b"X-HTTP-Method-Override", b"delete")]}, True),
        (["DELETE"], {"method": "POST", "headers": [(b"x_http_method_override", b"DELETE")]}, True),
        (["DELETE"], {"method": "POST", "headers": [(b"X-Http_Method-Override", b"DELETE")]}, True),
        (["DELETE"], {"method": "POST", "headers": [(b"x-method-override", b"nonsense")]}, True),
        (["DELETE"], {"method": "POST", "headers": [(b"x-method-override", b"DELETE, GET")]}, True),
        (["POST"], {"method": "POST", "headers": [(b"x-http-method", b"GET")]}, True),
        (["DELETE"], {"method": "POST", "headers": [(b"x-other", b"DELETE")]}, False),
    ],
)
def test_a_rule_for_methods_holds_for_all_that_a_request_may_be_taken_for(methods, scope, is_for):
    """No header can exempt a request from a rule."""
    said = decision(policy(Rule("/x", methods=methods, claims={"roles": "admin"})), "/x", PLAIN_USER, **scope)

    assert isinstance(said, Refuse) is is_for


def test_reading_may_be_free_and_writing_not():
    """A rule for some methods applies to the very path that is public."""
    blog = policy(Rule("/posts/*", methods=["POST", "DELETE"], claims={"roles": "admin"}), public=["/posts/*"])

    assert decision(blog, "/posts/1") == ALLOW
    assert decision(blog, "/posts/1", method="POST") == StartLogin(ANY_LOGIN)
    assert isinstance(decision(blog, "/posts/1", PLAIN_USER, method="DELETE"), Refuse)


def test_other_sites_may_call_what_a_rule_says_in_its_plain_spelling():
    """A permission needs one plain spelling; a restriction applies to all."""
    api = policy(Rule("/api/*", origins=[SPA]), Rule("/api/x", methods=["POST"], origins=["https://other.example.com"]))

    def origins(path: str, method: str = "GET", **scope: Any) -> set[str]:
        return set(api.match({"path": path, **scope}, methods_of(method)).origins)

    assert origins("/api/x") == {SPA}
    assert origins("/api/x", method="POST") == {SPA, "https://other.example.com"}
    assert origins("/api/x", "BREW") == {SPA}
    assert [origins(path) for path in ("/x", "/API/x", "/api//x", "/api/%78")] == [set()] * 4


def test_a_rule_with_origins_alone_leaves_public_what_is():
    """It only permits calls, and requires nothing."""
    assert decision(policy(Rule("/api/*", origins=[SPA]), public=["/api/open"]), "/api/open") == ALLOW


def test_a_rule_with_login_false_never_redirects():
    """It is for APIs; if several rules match, one such rule is enough."""
    api = policy(Rule("/api/*"), Rule("/api/v1/*", login=False))

    assert api.match({"path": "/api/x"}, ("GET",)).may_redirect
    assert not api.match({"path": "/api/v1"}, ("GET",)).may_redirect


def test_cached_policies_are_specific_to_the_scope():
    """Raw path, root path and method are part of the key."""
    one = policy(Rule("/admin", methods=["POST"]), public=["/admin"])

    for _ in range(2):
        assert decision(one, "/admin") == ALLOW
        assert decision(one, "/admin", method="POST") != ALLOW
        assert decision(one, "/admin", raw_path=b"/%61dmin") != ALLOW
        assert decision(one, "/admin", root_path="/admin") != ALLOW


@pytest.mark.parametrize(
    ("methods", "asked", "is_permitted"),
    [
        (["GET"], ("GET",), True),
        (["GET"], ("HEAD", "GET"), True),
        (["GET"], ("WEBSOCKET", "GET"), False),
        (["WEBSOCKET"], ("WEBSOCKET", "GET"), True),
        (["POST"], ("POST", "DELETE"), False),
        (["POST", "DELETE"], ("POST", "DELETE"), True),
        (["GET"], ("POST", "GET"), False),
        (["WEBSOCKET"], ("GET", "WEBSOCKET"), False),
        (["HEAD"], ("GET", "HEAD"), False),
        (["POST"], ("HEAD", "GET", "POST"), False),
    ],
)
def test_what_a_rule_permits_to_other_sites_is_for_its_methods_alone(methods, asked, is_permitted):
    """If the app may treat a request as another method, that method has to be permitted as well."""
    place = policy(Rule("/api/*", methods=methods, origins=[SPA])).match({"path": "/api/x"}, asked)

    assert (place.origins == {SPA}) is is_permitted
