"""Claims of several answers about one user: none lends its word to another one's value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.protocol.claims import VERIFIED_PAIRS, is_true, merge_claims, with_partners, with_trusted_email

NAMES = [name for pair in VERIFIED_PAIRS for name in pair]
ADDRESS = st.sampled_from(["a@example.com", "A@example.com", "b@example.com", "", None])
WORD = st.sampled_from([True, False, None, "true", 1])
ANSWER = st.fixed_dictionaries({}, optional={name: WORD if name.endswith("_verified") else ADDRESS for name in NAMES})


@given(st.lists(ANSWER, min_size=1, max_size=4))
def test_a_merged_verification_comes_with_its_value_from_one_answer(answers):
    """However many answers meet, and in whatever order."""
    merged: dict[str, Any] = {}
    for answer in answers:
        merged = merge_claims(answer, merged)

    for value, verified in VERIFIED_PAIRS:
        if value in merged and is_true(merged.get(verified)):
            assert any((it.get(value), it.get(verified)) == (merged[value], merged[verified]) for it in answers)


@given(ANSWER, ANSWER)
def test_the_first_answer_takes_precedence(first, second):
    """All values, and each verification that stands beside one; what neither says is not made up."""
    merged = merge_claims(first, second)

    assert {name: merged[name] for name in first if not name.endswith("_verified")}.items() <= first.items()
    for value, verified in VERIFIED_PAIRS:
        if value in first and first.get(verified) is not None:
            assert merged[verified] is first[verified]
    assert merged.keys() <= first.keys() | second.keys()


def test_paired_claims_are_merged_together():
    """Whoever holds one half holds the other."""
    assert with_partners(["roles"]) == {"roles"}
    assert with_partners(["email_verified", "roles"]) == {"email", "email_verified", "roles"}
    assert with_partners(NAMES[:1]) == {"email", "email_verified"}


@pytest.mark.parametrize(
    ("claims", "verified"),
    [
        ({"email": "a@trusted.example"}, True),
        ({"email": "a@TRUSTED.example", "email_verified": None}, True),
        ({"email": "a@trusted.example", "email_verified": False}, False),
        ({"email": "a@trusted.example", "email_verified": "false"}, "false"),
        ({"email": "a@trusted.example@other.example"}, None),
        ({"email": "a@other.example"}, None),
        ({"email": "a@sub.trusted.example"}, None),
        ({"email": ["a@trusted.example"]}, None),
        ({}, None),
    ],
)
def test_an_address_in_a_trusted_domain_is_verified_if_the_provider_does_not_say(claims, verified):
    """What the provider says counts more."""
    trusted = with_trusted_email(claims, trusted_domains=["trusted.example"])

    assert trusted == {**claims, **({} if verified is None else {"email_verified": verified})}
