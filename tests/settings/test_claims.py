"""The setting `claims`: its form, what it may not touch, and the rules that it would leave without their claim."""

import re
from typing import Any

import pytest

from asgi_oidc import OAuth2Provider, Rule, SettingsError
from asgi_oidc.settings.claims import read_claims_setting
from asgi_oidc.settings.environment import read_environment
from tests.protected_site import Site

ROLES = "https://example.com/roles"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (["name"], "must be a mapping such as {"),
        (
            {"picture": "avatar_url"},
            "'picture': unknown; the members are keep, drop and rename. Where",
        ),
        ({"keep": "name"}, "keep: must be a list of names of claims"),
        ({"drop": {"name": True}}, "drop: must be a list of names of claims"),
        ({"drop": [""]}, "drop: must be the name of a claim"),
        ({"drop": [7]}, "drop: must be the name of a claim"),
        ({"keep": ["x" * 201]}, "keep: must be the name of a claim, of up to 200 characters"),
        ({"keep": ["a\n"]}, "keep: must be the name of a claim"),
        ({"drop": ["sub", "iss"]}, "drop: the session needs iss; drop: the session needs sub"),
        ({"keep": ["name"], "drop": ["email"]}, "set keep or drop, not both"),
        ({"rename": ["a", "b"]}, "rename: must be a mapping of old to new names"),
        ({"rename": {"a": None}}, "rename: must be the name of a claim"),
        ({"rename": {"sid": "session"}}, "rename: sid must keep its name"),
        ({"rename": {"email_verified": "ok"}}, "rename: email_verified must keep its name"),
        ({"rename": {"a": "c", "b": "c"}}, "rename: two claims cannot both become c"),
        *(
            (
                {"rename": {"mail": name}},
                f"rename: {name} cannot be the new name of mail: it would count",
            )
            for name in ("sub", "iss", "sid", "acr", "auth_time", "email", "email_verified", "phone_number_verified")
        ),
    ],
)
def test_a_mapping_that_is_wrong_or_would_forge_claims_stops_the_start(value, problem):
    """No name may become that of who the user is, or of what the provider has verified."""
    with pytest.raises(ValueError, match=re.escape(problem)):
        read_claims_setting(value)


@pytest.mark.parametrize(
    ("claims", "rules", "problem"),
    [
        ({"drop": ["roles"]}, {"claims": {"roles": "admin"}}, "needs the claim roles, which is dropped"),
        ({"keep": ["name"]}, {"claims": {"roles": "admin"}}, "needs the claim roles, which keep does not name"),
        (
            {"rename": {ROLES: "roles"}},
            {"claims": {ROLES: "admin"}},
            f"needs the claim {ROLES}, which is renamed: write",
        ),
        ({"drop": ["email_verified"]}, {"email_domains": ["example.com"]}, "needs the claim email, which is dropped"),
    ],
)
def test_a_rule_that_nobody_could_meet_is_a_mistake(claims, rules, problem):
    """Found at start-up, not by the first user."""
    settings: dict[str, Any] = {"claims": claims, "rules": [Rule("/admin", **rules)]}

    with pytest.raises(SettingsError, match=re.escape(problem)):
        Site(**settings)


@pytest.mark.parametrize("name", ["sub", "roles", "groups.name"])
def test_a_rule_whose_claim_stays_is_fine(name):
    """Renamed claims under their new names, and those of the login always."""
    claims = {"keep": ["groups"], "rename": {ROLES: "roles"}}

    assert Site(claims=claims, rules=[Rule("/admin", claims={name: "x"})])


def test_a_claim_that_the_app_sets_itself_may_be_dropped():
    """`on_login` may look it up in a database."""

    async def on_login(user: Any, claims: Any) -> None:
        claims["roles"] = ["admin"]

    assert Site(claims={"drop": ["roles"]}, on_login=on_login, rules=[Rule("/admin", claims={"roles": "admin"})])


def test_the_variable_has_json():
    """For apps that are set up by their environment."""
    text = '{"rename": {"https://example.com/roles": "roles"}}'

    assert read_environment({"OIDC_CLAIMS": text}) == ({"claims": {"rename": {ROLES: "roles"}}}, [])


def test_the_two_settings_of_this_name_are_not_confused():
    """Each says what the other is for."""
    settings: dict[str, Any] = {
        "client_id": "hub",
        "client_secret": "hub-secret",
        **{f"{name}_endpoint": f"https://hub.example.com/{name}" for name in ("authorization", "token", "userinfo")},
    }

    with pytest.raises(SettingsError, match="keep, drop and rename belong into the setting claims of OIDCMiddleware"):
        OAuth2Provider(**settings, claims={"drop": ["picture"]})
