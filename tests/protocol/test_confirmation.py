"""A token that is bound to a key says so in a way that we can check, or is refused."""

import pytest

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.confirmation import Confirmation, read_confirmation

ONE, OTHER = "a" * 43, "-_" + "B" * 41


def test_a_token_without_cnf_is_a_plain_bearer_token():
    """Whoever has it may use it."""
    assert read_confirmation({}) is None


@pytest.mark.parametrize(
    ("cnf", "confirmation"),
    [
        ({"jkt": ONE}, Confirmation(ONE, None)),
        ({"x5t#S256": OTHER}, Confirmation(None, OTHER)),
        ({"jkt": ONE, "x5t#S256": OTHER}, Confirmation(ONE, OTHER)),
    ],
)
def test_thumbprints_are_read(cnf, confirmation):
    """Of the key of DPoP, of the certificate of mTLS, or of both, which then both count."""
    assert read_confirmation({"cnf": cnf}) == confirmation


@pytest.mark.parametrize(
    "cnf",
    [
        None,
        {},
        [],
        "",
        ONE,
        True,
        [{"jkt": ONE}],
        {"jkt": None},
        {"jkt": ""},
        {"jkt": [ONE]},
        {"jkt": ONE[:-1]},
        {"jkt": ONE + "a"},
        {"jkt": ONE + "="},
        {"jkt": ONE + "\n"},
        {"jkt": "+/" + "a" * 41},
        {"jkt": ONE, "x5t#S256": None},
        {"jkt": ONE, "kid": "key"},
        {"JKT": ONE},
        {"x5t": ONE},
        {"jwk": {"kty": "EC"}},
        {"jku": "https://keys.example.com"},
        {"kid": "key"},
        {"jwe": "x"},
    ],
    ids=str,
)
def test_a_confirmation_that_cannot_be_checked_is_refused(cnf):
    """As a plain bearer token, a stolen one would be accepted."""
    with pytest.raises(TokenRejected) as caught:
        read_confirmation({"cnf": cnf})

    assert caught.value.code == "claim_cnf"
    assert "aaa" not in caught.value.detail


@pytest.mark.parametrize(("cnf", "is_accepted"), [({"jkt": "a" * 43}, True), ({}, False)])
def test_what_keycloak_adds_to_a_thumbprint_confirms_nothing_by_itself(cnf, is_accepted):
    """It says where `jkt` comes from; without that, nothing is bound."""
    claims = {"cnf": {**cnf, "kc-jkt-type": "DPoP"}}

    if is_accepted:
        assert read_confirmation(claims) == Confirmation("a" * 43, None)
    else:
        with pytest.raises(TokenRejected) as rejected:
            read_confirmation(claims)
        assert rejected.value.code == "claim_cnf"
