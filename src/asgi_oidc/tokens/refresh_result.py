"""Applies the answer to a refresh to the tokens of a session (OIDC Core §12.2)."""

from typing import Any

import msgspec

from asgi_oidc.protocol.access_token import user_claim_names
from asgi_oidc.protocol.claims import (
    PROTOCOL_CLAIMS,
    Claims,
    merge_claims,
    with_partners,
    without_null_verifications,
)
from asgi_oidc.protocol.id_token import claim_names
from asgi_oidc.protocol.token_endpoint import RefreshAnswer
from asgi_oidc.sessions.session import MAX_SKEW, Session, Tokens, earliest, refresh_due_at, write_claims

# Claims that differ in every token say nothing about the user; the last four are those of Entra and Ory.
NEW_IN_EVERY_TOKEN = frozenset(
    {"exp", "iat", "nbf", "jti", "nonce", "auth_time", "at_hash", "c_hash", "s_hash", "session_expiry", "updated_at"}
    | {"aio", "rh", "uti", "rat"}
)
DEPTH = 6  # levels of lists and objects in which order does not count
# Seconds by which changed tokens count as newer than those that another process got before, whatever its clock says.
LEAD = MAX_SKEW + 2


def refreshed(
    session: Session, answer: RefreshAnswer, id_token_claims: Claims, *, access_token_claims: Claims | None, now: int
) -> Tokens:
    """Return the tokens with everything that the answer brought.

    Args:
        id_token_claims: claims of its ID Token, already checked; empty if there was none.
        access_token_claims: claims of its access token, already checked; None if they are not used.
    """
    old = session.tokens
    lost = frozenset(old.from_access_token)
    if access_token_claims is not None:  # also what the ID Token of the login gave as well
        lost |= user_claim_names(old.access_token) - access_token_claims.keys()
    claims, from_access_token = _updated_claims(session, id_token_claims, access_token_claims or {}, lost=lost)
    tokens = msgspec.structs.replace(
        rotated(session, answer),
        written_claims=write_claims(claims),
        from_access_token=from_access_token,
        id_token_claim_names=_names_to_remember(old, id_token_claims)
        if answer.id_token is not None
        else old.id_token_claim_names,
        id_token=answer.id_token or old.id_token,
        access_token=answer.access_token,
        access_expires_at=None if answer.expires_in is None else now + answer.expires_in,
        refresh_due_at=None if answer.expires_in is None else refresh_due_at(now, answer.expires_in),
        scopes=old.scopes if answer.scope is None else answer.scope.split(),
        retry_at=0,
        ends_at=earliest(old.ends_at, id_token_claims.get("session_expiry")),
    )
    return _with_generation(
        tokens, session, is_current=access_token_claims is not None or _has_user_claims(id_token_claims), now=now
    )


def claims_refreshed(session: Session, answer: RefreshAnswer, id_token_claims: Claims, *, now: int) -> Tokens:
    """Return the tokens with the new refresh token and claims; the access token is for another API.

    Args:
        id_token_claims: as in `refreshed`.
    """
    old = session.tokens
    claims, from_access_token = _updated_claims(session, id_token_claims, {}, lost=frozenset())
    tokens = msgspec.structs.replace(
        rotated(session, answer),
        written_claims=write_claims(claims),
        from_access_token=from_access_token,
        id_token_claim_names=sorted(id_token_claims.keys() - PROTOCOL_CLAIMS)
        if _has_user_claims(id_token_claims)
        else old.id_token_claim_names,
        ends_at=earliest(old.ends_at, id_token_claims.get("session_expiry")),
    )
    return _with_generation(tokens, session, is_current=_has_user_claims(id_token_claims), now=now)


def rotated(session: Session, answer: RefreshAnswer) -> Tokens:
    """Take the new refresh token over, and nothing else."""
    return with_refresh_token(session, answer.refresh_token or session.tokens.refresh_token)


def with_refresh_token(session: Session, refresh_token: str | None) -> Tokens:
    """Go on with this refresh token, or with none."""
    old = session.tokens
    return msgspec.structs.replace(old, generation=old.generation + 1, refresh_token=refresh_token)


