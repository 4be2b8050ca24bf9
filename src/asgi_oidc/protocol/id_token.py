"""Checks the claims of an ID Token, once its signature is checked (OIDC Core §3.1.3.7, §2; §12.2 after a refresh)."""

from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.claims import (
    CHECK_THE_CLOCK,
    check_issued_at,
    check_kind,
    check_lifetime,
    read_instant,
    same,
)
from asgi_oidc.protocol.issuer_template import Issuer, check_issuer
from asgi_oidc.protocol.jose import Verified
from asgi_oidc.protocol.json_objects import read_object
from asgi_oidc.protocol.signature_algorithms import HASH_OF_ALGORITHM, token_hash

MAX_SUB_LENGTH = 255  # characters (OIDC Core §2)
# The accepted values of `typ`; other kinds of token have another one (RFC 8725 §3.11).
ID_TOKEN_TYPES = (None, "jwt", "jose", "id_token+jwt")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the ID Token of one login must contain.

    Attributes:
        issuer: a template if the provider has an issuer for each tenant.
        access_token: None if the provider issued none.
        max_age: how many seconds ago the user may have signed in at the provider; None if not requested.
        acr_values: the requested authentication contexts; `acr` must be one of them.
        requires_nonce: False for a provider that does not return the nonce, against OIDC Core §3.1.2.1 (LinkedIn). A
            nonce that is there must still be that of the login.
        trusts_azp: as in `check_audience`.
    """

    issuer: Issuer
    client_id: str
    nonce: str = field(repr=False)
    access_token: str | None = field(repr=False)
    trusted_audiences: Collection[str] = ()
    max_age: int | None = None
    acr_values: Collection[str] = ()
    requires_nonce: bool = True
    trusts_azp: bool = False


@dataclass(frozen=True, slots=True)
class ExpectedAgain:
    """What the ID Token of a refresh must contain: the same as that of the login (OIDC Core §12.2).

    Attributes:
        first: the claims named in `FIRST` of the login's ID Token. `acr` and `hd` may differ: the session keeps those
            of the login.
        trusts_azp: as in `check_audience`. The audiences may then differ from those of the login: Zitadel names all
            clients of a project, and one may have been added.
    """

    issuer: str
    client_id: str
    sub: str = field(repr=False)
    first: Mapping[str, object] = field(repr=False)
    access_token: str = field(repr=False)
    trusted_audiences: Collection[str] = ()
    trusts_azp: bool = False


FIRST = ("aud", "azp", "nonce", "auth_time", "acr", "hd")


def check_id_token(token: Verified, expected: Expected, *, now: int, leeway: int) -> None:
    """Refuse an ID Token that is not from this provider, for this client, for this login, and currently valid.

    Args:
        token: signature already checked.
        now: seconds since the epoch.
        leeway: seconds of clock skew allowed.

    Raises:
        TokenRejected: the code names the claim that is wrong: `claim_iss`, `claim_aud`, ...
    """
    claims = token.claims
    check_kind(token.typ, claims, types=ID_TOKEN_TYPES)
    _check_parties(claims, expected)
    _check_times(claims, now=now, leeway=leeway)
    _check_login(claims, expected, now=now, leeway=leeway)
    _check_at_hash(token, expected.access_token)


def check_id_token_again(token: Verified, expected: ExpectedAgain, *, now: int, leeway: int) -> None:
    """Refuse an ID Token of a refresh that is not about the same login as the session.

    Args:
        token: signature already checked.
        now: seconds since the epoch.
        leeway: seconds of clock skew allowed.

    Raises:
        TokenRejected: the code names the claim that is wrong.
    """
    claims, first = token.claims, expected.first
    check_kind(token.typ, claims, types=ID_TOKEN_TYPES)
    _check_parties(claims, expected)
    _check_times(claims, now=now, leeway=leeway)
    if not same(claims.get("sub"), expected.sub):
        raise TokenRejected("claim_sub", "expected the user of the session, got another one")
    if not expected.trusts_azp and set(_audiences(claims["aud"])) != set(_audiences(first.get("aud"))):
        raise TokenRejected("claim_aud", f"expected {first.get('aud')} as at the login, got {claims['aud']}")
    # §12.2 requires the same azp. A token without azp whose only audience is this client is for no other client
    # either (§2, azp), so it is accepted.
    is_ours_alone = "azp" not in claims and set(_audiences(claims["aud"])) == {expected.client_id}
    if claims.get("azp") != first.get("azp") and not is_ours_alone:
        raise TokenRejected("claim_azp", f"expected {first.get('azp')} as at the login, got {claims.get('azp')}")
    if "nonce" in claims and "nonce" in first and claims["nonce"] != first["nonce"]:
        raise TokenRejected("claim_nonce", "expected the nonce of the login, got another one")
    _check_auth_time_again(claims, first, now=now, leeway=leeway)
    _check_at_hash(token, expected.access_token)


def _check_auth_time_again(claims: Mapping[str, object], first: Mapping[str, object], *, now: int, leeway: int) -> None:
    """Refuse an `auth_time` that is earlier than that of the login.

    §12.2 requires the same time. Keycloak sends the time of the last authentication in its session, which a step-up in
    any app of the same browser makes later, so a later time is accepted. Rules still use the `auth_time` of the login.
    """
    if "auth_time" not in claims or "auth_time" not in first or claims["auth_time"] == first["auth_time"]:
        return
    if not read_instant(first, "auth_time") < read_instant(claims, "auth_time") <= now + leeway:
        raise TokenRejected("claim_auth_time", "expected the time of the login or a later one, not in the future")


def check_audience(
    claims: Mapping[str, object], *, client_id: str, trusted_audiences: Collection[str], trusts_azp: bool = False
) -> None:
    """Refuse a token that is not for this client, or is also for audiences that are not trusted.

    Args:
        trusts_azp: whether all further audiences are accepted in a token whose `azp` is this client. Zitadel puts the
            project and all of its clients into `aud` (Zitadel, "Claims"); only `azp` tells which of them may use it.

    Raises:
        TokenRejected: `claim_aud`.
    """
    audiences = _audiences(claims.get("aud"))
    if client_id not in audiences:
        raise TokenRejected("claim_aud", f"expected {client_id}, got {claims.get('aud')}")
    if trusts_azp and same(claims.get("azp"), client_id):
        return
    if untrusted := set(audiences) - {client_id, *trusted_audiences}:
        raise TokenRejected("claim_aud", f"also for audiences that are not in trusted_audiences: {sorted(untrusted)}")


def claim_names(token: str) -> frozenset[str]:
    """Return the names of the claims of a JWT that was checked when it was received."""
    payload = token.split(".")[1]
    return frozenset(read_object(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def _check_parties(claims: Mapping[str, object], expected: Expected | ExpectedAgain) -> None:
    check_issuer(claims, expected.issuer)
    sub = claims.get("sub")
    if not isinstance(sub, str) or not 1 <= len(sub) <= MAX_SUB_LENGTH:
        raise TokenRejected("claim_sub", f"expected text of 1 to {MAX_SUB_LENGTH} characters")
    check_audience(
        claims,
        client_id=expected.client_id,
        trusted_audiences=expected.trusted_audiences,
        trusts_azp=expected.trusts_azp,
    )
    if "azp" in claims and not same(claims["azp"], expected.client_id):
        raise TokenRejected("claim_azp", f"expected {expected.client_id}, got {claims['azp']}")


def _audiences(aud: object) -> list[str]:
    if isinstance(aud, str):
        return [aud]
    if isinstance(aud, list) and all(isinstance(item, str) for item in aud):
        return aud
    raise TokenRejected("claim_aud", "expected text or a list of text")


def _check_times(claims: Mapping[str, object], *, now: int, leeway: int) -> None:
    for name in ("exp", "iat"):
        read_instant(claims, name)  # both are required
    check_lifetime(claims, now=now, leeway=leeway)
    check_issued_at(claims, now=now, leeway=leeway)
    if "session_expiry" in claims and (ends_at := read_instant(claims, "session_expiry")) <= now:
        elapsed = int(now - ends_at)
        raise TokenRejected("session_over", f"the provider's session ended {elapsed} s ago (session_expiry)")


def _check_login(claims: Mapping[str, object], expected: Expected, *, now: int, leeway: int) -> None:
    if (expected.requires_nonce or "nonce" in claims) and not same(claims.get("nonce"), expected.nonce):
        raise TokenRejected("claim_nonce", "expected the nonce of this login, got another one or none")
    if expected.max_age is not None:
        age = now - read_instant(claims, "auth_time")
        if age < -leeway:
            raise TokenRejected("claim_auth_time", f"the user signed in {int(-age)} s in the future: {CHECK_THE_CLOCK}")
        if age > expected.max_age + leeway:
            raise TokenRejected("claim_auth_time", f"expected at most {expected.max_age} s ago, got {int(age)} s ago")
    if expected.acr_values and claims.get("acr") not in expected.acr_values:
        raise TokenRejected("claim_acr", f"expected {list(expected.acr_values)}, got {claims.get('acr')}")


def _check_at_hash(token: Verified, access_token: str | None) -> None:
    if "at_hash" not in token.claims:
        return
    if access_token is None:
        raise TokenRejected("claim_at_hash", "expected none, because the provider issued no access token")
    if token.alg not in HASH_OF_ALGORITHM:  # what cannot be checked is refused
        raise TokenRejected("claim_at_hash", f"cannot be checked: no hash is known for {token.alg}")
    if not same(token.claims["at_hash"], token_hash(token.alg, access_token).decode("ascii")):
        raise TokenRejected("claim_at_hash", "expected the hash of the access token, got that of another token")
