"""The authorization request says what it must, and its response is trusted in nothing."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from asgi_oidc.errors import RequestRejected
from asgi_oidc.protocol.authorization_endpoint import (
    MAX_VALUE_LENGTH,
    RESERVED,
    AuthorizationResponse,
    Proofs,
    account_prompt,
    authorization_parameters,
    authorization_url,
    check_response_issuer,
    code_challenge,
    read_authorization_response,
)
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.metadata import REQUIRED, ProviderMetadata, make_metadata

ISSUER = "https://id.example.com"
CLIENT = Client("web", "s3cret")
CALLBACK = "https://app.example.com/auth/callback"
PROOFS = Proofs("a-state", "a-nonce", "a-verifier")


def metadata(**members: object) -> ProviderMetadata:
    named = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    return make_metadata(ISSUER, {**named, **members})


def request_url(endpoint: ProviderMetadata, **parameters: Any) -> str:
    return authorization_url(
        endpoint, authorization_parameters(CLIENT, PROOFS, redirect_uri=CALLBACK, **{"extra": {}, **parameters})
    )


def test_the_request_says_everything_that_binds_the_answer_to_it():
    """State, nonce and an S256 challenge always; the verifier never."""
    url = request_url(metadata(), scope="openid email", extra={"prompt": "login"})

    assert dict(parse_qsl(urlsplit(url).query)) == {
        "response_type": "code",
        "client_id": "web",
        "redirect_uri": "https://app.example.com/auth/callback",
        "scope": "openid email",
        "state": "a-state",
        "nonce": "a-nonce",
        "code_challenge": urlsafe_b64encode(sha256(b"a-verifier").digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "prompt": "login",
    }


def test_the_challenge_is_that_of_the_specification():
    """RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_list_is_a_repeated_parameter():
    """RFC 8707 §2: each resource is a parameter of its own."""
    url = request_url(
        metadata(),
        scope="openid",
        extra={"resource": ["https://a", "https://b"]},
    )

    assert parse_qs(urlsplit(url).query)["resource"] == ["https://a", "https://b"]


def test_a_query_of_the_endpoint_is_kept():
    """RFC 6749 §3.1: Azure B2C and others carry the policy there."""
    endpoint = metadata(authorization_endpoint=f"{ISSUER}/authorize?p=policy")

    url = request_url(endpoint, scope="openid", extra={})

    assert url.count("?") == 1
    assert parse_qs(urlsplit(url).query)["p"] == ["policy"]


def test_our_own_parameters_cannot_be_overridden():
    """A second code_challenge_method could undo PKCE."""
    url = request_url(metadata(), scope="openid", extra={})

    assert set(parse_qs(urlsplit(url).query)) <= RESERVED


def test_unknown_parameters_of_a_response_are_ignored():
    """RFC 6749 §4.1.2: the client must ignore unrecognised parameters, also doubled ones."""
    pairs = [("code", "c"), ("state", "s"), ("iss", ISSUER), ("session_state", "1"), ("x", "1"), ("x", "2")]

    assert read_authorization_response(pairs) == AuthorizationResponse("s", "c", ISSUER, None)


def test_an_empty_response_is_read_as_nothing():
    """What is missing is checked later, together with the login."""
    assert read_authorization_response([]) == AuthorizationResponse(None)


@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
def test_a_duplicate_response_parameter_is_refused(name):
    """RFC 6749 §3.1: which of the two would count?"""
    with pytest.raises(RequestRejected) as caught:
        read_authorization_response([(name, "one"), (name, "one")])

    assert (caught.value.code, caught.value.detail) == ("parameter_repeated", f"expected {name} once")


@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
def test_the_length_of_a_parameter_is_limited(name):
    """Everything that comes in is bounded."""
    assert read_authorization_response([(name, "x" * MAX_VALUE_LENGTH)])
    with pytest.raises(RequestRejected) as caught:
        read_authorization_response([(name, "x" * (MAX_VALUE_LENGTH + 1))])

    assert caught.value.code == "parameter_too_long"


