"""Verifies what an OpenID provider has signed: ID Tokens, access tokens, logout tokens and userinfo."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace

from asgi_oidc.errors import AnswerRejected, TokenRejected
from asgi_oidc.health import HealthCheck
from asgi_oidc.protocol.access_token import check_access_token, user_claims
from asgi_oidc.protocol.authorization_endpoint import AuthorizationResponse
from asgi_oidc.protocol.bearer_token import AccessToken, ExpectedToken, check_bearer_token
from asgi_oidc.protocol.claims import Claims
from asgi_oidc.protocol.hosted_domain import check_hosted_domain, check_hosted_domain_again
from asgi_oidc.protocol.id_token import Expected, ExpectedAgain, check_id_token, check_id_token_again
from asgi_oidc.protocol.introspected_token import check_jwt
from asgi_oidc.protocol.introspection import check_signed_introspection
from asgi_oidc.protocol.jarm import read_signed_response
from asgi_oidc.protocol.jose import SharedSecret, Verified, read_shared_secret
from asgi_oidc.protocol.jose_decryption import is_encrypted, signed_token_in
from asgi_oidc.protocol.logout_token import Logout, read_logout_token
from asgi_oidc.protocol.messages import Answer
from asgi_oidc.protocol.metadata import ProviderMetadata
from asgi_oidc.protocol.response_algorithms import ResponseAlgorithms
from asgi_oidc.protocol.token_endpoint import RefreshAnswer, TokenAnswer
from asgi_oidc.protocol.userinfo import check_signed_userinfo, read_userinfo_answer, signed_userinfo
from asgi_oidc.provider.accepted_algorithms import AcceptedAlgorithms
from asgi_oidc.provider.call_budget import Budget
from asgi_oidc.provider.connection import FirstTokens, RequestedLogin
from asgi_oidc.provider.http import Http
from asgi_oidc.provider.jwks import BURST, COOL_DOWN, KeyCache
from asgi_oidc.provider.provider_settings import ProviderSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What the app expects of each of its providers.

    Attributes:
        leeway: seconds of clock skew allowed.
        named_claims: the claims that rules require; for each, the names under which it may be found.
    """

    leeway: int
    named_claims: Sequence[Collection[str]] = ()


