"""Each check of a DPoP proof lets the good one pass and refuses the others by its code (RFC 9449 §4.3)."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import pytest

from asgi_oidc.errors import ProofRejected
from asgi_oidc.protocol.dpop.check_proof import (
    MAX_JTI_LENGTH,
    MAX_NONCE_LENGTH,
    MAX_PROOF_LENGTH,
    PROOF_ALGORITHMS,
    PROOF_LIFETIME,
    DPoPProof,
    ExpectedProof,
    check_dpop_proof,
    normalize_htu,
)
from asgi_oidc.protocol.dpop.proof_format import access_token_hash
from asgi_oidc.protocol.jwk_thumbprint import PRIVATE_MEMBERS, public_key_thumbprint
from asgi_oidc.testing.keys import SigningKey, base64url, compact_jws, public_parts, signing_key

NOW = 1_800_000_000
LEEWAY = 30
TOKEN = "an-access-token"
KEY = signing_key("ES256")
OTHER = signing_key("ES256", 1)
ORIGIN = "https://api.example.com"
PATH = "/v1/items/1"


def jkt_of(key: SigningKey) -> str:
    return public_key_thumbprint(public_parts(key.private, key.alg))


CLAIMS: dict[str, Any] = {
    "jti": "a-proof",
    "htm": "GET",
    "htu": ORIGIN + PATH,
    "iat": NOW,
    "ath": base64url(sha256(TOKEN.encode()).digest()),
}


def changed(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**values, **changes}.items() if value is not ...}


def proof_of(claims: dict[str, Any], header: dict[str, Any] | None = None, key: SigningKey = KEY) -> str:
    """Make a proof with these changes; `...` leaves a member out."""
    plain = {"typ": "dpop+jwt", "alg": key.alg, "jwk": public_parts(key.private, key.alg)}
    payload = json.dumps(changed(CLAIMS, claims)).encode()
    return compact_jws(changed(plain, header or {}), payload, key)


def expected(**changes: Any) -> ExpectedProof:
    settings = {"method": "GET", "origin": ORIGIN, "path": PATH, "access_token": TOKEN, "jkt": jkt_of(KEY), **changes}
    return ExpectedProof(**settings)


def check(proof: str, **changes: Any) -> DPoPProof:
    return check_dpop_proof(proof, expected(**changes), now=NOW, leeway=LEEWAY)


def code_of(proof: str, **changes: Any) -> str:
    with pytest.raises(ProofRejected) as caught:
        check(proof, **changes)
    return caught.value.code


def test_the_example_of_the_specification_has_the_thumbprint_of_the_specification():
    """RFC 9449 §4.1, §6.1: the key of its proofs, and the `jkt` of its tokens."""
    jwk = {
        "kty": "EC",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        "crv": "P-256",
    }

    assert public_key_thumbprint(jwk) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_the_hash_of_a_token_is_that_of_the_specification():
    """RFC 9449 §7.1: the `ath` of its example."""
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"

    assert access_token_hash(token) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


@pytest.mark.parametrize("alg", ["RS256", "PS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"])
def test_a_proof_with_any_asymmetric_algorithm_passes(alg):
    """The client chooses among those that we name in `algs`."""
    key = signing_key(alg)

    proof = check(proof_of({"nonce": "n"}, key=key), jkt=jkt_of(key))

    assert (proof.jkt, proof.jti, proof.nonce) == (jkt_of(key), "a-proof", "n")
    assert alg in PROOF_ALGORITHMS


@pytest.mark.parametrize(
    "claims",
    [
        {"htu": f"{ORIGIN}{PATH}?page=2"},
        {"htu": f"{ORIGIN}{PATH}#part"},
        {"htu": f"HTTPS://API.Example.COM:443{PATH}"},
        {"htu": f"{ORIGIN}:{PATH}"},
        {"iat": NOW + LEEWAY},
        {"iat": NOW - LEEWAY - PROOF_LIFETIME + 1},
        {"iat": NOW + 0.5},
        {"exp": NOW + 1},
        {"nbf": NOW},
        {"jti": "j" * MAX_JTI_LENGTH},
        {"jti": "\u6d4b"},
        {"nonce": "n" * MAX_NONCE_LENGTH},
        {"anything": {"else": 1}},
    ],
    ids=str,
)
def test_a_good_proof_passes(claims):
    """What the specification allows is allowed."""
    assert check(proof_of(claims)).jti


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "a"},
        {"jwk": {**KEY.public_jwk()}},
        {"jwk": {**public_parts(KEY.private, "ES256"), "key_ops": ["verify"]}},
    ],
)
def test_a_key_may_say_what_it_is_for(header):
    """Libraries send the whole public JWK."""
    assert check(proof_of({}, header)).jkt == jkt_of(KEY)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"htm": ...}, "dpop_htm"),
        ({"htm": "POST"}, "dpop_htm"),
        ({"htm": "get"}, "dpop_htm"),
        ({"htm": ["GET"]}, "dpop_htm"),
        ({"htu": ...}, "dpop_htu"),
        ({"htu": 7}, "dpop_htu"),
        ({"htu": f"{ORIGIN}/v1/items/2"}, "dpop_htu"),
        ({"htu": f"{ORIGIN}{PATH}/"}, "dpop_htu"),
        ({"htu": f"{ORIGIN}/v1/Items/1"}, "dpop_htu"),
        ({"htu": f"{ORIGIN}/v1/./items/1"}, "dpop_htu"),
        ({"htu": f"{ORIGIN}/v1%2Fitems/1"}, "dpop_htu"),
        ({"htu": f"{ORIGIN}"}, "dpop_htu"),
        ({"htu": PATH}, "dpop_htu"),
        ({"htu": f"http://api.example.com{PATH}"}, "dpop_htu"),
        ({"htu": f"https://evil.example{PATH}"}, "dpop_htu"),
        ({"htu": f"https://api.example.com:8443{PATH}"}, "dpop_htu"),
        ({"htu": f"https://user@api.example.com{PATH}"}, "dpop_htu"),
        ({"htu": f"wss://api.example.com{PATH}"}, "dpop_htu"),
        ({"htu": f" {ORIGIN}{PATH}"}, "dpop_htu"),
        ({"htu": f"{ORIGIN}{PATH}\n"}, "dpop_htu"),
        ({"iat": ...}, "dpop_iat"),
        ({"iat": str(NOW)}, "dpop_iat"),
        ({"iat": True}, "dpop_iat"),
        ({"iat": NOW + LEEWAY + 1}, "dpop_iat"),
        ({"iat": NOW - LEEWAY - PROOF_LIFETIME}, "dpop_iat"),
        ({"iat": 10**400}, "dpop_iat"),
        ({"exp": NOW - LEEWAY}, "dpop_iat"),
        ({"nbf": NOW + LEEWAY + 1}, "dpop_iat"),
        ({"ath": ...}, "dpop_ath"),
        ({"ath": base64url(sha256(b"another-token").digest())}, "dpop_ath"),
        ({"ath": CLAIMS["ath"] + "="}, "dpop_ath"),
        ({"jti": ...}, "dpop_jti"),
        ({"jti": ""}, "dpop_jti"),
        ({"jti": 7}, "dpop_jti"),
        ({"jti": "j" * (MAX_JTI_LENGTH + 1)}, "dpop_jti"),
        ({"nonce": 7}, "dpop_malformed"),
        ({"nonce": ""}, "dpop_malformed"),
        ({"nonce": "n" * (MAX_NONCE_LENGTH + 1)}, "dpop_malformed"),
    ],
    ids=str,
)
def test_a_proof_with_a_wrong_claim_is_refused(claims, code):
    """It was made for another request, at another time or with another token."""
    assert code_of(proof_of(claims)) == code


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"typ": ...}, "dpop_typ"),
        ({"typ": "JWT"}, "dpop_typ"),
        ({"typ": "at+jwt"}, "dpop_typ"),
        ({"typ": ["dpop+jwt"]}, "dpop_typ"),
        ({"alg": "none"}, "dpop_alg"),
        ({"alg": "HS256"}, "dpop_alg"),
        ({"alg": ["ES256"]}, "dpop_alg"),
        ({"alg": ...}, "dpop_alg"),
        ({"alg": "ES384"}, "dpop_jwk"),
        ({"alg": "RS256"}, "dpop_jwk"),
        ({"jwk": ...}, "dpop_jwk"),
        ({"jwk": "key"}, "dpop_jwk"),
        ({"jwk": {"kty": "oct", "k": "c2VjcmV0"}}, "dpop_jwk"),
        ({"jwk": {"kty": ["EC"]}}, "dpop_jwk"),
        ({"jwk": {"kty": "EC", "crv": "P-256"}}, "dpop_jwk"),
        ({"jwk": {**public_parts(KEY.private, "ES256"), "use": "enc"}}, "dpop_jwk"),
        ({"jwk": {**public_parts(KEY.private, "ES256"), "key_ops": ["sign"]}}, "dpop_jwk"),
        ({"jwk": {**public_parts(KEY.private, "ES256"), "alg": "ES384"}}, "dpop_jwk"),
        ({"crit": ["x"], "x": 1}, "dpop_malformed"),
        ({"b64": False}, "dpop_malformed"),
    ],
    ids=str,
)
def test_a_proof_with_a_wrong_header_is_refused(header, code):
    """Its type, its algorithm and its key are checked before the signature."""
    assert code_of(proof_of({}, header)) == code


@pytest.mark.parametrize("member", sorted(PRIVATE_MEMBERS))
def test_a_private_key_is_refused(member):
    """A client that sends its private key away must not have success with it (RFC 9449 §4.3, 7)."""
    assert code_of(proof_of({}, {"jwk": {**public_parts(KEY.private, "ES256"), member: "c2VjcmV0"}})) == "dpop_jwk"


@pytest.mark.parametrize("jwk", [{"x": "AAAA"}, {"crv": "P-999"}, {"y": "!!!"}])
def test_a_key_that_cannot_be_used_is_refused(jwk):
    """Also if the token should be bound to it."""
    broken = {**public_parts(KEY.private, "ES256"), **jwk}

    assert code_of(proof_of({}, {"jwk": broken}), jkt=public_key_thumbprint(broken)) == "dpop_jwk"


def test_a_small_key_is_refused():
    """The same sizes are required as of the provider's keys."""
    key = signing_key("RS256", rsa_bits=1024)

    assert code_of(proof_of({}, key=key), jkt=jkt_of(key)) == "dpop_jwk"


