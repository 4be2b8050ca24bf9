"""The fake provider's `/end_session` tells the clients: by back channel before it answers, by frames in the answer."""

import anyio
import pytest

from asgi_oidc.testing import Client, FakeProvider
from tests.testing.back_channel import (
    APP,
    another,
    end_session_url,
    is_signed_in,
    provider_with_clients,
    sids_of,
    sign_in,
)


@pytest.fixture
def provider() -> FakeProvider:
    return provider_with_clients()


# --- /end_session and the back channel


async def test_end_session_tells_all_clients_before_it_answers(provider, browser, receiver, back_channel):
    """The client that asked is notified too, as by real providers; the redirect stays as it is."""
    provider.backchannel_client = back_channel
    await sign_in(browser, "alice", "web", "shop")
    sid = sids_of(provider)[0]
    url = end_session_url(provider, client_id="web", post_logout_redirect_uri=APP + "/public", state="x")
    back = await browser.get(url, follow=False)

    assert (back.status_code, back.location) == (303, APP + "/public?state=x")
    told = {path: (it["aud"], it["sub"], it["sid"]) for path, it in receiver.tokens(provider).items()}
    assert told == {"/web": ("web", "alice", sid), "/shop": ("shop", "alice", sid)}
    assert provider.due_logouts == []


async def test_end_session_goes_on_when_clients_fail(provider, browser, receiver, back_channel):
    """The person has signed out, whatever the clients say."""
    provider.backchannel_client, provider.backchannel_timeout = back_channel, 0.05
    receiver.misdeeds = {"/web": "hangs", "/shop": "raises"}
    await sign_in(browser, "alice", "web", "shop")
    with anyio.fail_after(5):
        page = await browser.get(end_session_url(provider))

    assert (page.status_code, "Signed out" in page.text, await is_signed_in(browser)) == (200, True, False)


async def test_logouts_stay_due_until_they_are_sent(provider, browser, back_channel):
    """A test may bring them when it likes, for instance after the browser is back."""
    await sign_in(browser, "alice", "web", "quiet", "shop")
    await browser.get(end_session_url(provider))
    due = [(it.client_id, it.sub) for it in provider.due_logouts]
    answers = await provider.send_due_logouts(back_channel)

    assert due == [("web", "alice"), ("shop", "alice")]
    assert (answers, provider.due_logouts) == ([("web", 200), ("shop", 200)], [])
    assert await provider.send_due_logouts(back_channel) == []


async def test_due_logouts_are_kept_when_nothing_can_send_them(provider, browser):
    """They are not lost by a mistake in the test."""
    await sign_in(browser, "alice", "web")
    await browser.get(end_session_url(provider))
    with pytest.raises(ValueError, match="backchannel_client"):
        await provider.send_due_logouts()

    assert len(provider.due_logouts) == 1


async def test_end_session_by_hint_reaches_the_browser_that_does_not_ask(provider, browser, receiver, back_channel):
    """An ID Token names the sign-in, wherever it is."""
    provider.backchannel_client = back_channel
    id_token = (await browser.sign_in("alice", "/private")).json()["token"]["id_token"]
    await another(browser).get(end_session_url(provider, id_token_hint=id_token))

    assert [call.path for call in receiver.calls] == ["/web"]
    assert not await is_signed_in(browser)


async def test_hint_of_another_sign_in_ends_both(provider, browser, receiver, back_channel):
    """The one of the browser and the one of the token, each told of with its own sid."""
    bobs = another(browser)
    id_token = (await bobs.sign_in("bob", "/private")).json()["token"]["id_token"]
    await sign_in(browser, "alice", "shop")
    provider.backchannel_client = back_channel
    await browser.get(end_session_url(provider, id_token_hint=id_token))

    told = {path: it["sub"] for path, it in receiver.tokens(provider).items()}
    assert told == {"/shop": "alice", "/web": "bob"}


