"""What the app raises for a scope that was not granted, with a token and with a session."""

from typing import Any

import pytest

from asgi_oidc import InsufficientScope, Rule
from tests.bearer.token_calls import TokenSite, challenges, problem
from tests.protected_site import Site


async def lacks_a_scope(scope: Any) -> None:
    raise InsufficientScope("orders:write")


async def test_a_token_without_the_scope_gets_a_challenge_with_all_scopes():
    """Those of the rules belong to it: the next token has to have all of them."""
    site = TokenSite(rules=[Rule("/page", scopes=["orders:read"])])
    site.app.at_work = lacks_a_scope

    answer = await site.call_with(site.token())

    assert (answer.status, problem(answer)["error"]) == (403, "insufficient_scope")
    assert problem(answer)["scope"] == "orders:read orders:write"
    assert 'scope="orders:read orders:write"' in challenges(answer)[0]


async def test_a_session_without_the_scope_is_refused():
    """Another login would grant the same."""
    site = Site()
    browser = await site.signed_in("alice")
    site.app.at_work = lacks_a_scope

    page, answer = await browser.get("/page"), await browser.fetch("/page")

    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (403, "text/html")
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert answer.json()["scope"] == "orders:write"


async def test_nobody_is_asked_for_a_scope_before_a_login():
    """The login may grant it."""
    site = Site(public=["/page"])
    site.app.at_work = lacks_a_scope

    answer = await site.browser().fetch("/page")

    assert (answer.status_code, answer.json()["error"]) == (401, "login_required")


@pytest.mark.parametrize("scopes", [(), ("orders:read orders:write",), ("",), ('or"ders',)])
def test_what_is_no_scope_is_a_mistake_of_the_app(scopes):
    """It shows where it was raised."""
    with pytest.raises(ValueError, match="RFC 6749"):
        InsufficientScope(*scopes)
