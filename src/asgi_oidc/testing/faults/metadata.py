"""Faults of the metadata (the discovery document) and of the JWKS."""

import json
from dataclasses import replace
from typing import Any

from ..keys import signing_key
from ..wire import Answer, html_answer, json_answer, redirect_answer
from .registry import Setting, answer_of, with_members, without


@answer_of("discovery")
def discovery_down(_answer: Answer, _setting: Setting) -> Answer:
    """The discovery endpoint answers 503."""
    return Answer(503, b"down for maintenance", {"content-type": "text/plain"})


@answer_of("discovery")
def discovery_issuer_mismatch(answer: Answer, _setting: Setting) -> Answer:
    """The metadata names another issuer: a mix-up attack, or a wrong setting."""
    return with_members(answer, issuer="https://someone-else.example.com")


@answer_of("discovery")
def discovery_html(_answer: Answer, _setting: Setting) -> Answer:
    """The discovery endpoint answers a web page with status 200."""
    return html_answer("<!doctype html><title>Welcome</title><p>Please sign in to the network.")


@answer_of("discovery")
def discovery_redirect(_answer: Answer, setting: Setting) -> Answer:
    """The discovery endpoint answers a redirect."""
    return redirect_answer(f"{setting.issuer}/elsewhere/openid-configuration")


@answer_of("discovery")
def discovery_endpoints_plain_http(answer: Answer, _setting: Setting) -> Answer:
    """The token endpoint in the metadata is a plain http URL."""
    return with_members(answer, token_endpoint="http://id.example.com/token")


@answer_of("discovery")
def discovery_members_of_wrong_type(answer: Answer, _setting: Setting) -> Answer:
    """Members of the metadata that should be text or lists are numbers and objects."""
    return with_members(answer, token_endpoint=7, response_types_supported={}, jwks_uri=None)


@answer_of("discovery")
def discovery_slow(answer: Answer, setting: Setting) -> Answer:
    """The discovery endpoint takes `provider.slow_by` seconds."""
    return replace(answer, delay=setting.slow_by)


@answer_of("discovery")
def discovery_par_required_without_endpoint(answer: Answer, _setting: Setting) -> Answer:
    """The provider requires pushed requests, but does not say where (RFC 9126 §5)."""
    kept = without(json.loads(answer.body), "pushed_authorization_request_endpoint")
    return json_answer(kept | {"require_pushed_authorization_requests": True})


@answer_of("discovery")
def discovery_par_endpoint_plain_http(answer: Answer, _setting: Setting) -> Answer:
    """The PAR endpoint in the metadata is a plain http URL."""
    url = "http://id.example.com/par"
    return with_members(answer, pushed_authorization_request_endpoint=url, require_pushed_authorization_requests=True)


@answer_of("discovery")
def discovery_par_members_of_wrong_type(answer: Answer, _setting: Setting) -> Answer:
    """What the metadata says about pushed requests is a number and a text."""
    return with_members(
        answer, pushed_authorization_request_endpoint=7, require_pushed_authorization_requests="sometimes"
    )


@answer_of("discovery")
def discovery_dpop_algs_unusable(answer: Answer, _setting: Setting) -> Answer:
    """The provider accepts DPoP proofs only without a signature or by a shared secret, which RFC 9449 §5.1 forbids."""
    return with_members(answer, dpop_signing_alg_values_supported=["none", "HS256"])


@answer_of("discovery")
def discovery_dpop_algs_of_wrong_type(answer: Answer, _setting: Setting) -> Answer:
    """The algorithms of DPoP proofs in the metadata are a text instead of a list."""
    return with_members(answer, dpop_signing_alg_values_supported="ES256")


@answer_of("discovery")
def discovery_assertion_algs_unusable(answer: Answer, _setting: Setting) -> Answer:
    """The provider accepts client assertions without a signature only."""
    methods = ["private_key_jwt", "client_secret_jwt"]
    return with_members(
        answer,
        token_endpoint_auth_methods_supported=methods,
        token_endpoint_auth_signing_alg_values_supported=["none"],
    )


@answer_of("discovery")
def discovery_without_assertion_algs(answer: Answer, _setting: Setting) -> Answer:
    """The provider accepts client assertions, but does not say with which algorithms, as RFC 8414 §2 demands."""
    kept = without(json.loads(answer.body), "token_endpoint_auth_signing_alg_values_supported")
    return json_answer(kept | {"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_jwt"]})


@answer_of("jwks")
def jwks_down(_answer: Answer, _setting: Setting) -> Answer:
    """The JWKS endpoint answers 503."""
    return Answer(503, b"down for maintenance", {"content-type": "text/plain"})


@answer_of("jwks")
def jwks_html(_answer: Answer, _setting: Setting) -> Answer:
    """The JWKS endpoint answers a web page with status 200."""
    return html_answer("<!doctype html><title>Welcome</title>")


@answer_of("jwks")
def jwks_empty(_answer: Answer, _setting: Setting) -> Answer:
    """The JWKS has no keys."""
    return json_answer({"keys": []})


@answer_of("jwks")
def jwks_slow(answer: Answer, setting: Setting) -> Answer:
    """The JWKS endpoint takes `provider.slow_by` seconds."""
    return replace(answer, delay=setting.slow_by)


@answer_of("jwks")
def jwks_junk_keys(answer: Answer, _setting: Setting) -> Answer:
    """The JWKS begins with unusable keys, some with the same `kid` as the usable ones."""
    good = json.loads(answer.body)["keys"]
    small = signing_key("RS256", rsa_bits=1024).public_jwk()
    kid = good[0].get("kid") if good else "none"
    junk: list[Any] = [
        {"kty": "FUTURE", "kid": "post-quantum", "pub": "AAAA"},
        {"kty": "oct", "kid": kid, "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"},
        {"kty": "RSA", "kid": kid, "n": "***not base64***", "e": "AQAB"},
        {"kty": "RSA", "kid": "no-modulus", "e": "AQAB"},
        {"kty": "EC", "kid": "odd-curve", "crv": "P-999", "x": "AAAA", "y": "AAAA"},
        {"kty": "EC", "kid": "off-the-curve", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kty": "OKP", "kid": "short", "crv": "Ed25519", "x": "AAAA"},
        {"kty": 7, "kid": ["list"]},
        {**small, "kid": "small"},
        {**(good[0] if good else small), "kid": "for-encryption", "use": "enc"},
        "not an object",
        None,
    ]
    return json_answer({"keys": junk + good})
