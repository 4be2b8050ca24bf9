"""Signed authorization requests at the fake provider: JWT-Secured Authorization Requests (RFC 9101), FAPI 2.0 §5.3."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .accounts import Client
from .faults import Params
from .jws import JWT, instant_of, is_signed_by_one_of, read_jwt

TYP = "oauth-authz-req+jwt"  # RFC 9101 §10.8
MAX_LIFETIME = 3600  # seconds (FAPI 2.0 Message Signing §5.3.1)
MAX_AHEAD = 10  # seconds by which a client's clock may be ahead
OF_THE_JWT = ("iss", "sub", "aud", "exp", "nbf", "iat", "jti")
"""The claims that are about the object, and no parameters."""


class RequestObjectRefused(Exception):
    """A request object is wrong; the message says why."""

    error = "invalid_request_object"


@dataclass(frozen=True)
class RequestObjectRules:
    """What the provider knows when it checks a request object."""

    issuer: str
    now: int
    algs: Sequence[str]
    """The algorithms that its metadata lists."""


def read_request_object(token: str, client: Client, rules: RequestObjectRules) -> Params:
    """Return the parameters of the authorization request in an object that this client has signed.

    Raises:
        RequestObjectRefused: The signature or a claim is wrong.
    """
    jwt = read_jwt(token)
    if jwt is None:
        raise RequestObjectRefused("the request object is not a signed JWT")
    problem = _why_not_signed(jwt, client, rules) or _why_wrong_claims(jwt, client, rules) or _why_not_now(jwt, rules)
    if problem:
        raise RequestObjectRefused(problem)
    return [pair for name, value in jwt.claims.items() if name not in OF_THE_JWT for pair in _pairs(name, value)]


def _why_not_signed(jwt: JWT, client: Client, rules: RequestObjectRules) -> str:
    if jwt.header.get("typ") != TYP:
        return f"typ must be {TYP}"
    if jwt.alg not in rules.algs or jwt.alg != (client.request_object_signing_alg or jwt.alg):
        return f"the algorithm {jwt.alg!r} is not allowed"
    return "" if is_signed_by_one_of(jwt, client.keys) else "the signature is by no key of the client"


def _why_wrong_claims(jwt: JWT, client: Client, rules: RequestObjectRules) -> str:
    claims = jwt.claims
    if (claims.get("iss"), claims.get("client_id")) != (client.client_id, client.client_id):
        return "iss and client_id must be the client"
    audience = claims.get("aud")
    if rules.issuer not in (audience if isinstance(audience, list) else [audience]):
        return "aud must be the issuer"
    return "a request object must not contain another" if {"request", "request_uri"} & set(claims) else ""


def _why_not_now(jwt: JWT, rules: RequestObjectRules) -> str:
    expires_at, starts_at = instant_of(jwt.claims, "exp"), instant_of(jwt.claims, "nbf")
    if expires_at is None or starts_at is None:
        return "exp and nbf are needed"
    if not starts_at - MAX_AHEAD <= rules.now < expires_at:
        return "the request object has expired, or is not valid yet"
    is_short = expires_at - starts_at <= MAX_LIFETIME
    return "" if is_short else f"a request object is valid for at most {MAX_LIFETIME} seconds"


def _pairs(name: str, value: Any) -> Params:
    """Return a claim as parameters: a list of texts is one parameter for each, other JSON is one text (§4)."""
    if isinstance(value, str):
        return [(name, value)]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [(name, item) for item in value]
    return [(name, json.dumps(value))]