class TokenVerifier:
    """Verifies the tokens of one provider, and checks their claims."""

    __slots__ = (
        "_algorithms",
        "_bearer_budget",
        "_clock",
        "_exceptions",
        "_expectations",
        "_keys",
        "_logout_budget",
        "_metadata",
        "_response_budget",
        "_settings",
    )

    def __init__(
        self,
        settings: ProviderSettings,
        expectations: Expectations,
        *,
        http: Http,
        metadata: Callable[[], Awaitable[ProviderMetadata]],
        clock: Callable[[], float],
    ) -> None:
        """Prepare; keys are fetched when they are first needed.

        Args:
            metadata: returns the provider's metadata, or raises `ProviderError`.
        """
        self._settings = settings
        self._exceptions = settings.exceptions
        self._expectations = expectations
        self._metadata = metadata
        self._clock = clock
        self._keys = KeyCache(
            http,
            jwks_uri=self._jwks_uri,
            clock=clock,
            honours_key_issuer=settings.entra is not None,
            shared_secret=_shared_secret(settings),
            provider=settings.name,
            issuer=settings.issuer,
        )
        self._algorithms = AcceptedAlgorithms(settings, metadata)
        self._logout_budget = Budget(burst=BURST, interval=COOL_DOWN)
        self._bearer_budget = Budget(burst=BURST, interval=COOL_DOWN)
        self._response_budget = Budget(burst=BURST, interval=COOL_DOWN)

    async def fetch_keys_if_due(self) -> None:
        """Fetch the keys, and the metadata that says where they are, unless they are cached.

        Raises:
            ProviderError: they cannot be fetched, and nothing usable is cached.
        """
        await self._keys.fetch_if_due()

    def keys_check(self) -> HealthCheck:
        """Return the state of the keys."""
        return self._keys.check()

    def replace_settings(self, settings: ProviderSettings) -> None:
        """Accept tokens that are signed with another client secret, if they may be."""
        self._settings = settings
        self._keys.shared_secret = _shared_secret(settings)

    async def id_token_claims(self, tokens: TokenAnswer, requested: RequestedLogin) -> dict[str, object]:
        """Verify signature and claims of the ID Token; return its claims.

        Raises:
            TokenRejected: it fails a check.
            ProviderError: no keys are cached, and they cannot be fetched.
        """
        expected = Expected(
            issuer=self._settings.issuers,
            client_id=self._settings.client.client_id,
            nonce=requested.nonce,
            access_token=tokens.access_token,
            trusted_audiences=self._settings.trusted_audiences,
            max_age=requested.max_age,
            acr_values=requested.acr_values,
            requires_nonce=not self._exceptions.allow_missing_nonce,
            trusts_azp=self._exceptions.allow_azp_audiences,
        )
        verified = await self._keys.verify(tokens.id_token, await self._algorithms.of_id_tokens())
        check_id_token(verified, expected, now=int(self._clock()), leeway=self._expectations.leeway)
        check_hosted_domain(verified.claims, self._settings.hosted_domains)
        self._algorithms.remember(verified)
        return self._checked(verified.claims)

    async def authorization_response(self, token: str, *, fetches_keys: bool) -> AuthorizationResponse:
        """Verify signature and claims of a signed authorization response. Errors as in `id_token_claims`.

        Anyone with a login in progress can send such a response, so forged ones use up no fetches of ID Tokens.

        Args:
            fetches_keys: False if only keys are used that are cached.
        """
        verified = await self._keys.verify(
            self._signed(token, self._settings.pinned.authorization),
            await self._algorithms.of_authorization_responses(),
            budget=self._response_budget,
            fetches=fetches_keys,
        )
        return read_signed_response(
            verified,
            issuer=self._settings.issuers,
            client_id=self._settings.client.client_id,
            trusted_audiences=self._settings.trusted_audiences,
            now=int(self._clock()),
            leeway=self._expectations.leeway,
        )

    def signed_id_token(self, token: str) -> str:
        """Return the signed JWT that an ID Token is, or that is encrypted in it; nothing is verified yet.

        Raises:
            TokenRejected: it cannot be decrypted, or is not encrypted although it has to be.
        """
        return self._signed(token, self._settings.pinned.id_token)

    async def refreshed_claims(self, answer: RefreshAnswer, first: FirstTokens) -> dict[str, object]:
        """Verify the ID Token of a refresh and return its claims, none if it has no ID Token (OIDC Core §12.2).

        Errors as in `id_token_claims`.
        """
        if answer.id_token is None:
            return {}
        expected = ExpectedAgain(
            issuer=first.issuer,
            sub=first.sub,
            first=first.claims,
            client_id=self._settings.client.client_id,
            access_token=answer.access_token,
            trusted_audiences=self._settings.trusted_audiences,
            trusts_azp=self._exceptions.allow_azp_audiences,
        )
        verified = await self._keys.verify(answer.id_token, await self._algorithms.of_id_tokens())
        check_id_token_again(verified, expected, now=int(self._clock()), leeway=self._expectations.leeway)
        check_hosted_domain_again(verified.claims, self._settings.hosted_domains)
        self._algorithms.remember(verified)
        return self._checked(verified.claims)

    async def check_logout_token(self, token: str) -> Logout:
        """Verify signature and claims of a logout token; return what it signs out. Errors as in `id_token_claims`."""
        # Back-Channel Logout 1.0 §2.4: a provider may encrypt it, and need not do so even if it encrypts ID Tokens.
        signed = self._signed(token, self._settings.pinned.id_token) if is_encrypted(token) else token
        verified = await self._keys.verify(
            signed, await self._algorithms.of_logout_tokens(), budget=self._logout_budget
        )
        return read_logout_token(
            verified,
            issuer=self._settings.issuers,
            client_id=self._settings.client.client_id,
            trusted_audiences=self._settings.trusted_audiences,
            now=int(self._clock()),
            leeway=self._expectations.leeway,
            trusts_azp=self._exceptions.allow_azp_audiences,
        )

    async def check_bearer_token(self, token: str, expected: ExpectedToken) -> AccessToken:
        """Verify signature and claims of a JWT that a request has sent. Errors as in `id_token_claims`.

        Anyone can send such a request, so forged tokens use up neither the fetches of sign-ins nor those of logouts.
        """
        verified = await self._keys.verify(token, self._algorithms.of_access_tokens, budget=self._bearer_budget)
        accepted = check_bearer_token(
            verified,
            expected,
            issuer=self._settings.issuers,
            client_id=self._settings.client.client_id,
            now=int(self._clock()),
            leeway=self._expectations.leeway,
        )
        return self.completed(accepted)

    def completed(self, token: AccessToken) -> AccessToken:
        """Return an access token with `email_verified` by the rules of Entra; refuse users who may not sign in either.

        Raises:
            TokenRejected: `claim_hd` or `claim_tid`.
        """
        check_hosted_domain(token.claims, self._settings.hosted_domains)
        return token if self._settings.entra is None else replace(token, claims=self._checked(token.claims))

    async def verify_for_introspection(self, token: str, expected: ExpectedToken) -> Verified:
        """Verify a JWT about which the provider is asked next. Errors as in `id_token_claims`."""
        verified = await self._keys.verify(token, self._algorithms.of_access_tokens, budget=self._bearer_budget)
        check_jwt(
            verified,
            expected,
            issuer=self._settings.issuers,
            now=int(self._clock()),
            leeway=self._expectations.leeway,
        )
        return verified

    async def introspection_members(self, token: str) -> Claims:
        """Verify a signed introspection answer and return its members. Errors as in `id_token_claims`."""
        signed = self._signed(token, self._settings.pinned.introspection)
        verified = await self._keys.verify(signed, self._algorithms.of_introspection(), budget=self._bearer_budget)
        return check_signed_introspection(
            verified,
            issuer=self._settings.issuers,
            client_id=self._settings.client.client_id,
            now=int(self._clock()),
            leeway=self._expectations.leeway,
        )

    async def access_token_claims(self, token: str, *, issuer: str, sub: str) -> dict[str, object] | None:
        """Verify an access token and return its claims about the user; None if `claims_from_access_token` is off.

        Args:
            issuer: the `iss` of the login's ID Token.
            sub: its `sub`.

        Raises:
            TokenRejected: it is not a JWT, or fails a check.
            ProviderError: no keys are cached, and they cannot be fetched.
        """
        if not self._settings.claims_from_access_token:
            return None
        try:
            verified = await self._keys.verify(token, self._settings.algorithms)
            check_access_token(
                verified,
                issuer=issuer,
                sub=sub,
                client_id=self._settings.client.client_id,
                now=int(self._clock()),
                leeway=self._expectations.leeway,
            )
            return user_claims(self._checked(verified.claims))
        except TokenRejected as error:
            reason = "it is opaque, or not a signed JWT" if error.code == "token_malformed" else error.detail
            raise TokenRejected(error.code, f"claims_from_access_token cannot use the access token: {reason}") from None

    async def read_userinfo(self, answer: Answer, *, issuer: str) -> Claims:
        """Read the claims of a userinfo answer, plain or signed; which user they are about is not checked yet.

        Args:
            issuer: the `iss` of the login's ID Token.

        Raises:
            TokenRejected: the answer is signed, and fails a check.
            ProviderError: the status is not 200, or it is unusable.
        """
        token = signed_userinfo(answer)
        if token is not None:
            return await self._userinfo_claims(token, issuer=issuer)
        if self._settings.pinned.userinfo.requires_jwt:
            raise AnswerRejected("userinfo_unsigned", "expected a JWT, as the settings say, got plain JSON")
        return read_userinfo_answer(answer)

    async def _userinfo_claims(self, token: str, *, issuer: str) -> Claims:
        """Verify userinfo that is a signed JWT and return its claims. Errors as in `id_token_claims`."""
        signed = self._signed(token, self._settings.pinned.userinfo)
        verified = await self._keys.verify(signed, self._algorithms.of_userinfo())
        check_signed_userinfo(
            verified,
            issuer=issuer,
            client_id=self._settings.client.client_id,
            now=int(self._clock()),
            leeway=self._expectations.leeway,
        )
        return verified.claims

    def _signed(self, token: str, expected: ResponseAlgorithms) -> str:
        return signed_token_in(token, self._settings.decryption_keys, expected)

    def _checked(self, claims: dict[str, object]) -> dict[str, object]:
        """Return the claims of a verified token; those of Entra with `email_verified`, by rules of their own."""
        return claims if self._settings.entra is None else self._settings.entra.checked(claims)

    async def _jwks_uri(self) -> str:
        return (await self._metadata()).jwks_uri


def _shared_secret(settings: ProviderSettings) -> SharedSecret | None:
    if not settings.exceptions.allow_hs256 or settings.client.secret is None:
        return None
    return read_shared_secret(settings.client.secret)
