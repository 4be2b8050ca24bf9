"""Users of several tenants of Microsoft Entra sign in, stay signed in and sign out, under the issuer of the tenant."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import RSAKey

from asgi_oidc import MemoryStore, Rule
from asgi_oidc.testing import Client
from asgi_oidc.testing.standins.entra_accounts import CONTOSO, FABRIKAM, PERSONAL_ACCOUNTS, STRANGERS, EntraAccount
from tests.certificate_texts import RSA_KEY, make, public_pem
from tests.protected_site import ORIGIN, PROGRAM
from tests.providers.entra_site import EntraSite

HOST = "https://login.microsoftonline.com"


def issuer_of(tid: str, host: str = HOST) -> str:
    return f"{host}/{tid}/v2.0"


# --- logins


@pytest.mark.parametrize(("name", "tid"), [("alice", CONTOSO), ("bob", FABRIKAM)])
@pytest.mark.parametrize("tenants", [(CONTOSO, FABRIKAM), "organizations"])
async def test_users_of_several_tenants_sign_in(tenants, name, tid):
    """Each has the issuer of the tenant, never the template."""
    site = EntraSite(tenants)
    await site.signed_in(name)

    assert (site.user.issuer, site.user.sub) == (issuer_of(tid), site.entra.sub_of(name))
    assert (site.user.claims["iss"], site.user.claims["tid"]) == (issuer_of(tid), tid)
    assert site.user.claims["oid"] == site.account(name).oid


async def test_users_of_one_tenant_sign_in():
    """With the metadata of the tenant, and its keys."""
    site = EntraSite((CONTOSO,))
    await site.signed_in("alice")

    assert site.user.issuer == issuer_of(CONTOSO)
    assert {call.path.split("/")[1] for call in site.entra.calls} == {CONTOSO}


@pytest.mark.parametrize(("tenants", "directory"), [((CONTOSO,), CONTOSO), ((CONTOSO, FABRIKAM), "organizations")])
async def test_a_certificate_replaces_the_secret(tenants, directory):
    """Entra documents these members of the header, and its token endpoint as the audience."""
    made = make(key=RSA_KEY)
    site = EntraSite(tenants, provider={"client_secret": None, "client_certificate": made.both})
    jwk = RSAKey.import_key(public_pem(RSA_KEY)).as_dict(private=False)
    site.entra.clients["web"] = Client("web", client_secret=None, jwks=[jwk])

    await site.signed_in("alice")

    (call,) = [call for call in site.entra.calls if call.path.endswith("/token")]
    header, claims = (
        json.loads(urlsafe_b64decode(each + "==")) for each in call.form["client_assertion"].split(".")[:2]
    )
    thumbprint = urlsafe_b64encode(made.certificate.fingerprint(SHA256())).rstrip(b"=").decode()
    assert header == {"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint}
    assert claims["aud"] == f"{HOST}/{directory}/oauth2/v2.0/token"
    assert (claims["iss"], claims["sub"]) == ("web", "web")


async def test_userinfo_is_not_called():
    """It is a part of Graph, and knows nothing that the ID Token does not have."""
    site = EntraSite(rules=[Rule("/staff/*", claims={"roles": "x"})])
    await site.signed_in("alice")

    assert site.entra.count("/oidc/userinfo") == 0


@pytest.mark.parametrize(("tenants", "name"), [((CONTOSO, FABRIKAM), "mallory"), ((CONTOSO, STRANGERS), "bob")])
async def test_users_of_other_tenants_are_refused(tenants, name, caplog):
    """Anybody can make a tenant. The log names it, so that it can be added."""
    site = EntraSite(tenants)
    _, response = await site.login(name)

    assert (response.status_code, site.app.scopes) == (502, [])
    assert "claim_tid" in caplog.text
    assert site.account(name).tid in caplog.text


async def test_personal_accounts_are_no_organization(caplog):
    """Entra does not let them in there, and if it did, we would not."""
    site = EntraSite("organizations")
    site.entra.id_token_overrides = {"tid": PERSONAL_ACCOUNTS, "iss": issuer_of(PERSONAL_ACCOUNTS)}
    site.entra.signs_with = PERSONAL_ACCOUNTS
    _, response = await site.login("alice")

    assert (response.status_code, site.app.scopes) == (502, [])
    assert "claim_tid" in caplog.text


async def test_personal_accounts_may_be_named():
    """As a tenant like any other, whose key signs for nobody else."""
    site = EntraSite((CONTOSO, PERSONAL_ACCOUNTS))
    await site.signed_in("pat")

    assert site.user.issuer == issuer_of(PERSONAL_ACCOUNTS)
    assert {call.path.split("/")[1] for call in site.entra.calls} == {"common"}


async def test_a_national_cloud():
    """Another host in every address and issuer."""
    host = "https://login.microsoftonline.us"
    site = EntraSite("organizations", url=host, provider={"authority": "login.microsoftonline.us"})
    await site.signed_in("bob")

    assert site.user.issuer == issuer_of(FABRIKAM, host)


async def test_another_cloud_is_another_provider(caplog):
    """The metadata must have the template of the host that the settings name."""
    site = EntraSite("organizations", provider={"http_client": httpx.AsyncClient(transport=ToUsCloud())})
    _, response = await site.login("bob")

    assert (response.status_code, "metadata_issuer" in caplog.text) == (502, True)


class ToUsCloud(httpx.AsyncBaseTransport):
    """Answers every call with the metadata of another cloud."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        issuer = "https://login.microsoftonline.us/{tenantid}/v2.0"
        urls = dict.fromkeys(
            ("authorization_endpoint", "token_endpoint", "jwks_uri"), "https://login.microsoftonline.us/x"
        )
        return httpx.Response(
            200, stream=httpx.ByteStream(httpx.Response(200, json={"issuer": issuer, **urls}).content)
        )


