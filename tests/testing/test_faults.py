"""Each named fault does what its sentence says, checked with joserfc and plain JSON."""

import base64
import contextlib
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.testing.faults import FAULTS, gzip_bomb
from asgi_oidc.testing.keys import left_half_hash
from tests.testing.relying_party import NOW, RelyingParty

Token = dict[str, Any]


async def asked(provider: FakeProvider, endpoint: str, **kwargs: Any) -> httpx.Response:
    async with provider.http_client() as client:
        return await client.get(provider.issuer + endpoint, **kwargs)


async def token_answer(provider: FakeProvider, encoding: str = "identity") -> tuple[httpx.Response, bytes]:
    """Give the token answer of a login and its bytes, not unpacked."""
    provider.sign_in_as("alice")
    rp = RelyingParty(provider)
    browser = Browser(rp, others={provider.origin: provider})
    back = await browser.get(rp.authorization_url(), follow=False)
    form = {"grant_type": "authorization_code", "redirect_uri": rp.redirect_uri, "code_verifier": "v" * 43}
    form["code"] = httpx.URL(back.location).params["code"]
    async with provider.http_client() as client:
        credentials = httpx.BasicAuth("web", "web-secret-for-tests")
        call = client.stream("POST", provider.metadata["token_endpoint"], data=form, auth=credentials)
        async with call as answer:
            return answer, b"".join([part async for part in answer.aiter_raw()])


def parts(id_token: str) -> tuple[Token, bytes]:
    header, payload, _ = id_token.split(".")
    return json.loads(decoded(header)), decoded(payload)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_every_fault_is_documented():
    """A fault without a sentence is a riddle."""
    assert all(text.endswith(".") for text in FAULTS.values())


@pytest.mark.parametrize(
    ("name", "hint"), [("tokn_500", "did you mean token_500"), ("x", "FAULTS in asgi_oidc.testing.faults lists them")]
)
def test_an_unknown_fault_is_refused(provider, name, hint):
    """A misspelt fault would make a test pass that tests nothing; there are too many to list them."""
    with pytest.raises(ValueError, match=hint):
        provider.faults.add(name)


def test_faults_end_with_the_block(provider):
    """The next test must find a healthy provider, whatever happened."""
    during: set[str] = set()
    with contextlib.suppress(RuntimeError), provider.fault("token_500", "jwks_down"):
        during |= set(provider.faults)
        raise RuntimeError

    assert (during, len(provider.faults), "jwks_down" in provider.faults) == ({"token_500", "jwks_down"}, 0, False)
    assert repr(provider.faults) == "ActiveFaults()"


ANSWERS: list[tuple[str, str, Callable[[httpx.Response], Any], Any]] = [
    ("discovery_down", "/.well-known/openid-configuration", lambda it: it.status_code, 503),
    ("discovery_html", "/.well-known/openid-configuration", lambda it: it.text[:9], "<!doctype"),
    ("discovery_redirect", "/.well-known/openid-configuration", lambda it: it.has_redirect_location, True),
    (
        "discovery_issuer_mismatch",
        "/.well-known/openid-configuration",
        lambda it: it.json()["issuer"],
        "https://someone-else.example.com",
    ),
    (
        "discovery_endpoints_plain_http",
        "/.well-known/openid-configuration",
        lambda it: it.json()["token_endpoint"][:7],
        "http://",
    ),
    (
        "discovery_members_of_wrong_type",
        "/.well-known/openid-configuration",
        lambda it: it.json()["jwks_uri"],
        None,
    ),
    ("jwks_down", "/jwks", lambda it: it.status_code, 503),
    ("jwks_html", "/jwks", lambda it: it.headers["content-type"][:9], "text/html"),
    ("jwks_empty", "/jwks", lambda it: it.json(), {"keys": []}),
]


@pytest.mark.parametrize(("fault", "path", "look", "seen"), ANSWERS)
async def test_faults_of_discovery_and_keys(provider, fault, path, look, seen):
    """The answer is spoilt while the fault is in force, and good after it."""
    with provider.fault(fault):
        spoilt = await asked(provider, path)
    good = await asked(provider, path)

    assert look(spoilt) == seen
    assert good.status_code == 200


async def test_junk_keys_stand_beside_the_good_one(provider):
    """A set with keys that nobody can use still holds the one that signs."""
    with provider.fault("jwks_junk_keys"):
        keys = (await asked(provider, "/jwks")).json()["keys"]

    good = next(key for key in keys if key == provider.key.public_jwk())
    kinds = {key.get("kty") for key in keys if isinstance(key, dict) and isinstance(key["kty"], str)}
    small = next(key for key in keys if isinstance(key, dict) and key.get("kid") == "small")
    assert jwt.decode(provider.id_token(), KeySet.import_key_set({"keys": [good]})).claims["sub"] == "alice"
    assert kinds == {"FUTURE", "oct", "RSA", "EC", "OKP"}
    assert len(decoded(small["n"])) * 8 == 1024


