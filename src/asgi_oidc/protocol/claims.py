"""Reading single claims of a token whose signature is good (RFC 7519 §2, §4.1)."""

from collections.abc import Mapping
from hmac import compare_digest

from asgi_oidc.errors import TokenRejected

# What the ID Token says of the login itself; userinfo has no say in it.
PROTOCOL_CLAIMS = frozenset(
    {"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "nonce", "azp", "acr", "amr", "auth_time", "sid"}
    | {"at_hash", "c_hash", "s_hash", "events", "cnf", "session_expiry"}
)
LATEST_DATE = 253_402_300_799  # the last second of the year 9999; anything later is a mistake or an attack


def read_instant(claims: Mapping[str, object], name: str) -> float:
    """Read a NumericDate; some providers send `auth_time` with a fraction.

    Raises:
        TokenRejected: `claim_<name>`, no number of seconds that could be a date.
    """
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRejected(f"claim_{name}", "expected a number of seconds")
    if not 0 <= value <= LATEST_DATE:  # a comparison refuses infinity and endless integers as well
        raise TokenRejected(f"claim_{name}", "it is not a date")
    return value


def check_lifetime(claims: Mapping[str, object], *, now: int, leeway: int) -> None:
    """Refuse a token that has ended or has not begun; `exp` and `nbf` are checked where they are.

    Raises:
        TokenRejected: `claim_exp` or `claim_nbf`.
    """
    if "exp" in claims and read_instant(claims, "exp") <= now - leeway:
        raise TokenRejected("claim_exp", f"it ended at {claims['exp']}, now is {now}")
    if "nbf" in claims and read_instant(claims, "nbf") > now + leeway:
        raise TokenRejected("claim_nbf", f"it starts at {claims['nbf']}, now is {now}")


def check_kind(typ: str | None, claims: Mapping[str, object], *, types: tuple[str | None, ...]) -> None:
    """Refuse a token that says that it is another kind (RFC 8725 §3.11), or that tells of events (RFC 8417 §2.2).

    Args:
        types: the values of `typ` that are fine, in lower case; None for none at all.

    Raises:
        TokenRejected: `token_typ`.
    """
    if (typ and typ.lower().removeprefix("application/")) not in types:
        raise TokenRejected("token_typ", f"expected one of {types}, got {typ}")
    if "events" in claims:
        raise TokenRejected("token_typ", "it is a logout or event token")


def same(claim: object, expected: str) -> bool:
    """Compare a claim with a text, byte for byte and in constant time."""
    return isinstance(claim, str) and compare_digest(claim.encode("utf-8"), expected.encode("utf-8"))
