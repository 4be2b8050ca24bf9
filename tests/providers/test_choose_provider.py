"""The app's own choice of a provider: `choose_provider` decides for a request, or leaves it to the user."""

import logging
from typing import Any

import anyio
import pytest
import trio.testing

from asgi_oidc import Rule
from tests.protected_site import ORIGIN
from tests.providers.three_providers import ThreeProviders, issuer_of


def by_host(scope: Any) -> str | None:
    """Choose by a cookie of the app's own."""
    return "two" if (b"cookie", b"plan=business") in scope["headers"] else None


async def by_path(scope: Any) -> str | None:
    """Choose by the path that the user has opened."""
    return "three" if scope["path"].startswith("/private") else None


async def raises(_scope: Any) -> str | None:
    """Fail as the app's database may."""
    raise RuntimeError("the password of the database is hunter2")


async def hangs(_scope: Any) -> str | None:
    """Wait for something that never comes."""
    await anyio.sleep_forever()
    return None


async def test_a_coroutine_decides():
    """It sees the request that needs a login."""
    site = ThreeProviders(choose_provider=by_path)

    response = await site.browser().get("/private?a=1", follow=False)

    assert response.location.startswith(f"{issuer_of('three')}/")


async def test_a_plain_function_decides():
    """For a choice that needs no waiting."""
    site = ThreeProviders(choose_provider=by_host)

    response = await site.browser().get("/auth/login", headers={"cookie": "plan=business"}, follow=False)

    assert response.location.startswith(f"{issuer_of('two')}/")


async def test_none_leaves_the_choice_to_the_user():
    """The page appears as if there were no function."""
    site = ThreeProviders(choose_provider=by_host)

    response = await site.browser().get("/auth/login", follow=False)

    assert (response.status_code, "provider=one" in response.text) == (200, True)


async def test_a_link_with_a_name_comes_first():
    """The user has chosen already."""
    site = ThreeProviders(choose_provider=by_path)

    response = await site.browser().get("/auth/login?provider=one&return_to=/private", follow=False)

    assert response.location.startswith(f"{issuer_of('one')}/")


async def test_a_rule_allows_more_than_the_app_chooses():
    """A login that the rule refuses afterwards would be in vain."""
    site = ThreeProviders(choose_provider=by_path, rules=[Rule("/private/*", providers=["one", "two"])])

    response = await site.browser().get("/private/", follow=True)

    links = [href for href, _ in response.page.links if "provider=" in href]
    assert (response.status_code, len(links)) == (200, 2)


async def test_the_app_cannot_change_the_request():
    """It gets a copy of the scope; what follows sees the request as it came."""

    def spoil(scope: Any) -> str:
        scope["headers"].append((b"host", b"evil.example"))
        scope["path"] = "/public/x"
        return "one"

    site = ThreeProviders(choose_provider=spoil)
    browser = site.browser()
    await browser.get("/private?a=1")
    response = await browser.submit(button="alice")

    assert (response.status_code, response.url) == (200, f"{ORIGIN}/private?a=1")


@pytest.mark.parametrize("name", ["four", "", "One", "one/", 7, ["one"], True, b"one"])
async def test_a_name_that_does_not_exist_fails(name, caplog):
    """A mistake in the app never starts a login somewhere else."""
    caplog.set_level(logging.INFO, "asgi_oidc")
    site = ThreeProviders(choose_provider=lambda _scope: name)

    response = await site.browser().get("/private", follow=False)

    assert (response.status_code, response.location) == (500, "")
    assert "choose_provider_result" in caplog.text


async def test_an_exception_of_the_app_fails(caplog):
    """The log has the cause, but not what may be secret in it."""
    caplog.set_level(logging.INFO, "asgi_oidc")
    site = ThreeProviders(choose_provider=raises)

    response = await site.browser().get("/private", follow=False)

    assert (response.status_code, response.location) == (500, "")
    assert ("choose_provider_failed" in caplog.text, "hunter2" in caplog.text) == (True, False)


async def test_other_pages_work_while_the_choice_fails():
    """Only logins need it."""
    site = ThreeProviders(choose_provider=raises)
    browser = await site.signed_in("one")

    assert (await browser.get("/private")).status_code == 200


@pytest.mark.parametrize(
    "anyio_backend", [("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})], ids=["trio"]
)
async def test_a_choice_that_hangs_ends(anyio_backend):
    """Nobody waits for longer than ten seconds."""
    site = ThreeProviders(choose_provider=hangs)
    began = trio.current_time()

    response = await site.browser().get("/private", follow=False)

    assert response.status_code == 500
    assert trio.current_time() - began == pytest.approx(10, abs=0.1)
