"""A provider with another metadata URL, or with another address inside the network."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from asgi_oidc.testing import FakeProvider
from tests.protected_site import ORIGIN, PROGRAM, Clock, Site

EXTERNAL, INTERNAL = "https://id.example.com", "http://keycloak:8080"
REALM = "/realms/staff"
WELL_KNOWN = "/.well-known/openid-configuration"
INSIDE: Mapping[str, Any] = {"internal_url": INTERNAL, "allow_http_hosts": ["keycloak"]}
BACK_CHANNEL = ("token_endpoint", "jwks_uri", "userinfo_endpoint", "revocation_endpoint")


class Reachable(httpx.AsyncBaseTransport):
    """Reaches a provider at one origin only.

    Args:
        moved: paths at which other paths of the provider are found instead.
    """

    def __init__(self, provider: FakeProvider, origin: str, moved: Mapping[str, str] | None = None) -> None:
        self.provider = provider
        self.origin = origin
        self.moved = moved or {}
        self.urls: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on, or fail to connect."""
        url = str(request.url)
        self.urls.append(url)
        if not url.startswith(f"{self.origin}/"):
            raise httpx.ConnectError("no route to this host", request=request)
        path = urlsplit(url).path
        if path in self.moved.values():
            path = "/nothing-here"
        request.url = request.url.copy_with(path=self.moved.get(path, path))
        return await httpx.ASGITransport(app=self.provider).handle_async_request(request)


