"""Faults of JWT access tokens: in their claims and their signature (RFC 9068 §4)."""

import re
from collections.abc import Mapping
from typing import Any

from ..keys import base64url, compact_jws, json_bytes, signing_key
from . import id_token  # noqa: F401  # importing it registers its faults, which are used below
from .logout_token import EVENT
from .registry import (
    ACCESS_TOKEN_CLAIMS,
    ACCESS_TOKEN_SIGNING,
    ID_TOKEN_SIGNING,
    Claims,
    Draft,
    Setting,
    register_as,
    registered_in,
)

ELSEWHERE = "https://someone-else.example.com"

# Claims that the token has, whatever it is for; `...` leaves one out.
CHANGED_CLAIMS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "wrong_iss": ("`iss` is another provider.", {"iss": ELSEWHERE}),
    "no_iss": ("The token has no `iss`.", {"iss": ...}),
    "iss_list": ("`iss` is a list.", {"iss": ["https://id.example.com"]}),
    "wrong_aud": ("The token is for another API.", {"aud": "https://another-api.example.com"}),
    "other_auds": ("The token is for two other APIs.", {"aud": ["https://another-api.example.com", "stock"]}),
    "client_aud": ("The audience is the client, as of an ID Token.", {"aud": "web"}),
    "no_aud": ("The token has no `aud`.", {"aud": ...}),
    "aud_empty": ("`aud` is an empty list.", {"aud": []}),
    "aud_null": ("`aud` is null.", {"aud": None}),
    "aud_number": ("`aud` is a number.", {"aud": 7}),
    "no_exp": ("The token has no `exp`.", {"exp": ...}),
    "exp_1e300": ("`exp` is an absurd number.", {"exp": 1e300}),
    "exp_true": ("`exp` is true.", {"exp": True}),
    "exp_text": ("`exp` is a text.", {"exp": "1900000000"}),
    "exp_null": ("`exp` is null.", {"exp": None}),
    "iat_text": ("`iat` is a text.", {"iat": "1700000000"}),
    "nbf_text": ("`nbf` is a text.", {"nbf": "soon"}),
    "sub_empty": ("`sub` is empty.", {"sub": ""}),
    "sub_number": ("`sub` is a number.", {"sub": 12345}),
    "sub_too_long": ("`sub` has 256 characters; at most 255 are allowed.", {"sub": "s" * 256}),
    "scope_number": ("`scope` is a number.", {"scope": 7}),
    "nonce": ("The token has a `nonce`, as an ID Token.", {"nonce": "nonce-of-a-login"}),
    "at_hash": ("The token has an `at_hash`, as an ID Token.", {"at_hash": base64url(b"0123456789abcdef")}),
    "events": ("The token has `events`, as a logout token.", {"events": {EVENT: {}}}),
    "cnf_text": ("`cnf` is a text.", {"cnf": "jkt"}),
    "cnf_empty": ("`cnf` is an empty object.", {"cnf": {}}),
    "cnf_null": ("`cnf` is null.", {"cnf": None}),
    "cnf_jkt_number": ("The thumbprint in `cnf` is a number.", {"cnf": {"jkt": 7}}),
    "cnf_unknown": ("`cnf` has a confirmation method that does not exist.", {"cnf": {"urn:example:method": "x"}}),
}

# Members of the header that replace those of the token.
CHANGED_HEADERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "typ_logout": ("The `typ` is that of a logout token.", {"typ": "logout+jwt"}),
    "typ_id_token": ("The `typ` is that of an ID Token in a newer spelling.", {"typ": "id_token+jwt"}),
    "typ_dpop": ("The `typ` is that of a DPoP proof.", {"typ": "dpop+jwt"}),
    "typ_event": ("The `typ` is that of a security event.", {"typ": "secevent+jwt"}),
    "typ_introspection": ("The `typ` is that of an introspection answer.", {"typ": "token-introspection+jwt"}),
    "typ_number": ("The `typ` is a number.", {"typ": 7}),
    "b64": ("The payload is said not to be encoded (RFC 7797).", {"b64": False}),
    "kid_number": ("The `kid` is a number.", {"kid": 7}),
    "alg_unknown": ("The algorithm does not exist.", {"alg": "RS257"}),
}