def test_a_proof_of_another_key_is_refused():
    """A stolen token is worth nothing without its key."""
    assert code_of(proof_of({}, key=OTHER)) == "dpop_key_mismatch"


def test_a_proof_that_shows_the_right_key_but_was_made_with_another_is_refused():
    """The public key is no secret: the signature proves the possession of the private one."""
    assert code_of(proof_of({}, {"jwk": public_parts(KEY.private, "ES256")}, key=OTHER)) == "dpop_signature"


def test_a_changed_proof_is_refused():
    """No captured proof can be turned to another request."""
    header, _, signature = proof_of({}).split(".")
    payload = base64url(json.dumps({**CLAIMS, "jti": "another"}).encode())

    assert code_of(f"{header}.{payload}.{signature}") == "dpop_signature"


def test_a_payload_that_is_read_differently_before_and_after_is_refused():
    """Base64 with characters that lenient decoders skip."""
    header, payload, signature = proof_of({}).split(".")

    assert code_of(f"{header}.{payload}!.{signature}") in ("dpop_signature", "dpop_malformed")


@pytest.mark.parametrize(
    "proof",
    [
        "",
        "a.b",
        "a.b.c.d.e",
        "\u00e4.b.c",
        "a.b.c, a.b.c",
        "!!!.b.c",
        "[].b.c",
        "x" * (MAX_PROOF_LENGTH + 1),
        proof_of({}).replace(".", ".A", 1),
        compact_jws({"typ": "dpop+jwt", "alg": "ES256", "jwk": public_parts(KEY.private, "ES256")}, b"[]", KEY),
        urlsafe_b64encode(b'{"typ":"dpop+jwt","typ":"dpop+jwt"}').decode().rstrip("=") + ".e30.c2ln",
    ],
    ids=lambda proof: proof[:20],
)
def test_a_malformed_proof_is_refused(proof):
    """Sizes and dots are checked before anything is decoded."""
    assert code_of(proof) == "dpop_malformed"


