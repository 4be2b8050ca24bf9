"""The key of a session, in cookies and in stores: encrypted, small, and still there after an upgrade or a rotation."""

from base64 import b64encode, urlsafe_b64decode
from typing import Any

import msgspec
import pytest

from asgi_oidc.protocol.dpop.make_proof import make_dpop_key
from asgi_oidc.sessions.session_format import decode_login, encode_login
from tests.dpop_site import DPoPSite
from tests.protected_site import OTHER_SECRET, SECRET, cookie_header
from tests.scripted_store import ScriptedStore
from tests.sessions.test_session import LOGIN
from tests.token_site import STORES


def spellings(key: str) -> list[bytes]:
    """Give the ways in which a private key could be written."""
    raw = urlsafe_b64decode(key + "=")
    return [raw, key.encode(), b64encode(raw).rstrip(b"="), raw.hex().encode(), str(int.from_bytes(raw)).encode()]


def key_of(site: DPoPSite) -> str:
    """Give the private key of the session of the last request."""
    key = site.app.scope["oidc"]._active.session.login.dpop_key
    assert isinstance(key, str)
    return key


def kept_by(store: ScriptedStore) -> bytes:
    """Give all that a store keeps."""
    kept = {**store.memory._values._entries, **store.memory._small_values._entries}
    indexes = repr(store.memory._indexes._indexes).encode()
    return b"\n".join([*(entry.value for entry in kept.values()), repr(list(kept)).encode(), indexes])


@pytest.mark.parametrize("kept_in", [None, ScriptedStore()], ids=["cookies", "store"])
async def test_a_stolen_cookie_or_dump_of_a_store_has_no_usable_key(kept_in):
    """Without `secret`, the key cannot be read: not while the user signs in, and not afterwards."""
    site = DPoPSite(kept_in)
    browser, url = await site.at_callback()
    before = cookie_header(browser).encode() + b"".join(map(_decoded, cookie_header(browser).split("; ")))
    await browser.get(url)
    after = cookie_header(browser).encode() + b"".join(map(_decoded, cookie_header(browser).split("; ")))
    dump = b"" if kept_in is None else kept_by(kept_in)
    key = key_of(site)

    assert len(key) == 43
    assert [text for text in spellings(key) if text in before + after + dump] == []
    assert len(before) > 300
    assert kept_in is None or len(dump) > 1000


def _decoded(cookie: str) -> bytes:
    value = cookie.partition("=")[2]
    try:
        return urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except ValueError:
        return b""


@pytest.mark.parametrize("store", STORES)
async def test_another_secret_opens_neither_session_nor_key(store):
    """Who has the cookies or the dump, and a server of their own, gets nothing."""
    site = DPoPSite(store)
    browser = await site.signed_in()
    thief = site.restarted(secret=OTHER_SECRET)
    page = await thief.browser_of(browser).fetch("/page")

    assert page.status_code == 401


@pytest.mark.parametrize("store", STORES)
async def test_another_process_refreshes_with_the_same_key(store):
    """The key is in what all processes share: the cookie or the store; also after a rotation of the secret."""
    site = DPoPSite(store)
    browser = await site.with_due_refresh()
    other = site.restarted(secret=[OTHER_SECRET, SECRET])
    other.app.at_work = site.ask_for_the_token
    page = await other.browser_of(browser).fetch("/page")

    login, refresh = site.proofs_at("/token")
    assert (page.status_code, site.refreshes) == (200, 1)
    assert login.jkt == refresh.jkt


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(("at_login", "later"), [("always", "never"), ("never", "always")])
async def test_a_session_goes_on_as_it_has_started(store, at_login, later):
    """Its tokens are bound, or they are not, whatever the setting is now."""
    site = DPoPSite(store, dpop=at_login)
    site.provider.requires_dpop = False
    browser = await site.with_due_refresh()
    other = site.restarted(dpop=later)
    other.app.at_work = site.ask_for_the_token
    page = await other.browser_of(browser).fetch("/page")
    new_login = await other.signed_in()

    proven = ["dpop" in call.headers for call in site.calls_of("/token")]
    assert (page.status_code, site.refreshes) == (200, 1)
    assert proven == [at_login == "always", at_login == "always", later == "always"]
    assert new_login is not browser


def test_sessions_from_before_the_upgrade_open():
    """Neither the cookie nor the record has the field then, and a session without a key needs no room for it."""
    with_details = msgspec.structs.replace(LOGIN, requested_details=("a-digest",))

    assert LOGIN.dpop_key == ""
    assert decode_login(encode_login(LOGIN)) == LOGIN
    assert len(encode_login(LOGIN)) + len("a-digest") < len(encode_login(with_details))


def test_a_key_takes_little_room():
    """Cookies have little: 32 bytes are kept as such, which is 48 characters of a cookie with what is around them."""
    key = make_dpop_key().text
    added = len(encode_login(msgspec.structs.replace(LOGIN, dpop_key=key))) - len(encode_login(LOGIN))

    assert added <= 40


@pytest.mark.parametrize("show", [repr, str])
async def test_no_repr_shows_a_key(show):
    """Error reporters print the values of variables."""
    site = DPoPSite()
    await site.signed_in()
    shown: list[Any] = [site.app.scope["oidc"], site.app.scope["oidc"]._active, site.app.scope["oidc"]._active.session]
    shown += [site.app.scope["oidc"]._active.session.login, site.middleware]

    assert not [value for value in shown if key_of(site) in show(value)]
