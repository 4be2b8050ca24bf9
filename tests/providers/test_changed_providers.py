"""After a change of the settings: a name that stands for another provider takes the sessions of the old one with it."""

from typing import Any

import pytest

from asgi_oidc import MemoryStore, Rule
from asgi_oidc.testing import Browser
from tests.protected_site import ORIGIN, Clock, who_am_i
from tests.providers.three_providers import ThreeProviders

STAFF: dict[str, Any] = {"rules": [Rule("/staff/*", providers=["two"])]}


@pytest.fixture(params=["cookies", "store"])
def place(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Where sessions are, before and after the change."""
    return {"store": MemoryStore(clock=Clock()) if request.param == "store" else None}


def restarted(browser: Browser, after: ThreeProviders) -> Browser:
    """Open the same browser at the app in a new process, with other settings."""
    same = after.browser()
    same.jar = browser.jar
    return same


@pytest.mark.parametrize(
    "change",
    [{"issuer": "https://four.id.example.net"}, {"client_id": "another"}],
    ids=str,
)
async def test_a_name_that_stands_for_another_provider(place, change):
    """The rule means the new one: users of the old one are nobody."""
    before = ThreeProviders(**STAFF, **place)
    two, one = await before.signed_in("two"), await before.signed_in("one")
    assert (await two.fetch("/staff/x")).status_code == 200

    after = ThreeProviders({"two": change}, **STAFF, **place)
    two, one = restarted(two, after), restarted(one, after)

    assert ((await two.fetch("/staff/x")).status_code, await who_am_i(two), await who_am_i(one)) == (401, None, "alice")
    gone = await two.post("/auth/logout", headers={"origin": ORIGIN}, follow=False)
    assert gone.status_code == 303


async def test_other_settings_of_a_provider(place):
    """A new secret, title or scope is still the same provider."""
    browser = await ThreeProviders(**place).signed_in("two")
    changes = {"client_secret": "another secret", "title": "Two and a half", "scope": "openid"}

    browser = restarted(browser, ThreeProviders({"two": changes}, **place))

    assert await who_am_i(browser) == "alice"
