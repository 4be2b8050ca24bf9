"""The values of a session: the login, its tokens and its last use."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from asgi_oidc.errors import OIDCError
from asgi_oidc.principal import read_claims
from asgi_oidc.protocol.authorization_details import NOTHING
from asgi_oidc.protocol.user_api import is_openid
from asgi_oidc.sessions.packing.token_texts import Texts, TokenTexts


class UserId(NamedTuple):
    """Identifies a user: two issuers may use the same `sub` for different people (OIDC Core §2)."""

    issuer: str
    sub: str

    def __repr__(self) -> str:
        return "UserId(...)"


class Login(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One login of one user in one browser: the part of a session that never changes.

    Attributes:
        id: new at every login, 256 random bits.
        sid: the session at the provider, if the ID Token names it (OpenID Connect Back-Channel Logout 1.0 §2.1).
        first: `aud`, `azp`, `nonce` and `auth_time` of the first ID Token, which later ones have to match (OIDC Core
            §12.2), its `acr`, which rules check, and its `hd` (see `hosted_domain`).
        set_by_on_login: names of the claims that `on_login` set or removed: a refresh leaves them as they are.
        created_at: seconds since the epoch.
        began: logical milliseconds: after all revocations that were known when the login started.
        replaced: ids of the sessions that this one replaced and that may still be within `REPLACED_GRACE`.
        provider: the name of the provider in the settings; empty for the one provider of the flat keywords.
        endpoints_digest: as in `ProviderSettings`.
        dpop_key: the private key to which all tokens of the session are bound, as `read_dpop_key` reads it; empty if
            they are bearer tokens.
        requested_details: digests of the `authorization_details` that the login has asked for, granted or not.
    """

    id: str
    issuer: str
    sub: str
    sid: str | None = None
    first: dict[str, Any]
    set_by_on_login: list[str] = []
    created_at: int
    began: int
    replaced: list[str] = []
    provider: str = ""
    endpoints_digest: str = ""
    dpop_key: str = ""
    requested_details: tuple[str, ...] = ()

    @property
    def user_id(self) -> UserId:
        """The user who signed in."""
        return UserId(self.issuer, self.sub)

    @property
    def can_step_up(self) -> bool:
        """Whether the provider can report how and when the user signed in, which plain OAuth 2.0 cannot."""
        return is_openid(self.issuer)

    def __repr__(self) -> str:
        return f"Login(created_at={self.created_at})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("created_at", self.created_at)]


class Tokens(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The part of a session that a refresh replaces: the tokens and the user's claims. Instants in seconds.

    Make one with `make_tokens`, and change it with `with_changes`.

    Attributes:
        generation: grows with each refresh. If the provider states the claims anew, it is at least the number of
            seconds since the login: of two processes that refresh without knowing of each other, the one with the
            latest claims has the larger generation.
        texts: the claims and the tokens themselves.
        access_expires_at: None if the provider did not say; 0 if the session does not keep the access token.
        refresh_due_at: from then on, a request that needs the access token refreshes it first; None for never.
        retry_at: after a failed refresh, the next one is not tried before that.
        forced_at: when an API last refused a token that had not expired.
        ends_at: when the provider wants the session to end, None if it did not say.
        id_token_claim_names: names of the claims that earlier ID Tokens of this session contained, if `id_token` is a
            newer one without any claim about the user, or is not kept; None if `id_token` itself contains them.
        from_access_token: names of the claims whose current values come from the access token.
        access_token_claim_names: names of the claims that the access token contains, as they are stored, if the session
            does not keep it and the app uses its claims.
        confirmed_at: when the provider last confirmed the session after the login, by a refresh for example.
        authorization_details: the granted ones (RFC 9396), as a JSON list.
    """

    generation: int = 0
    texts: TokenTexts
    access_expires_at: int | None
    refresh_due_at: int | None = None
    scopes: list[str]
    retry_at: int = 0
    forced_at: int = 0
    ends_at: int | None = None
    id_token_claim_names: list[str] | None = None
    from_access_token: list[str] = []
    access_token_claim_names: list[str] = []
    confirmed_at: int = 0
    authorization_details: msgspec.Raw = NOTHING

    @property
    def written_claims(self) -> msgspec.Raw:
        """The claims as JSON text, which cannot be changed by accident; few requests have to decode it."""
        return self.texts.written_claims()

    @property
    def claims(self) -> dict[str, Any]:
        """JSON object: the claims of the ID Token, userinfo and `on_login`; a new object each time."""
        return read_claims(self.written_claims)

    @property
    def id_token(self) -> str:
        """The newest ID Token; empty if the session has none."""
        return self.texts.get().id_token

    @property
    def access_token(self) -> str | None:
        """The access token; None if the session has none."""
        return self.texts.get().access_token

    @property
    def refresh_token(self) -> str | None:
        """The refresh token; None if the session has none."""
        return self.texts.get().refresh_token

    def __repr__(self) -> str:
        return f"Tokens(generation={self.generation})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("generation", self.generation)]


class Session(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A login, its newest tokens, and its last use.

    Attributes:
        seen_at: seconds since the epoch; at first the time of the login.
    """

    login: Login
    tokens: Tokens
    seen_at: int

    @property
    def id(self) -> str:
        """The id of the login."""
        return self.login.id

    def __repr__(self) -> str:
        return f"Session(created_at={self.login.created_at}, seen_at={self.seen_at})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("created_at", self.login.created_at), ("seen_at", self.seen_at)]


def earliest(ends_at: int | None, stated: object) -> int | None:
    """Return the earlier of two ends of a session: the provider can only shorten it.

    Args:
        ends_at: seconds since the epoch, None for no end.
        stated: `session_expiry` of a checked ID Token (OpenID Connect Enterprise Extensions 1.0).
    """
    if not isinstance(stated, int | float):
        return ends_at
    return int(stated) if ends_at is None else min(ends_at, int(stated))


def make_tokens(**values: Any) -> Tokens:
    """Make tokens from the fields of `Tokens` and of `Texts`."""
    texts = {name: values.pop(name) for name in Texts.__struct_fields__ if name in values}
    return Tokens(texts=TokenTexts(Texts(**texts)), **values)


def with_changes(tokens: Tokens, **changes: Any) -> Tokens:
    """Return tokens with other values for some fields of `Tokens` or of `Texts`."""
    texts = {name: changes.pop(name) for name in Texts.__struct_fields__ if name in changes}
    if texts:
        changes["texts"] = tokens.texts.replace(**texts)
    return msgspec.structs.replace(tokens, **changes)


def with_new_tokens(session: Session, tokens: Tokens) -> Session:
    """Replace the tokens of a session; an earlier end of the session stays."""
    ends_at = earliest(tokens.ends_at, session.tokens.ends_at)
    return msgspec.structs.replace(session, tokens=msgspec.structs.replace(tokens, ends_at=ends_at))


def ending_at(session: Session, at: int) -> Session:
    """Return the session with its end set to `at`, unless it ends earlier."""
    ends_at = earliest(session.tokens.ends_at, at)
    return msgspec.structs.replace(session, tokens=msgspec.structs.replace(session.tokens, ends_at=ends_at))


def write_claims(claims: Mapping[str, Any]) -> msgspec.Raw:
    """Encode claims as JSON text.

    Raises:
        OIDCError: a claim that `on_login` returned is not a JSON value.
    """
    try:
        return msgspec.Raw(msgspec.json.encode(claims))
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise OIDCError("claims_not_json", "a claim that on_login returned is not a JSON value") from exc
