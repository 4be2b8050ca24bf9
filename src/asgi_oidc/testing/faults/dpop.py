"""Faults of a provider with DPoP (RFC 9449): nonces that lead nowhere, proofs refused, tokens of another type."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..wire import Answer, error_answer
from .registry import TOKEN_MEMBERS, Claims, Setting, answer_of, instead_of, register_as, registered_in

NONCE = "a-nonce-that-leads-nowhere"

# What comes with the demand for a nonce: the values of the header `DPoP-Nonce`.
NONCE_HEADERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "forever": ("The provider demands the same nonce, however often it gets it.", (NONCE,)),
    "error_without_header": ("The provider demands a nonce, but does not tell it.", ()),
    "empty": ("The nonce that the provider demands is empty.", ("",)),
    "malformed": ("The nonce that the provider demands has characters that RFC 9449 §8.1 excludes.", ('a "nonce" \\',)),
    "too_long": ("The nonce that the provider demands has 20,000 characters.", ("n" * 20_000,)),
    "twice": ("The provider demands a nonce and tells two, in two headers.", (NONCE, "another-nonce")),
}

# Types of the access token in place of the right one; `...` leaves it out.
TOKEN_TYPES: Mapping[str, tuple[str, Any]] = {
    "bearer_for_dpop": ("The access token is not bound, although the call had a DPoP proof.", "Bearer"),
    "missing": ("The answer does not say of which type the access token is.", ...),
    "unknown": ("The access token is of a type that does not exist.", "mac"),
    "number": ("The type of the access token is a number.", 7),
    "empty": ("The type of the access token is an empty text.", ""),
}


def _nonce_error(status: int, headers: tuple[str, ...]) -> Answer:
    answer = error_answer("use_dpop_nonce", "the proof needs a nonce", status)
    return replace(answer, more_headers=[("dpop-nonce", value) for value in headers])


def _nonce_fault(name: str, description: str, headers: tuple[str, ...]) -> None:
    def authorization_server(_setting: Setting) -> Answer:
        return _nonce_error(400, headers)

    def resource_server(_setting: Setting) -> Answer:
        return _nonce_error(401, headers).having(www_authenticate='DPoP error="use_dpop_nonce"')

    authorization_server.__name__, authorization_server.__doc__ = f"dpop_nonce_{name}", description
    resource_server.__name__ = f"userinfo_dpop_nonce_{name}"
    resource_server.__doc__ = description.replace("provider", "userinfo endpoint")
    instead_of("par", "token")(authorization_server)
    instead_of("userinfo")(resource_server)


def _token_type_fault(name: str, description: str, value: Any) -> None:
    def change(members: Claims, _setting: Setting) -> Claims:
        changed = members | {"token_type": value}
        return {member: it for member, it in changed.items() if it is not ...}

    change.__doc__ = description
    register_as(TOKEN_MEMBERS, f"token_type_{name}", change)


for _name, (_description, _headers) in NONCE_HEADERS.items():
    _nonce_fault(_name, _description, _headers)
for _name, (_description, _value) in TOKEN_TYPES.items():
    _token_type_fault(_name, _description, _value)


@instead_of("par", "token")
def dpop_nonce_always_new(_setting: Setting) -> Answer:
    """The provider demands another nonce each time, and accepts none."""
    return _nonce_error(400, (secrets.token_urlsafe(16),))


@registered_in(TOKEN_MEMBERS)
def token_type_other_case(members: Claims, _setting: Setting) -> Claims:
    """The type of the access token is spelt in another case, such as `dpOP`, which RFC 6749 §5.1 allows."""
    return members | {"token_type": members["token_type"].swapcase()}


@answer_of("par", "token", "userinfo")
def dpop_nonce_in_200(answer: Answer, _setting: Setting) -> Answer:
    """Each answer that is no error tells a nonce which the provider did not demand (RFC 9449 §8.2)."""
    return answer.having(dpop_nonce="a-nonce-for-next-time") if answer.status < 400 else answer


@answer_of("par", "token", "userinfo")
def dpop_nonce_in_500(_answer: Answer, _setting: Setting) -> Answer:
    """The call is processed, but its answer is 500, with the error `use_dpop_nonce` and a nonce."""
    return error_answer("use_dpop_nonce", "the proof needs a nonce", 500).having(dpop_nonce=NONCE)


@answer_of("par", "token")
def dpop_nonce_in_other_error(answer: Answer, _setting: Setting) -> Answer:
    """The call is processed, but its answer is another error, with a nonce: this is not the demand for one."""
    return replace(answer, status=400, body=json.dumps({"error": "invalid_grant"}).encode()).having(dpop_nonce=NONCE)


@instead_of("par", "token")
def dpop_proof_refused(_setting: Setting) -> Answer:
    """PAR and token endpoint refuse the proof with `invalid_dpop_proof`, and process nothing."""
    return error_answer("invalid_dpop_proof", "<b>call +1-800-PHISHING</b>")


@instead_of("userinfo")
def userinfo_dpop_proof_refused(_setting: Setting) -> Answer:
    """The userinfo endpoint refuses the proof with `invalid_dpop_proof`."""
    refusal = error_answer("invalid_dpop_proof", "the proof is wrong", 401)
    return refusal.having(www_authenticate='DPoP error="invalid_dpop_proof", algs="ES256"')


@instead_of("par", "token", "revoke", "introspect")
def client_assertion_refused(_setting: Setting) -> Answer:
    """Every client is refused, with a text about its assertion; nothing is processed."""
    return error_answer("invalid_client", "client_assertion: aud is not the issuer", 401)
