"""A session that does not fit says which of the ways out would suffice, and by how much."""

import re
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest

from asgi_oidc.sessions.kept_tokens import ALL_TOKENS
from asgi_oidc.sessions.sealed_records import MAX_RECORD_SIZE
from asgi_oidc.sessions.sealing import base64url
from asgi_oidc.sessions.session import write_claims
from asgi_oidc.sessions.session_format import decode_tokens, encode_tokens
from asgi_oidc.sessions.session_size import CLAIMS_RATIO, SPARE, UNPACKED_RATIO, too_large, without_claims
from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.testing import FakeProvider, Persona
from asgi_oidc.web.cookie_size import MAX_COOKIE_HEADER, session_share
from tests.protected_site import PROGRAM, Clock, Site, cookie_header
from tests.sessions.test_session_format import of_tokens
from tests.sessions.test_sessions_in_memory import DerivedStore

RANDOM = Random(23)


def text(size: int) -> str:
    """Make random text, which compresses to three quarters."""
    return "".join(RANDOM.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=size))


def number_in(told: str, pattern: str) -> int:
    """Return the number that a log names."""
    found = re.search(pattern, told)
    assert found is not None, told
    return int(found[1])


def site_with(claims: dict[str, Any], **settings: Any) -> Site:
    """A site whose user alice has these claims."""
    alg = settings.pop("alg", "ES256")
    return Site(provider=FakeProvider(alg=alg, personas=[Persona("alice", "A", "a@b", claims)]), **settings)


async def refusal_of(site: Site, caplog: pytest.LogCaptureFixture) -> str:
    """Sign in, and return what the log says about it."""
    browser, url = await site.at_callback()
    response = await browser.get(url, headers=PROGRAM)
    assert (response.status_code, response.json()["error"]) == (500, "session_too_large")
    return caplog.text


async def test_a_session_that_is_too_large_says_what_would_suffice(caplog):
    """Whoever runs the site should not have to guess and try."""
    told = await refusal_of(site_with({"photo": text(8000), "groups": ["staff"]}), caplog)

    needed = number_in(told, r"needs (\d+) bytes")
    assert re.search(r"without photo, \d{3} bytes", told)
    enough = MAX_COOKIE_HEADER + needed - session_share(MAX_COOKIE_HEADER)
    assert enough + SPARE <= number_in(told, r"set max_cookie_header=(\d+)") < enough + SPARE + 100
    assert "set store" in told
    assert "claim photo (" in told
    assert "staff" not in told


async def test_the_limit_that_is_named_suffices(caplog):
    """Whoever sets it should not read the same line again: no two sessions of a user compress to the same size."""
    claims = {"photo": text(8000)}
    enough = number_in(await refusal_of(site_with(claims), caplog), r"set max_cookie_header=(\d+)")
    site = site_with(claims, max_cookie_header=enough)

    sizes = {len(cookie_header(await site.signed_in())) for _ in range(5)}

    assert session_share(MAX_COOKIE_HEADER) < min(sizes) <= max(sizes) <= session_share(enough)
    await refusal_of(site_with(claims, max_cookie_header=enough - SPARE - 120), caplog)


async def test_a_limit_that_the_setting_does_not_allow_is_not_named(caplog):
    """The app would not start with it."""
    told = await refusal_of(site_with({"photo": text(15_000)}), caplog)

    assert "without photo" in told
    assert "max_cookie_header" not in told


async def test_no_choice_of_tokens_that_keeps_another_token_is_named(caplog):
    """The size of a token that sessions do not keep is unknown: it may be the largest."""
    site = site_with({"photo": text(6350)}, alg="RS256", tokens=["id_token", "refresh_token"])

    told = await refusal_of(site, caplog)

    assert 'set tokens="refresh" (' in told


async def test_a_large_session_is_logged_before_it_is_too_large(caplog):
    """In time to do something about it, and once a minute for all users."""
    site = site_with({"groups": text(5400)}, clock=Clock())

    for _ in range(3):
        await site.signed_in()

    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("session_large")]
    assert len(lines) == 1
    assert re.search(r"size=\d{4} most=7270 largest=.claim groups \(\d{4}\)", lines[0])


async def test_a_session_of_usual_size_is_not_logged(caplog):
    """A warning that is always there is read by nobody."""
    await site_with({"groups": text(5000)}).signed_in()

    assert "session_large" not in caplog.text


def test_a_claim_counts_wherever_it_is():
    """It may be in each of the tokens, and a provider that does not state it leaves it out of all of them."""
    claims = {"sub": "alice", "groups": [text(30) for _ in range(40)]}
    jwt = ".".join(map(base64url, (b'{"alg":"RS256"}', msgspec.json.encode(claims), bytes(256))))
    tokens = of_tokens(written_claims=write_claims(claims), id_token=jwt, access_token=jwt, refresh_token="opaque")

    fewer = without_claims(tokens, ["groups"])

    assert (fewer.claims, fewer.refresh_token) == ({"sub": "alice"}, "opaque")
    assert len(fewer.id_token) == len(fewer.access_token or "") < 500


