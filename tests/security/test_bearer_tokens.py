"""Every token that is not for this API, of now and well signed is refused, whatever session comes with it."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asgi_oidc.testing import DPoPKey, FakeProvider
from asgi_oidc.testing.access_token_styles import STYLES
from asgi_oidc.testing.faults import ACCESS_TOKEN_CLAIMS, ACCESS_TOKEN_SIGNING

from .api_calls import (
    API,
    ELSEWHERE,
    PLACES,
    PROTECTED,
    PUBLIC,
    WHO_AM_I,
    APISite,
    Headers,
    bearer,
    other_tokens,
    refusal_of,
    replayable,
    set_cookies,
    written,
)
from .attacked_site import NOW

# fault -> code
REFUSED = {
    "access_token_wrong_iss": "claim_iss",
    "access_token_no_iss": "claim_iss",
    "access_token_iss_list": "claim_iss",
    "access_token_wrong_aud": "claim_aud",
    "access_token_other_auds": "claim_aud",
    "access_token_client_aud": "claim_aud",
    "access_token_no_aud": "claim_aud",
    "access_token_aud_empty": "claim_aud",
    "access_token_aud_null": "claim_aud",
    "access_token_aud_number": "claim_aud",
    "access_token_no_exp": "claim_exp",
    "access_token_exp_1e300": "claim_exp",
    "access_token_exp_true": "claim_exp",
    "access_token_exp_text": "claim_exp",
    "access_token_exp_nan": "token_inactive",
    "access_token_exp_null": "claim_exp",
    "access_token_iat_text": "claim_iat",
    "access_token_nbf_text": "claim_nbf",
    "access_token_sub_empty": "claim_sub",
    "access_token_sub_number": "claim_sub",
    "access_token_sub_too_long": "claim_sub",
    "access_token_scope_number": "claim_scope",
    "access_token_nonce": "token_typ",
    "access_token_at_hash": "token_typ",
    "access_token_events": "token_typ",
    "access_token_cnf_text": "claim_cnf",
    "access_token_cnf_empty": "claim_cnf",
    "access_token_cnf_null": "claim_cnf",
    "access_token_cnf_jkt_number": "claim_cnf",
    "access_token_cnf_unknown": "claim_cnf",
    "access_token_expired": "claim_exp",
    "access_token_iat_future": "claim_iat",
    "access_token_not_yet": "claim_nbf",
    "access_token_lasts_ten_years": "claim_exp",
    "access_token_exp_before_iat": "claim_exp",
    "access_token_typ_logout": "token_typ",
    "access_token_typ_id_token": "token_typ",
    "access_token_typ_dpop": "token_typ",
    "access_token_typ_event": "token_typ",
    "access_token_typ_introspection": "token_typ",
    "access_token_typ_number": "header_malformed",
    "access_token_b64": "header_crit",
    "access_token_kid_number": "header_malformed",
    "access_token_alg_unknown": "alg_not_allowed",
    "access_token_alg_none": "alg_not_allowed",
    "access_token_bad_signature": "signature",
    "access_token_foreign_key": "signature",
    "access_token_made_up_kid": "kid_unknown",
    "access_token_five_parts": "token_inactive",
    "access_token_duplicate_sub": "claims_malformed",
    "access_token_duplicate_aud": "claims_malformed",
    "access_token_duplicate_alg": "token_malformed",
    "access_token_lone_surrogate": "token_inactive",
    "access_token_deep_claims": "authorization_too_long",
    "access_token_array_payload": "token_inactive",
    "access_token_crit": "header_crit",
    "access_token_hs256_with_public_key": "alg_not_allowed",
    "access_token_hs256_with_oct_key": "alg_not_allowed",
    "access_token_embedded_jwk": "kid_unknown",
    "access_token_small_rsa_key": "kid_unknown",
    "access_token_huge": "authorization_too_long",
    "access_token_jku": "signature",
    "access_token_x5u": "signature",
}
ACCEPTED = {"access_token_no_kid"}
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """All loggers at DEBUG, those of the libraries too."""
    with caplog.at_level(logging.DEBUG):
        yield


async def refused_everywhere(site: APISite, *header: tuple[bytes, bytes], caplog: pytest.LogCaptureFixture) -> set[str]:
    """Make a call with these headers at every place, with and without a session beside; return the codes."""
    cookie = await site.session_cookie()
    known = len(site.provider.calls)
    codes = set()
    for place in PLACES:
        for session in ([], [cookie]):
            answer = await site.call(place, [*session, *header])
            refusal = refusal_of(answer)
            assert refusal.status == 401, (place, session != [])
            assert refusal.challenges[0].partition(" ")[0] in ("Bearer", "DPoP"), place
            assert 'error="invalid_' in refusal.challenges[0], place
            assert not any(challenge.startswith("Cookie") for challenge in refusal.challenges), place
            assert set_cookies(answer) == [], place
            codes.add(refusal.code)
    assert site.app.visits == []
    calls = [call.path for call in site.provider.calls[known:]]
    assert set(calls) <= {DISCOVERY, "/jwks", "/introspect"}, calls
    assert calls.count("/jwks") <= 4, calls  # a burst for unknown keys, and no more
    assert max(calls.count(DISCOVERY), calls.count("/introspect")) <= 1, calls  # what is no JWT may be opaque
    text = written(caplog.records)
    assert [piece[:20] for _, value in header for piece in replayable(value) if piece in text] == []
    return codes


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_bad_token_is_refused_everywhere(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    """Each check has a token that only it refuses, and no session beside it counts."""
    site = APISite()
    site.provider.faults.add("jwks_junk_keys")
    with site.provider.fault(fault):
        token = site.token()

    assert await refused_everywhere(site, bearer(token), caplog=caplog) == {REFUSED[fault]}


def test_every_fault_of_an_access_token_is_tried() -> None:
    """A new fault is refused, or accepted on purpose."""
    assert {*ACCESS_TOKEN_CLAIMS, *ACCESS_TOKEN_SIGNING} == {*REFUSED, *ACCEPTED}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", [None, *ACCEPTED])
async def test_a_good_token_counts_alone(place: str, fault: str | None) -> None:
    """The user of the session beside it is somebody else."""
    site = APISite()
    cookie = await site.session_cookie("alice")
    with site.provider.fault(*([fault] if fault else [])):
        token = site.token("bob")

    for headers in ([bearer(token)], [cookie, bearer(token)]):
        answer = await site.call(place, headers)
        assert answer.sent[0].get("status", 200) == 200
        assert set_cookies(answer) == []
    assert {sub for _, sub in site.app.visits} == (set() if place == WHO_AM_I else {"bob"})


OTHER_TOKENS = sorted(other_tokens(FakeProvider(clock=lambda: NOW)))


@pytest.mark.parametrize("name", OTHER_TOKENS)
async def test_what_is_no_access_token_is_refused(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """All are signed by the same provider with the same key, and some even for the API (RFC 8725 §3.11)."""
    site = APISite()
    token = other_tokens(site.provider)[name]

    codes = await refused_everywhere(site, bearer(token), caplog=caplog)

    assert codes <= {"token_typ", "claim_aud", "claim_iss", "claim_exp", "claim_iat", "claim_sub"}


async def test_tokens_of_a_login_are_no_access_tokens_for_the_api(caplog: pytest.LogCaptureFixture) -> None:
    """Refresh tokens, codes, our own cookies: none of them stands in for a token."""
    site = APISite()
    site.provider.always_refresh_tokens = True
    browser = await site.signed_in("alice")
    site.app.visits.clear()
    memory = site.provider.memory
    texts = [*memory.refresh_tokens, *memory.access_tokens, *memory.used, *memory.id_tokens]
    texts += [cookie.value for cookie in browser.cookies]

    assert len(texts) >= 4
    for text in texts:
        codes = await refused_everywhere(site, bearer(text), caplog=caplog)
        assert codes <= {"token_inactive", "token_typ", "claim_aud", "authorization_malformed"}


def of_other_provider(site: APISite, issuer: str) -> str:
    """Return a token of a provider whose keys have the same ids, and which has the same users and clients."""
    other = FakeProvider(issuer, clock=lambda: NOW)
    other.rotate_keys()
    forged = other.access_token("alice", audience=API, header={"kid": site.provider.key.kid})
    assert other.key.kid != site.provider.key.kid
    return forged


@pytest.mark.parametrize(("issuer", "code"), [("https://id.example.com", "signature"), (ELSEWHERE, "claim_iss")])
async def test_a_token_of_another_provider_is_refused(issuer: str, code: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever runs a provider could sign as anybody; ours is known by its keys and its issuer together."""
    site = APISite()

    assert await refused_everywhere(site, bearer(of_other_provider(site, issuer)), caplog=caplog) == {code}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("audience", [None, ELSEWHERE, [ELSEWHERE, "web"], []], ids=str)