@pytest.mark.parametrize(("promised", "iss"), [(None, None), (False, None), (None, ISSUER), (True, ISSUER)])
def test_a_response_needs_the_right_issuer_if_iss_is_supported(promised, iss):
    """RFC 9207 §2.4."""
    about = metadata(authorization_response_iss_parameter_supported=promised)

    check_response_issuer(AuthorizationResponse("s", "c", iss), about)


def test_an_error_without_an_issuer_is_read_as_an_error():
    """Some providers promise `iss` and leave it out of errors; another issuer's error is refused as before."""
    about = metadata(authorization_response_iss_parameter_supported=True)

    check_response_issuer(AuthorizationResponse("s", None, None, "access_denied"), about)

    with pytest.raises(RequestRejected) as caught:
        check_response_issuer(AuthorizationResponse("s", None, "https://evil.example", "access_denied"), about)
    assert caught.value.code == "iss_mismatch"


@pytest.mark.parametrize(
    ("promised", "iss", "code"),
    [
        (True, None, "iss_missing"),
        (True, "https://evil.example", "iss_mismatch"),
        (False, "https://evil.example", "iss_mismatch"),
        (None, ISSUER + "/", "iss_mismatch"),
        (None, "", "iss_mismatch"),
        (None, "\ud800", "iss_mismatch"),
    ],
)
def test_the_response_of_another_issuer_is_refused(promised, iss, code):
    """The defence against mix-up: a code of one provider must not go to another."""
    about = metadata(authorization_response_iss_parameter_supported=promised)

    with pytest.raises(RequestRejected) as caught:
        check_response_issuer(AuthorizationResponse("s", "c", iss), about)

    assert caught.value.code == code


def test_reprs_of_proofs_and_responses_show_no_secrets():
    """They stand in tracebacks."""
    response = AuthorizationResponse("a-state", "a-code")

    assert not any(secret in repr(PROOFS) + repr(response) for secret in ("a-state", "a-nonce", "a-verif", "a-code"))


@pytest.mark.parametrize(
    ("members", "prompt"),
    [
        ({}, "login"),
        ({"prompt_values_supported": ["none", "login"]}, "login"),
        ({"prompt_values_supported": ["select_account"]}, "select_account"),
        ({"prompt_values_supported": "select_account"}, "login"),
    ],
)
def test_the_prompt_for_another_account_is_one_that_the_provider_supports(members, prompt):
    """`login` is what all know."""
    assert account_prompt(make_metadata(ISSUER, {**dict.fromkeys(REQUIRED, ISSUER), **members})) == prompt


@pytest.mark.parametrize(
    "issuer",
    [
        "https://accounts.google.com",
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        "https://login.partner.microsoftonline.cn/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0",
    ],
)
def test_google_and_entra_have_a_different_prompt(issuer):
    """And say nothing of it in their metadata."""
    assert account_prompt(make_metadata(issuer, dict.fromkeys(REQUIRED, ISSUER))) == "select_account"


@pytest.mark.parametrize(
    ("without", "left_out"),
    [
        ({"uses_pkce": False}, {"code_challenge", "code_challenge_method"}),
        ({"uses_nonce": False}, {"nonce"}),
        ({"uses_pkce": False, "uses_nonce": False}, {"nonce", "code_challenge", "code_challenge_method"}),
    ],
)
def test_nonce_and_pkce_are_left_out_only_by_name(without, left_out):
    """For providers without ID Tokens, or without PKCE; the state is always there."""
    every = request_url(metadata(), scope="a", extra={})

    url = request_url(metadata(), scope="a", extra={}, **without)

    all_parameters, parameters = (dict(parse_qsl(urlsplit(each).query)) for each in (every, url))
    assert parameters == {name: value for name, value in all_parameters.items() if name not in left_out}
    assert parameters["state"] == "a-state"