def test_a_proof_that_is_too_long_is_not_decoded():
    """The bound is on what an attacker can make us do."""
    assert code_of(proof_of({"jti": "j" * MAX_PROOF_LENGTH})) == "dpop_malformed"


@pytest.mark.parametrize(
    ("htu", "path"),
    [
        (ORIGIN, "/"),
        (ORIGIN, ""),
        (f"{ORIGIN}/", "/"),
        (f"{ORIGIN}/caf%c3%a9", "/caf%C3%A9"),
        (f"{ORIGIN}/%7euser", "/~user"),
        (f"{ORIGIN}/~user", "/%7Euser"),
        (f"{ORIGIN}/a%2fb", "/a%2Fb"),
        (f"{ORIGIN}/a/../b", "/a/../b"),
        (f"{ORIGIN}/100%", "/100%"),
    ],
)
def test_two_spellings_of_one_url_are_equal(htu, path):
    """RFC 3986 §6.2.2, §6.2.3: proxies and clients write escapes in their own ways."""
    assert check(proof_of({"htu": htu}), path=path)


@pytest.mark.parametrize(
    ("htu", "path"),
    [
        (f"{ORIGIN}/a%2Fb", "/a/b"),
        (f"{ORIGIN}/a/b", "/a%2Fb"),
        (f"{ORIGIN}/b", "/a/../b"),
        (f"{ORIGIN}/a", "/a%3Fb"),
        (f"{ORIGIN}/a?b", "/a?b"),
        (f"{ORIGIN}//a", "/a"),
        (f"{ORIGIN}/%2541", "/A"),
        (f"{ORIGIN}/\u00e9", "/\u00e9"),
    ],
)
def test_two_paths_that_servers_may_tell_apart_are_not_equal(htu, path):
    """A proof for one must not pass for the other."""
    assert code_of(proof_of({"htu": htu}), path=path) == "dpop_htu"


