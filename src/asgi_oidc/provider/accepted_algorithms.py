"""Which signature algorithms the tokens of one provider may have (RFC 8725 §3.1)."""

from collections.abc import Awaitable, Callable, Collection

from asgi_oidc.protocol.jose import Verified
from asgi_oidc.protocol.metadata import ProviderMetadata, texts_of
from asgi_oidc.protocol.signature_algorithms import EDDSA_NAMES, KEY_OF_ALGORITHM
from asgi_oidc.provider.provider_settings import ProviderSettings


class AcceptedAlgorithms:
    """The accepted algorithms: the pinned one, those of the setting, or those defaults that the metadata lists."""

    __slots__ = ("_metadata", "_seen", "_settings", "of_access_tokens")

    of_access_tokens: Collection[str]

    def __init__(self, settings: ProviderSettings, metadata: Callable[[], Awaitable[ProviderMetadata]]) -> None:
        """Prepare.

        Args:
            metadata: returns the provider's metadata, or raises `ProviderError`.
        """
        self._settings = settings
        self._metadata = metadata
        self._seen: set[str] = set()  # of valid ID Tokens so far; a subset of those we accept
        # An access token is for many parties, so it is never signed with a secret of one of them (RFC 9068 §2.1).
        self.of_access_tokens = tuple(alg for alg in settings.algorithms if alg in KEY_OF_ALGORITHM)

    def remember(self, id_token: Verified) -> None:
        """Remember the algorithm of a valid ID Token."""
        self._seen |= EDDSA_NAMES if id_token.alg in EDDSA_NAMES else {id_token.alg}

    async def of_id_tokens(self) -> Collection[str]:
        """Return the algorithms for ID Tokens."""
        if (pinned := self._settings.pinned.id_token.signed) is not None:
            return (pinned,)
        return self._supported((await self._metadata()).id_token_signing_alg_values_supported)

    async def of_logout_tokens(self) -> Collection[str]:
        """Return the algorithms for logout tokens: those of this client's ID Tokens (Back-Channel Logout 1.0 §2.6).

        If the setting `algorithms` names some, it is those. Otherwise it is those that ID Tokens had so far; before the
        first ID Token, all that one may have are accepted, so that a logout shortly after a restart is not lost.
        """
        allowed = await self.of_id_tokens()
        if self._settings.algorithms_named:
            return allowed
        return [alg for alg in allowed if alg in self._seen] or allowed

    async def of_authorization_responses(self) -> Collection[str]:
        """Return the algorithms for signed authorization responses (JARM §4)."""
        if (pinned := self._settings.pinned.authorization.signed) is not None:
            return (pinned,)
        return self._supported(texts_of((await self._metadata()).authorization_signing_alg_values_supported))

    def of_userinfo(self) -> Collection[str]:
        """Return the algorithms for signed userinfo."""
        pinned = self._settings.pinned.userinfo.signed
        return self._settings.algorithms if pinned is None else (pinned,)

    def of_introspection(self) -> Collection[str]:
        """Return the algorithms for signed introspection answers."""
        pinned = self._settings.pinned.introspection.signed
        return self.of_access_tokens if pinned is None else (pinned,)

    def _supported(self, supported: Collection[str] | None) -> Collection[str]:
        accepted = self._settings.algorithms
        if self._settings.algorithms_named or not supported:
            return accepted
        return [alg for alg in accepted if alg in supported]
