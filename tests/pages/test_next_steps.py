"""A page says what happened and offers what helps: "Try again" only if a second try may succeed."""

import re
import secrets
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from asgi_oidc import LoginRefused, SessionEnded
from asgi_oidc.testing import Response
from tests.protected_site import ORIGIN, Site

HOME = "Go to the start page"
AGAIN = "Try again"
ANOTHER = "Use another account"


def labels(page: Response) -> list[str]:
    """Name the links of a page, in order."""
    return [text for _, text in page.page.links]


async def answered(site: Site, error: str) -> Response:
    """Come back from the provider with this error, and read the page."""
    browser, url = await site.at_callback(path="/page?x=1")
    state = url.partition("state=")[2].partition("&")[0]
    return await browser.get(f"/auth/callback?error={error}&state={state}&iss={site.provider.issuer}")


@pytest.mark.parametrize(
    ("error", "status", "title", "links"),
    [
        ("access_denied", 403, "The sign-in was cancelled", [AGAIN, ANOTHER, HOME]),
        ("login_required", 403, "You are not signed in", ["Sign in", HOME]),
        ("temporarily_unavailable", 503, "Sign-in is temporarily unavailable", [AGAIN, HOME]),
        ("unmet_authentication_requirements", 403, "This page needs another kind of sign-in", [AGAIN, HOME]),
        ("unauthorized_client", 502, "Sign-in did not work", [HOME, "Sign in"]),
        ("invalid_scope", 502, "Sign-in did not work", [HOME, "Sign in"]),
        ("some_new_error", 502, "Sign-in did not work", [AGAIN, HOME]),
    ],
)
async def test_each_error_of_the_provider_has_its_page(site, error, status, title, links):
    """Who cancelled can try again; where the settings are wrong, nobody can."""
    page = await answered(site, error)

    assert (page.status_code, f"<h1>{title}</h1>" in page.text, labels(page)) == (status, True, links)


async def test_a_user_refused_by_the_app_is_offered_another_account():
    """The same one would be refused again; the provider asks, and comes back to the page."""

    async def refuse(user: Any, claims: Any) -> None:
        if user.sub == "alice":
            raise LoginRefused("not on the list")

    site = Site(on_login=refuse)
    browser = site.browser()
    refused = await browser.sign_in("alice", "/page?x=1")

    there = await browser.click(ANOTHER, refused)
    page = await browser.submit(there, button="bob")

    assert (labels(refused), page.json()["sub"], page.path) == ([ANOTHER, HOME], "bob", "/page?x=1")


async def test_a_session_that_does_not_fit_is_offered_no_second_try():
    """It would not fit again."""

    async def grow(user: Any, claims: Any) -> None:
        claims["photo"] = secrets.token_urlsafe(15_000)  # nothing that could be compressed

    page = await Site(on_login=grow).browser().sign_in("alice", "/page")

    assert (page.status_code, labels(page)) == (500, [ANOTHER, HOME])


async def test_a_user_who_was_signed_out_is_told_so(site):
    """The app lets through what its call for a token found out; nobody has pressed anything."""
    browser = await site.signed_in()
    site.app.at_work = raising(SessionEnded("session_ended", "signed out at the provider"))

    page = await browser.get("/page")

    assert (page.status_code, "You have been signed out</h1>" in page.text) == (403, True)
    assert labels(page) == ["Sign in", HOME]


def raising(error: Exception) -> Any:
    """Make an app that fails like this."""

    async def fail(scope: Any) -> None:
        raise error

    return fail


async def test_no_link_of_an_error_page_leaves_the_site(site):
    """All of them are ours."""
    page = await answered(site, "access_denied")

    assert {href.startswith(ORIGIN + "/") for href, _ in page.page.links} == {True}


@pytest.mark.parametrize("keeps", [False, True])
async def test_the_page_of_a_stopped_form_links_back_to_it(keeps):
    """What was typed is still there: the script, which the policy names by its hash, goes one step back."""
    page = await Site(keep_forms=keeps).browser().post("/save", {"a": "b"}, initiator=f"{ORIGIN}/edit?id=7")

    assert (page.status_code, (f"{ORIGIN}/edit?id=7", "Back") in page.page.links) == (401, True)
    script = re.findall(r"<script>(.*?)</script>", page.text)
    digest = b64encode(sha256(script[0].encode()).digest()).decode()
    assert "history.back()" in script[0]
    assert f"script-src 'sha256-{digest}'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("initiator", ["https://blog.example.com/", f"{ORIGIN}.evil.example/edit"])
async def test_the_page_of_a_form_from_an_unknown_page_has_no_back_link(site, initiator):
    """No link of ours leads to another site."""
    page = await site.browser().post("/save", {"a": "b"}, initiator=initiator)

    assert (page.status_code, labels(page), "<script" in page.text) == (401, ["Sign in"], False)
