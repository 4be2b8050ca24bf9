"""A requirement is met by exactly the values that it names, and by nothing that looks similar."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc import Rule
from asgi_oidc.events import MAX_FIELD_LENGTH
from asgi_oidc.integrations.route_checks import RequirementKeywords
from asgi_oidc.policy.checks import passes, read_check
from asgi_oidc.policy.requirements import Requirements, Subject, read_requirements
from asgi_oidc.principal import User

ALICE = User("alice", "https://id.example.com", {})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)

EXAMPLES: dict[str, Any] = {
    "claims": {"roles": "admin"},
    "scopes": ["read"],
    "email_domains": ["example.com"],
    "providers": ["work"],
    "credentials": ["bearer"],
    "machines": True,
    "client_ids": ["cli"],
}


def unmet(claims: Any, scopes: tuple[str, ...] = (), /, **requirements: Any) -> str | None:
    return read_requirements(**requirements).unmet(Subject(claims, scopes))


@pytest.mark.parametrize("name", [field.name for field in fields(Requirements)])
def test_every_requirement_closes_its_path_and_refuses_a_user_who_lacks_it(name):
    """A new requirement that is not checked anywhere would grant access to every user."""
    rule = Rule("/x", **{name: EXAMPLES[name]})

    assert (rule.closes, rule.requirements.has_any) == (True, True)
    assert rule.requirements.unmet(Subject({}, ())) is not None


def test_routes_can_require_what_rules_can():
    """The integrations take the same keywords."""
    assert set(RequirementKeywords.__annotations__) == {*EXAMPLES, "acr_values", "max_age"}


@pytest.mark.parametrize(
    ("required", "claims"),
    [
        ({"roles": "admin"}, {"roles": "admin"}),
        ({"roles": "admin"}, {"roles": ["user", "admin"]}),
        ({"roles": ["admin", "owner"]}, {"roles": ["owner"]}),
        ({"realm_access.roles": "admin"}, {"realm_access": {"roles": ["admin"]}}),
        ({("a.b", "c"): "x"}, {"a.b": {"c": "x"}}),
        ({"https://example.com/roles": "x"}, {"https://example.com/roles": ["x"]}),
        ({"level": 3}, {"level": 3}),
        ({"level": [1, 2, 3]}, {"level": [3]}),
        ({"is_staff": True}, {"is_staff": True}),
        ({"a": "1", "b": "2"}, {"a": "1", "b": ["2"]}),
    ],
)
def test_a_claim_that_equals_or_contains_the_value_meets_the_requirement(required, claims):
    """The values of one claim are ORed; claims are ANDed."""
    assert unmet(claims, claims=required) is None


@pytest.mark.parametrize(
    ("required", "claims"),
    [
        ({"roles": "admin"}, {}),
        ({"roles": "admin"}, {"roles": None}),
        ({"roles": "admin"}, {"roles": "administrator"}),
        ({"roles": "admin"}, {"roles": "user admin"}),
        ({"roles": "admin"}, {"roles": "user,admin"}),
        ({"roles": "admin"}, {"roles": "Admin"}),
        ({"roles": "admin"}, {"roles": {"admin": True}}),
        ({"roles": "admin"}, {"roles": [["admin"]]}),
        ({("a", "b"): "x"}, {"a.b": "x"}),
        ({"a.b": "x"}, {"a": "b"}),
        ({"a.b": "x"}, {"a": ["b"]}),
        ({"a.b": "x"}, {"a": {"b": None}}),
        ({"is_staff": True}, {"is_staff": 1}),
        ({"is_staff": True}, {"is_staff": "true"}),
        ({"level": 1}, {"level": True}),
        ({"level": 1}, {"level": "1"}),
        ({"a": "1", "b": "2"}, {"a": "1"}),
    ],
)
def test_a_claim_that_is_missing_or_odd_does_not(required, claims):
    """A claim of an unexpected type is no error either."""
    assert str(unmet(claims, claims=required)).startswith("claims ")


@pytest.mark.parametrize(
    ("requirements", "claims", "missing"),
    [
        ({"claims": {"realm_access.roles": "admin"}}, {}, "realm_access"),
        ({"claims": {"realm_access.roles": "admin"}}, {"realm_access": {}}, "realm_access.roles"),
        ({"claims": {"a.b.c": "x"}}, {"a": {"b": 7}}, "a.b.c"),
        ({"claims": {("a.b", "c"): "x"}}, {"a": {}}, "a.b"),
        ({"claims": {("a.b", "c"): "x"}}, {"a.b": {"c": "y"}}, None),
        ({"claims": {"a.b": "x"}}, {"a.b": "y"}, None),
        ({"claims": {"roles": "admin"}}, {"roles": None}, None),
        ({"claims": {"roles": "admin"}}, {"roles": []}, None),
        ({"claims": {"a": "x", "b": "y"}}, {"a": "x"}, "b"),
        ({"email_domains": ["example.com"]}, {}, "email"),
        ({"email_domains": ["example.com"]}, {"email": "a@example.com"}, "email_verified"),
        ({"email_domains": ["example.com"]}, {"email": "a@example.com", "email_verified": False}, None),
        ({"email_domains": ["example.com"]}, {"email": "a@x.org", "email_verified": True}, None),
        ({"scopes": ["read"]}, {}, None),
    ],
)
def test_a_claim_that_is_missing_is_told_apart_from_one_with_another_value(requirements, claims, missing):
    """The hint names the claim that the provider does not send, so that it can be configured. No value is logged."""
    hint = read_requirements(**requirements).hint(Subject(claims, ()))

    assert hint == (None if missing is None else f"this session has no claim {missing}")


@pytest.mark.parametrize(
    ("claims", "is_overage"),
    [
        ({"_claim_names": {"groups": "src1"}}, True),
        ({"hasgroups": True}, True),
        ({"_claim_names": {"groups": "src1"}, "groups": ["other"]}, None),
        ({"_claim_names": {"address": "src1"}}, False),
        ({}, False),
    ],
)
def test_group_overage_is_not_reported_as_having_no_groups(claims, is_overage):
    """The hint names the overage and the fix, in full: the log cuts longer texts."""
    hint = read_requirements(claims={"groups": "staff"}).hint(Subject(claims, ()))

    if is_overage is None:
        assert hint is None
        return
    assert hint is not None
    assert (len(hint) <= MAX_FIELD_LENGTH, "group overage" in hint, "app roles" in hint) == (
        True,
        is_overage,
        is_overage,
    )


def test_another_claim_is_not_one_of_the_groups():
    """An overage explains nothing else."""
    hint = read_requirements(claims={"roles": "admin"}).hint(Subject({"_claim_names": {"groups": "src1"}}, ()))

    assert hint == "this session has no claim roles"


def test_all_scopes_are_needed():
    """The log names the missing scopes."""
    assert unmet({}, ("a", "b", "c"), scopes=["a", "b"]) is None
    assert unmet({}, ("a",), scopes=["a", "b", "c"]) == "scopes b c"


@pytest.mark.parametrize(
    ("email", "verified", "is_met"),
    [
        ("alice@example.com", True, True),
        ("alice@EXAMPLE.com", True, True),
        ("alice@other.org", True, True),
        ("alice@example.com", False, False),
        ("alice@example.com", None, False),
        ("alice@example.com", "true", True),
        ("alice@example.com", "True", False),
        ("alice@example.com", "TRUE", False),
        ("alice@example.com", " true", False),
        ("alice@example.com", "1", False),
        ("alice@example.com", ["true"], False),
        ("alice@example.com", 1, False),
        ("attacker@evil.com@example.com", True, False),
        ("alice@evilexample.com", True, False),
        ("alice@sub.example.com", True, False),
        ("alice@example.com ", True, False),
        ("alice@example.com.", True, False),
        ("alice@\u0435xample.com", True, False),
        ("alice@\u212aeys.example", True, False),  # a Kelvin sign, which becomes a plain k in lower case
        ("@example.com", True, False),
        ("example.com", True, False),
        (None, True, False),
        (["alice@example.com"], True, False),
    ],
)
def test_an_email_domain_counts_only_when_the_provider_has_verified_it(email, verified, is_met):
    """The address has one @ and exactly that domain; `email_verified` is true, which some providers send as text."""
    claims = {"email": email, "email_verified": verified}

    assert (unmet(claims, email_domains=["example.com", "Other.org", "keys.example"]) is None) is is_met


@given(st.dictionaries(st.sampled_from(["a", "b", "a.b", "email", "email_verified"]), JSON, max_size=5))
def test_no_claims_at_all_can_make_it_fail(claims):
    """Claims come from the provider, and some of them from its users."""
    for requirements in ({"claims": {"a.b": "x"}}, {"claims": {"a": 1}}, {"email_domains": ["example.com"]}):
        said = unmet(claims, **requirements)
        assert said is None or claims != {"a": {"b": "x"}}


@pytest.mark.parametrize(
    ("requirements", "problem"),
    [
        ({"claims": {}}, "claims: must be a mapping"),
        ({"claims": ["roles"]}, "claims: must be a mapping"),
        ({"claims": {"": "x"}}, "is not a claim"),
        ({"claims": {"a..b": "x"}}, "claims: 'a..b' is not a claim"),
        ({"claims": {7: "x"}}, "claims: 7 is not a claim"),
        ({"claims": {("a", 7): "x"}}, "is not a claim"),
        ({"claims": {"roles": []}}, "claims: 'roles': must be text"),
        ({"claims": {"roles": None}}, "claims: 'roles': must be text"),
        ({"claims": {"roles": ""}}, "claims: 'roles': must be text"),
        ({"claims": {"roles": ["a", ""]}}, "claims: 'roles': must be text"),
        ({"claims": {"roles": {"a": 1}}}, "claims: 'roles': must be text"),
        ({"scopes": "read"}, "scopes: must be a list"),
        ({"scopes": []}, "scopes: is empty"),
        ({"scopes": ["a b"]}, "scopes: must be a list of scopes"),
        ({"email_domains": []}, "email_domains: is empty"),
        ({"email_domains": ["*.example.com"]}, "is not a domain"),
        ({"email_domains": ["@example.com"]}, "is not a domain"),
        ({"email_domains": ["com"]}, "is not a domain"),
    ],
)
def test_a_meaningless_requirement_is_refused(requirements, problem):
    """An empty restriction is a mistake; it must not mean that there is none."""
    with pytest.raises(ValueError, match=problem.replace("*", r"\*")):
        read_requirements(**requirements)


async def test_a_check_takes_the_user_or_also_the_scope():
    """Its signature shows which; it may be async."""

    async def is_alice(user: User) -> bool:
        return user.sub == "alice"

    def is_there(user: User, scope: Any) -> bool:
        return bool(scope["path"] == "/there")

    assert await passes(read_check(is_alice), ALICE, {})
    assert await passes(read_check(is_there), ALICE, {"path": "/there"})
    assert not await passes(read_check(is_there), ALICE, {"path": "/elsewhere"})
    assert await passes(read_check(lambda user, least=3: user.sub == "alice" and least == 3), ALICE, {})
    assert await passes(read_check(lambda user, scope=None: scope == {"a": 1}), ALICE, {"a": 1})


@pytest.mark.parametrize("said", [None, 1, "yes", [True], False])
async def test_nothing_but_true_passes_a_check(said):
    """A check without a return statement grants no access."""
    assert not await passes(read_check(lambda user: said), ALICE, {})


@pytest.mark.parametrize("check", [None, 7, User, lambda: True, lambda a, b, c: True, lambda user, *, flag: True])
def test_what_cannot_be_called_with_a_user_is_no_check(check):
    """The error appears at start-up instead of with the first user."""
    with pytest.raises(ValueError, match="must"):
        read_check(check)


@pytest.mark.parametrize(
    ("requirements", "subject", "hint"),
    [
        ({"machines": True}, {"client_id": "cli"}, "the token is that of a user, not of a machine"),
        (
            {"machines": False},
            {"client_id": "cli", "is_machine": True},
            "the token is that of a machine, not of a user",
        ),
        ({"client_ids": ["batch"]}, {"client_id": "cli"}, "the token was issued to cli"),
        ({"client_ids": ["batch"]}, {}, "the token does not say which client it was issued to"),
        ({"machines": True, "client_ids": ["cli"]}, {"client_id": "cli", "is_machine": True}, None),
    ],
)
def test_whose_token_it_was_is_hinted_at(requirements, subject, hint):
    """The log line alone says whether the rule or the client is wrong."""
    found = read_requirements(**requirements).hint(Subject({}, (), credential="bearer", **subject))

    assert found == hint


@pytest.mark.parametrize(
    ("claims", "scopes", "hint"),
    [
        ({"roles": "admin"}, ("authenticated", "openid", "read"), "the token has the scopes openid read"),
        ({"roles": "admin"}, ("authenticated",), "the token has no scopes"),
        ({"roles": "reader"}, ("authenticated",), None),
        ({"roles": "admin"}, ("authenticated", "write"), None),
    ],
)
def test_the_scopes_that_came_are_hinted_at(claims, scopes, hint):
    """A provider that was not told to put a scope into tokens is seen at once."""
    requirements = read_requirements(claims={"roles": "admin"}, scopes=["write"])

    assert requirements.hint(Subject(claims, scopes, credential="bearer")) == hint
