"""Decides which tokens sessions keep, and remembers access tokens that they do not keep (the setting `tokens`).

Such an access token stays in the memory of the process that got it, until it expires. The other processes get their
own with the refresh token. Without a refresh token, none is remembered: calls to an API would work in one process and
fail in the others.
"""

from collections.abc import Collection

from asgi_oidc.errors import OIDCError, RefreshFailed, TokenNotGranted
from asgi_oidc.protocol.claim_mapping import ClaimMapping
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.sessions.kept_tokens import ACCESS_TOKEN, ALL_TOKENS, NOT_KEPT, REFRESH_TOKEN, keep
from asgi_oidc.sessions.session import Session, Tokens, with_changes
from asgi_oidc.sessions.session_cache import SessionCache
from asgi_oidc.tokens.refresh_result import rights_may_differ

EXPIRED_PER_LOGIN = 2  # tokens forgotten with each one that is added: more than one, so that they cannot pile up


class SessionTokens:
    """The tokens of sessions: what is written, and what is used. Bounded: the oldest access tokens are dropped first.

    Attributes:
        kept: names of the tokens that sessions keep.
    """

    __slots__ = ("_access_tokens", "_claim_mapping", "kept")

    def __init__(self, kept: Collection[str] = ALL_TOKENS, *, claim_mapping: ClaimMapping) -> None:
        """Keep these tokens; `claim_mapping` says which claims are stored."""
        self.kept = kept
        self._claim_mapping = claim_mapping
        # By session id, without the other tokens. Their claims and scopes are those of the access token.
        self._access_tokens: SessionCache[str, Tokens] = SessionCache()

    def to_write(self, tokens: Tokens, provider: ProviderSettings) -> Tokens:
        """Return what a session keeps of new tokens. Every login and every refresh calls this."""
        reads_claims = provider.claims_from_access_token
        return keep(tokens, self.kept, read_claims=self._claim_mapping if reads_claims else None)

    def remember(self, session_id: str, tokens: Tokens, *, now: int) -> None:
        """Remember the access token of a session that does not keep it, if a new one can be had when it expires.

        Args:
            now: seconds since the epoch.
        """
        self._forget_expired(now)
        has_successor = REFRESH_TOKEN in self.kept and tokens.refresh_token is not None
        if ACCESS_TOKEN in self.kept or tokens.access_token is None or not has_successor:
            return
        size = len(tokens.access_token) + len(bytes(tokens.written_claims))
        self._access_tokens.keep(session_id, with_changes(tokens, id_token="", refresh_token=None), size=size)

    def to_use(self, session: Session) -> Tokens:
        """Return the tokens of a session, with the access token that this process remembers.

        An access token from before a refresh that changed the user's rights, in whatever process, is not used.
        """
        tokens = session.tokens
        remembered = self._access_tokens.get(session.id)
        if remembered is None or tokens.access_token is not None or rights_may_differ(tokens, remembered):
            return tokens
        return with_changes(
            tokens,
            access_token=remembered.access_token,
            access_expires_at=remembered.access_expires_at,
            refresh_due_at=remembered.refresh_due_at,
        )

    def is_remembered(self, session_id: str) -> bool:
        """Return whether this process has an access token that a session does not keep."""
        return self._access_tokens.get(session_id) is not None

    def forget(self, session_id: str) -> None:
        """Forget the access token of a session that is over."""
        self._access_tokens.drop(session_id)

    def _forget_expired(self, now: int) -> None:
        """Forget tokens that have expired: nobody asks for that of a session that was ended elsewhere."""
        for _ in range(EXPIRED_PER_LOGIN):
            oldest = self._access_tokens.oldest()
            tokens = None if oldest is None else self._access_tokens.get(oldest)
            if oldest is None or tokens is None or tokens.access_expires_at is None or tokens.access_expires_at > now:
                return
            self._access_tokens.drop(oldest)


def missing_access_token(tokens: Tokens) -> OIDCError:
    """Return the error that says why a session has no access token: it was not issued, or is not kept."""
    if tokens.access_expires_at != NOT_KEPT:
        detail = "the provider issued no access token at the login: request a scope of an API with the setting scope"
        return TokenNotGranted("access_token_not_issued", detail)
    if tokens.refresh_token is not None:  # a refresh succeeded, but too many others did at the same time
        detail = "the new access token was dropped for those of other sessions"
        return RefreshFailed("refresh_in_vain", detail, retry_after=1)
    detail = (
        "the session keeps no access token, and has no refresh token to get one with: "
        'set tokens="access" (OIDC_TOKENS); or "refresh", if the login brings a refresh token: most providers issue '
        "one for the scope offline_access"
    )
    return TokenNotGranted("access_token_not_kept", detail)
