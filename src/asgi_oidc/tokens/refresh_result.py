"""Applies the answer to a refresh to the tokens of a session (OIDC Core §12.2)."""

from collections.abc import Collection
from typing import Any

import msgspec

from asgi_oidc.protocol.access_token import user_claim_names
from asgi_oidc.protocol.claim_mapping import ALL_CLAIMS, ClaimMapping
from asgi_oidc.protocol.claims import (
    PROTOCOL_CLAIMS,
    Claims,
    merge_claims,
    with_partners,
    with_trusted_email,
    without_null_verifications,
)
from asgi_oidc.protocol.id_token import claim_names
from asgi_oidc.protocol.token_endpoint import RefreshAnswer
from asgi_oidc.sessions.lifetimes import MAX_SKEW, refresh_due_at
from asgi_oidc.sessions.session import Session, Tokens, earliest, with_changes, write_claims

# Claims that differ in every token or answer and are not about the user; those of the last line are of Entra, Ory and
# some introspection endpoints.
NEW_IN_EVERY_TOKEN = frozenset(
    {"exp", "iat", "nbf", "jti", "nonce", "auth_time", "at_hash", "c_hash", "s_hash", "session_expiry", "updated_at"}
    | {"aio", "rh", "uti", "rat", "expires_in"}
)
DEPTH = 6  # levels of nested lists and objects in which the order is ignored
# Seconds, added to the generation of changed tokens: they count as newer than tokens that another process got before,
# even if its clock is ahead.
CHANGED_LEAD = MAX_SKEW + 2


def refreshed(
    session: Session,
    answer: RefreshAnswer,
    id_token_claims: Claims,
    *,
    access_token_claims: Claims | None,
    now: int,
    trusted_email_domains: Collection[str] = (),
    mapping: ClaimMapping = ALL_CLAIMS,
) -> Tokens:
    """Return the tokens of a session after a refresh.

    Args:
        id_token_claims: claims of the answer's ID Token, already checked; empty if there was none.
        access_token_claims: claims of its access token, already checked; None if they are not used.
        trusted_email_domains: as in `with_trusted_email`.
        mapping: which claims are stored, and under which names.
    """
    old = session.tokens
    lost = frozenset(old.from_access_token)
    if access_token_claims is not None:  # even claims that the ID Token of the login contained as well
        lost |= _names_from_access_token(old, mapping) - mapping.names(access_token_claims)
    claims, from_access_token = _updated_claims(
        session,
        id_token_claims,
        access_token_claims or {},
        lost=lost,
        trusted_email_domains=trusted_email_domains,
        mapping=mapping,
    )
    tokens = with_changes(
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
        authorization_details=old.authorization_details
        if answer.authorization_details is None
        else answer.authorization_details,
        retry_at=0,
        ends_at=earliest(old.ends_at, id_token_claims.get("session_expiry")),
        confirmed_at=now,
    )
    return _with_generation(
        tokens, session, is_current=access_token_claims is not None or _has_user_claims(id_token_claims), now=now
    )


def claims_refreshed(
    session: Session,
    answer: RefreshAnswer,
    id_token_claims: Claims,
    *,
    now: int,
    trusted_email_domains: Collection[str] = (),
    mapping: ClaimMapping = ALL_CLAIMS,
) -> Tokens:
    """Return the tokens with the refresh token and claims of an answer whose access token is for another API.

    Args:
        id_token_claims: as in `refreshed`.
        trusted_email_domains: as in `with_trusted_email`.
        mapping: as in `refreshed`.
    """
    old = session.tokens
    claims, from_access_token = _updated_claims(
        session,
        id_token_claims,
        {},
        lost=frozenset(),
        trusted_email_domains=trusted_email_domains,
        mapping=mapping,
    )
    tokens = with_changes(
        rotated(session, answer),
        written_claims=write_claims(claims),
        from_access_token=from_access_token,
        id_token_claim_names=sorted(id_token_claims.keys() - PROTOCOL_CLAIMS)
        if _has_user_claims(id_token_claims)
        else old.id_token_claim_names,
        ends_at=earliest(old.ends_at, id_token_claims.get("session_expiry")),
        confirmed_at=now,
    )
    return _with_generation(tokens, session, is_current=_has_user_claims(id_token_claims), now=now)


def confirmed(
    session: Session,
    userinfo: Claims,
    *,
    now: int,
    trusted_email_domains: Collection[str] = (),
    mapping: ClaimMapping = ALL_CLAIMS,
) -> Tokens:
    """Return the tokens of a session that the provider has confirmed without a refresh.

    Claims take the values that userinfo has now. Those that only userinfo can have stated are removed if it states them
    no longer; claims that are new there are added only if the session has some from there. Claims that `on_login` set
    or removed stay as they are.

    Args:
        userinfo: claims of userinfo or of the user API, checked to be about this user; empty if there was another
            confirmation.
        trusted_email_domains: as in `with_trusted_email`.
        mapping: as in `refreshed`.
    """
    old, protected = session.tokens, with_partners(session.login.set_by_on_login)
    new = msgspec.structs.replace(old, generation=old.generation + 1, retry_at=0, confirmed_at=now)
    if not userinfo.keys() - PROTOCOL_CLAIMS:
        return new
    stated = _without_names(mapping.apply(userinfo), protected | PROTOCOL_CLAIMS)
    claims = old.claims
    from_tokens = mapping.names(_names_from_id_tokens(old)) | set(old.from_access_token)
    from_userinfo = claims.keys() - from_tokens - protected - PROTOCOL_CLAIMS
    if not from_userinfo:
        stated = {name: value for name, value in stated.items() if name in claims}
    kept = {name: value for name, value in claims.items() if name in stated or name not in from_userinfo}
    merged = merge_claims(stated, kept)
    if "email" not in protected:
        merged = with_trusted_email(merged, trusted_domains=trusted_email_domains)
    new = with_changes(new, written_claims=write_claims(merged))
    return _with_generation(new, session, is_current=True, now=now)


