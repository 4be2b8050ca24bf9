"""Watches the access token behind an open websocket or response, so that the connection ends with the token."""

from asgi_oidc.asgi.session_watch import STORE_SILENCE_LIMIT, SessionWatch, SessionWatcher
from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.bearer.authentication import TokenAuthenticator
from asgi_oidc.errors import OIDCError, ProviderError, StoreUnavailable
from asgi_oidc.policy.access_control import Active

REPEAT_INTERVAL = 30  # seconds between two introspections of one token because of its open connections


class BearerWatch:
    """Checks whether the token of one open connection is over, as `SessionWatch` does for a session."""

    def __init__(self, token: ActiveToken, tokens: TokenAuthenticator, watcher: SessionWatcher) -> None:
        self._token = token
        self._tokens = tokens
        self._watcher = watcher
        self._confirmed_at = self._introspected_at = watcher.now()  # seconds since the epoch

    def is_known_to_be_over(self) -> bool:
        """Return whether the token has expired, or its user was signed out."""
        return self._tokens.is_over(self._token)

    def note_use(self) -> None:
        """Do nothing: no use extends a token."""

    async def save_last_use(self) -> None:
        """Do nothing: no use extends a token."""

    def is_read_due(self) -> bool:
        """Return whether the provider has to be asked again whether the token is active."""
        return self._token.is_introspected and abs(self._watcher.now() - self._introspected_at) >= REPEAT_INTERVAL

    async def reload(self) -> bool:
        """Ask the provider again, and return whether the token is still active.

        Raises:
            StoreUnavailable: the provider could not be asked.
        """
        try:
            is_active = await self._tokens.is_still_active(self._token)
        except ProviderError as error:
            failure = StoreUnavailable(error.code, error.detail)
        else:
            self._introspected_at = self._watcher.now()
            return is_active
        raise failure

    def note_confirmed(self) -> None:
        """Note that the token has just been found active."""
        self._confirmed_at = self._watcher.now()

    def is_unconfirmed_for_long(self) -> bool:
        """Return whether the token has not been found active for too long: an outage must not keep it alive."""
        return abs(self._watcher.now() - self._confirmed_at) > STORE_SILENCE_LIMIT


def watch_of(active: Active, watcher: SessionWatcher) -> SessionWatch | BearerWatch:
    """Return what watches a session or a token."""
    if isinstance(active, ActiveToken):
        if watcher.tokens is None:
            raise OIDCError("unexpected_error", "a token without the setting bearer")
        return BearerWatch(active, watcher.tokens, watcher)
    return SessionWatch(active, watcher)
