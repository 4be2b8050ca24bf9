"""Client authentication by a signed assertion at the fake provider: RFC 7523, OpenID Connect Core §9, FAPI 2.0."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .accounts import AssertionIssuer, Client
from .jws import JWT, SECRET_ALGORITHMS, instant_of, is_signed_by_one_of, is_signed_by_secret, read_jwt, text_of
from .wire import Call

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LIFETIME = 300  # seconds; an assertion is made for one call
MAX_AHEAD = 10  # seconds by which a client's clock may be ahead (FAPI 2.0 Security Profile §5.3.2.1)


@dataclass(frozen=True)
class AssertionRules:
    """What the provider knows when it checks an assertion."""

    issuer: str
    now: int
    algs: Sequence[str]
    """The algorithms that its metadata lists."""
    used: set[tuple[str, str]]
    """(client_id, jti) of the assertions that were accepted; the check adds to it."""
    audience: str
    """What `aud` must be in assertions of clients."""
    typs: Sequence[str] = ()
    """The `typ` that their headers may have; empty for any."""


def has_assertion(call: Call) -> bool:
    """Whether a call is made with a client assertion, or with a part of one."""
    return "client_assertion" in call.form or "client_assertion_type" in call.form


def client_id_in(call: Call) -> str:
    """Return the client that a call names: in its form, else in the assertion, which is not verified yet."""
    jwt = read_jwt(call.form.get("client_assertion", ""))
    return call.form.get("client_id") or (text_of(jwt.claims, "sub") if jwt else "")


def why_assertion_refused(call: Call, client: Client | None, rules: AssertionRules) -> str:
    """Return why the assertion of a call does not authenticate this client; empty if it does.

    Args:
        client: The client that the call names; `None` if it is unknown.
    """
    jwt = read_jwt(call.form.get("client_assertion", ""))
    if call.form.get("client_assertion_type") != ASSERTION_TYPE:
        return f"client_assertion_type must be {ASSERTION_TYPE}"
    if "authorization" in call.headers or "client_secret" in call.form:
        return "a call has exactly one credential"
    if jwt is None:
        return "client_assertion is not a signed JWT"
    if client is None:
        return "the client is unknown"
    issuer = _third_party(jwt, client)
    if issuer is not None:
        return _why_not_vouched_for(jwt, issuer, rules)
    return _why_not_signed(jwt, client, rules) or _why_wrong_claims(jwt, client, rules) or _why_used(jwt, client, rules)


def _third_party(jwt: JWT, client: Client) -> AssertionIssuer | None:
    named = text_of(jwt.claims, "iss")
    return next((issuer for issuer in client.assertion_issuers if issuer.issuer == named), None)


def _why_not_vouched_for(jwt: JWT, issuer: AssertionIssuer, rules: AssertionRules) -> str:
    """Check the assertion of a third party: it may be used until it expires, by whoever is its subject."""
    if not is_signed_by_one_of(jwt, issuer.keys):
        return "the signature is not that of the assertion's issuer"
    if jwt.claims.get("sub") != issuer.subject:
        return "sub is not the subject that is registered for the client"
    audience = jwt.claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if (issuer.audience or rules.issuer) not in audiences:
        return "aud does not name this provider"
    expires_at = instant_of(jwt.claims, "exp")
    return "the assertion has expired, or has no exp" if expires_at is None or expires_at <= rules.now else ""


def _why_not_signed(jwt: JWT, client: Client, rules: AssertionRules) -> str:
    method = "client_secret_jwt" if jwt.alg in SECRET_ALGORITHMS else "private_key_jwt"
    if method not in client.allowed_auth_methods:
        return f"the client is not registered for {method}"
    if jwt.alg not in rules.algs or jwt.alg != (client.token_endpoint_auth_signing_alg or jwt.alg):
        return f"the algorithm {jwt.alg!r} is not allowed"
    if method == "client_secret_jwt":
        return "" if is_signed_by_secret(jwt, client.client_secret or "") else "the signature is not by client_secret"
    return "" if is_signed_by_one_of(jwt, client.keys) else "the signature is by no key of the client"


def _why_wrong_claims(jwt: JWT, client: Client, rules: AssertionRules) -> str:
    claims = jwt.claims
    if (claims.get("iss"), claims.get("sub")) != (client.client_id, client.client_id):
        return "iss and sub must be the client_id"
    if rules.typs and jwt.header.get("typ") not in rules.typs:
        return f"typ must be {' or '.join(rules.typs)}"
    if claims.get("aud") != rules.audience:
        whose = "the issuer" if rules.audience == rules.issuer else rules.audience
        return f"aud must be {whose}, as one text"
    expires_at = instant_of(claims, "exp")
    if expires_at is None or not rules.now < expires_at <= rules.now + MAX_LIFETIME:
        return f"exp must be in the future, by at most {MAX_LIFETIME} seconds"
    if any(_is_ahead(claims.get(name), rules.now) for name in ("iat", "nbf") if name in claims):
        return "iat or nbf is in the future"
    return ""


def _is_ahead(value: Any, now: int) -> bool:
    return type(value) is not int or value > now + MAX_AHEAD


def _why_used(jwt: JWT, client: Client, rules: AssertionRules) -> str:
    """Use up the assertion; return why that is not possible."""
    jti = text_of(jwt.claims, "jti")
    if not jti:
        return "jti is missing"
    if (client.client_id, jti) in rules.used:
        return "the jti was used before"
    rules.used.add((client.client_id, jti))
    return ""