def rotated(session: Session, answer: RefreshAnswer) -> Tokens:
    """Return the tokens with the answer's refresh token, if it has one; nothing else changes."""
    return with_refresh_token(session, answer.refresh_token or session.tokens.refresh_token)


def with_refresh_token(session: Session, refresh_token: str | None) -> Tokens:
    """Return the tokens with another refresh token, or with none."""
    old = session.tokens
    return with_changes(old, generation=old.generation + 1, refresh_token=refresh_token)


def rights_may_differ(new: Tokens, old: Tokens) -> bool:
    """Return whether claims, scopes, authorization details or the end of the session have changed.

    Any change counts: only the app knows whether it grants rights or takes them away.
    """
    if set(new.scopes) != set(old.scopes) or new.ends_at != old.ends_at:
        return True
    if bytes(new.authorization_details) != bytes(old.authorization_details):
        return True
    return new.written_claims != old.written_claims and claims_differ(new.claims, old.claims)


def claims_differ(new: Claims, old: Claims) -> bool:
    """Return whether claims about the user have changed; those that are new in every token do not count."""
    return _user_claims(new) != _user_claims(old)


def _with_generation(new: Tokens, session: Session, *, is_current: bool, now: int) -> Tokens:
    """Set the generation, which orders tokens that several processes get for the same session.

    Args:
        is_current: whether the answer states the claims. If not, the claims are old ones, and must not count as newer
            than those that another process got in the meantime.
    """
    is_changed = rights_may_differ(new, session.tokens)
    if not (is_current or is_changed):
        return new
    generation = max(new.generation, now - session.login.created_at) + (CHANGED_LEAD if is_changed else 0)
    return msgspec.structs.replace(new, generation=generation)


def _user_claims(claims: Claims) -> bytes:
    lasting = {name: value for name, value in claims.items() if name not in NEW_IN_EVERY_TOKEN}
    return msgspec.json.encode(_without_order(lasting), order="sorted")


def _without_order(value: Any, depth: int = DEPTH) -> Any:
    """Sort lists: providers return roles and groups in any order."""
    if isinstance(value, dict) and depth:
        return {name: _without_order(item, depth - 1) for name, item in value.items()}
    if isinstance(value, list) and depth:
        return sorted(msgspec.json.encode(_without_order(item, depth - 1), order="sorted") for item in value)
    return value


def _updated_claims(
    session: Session,
    id_token_claims: Claims,
    access_token_claims: Claims,
    *,
    lost: frozenset[str],
    trusted_email_domains: Collection[str],
    mapping: ClaimMapping,
) -> tuple[dict[str, object], list[str]]:
    """Merge the claims of new tokens into those of the session.

    Claims that `on_login` set or removed stay as they are. Claims from userinfo stay unless a new token contains them.

    A new ID Token with claims about the user replaces all claims of earlier ID Tokens: a user who lost the last role
    must not keep it because the provider omits the empty claim. An ID Token without such claims removes nothing. A new
    access token always replaces all claims of the previous one. The ID Token has precedence over the access token.

    Args:
        access_token_claims: claims of the new access token.
        lost: stored names of claims of the previous access token; they are removed unless a new token contains them.

    Returns:
        The claims, and the names of those whose values come from an access token.
    """
    tokens, protected, id_token_claims = (
        session.tokens,
        with_partners(session.login.set_by_on_login),
        without_null_verifications(id_token_claims),
    )
    access_token_claims = _without_names(mapping.apply(access_token_claims), protected)
    # A token states claims about the user even if none of them is stored.
    has_user_claims, id_token_claims = _has_user_claims(id_token_claims), mapping.apply(id_token_claims)
    outdated = lost | (
        mapping.names(_names_from_id_tokens(tokens)) - id_token_claims.keys() if has_user_claims else frozenset[str]()
    )
    remaining = {name: value for name, value in tokens.claims.items() if name in protected or name not in outdated}
    claims = merge_claims(_without_names(id_token_claims, protected), merge_claims(access_token_claims, remaining))
    if "email" not in protected:
        claims = with_trusted_email(claims, trusted_domains=trusted_email_domains)
    new_names = {
        name for name, value in access_token_claims.items() if name not in remaining or remaining[name] != value
    }
    from_access_token = (new_names | (set(tokens.from_access_token) - lost)) & claims.keys() - id_token_claims.keys()
    return claims, sorted(from_access_token)


def _without_names(claims: Claims, names: frozenset[str]) -> dict[str, object]:
    return {name: value for name, value in claims.items() if name not in names}


def _names_to_remember(old: Tokens, id_token_claims: Claims) -> list[str] | None:
    """Return the names of claims from earlier ID Tokens, if the new ID Token contains none about the user."""
    return None if _has_user_claims(id_token_claims) else sorted(_names_from_id_tokens(old)) or None


def _names_from_id_tokens(tokens: Tokens) -> frozenset[str]:
    names = frozenset(tokens.id_token_claim_names or ())
    if tokens.id_token_claim_names is None and tokens.id_token:
        names = claim_names(tokens.id_token)
    return names - PROTOCOL_CLAIMS


def _names_from_access_token(tokens: Tokens, mapping: ClaimMapping) -> frozenset[str]:
    """Return the names under which the claims of the current access token are stored."""
    if tokens.access_token is None:
        return frozenset(tokens.access_token_claim_names)
    return mapping.names(user_claim_names(tokens.access_token))


def _has_user_claims(id_token_claims: Claims) -> bool:
    return bool(id_token_claims.keys() - PROTOCOL_CLAIMS)