async def test_another_account_is_chosen_from_a_list():
    """Entra's `prompt=login` asks for the password of the same account."""
    site = EntraSite(rules=[Rule("/staff/*", claims={"roles": "Admin"})])
    browser = await site.signed_in("alice")
    await browser.get("/staff/")
    response = await browser.click("Use another account", follow=False)

    assert "prompt=select_account" in response.location


# --- e-mail addresses


@pytest.mark.parametrize(
    ("name", "trusted", "has_edov", "is_verified"),
    [
        ("alice", [], False, False),
        ("alice", [], True, True),
        ("alice", [CONTOSO], False, True),
        ("mallory", [], True, False),
        ("mallory", [CONTOSO], True, False),
        ("mallory", [STRANGERS], True, True),
    ],
)
async def test_an_address_needs_somebody_who_vouches_for_it(name, trusted, has_edov, is_verified):
    """nOAuth: a tenant's administrator can give a user any address. `email_verified` decides what rules believe."""
    site = EntraSite(
        "organizations",
        provider={"trusted_tenants": trusted},
        rules=[Rule("/staff/*", email_domains=["contoso.com"])],
    )
    site.entra.removes_unverified_email = False
    site.entra.optional_claims |= {"xms_edov"} if has_edov else set()
    browser = await site.signed_in(name)

    assert site.user.email == "alice@contoso.com"
    assert site.user.claims["email_verified"] is site.user.email_verified is is_verified
    assert (await browser.fetch("/staff/")).status_code == (200 if is_verified else 403)


@pytest.mark.parametrize("edov", ["1", "true", 1])
async def test_other_spellings_of_xms_edov_count(edov):
    """Tokens were seen with them."""
    site = EntraSite()
    site.entra.id_token_overrides = {"xms_edov": edov}
    await site.signed_in("alice")

    assert site.user.email_verified is True


async def test_a_tenant_cannot_map_email_verified_into_its_tokens():
    """Claims mapping lets administrators name claims as they like."""
    site = EntraSite("organizations")
    site.entra.removes_unverified_email = False
    site.entra.id_token_overrides = {"email_verified": True}
    await site.signed_in("mallory")

    assert site.user.email_verified is False


@pytest.mark.parametrize(("trusted", "is_verified"), [([], False), ([CONTOSO], True)])
async def test_an_address_from_userinfo_is_verified_by_the_tenant_only(trusted, is_verified):
    """`xms_edov` of the ID Token is not about it."""
    site = EntraSite(provider={"userinfo": "always", "trusted_tenants": trusted})
    site.entra.id_token_overrides = {"email": ..., "xms_edov": True}
    site.entra.userinfo_overrides = {"email": "other@contoso.com", "email_verified": True}
    await site.signed_in("alice")

    assert (site.user.email, site.user.email_verified) == ("other@contoso.com", is_verified)


