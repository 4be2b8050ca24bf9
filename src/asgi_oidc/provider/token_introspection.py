"""Asks one provider about access tokens, and checks its answers (RFC 7662, RFC 9701)."""

from collections.abc import Awaitable, Callable

from asgi_oidc.errors import AnswerRejected, ProviderRefused, TokenRejected
from asgi_oidc.protocol.bearer_token import AccessToken, ExpectedToken, claimed_issuer
from asgi_oidc.protocol.claims import Claims
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.introspected_token import check_introspection
from asgi_oidc.protocol.introspection import introspection_call, read_introspection_answer, signed_introspection
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.protocol.metadata import ProviderMetadata
from asgi_oidc.provider.client_calls import ClientCalls
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.provider.token_verifier import TokenVerifier


class TokenIntrospection:
    """Makes the calls with the credentials of the client, as at the token endpoint."""

    __slots__ = ("_calls", "_clock", "_leeway", "_metadata", "_settings", "_tokens")

    def __init__(
        self,
        settings: ProviderSettings,
        tokens: TokenVerifier,
        calls: ClientCalls,
        *,
        metadata: Callable[[], Awaitable[ProviderMetadata]],
        clock: Callable[[], float],
        leeway: int,
    ) -> None:
        """Prepare.

        Args:
            tokens: verifies signatures.
            calls: makes the calls.
            metadata: returns the provider's metadata, or raises `ProviderError`.
            leeway: seconds of clock skew allowed.
        """
        self._settings = settings
        self._tokens = tokens
        self._calls = calls
        self._metadata = metadata
        self._clock = clock
        self._leeway = leeway

    async def introspect(self, token: str, expected: ExpectedToken) -> AccessToken:
        """Ask about a token; one that is a JWT is verified first, so that a forged one costs no call.

        Raises:
            TokenRejected: it is not active or fails a check; `introspection_unsupported` if the provider cannot be
                asked.
            ProviderUnavailable: the provider is down, slow or overloaded.
            ProviderError: it refuses, or its answer cannot be used.
        """
        jwt = None
        if claimed_issuer(token) is not None:
            jwt = await self._tokens.verify_for_introspection(token, expected)
        answer = await self._ask_about(token, await self._metadata())
        if answer is None:
            detail = (
                "the token is opaque, and there is no introspection_endpoint, or no client_secret or client_key for it"
            )
            raise TokenRejected("introspection_unsupported", detail)
        accepted = check_introspection(
            await self._members(answer),
            expected,
            issuer=self._settings.issuers,
            client_id=self._settings.client.client_id,
            now=int(self._clock()),
            leeway=self._leeway,
            jwt=jwt,
        )
        return self._tokens.completed(accepted)

    async def confirms(self, token: str) -> bool:
        """Return whether the provider says that an access token of this client is active; False if it does not say.

        Its `sub` is not compared: the token is ours, and at some providers (Okta), it is another one than that of the
        ID Token.

        Raises:
            TokenRejected: `session_over`: it is not active.
            ProviderUnavailable: the provider is down, slow or overloaded.
            ProviderError: the metadata cannot be fetched.
        """
        metadata = await self._metadata()
        try:
            answer = await self._ask_about(token, metadata)
            if answer is None:
                return False
            members = await self._members(answer)
        except (AnswerRejected, ProviderRefused):  # many providers let only APIs ask
            return False
        if members.get("active") is False:
            raise TokenRejected("session_over", "the provider says that the access token is not active any more")
        return members.get("active") is True

    async def _ask_about(self, token: str, metadata: ProviderMetadata) -> Answer | None:
        """Return the answer of the provider; None if it cannot be asked."""

        def make(client: Client) -> Call | None:
            requires_jwt = self._settings.pinned.introspection.requires_jwt
            return introspection_call(metadata, client, token, requires_jwt=requires_jwt)

        return await self._calls.send_if_supported(make, endpoint="introspection")

    async def _members(self, answer: Answer) -> Claims:
        signed = signed_introspection(answer)
        if signed is None:
            if self._settings.pinned.introspection.requires_jwt:
                detail = "expected a JWT, as the settings say, got plain JSON"
                raise AnswerRejected("introspection_unsigned", detail, answer_status=answer.status)
            return read_introspection_answer(answer)
        try:
            return await self._tokens.introspection_members(signed)
        except TokenRejected as error:  # it says nothing about the token that was asked about
            raise AnswerRejected("introspection_jwt", f"{error.code}: {error.detail}", answer_status=200) from None
