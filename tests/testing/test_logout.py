"""The fake provider makes logout tokens, and tells all clients when somebody signs out."""

import httpx
import pytest
import trio.testing
from joserfc import jwt
from joserfc.jwk import KeySet

from asgi_oidc.testing import FakeProvider, LogoutAnswer
from tests.testing.back_channel import another, is_signed_in, provider_with_clients, sids_of, sign_in
from tests.testing.relying_party import NOW

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
def provider() -> FakeProvider:
    return provider_with_clients()


# --- logout tokens


def read(provider: FakeProvider, token: str) -> jwt.Token:
    return jwt.decode(token, KeySet.import_key_set({"keys": provider.published_keys}))


def test_metadata_tells_of_both_channels(provider):
    """A client reads there what it can count on (Back-Channel Logout 1.0 §2.1, Front-Channel Logout 1.0 §3)."""
    members = [
        f"{way}channel_logout_{what}" for way in ("back", "front") for what in ("supported", "session_supported")
    ]

    assert [provider.metadata[member] for member in members] == [True] * 4


def test_logout_token_has_all_that_is_required(provider):
    """A fault proves nothing unless the token without it is good (Back-Channel Logout 1.0 §2.4)."""
    token = read(provider, provider.logout_token(sid="a-sid"))

    jti = token.claims.pop("jti")
    assert token.claims == {
        "iss": "https://id.example.com",
        "aud": "web",
        "iat": NOW,
        "exp": NOW + 120,
        "events": {EVENT: {}},
        "sub": "alice",
        "sid": "a-sid",
    }
    assert token.header == {"alg": "RS256", "kid": provider.key.kid, "typ": "logout+jwt"}
    assert len(jti) > 20