@pytest.mark.parametrize(("photo", "rights", "tokens"), [(7500, 100, "access"), (500, 7500, "refresh")])
async def test_the_choice_of_tokens_that_is_named_suffices(caplog, photo, rights, tokens):
    """By as much as the log says: users sign in, and every cookie has room."""

    def site_of(photo: int, **settings: Any) -> Site:
        site = site_with({"photo": letters[:photo]}, alg="RS256", **settings)
        site.provider.jwt_access_tokens = True
        site.provider.access_token_overrides = {"rights": letters[photo:][:rights], "photo": ...}
        return site

    letters = text(10_000)
    if tokens == "access":  # a little too large, by less than the ID Token takes
        needed = number_in(await refusal_of(site_of(photo), caplog), r"needs (\d+) bytes")
        photo -= needed - session_share(MAX_COOKIE_HEADER) - 100
        caplog.clear()
    told = await refusal_of(site_of(photo), caplog)

    browser = await site_of(photo, tokens=tokens).signed_in()

    size = number_in(told, rf'set tokens="{tokens}" \((\d+) bytes\)')
    # The names of claims in the access token are counted, which are kept only with claims_from_access_token.
    assert size - 120 < len(cookie_header(browser)) < size + 20


def test_a_scope_that_would_be_an_error_without_the_token_is_named():
    """Without that, the app would not start."""
    long = of_tokens(
        written_claims=write_claims({"sub": "alice"}), refresh_token=text(3000), scopes=["openid", "offline_access"]
    )

    error = too_large(
        long, lambda tokens: tokens.texts.size, most=500, kept=ALL_TOKENS, max_cookie_header=MAX_COOKIE_HEADER
    )

    assert 'set tokens="none" and remove offline_access from scope (' in error.detail


@pytest.mark.parametrize("photo", ["ab", "0b5cf6c2-0f0e-4c67-9d2e-3f6a8b1c2d3e"])
async def test_claims_that_compress_well_are_refused_by_their_unpacked_size(caplog, photo):
    """Few bytes of a cookie must not take much memory, nor time to write: a user may choose the value of a claim."""
    most = CLAIMS_RATIO * MAX_COOKIE_HEADER
    claims = {"photo": photo * (1 + most // len(photo))}

    told = await refusal_of(site_with(claims), caplog)

    assert number_in(told, r"claims take (\d+) bytes") > most
    assert "claim photo (" in told


async def test_tokens_that_compress_well_are_refused_by_their_unpacked_size(caplog):
    """An access token may state what the claims of the user do not."""
    most = UNPACKED_RATIO * MAX_COOKIE_HEADER
    site = site_with({})
    site.provider.jwt_access_tokens = True
    site.provider.access_token_overrides = {"photo": "ab" * (most // 2)}

    told = await refusal_of(site, caplog)

    assert number_in(told, r"claims and tokens take (\d+) bytes") > most
    assert "access_token (" in told


@pytest.mark.parametrize(("count", "limit"), [(240, 8000), (540, 16_000)])
async def test_as_many_group_ids_as_cookies_have_room_for_may_be_unpacked(count, limit):
    """They are in the claims and in both tokens, and take almost seven times the bytes of the cookies."""
    site = site_with(
        {"groups": [str(UUID(int=RANDOM.getrandbits(128))) for _ in range(count)]}, max_cookie_header=limit
    )
    site.provider.jwt_access_tokens = True
    site.provider.access_token_overrides = {"groups": site.provider.personas["alice"].claims["groups"]}

    browser = await site.signed_in()

    assert 0.75 * limit < len(cookie_header(browser)) <= session_share(limit)


@pytest.mark.parametrize("kind", [MemoryStore, DerivedStore])
async def test_a_store_refuses_claims_by_their_unpacked_size(caplog, kind):
    """Whoever uses them has to unpack them, however few bytes the record has."""

    async def on_login(user: Any, claims: dict[str, Any]) -> None:
        claims["photo"] = "ab" * (MAX_RECORD_SIZE // 2)

    told = await refusal_of(site_with({}, store=kind(), on_login=on_login), caplog)

    assert number_in(told, r"tokens take (\d+) bytes") > MAX_RECORD_SIZE


def test_the_size_of_claims_and_tokens_is_known_before_they_are_unpacked():
    """Caches count it, so that few bytes of UUIDs and repetitions do not take much memory."""
    uuid = "0b5cf6c2-0f0e-4c67-9d2e-3f6a8b1c2d3e"
    tokens = of_tokens(written_claims=write_claims({"groups": [uuid] * 500}), access_token="é" * 10)

    read = decode_tokens(encode_tokens(tokens))

    assert read is not None
    assert read.texts.size == tokens.texts.size == 500 * 39 + len('{"groups":[]}') - 1 + 10
