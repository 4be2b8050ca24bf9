"""`secret` changes while the app runs: nobody is signed out, and a secret that is removed opens nothing any more."""

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from rich.pretty import pretty_repr

from asgi_oidc import MemoryStore
from asgi_oidc.asgi.session_watch import SessionWatch
from asgi_oidc.sessions.secret_rotation import GRACE
from asgi_oidc.web.cookies import Cookies
from tests.bearer.token_calls import TokenSite
from tests.internals import watcher_of
from tests.protected_site import OTHER_SECRET, SECRET, cookie_header, who_am_i
from tests.reloading_site import ReloadingSite

BOTH = f"{OTHER_SECRET},{SECRET}"
KEPT: dict[str, Any] = {
    "cookies": dict,
    "store": lambda: {"store": MemoryStore()},
    "logout_store": lambda: {"logout_store": MemoryStore()},
}


@pytest.fixture(params=KEPT)
def kept(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Where sessions and sign-outs are kept."""
    settings: dict[str, Any] = KEPT[request.param]()
    return settings


def process_of(site: ReloadingSite, folder: Path, **settings: Any) -> ReloadingSite:
    """Start another process of a site, with the secret in another folder: it notices changes later."""
    folder.mkdir(exist_ok=True)
    other = ReloadingSite(folder, site.files, provider=site.provider, clock=site.clock, **settings)
    other.clock = site.clock
    return other


async def test_nobody_is_signed_out_by_a_rotation(tmp_path, kept):
    """Before, during and after the grace, in a process that has noticed and in one that has not."""
    site = ReloadingSite(tmp_path, **kept)
    slow = process_of(site, tmp_path / "slow", **kept)
    browser = await site.signed_in()

    await site.change("secret", BOTH)
    during = await site.signed_in("bob")
    assert [await who_am_i(slow.browser_of(each)) for each in (browser, during)] == ["alice", "bob"]
    await slow.change("secret", BOTH)
    site.clock.advance(GRACE)
    await site.look()
    after = await site.signed_in("erin")

    for process in (site, slow):
        everybody = [await who_am_i(process.browser_of(each)) for each in (browser, during, after)]
        assert everybody == ["alice", "bob", "erin"]


async def test_after_the_grace_the_new_secret_seals(tmp_path):
    """A process that knows only the new one can open new cookies, and no older ones."""
    site = ReloadingSite(tmp_path)
    before = await site.signed_in()
    await site.change("secret", BOTH)
    during = await site.signed_in("bob")
    site.clock.advance(GRACE)
    await site.look()
    after = await site.signed_in("erin")

    new_only = site.restarted(secret=OTHER_SECRET)

    assert [await who_am_i(new_only.browser_of(each)) for each in (before, during, after)] == [None, None, "erin"]


async def test_a_removed_secret_opens_nothing_any_more(tmp_path, kept, caplog):
    """This is the tool after a leak: neither cookies seen before nor records opened before stay valid."""
    caplog.set_level(logging.INFO, logger="asgi_oidc")
    site = ReloadingSite(tmp_path, **kept)
    browser = await site.signed_in()
    assert (await who_am_i(browser), (await browser.fetch("/page")).status_code) == ("alice", 200)

    await site.change("secret", OTHER_SECRET)

    assert ((await browser.fetch("/page")).status_code, await who_am_i(browser)) == (401, None)
    assert "secret_removed variable=OIDC_SECRET_FILE removed=1" in caplog.messages


async def test_a_login_that_began_before_the_rotation_finishes(tmp_path):
    """Its state is sealed too."""
    site = ReloadingSite(tmp_path)
    browser = site.browser()
    await browser.get("/page")

    await site.change("secret", BOTH)
    site.clock.advance(GRACE)
    await site.look()
    page = await browser.submit(button="alice")

    assert page.json()["sub"] == "alice"


async def test_a_sign_out_is_known_across_a_rotation(tmp_path, kept):
    """Names of revocations are made from the secret: one made before, during or after the grace must be found."""
    site = ReloadingSite(tmp_path, **kept)
    other = process_of(site, tmp_path / "other", **kept)
    copies = []
    for number, secret in enumerate((SECRET, BOTH, BOTH)):
        browser = await site.signed_in(("alice", "bob", "erin")[number])
        copies.append(cookie_header(browser))
        await browser.post("/auth/logout", follow=False)
        await site.change("secret", secret)
        await other.change("secret", secret)
    site.clock.advance(GRACE)
    for process in (site, other):
        await process.look()

    processes = [site, other] if kept else [site]
    answers = [await process.call("/page", headers={"cookie": copy}) for process in processes for copy in copies]

    assert {answer.status for answer in answers} == {401}


class ReloadingTokenSite(ReloadingSite, TokenSite):
    """A site that accepts access tokens."""


async def test_a_sign_out_by_the_provider_still_ends_access_tokens_after_a_secret_was_removed(tmp_path):
    """Tokens are not sealed: nothing but the revocation ends them, and its name is made from the removed secret."""
    site = ReloadingTokenSite(tmp_path, logout_store=MemoryStore())
    seen, unseen = site.token(jti="1"), site.token(jti="2")
    assert (await site.call_with(seen)).status == 200
    site.clock.advance(10)
    await site.sign_out("alice")

    await site.change("secret", OTHER_SECRET)

    assert [(await site.call_with(token)).status for token in (seen, unseen)] == [401, 401]


async def test_a_sign_out_after_the_rotation_ends_access_tokens_from_before(tmp_path):
    """The revocation has another name than it would have had when the token was first seen."""
    site = ReloadingTokenSite(tmp_path, logout_store=MemoryStore())
    token = site.token()
    assert (await site.call_with(token)).status == 200
    await site.change("secret", OTHER_SECRET)

    site.clock.advance(10)
    await site.sign_out("alice")

    assert (await site.call_with(token)).status == 401


async def test_a_process_that_starts_in_the_middle_waits_for_the_others(tmp_path):
    """Its file is new, so others may not have read theirs."""
    site = ReloadingSite(tmp_path)
    site.path("secret").write_text(BOTH)
    os.utime(site.path("secret"), (site.clock.now, site.clock.now))

    started = process_of(site, tmp_path)
    browser = await started.signed_in()

    assert await who_am_i(site.browser_of(browser)) == "alice"


async def test_every_change_is_in_the_log_without_a_secret(tmp_path, caplog):
    """An operator waits for these lines during a rotation."""
    caplog.set_level(logging.INFO, logger="asgi_oidc")
    site = ReloadingSite(tmp_path)

    await site.change("secret", BOTH)
    site.clock.advance(GRACE)
    await site.look()

    said = [message for message in caplog.messages if "secret" in message]
    assert said == [f"setting_reloaded variable=OIDC_SECRET_FILE secrets=2 seals_in={GRACE}", "secret_seals"]


async def test_an_open_websocket_survives_a_rotation_and_ends_with_its_secret(tmp_path, kept):
    """Whoever has a leaked secret may have opened one with cookies of their own making."""
    site = ReloadingSite(tmp_path, **kept)
    browser = await site.signed_in()
    header, watcher = cookie_header(browser).encode(), watcher_of(site.middleware)
    active = await watcher.sessions.open(Cookies(header, "__Host-oidc"))
    assert active is not None
    watch = SessionWatch(active, watcher)

    async def is_over() -> bool:
        return watch.is_known_to_be_over() or (watch.is_read_due() and not await watch.reload())

    await site.change("secret", BOTH)
    site.clock.advance(GRACE)
    await site.look()
    assert not await is_over()

    await site.change("secret", OTHER_SECRET)

    assert await is_over()


async def test_the_session_of_a_request_prints_no_cookie(tmp_path):
    """It remembers the cookie, and error reporters print what they find."""
    site = ReloadingSite(tmp_path)
    browser = await site.signed_in()

    active = await watcher_of(site.middleware).sessions.open(Cookies(cookie_header(browser).encode(), "__Host-oidc"))

    assert active is not None
    assert active.sealed_login
    assert active.sealed_login not in repr(active) + pretty_repr(active)