TOKENS: list[tuple[str, Callable[[httpx.Response, bytes], Any], Any]] = [
    ("token_500", lambda it, _: it.status_code, 500),
    ("token_html", lambda it, _: (it.status_code, it.headers["content-type"][:9]), (200, "text/html")),
    ("token_not_json", lambda it, raw: (it.headers["content-type"], raw[-1:]), ("application/json", b"k")),
    ("token_json_array", lambda _, raw: type(json.loads(raw)), list),
    ("token_oauth_error", lambda it, raw: (it.status_code, json.loads(raw)["error"]), (400, "invalid_grant")),
    ("token_invalid_client", lambda it, raw: (it.status_code, json.loads(raw)["error"]), (401, "invalid_client")),
    ("token_redirect", lambda it, _: (it.status_code, it.has_redirect_location), (307, True)),
    ("token_huge", lambda _, raw: len(raw) > 8_000_000 and "id_token" in json.loads(raw), True),
    ("token_gzip", lambda _, raw: "id_token" in json.loads(gzip.decompress(raw)), True),
    ("token_deep_json", lambda _, raw: raw[:200].count(b"["), 195),
    ("token_no_id_token", lambda _, raw: "id_token" in json.loads(raw), False),
    ("token_no_access_token", lambda _, raw: "access_token" in json.loads(raw), False),
    ("token_type_dpop", lambda _, raw: json.loads(raw)["token_type"], "DPoP"),
    ("token_wrong_types", lambda _, raw: json.loads(raw)["access_token"], 7),
    ("token_no_expires_in", lambda _, raw: "expires_in" in json.loads(raw), False),
    ("token_expires_in_text", lambda _, raw: json.loads(raw)["expires_in"], "3600"),
]


@pytest.mark.parametrize(("fault", "look", "seen"), TOKENS)
async def test_faults_of_the_token_answer(provider, fault, look, seen):
    """The token answer is spoilt as its sentence says."""
    with provider.fault(fault):
        answer, raw = await token_answer(provider)

    assert look(answer, raw) == seen


async def test_the_gzip_bomb_is_small_on_the_wire(provider):
    """About 1 kB travels; two layers of gzip hold 512 MB, of which a taste is enough here."""
    with provider.fault("token_gzip_bomb"):
        answer, raw = await token_answer(provider)

    inner = gzip.decompress(raw)
    taste = zlib.decompressobj(wbits=31).decompress(inner, 10_000_000)
    assert (answer.headers["content-encoding"], len(raw) < 1500) == ("gzip, gzip", True)
    assert taste == b" " * 10_000_000


def test_the_gzip_bomb_is_well_formed_and_takes_no_memory_to_make():
    """Its checksum is right, so that it is the size alone that a reader may trip over."""
    tracemalloc.start()
    bomb = gzip_bomb(8 * 1024 * 1024)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert gzip.decompress(gzip.decompress(bomb)) == b" " * (8 * 1024 * 1024)
    assert peak < 4_000_000


SLOW = [
    ("discovery_slow", "/.well-known/openid-configuration"),
    ("jwks_slow", "/jwks"),
    ("userinfo_slow", "/userinfo"),
]


@pytest.mark.parametrize(("fault", "path"), SLOW)
async def test_slow_faults_take_their_time(provider, fault, path):
    """The time is a setting of the provider, so that tests need not wait long."""
    provider.slow_by = 0.05
    start = time.perf_counter()
    with provider.fault(fault):
        await asked(provider, path)

    assert time.perf_counter() - start >= 0.045


async def test_a_slow_token_endpoint_can_be_cancelled(provider):
    """A client that gives up is not held."""
    with provider.fault("token_slow"), anyio.move_on_after(0.05) as patience:
        await token_answer(provider)

    assert patience.cancelled_caught


async def test_latency_slows_every_answer(provider):
    """A far provider, for tests of many logins at once."""
    provider.latency = 0.05
    start = time.perf_counter()
    await asked(provider, "/jwks")

    assert time.perf_counter() - start >= 0.045


