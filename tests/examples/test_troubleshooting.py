"""The guide to troubleshooting: each symptom is caused for real, and its code is in the log."""

import re

import pytest

from asgi_oidc import LoginRefused
from tests.examples.guides import read_guide, section
from tests.protected_site import ORIGIN, OTHER_SECRET, Site
from tests.providers.three_providers import ThreeProviders

GUIDE = read_guide("troubleshooting")
REFUSED = section(GUIDE, "The provider's answer is refused")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("id_token_iat_future", "claim_iat"),
        ("id_token_expired", "claim_exp"),
        ("discovery_issuer_mismatch", "metadata_issuer"),
        ("id_token_wrong_iss", "claim_iss"),
        ("id_token_wrong_aud", "claim_aud"),
        ("id_token_alg_none", "alg_not_allowed"),
        ("id_token_bad_signature", "signature"),
        ("jwks_html", "jwks_not_json"),
        ("token_invalid_client", "provider_refused"),
    ],
)
async def test_an_answer_that_is_refused_has_the_code_of_the_guide(fault, code, caplog):
    """And the page has the title that people look for."""
    site = Site()
    with site.provider.fault(fault):
        page = await site.browser().sign_in("alice", "/page")

    assert "Sign-in did not work" in page.text
    assert f" code={code} " in caplog.text
    assert f"`{code}`" in REFUSED


@pytest.mark.parametrize(
    ("fault", "error"), [("token_invalid_client", "invalid_client"), ("token_oauth_error", "invalid_grant")]
)
async def test_an_error_of_the_provider_is_in_the_line(fault, error, caplog):
    """The guide tells four of them apart."""
    site = Site()
    with site.provider.fault(fault):
        await site.browser().sign_in("alice", "/page")

    assert error in caplog.text
    assert f"`{error}`" in REFUSED


async def test_a_callback_without_its_cookie_starts_anew_once_and_then_fails(caplog):
    """What other libraries call a state mismatch."""
    site = Site()
    browser, callback = await site.at_callback()
    browser.jar.clear()

    with caplog.at_level("INFO", "asgi_oidc"):
        again = await browser.get(callback)
        browser.jar.clear()
        page = again if "could not be finished" in again.text else await browser.submit(again, "alice", follow=False)
        last = page if "could not be finished" in page.text else await site.browser().get(page.location)

    assert ("login_repeated" in caplog.text, "code=transaction_missing" in caplog.text) == (True, True)
    assert "This sign-in could not be finished" in last.text


async def test_a_visit_by_another_host_is_in_the_log(caplog):
    """Before anybody notices that sign-in does not work there."""
    site = Site()

    await site.call("/page", headers={"host": "www.example.com", "accept": "text/html"})

    assert "host_mismatch" in caplog.text


async def test_a_session_of_another_secret_is_ignored_and_logged(caplog):
    """At each restart, if the secret is made at start-up."""
    site = Site()
    browser = await site.signed_in()

    with caplog.at_level("INFO", "asgi_oidc"):
        answer = await site.restarted(secret=OTHER_SECRET).browser_of(browser).fetch("/page")

    assert (answer.status_code, "cookie_ignored" in caplog.text) == (401, True)


async def test_a_user_whom_the_app_turns_away_gets_the_page_of_the_guide(caplog):
    """The text of the app is in the line alone."""

    async def on_login(user, claims):
        raise LoginRefused("not on the list")

    page = await Site(on_login=on_login).browser().sign_in("alice", "/page")

    assert ("This account cannot be used here" in page.text, "not on the list" in page.text) == (True, False)
    assert "code=login_refused detail='not on the list'" in caplog.text


async def test_a_post_of_another_site_has_the_error_of_the_guide():
    """The guide says what to look for."""
    browser = await Site().signed_in()

    answer = await browser.fetch("/page", method="POST", initiator="https://other.example.com/")

    assert (answer.status_code, answer.json()["error"]) == (403, "foreign_origin")


def test_every_symptom_of_the_list_has_a_part():
    """The list at the top leads to all of them."""
    listed = set(re.findall(r"\]\(#([\w-]+)\)", GUIDE.partition("\n## ")[0]))

    assert len(listed) == len(re.findall(r"^## ", GUIDE, re.MULTILINE)) - 1
    assert ORIGIN in GUIDE


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("/auth/callback?code=x&state=y", "provider_unknown"),
        ("/auth/callback/four?code=x&state=y", "provider_unknown"),
        ("/auth/login?iss=https://elsewhere.example", "issuer_unknown"),
    ],
)
async def test_a_link_that_does_not_work_has_a_code_of_the_guide(url, code, caplog):
    """It was registered when there was one provider only, or is mistyped."""
    page = await ThreeProviders().browser().get(url)

    assert "This link does not work" in page.text
    assert f" code={code} " in caplog.text
    assert f"`{code}`" in section(GUIDE, "Several providers")
