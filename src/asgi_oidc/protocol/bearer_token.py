"""Checks the access token of a request to an API: a JWT as in RFC 9068, or one of a provider that predates it."""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import msgspec

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.access_token import ACCESS_TOKEN_TYPES, CLIENT_CLAIMS, check_kind_claims
from asgi_oidc.protocol.claims import Claims, check_issued_at, check_kind, check_lifetime, read_instant
from asgi_oidc.protocol.confirmation import Confirmation, read_confirmation
from asgi_oidc.protocol.id_token import MAX_SUB_LENGTH
from asgi_oidc.protocol.issuer_template import Issuer, check_issuer, shown_issuer
from asgi_oidc.protocol.jose import MAX_HEADER_LENGTH, MAX_TOKEN_LENGTH, Verified
from asgi_oidc.protocol.machine import USER_CLAIMS, is_machine
from asgi_oidc.protocol.scope_claims import SCOPE_CLAIMS, read_scopes

# Seconds from `iat` to `exp`. The longest that a provider chooses on its own are the 28 hours of Microsoft Entra; a
# sign-out has to be remembered for as long.
MAX_LIFETIME = 108_000
MAX_CLIENT_ID_LENGTH = 1024  # characters; a client id can be a URL
MAX_SHOWN, MAX_SHOWN_LENGTH = 5, 200  # values of a list, and characters, that an error quotes
# No ID Token, userinfo or JARM response has one of these, so a token with one is an access token. In this order:
# RFC 9068, Okta and Entra; Keycloak; Cognito; Entra 2.0 and 1.0; Entra; Auth0.
ACCESS_TOKEN_CLAIMS = (*SCOPE_CLAIMS, "typ", "token_use", "azpacr", "appidacr", "idtyp", "gty")
_SAYS_NOTHING = "jwt"  # as `typ`, in a claim as in the header


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedToken:
    """What an access token must contain.

    Attributes:
        audiences: `aud` must contain one of them.
        token_types: the accepted values of `typ`, as `token_types` returns them.
        allow_missing_audience: whether a token without `aud` is accepted; one for another audience never is.
    """

    audiences: Collection[str]
    token_types: tuple[str | None, ...] = ACCESS_TOKEN_TYPES
    allow_missing_audience: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A checked access token.

    Attributes:
        issuer: with a template, that of one tenant.
        sub: the user; for a machine without `sub`, its client id.
        client_id: the client that the token was issued to; None if the token does not say.
        is_machine: whether a client acts on its own behalf, without a user (RFC 6749 §4.4).
        scopes: in the order of the token.
        expires_at: seconds since the epoch; None if an introspection answer does not say.
        issued_at: seconds since the epoch; 0 if an introspection answer does not say, so that every sign-out of the
            user ends the token.
        confirmation: None for a plain bearer token.
    """

    issuer: str
    sub: str = field(repr=False)
    client_id: str | None
    is_machine: bool
    claims: dict[str, object] = field(repr=False)
    scopes: tuple[str, ...]
    expires_at: int | None
    issued_at: int
    confirmation: Confirmation | None = field(default=None, repr=False)


class _Payload(msgspec.Struct):
    iss: object = None


_payload_decoder = msgspec.json.Decoder(_Payload)


def token_types(names: Collection[str]) -> tuple[str, ...]:
    """Return values of `typ` as they are compared: in lower case, without `application/` (RFC 7515 §4.1.9)."""
    return tuple(name.lower().removeprefix("application/") for name in names)


def claimed_issuer(token: str) -> str | None:
    """Return the `iss` of a JWT, which is not verified yet: it only tells whose keys have to verify the token.

    Returns:
        None if the token is opaque; an empty text if it is a JWT without a usable `iss`.
    """
    if len(token) > MAX_TOKEN_LENGTH or token.count(".") != 2 or not token.isascii():
        return None
    header, payload, _ = token.split(".")
    if len(header) > MAX_HEADER_LENGTH:
        return None
    try:
        if not _decoded(header).lstrip().startswith(b"{"):
            return None
        iss = _payload_decoder.decode(_decoded(payload)).iss
    except (msgspec.DecodeError, binascii.Error, RecursionError):
        return None
    return iss if isinstance(iss, str) else ""


def issuer_unknown(issuer: str, expected: Sequence[str]) -> TokenRejected:
    """Return the error for a token that none of the providers has issued; for Entra, it says how to get another.

    Args:
        issuer: as `claimed_issuer` returns it.
        expected: the issuers of the providers whose tokens count.
    """
    shown = shown_issuer(issuer[:MAX_SHOWN_LENGTH]) or "none"
    return TokenRejected("claim_iss", f"expected {_one_of(expected)}, got {shown}")


def check_bearer_token(
    token: Verified, expected: ExpectedToken, *, issuer: Issuer, client_id: str, now: int, leeway: int
) -> AccessToken:
    """Read an access token; refuse one that is not from this provider, for this API and currently valid.

    Args:
        token: signature already checked.
        client_id: of this app; its ID Tokens have it in `aud`.
        now: seconds since the epoch.
        leeway: seconds of clock skew allowed.

    Raises:
        TokenRejected: the code names the claim that is wrong.

    Source: RFC 9068 §2.2, §4, §5; RFC 8725 §3.11, §3.12.
    """
    claims = token.claims
    check_kind(token.typ, claims, types=expected.token_types)
    check_kind_claims(claims)
    named = check_issuer(claims, issuer)
    issued_to = read_client_id(claims)
    audiences = check_bearer_audience(claims, expected)
    check_no_id_token(token.typ, claims, audiences, issued_to=issued_to, client_id=client_id)
    check_lifetime(claims, now=now, leeway=leeway)
    issued_at, expires_at = check_issued_at(claims, now=now, leeway=leeway), read_instant(claims, "exp")
    if not 0 < expires_at - issued_at <= MAX_LIFETIME:
        raise TokenRejected("claim_exp", f"expected at most {MAX_LIFETIME} s after iat, and not before it")
    return access_token(claims, issuer=named, client_id=issued_to, expires_at=int(expires_at), issued_at=int(issued_at))


def access_token(
    claims: Claims, *, issuer: str, client_id: str | None, expires_at: int | None, issued_at: int
) -> AccessToken:
    """Make an access token from claims whose issuer, audience and times are checked.

    Args:
        client_id: as `read_client_id` returns it.

    Raises:
        TokenRejected: `claim_sub`, `claim_scope` or `claim_cnf`.
    """
    return AccessToken(
        issuer=issuer,
        sub=_subject(claims, client_id),
        client_id=client_id,
        is_machine=is_machine(claims, client_id),
        claims=dict(claims),
        scopes=read_scopes(claims),
        expires_at=expires_at,
        issued_at=issued_at,
        confirmation=read_confirmation(claims),
    )


def read_client_id(claims: Claims) -> str | None:
    """Return the client that a token was issued to; None if no claim names it.

    Raises:
        TokenRejected: `claim_client_id` if it is not text, or two claims contradict each other.
    """
    named = [claims[name] for name in CLIENT_CLAIMS if name in claims]
    if not named:
        return None
    client_id = named[0]
    if not isinstance(client_id, str) or not 1 <= len(client_id) <= MAX_CLIENT_ID_LENGTH:
        raise TokenRejected("claim_client_id", f"expected text of 1 to {MAX_CLIENT_ID_LENGTH} characters")
    if not client_id.isprintable() or any(other != client_id for other in named):
        raise TokenRejected("claim_client_id", f"expected the same printable text in {', '.join(CLIENT_CLAIMS)}")
    return client_id


def check_bearer_audience(claims: Claims, expected: ExpectedToken) -> list[str]:
    """Return the audiences of a token; refuse one that is for none of those that are expected.

    Raises:
        TokenRejected: `claim_aud`.
    """
    aud = claims.get("aud", [])
    audiences = [aud] if isinstance(aud, str) else aud
    if not isinstance(audiences, list) or not all(isinstance(audience, str) for audience in audiences):
        raise TokenRejected("claim_aud", "expected text or a list of text")
    if not audiences and expected.allow_missing_audience:
        return []
    if not any(audience in expected.audiences for audience in audiences):
        got = audiences[:MAX_SHOWN] if any(audiences) else "none"
        raise TokenRejected("claim_aud", f"expected {_one_of(expected.audiences)}, got {got}")
    return audiences


def check_no_id_token(
    typ: str | None, claims: Claims, audiences: list[str], *, issued_to: str | None, client_id: str
) -> None:
    """Refuse a token that may be an ID Token, userinfo or a JARM response, as it has nothing that these never have.

    They are for the client that they were issued to (OIDC Core §2, `aud` and `azp`). A token for another audience than
    its client is an access token. If no claim names the client, it may be any audience that is not a URI.

    Args:
        issued_to: as `read_client_id` returns it.
        client_id: of this app.

    Raises:
        TokenRejected: `token_typ`.
    """
    if (typ or "").lower().removeprefix("application/") == "at+jwt":
        return
    if issued_to is None:
        may_be_clients = [audience for audience in audiences if audience == client_id or ":" not in audience]
    else:
        may_be_clients = [audience for audience in audiences if audience in (issued_to, client_id)]
    proof = [name for name in ACCESS_TOKEN_CLAIMS if name in claims and str(claims[name]).lower() != _SAYS_NOTHING]
    if (may_be_clients or not audiences) and not proof:
        raise TokenRejected(
            "token_typ", f"expected an access token, and this may be an ID Token: it has none of {ACCESS_TOKEN_CLAIMS}"
        )


def _subject(claims: Claims, client_id: str | None) -> str:
    if "sub" not in claims and (found := [name for name in USER_CLAIMS if name in claims]):
        raise TokenRejected("claim_sub", f"expected sub in the token of a user, which has {', '.join(found)}")
    sub = claims.get("sub", client_id)
    if not isinstance(sub, str) or not 1 <= len(sub) <= MAX_SUB_LENGTH or not sub.isprintable():
        raise TokenRejected("claim_sub", f"expected printable text of 1 to {MAX_SUB_LENGTH} characters")
    return sub


def _one_of(values: Collection[str]) -> str:
    return ("one of " if len(values) > 1 else "") + (", ".join(values) or "none")


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
