"""Checks a logout token and reads which sessions it ends (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.claims import CHECK_THE_CLOCK, check_issued_at, check_lifetime, read_instant
from asgi_oidc.protocol.id_token import MAX_SUB_LENGTH, check_audience
from asgi_oidc.protocol.issuer_template import Issuer, check_issuer
from asgi_oidc.protocol.jose import Verified

EVENT = "http://schemas.openid.net/event/backchannel-logout"
# The specification's `logout+jwt`, and what providers send that predate it (§2.4).
LOGOUT_TOKEN_TYPES = (None, "jwt", "logout+jwt")
MAX_TOKEN_AGE = 600  # seconds since it was issued; its `jti` is remembered for as long, against replays
MAX_JTI_LENGTH = 255  # characters


@dataclass(frozen=True, slots=True)
class Logout:
    """The sessions that a logout token ends: one session, all sessions of a user, or one session of one user.

    Attributes:
        issuer: of the token; with a template, that of one tenant. The ids mean something only together with it.
        sid: the provider's id of the session; None ends all sessions of `sub`.
        sub: the user; None if only `sid` is given.
        forget_at: seconds since the epoch; from then on the token is too old, so its `jti` need not be remembered.
        has_exp: whether the token has `exp`, as it must (§2.4). Without it, `iat` and `jti` still limit its use.
        issued_at: seconds since the epoch, by the clock of the provider.
    """

    issuer: str
    sid: str | None = field(repr=False)
    sub: str | None = field(repr=False)
    jti: str = field(repr=False)
    forget_at: int
    has_exp: bool = True
    issued_at: int = 0


def read_logout_token(
    token: Verified,
    *,
    issuer: Issuer,
    client_id: str,
    trusted_audiences: Collection[str],
    now: int,
    leeway: int,
    trusts_azp: bool = False,
) -> Logout:
    """Read a logout token; refuse one that is not from this provider, for this client and currently valid.

    Args:
        token: signature already checked.
        now: seconds since the epoch.
        leeway: seconds of clock skew allowed.
        trusts_azp: as in `check_audience`.

    Raises:
        TokenRejected: the code names the claim that is wrong.
    """
    claims = token.claims
    if (token.typ and token.typ.lower().removeprefix("application/")) not in LOGOUT_TOKEN_TYPES:
        raise TokenRejected("token_typ", f"expected typ to be logout+jwt, got {token.typ}")
    named = check_issuer(claims, issuer)
    check_audience(claims, client_id=client_id, trusted_audiences=trusted_audiences, trusts_azp=trusts_azp)
    forget_at = _check_times(claims, now=now, leeway=leeway)
    _check_event(claims)
    sid, sub = _id_claim(claims, "sid"), _id_claim(claims, "sub")
    if sid is None and sub is None:
        raise TokenRejected("claim_sid", "expected sid, sub or both, got neither")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= MAX_JTI_LENGTH:
        raise TokenRejected("claim_jti", f"expected text of 1 to {MAX_JTI_LENGTH} characters")
    issued_at = int(read_instant(claims, "iat"))
    return Logout(named, sid, sub, jti, forget_at, has_exp="exp" in claims, issued_at=issued_at)


def _check_times(claims: Mapping[str, object], *, now: int, leeway: int) -> int:
    issued_at = read_instant(claims, "iat")
    ends_at = read_instant(claims, "exp") if "exp" in claims else issued_at + MAX_TOKEN_AGE  # Ory Hydra sends none
    check_lifetime(claims, now=now, leeway=leeway)
    check_issued_at(claims, now=now, leeway=leeway)
    if issued_at <= now - leeway - MAX_TOKEN_AGE:
        age = int(now - issued_at)
        raise TokenRejected(
            "claim_iat", f"the token was issued {age} s ago, expected at most {MAX_TOKEN_AGE} s: {CHECK_THE_CLOCK}"
        )
    return int(min(ends_at, issued_at + MAX_TOKEN_AGE)) + leeway + 1


def _check_event(claims: Mapping[str, object]) -> None:
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise TokenRejected("claim_events", f"expected the event {EVENT}")
    if "nonce" in claims:  # it must never pass as an ID Token (§2.4)
        raise TokenRejected("claim_nonce", "a logout token must not have a nonce")


def _id_claim(claims: Mapping[str, object], claim: str) -> str | None:
    if claim not in claims:
        return None
    value = claims[claim]
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_SUB_LENGTH:
        raise TokenRejected(f"claim_{claim}", f"expected text of 1 to {MAX_SUB_LENGTH} characters")
    return value
