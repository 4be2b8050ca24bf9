"""Checks everything that the conformance suite checks of a client, in the calls that the provider has received."""

import base64
import hashlib
import re
from typing import Any
from urllib.parse import urlsplit

from asgi_oidc.testing.jws import is_signed_by_key, read_jwt
from asgi_oidc.testing.wire import Call
from tests.conformance.strong_site import CLIENT_KEY, ISSUER, MTLS_ISSUER, StrongSite
from tests.protected_site import ORIGIN

FAPI_ALGORITHMS = ("PS256", "ES256", "EdDSA")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CREDENTIALS = {"client_id", "client_assertion", "client_assertion_type"}
MAX_ASSERTION_LIFETIME = 300  # seconds
MAX_REQUEST_LIFETIME = 3600  # seconds, by FAPI 2.0 Message Signing
HOSTS = {urlsplit(ISSUER).netloc: ISSUER, urlsplit(MTLS_ISSUER).netloc: MTLS_ISSUER}


def check_strong_calls(site: StrongSite) -> None:
    """Check discovery, the pushed request, the authorization request, the token call and the call of the API."""
    pushed = [call for call in site.provider.calls if call.path == "/par"]
    redeemed = [call for call in site.provider.calls if call.path == "/token"]
    api_calls = [call for call in site.provider.calls if call.path == "/userinfo"]
    for call in (*pushed, *redeemed):
        _check_client_authentication(site, call)
    for call in pushed:
        _check_pushed_request(site, call)
    for call in redeemed:
        _check_token_call(site, call, pushed=_parameters_of(site, pushed[-1]))
    for call in api_calls:
        _check_api_call(site, call)
    _check_authorization_requests(site)
    _check_that_nothing_is_sent_twice(site, [*pushed, *redeemed, *api_calls])
    assert pushed
    assert redeemed
    assert api_calls


def _check_client_authentication(site: StrongSite, call: Call) -> None:
    assert "authorization" not in call.headers
    assert "client_secret" not in call.form
    assert call.form["client_id"] == "web"
    if site.variant.client_auth == "mtls":
        assert site.provider.is_mtls(call)
        assert call.client_certificate is not None
        assert "client_assertion" not in call.form
        return
    assert call.client_certificate is None
    assert call.form["client_assertion_type"] == ASSERTION_TYPE
    header, claims = _signed_by_client(call.form["client_assertion"])
    now = site.clock.now
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("web", "web", ISSUER)
    assert claims["jti"]
    assert claims["iat"] <= now < claims["exp"] <= now + MAX_ASSERTION_LIFETIME
    assert header["kid"] == CLIENT_KEY.kid


def _check_pushed_request(site: StrongSite, call: Call) -> None:
    assert (call.method, "request_uri" in call.form) == ("POST", False)
    if site.variant.signs:
        assert call.form.keys() <= {*CREDENTIALS, "request"}
        _check_request_object(site, call.form["request"])
    if site.variant.uses_dpop:
        _check_proof(site, call)
    parameters = _parameters_of(site, call)
    assert (parameters["client_id"], parameters["response_type"]) == ("web", "code")
    assert "openid" in parameters["scope"].split()
    assert parameters["redirect_uri"] == f"{ORIGIN}/auth/callback"
    assert parameters["code_challenge_method"] == "S256"
    assert re.fullmatch("[A-Za-z0-9_-]{43}", parameters["code_challenge"])
    assert re.fullmatch("[A-Za-z0-9_-]{16,64}", parameters["nonce"])
    assert re.fullmatch("[A-Za-z0-9._~-]{16,}", parameters["state"])
    assert parameters.get("response_mode") == ("jwt" if site.variant.signs else None)


def _check_request_object(site: StrongSite, token: str) -> None:
    header, claims = _signed_by_client(token)
    now = site.clock.now
    assert header["typ"] == "oauth-authz-req+jwt"
    assert (claims["iss"], claims["client_id"], claims["aud"]) == ("web", "web", ISSUER)
    assert now - MAX_REQUEST_LIFETIME < claims["nbf"] <= now < claims["exp"] <= claims["nbf"] + MAX_REQUEST_LIFETIME
    # With `sub`, it could be used as a client assertion (RFC 9101 §10.8).
    assert {"sub", "request", "request_uri"}.isdisjoint(claims)