async def test_tokens_of_real_providers_have_to_be_for_the_api(style: Any, audience: Any) -> None:
    """No shape is an excuse for a missing audience."""
    site = APISite()
    for token in (
        site.provider.access_token("bob", audience=audience, style=style),
        site.provider.machine_token("web", audience=audience, style=style),
    ):
        refusal = refusal_of(await site.call(PROTECTED, [bearer(token)]))
        assert (refusal.status, refusal.code in ("claim_aud", "token_typ")) == (401, True)
    assert site.app.visits == []


CNF: dict[str, Callable[[], dict[str, Any]]] = {
    "a key": lambda: {"jkt": DPoPKey().thumbprint},
    "a certificate": lambda: {"x5t#S256": DPoPKey().thumbprint},
    "both": lambda: {"jkt": DPoPKey().thumbprint, "x5t#S256": DPoPKey().thumbprint},
    "a key inside": lambda: {"jwk": DPoPKey().public_jwk},
    "the id of a key": lambda: {"kid": "a-key"},
    "a key and something unknown": lambda: {"jkt": DPoPKey().thumbprint, "urn:example:x": "y"},
}


@pytest.mark.parametrize("name", CNF)
async def test_a_bound_token_is_no_bearer_token(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A thief has the token, and not the key (RFC 9449 §7.1, RFC 8705 §3)."""
    site = APISite()
    token = site.token(claims={"cnf": CNF[name]()})

    await refused_everywhere(site, bearer(token), caplog=caplog)


HEADERS: dict[str, Callable[[bytes], list[bytes]]] = {
    "no token": lambda token: [b"Bearer"],
    "a space alone": lambda token: [b"Bearer "],
    "two words": lambda token: [b"Bearer " + token + b" " + token],
    "Bearer twice": lambda token: [b"Bearer Bearer " + token],
    "a tab": lambda token: [b"Bearer\t" + token],
    "a comma after": lambda token: [b"Bearer " + token + b","],
    "a comma between": lambda token: [b"Bearer " + token + b", Bearer " + token],
    "a comma before": lambda token: [b"Bearer ," + token],
    "a parameter": lambda token: [b'Bearer token="' + token + b'"'],
    "quotes": lambda token: [b'Bearer "' + token + b'"'],
    "a colon": lambda token: [b"Bearer: " + token],
    "no space": lambda token: [b"Bearer=" + token],
    "a null": lambda token: [b"Bearer " + token + b"\x00"],
    "a line break": lambda token: [b"Bearer " + token + b"\r\nx-user: admin"],
    "a no-break space": lambda token: [b"Bearer\xa0" + token],
    "not ASCII": lambda token: [b"Bearer " + token[:-1] + b"\xe9"],
    "UTF-8": lambda token: [b"Bearer " + token + "é".encode()],
    "100 kB": lambda token: [b"Bearer " + token + b"A" * 100_000],
    "100 kB of dots": lambda token: [b"Bearer " + b"." * 100_000],
    "dots": lambda token: [b"Bearer " + b"." * 2000],
    "two dots": lambda token: [b"Bearer .."],
    "one dot": lambda token: [b"Bearer ."],
    "three parts of nothing": lambda token: [b"Bearer e30.e30.e30"],
    "equal signs": lambda token: [b"Bearer ==="],
    "percent signs": lambda token: [b"Bearer " + token.replace(b".", b"%2E")],
    "padding": lambda token: [b"Bearer " + token + b"=="],
    "a part more": lambda token: [b"Bearer " + token + b".x"],
    "a part less": lambda token: [b"Bearer " + token.rpartition(b".")[0]],
    "no signature": lambda token: [b"Bearer " + token.rpartition(b".")[0] + b"."],
    "half a signature": lambda token: [b"Bearer " + token[:-100]],
    "another last character": lambda token: [b"Bearer " + token[:-1] + (b"A" if token[-1:] != b"A" else b"Q")],
    "JSON": lambda token: [b'Bearer {"payload":"e30","signatures":[]}'],
    "two headers": lambda token: [b"Bearer " + token, b"Bearer " + token],
    "two headers, one empty": lambda token: [b"Bearer " + token, b""],
    "a Basic one first": lambda token: [b"Basic d2ViOnNlY3JldA==", b"Bearer " + token],
    "a Basic one last": lambda token: [b"Bearer " + token, b"Basic d2ViOnNlY3JldA=="],
    "a good and a bad one": lambda token: [b"Bearer " + token, b"Bearer x"],
    "DPoP without proof": lambda token: [b"DPoP " + token],
    "DPoP, lower case": lambda token: [b"dpop " + token],
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("is_known", [False, True], ids=["new", "seen before"])
async def test_a_header_that_is_spelt_otherwise_is_refused(
    name: str, is_known: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A good token in a bad header is a bad request, also when the token has been seen in a good one."""
    site = APISite()
    token = site.token().encode()
    if is_known:
        await site.call(PROTECTED, [(b"authorization", b"Bearer " + token)])
        site.app.visits.clear()
    headers = [(b"authorization", value) for value in HEADERS[name](token)]

    codes = await refused_everywhere(site, *headers, caplog=caplog)

    assert len(codes) == 1


@pytest.mark.parametrize("scheme", [b"bearer", b"BEARER", b"bEaReR"])
async def test_the_case_of_the_scheme_does_not_matter(scheme: bytes) -> None:
    """RFC 9110 §11.1 says so; and a bad token must not become no token by it."""
    site = APISite()
    cookie = await site.session_cookie("alice")
    good, bad = site.token("bob").encode(), site.token("bob", audience=ELSEWHERE).encode()

    accepted = await site.call(PROTECTED, [cookie, (b"authorization", scheme + b" " + good)])
    refused = await site.call(PUBLIC, [cookie, (b"authorization", scheme + b" " + bad)])
    assert (accepted.status, refused.status, site.app.visits) == (200, 401, [(PROTECTED, "bob")])


def elsewhere(token: str) -> dict[str, tuple[Headers, dict[str, Any]]]:
    """Return requests that have a good token, and not in the Authorization header."""
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    text = token.encode()
    return {
        "query": ([], {"query_string": b"access_token=" + text}),
        "query in other words": ([], {"query_string": b"token=" + text + b"&bearer=" + text}),
        "body": (form, {"method": "POST", "body": b"access_token=" + text}),
        "cookie": ([(b"cookie", b"access_token=" + text + b"; Authorization=Bearer " + text)], {}),
        "other headers": ([(b"x-access-token", text), (b"x-forwarded-access-token", text)], {}),
        "underscores": ([(b"authorization_", b"Bearer " + text), (b"http_authorization", b"Bearer " + text)], {}),
        "another proxy's header": ([(b"x-authorization", b"Bearer " + text)], {}),
        "proxy-authorization": ([(b"proxy-authorization", b"Bearer " + text)], {}),
        "a subprotocol": ([(b"sec-websocket-protocol", b"bearer, " + text)], {"subprotocols": ["bearer", token]}),
        "Basic": ([(b"authorization", b"Basic " + text)], {}),
        "a longer scheme": ([(b"authorization", b"BearerToken " + text)], {}),
        "no scheme": ([(b"authorization", text)], {}),
        "an empty header": ([(b"authorization", b"")], {}),
    }


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", elsewhere("x"))
async def test_a_token_elsewhere_never_counts(name: str, place: str) -> None:
    """URLs and bodies are logged and cached (RFC 6750 §5.3); whoever sends a token there is anonymous."""
    site = APISite()
    headers, members = elsewhere(site.token())[name]

    answer = await site.call(place, headers, **members)
    status = answer.sent[0].get("status", 101)
    assert all(sub is None for _, sub in site.app.visits)
    assert status in ((200, 101) if "public" in place else (302, 303, 401, 403, 405))
    challenges = [value for name, value in answer.sent[0].get("headers", ()) if name == b"www-authenticate"]
    assert all(b"error=" not in value for value in challenges)


@pytest.mark.parametrize("name", ["Basic", "query", "other headers", "an empty header"])
async def test_beside_a_token_elsewhere_the_session_counts(name: str) -> None:
    """A proxy's own credentials must not sign users out."""
    site = APISite()
    cookie = await site.session_cookie("alice")
    headers, members = elsewhere(site.token("bob"))[name]

    answer = await site.call(PROTECTED, [cookie, *headers], **members)
    assert (answer.status, site.app.visits) == (200, [(PROTECTED, "alice")])


@pytest.mark.parametrize("endpoint", ["login", "callback", "logout", "form"])
async def test_our_own_urls_act_on_cookies_alone(endpoint: str) -> None:
    """A token neither signs anybody in nor out there."""
    site = APISite()
    cookie = await site.session_cookie("alice")
    token = bearer(site.token("bob"))

    for method in ("GET", "POST"):
        with_token = await site.call(f"/auth/{endpoint}", [token], method=method)
        without = await site.call(f"/auth/{endpoint}", method=method)
        assert with_token.status == without.status
    await site.call(PROTECTED, [cookie])
    assert site.app.visits == [(PROTECTED, "alice")]
