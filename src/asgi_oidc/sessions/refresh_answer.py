"""What the answer to a refresh makes of the tokens of a session (OIDC Core §12.2)."""

import msgspec

from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS, Claims, merge_claims, with_partners
from asgi_oidc.protocol.id_token import claim_names
from asgi_oidc.protocol.tokens import RefreshAnswer
from asgi_oidc.sessions.session import Session, Tokens, earliest, refresh_due_at, write_claims


def refreshed(session: Session, answer: RefreshAnswer, said: Claims, *, now: int) -> Tokens:
    """Take over all that the answer brought.

    Args:
        said: claims of its ID Token, checked; none when it brought no ID Token.
    """
    old = session.tokens
    return msgspec.structs.replace(
        rotated(old, answer),
        written_claims=write_claims(_up_to_date(session, said)),
        given=_given(old, said) if answer.id_token is not None else old.given,
        id_token=answer.id_token or old.id_token,
        access_token=answer.access_token,
        access_expires_at=None if answer.expires_in is None else now + answer.expires_in,
        refresh_due_at=None if answer.expires_in is None else refresh_due_at(now, answer.expires_in),
        scopes=old.scopes if answer.scope is None else answer.scope.split(),
        retry_at=0,
        ends_at=earliest(old.ends_at, said.get("session_expiry")),
    )


def claims_refreshed(session: Session, answer: RefreshAnswer, said: Claims) -> Tokens:
    """Take over the new refresh token and what the ID Token says; the access token is for another API.

    Args:
        said: as in `refreshed`.
    """
    old = session.tokens
    return msgspec.structs.replace(
        rotated(old, answer),
        written_claims=write_claims(_up_to_date(session, said)),
        given=sorted(said.keys() - PROTOCOL_CLAIMS) if _is_whole(said) else old.given,
        ends_at=earliest(old.ends_at, said.get("session_expiry")),
    )


def rotated(tokens: Tokens, answer: RefreshAnswer) -> Tokens:
    """Take the new refresh token over, and nothing else."""
    newer = answer.refresh_token or tokens.refresh_token
    return msgspec.structs.replace(tokens, generation=tokens.generation + 1, refresh_token=newer)


def _up_to_date(session: Session, said: Claims) -> dict[str, object]:
    """Bring claims up to date: what userinfo gave and what `on_login` made stays.

    An ID Token that tells no more than who signed in and when takes nothing away; any other is taken whole: who has
    lost the last role must not keep it because the provider leaves an empty claim out.
    """
    tokens, made = session.tokens, with_partners(session.login.made)
    gone = _names_given(tokens) - said.keys() if _is_whole(said) else frozenset[str]()
    kept = {name: value for name, value in tokens.claims.items() if name in made or name not in gone}
    return merge_claims({name: value for name, value in said.items() if name not in made}, kept)


def _given(old: Tokens, said: Claims) -> list[str] | None:
    """Remember what ID Tokens gave, for as long as the newest one does not say it anew."""
    return None if _is_whole(said) else sorted(_names_given(old)) or None


def _names_given(tokens: Tokens) -> frozenset[str]:
    names = claim_names(tokens.id_token) if tokens.given is None else frozenset(tokens.given)
    return names - PROTOCOL_CLAIMS


def _is_whole(said: Claims) -> bool:
    return bool(said.keys() - PROTOCOL_CLAIMS)
