"""What the provider's metadata rules out fails before anybody types a password, with a log line that says why."""

from typing import Any

import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.errors import SettingsError
from asgi_oidc.testing import Client, FakeProvider
from tests.protected_site import CLIENT_SECRET, ORIGIN, SECRET, Site, who_am_i

NEEDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "par_required": ({"require_pushed_authorization_requests": True}, {"par": "never"}),
    "par_unsupported": ({"pushed_authorization_request_endpoint": None}, {"par": "always"}),
    "request_object_required": ({"require_signed_request_object": True}, {}),
    "client_auth_unsupported": ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, {}),
    "response_mode_unsupported": (
        {"response_modes_supported": ["query", "fragment"]},
        {"authorization_params": {"response_mode": "form_post"}},
    ),
    "authorization_details_unsupported": (
        {"authorization_details_types_supported": ["payment"]},
        {"authorization_details": [{"type": "account"}]},
    ),
    "pkce_s256_unsupported": ({"code_challenge_methods_supported": ["plain"]}, {}),
    "response_type_unsupported": ({"response_types_supported": ["id_token"]}, {}),
    "grant_type_unsupported": ({"grant_types_supported": ["implicit"]}, {}),
    "algorithms_unsupported": ({"id_token_signing_alg_values_supported": ["HS256"]}, {}),
}


def site_with(members: dict[str, Any], **settings: Any) -> Site:
    site = Site(**settings)
    site.provider.metadata |= members
    return site


@pytest.mark.parametrize("code", NEEDS)
async def test_no_login_begins_that_cannot_succeed(code, caplog):
    """Whoever has typed a password and then reads that it was in vain, types it again."""
    members, settings = NEEDS[code]
    site = site_with(members, **settings)

    for path in ("/page", "/auth/login"):
        caplog.clear()
        page = await site.browser().get(path)

        (line,) = [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
        assert (page.status_code, page.path, site.provider.count("/authorize")) == (502, path, 0)
        assert all(text in line for text in (f"code={code}", f"metadata of {site.provider.issuer}", *members))
        assert line.rpartition("reference=")[2] in page.text
        assert not any(name in page.text for name in members)


async def test_a_session_goes_on_whatever_the_metadata_says_by_now():
    """Only logins are ruled out."""
    site = Site(par="never")
    browser = await site.signed_in()
    site.provider.metadata["require_pushed_authorization_requests"] = True
    site.clock.advance(3601)  # the metadata is asked for again

    assert (await browser.fetch("/page")).status_code == 401
    assert (await site.browser().get("/page")).status_code == 502
    assert (await browser.post("/auth/logout", follow=False)).status_code == 303


@pytest.mark.parametrize(
    "members",
    [
        dict.fromkeys(
            (
                "response_types_supported",
                "response_modes_supported",
                "grant_types_supported",
                "code_challenge_methods_supported",
                "token_endpoint_auth_methods_supported",
                "id_token_signing_alg_values_supported",
            )
        ),
        {"require_pushed_authorization_requests": False, "require_signed_request_object": None},
        {"require_pushed_authorization_requests": "true", "response_types_supported": "code"},
    ],
    ids=["missing", "false", "odd"],
)
async def test_ambiguous_metadata_stops_no_login(members):
    """Never because a member is missing."""
    site = site_with(members, authorization_params={"response_mode": "form_post"})

    page = await site.browser().sign_in("alice", "/page")

    assert (page.status_code, page.json()["sub"]) == (200, "alice")


async def test_the_setting_metadata_puts_a_wrong_member_right():
    """The last word is the developer's."""
    site = site_with(
        {"require_pushed_authorization_requests": True},
        metadata={"require_pushed_authorization_requests": False},
        par="never",
    )

    assert (await site.browser().sign_in("alice", "/page")).status_code == 200


@pytest.mark.parametrize("methods", [["private_key_jwt"], ["tls_client_auth", "private_key_jwt"]])
async def test_a_public_client_is_let_through(methods):
    """Few providers list the method "none", and nearly all know it."""
    provider = FakeProvider(alg="ES256", clients=[Client("web", None)])
    site = Site(provider=provider, client_secret=...)
    provider.metadata["token_endpoint_auth_methods_supported"] = methods

    assert (await site.browser().sign_in("alice", "/page")).status_code == 200


@pytest.mark.parametrize("code", NEEDS)
def test_with_metadata_by_hand_the_app_does_not_even_start(code):
    """Nothing will be discovered, so it is known."""
    members, settings = NEEDS[code]
    issuer = "https://id.example.com"
    endpoints = {name: f"{issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}

    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware(
            None,  # type: ignore[arg-type]  # nobody calls it
            issuer=issuer,
            client_id="web",
            client_secret=CLIENT_SECRET,
            base_url=ORIGIN,
            secret=SECRET,
            metadata={**endpoints, **members},
            **settings,
        )

    (problem,) = caught.value.problems
    assert problem.startswith("metadata: ")
    assert all(name in problem for name in members)


async def test_a_signed_in_user_stays_signed_in_with_incompatible_metadata():
    """A page of theirs needs no provider."""
    site = Site(par="never")
    browser = await site.signed_in()
    site.provider.metadata["require_pushed_authorization_requests"] = True

    assert await who_am_i(browser) == "alice"