def _check_authorization_requests(site: StrongSite) -> None:
    """The browser carries the reference, and nothing else; the form of the login page adds the user's choice."""
    requests = [call for call in site.provider.calls if call.path == "/authorize" and call.method == "GET"]
    assert requests
    for request in requests:
        assert [name for name, _ in request.query] == ["client_id", "request_uri"]
        assert request.params["client_id"] == "web"


def _check_token_call(site: StrongSite, call: Call, *, pushed: dict[str, Any]) -> None:
    assert (call.method, call.form["grant_type"], call.query) == ("POST", "authorization_code", [])
    assert call.form["redirect_uri"] == pushed["redirect_uri"]
    digest = hashlib.sha256(call.form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == pushed["code_challenge"]
    assert 43 <= len(call.form["code_verifier"]) <= 128
    if site.variant.uses_dpop:
        _check_proof(site, call)
    else:
        assert call.client_certificate is not None


def _check_api_call(site: StrongSite, call: Call) -> None:
    assert (call.query, call.body) == ([], b"")
    scheme, _, token = call.headers["authorization"].partition(" ")
    if site.variant.uses_dpop:
        # Without binding to it, no certificate is presented.
        assert (scheme, call.client_certificate) == ("DPoP", None)
        _check_proof(site, call, access_token=token)
    else:
        assert scheme == "Bearer"
        assert site.provider.is_mtls(call)
        assert call.client_certificate is not None
        assert "dpop" not in call.headers


def _check_proof(site: StrongSite, call: Call, *, access_token: str | None = None) -> None:
    (token,) = call.headers.get_list("dpop")
    jwt = read_jwt(token)
    assert jwt is not None
    assert is_signed_by_key(jwt, jwt.header["jwk"])
    assert (jwt.header["typ"], jwt.header["alg"] in FAPI_ALGORITHMS) == ("dpop+jwt", True)
    assert "d" not in jwt.header["jwk"]
    assert (jwt.claims["htm"], jwt.claims["htu"]) == (call.method, HOSTS[call.host] + call.path)
    assert abs(jwt.claims["iat"] - site.clock.now) <= 10
    assert jwt.claims["jti"]
    expected = None
    if access_token is not None:
        digest = hashlib.sha256(access_token.encode()).digest()
        expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert jwt.claims.get("ath") == expected


def _check_that_nothing_is_sent_twice(site: StrongSite, calls: list[Call]) -> None:
    """Each attempt has an assertion and a proof of its own, even if it repeats one that lacked a nonce."""
    assertions = [call.form["client_assertion"] for call in calls if "client_assertion" in call.form]
    proofs = [call.headers["dpop"] for call in calls if "dpop" in call.headers]
    ids = [_claims_of(token)["jti"] for token in (*assertions, *proofs)]
    assert len(set(ids)) == len(ids)
    keys = {str(_header_of(proof)["jwk"]) for proof in proofs}
    assert len(keys) == int(site.variant.uses_dpop)


def _parameters_of(site: StrongSite, call: Call) -> dict[str, Any]:
    """Return the parameters of a pushed request, wherever they are."""
    return _claims_of(call.form["request"]) if site.variant.signs else dict(call.form)


def _signed_by_client(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    jwt = read_jwt(token)
    assert jwt is not None
    assert jwt.alg in FAPI_ALGORITHMS
    assert is_signed_by_key(jwt, CLIENT_KEY.public_jwk)
    return dict(jwt.header), dict(jwt.claims)


def _claims_of(token: str) -> dict[str, Any]:
    jwt = read_jwt(token)
    assert jwt is not None
    return dict(jwt.claims)


def _header_of(token: str) -> dict[str, Any]:
    jwt = read_jwt(token)
    assert jwt is not None
    return dict(jwt.header)
