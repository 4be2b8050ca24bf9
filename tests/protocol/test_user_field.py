"""Only the name is read from the field `user` of a first login at Apple."""

import json

import pytest

from asgi_oidc.protocol.user_field import read_user_field

EMAIL = "alice@example.com"
ALICE = {"name": {"firstName": "Alice", "lastName": "Adams"}, "email": EMAIL}


def claims_of(user: object, *, email: object = EMAIL) -> dict[str, str]:
    claims, why = read_user_field(user if isinstance(user, str) else json.dumps(user), email=email)
    assert why == ""
    return claims


def test_a_name_becomes_three_claims():
    """Under their standard names; the address is none of them."""
    assert claims_of(ALICE) == {"name": "Alice Adams", "given_name": "Alice", "family_name": "Adams"}


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ({"firstName": "Alice"}, {"name": "Alice", "given_name": "Alice"}),
        ({"firstName": "", "lastName": "Adams"}, {"name": "Adams", "family_name": "Adams"}),
        ({"firstName": None, "lastName": 7}, {}),
        ({"firstName": {"a": 1}, "lastName": ["b"]}, {}),
        ({"firstName": "x" * 101, "lastName": "Adams"}, {"name": "Adams", "family_name": "Adams"}),
        ({"firstName": " Ali\nce\u202e\x00 "}, {"name": "Alice", "given_name": "Alice"}),
        ({"firstName": "عبد\u200cالله"}, {"name": "عبد\u200cالله", "given_name": "عبد\u200cالله"}),
        ({"firstName": "<b>Alice</b>"}, {"name": "<b>Alice</b>", "given_name": "<b>Alice</b>"}),
        ({}, {}),
    ],
)
def test_a_part_of_a_name_is_short_and_visible(name, claims):
    """Who shows it escapes it, as any other text of a user."""
    assert claims_of({"name": name, "email": EMAIL}) == claims


@pytest.mark.parametrize("email", ["Alice@Example.com", None, 7])
def test_an_address_that_does_not_contradict_is_no_reason(email):
    """In other letters, or one of two missing."""
    assert claims_of(ALICE, email=email)["name"] == "Alice Adams"
    assert claims_of({"name": ALICE["name"]})["name"] == "Alice Adams"
    assert claims_of({"email": EMAIL}) == {}


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("", "not JSON"),
        ("<html><body>Alice</body></html>", "not JSON"),
        ("[]", "not a JSON object"),
        ('"Alice"', "not a JSON object"),
        ('{"name": {}, "name": {}}', "a member is repeated"),
        ('{"a":' * 40 + "1" + "}" * 40, "nested deeper"),
        ('{"name": "Alice"}', "name is not an object"),
        ('{"name": null}', "name is not an object"),
        (json.dumps({**ALICE, "email": "bob@example.com"}), "not that of the ID Token"),
        (json.dumps({"name": {"firstName": "x" * 10_000}}), "more than 4096 characters"),
        ('{"name": {"firstName": "\\ud800"}}', "not JSON"),
        ("\ud800", "not JSON"),
    ],
)
def test_a_field_that_cannot_be_used_gives_no_name(field, why):
    """And says why."""
    claims, found = read_user_field(field, email=EMAIL)

    assert claims == {}
    assert why in found