async def test_a_refresh_looks_again_who_vouches():
    """A user whose address was changed to somebody else's does not keep the verification."""
    site = EntraSite(rules=[Rule("/staff/*", email_domains=["contoso.com"])])
    site.entra.removes_unverified_email = False
    site.entra.optional_claims.add("xms_edov")
    browser = await site.signed_in("alice")
    before = (await browser.fetch("/staff/")).status_code
    site.entra.personas["alice"] = EntraAccount("alice", "Alice", "ceo@contoso.com", email_verified=False)
    await site.refreshed(browser)

    assert (site.user.email, site.user.email_verified) == ("alice@contoso.com", True)  # as the request began
    assert (before, (await browser.fetch("/staff/")).status_code) == (200, 403)
    await browser.fetch("/private")
    assert (site.user.email, site.user.email_verified) == ("ceo@contoso.com", False)


# --- groups


async def test_groups_that_do_not_fit_come_from_graph(caplog):
    """`on_login` has the access token for it; this is the hook of the guide."""
    groups = EntraSite().account("erin").groups
    guide = (Path(__file__).parents[2] / "examples" / "providers" / "entra.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import httpx\n.*?)```", guide, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    names["GROUPS"].add(groups[249])

    async def on_login(user: Any, claims: dict[str, Any], *, access_token: str) -> None:
        hook = names["groups_from_graph"](site.network.http_client())
        await hook(user, claims, access_token=access_token)

    site = EntraSite(
        provider={"scope": "openid profile offline_access User.Read"},
        rules=[Rule("/staff/*", claims={"groups": groups[249]})],
        on_login=on_login,
    )
    site.entra.optional_claims.add("groups")
    browser = await site.signed_in("erin")

    assert await site.refreshed(browser, "/staff/") == 200
    assert site.user.claims["groups"] == [groups[249]]
    assert "groups_omitted" not in caplog.text


async def test_without_that_the_rule_names_the_overage(caplog):
    """It is not the user's fault."""
    group = EntraSite().account("erin").groups[0]
    site = EntraSite(rules=[Rule("/staff/*", claims={"groups": group})])
    site.entra.optional_claims.add("groups")
    erin, alice = await site.signed_in("erin"), await site.signed_in("alice")

    assert [(await browser.fetch("/staff/")).status_code for browser in (erin, alice)] == [403, 200]
    assert "groups_omitted" in caplog.text
    assert "group overage" in caplog.text


# --- sessions


@pytest.mark.parametrize("tenants", [(CONTOSO,), (CONTOSO, FABRIKAM), "organizations"])
async def test_tokens_are_refreshed(tenants):
    """The new ID Token is of the same tenant."""
    site = EntraSite(tenants)
    browser = await site.signed_in("alice")

    assert await site.refreshed(browser) == 200
    assert (site.entra.count_grants("refresh_token"), site.user.issuer) == (1, issuer_of(CONTOSO))


async def test_a_tenant_that_was_removed_is_gone():
    """Its sessions do not count and are not refreshed, but can sign out; those of the others go on."""
    site = EntraSite()
    alice, bob = await site.signed_in("alice"), await site.signed_in("bob")
    site.restart((CONTOSO, STRANGERS))
    alice.apps[ORIGIN] = bob.apps[ORIGIN] = site.middleware

    assert await site.refreshed(alice) == 200
    assert (await bob.fetch("/private")).status_code == 401
    assert site.entra.count_grants("refresh_token") == 1
    assert (await bob.post("/auth/logout", headers={"origin": ORIGIN}, follow=False)).status_code == 303
    assert (await bob.get("/private", headers=PROGRAM)).status_code == 401


async def test_signing_out_ends_the_session_at_entra_too():
    """And comes back: the address is registered as a redirect URI."""
    site = EntraSite()
    browser = await site.signed_in("alice")
    response = await browser.post("/auth/logout", headers={"origin": ORIGIN}, follow=False)

    assert response.location.startswith(f"{HOST}/organizations/oauth2/v2.0/logout?")


async def test_the_sessions_of_a_user_are_found_by_the_issuer_of_the_tenant():
    """The same `sub` in another tenant is somebody else."""
    site = EntraSite(store=MemoryStore())
    a, b = await site.signed_in("twin-a"), await site.signed_in("twin-b")
    sessions = site.middleware.sessions

    assert [len(await sessions.of("twin", issuer=issuer_of(tid))) for tid in (CONTOSO, FABRIKAM)] == [1, 1]
    assert await sessions.of("twin", issuer=site.provider.settings.issuer) == []
    assert await sessions.end_all("twin", issuer=issuer_of(CONTOSO)) == 1
    assert [(await browser.get("/private", headers=PROGRAM)).status_code for browser in (a, b)] == [401, 200]
