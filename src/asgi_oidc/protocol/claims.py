"""Reads and checks claims that tokens have in common (RFC 7519 §2, §4.1), and merges claims from two sources.

All functions expect that the signature has been checked.
"""

from collections.abc import Collection, Iterable, Mapping
from hmac import compare_digest

from asgi_oidc.errors import TokenRejected

# Claims about the login and the token itself: only those of the ID Token count, never those of userinfo.
PROTOCOL_CLAIMS = frozenset(
    {"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "nonce", "azp", "acr", "amr", "auth_time", "sid"}
    | {"at_hash", "c_hash", "s_hash", "events", "cnf", "session_expiry"}
)
# A claim, and the claim that tells whether the provider has verified it (OIDC Core §5.1).
VERIFIED_PAIRS = (("email", "email_verified"), ("phone_number", "phone_number_verified"))
CHECK_THE_CLOCK = "check this server's clock"  # the usual cause; or a container that was suspended
LATEST_DATE = 253_402_300_799  # the last second of the year 9999; anything later is a mistake or an attack

Claims = Mapping[str, object]


def merge_claims(first: Claims, second: Claims) -> dict[str, object]:
    """Merge two sets of claims about one user: the first takes precedence, the second adds what is missing.

    `email_verified` is about the `email` beside it and must never confirm another address, so both are taken from the
    same set. (The same holds for `phone_number`.) If the first set has an `email` without `email_verified`, then the
    `email_verified` of the second counts only if its `email` is exactly the same. A denial cannot confirm a wrong
    address: one in the first set always counts, and one in the second counts even if the two addresses differ in case.
    A null neither confirms nor denies.

    Source: OIDC Core §5.1 (email_verified, phone_number_verified), §5.3.2 (null), §5.7.
    """
    first, second = without_null_verifications(first), without_null_verifications(second)
    merged = {**second, **first}
    for value, verified in VERIFIED_PAIRS:
        if value in first and verified not in first and first[value] != second.get(value):
            if not (_is_denied(second, verified) and _is_same(first[value], second.get(value))):
                merged.pop(verified, None)
        elif value not in first and value in second and is_true(first.get(verified)):
            del merged[verified]
            merged.update({verified: second[verified]} if verified in second else {})
    return merged


def without_null_verifications(claims: Claims) -> Claims:
    """Leave out `email_verified` and `phone_number_verified` if they are null: null neither confirms nor denies."""
    nulls = {verified for _, verified in VERIFIED_PAIRS if claims.get(verified, False) is None}
    return {name: claim for name, claim in claims.items() if name not in nulls} if nulls else claims


def without_stale_verification(before: Claims, after: Claims, *, set_by_app: Collection[str]) -> dict[str, object]:
    """Set a verification to false if the app has replaced the value that it was about.

    A value that the app set is unverified unless the app sets the verification too, even in a trusted domain. If the
    provider denied the value and the app kept it, the denial stays, even if the app left it out.

    Args:
        before: the claims from the provider.
        after: the claims as the app returned them.
        set_by_app: names of the claims that the app set itself, including those it set to the value that they had.
    """
    claims = dict(after)
    for value, verified in VERIFIED_PAIRS:
        verification = claims.get(verified)
        if verification is not None and (verified in set_by_app or verification != before.get(verified)):
            continue  # the app has set the verification itself
        if value not in claims:
            claims.pop(verified, None)
        elif not _is_same(before.get(value), claims[value]) or (verification is None and _is_denied(before, verified)):
            claims[verified] = False
    return claims


def with_partners(names: Iterable[str]) -> frozenset[str]:
    """Complete pairs such as `email` and `email_verified`: if one name is there, add the other."""
    named = frozenset(names)
    return named.union(*(pair for pair in VERIFIED_PAIRS if not named.isdisjoint(pair)))


def is_true(claim: object) -> bool:
    """Whether a claim is true, or the text "true" that some providers (Amazon Cognito) send."""
    return claim is True or claim == "true"


def is_email_verified(claims: Claims, *, trusted_domains: Collection[str]) -> bool:
    """Whether the address in the claim `email` is known to belong to the user.

    Args:
        trusted_domains: in lower case; an address there counts as verified if there is no `email_verified`.
    """
    verified = claims.get("email_verified")
    if is_true(verified):
        return isinstance(claims.get("email"), str)
    return verified is None and email_domain(claims) in trusted_domains


def with_trusted_email(claims: Claims, *, trusted_domains: Collection[str]) -> dict[str, object]:
    """Set `email_verified` if the provider does not say whether `email` is, and its domain is trusted.

    Args:
        trusted_domains: in lower case.
    """
    if claims.get("email_verified") is None and email_domain(claims) in trusted_domains:
        return {**claims, "email_verified": True}
    return dict(claims)


def email_domain(claims: Claims) -> str | None:
    """Return the domain of the claim `email` in lower case; None if it is not an ASCII address."""
    email = claims.get("email")
    if not isinstance(email, str):
        return None
    name, _, domain = email.partition("@")  # a second "@" ends up in the domain, which then matches no configured one
    return domain.lower() if name and domain.isascii() else None


def _is_denied(claims: Claims, verified: str) -> bool:
    return claims.get(verified) is not None and not is_true(claims[verified])


def _is_same(old: object, new: object) -> bool:
    """Compare two addresses, ignoring case, because apps often convert addresses to lower case."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return False
    return old == new or (old.isascii() and new.isascii() and old.lower() == new.lower())


def read_instant(claims: Mapping[str, object], name: str) -> float:
    """Read a NumericDate; some providers send `auth_time` with a fraction.

    Raises:
        TokenRejected: `claim_<name>`, if it is not a number of seconds that can be a date.
    """
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRejected(f"claim_{name}", "expected a number of seconds")
    if not 0 <= value <= LATEST_DATE:  # this refuses infinity and huge integers as well
        raise TokenRejected(f"claim_{name}", "expected a date before the year 10000")
    return value


def check_lifetime(claims: Mapping[str, object], *, now: int, leeway: int) -> None:
    """Refuse a token that has expired or is not valid yet; `exp` and `nbf` are checked if they are present.

    Raises:
        TokenRejected: `claim_exp` or `claim_nbf`.
    """
    if "exp" in claims and (exp := read_instant(claims, "exp")) <= now - leeway:
        raise TokenRejected("claim_exp", f"the token expired {int(now - exp)} s ago: {CHECK_THE_CLOCK}")
    if "nbf" in claims and (nbf := read_instant(claims, "nbf")) > now + leeway:
        raise TokenRejected("claim_nbf", f"the token becomes valid only in {int(nbf - now)} s: {CHECK_THE_CLOCK}")


def check_issued_at(claims: Claims, *, now: int, leeway: int) -> float:
    """Return when a token was issued; refuse one that was issued in the future.

    Raises:
        TokenRejected: `claim_iat`.
    """
    issued_at = read_instant(claims, "iat")
    if issued_at > now + leeway:
        ahead = int(issued_at - now)
        raise TokenRejected("claim_iat", f"the token was issued {ahead} s in the future: {CHECK_THE_CLOCK}")
    return issued_at


def check_kind(typ: str | None, claims: Mapping[str, object], *, types: tuple[str | None, ...]) -> None:
    """Refuse a token of another kind, by its `typ` (RFC 8725 §3.11) or because it has `events` (RFC 8417 §2.2).

    Args:
        types: the accepted values of `typ`, in lower case; None for a token without `typ`.

    Raises:
        TokenRejected: `token_typ`.
    """
    if (typ and typ.lower().removeprefix("application/")) not in types:
        raise TokenRejected("token_typ", f"expected typ to be one of {types}, got {typ}")
    if "events" in claims:
        raise TokenRejected("token_typ", "expected no events: it is a logout token or a security event token")


def same(claim: object, expected: str) -> bool:
    """Compare a claim with a text, byte for byte and in constant time."""
    return isinstance(claim, str) and compare_digest(claim.encode("utf-8"), expected.encode("utf-8"))