CLAIMS: list[tuple[str, Callable[[Token], Any], Any]] = [
    ("id_token_wrong_iss", lambda it: it["iss"], "https://someone-else.example.com"),
    ("id_token_wrong_aud", lambda it: it["aud"], "another-client"),
    ("id_token_no_iss", lambda it: "iss" in it, False),
    ("id_token_no_aud", lambda it: "aud" in it, False),
    ("id_token_aud_list", lambda it: it["aud"], ["web"]),
    ("id_token_extra_aud", lambda it: (it["aud"], it["azp"]), (["web", "another-client"], "web")),
    ("id_token_wrong_azp", lambda it: (it["aud"], it["azp"]), ("web", "another-client")),
    ("id_token_expired", lambda it: it["exp"], NOW - 3600),
    ("id_token_iat_future", lambda it: it["iat"], NOW + 3600),
    ("id_token_exp_1e300", lambda it: it["exp"], 1e300),
    ("id_token_no_exp", lambda it: "exp" in it, False),
    ("id_token_wrong_nonce", lambda it: it["nonce"], "nonce-of-another-login"),
    ("id_token_no_nonce", lambda it: "nonce" in it, False),
    ("id_token_bad_at_hash", lambda it: it["at_hash"] == left_half_hash("at", "RS256"), False),
    ("id_token_sub_empty", lambda it: it["sub"], ""),
    ("id_token_sub_too_long", lambda it: len(it["sub"]), 256),
    ("id_token_sub_number", lambda it: it["sub"], 12345),
    ("id_token_no_sub", lambda it: "sub" in it, False),
    ("id_token_old_auth_time", lambda it: it["auth_time"], NOW - 86_400),
    ("id_token_no_auth_time", lambda it: "auth_time" in it, False),
    ("id_token_wrong_acr", lambda it: it["acr"], "urn:example:weak"),
]


@pytest.mark.parametrize(("fault", "look", "seen"), CLAIMS)
async def test_faults_of_the_claims_are_well_signed(provider, fault, look, seen):
    """Only the claim is wrong: a reader that checks the signature alone would take it."""
    keys = KeySet.import_key_set((await asked(provider, "/jwks")).json())
    with provider.fault(fault):
        id_token = provider.id_token(nonce="a-nonce", access_token="at")

    assert look(jwt.decode(id_token, keys).claims) == seen


BADLY_SIGNED = [
    "id_token_alg_none",
    "id_token_bad_signature",
    "id_token_foreign_key",
    "id_token_made_up_kid",
    "id_token_crit",
    "id_token_hs256_with_public_key",
    "id_token_hs256_with_oct_key",
    "id_token_small_rsa_key",
    "id_token_embedded_jwk",
    "id_token_five_parts",
]


@pytest.mark.parametrize("fault", BADLY_SIGNED)
async def test_badly_signed_tokens_do_not_verify(provider, fault):
    """Joserfc, given our keys and algorithm, refuses each of them."""
    provider.rotate_keys(keep_old=True)  # two keys, so that a missing kid is no way round
    keys = KeySet.import_key_set((await asked(provider, "/jwks")).json())
    with provider.fault(fault):
        id_token = provider.id_token()

    with pytest.raises((JoseError, ValueError)):
        jwt.decode(id_token, keys, algorithms=["RS256"])


WELL_SIGNED: list[tuple[str, Callable[[Token, bytes], Any], Any]] = [
    ("id_token_no_kid", lambda header, _: sorted(header), ["alg", "typ"]),
    ("id_token_duplicate_sub", lambda _, payload: payload.count(b'"sub":'), 2),
    ("id_token_lone_surrogate", lambda _, payload: b"\\ud800" in payload, True),
    ("id_token_deep_claims", lambda _, payload: payload.count(b"["), 20_001),
    ("id_token_array_payload", lambda _, payload: type(json.loads(payload)), list),
    ("id_token_huge", lambda _, payload: len(payload) > 100_000, True),
]


