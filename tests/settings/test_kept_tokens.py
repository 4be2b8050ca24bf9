"""The setting `tokens`: what it takes, and what does not go together with it."""

from typing import Any

import pytest

from asgi_oidc import Provider
from asgi_oidc.settings.environment import read_environment
from tests.settings.required_settings import problems, read

OFFLINE = "openid offline_access"
CLIENT: Any = {"client_id": "web", "client_secret": "s3cret-of-the-client"}
PROVIDERS = {
    "one": Provider(issuer="https://id.example.com", scope=OFFLINE, **CLIENT),
    "google": Provider.google(offline_access=True, **CLIENT),
}
SEVERAL = dict.fromkeys(("issuer", "client_id", "client_secret"), ...)


def problem_of(**settings: Any) -> str:
    """Return the one problem of these settings."""
    (problem,) = problems(**settings)
    return problem


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("all", {"id_token", "access_token", "refresh_token"}),
        ("access", {"access_token", "refresh_token"}),
        ("refresh", {"refresh_token"}),
        ("none", set()),
        ("id_token", {"id_token"}),
        (["id_token", "refresh_token"], {"id_token", "refresh_token"}),
        (("access_token", "access_token"), {"access_token"}),
    ],
)
def test_tokens_are_named_by_a_short_form_or_one_by_one(value, kept):
    """The short forms are what most apps need."""
    assert read(tokens=value).tokens == kept


@pytest.mark.parametrize("value", ["ALL", "id", "", 7, True, ["all"], ["id_token", "all"], [7], {"id_token": True}, []])
def test_anything_else_is_refused_with_what_is_possible(value):
    """A token that is not kept by mistake is missed much later."""
    problem = problem_of(tokens=value)

    assert problem.startswith("tokens: ")
    assert "none" in problem


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("refresh", {"refresh_token"}),
        ("id_token", {"id_token"}),
        ("id_token, access_token", {"id_token", "access_token"}),
    ],
)
def test_the_variable_takes_the_same(text, kept):
    """Names are separated by commas there."""
    raw, _ = read_environment({"OIDC_TOKENS": text})

    assert read(**raw).tokens == kept


@pytest.mark.parametrize(("tokens", "works"), [("none", False), ("id_token", False), ("access_token", True)])
def test_a_recheck_needs_a_token_to_ask_with(tokens, works):
    """Otherwise every session would end at its first recheck."""
    if works:
        assert read(tokens=tokens, recheck=300).recheck == 300
    else:
        assert problem_of(tokens=tokens, recheck=300).startswith("recheck: ")


@pytest.mark.parametrize(("tokens", "works"), [("none", False), ("access_token", False), ("refresh", True)])
@pytest.mark.parametrize(
    ("name", "requested"),
    [
        ("scope", {"scope": OFFLINE}),
        ("authorization_params", {"authorization_params": {"access_type": "offline"}}),
        ("providers", {**SEVERAL, "providers": {"one": PROVIDERS["one"]}}),
        ("providers", {**SEVERAL, "providers": {"google": PROVIDERS["google"]}}),
    ],
)
def test_a_refresh_token_that_nobody_keeps_is_not_asked_for(tokens, works, name, requested):
    """It would be a key to the user's account for months, and no sign-out would revoke it."""
    if works:
        assert read(tokens=tokens, **requested).tokens == {"refresh_token"}
    else:
        assert problem_of(tokens=tokens, **requested).startswith(f"{name}: remove ")
