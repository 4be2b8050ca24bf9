"""Names and sealed values of earlier releases: an update signs nobody out, and brings nobody back."""

import zlib

import msgspec
import pytest

from asgi_oidc import MemoryStore
from asgi_oidc.login.interrupted_forms import InterruptedForm, InterruptedForms
from asgi_oidc.login.login_transactions import Before, Transactions
from asgi_oidc.sessions.digests import UserDigests, short_digest
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.sessions.sealed_records import SealedRecords
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import Session, make_tokens, with_changes, write_claims
from asgi_oidc.sessions.session_format import decode_login, decode_tokens, decode_use
from asgi_oidc.testing import FakeProvider
from asgi_oidc.web.cookies import CookieStyle
from tests.protected_site import NOW, ORIGIN, Clock, Site, who_am_i
from tests.sessions.test_session import ID, ISSUER, LOGIN, TOKENS, user

# All values below are from a release that knew a single provider, with these settings.
SECRET = b"1" * 32
CONTEXT = (ISSUER, "web", "https://app.example.com")
NAMES = RecordNames([SECRET], context=CONTEXT, default_issuer=ISSUER)
SEALER = Sealer([SECRET], context=CONTEXT)
STYLE, STEM = CookieStyle(secure=True), "oidc-x"
DIGESTS = UserDigests(ISSUER)
OLD_LOGIN = msgspec.structs.replace(LOGIN, sid="s1", replaced=["B" * 43])
OLD_TOKENS = with_changes(TOKENS, id_token="an-id-token", written_claims=write_claims({"name": "Alice"}))
TAG = "UJ9ZK2N3rLJW5THV"
DIGEST_OF_ALICE = "K9gGyX8OAK8aH8Myj6djqSaXI8jbj6xPk69x2xhtbpA"
RECORD = (
    "6f6964632d73657373696f6e2d319937a8a7d7686c0d002c6704d8563bd0da0b3cdb3c3daad94784d2c0c0f79d03548bc3dc"
    "415a8dba9805282b96ff10702edf4ff015da941ef4f49e1cc8690a1cc91d634d875b6308eb3717080a19a65f4b292b561637"
    "a646f8025ee2d4ea6ffda2588e0c3b0921f255854def8c1ae7837b6b1efb3fc74f5c7b407b5bcd1b1d86fc3cdace44ebf9f9"
    "35212446a14ce536983dbcf09727c8d0e17c9fb8cca807a5935c1303e3befa91551f10d191302d3e33b4a2974359ff8d1255"
    "e6860ee897c6e21194a83499b6c8b43adac93de5de801fbc245528b573ac70394d7f3117ad67f8c60170e3600b171d3be123"
    "b98cfed3b2818ad51eb3f32f6dee5201fa5552df59fe7521557632861b38be896983603a7adc3e23e70e1f6a011827dc4319"
    "43e6c1bbfb03564231ea3da3bc9a5438584d46f0b504c716a604f04d208c617d7ab6c299327fde9e2d8b1f2999891e91a5ae"
    "4524d96bbbb6aa6ee03be32e2fc7513a854364c79a2b5da7cca021692fcffefb"
)
LOGIN_COOKIE = (
    "AWcAaPF5UohvylSTXTeBz2JTGmS54QRLOtj2ekHaLG78lMeqa0uEXuTkrlGTKaT13n6kzJm-21cSfvVXN6K4aioQSYingy-BNw7_"
    "TUY5ArMmH7I63TirjqzAtaKzG5p1g-r8B1LBSsNCNSRpPmncxqEqMZWvIRU22o27cqDW_-Z5TDvebQOxQuaiD7nJVKdst9vyil8v"
    "XdX9vhf9VlKRI8E9bos0-ZS9jlz5HCLJ0eigPigLn30MMs5GUOzvxFf_nv-A-MGgfGI4gVjFmTAL0JkjIQ"
)
FORM = (
    "ykHEXiwEM9VfnBwDe7jiRh1duJ_hKd8HR2RDA9nOt8z18uHxTtmfH_6FKuMusjpK5BshIOis9OLQvG3cvRbJFoMsrMBoVkS_YtPq"
    "JrqPz_t-nzJ2XS39MF5tAU1CNUW85vFVzrztvnXsWwDT3A"
)
LOGIN_IN_PROGRESS_NAME = "__Host-oidc-x-login-7mtV7ezhQE1sCoX7QS3EbMnj"
LOGIN_IN_PROGRESS = (
    "DIw_GF_u59mn-sFhMcxRne_yw5nugmJT-1jVBIOWBEkd4Cyzun1Yu81h3P31UBZzD0ptf6f4I661PAvTR6hUKlxDwl1QLmV-3GUU"
    "dQ0GCxwjnCzLDindkbg_O3aNUQxTcRqfSeCCY263k3o03tggH8paDWLx22xqPltPXpiDt-UGc1im7rwIpsvEz6P3GVEIuP4clsMv"
    "qF7ITeqUvDvVK1Q-8-IkG7IXM1Tl4v5-izPHPgjqsx7DYePz"
)