async def test_end_session_that_is_refused_notifies_no_client(provider, browser, receiver, back_channel):
    """Nobody has signed out."""
    provider.backchannel_client = back_channel
    await sign_in(browser, "alice", "web")
    page = await browser.get(end_session_url(provider, id_token_hint="made.up.token"))

    assert (page.status_code, receiver.calls, provider.due_logouts) == (400, [], [])
    assert await is_signed_in(browser)


# --- the front channel


def in_front(client_id: str, uri: str) -> Client:
    return Client(client_id, frontchannel_logout_uri=uri)


@pytest.fixture
def seen_in_front(provider: FakeProvider) -> FakeProvider:
    for client in (in_front("shop", APP + "/out?a=1&b=2"), in_front("wiki", APP + '/"out"')):
        provider.clients[client.client_id] = client
    return provider


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        (APP + "/out", APP + "/out?iss=https%3A%2F%2Fid.example.com&sid=a+%26b"),
        (APP + "/out?a=1", APP + "/out?a=1&iss=https%3A%2F%2Fid.example.com&sid=a+%26b"),
    ],
)
def test_frontchannel_url_says_who_and_which_session(provider, uri, url):
    """A query that is there already stays (Front-Channel Logout 1.0 §2)."""
    provider.clients["web"] = in_front("web", uri)

    assert provider.frontchannel_logout_url("web", "a &b") == url


@pytest.mark.parametrize("client_id", ["web", "nobody"])
def test_frontchannel_url_of_a_client_without_one_is_refused(provider, client_id):
    """A test that loads nothing proves nothing."""
    with pytest.raises(ValueError, match=client_id):
        provider.frontchannel_logout_url(client_id, "a-sid")


async def test_end_session_loads_a_frame_per_client_and_goes_on(seen_in_front, browser):
    """All that the person had signed in to, and no other."""
    await sign_in(browser, "alice", "web", "shop", "wiki", "shop")
    sid = sids_of(seen_in_front)[0]
    return_url = APP + "/public?a=1&b=2"
    page = await browser.get(
        end_session_url(seen_in_front, client_id="web", post_logout_redirect_uri=return_url, state="x")
    )

    assert page.status_code == 200
    assert page.page.frames == [seen_in_front.frontchannel_logout_url(it, sid) for it in ("shop", "wiki")]
    assert [href for href, _ in page.page.links] == [return_url + "&state=x"]
    refresh = f'<meta http-equiv="refresh" content="2; url={APP}/public?a=1&amp;b=2&amp;state=x">'
    assert refresh in page.text
    assert "Signed out" in page.text


async def test_end_session_loads_frames_without_a_redirect_uri_too(seen_in_front, browser):
    """The clients are to hear of it wherever the person goes."""
    await sign_in(browser, "alice", "shop")
    page = await browser.get(end_session_url(seen_in_front))

    assert (len(page.page.frames), page.page.links, "refresh" in page.text) == (1, [], False)


async def test_end_session_redirects_when_no_client_is_seen_in_front(seen_in_front, browser):
    """A client that the person never used has nothing to load."""
    await sign_in(browser, "alice", "web")
    url = end_session_url(seen_in_front, client_id="web", post_logout_redirect_uri=APP + "/public")
    back = await browser.get(url, follow=False)

    assert (back.status_code, back.location, back.content) == (303, APP + "/public", b"")


async def test_client_may_have_both_channels(provider, browser, receiver, back_channel):
    """It hears of the logout in both ways."""
    provider.clients["web"] = Client(backchannel_logout_uri=APP + "/web", frontchannel_logout_uri=APP + "/out")
    provider.backchannel_client = back_channel
    await sign_in(browser, "alice", "web")
    page = await browser.get(end_session_url(provider))

    assert (len(page.page.frames), len(receiver.calls)) == (1, 1)


async def test_client_that_is_removed_is_not_told(provider, browser, receiver, back_channel):
    """A provider forgets a client with all that belongs to it."""
    await sign_in(browser, "alice", "web", "shop")
    del provider.clients["shop"]

    assert await provider.sign_out("alice", client=back_channel) == [("web", 200)]
