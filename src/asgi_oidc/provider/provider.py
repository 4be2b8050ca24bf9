"""The provider as the rest of the library sees it: its metadata, a code for tokens, who a user is."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from asgi_oidc import events
from asgi_oidc.errors import AnswerRejected, ProviderError, ProviderUnsupported, TokenRejected
from asgi_oidc.protocol.access_token import check_access_token, user_claims
from asgi_oidc.protocol.claims import Claims
from asgi_oidc.protocol.client import Client
from asgi_oidc.protocol.compatibility import LoginPlan, find_incompatibilities
from asgi_oidc.protocol.id_token import Expected, ExpectedAgain, check_id_token, check_id_token_again
from asgi_oidc.protocol.jose import EDDSA_NAMES, Verified
from asgi_oidc.protocol.logout_token import Logout, read_logout_token
from asgi_oidc.protocol.messages import Answer, check_status
from asgi_oidc.protocol.metadata import ProviderMetadata
from asgi_oidc.protocol.token_endpoint import (
    RefreshAnswer,
    TokenAnswer,
    UnusableTokens,
    read_refresh_answer,
    read_token_answer,
    refresh_call,
    token_call,
)
from asgi_oidc.protocol.token_exchange import ExchangeTarget, exchange_call
from asgi_oidc.protocol.token_revocation import check_revocation_answer, revocation_call
from asgi_oidc.protocol.userinfo import (
    check_signed_userinfo,
    lacks_claims,
    merge_userinfo,
    read_userinfo_answer,
    signed_userinfo,
    userinfo_call,
)
from asgi_oidc.provider.call_budget import Budget
from asgi_oidc.provider.discovery import Discovery
from asgi_oidc.provider.http import Http
from asgi_oidc.provider.jwks import BURST, COOL_DOWN, KeyCache


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """The part of the settings that is about the provider.

    Attributes:
        named_claims: those that rules ask for; each with the names under which it may stand.
    """

    issuer: str
    client: Client
    metadata: Mapping[str, object]
    algorithms: Collection[str]
    algorithms_named: bool
    trusted_audiences: Collection[str]
    userinfo: str
    leeway: int
    named_claims: Sequence[Collection[str]] = ()
    claims_from_access_token: bool = False


class Provider:
    """One issuer, and what we know of it."""

    def __init__(self, settings: ProviderSettings, http: Http, clock: Callable[[], float]) -> None:
        self.http = http
        self._settings = settings
        self._clock = clock
        self._discovery = Discovery(http, issuer=settings.issuer, by_hand=settings.metadata, clock=clock)
        self._keys = KeyCache(http, jwks_uri=self._jwks_uri, clock=clock)
        self._id_token_algorithms: set[str] = set()  # of those that were good; all are among ours
        self._rotates = True  # refresh tokens, until it is seen that it does not
        self._logout_budget = Budget(burst=BURST, interval=COOL_DOWN)

    async def metadata(self) -> ProviderMetadata:
        """Return the metadata.

        Raises:
            ProviderError: there is none yet, and the provider gives none.
        """
        return await self._discovery.metadata()

    async def metadata_for_login(self, *, response_mode: str | None) -> ProviderMetadata:
        """Return the metadata, unless it rules out every login.

        Raises:
            ProviderUnsupported: it does not, and says why.
            ProviderError: as in `metadata`.
        """
        metadata, settings = await self.metadata(), self._settings
        algorithms = None if settings.algorithms_named else settings.algorithms
        obstacles = find_incompatibilities(metadata, LoginPlan(settings.client, response_mode, algorithms))
        if obstacles:
            texts = "; ".join(obstacle.text for obstacle in obstacles)
            raise ProviderUnsupported(obstacles[0].code, f"metadata of {settings.issuer}: {texts}")
        return metadata

    async def exchange_code(self, code: str, *, code_verifier: str) -> TokenAnswer:
        """Change a code into tokens, none of them checked yet.

        Raises:
            ProviderError: the provider refuses, or is down.
        """
        metadata = await self.metadata()
        call = token_call(metadata, self._settings.client, code=code, code_verifier=code_verifier)
        return read_token_answer(await self.http.send(call, what="token"))

    async def refresh(self, refresh_token: str, *, resource: str | None = None) -> RefreshAnswer:
        """Use a refresh token; nothing of the answer is checked yet.

        Raises:
            ProviderError: the provider refuses, or is down.
        """
        metadata = await self.metadata()
        call = refresh_call(metadata, self._settings.client, refresh_token, resource=resource)
        answer = read_refresh_answer(await self.http.send(call, what="token"))
        self._rotates = answer.refresh_token not in (None, refresh_token)
        return answer

    def left_after(self, error: ProviderError, refresh_token: str) -> str | None:
        """Return the refresh token that is left after a failed refresh, None if there is none.

        One that may be spent must not be sent again: the provider would take us for a thief, and end the grant for all
        (RFC 9700 §4.14.2). A call without an answer proves nothing: most of these were never processed, and providers
        that rotate take a token a second time for a moment, for clients whose network fails.
        """
        if isinstance(error, UnusableTokens):
            return error.refresh_token if error.is_old_spent else refresh_token
        return None if error.was_processed and self._rotates else refresh_token

    async def exchange_token(self, subject_token: str, wanted: ExchangeTarget) -> RefreshAnswer:
        """Change an access token into one for another API (RFC 8693).

        Raises:
            ProviderError: the provider refuses, or is down.
        """
        metadata = await self.metadata()
        call = exchange_call(metadata, self._settings.client, subject_token, wanted)
        return read_refresh_answer(await self.http.send(call, what="token"))

    async def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token, where the provider knows how (RFC 7009).

        Raises:
            ProviderError: the provider refuses, or is down.
        """
        metadata = await self.metadata()
        call = revocation_call(metadata, self._settings.client, refresh_token)
        if call is not None:
            check_revocation_answer(await self.http.send(call, what="revocation"))

    async def check_id_token_again(self, token: str, expected: ExpectedAgain) -> dict[str, object]:
        """Verify the ID Token of a refresh whole, and return its claims; errors as in `check_id_token`."""
        verified = await self._keys.verify(token, await self._algorithms())
        check_id_token_again(verified, expected, now=int(self._clock()), leeway=self._settings.leeway)
        self._remember_algorithm(verified)
        return verified.claims

    async def check_id_token(self, token: str, expected: Expected) -> dict[str, object]:
        """Verify an ID Token whole, and return its claims.

        Raises:
            TokenRejected: it fails a check.
            ProviderError: we have no keys, and the provider gives none.
        """
        verified = await self._keys.verify(token, await self._algorithms())
        check_id_token(verified, expected, now=int(self._clock()), leeway=self._settings.leeway)
        self._remember_algorithm(verified)
        return verified.claims

    async def check_logout_token(self, token: str) -> Logout:
        """Verify a logout token whole, and say whom it signs out; errors as in `check_id_token`."""
        verified = await self._keys.verify(token, await self._logout_algorithms(), budget=self._logout_budget)
        return read_logout_token(
            verified,
            issuer=self._settings.issuer,
            client_id=self._settings.client.client_id,
            trusted_audiences=self._settings.trusted_audiences,
            now=int(self._clock()),
            leeway=self._settings.leeway,
        )

    async def access_token_claims(self, token: str, *, sub: str) -> dict[str, object]:
        """Verify an access token and return its claims about the user; none if `claims_from_access_token` is off.

        Args:
            sub: of the ID Token of the login.

        Raises:
            TokenRejected: it is no JWT, or fails a check.
            ProviderError: we have no keys, and the provider gives none.
        """
        if not self._settings.claims_from_access_token:
            return {}
        try:
            verified = await self._keys.verify(token, self._settings.algorithms)
            check_access_token(
                verified,
                issuer=self._settings.issuer,
                sub=sub,
                client_id=self._settings.client.client_id,
                now=int(self._clock()),
                leeway=self._settings.leeway,
            )
        except TokenRejected as error:
            why = "it is opaque, or no JWT" if error.code == "token_malformed" else error.detail
            raise TokenRejected(error.code, f"claims_from_access_token cannot use the access token: {why}") from None
        return user_claims(verified.claims)

    async def complete_claims(
        self, claims: Claims, tokens: TokenAnswer, *, scope: str, others: Collection[str] = ()
    ) -> dict[str, object]:
        """Add the claims of userinfo if the settings, the scopes or the rules ask for them.

        Args:
            others: names of claims that the access token has: rules need not ask for them.

        Raises:
            TokenRejected: userinfo speaks of somebody else.
            ProviderError: userinfo was needed, and gave no usable answer.
        """
        endpoint = (await self.metadata()).userinfo_endpoint
        wanted, is_auto = self._settings.userinfo, self._settings.userinfo == "auto"
        named = [names for names in self._settings.named_claims if not any(name in others for name in names)]
        lacks = lacks_claims(scope, claims, named=named)
        if wanted == "never" or (is_auto and (endpoint is None or not lacks)):
            return dict(claims)
        if endpoint is None:
            raise AnswerRejected("userinfo_unsupported", "the metadata names no userinfo_endpoint")
        answer = await self.http.send(userinfo_call(endpoint, tokens.access_token), what="userinfo")
        if is_auto and answer.status in (401, 403):
            _log_refusal(answer)
            return dict(claims)
        token = signed_userinfo(answer)
        userinfo = read_userinfo_answer(answer) if token is None else await self._verified_userinfo(token)
        return merge_userinfo(claims, userinfo)

    async def _verified_userinfo(self, token: str) -> Claims:
        verified = await self._keys.verify(token, self._settings.algorithms)
        check_signed_userinfo(
            verified,
            issuer=self._settings.issuer,
            client_id=self._settings.client.client_id,
            now=int(self._clock()),
            leeway=self._settings.leeway,
        )
        return verified.claims

    def _remember_algorithm(self, id_token: Verified) -> None:
        self._id_token_algorithms |= EDDSA_NAMES if id_token.alg in EDDSA_NAMES else {id_token.alg}

    async def _logout_algorithms(self) -> Collection[str]:
        """Those that ID Tokens of this client are signed with (Back-Channel Logout 1.0 §2.6).

        As long as none has come, nobody can tell, and all that an ID Token may have are fine: a sign-out is not lost
        because the process was started a moment ago. Named ones are taken by their word.
        """
        allowed = await self._algorithms()
        if self._settings.algorithms_named:
            return allowed
        return [alg for alg in allowed if alg in self._id_token_algorithms] or allowed

    async def _algorithms(self) -> Collection[str]:
        """The default algorithms are narrowed to those of the metadata; named ones are taken by their word."""
        ours = self._settings.algorithms
        theirs = (await self.metadata()).id_token_signing_alg_values_supported
        if self._settings.algorithms_named or not theirs:
            return ours
        return [alg for alg in ours if alg in theirs]

    async def _jwks_uri(self) -> str:
        return (await self.metadata()).jwks_uri


def _log_refusal(answer: Answer) -> None:
    """Log why userinfo was refused: often the access token is for another API (`resource`, `audience`)."""
    try:
        check_status(answer, what="userinfo")
    except ProviderError as error:
        events.log(events.USERINFO_REFUSED, detail=error.detail, fallback="the claims of the ID Token")