def rights_may_differ(new: Tokens, old: Tokens) -> bool:
    """Say whether claims or scopes have changed, or the session ends earlier.

    Whether a change grants something or takes it away, only the app knows.
    """
    if set(new.scopes) != set(old.scopes) or new.ends_at != old.ends_at:
        return True
    return new.written_claims != old.written_claims and _user_claims(new) != _user_claims(old)


def _with_generation(new: Tokens, session: Session, *, is_current: bool, now: int) -> Tokens:
    """Give new tokens their place among those that other processes got for the same session.

    Args:
        is_current: whether the provider has just said what their claims are; older claims are not newer than those that
            another process was told meanwhile.
    """
    is_changed = rights_may_differ(new, session.tokens)
    if not (is_current or is_changed):
        return new
    generation = max(new.generation, now - session.login.created_at) + (LEAD if is_changed else 0)
    return msgspec.structs.replace(new, generation=generation)


def _user_claims(tokens: Tokens) -> bytes:
    claims = {name: value for name, value in tokens.claims.items() if name not in NEW_IN_EVERY_TOKEN}
    return msgspec.json.encode(_without_order(claims), order="sorted")


def _without_order(value: Any, depth: int = DEPTH) -> Any:
    """Write lists in one order: providers list roles and groups in any."""
    if isinstance(value, dict) and depth:
        return {name: _without_order(item, depth - 1) for name, item in value.items()}
    if isinstance(value, list) and depth:
        return sorted(msgspec.json.encode(_without_order(item, depth - 1), order="sorted") for item in value)
    return value


def _updated_claims(
    session: Session, id_token_claims: Claims, access_token_claims: Claims, *, lost: frozenset[str]
) -> tuple[dict[str, object], list[str]]:
    """Bring claims up to date: what userinfo gave and what `on_login` made stays, unless it is said anew.

    An ID Token that tells no more than who signed in and when takes nothing away; any other is taken whole: who has
    lost the last role must not keep it because the provider leaves an empty claim out. An access token is always taken
    whole. Of two new tokens the ID Token has precedence, and both have it over what is older.

    Args:
        access_token_claims: claims of the new access token.
        lost: names of the claims that went with the access token of before.

    Returns:
        The claims, and the names of those whose values an access token gave.
    """
    tokens, protected, id_token_claims = (
        session.tokens,
        with_partners(session.login.set_by_on_login),
        without_null_verifications(id_token_claims),
    )
    access_token_claims = _without(access_token_claims, protected)
    gone = lost | (
        _names_from_id_tokens(tokens) - id_token_claims.keys()
        if _has_user_claims(id_token_claims)
        else frozenset[str]()
    )
    kept = {name: value for name, value in tokens.claims.items() if name in protected or name not in gone}
    claims = merge_claims(_without(id_token_claims, protected), merge_claims(access_token_claims, kept))
    new_names = {name for name, value in access_token_claims.items() if name not in kept or kept[name] != value}
    from_access_token = (new_names | (set(tokens.from_access_token) - lost)) & claims.keys() - id_token_claims.keys()
    return claims, sorted(from_access_token)


def _without(claims: Claims, names: frozenset[str]) -> dict[str, object]:
    return {name: value for name, value in claims.items() if name not in names}


def _names_to_remember(old: Tokens, id_token_claims: Claims) -> list[str] | None:
    """Remember what ID Tokens gave, for as long as the newest one does not say it anew."""
    return None if _has_user_claims(id_token_claims) else sorted(_names_from_id_tokens(old)) or None


def _names_from_id_tokens(tokens: Tokens) -> frozenset[str]:
    names = (
        claim_names(tokens.id_token) if tokens.id_token_claim_names is None else frozenset(tokens.id_token_claim_names)
    )
    return names - PROTOCOL_CLAIMS


def _has_user_claims(id_token_claims: Claims) -> bool:
    return bool(id_token_claims.keys() - PROTOCOL_CLAIMS)