@pytest.mark.parametrize(("fault", "look", "seen"), WELL_SIGNED)
def test_odd_payloads_are_well_signed(provider, fault, look, seen):
    """The signature is good, so the reader itself has to be careful."""
    with provider.fault(fault):
        id_token = provider.id_token()

    header, payload = parts(id_token)
    key = provider.key.private.public_key()
    start, _, signature = id_token.rpartition(".")
    key.verify(decoded(signature), start.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert look(header, payload) == seen


async def test_another_algorithm_by_a_key_of_the_set(provider):
    """The signature is good: only what was agreed on tells that it is wrong."""
    provider.further_algs = ["PS256"]
    keys = KeySet.import_key_set((await asked(provider, "/jwks")).json())
    with provider.fault("id_token_another_alg"):
        id_token = provider.id_token()

    assert jwt.decode(id_token, keys, algorithms=["PS256"]).claims["sub"] == "alice"
    with pytest.raises(JoseError):
        jwt.decode(id_token, keys, algorithms=["RS256"])


async def test_the_oct_key_of_the_junk_really_verifies(provider):
    """A reader that takes `oct` keys from a key set is fooled by this pair of faults."""
    with provider.fault("jwks_junk_keys", "id_token_hs256_with_oct_key"):
        keys = (await asked(provider, "/jwks")).json()["keys"]
        id_token = provider.id_token()

    secret = OctKey.import_key(next(key for key in keys if isinstance(key, dict) and key["kty"] == "oct"))
    assert jwt.decode(id_token, secret, algorithms=["HS256"]).claims["sub"] == "alice"


async def test_made_up_key_ids_are_new_each_time(provider):
    """Else a cache of unknown key ids would hide a flood."""
    with provider.fault("id_token_made_up_kid"):
        kids = {parts(provider.id_token())[0]["kid"] for _ in range(10)}

    assert len(kids) == 10


USERINFO: list[tuple[str, Callable[[Any], Any], Any]] = [
    ("userinfo_wrong_sub", lambda it: it["sub"], "admin"),
    ("userinfo_no_sub", lambda it: "sub" in it, False),
    ("userinfo_sub_null", lambda it: it["sub"], None),
    ("userinfo_sub_empty", lambda it: it["sub"], ""),
    ("userinfo_sub_bool", lambda it: it["sub"], True),
    ("userinfo_sub_float", lambda it: it["sub"], 1.5),
    ("userinfo_sub_object", lambda it: it["sub"], {"id": "alice"}),
    ("userinfo_sub_huge", lambda it: len(it["sub"]), 10_000_000),
    ("userinfo_huge", lambda it: len(it["padding"]), 10_000_000),
    ("userinfo_json_array", lambda it: it[0]["sub"], "alice"),
    ("userinfo_overwrites_protocol_claims", lambda it: (it["exp"] > NOW, it["nonce"]), (True, "made-up")),
]


async def userinfo(provider: FakeProvider, fault: str) -> httpx.Response:
    _, raw = await token_answer(provider)
    with provider.fault(fault):
        bearer = {"authorization": "Bearer " + json.loads(raw)["access_token"]}
        return await asked(provider, "/userinfo", headers=bearer)


@pytest.mark.parametrize(("fault", "look", "seen"), USERINFO)
async def test_faults_of_userinfo_claims(provider, fault, look, seen):
    """The claims are spoilt as the sentence says."""
    answer = await userinfo(provider, fault)

    assert (answer.status_code, look(answer.json())) == (200, seen)


async def test_userinfo_can_be_down_or_cut_off(provider):
    """Two ways in which there are no claims."""
    down = await userinfo(provider, "userinfo_down")
    cut_off = await userinfo(provider, "userinfo_not_json")

    assert (down.status_code, cut_off.status_code) == (503, 200)
    assert not cut_off.text.endswith("}")


async def test_userinfo_can_fail_or_be_a_page(provider):
    """Two more ways in which there are no claims."""
    failed = await userinfo(provider, "userinfo_500")
    page = await userinfo(provider, "userinfo_html")

    assert (failed.status_code, page.status_code) == (500, 200)
    assert page.headers["content-type"].startswith("text/html")


async def test_userinfo_can_refuse_an_access_token(provider):
    """With an OAuth error, or with a page."""
    refused = await userinfo(provider, "userinfo_refuses")
    forbidden = await userinfo(provider, "userinfo_forbids")

    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    assert (forbidden.status_code, forbidden.headers["content-type"]) == (403, "text/html")


CALLBACKS: list[tuple[str, list[str]]] = [
    ("callback_no_iss", ["code", "state"]),
    ("callback_wrong_iss", ["code", "iss", "state"]),
    ("callback_error_access_denied", ["error", "error_description", "iss", "state"]),
    ("callback_error_server_error", ["error", "iss", "state"]),
    ("callback_error_and_code", ["code", "error", "iss", "state"]),
    ("callback_no_state", ["code", "iss"]),
    ("callback_wrong_state", ["code", "iss", "state"]),
    ("callback_no_code", ["iss", "state"]),
    ("callback_double_code", ["code", "code", "iss", "state"]),
    ("callback_double_state", ["code", "iss", "state", "state"]),
    ("callback_unknown_params", ["authuser", "code", "iss", "prompt", "session_state", "state"]),
]


@pytest.mark.parametrize("mode", ["query", "form_post"])
@pytest.mark.parametrize(("fault", "names"), CALLBACKS)
async def test_faults_of_the_callback(provider, rp, browser, fault, names, mode):
    """The parameters that come back are spoilt, in the query and in the form alike."""
    provider.sign_in_as("alice")
    with provider.fault(fault):
        back = await browser.get(rp.authorization_url(response_mode=mode), follow=False)

    fields = back.page.forms[0].fields if mode == "form_post" else httpx.URL(back.location).params.multi_items()
    assert sorted(name for name, _ in fields) == names
    assert dict(fields).get("iss") != "https://someone-else.example.com" or fault == "callback_wrong_iss"


def test_every_fault_is_tested():
    """A new fault comes with a test."""
    source = "".join(file.read_text("utf-8") for file in Path(__file__).parent.glob("test_*faults.py"))

    assert [name for name in FAULTS if f'"{name}"' not in source] == []
