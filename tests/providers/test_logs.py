"""What the log says about the logins of one provider of several."""

import logging

import pytest

from asgi_oidc import Rule
from tests.protected_site import ORIGIN, Site
from tests.providers.three_providers import ThreeProviders


@pytest.fixture(autouse=True)
def _warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "asgi_oidc")


@pytest.mark.parametrize(
    "fault", ["discovery_down", "token_500", "id_token_foreign_key", "callback_error_access_denied"]
)
async def test_a_failed_login_names_its_provider(fault, caplog):
    """With several, the code and the status do not say which of them is down or wrong."""
    site = ThreeProviders()

    with site.fakes["two"].fault(fault):
        await site.browser().sign_in("alice", "/private", provider="two")

    assert "login_failed provider=two code=" in caplog.text


async def test_metadata_that_is_not_there_is_logged_with_its_url(caplog):
    """A wrong tenant or realm in the issuer is seen at once."""
    site = ThreeProviders({"two": {"issuer": "https://two.id.example.net/no-such-tenant"}})

    await site.browser().get("/auth/login?provider=two")

    url = "https://two.id.example.net/no-such-tenant/.well-known/openid-configuration"
    assert f"detail='expected status 200 from {url}, got 404" in caplog.text


async def test_a_callback_that_belongs_to_no_login_names_its_provider(caplog):
    """Its path does."""
    await ThreeProviders().browser().fetch("/auth/callback/two?code=x&state=y")

    assert "login_failed provider=two code=transaction_missing" in caplog.text


async def test_a_made_up_name_is_not_logged_as_a_provider(caplog):
    """Anybody can put anything there."""
    await ThreeProviders().browser().fetch("/auth/callback/made-up?code=x&state=y")

    assert ("code=provider_unknown" in caplog.text, "provider=" in caplog.text) == (True, False)


async def test_a_callback_without_a_name_says_what_is_missing(caplog):
    """Its URL was registered when there was one provider only."""
    await ThreeProviders().browser().fetch("/auth/callback?code=x&state=y")

    assert "the path does not end with the name of a provider" in caplog.text


async def test_a_single_provider_has_no_name_to_log(caplog):
    """The flat keywords give it none."""
    site = Site()

    with site.provider.fault("discovery_down"):
        await site.browser().sign_in("alice", "/private")

    assert ("login_failed code=" in caplog.text, "provider=" in caplog.text) == (True, False)


async def test_a_choice_that_does_not_exist_is_logged_with_those_that_do(caplog):
    """The name itself may come from a request."""
    site = ThreeProviders(choose_provider=lambda _scope: "twoo-and-more")

    await site.browser().get("/private", follow=False)

    assert "choose_provider returned text of 13 characters; expected one, two, three, or None" in caplog.text


async def test_a_user_of_another_provider_is_logged_with_it(caplog):
    """The rule alone does not say why this user does not meet it."""
    site = ThreeProviders(rules=[Rule("/staff", providers=["one"])])
    browser = await site.signed_in("two")

    await browser.get(f"{ORIGIN}/staff")

    assert "why='/staff needs providers one' hint='the user has signed in at two'" in caplog.text
