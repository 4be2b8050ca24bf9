"""Entra's own claims say whether groups are missing, and whether an e-mail address is verified."""

import pytest

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.claims import is_email_verified
from asgi_oidc.protocol.entra import (
    EntraRules,
    group_overage,
    is_email_owner_verified,
    with_email_verification,
)
from asgi_oidc.protocol.issuer_template import IssuerTemplate

TENANT = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
OTHER = "82229342-1101-4ab6-817b-70c0747630f3"


@pytest.mark.parametrize(
    ("claims", "is_over"),
    [
        ({"groups": ["a"]}, False),
        ({}, False),
        ({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph"}}}, True),
        ({"_claim_names": {"groups": "src1"}, "groups": ["a"]}, True),
        ({"_claim_names": {"address": "src1"}}, False),
        ({"_claim_names": "groups"}, False),
        ({"_claim_names": ["groups"]}, False),
        ({"_claim_names": None}, False),
        ({"hasgroups": True}, True),
        ({"hasgroups": "true"}, True),
        ({"hasgroups": False}, False),
        ({"hasgroups": None}, False),
    ],
)
def test_missing_groups_are_noticed(claims, is_over):
    """A rule for a group would refuse its members, and nobody would know why."""
    assert group_overage(claims) is is_over


@pytest.mark.parametrize("verified", [True, 1, "1", "true"])
def test_an_address_is_verified_if_the_owner_of_its_domain_is(verified):
    """The documentation says boolean; tokens have "1" as well."""
    assert is_email_owner_verified({"email": "a@b", "xms_edov": verified})


@pytest.mark.parametrize("verified", [False, 0, "0", "false", "", "yes", "True", 2, 1.0, None, [], [True], {}])
def test_any_other_value_verifies_nothing(verified):
    """Tenants can enter any address for their users."""
    assert not is_email_owner_verified({"email": "a@b", "xms_edov": verified})


@pytest.mark.parametrize("email", [None, 7, ["a@b"]])
def test_without_an_address_nothing_is_verified(email):
    """The claim is about the address beside it."""
    assert not is_email_owner_verified({"xms_edov": True})
    assert not is_email_owner_verified({"email": email, "xms_edov": True})


@pytest.mark.parametrize(
    ("claims", "verified"),
    [
        ({"xms_edov": True, "tid": OTHER}, True),
        ({"xms_edov": False, "tid": OTHER}, False),
        ({"tid": OTHER}, False),
        ({"tid": TENANT}, True),
        ({"xms_edov": False, "tid": TENANT}, True),
        ({"email_verified": True, "tid": OTHER}, False),
        ({"tid": [TENANT]}, False),
        ({}, False),
    ],
)
def test_an_address_is_verified_by_its_domain_owner_or_its_tenant(claims, verified):
    """The administrator of an untrusted tenant must not sign in as a user of another one."""
    completed = with_email_verification({"email": "ceo@example.com", **claims}, trusted_tenants=[TENANT])

    assert completed["email_verified"] is verified
    assert is_email_verified(completed, trusted_domains={"example.com"}) is verified


@pytest.mark.parametrize("claims", [{"tid": TENANT}, {"tid": TENANT, "email": None, "email_verified": True}])
def test_without_an_address_there_is_no_verification(claims):
    """It must not confirm an address that is set later."""
    assert "email_verified" not in with_email_verification(claims, trusted_tenants=[TENANT])


def test_an_address_that_is_not_text_is_never_verified():
    """A trusted tenant does not make it one."""
    assert with_email_verification({"tid": TENANT, "email": 7}, trusted_tenants=[TENANT])["email_verified"] is False


# --- tenants

TEMPLATE = "https://login.microsoftonline.com/{tenantid}/v2.0"
RULES = EntraRules(IssuerTemplate(TEMPLATE, tenants=[TENANT, OTHER]), trusted_tenants=[TENANT])


def issuer_of(tid: str) -> str:
    return TEMPLATE.replace("{tenantid}", tid)


def test_the_tenant_is_that_of_the_issuer():
    """Apps tell tenants apart by `tid`."""
    claims = {"iss": issuer_of(TENANT), "tid": TENANT, "email": "a@b"}

    assert RULES.checked(claims) == {**claims, "email_verified": True}
    assert RULES.checked({"iss": issuer_of(TENANT)}) == {"iss": issuer_of(TENANT)}


@pytest.mark.parametrize("tid", [OTHER, TENANT.upper(), "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "../", None, 7])
def test_another_tenant_is_refused(tid):
    """Also where the issuer is a fixed one."""
    with pytest.raises(TokenRejected) as caught:
        RULES.checked({"iss": issuer_of(TENANT), "tid": tid})

    assert caught.value.code == "claim_tid"


@pytest.mark.parametrize(("tid", "verified"), [(TENANT, True), (OTHER, False), (None, False)])
def test_userinfo_verifies_nothing_itself(tid, verified):
    """Only the tenant of the ID Token counts: whatever userinfo says of it is left out."""
    userinfo = {"sub": "a", "email": "a@b", "email_verified": True, "xms_edov": True, "tid": TENANT}

    assert RULES.checked_userinfo(userinfo, tid=tid) == {"sub": "a", "email": "a@b", "email_verified": verified}