class InsideSite(Site):
    """A site that reaches the provider at one origin only.

    Args:
        issuer: what browsers see.
        origin: where the app reaches it.
    """

    def __init__(
        self,
        issuer: str = EXTERNAL + REALM,
        origin: str = INTERNAL,
        moved: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        clock = Clock()
        provider = FakeProvider(issuer, clock=clock, alg="ES256", claims_in_id_token=False)
        self.network = Reachable(provider, origin, moved)
        client = httpx.AsyncClient(transport=self.network)
        super().__init__(**{"provider": provider, "clock": clock, "http_client": client, **settings})

    @property
    def called(self) -> set[str]:
        """The origins that were called."""
        return {f"{split.scheme}://{split.netloc}" for split in map(urlsplit, self.network.urls)}

    def name_inside(self, *members: str) -> None:
        """Let the metadata name internal URLs, as Keycloak does with `hostname-backchannel-dynamic`."""
        metadata = self.provider.metadata
        inside = {name: metadata[name].replace(EXTERNAL, INTERNAL) for name in members}
        self.provider.metadata = {**metadata, **inside}


async def refusal(site: InsideSite, caplog: pytest.LogCaptureFixture) -> tuple[int, str]:
    """Try to sign in; return the status of the page, and the code that the log has for it."""
    response = await site.browser().get("/auth/login", follow=False)
    (code,) = re.findall(r"^login_failed code=(\w+)", "\n".join(caplog.messages), re.MULTILINE)
    return response.status_code, code


# --- the address inside the network


async def signs_in_and_out(site: InsideSite) -> str:
    """Sign a user in and out again; return where the browser is sent for the sign-out."""
    browser = await site.signed_in()
    assert site.app.scope["user"].name == "Alice Adams"  # from userinfo
    assert site.app.scope["user"].issuer == site.provider.issuer
    out = await browser.post("/auth/logout", headers={"origin": ORIGIN}, follow=False)
    return out.location


@pytest.mark.parametrize("issuer", [EXTERNAL + REALM, "http://localhost:8080" + REALM])
async def test_calls_go_to_the_internal_url_and_browsers_to_the_public_one(issuer):
    """The metadata names public URLs only, which lead nowhere from inside (Compose, Kubernetes)."""
    site = InsideSite(issuer, scope="openid profile offline_access", **INSIDE)

    location = await signs_in_and_out(site)

    assert location.startswith(f"{issuer}/end_session?")
    assert site.called == {INTERNAL}
    assert {urlsplit(url).path for url in site.network.urls} == {
        f"{REALM}{path}" for path in (WELL_KNOWN, "/jwks", "/token", "/userinfo", "/revoke")
    }


async def test_metadata_may_contain_internal_urls():
    """Keycloak does with `hostname-backchannel-dynamic`; the same settings fit."""
    site = InsideSite(scope="openid profile offline_access", **INSIDE)
    site.name_inside(*BACK_CHANNEL)

    location = await signs_in_and_out(site)

    assert location.startswith(f"{EXTERNAL}{REALM}/end_session?")
    assert site.called == {INTERNAL}


async def test_with_internal_urls_in_the_metadata_its_own_url_is_enough():
    """Nothing has to be replaced then."""
    site = InsideSite(metadata_url=f"{INTERNAL}{REALM}{WELL_KNOWN}", allow_http_hosts=["keycloak"])
    site.name_inside(*BACK_CHANNEL)

    await signs_in_and_out(site)

    assert site.called == {INTERNAL}


async def test_configured_endpoints_are_called_inside_as_well():
    """Without discovery, the same addresses hold."""
    endpoints = {
        name: f"{EXTERNAL}{REALM}/{path}"
        for name, path in {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}.items()
    }
    site = InsideSite(metadata=endpoints, **INSIDE)

    await site.signed_in()

    assert {urlsplit(url).path for url in site.network.urls} == {f"{REALM}/token", f"{REALM}/jwks"}
    assert site.called == {INTERNAL}


async def test_without_the_internal_url_the_provider_is_not_found(caplog):
    """The issuer's address leads nowhere from inside."""
    site = InsideSite()

    assert await refusal(site, caplog) == (503, "metadata_unreachable")
    assert site.called == {EXTERNAL}


async def test_an_endpoint_on_another_host_is_not_moved():
    """Only the issuer's origin has an address inside; a port is part of it."""
    site = InsideSite(**INSIDE)
    site.provider.metadata = {**site.provider.metadata, "token_endpoint": f"{EXTERNAL}:8443/token"}

    browser, url = await site.at_callback()
    await browser.get(url, headers=PROGRAM, follow=False)

    assert f"{EXTERNAL}:8443/token" in site.network.urls


async def test_metadata_that_names_the_internal_address_as_issuer_is_refused(caplog):
    """Keycloak without a hostname: the issuer would depend on the host name of each request."""
    site = InsideSite(**INSIDE)
    site.provider.metadata = {**site.provider.metadata, "issuer": INTERNAL + REALM}

    assert await refusal(site, caplog) == (502, "metadata_issuer")


@pytest.mark.parametrize("member", ["authorization_endpoint", "end_session_endpoint"])
async def test_browsers_are_never_sent_inside(member, caplog):
    """They cannot reach it, and http is allowed for calls of the app only."""
    site = InsideSite(**INSIDE)
    site.name_inside(member)

    assert await refusal(site, caplog) == (502, "metadata_endpoint")


@pytest.mark.parametrize("member", BACK_CHANNEL)
async def test_http_that_the_metadata_names_needs_its_host_to_be_named(member, caplog):
    """The metadata cannot grant itself the exception."""
    site = InsideSite(origin="https://keycloak.internal", internal_url="https://keycloak.internal")
    site.name_inside(member)

    assert await refusal(site, caplog) == (502, "metadata_endpoint")


async def test_a_provider_on_this_machine_does_not_lead_to_others_by_http(caplog):
    """For an issuer on loopback, http is fine there, and nowhere else."""
    site = InsideSite("http://localhost:8080" + REALM, "http://localhost:8080")
    site.provider.metadata = {**site.provider.metadata, "token_endpoint": f"{INTERNAL}{REALM}/token"}

    assert await refusal(site, caplog) == (502, "metadata_endpoint")


async def test_a_browser_is_not_sent_to_an_internal_https_url(caplog):
    """It has the right scheme, but the browser does not know the host."""
    site = InsideSite(origin="https://keycloak.internal", internal_url="https://keycloak.internal")
    metadata = site.provider.metadata
    site.provider.metadata = {**metadata, "authorization_endpoint": "https://keycloak.internal/authorize"}

    assert await refusal(site, caplog) == (502, "metadata_endpoint")


async def test_a_token_of_the_internal_address_is_refused():
    """Tokens name the issuer, however it is reached."""
    site = InsideSite(**INSIDE)
    site.provider.id_token_overrides = {"iss": INTERNAL + REALM}

    response = await site.failed_login()

    assert response.json()["error"] == "claim_iss"


# --- metadata elsewhere

ISSUER = "https://tenant.b2clogin.com/4f6d2e7c-0000-4000-8000-1234567890ab/v2.0"
ELSEWHERE = "/tenant.onmicrosoft.com/b2c_1_sign_in/v2.0" + WELL_KNOWN
MOVED = {ELSEWHERE: urlsplit(ISSUER).path + WELL_KNOWN}


def site_with_metadata_elsewhere(**settings: Any) -> InsideSite:
    """Return a site whose provider is like Azure AD B2C."""
    return InsideSite(ISSUER, "https://tenant.b2clogin.com", MOVED, **settings)


async def test_metadata_is_fetched_from_its_own_url():
    """Azure AD B2C publishes it below the policy, not below the issuer."""
    site = site_with_metadata_elsewhere(metadata_url=f"https://tenant.b2clogin.com{ELSEWHERE}")

    await site.signed_in()

    assert site.network.urls[0] == f"https://tenant.b2clogin.com{ELSEWHERE}"
    assert site.app.scope["user"].issuer == ISSUER


async def test_without_that_url_there_is_no_metadata(caplog):
    """Nothing is below the issuer."""
    assert await refusal(site_with_metadata_elsewhere(), caplog) == (502, "metadata_status")


async def test_the_metadata_still_has_to_name_the_issuer(caplog):
    """The URL is only where it is found: another tenant's metadata is refused."""
    site = site_with_metadata_elsewhere(metadata_url=f"https://tenant.b2clogin.com{ELSEWHERE}")

    with site.provider.fault("discovery_issuer_mismatch"):
        assert await refusal(site, caplog) == (502, "metadata_issuer")