def _claims_fault(name: str, description: str, changes: Mapping[str, Any]) -> None:
    def change(claims: Claims, _setting: Setting) -> Claims:
        return {claim: value for claim, value in {**claims, **changes}.items() if value is not ...}

    change.__doc__ = description
    register_as(ACCESS_TOKEN_CLAIMS, f"access_token_{name}", change)


def _header_fault(name: str, description: str, changes: Mapping[str, Any]) -> None:
    def sign(draft: Draft) -> str:
        return compact_jws({**draft.header, **changes}, draft.payload, draft.key)

    sign.__doc__ = description
    register_as(ACCESS_TOKEN_SIGNING, f"access_token_{name}", sign)


for _name, (_description, _changes) in CHANGED_CLAIMS.items():
    _claims_fault(_name, _description, _changes)
for _name, (_description, _changes) in CHANGED_HEADERS.items():
    _header_fault(_name, _description, _changes)

# All faults of an ID Token's signature also exist for the access token: `access_token_alg_none` and so on.
for _name, _fault in ID_TOKEN_SIGNING.items():
    register_as(ACCESS_TOKEN_SIGNING, _name.replace("id_token", "access_token", 1), _fault)


@registered_in(ACCESS_TOKEN_CLAIMS)
def access_token_expired(claims: Claims, setting: Setting) -> Claims:
    """The token expired an hour ago."""
    return claims | {"iat": setting.now - 7200, "exp": setting.now - 3600}


@registered_in(ACCESS_TOKEN_CLAIMS)
def access_token_iat_future(claims: Claims, setting: Setting) -> Claims:
    """The token was issued an hour in the future."""
    return claims | {"iat": setting.now + 3600, "exp": setting.now + 7200}


@registered_in(ACCESS_TOKEN_CLAIMS)
def access_token_not_yet(claims: Claims, setting: Setting) -> Claims:
    """The token is valid only an hour from now (`nbf`)."""
    return claims | {"nbf": setting.now + 3600, "exp": setting.now + 7200}


@registered_in(ACCESS_TOKEN_CLAIMS)
def access_token_lasts_ten_years(claims: Claims, setting: Setting) -> Claims:
    """The token is valid for ten years."""
    return claims | {"exp": setting.now + 10 * 365 * 86_400}


@registered_in(ACCESS_TOKEN_CLAIMS)
def access_token_exp_before_iat(claims: Claims, setting: Setting) -> Claims:
    """The token expired before it was issued, within the leeway of clocks."""
    return claims | {"iat": setting.now + 20, "exp": setting.now - 10}


@registered_in(ACCESS_TOKEN_SIGNING)
def access_token_jku(draft: Draft) -> str:
    """The header says where to get the key that verifies the token: from its author."""
    return _own_key(draft, jku="https://collector.example.org/jwks")


@registered_in(ACCESS_TOKEN_SIGNING)
def access_token_x5u(draft: Draft) -> str:
    """The header says where to get the certificate that verifies the token: from its author."""
    return _own_key(draft, x5u="https://collector.example.org/certificate.pem")


@registered_in(ACCESS_TOKEN_SIGNING)
def access_token_exp_nan(draft: Draft) -> str:
    """`exp` is `NaN`, which some parsers take for a number."""
    return compact_jws(draft.header, re.sub(rb'"exp":[0-9]+', b'"exp":NaN', draft.payload), draft.key)


@registered_in(ACCESS_TOKEN_SIGNING)
def access_token_duplicate_aud(draft: Draft) -> str:
    """The payload has `aud` twice; which one counts depends on the parser."""
    return compact_jws(draft.header, b'{"aud":"https://another-api.example.com",' + draft.payload[1:], draft.key)


@registered_in(ACCESS_TOKEN_SIGNING)
def access_token_duplicate_alg(draft: Draft) -> str:
    """The header has `alg` twice, once as `none`."""
    header = b'{"alg":"none",' + json_bytes(draft.header)[1:]
    signed = compact_jws(draft.header, draft.payload, draft.key)
    return ".".join([base64url(header), *signed.split(".")[1:]])


def _own_key(draft: Draft, **header: Any) -> str:
    return compact_jws(draft.header | header, draft.payload, signing_key(draft.key.alg, 998))