def test_keys_in_the_store_stay():
    """Sessions, locks, used logins and used logout tokens are found again."""
    handle = NAMES.handle(ID)

    names = [
        NAMES.key(handle),
        NAMES.lock_key(handle),
        NAMES.login_key("a-state"),
        NAMES.once_key("a-jti", issuer=ISSUER),
    ]

    assert names == [
        f"{TAG}:session:C_j-Py26dv8QwkkA6Y--HBE6VCak3shqSkbfBTr_cR8",
        f"{TAG}:lock:C_j-Py26dv8QwkkA6Y--HBE6VCak3shqSkbfBTr_cR8",
        f"{TAG}:login:d96pohsdzF2IAuM6BAJdoJvD8L49U4_o2_uF0QVHvvI",
        f"{TAG}:jti:nxhbZVV45lQi15RlN-6JinzzTplbgLIEQfgQhcMHXeA",
    ]


@pytest.mark.parametrize(
    ("kind", "name", "index"),
    [
        ("sub", "alice", "RKTDyC3T6HphwlrEEWnNA2Y5qVV9LHr9odc26AOQSmU"),
        ("sid", "s1", "-w1LT3ajdHfM0Bm18qPUE2kSI0gdApVzLz_4oKfNPa8"),
        ("lone", "alice", "mAUE99IvkB_wtIE4T499B5eWKyPThI_Ba6XRQfSLNVc"),
    ],
)
def test_indexes_in_the_store_stay(kind, name, index):
    """The sessions of a user can still be listed and ended."""
    assert NAMES.index_keys(kind, ISSUER, name) == [f"{TAG}:{kind}:{index}"]


@pytest.mark.parametrize(
    ("kind", "value", "issuer", "name"),
    [
        ("id", ID, None, "phuI00FYXtPHQZ8aE_hSXg"),
        ("handle", NAMES.handle(ID), None, "phuI00FYXtPHQZ8aE_hSXg"),
        ("tokens", ID, None, "5iGlU_vRm-Ak8HyoHlXizA"),
        ("sub", "alice", ISSUER, "PQbjFlEIzRJFQv9zpiRL1w"),
        ("sid", "s1", ISSUER, "6BSHWQrzavSz9DObKIX9DA"),
        ("lone", "alice", ISSUER, "zPnaDCQuj_Lx0VRoQrK4kA"),
        ("both", "5 alice s1", ISSUER, "wdNW5xky2QqpsbugYmtz3g"),
    ],
)
def test_names_of_revocations_stay(kind, value, issuer, name):
    """Who was signed out before the update stays signed out after it."""
    assert NAMES.revocation_names(kind, value, issuer=issuer) == (name,)


def test_the_digest_of_a_user_stays():
    """Forms and logins that were interrupted by the update go on."""
    assert DIGESTS.of(user("alice")) == DIGEST_OF_ALICE


def test_a_stored_session_is_read():
    """Its provider had no name."""
    session = SealedRecords(NAMES).open(ID, bytes.fromhex(RECORD))

    assert session == Session(login=OLD_LOGIN, tokens=OLD_TOKENS, seen_at=1000)


def test_a_login_in_a_cookie_is_read():
    """Its provider had no name."""
    data = SEALER.open("session", "__Host-oidc-x", LOGIN_COOKIE)

    assert data is not None
    assert decode_login(data) == OLD_LOGIN


JWT = (
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSIsIm5hbWUiOiJBbGljZSJ9.c2lnbmF0dXJlLW9mLTMyLWJ5dGVzLi4uLi4uLi4"  # of nobody
)
WRITTEN_TOKENS = (
    b'[2,{"sub":"alice","name":"Alice","id":1000000000000000000000000000000},"%s","opaque-1",1300,1240,"1//refresh",'
    b'["openid","email"],0,0,null,null,[],1100,[]]' % JWT.encode()
)
COMPRESSED_TOKENS = (
    "78da9bc774dc99a95aa9b83449c94a2931273339554947292f313715c8758472335394ac0c0df082dae3818c938ff057038d4807ea740d"
    "36323553aa3d2287d7e4da23b2c599e9798925a545a9baf969bac646ba499525a9c57a50b022bf20b1b03455d7f02cabc859961bab0cf5"
    "f58b52d38a528b33262dcb2f48cdcb4c599a9a9b9899c3c070e0c084b32c3e00f308413b"
)