def test_logout_tokens_have_names_of_their_own(provider):
    """By `jti` alone can a client tell a replay."""
    assert len({read(provider, provider.logout_token()).claims["jti"] for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("sub", "sid", "names"),
    [("alice", None, {"sub"}), (None, "a-sid", {"sid"}), ("nobody-here", "a-sid", {"sub", "sid"}), (None, None, set())],
)
def test_logout_token_names_whom_it_is_asked_to(provider, sub, sid, names):
    """One session, one person, both, or by mistake neither; the person need not be known."""
    claims = read(provider, provider.logout_token(sub, sid=sid, client_id="shop")).claims

    assert {name for name in ("sub", "sid") if name in claims} == names
    assert claims["aud"] == "shop"


def test_claims_and_header_can_be_overridden(provider):
    """A table of wrong values needs no fault for each of them."""
    with provider.fault("logout_token_wrong_iss"):
        text = provider.logout_token(iss="x", jti=..., aud=["web"], header={"typ": ..., "kid": "other", "cty": "x"})

    keys = KeySet.import_key_set({"keys": [provider.key.public_jwk() | {"kid": "other"}]})
    token = jwt.decode(text, keys)
    assert token.header == {"alg": "RS256", "kid": "other", "cty": "x"}
    assert ("jti" in token.claims, token.claims["iss"], token.claims["aud"]) == (False, "x", ["web"])


# --- signing out at the provider


async def test_sign_out_tells_every_client_once(provider, browser, receiver, back_channel):
    """One token with `sub` alone ends all of a person's sessions at a client (Back-Channel Logout 1.0 §2.4)."""
    elsewhere = another(browser)
    await sign_in(browser, "alice", "web", "shop", "web", "quiet")
    await sign_in(elsewhere, "alice", "web")
    answers = await provider.sign_out("alice", client=back_channel)

    tokens = receiver.tokens(provider)
    assert answers == [("web", 200), ("shop", 200)]
    assert isinstance(answers[0], LogoutAnswer)
    assert sorted(call.path for call in receiver.calls) == ["/shop", "/web"]
    assert [tokens[path]["aud"] for path in ("/web", "/shop")] == ["web", "shop"]
    assert [(it["sub"], "sid" in it) for it in tokens.values()] == [("alice", False)] * 2
    assert [await is_signed_in(it) for it in (browser, elsewhere)] == [False, False]


async def test_logout_token_is_posted_as_a_form(provider, browser, receiver, back_channel):
    """The parameter and its form are the specification's (Back-Channel Logout 1.0 §2.5)."""
    await sign_in(browser, "alice", "web")
    await provider.sign_out("alice", client=back_channel)

    call = receiver.calls[0]
    assert (call.method, call.headers["content-type"]) == ("POST", "application/x-www-form-urlencoded")
    assert list(call.form) == ["logout_token"]


async def test_sign_out_of_one_sid_ends_that_sign_in_alone(provider, browser, receiver, back_channel):
    """Who signs out on one device stays signed in on the other."""
    elsewhere = another(browser)
    await sign_in(browser, "alice", "web", "shop")
    await sign_in(elsewhere, "alice", "wiki")
    sid = sids_of(provider)[0]
    answers = await provider.sign_out("alice", sid=sid, client=back_channel)

    assert answers == [("web", 200), ("shop", 200)]
    assert [(it["sub"], it["sid"]) for it in receiver.tokens(provider).values()] == [("alice", sid)] * 2
    assert [await is_signed_in(it) for it in (browser, elsewhere)] == [False, True]


async def test_sign_out_leaves_other_people_alone(provider, browser, receiver, back_channel):
    """Neither is bob signed out with alice, nor by a sid that is hers."""
    bobs = another(browser)
    await sign_in(browser, "alice", "web")
    await sign_in(bobs, "bob", "web")
    of_a_stranger = await provider.sign_out("bob", sid=sids_of(provider)[0], client=back_channel)
    answers = await provider.sign_out("alice", client=back_channel)

    assert (of_a_stranger, answers, len(receiver.calls)) == ([], [("web", 200)], 1)
    assert [await is_signed_in(it) for it in (browser, bobs)] == [False, True]


async def test_clients_are_notified_once(provider, browser, back_channel):
    """A sign-in ends once; the next one is another."""
    await sign_in(browser, "alice", "web", "shop")
    first = await provider.sign_out("alice", client=back_channel)
    second = await provider.sign_out("alice", client=back_channel)
    await sign_in(browser, "alice", "shop")
    third = await provider.sign_out("alice", client=back_channel)

    assert [len(first), second, third] == [2, [], [("shop", 200)]]


async def test_sign_out_is_over_before_clients_hear(provider, browser, receiver, back_channel):
    """A client that sends the person back at once must not find them signed in."""
    await sign_in(browser, "alice", "web")
    seen: list[list[str]] = []
    receiver.before.append(lambda: seen.append(sids_of(provider)))
    await provider.sign_out("alice", client=back_channel)

    assert seen == [[]]


# The time of the one that hangs passes as soon as nobody has anything to do.
@pytest.mark.parametrize("anyio_backend", [("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})])
async def test_one_client_that_fails_does_not_stop_the_others(provider, browser, receiver, back_channel):
    """A provider cannot have one client decide for the others."""
    receiver.misdeeds = {"/web": "raises", "/shop": "hangs", "/wiki": 400}
    await sign_in(browser, "alice", "web", "shop", "wiki")
    answers = await provider.sign_out("alice", client=back_channel)

    assert answers == [("web", None), ("shop", None), ("wiki", 400)]


async def test_client_that_cannot_be_reached_is_no_failure(provider, browser):
    """In the network anything may happen."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    await sign_in(browser, "alice", "web")
    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as client:
        assert await provider.sign_out("alice", client=client) == [("web", None)]


def test_clients_have_five_seconds_by_default(provider):
    """Long enough for any real client, and short enough for a test that hangs."""
    assert provider.backchannel_timeout == 5.0


async def test_faults_spoil_the_tokens_that_are_sent(provider, browser, receiver, back_channel):
    """So that a test sees what a client does with them."""
    await sign_in(browser, "alice", "web")
    with provider.fault("logout_token_no_events"):
        await provider.sign_out("alice", client=back_channel)

    assert "events" not in receiver.tokens(provider)["/web"]


async def test_sign_out_takes_the_client_that_was_set(provider, browser, back_channel):
    """A test sets it once for all."""
    provider.backchannel_client = back_channel
    await sign_in(browser, "alice", "web")

    assert await provider.sign_out("alice") == [("web", 200)]


async def test_sign_out_without_an_http_client_is_refused(provider, browser):
    """Else a test would wait for logout tokens that nobody sends, and the person would be half signed out."""
    await sign_in(browser, "alice", "web")
    with pytest.raises(ValueError, match="backchannel_client"):
        await provider.sign_out("alice")

    assert await is_signed_in(browser)


async def test_sign_out_of_who_is_not_signed_in_does_nothing(provider, back_channel):
    """There is nobody to tell."""
    assert await provider.sign_out("alice", client=back_channel) == []
