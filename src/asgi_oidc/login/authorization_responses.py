"""Reads the authorization response that a browser brings, plain or signed (OIDC Core §3.1.2.5, RFC 9207, JARM)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asgi_oidc.errors import ProviderError, ProviderRefused, RequestRejected, TokenRejected
from asgi_oidc.login.login_transactions import Transaction, Transactions
from asgi_oidc.protocol.authorization_endpoint import AuthorizationResponse, read_authorization_response
from asgi_oidc.protocol.jarm import signed_response
from asgi_oidc.protocol.oauth_error import OAuthError, make_oauth_error
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.request_body import read_form_body
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request, read_form

FORGEABLE = "(sent by the browser, so it may be forged)"


@dataclass(frozen=True, slots=True)
class AuthorizationResponses:
    """Reads responses, and checks that each is what its login has requested."""

    transactions: Transactions
    now: Callable[[], int]

    async def read(self, request: Request, receive: Receive, provider: ProviderConnection) -> AuthorizationResponse:
        """Read the response; of one that is a JWT, nothing is read before it is verified.

        Raises:
            RequestRejected: it is malformed, or a JWT that fails a check.
            ProviderError: it is a JWT, and the metadata or the keys cannot be fetched.
        """
        parameters = await _parameters(request, receive)
        token = signed_response(parameters)
        if token is None:
            return read_authorization_response(parameters)
        return await self._verified(token, request, provider)

    def check_form(self, answer: AuthorizationResponse, transaction: Transaction, provider: ProviderConnection) -> None:
        """Refuse a plain response to a login that has requested a signed one, and the reverse.

        Raises:
            RequestRejected: `response_unsigned` or `response_mode`; `transaction_missing` if the login has requested
                less than a security profile demands, because another process has started it without the profile.
        """
        _check_profile(transaction, provider)
        if answer.is_signed and not transaction.signed_response:
            raise _unexpected_jwt()
        if transaction.signed_response and not answer.is_signed:
            error = "" if answer.error is None else f" with the error {_shown(answer, transaction)} {FORGEABLE}"
            raise RequestRejected("response_unsigned", f"expected a JWT, as requested, got a plain response{error}")

    async def check(
        self, request: Request, answer: AuthorizationResponse, transaction: Transaction, provider: ProviderConnection
    ) -> str:
        """Return the code of a valid response.

        Raises:
            ProviderRefused: the response is an error.
            RequestRejected: the response is invalid.
        """
        # Errors are exempt: some providers send them by the wrong method, and users should still see what went wrong.
        # For the same reason, `check_response` accepts an error without iss.
        if answer.error is None and (request.method == "POST") != transaction.form_post:
            raise RequestRejected("response_mode", "expected a POST for response_mode form_post, and a GET otherwise")
        if not answer.is_signed:  # the `iss` of a signed one was compared when it was verified
            await provider.check_response(answer)
        if answer.error is not None:
            raise _provider_refused(answer, transaction)
        if not answer.code:
            raise RequestRejected("code_missing", "the response contains neither code nor error")
        return answer.code

    async def _verified(self, token: str, request: Request, provider: ProviderConnection) -> AuthorizationResponse:
        """Verify a response; forged ones must not make this app call the provider at will."""
        label = provider.settings.label
        logins = self.transactions.in_progress(request.cookies, provider=label, now=self.now())
        if not logins:
            return await _late_response(token, provider)
        if not any(login.signed_response for login in logins):
            raise _unexpected_jwt()
        try:
            return await provider.verify_response(token)
        except TokenRejected as error:
            raise RequestRejected(error.code, f"the authorization response: {error.detail} {FORGEABLE}") from None


def _check_profile(transaction: Transaction, provider: ProviderConnection) -> None:
    settings = provider.settings
    if settings.profile is None:
        return
    is_unbound = settings.dpop == "always" and not transaction.dpop_key
    if is_unbound or (settings.signed_response and not transaction.signed_response):
        detail = f"the login has requested less than profile={settings.profile!r} demands: it was started without that"
        raise RequestRejected("transaction_missing", detail)


async def _late_response(token: str, provider: ProviderConnection) -> AuthorizationResponse:
    """Read a response to no login in progress, whose `state` tells whether another login may start, if that is cheap.

    Anyone can send such a response, so no keys are fetched for it.
    """
    if provider.settings.signed_response:
        try:
            return await provider.verify_response(token, fetches_keys=False)
        except (TokenRejected, ProviderError):
            pass
    return AuthorizationResponse(None)


async def _parameters(request: Request, receive: Receive) -> Sequence[tuple[str, str]]:
    if request.method == "POST":
        return read_form(await read_form_body(request, receive))
    return request.parameters()


def _unexpected_jwt() -> RequestRejected:
    return RequestRejected("response_mode", "expected a plain response, as requested, got one that is a JWT")


def _provider_refused(answer: AuthorizationResponse, transaction: Transaction) -> ProviderRefused:
    error = _shown(answer, transaction)
    # The detail is logged: readers of the log should know that anyone can send such an error.
    return ProviderRefused(error.error, str(error) if answer.is_signed else f"{error} {FORGEABLE}")


def _shown(answer: AuthorizationResponse, transaction: Transaction) -> OAuthError:
    """Return the error for the log, without secrets."""
    members = {"error": answer.error, "error_description": answer.error_description}
    secrets = (transaction.state, transaction.nonce, transaction.code_verifier, answer.code or "")
    return make_oauth_error(members, secrets)