@pytest.mark.parametrize("data", [WRITTEN_TOKENS, bytes.fromhex(COMPRESSED_TOKENS)], ids=["plain", "compressed"])
def test_tokens_in_cookies_of_the_previous_release_are_read(data):
    """They may be the last place where a refresh token is kept."""
    assert decode_tokens(data) == make_tokens(
        generation=2,
        written_claims=write_claims({"sub": "alice", "name": "Alice", "id": 10**30}),
        id_token=JWT,
        access_token="opaque-1",
        access_expires_at=1300,
        refresh_due_at=1240,
        refresh_token="1//refresh",
        scopes=["openid", "email"],
        confirmed_at=1100,
    )


@pytest.mark.parametrize("data", [b"\x78", bytes.fromhex(COMPRESSED_TOKENS)[:-9], zlib.compress(bytes(90_000))])
def test_damaged_tokens_of_the_previous_release_are_none(data):
    """It wrote no more than it read."""
    assert decode_tokens(data) is None


def test_a_last_use_in_a_cookie_is_read():
    """A session that was used a minute ago must not seem idle."""
    assert decode_use(b'["%s",1060]' % ID.encode()) == (short_digest(ID), 1060)


def test_a_login_in_progress_is_finished():
    """It knows whose session the browser had."""
    logins = Transactions(SEALER, STYLE, STEM, "Lax", DIGESTS)

    found = logins.find("a-state", {LOGIN_IN_PROGRESS_NAME: LOGIN_IN_PROGRESS})

    assert found is not None
    assert found.before == Before(ID, DIGEST_OF_ALICE)
    assert logins.was_of(found.before, user("alice"))


def test_an_interrupted_form_is_offered_to_its_user():
    """It was submitted before the update."""
    forms = InterruptedForms(SEALER, STYLE, STEM, DIGESTS)

    form = forms.open(FORM, now=1000)

    assert form == InterruptedForm(
        target="/save", page="/edit", pairs=[("note", "hello")], user=DIGEST_OF_ALICE, created_at=1000, id="its-id"
    )
    assert forms.is_of(form, user("alice"))


# Of a whole site, with the settings of `Site`: a provider at this issuer, and a clock at `NOW`.
SITE_ISSUER = "https://id.example.net"
ENDED_INDEX = "dQAyfRQE0keFBhQO:ended"
SIGN_OUT_OF_ALICE = f"{NOW + 300}000:0:{NOW}:UWHCYZN54LlYTUBwHibaWg"
FORM_COOKIE = (
    "__Host-oidc-fzj3u3sg-form=RLxfNzMNUN_m0zTo297zDzVNZNj2uVPMxpCyTWVPmLkN1suQuPsxHvCSbsXFkIfR1XzXpRQt2j-lHxkzj1wcm1C"
    "vbAfGqdKhvK9HD06G5pJF6H0JXR4Zah_wvX8VfbUrAAIHiXbvGl-XebiXp47N16n6Ug3Nn-SgiA"
)


async def test_a_sign_out_by_an_earlier_release_counts():
    """While a fleet is updated, both releases share the feed."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    site = Site(provider=FakeProvider(SITE_ISSUER, alg="ES256"), clock=clock, logout_store=store)
    alice, bob = await site.signed_in("alice"), await site.signed_in("bob")

    await store.link(ENDED_INDEX, SIGN_OUT_OF_ALICE, lifetime=600, most=10)
    clock.advance(6)

    assert [await who_am_i(browser) for browser in (alice, bob)] == [None, "bob"]


@pytest.mark.parametrize(("sub", "is_offered"), [("alice", True), ("bob", False)])
async def test_a_form_that_an_earlier_release_kept_is_offered_to_its_user(sub, is_offered):
    """The update came between the form and the login."""
    site = Site(provider=FakeProvider(SITE_ISSUER, alg="ES256"), keep_forms=True)
    site.clock.advance(600)
    browser = await site.signed_in(sub)
    browser.jar.receive(f"{FORM_COOKIE}; Path=/; Secure; HttpOnly", ORIGIN)

    page = await browser.get("/auth/form")

    assert ("Send your form now?" in page.text) is is_offered
