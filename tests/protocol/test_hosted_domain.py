"""Only the organizations that the app names may sign in at Google."""

import pytest

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.hosted_domain import check_hosted_domain, check_hosted_domain_again

DOMAINS = frozenset({"example.com", "example.org"})


@pytest.mark.parametrize("domain", sorted(DOMAINS))
def test_one_of_the_organizations_is_enough(domain):
    """The token says which."""
    check_hosted_domain({"hd": domain}, DOMAINS)


@pytest.mark.parametrize("claims", [{}, {"hd": "example.net"}, {"hd": ["example.com"]}])
def test_without_a_requirement_everybody_may_sign_in(claims):
    """With an account of an organization, or with one's own."""
    check_hosted_domain(claims, frozenset())


@pytest.mark.parametrize(
    "hd",
    ["example.net", "Example.com", "xexample.com", "example.com.", "", None, ["example.com"], {"example.com": 1}, True],
)
def test_any_other_is_refused(hd):
    """The claim is compared as a whole, and is text."""
    for check in (check_hosted_domain, check_hosted_domain_again):
        with pytest.raises(TokenRejected) as caught:
            check({"hd": hd}, DOMAINS)

        assert caught.value.code == "claim_hd"


def test_a_refreshed_token_may_say_nothing():
    """What it says counts."""
    check_hosted_domain_again({}, DOMAINS)
    check_hosted_domain_again({"hd": "example.com"}, DOMAINS)
    check_hosted_domain_again({"hd": "example.net"}, frozenset())


def test_an_account_of_no_organization_is_refused():
    """Even if its address is in the domain."""
    with pytest.raises(TokenRejected, match="of no organization"):
        check_hosted_domain({"email": "alice@example.com", "email_verified": True}, DOMAINS)
