"""Userinfo is asked when it has something to say."""

from typing import Any

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import FakeProvider
from tests.protected_site import NOW, Site


def site_of(*, in_id_token: bool = False, signed: bool = False, **settings: Any) -> Site:
    provider = FakeProvider(alg="ES256", claims_in_id_token=in_id_token, signed_userinfo=signed)
    return Site(provider=provider, **settings)


@pytest.mark.parametrize(
    ("wanted", "in_id_token", "calls"),
    [("auto", False, 1), ("auto", True, 0), ("always", False, 1), ("always", True, 1), ("never", False, 0)],
)
async def test_it_is_called_by_the_setting(wanted, in_id_token, calls):
    """`auto`: only for claims that the ID Token lacks."""
    site = site_of(in_id_token=in_id_token, userinfo=wanted)

    await site.signed_in()

    assert site.provider.count("/userinfo") == calls
    assert site.app.scope["user"].email == (None if wanted == "never" else "alice@example.com")


async def test_it_is_not_called_where_no_claims_are_asked_for():
    """`scope="openid"`."""
    site = site_of(scope="openid")

    await site.signed_in()

    assert site.provider.count("/userinfo") == 0


async def test_a_provider_without_userinfo_is_fine():
    """`auto` takes what there is."""
    site = site_of()
    del site.provider.metadata["userinfo_endpoint"]

    await site.signed_in()

    assert site.app.scope["user"].email is None


async def test_always_without_an_endpoint_is_an_error():
    """It was asked for by name."""
    site = site_of(userinfo="always")
    del site.provider.metadata["userinfo_endpoint"]

    response = await site.failed_login()

    assert (response.status_code, response.json()["error"]) == (502, "userinfo_unsupported")


async def test_a_signed_answer_is_verified():
    """OIDC Core §5.3.2."""
    site = site_of(signed=True)

    await site.signed_in()

    assert site.app.scope["user"].email == "alice@example.com"


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"iss": "https://someone-else.example.com"}, "userinfo_iss"),
        ({"aud": "another-client"}, "userinfo_aud"),
        ({"sub": "bob"}, "userinfo_sub"),
    ],
)
async def test_a_signed_answer_for_somebody_else_is_refused(overrides, code):
    """Also with the provider's own signature."""
    site = site_of(signed=True)
    site.provider.userinfo_overrides = overrides

    response = await site.failed_login()

    assert (response.status_code, response.json()["error"]) == (502, code)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("userinfo_wrong_sub", 502, "userinfo_sub"),
        ("userinfo_no_sub", 502, "userinfo_sub"),
        ("userinfo_down", 503, "userinfo_unavailable"),
        ("userinfo_not_json", 502, "userinfo_not_json"),
    ],
)
async def test_an_answer_that_cannot_be_used_ends_the_login(fault, status, code):
    """Half a user is none."""
    response = await site_of().failed_login(fault)

    assert (response.status_code, response.json()["error"]) == (status, code)


@pytest.mark.parametrize(("fault", "told"), [("userinfo_refuses", "invalid_token"), ("userinfo_forbids", "403")])
async def test_a_token_that_userinfo_does_not_take_ends_no_login_where_nobody_asked_for_it(fault, told, caplog):
    """It was made for another API; the ID Token says who it is, and the log why the rest is missing."""
    site = site_of()

    with site.provider.fault(fault):
        await site.signed_in()

    claims = site.app.scope["user"].claims
    assert (claims["sub"], "email" in claims) == ("alice", False)
    assert "userinfo_refused" in caplog.text
    assert told in caplog.text


@pytest.mark.parametrize("fault", ["userinfo_refuses", "userinfo_forbids"])
async def test_a_token_that_userinfo_does_not_take_ends_the_login_where_it_was_asked_for(fault):
    """`always` is meant."""
    response = await site_of(userinfo="always").failed_login(fault)

    assert response.status_code == 502


@pytest.mark.parametrize(
    ("rule", "id_token", "calls"),
    [
        (Rule("/x", claims={"realm_access.roles": "admin"}), {}, 1),
        (Rule("/x", claims={"realm_access.roles": "admin"}), {"realm_access": {}}, 0),
        (Rule("/x", claims={"https://example.com/roles": "admin"}), {"https://example.com/roles": []}, 0),
        (Rule("/x", claims={("a.b", "c"): "admin"}), {"a": {"b": {"c": "admin"}}}, 1),
        (Rule("/x", claims={"roles": "admin", "level": 3}), {"roles": "admin"}, 1),
        (Rule("/x", email_domains=["example.com"]), {"email": "alice@example.com"}, 1),
        (Rule("/x", email_domains=["example.com"]), {"email": "alice@example.com", "email_verified": False}, 0),
        (Rule("/x", scopes=["email"]), {}, 0),
    ],
)
async def test_claims_that_rules_name_are_asked_for(rule, id_token, calls):
    """A rule that nobody can meet because a claim was never fetched helps nobody."""
    site = site_of(scope="openid", rules=[rule])
    site.provider.id_token_overrides = id_token

    await site.signed_in()

    assert site.provider.count("/userinfo") == calls


async def test_a_claim_that_only_userinfo_has_meets_its_rule():
    """The scopes alone would not have asked for it."""
    site = site_of(scope="openid", rules=[Rule("/admin/*", claims={"roles": "admin"})])

    browser = await site.signed_in()

    assert (await browser.fetch("/admin/users")).status_code == 200


async def test_protocol_claims_are_never_overwritten():
    """What the login was, the ID Token alone says."""
    site = site_of()
    with site.provider.fault("userinfo_overwrites_protocol_claims"):
        await site.signed_in()

    claims = site.app.scope["user"].claims
    assert (claims["iss"], claims["aud"], claims["exp"]) == (site.provider.issuer, "web", NOW + 300)
