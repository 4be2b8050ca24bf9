"""A signed request reaches the provider as the app has made it, in the URL or pushed."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from asgi_oidc import OIDCMiddleware, Rule
from asgi_oidc.errors import SettingsError
from asgi_oidc.testing import Client, ClientKey, FakeProvider
from tests.protected_site import CLIENT_SECRET, ORIGIN, Clock, Site, login_cookies, who_am_i

CLOCK = Clock()
KEY = ClientKey(clock=CLOCK)
CLIENT = Client("web", CLIENT_SECRET, auth_methods=["client_secret_basic"], jwks=[KEY.public_jwk])
BY_SECRET = {"client_auth": "client_secret_basic"}


def signing_site(**settings: Any) -> Site:
    client = Client("web", None, jwks=[KEY.public_jwk])
    provider = FakeProvider(clock=CLOCK, alg="ES256", clients=[client])
    defaults = {"client_secret": ..., "client_key": KEY.pem, "request_object": True}
    return Site(**{"provider": provider, **defaults, **settings})


def names_in(url: str) -> list[str]:
    return [name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)]


async def test_the_url_has_the_object_and_what_openid_connect_wants_beside_it():
    """OIDC Core §6.1; the rest is inside only, and the provider accepts it."""
    site = signing_site()
    site.provider.requires_signed_requests = True

    url = (await site.browser().get("/page", follow=False)).location
    browser = await site.signed_in()

    assert names_in(url) == ["client_id", "response_type", "scope", "request"]
    assert await who_am_i(browser) == "alice"
    assert set(site.provider.ignored_params) == {"response_type", "scope"}


async def test_a_pushed_object_stands_alone():
    """RFC 9126 §3: then the browser carries the reference, and the call has the object beside the credentials."""
    site = signing_site(par="always")
    site.provider.requires_signed_requests = site.provider.requires_par = True

    url = (await site.browser().get("/page", follow=False)).location
    browser = await site.signed_in()

    (form, *_) = [call.form for call in site.provider.calls if call.path.endswith("/par")]
    assert names_in(url) == ["client_id", "request_uri"]
    assert form.keys() - {"client_assertion", "client_assertion_type"} == {"client_id", "request"}
    assert await who_am_i(browser) == "alice"


@pytest.mark.parametrize("par", ["never", "always"])
async def test_all_that_a_login_asks_for_is_inside(par):
    """A step-up with details, a list and a number: the provider reads them from the object."""
    rules = [Rule("/page", acr_values=["mfa"], max_age=300, authorization_details=[{"type": "payment"}])]
    params = {"resource": ["https://a.example.com", "https://b.example.com"]}
    site = signing_site(par=par, rules=rules, authorization_params=params)
    site.provider.requires_signed_requests = True
    site.provider.authorization_details_types = ["payment"]

    await site.signed_in()

    oidc = site.app.scope["oidc"]
    assert oidc.authorization_details == [{"type": "payment"}]
    assert oidc.meets(acr_values=["mfa"], max_age=300)


async def test_each_object_is_another_one():
    """`jti` and times are of this login."""
    site = signing_site()
    urls = [(await site.browser().get("/page", follow=False)).location for _ in range(2)]

    objects = {dict(parse_qsl(urlsplit(url).query))["request"] for url in urls}
    assert len(objects) == 2


@pytest.mark.parametrize(("required", "is_signed"), [(True, True), (False, False)])
async def test_a_key_signs_requests_where_the_provider_requires_it(required, is_signed):
    """Without a setting, as the metadata says it."""
    site = signing_site(request_object=False)
    site.provider.requires_signed_requests = required
    site.provider.metadata["require_signed_request_object"] = required

    url = (await site.browser().get("/page", follow=False)).location

    assert ("request" in names_in(url)) == is_signed


async def test_a_key_may_sign_requests_only():
    """The client authenticates by its secret."""
    provider = FakeProvider(clock=CLOCK, alg="ES256", clients=[CLIENT])
    site = signing_site(provider=provider, client_secret=CLIENT_SECRET, **BY_SECRET)
    provider.requires_signed_requests = True

    assert await who_am_i(await site.signed_in()) == "alice"


@pytest.mark.parametrize(
    ("settings", "members", "code"),
    [
        (
            {"client_secret": CLIENT_SECRET, "client_key": ..., "request_object": False},
            {"require_signed_request_object": True},
            "request_object_required",
        ),
        ({}, {"request_object_signing_alg_values_supported": ["none", "RS256"]}, "request_object_unsupported"),
        ({}, {"request_parameter_supported": False}, "request_object_unsupported"),
    ],
    ids=str,
)
async def test_a_request_that_cannot_be_signed_is_not_sent(settings, members, code, caplog):
    """Neither unsigned nor signed by `none`."""
    site = signing_site(**settings)
    site.provider.metadata |= members
    browser = site.browser()

    page = await browser.get("/page")

    assert (page.status_code, login_cookies(browser), site.provider.count("/authorize")) == (502, [], 0)
    assert f"code={code}" in caplog.text
    assert next(iter(members)) in caplog.text


async def test_a_pushed_object_needs_no_request_parameter_in_the_url():
    """`request_parameter_supported` is about the URL."""
    site = signing_site(par="always")
    site.provider.metadata["request_parameter_supported"] = False

    assert await who_am_i(await site.signed_in()) == "alice"


async def test_a_url_too_long_for_servers_fails_here(caplog):
    """Tomcat answers 400 without a reason; pushed, the same request works."""
    params = {"ui_locales": "x" * 6000}

    page = await signing_site(authorization_params=params).browser().get("/page")
    pushed = await signing_site(authorization_params=params, par="always").browser().get("/page", follow=False)

    assert (page.status_code, pushed.status_code) == (502, 303)
    assert "code=request_object_too_long" in caplog.text
    assert "set par (OIDC_PAR) to always" in caplog.text


async def test_a_refusal_is_in_the_log_without_the_object(caplog):
    """A provider that repeats what it got, would put it there."""
    site = signing_site(par="always")

    with site.provider.fault("par_error_invalid_request_object"):
        page = await site.browser().get("/page")

    assert (page.status_code, "invalid_request_object" in caplog.text) == (502, True)
    request = next(call.form["request"] for call in site.provider.calls if call.path.endswith("/par"))
    assert request[:40] not in caplog.text


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"client_key": None, "client_secret": CLIENT_SECRET}, "request_object: needs client_key"),
        ({"request_object_signing_alg": "PS256"}, "request_object_signing_alg: the first client_key signs with ES256"),
        ({"request_object_signing_alg": "none"}, "request_object_signing_alg: must be one of PS256"),
        (
            {
                "client_key": None,
                "client_secret": CLIENT_SECRET,
                "request_object": False,
                "request_object_signing_alg": "ES256",
            },
            "request_object_signing_alg: nothing uses it",
        ),
    ],
    ids=["no key", "another key", "none", "no use"],
)
def test_settings_that_cannot_sign_are_reported_at_start_up(changes, problem):
    """With the fix."""
    site = Site()
    settings = {**site.settings, "client_secret": None, "client_key": KEY.pem, "request_object": True, **changes}
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware(site.app, **settings)

    (found,) = caught.value.problems
    assert found.startswith(problem)


async def test_the_object_names_where_to_come_back_to():
    """The URL no longer does, so nobody can change it there."""
    site = signing_site()
    url = (await site.browser().get("/page", follow=False)).location

    assert "redirect_uri" not in names_in(url)
    assert ORIGIN.removeprefix("https://") not in url