@pytest.mark.parametrize("scheme", ["https", "wss", "WSS"])
def test_a_websocket_may_be_named_by_both_schemes(scheme):
    """Its handshake is a GET of an https URL (RFC 6455 §4.1), but the client knows it as wss."""
    assert check(proof_of({"htu": f"{scheme}://api.example.com{PATH}"}), is_websocket=True)


@pytest.mark.parametrize("scheme", ["http", "ws", "ftp"])
def test_a_websocket_is_not_named_by_other_schemes(scheme):
    """Those without TLS are other origins."""
    assert code_of(proof_of({"htu": f"{scheme}://api.example.com{PATH}"}), is_websocket=True) == "dpop_htu"


@pytest.mark.parametrize(
    ("htu", "normal"),
    [
        ("http://localhost:80/a", "http://localhost/a"),
        ("http://localhost:443/a", "http://localhost:443/a"),
        ("https://[2001:DB8::1]:443/a", "https://[2001:db8::1]/a"),
        ("https://host:99999999/a", None),
        ("https://ho st/a", None),
        ("https:///a", None),
        ("//host/a", None),
        ("mailto:a@b", None),
        ("wss://host/a", None),
    ],
)
def test_ports_and_addresses_are_normalized(htu, normal):
    """The default port may be left out, and everything odd is refused."""
    assert normalize_htu(htu, is_websocket=False) == normal


def test_no_text_of_a_proof_or_token_is_shown():
    """Errors and reprs end in logs."""
    shown = [repr(expected()), repr(check(proof_of({"nonce": "secret-nonce"})))]
    for claims in ({"htm": "SECRET"}, {"htu": "secret://"}, {"jti": "secret" * 99}, {"ath": "secret"}):
        with pytest.raises(ProofRejected) as caught:
            check(proof_of(claims))
        shown.append(str(caught.value))

    assert not [text for text in shown if any(word in text.lower() for word in ("secret", TOKEN, "a-proof"))]
