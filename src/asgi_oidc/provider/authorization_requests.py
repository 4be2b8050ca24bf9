"""Makes the URL of an authorization request, which is signed, and pushed to the provider first, if need be."""

import secrets
from collections.abc import Callable, Sequence
from math import ceil

import anyio

from asgi_oidc.errors import ProviderUnavailable, ProviderUnsupported
from asgi_oidc.protocol.authorization_details import parameter_of
from asgi_oidc.protocol.authorization_endpoint import Params, account_prompt, authorization_url
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.dpop.make_proof import DPoPKey
from asgi_oidc.protocol.messages import Call
from asgi_oidc.protocol.metadata import ProviderMetadata
from asgi_oidc.protocol.provider_compatibility import LoginPlan
from asgi_oidc.protocol.pushed_authorization import par_call, read_par_answer
from asgi_oidc.protocol.request_object import BESIDE_OBJECT, choose_request_key, sign_request
from asgi_oidc.protocol.step_up import ANOTHER_ACCOUNT, AuthenticationRequest, joined_prompt
from asgi_oidc.provider.call_limit import CallLimit
from asgi_oidc.provider.client_calls import RANDOM_BYTES, ClientCalls
from asgi_oidc.provider.provider_settings import ProviderSettings

# Anyone can start logins, each of which costs a call. So pushed requests have a limit of their own, below that of all
# calls to a provider: a flood of them leaves room for the logins in progress and for refreshes.
MAX_CALLS = 20  # at once
MAX_WAITING = 100  # calls that wait for a slot; further logins do not start
MAX_PAUSE = 15  # seconds without calls after "too many" (429): a provider may ask for longer, but logins have to go on
TOO_MANY = 429  # status
DEADLINE = 10.0  # seconds, the wait for a slot included
MAX_URL_LENGTH = 8000  # characters; Tomcat refuses a request line of more than 8 kB, and others do at about that size


class AuthorizationRequests:
    """Makes the URLs of authorization requests to one provider."""

    __slots__ = ("_calls", "_clock", "_limit", "_resumes_at")

    def __init__(self, calls: ClientCalls, *, clock: Callable[[], float]) -> None:
        self._calls = calls
        self._clock = clock
        self._limit = CallLimit(MAX_CALLS)
        self._resumes_at = 0.0

    async def url(
        self, metadata: ProviderMetadata, plan: LoginPlan, parameters: Params, *, dpop_key: DPoPKey | None = None
    ) -> str:
        """Return the URL to which the browser is sent.

        Args:
            parameters: all parameters of the request.
            dpop_key: the key that the code is bound to; a pushed request proves possession of it (RFC 9449 §10.1).

        Raises:
            ProviderUnavailable: the provider is down or slow, or too many calls are running.
            ProviderUnsupported: the URL of a signed request is too long.
            ProviderError: it refuses the request, or its answer cannot be used.
        """
        if not plan.is_pushed(metadata):
            return self._url_with_request(metadata, plan, parameters)
        request_uri = await self._push(metadata, plan, parameters, dpop_key)
        # The provider ignores all other parameters (RFC 9126 §4).
        return authorization_url(metadata, {"client_id": plan.client.client_id, "request_uri": request_uri})

    def _url_with_request(self, metadata: ProviderMetadata, plan: LoginPlan, parameters: Params) -> str:
        if not plan.is_signed(metadata):
            return authorization_url(metadata, parameters)
        beside = {name: parameters[name] for name in BESIDE_OBJECT if name in parameters}
        url = authorization_url(metadata, {**beside, "request": self._sign(metadata, plan, parameters)})
        if len(url) > MAX_URL_LENGTH:
            detail = f"the URL of the signed request has {len(url)} characters, and servers accept about 8,000"
            raise ProviderUnsupported("request_object_too_long", f"{detail}: set par (OIDC_PAR) to always")
        return url

    def _sign(self, metadata: ProviderMetadata, plan: LoginPlan, parameters: Params) -> str:
        key = choose_request_key(metadata, plan.client, plan.request_object_signing_alg)
        jti, now = secrets.token_urlsafe(RANDOM_BYTES), int(self._clock())
        return sign_request(parameters, key, issuer=metadata.issuer, now=now, jti=jti)

    async def _push(
        self, metadata: ProviderMetadata, plan: LoginPlan, parameters: Params, dpop_key: DPoPKey | None
    ) -> str:
        self._check_limits()

        def make(client: Client) -> Call:
            if not plan.is_signed(metadata):
                return par_call(metadata, client, parameters)
            # The object has all parameters (RFC 9126 §3); each attempt gets one of its own.
            request = self._sign(metadata, plan, parameters)
            return par_call(metadata, client, {"client_id": client.client_id, "request": request})

        try:
            with anyio.fail_after(DEADLINE):
                async with self._limit.hold():
                    self._check_pause()
                    return read_par_answer(await self._calls.send(make, endpoint="par", dpop_key=dpop_key))
        except ProviderUnavailable as error:
            if error.answer_status == TOO_MANY:
                self._resumes_at = self._clock() + min(error.retry_after, MAX_PAUSE)
            raise
        except TimeoutError as exc:
            detail = f"no slot for a call, or no answer, within {DEADLINE:g} s"
            raise ProviderUnavailable("par_timeout", detail) from exc

    def _check_limits(self) -> None:
        """Refuse a call too many: anyone can start logins, and the provider may count them together with refreshes."""
        if self._limit.waiting >= MAX_WAITING:
            raise ProviderUnavailable("par_limit", f"{MAX_WAITING} logins wait for a call already")
        self._check_pause()

    def _check_pause(self) -> None:
        left = self._resumes_at - self._clock()
        if 0 < left <= MAX_PAUSE:  # more is left if the clock was set back
            detail = f"the provider has just had too many pushed requests (status {TOO_MANY})"
            raise ProviderUnavailable("par_limit", detail, retry_after=ceil(left))


def extra_parameters(
    settings: ProviderSettings, authentication: AuthenticationRequest, metadata: ProviderMetadata
) -> dict[str, str | Sequence[str]]:
    """Return the parameters of an authorization request that come from the settings, and from what a login requires."""
    always = settings.authorization_params
    parameters = {**always, **dict(authentication.params), **authentication.parameters}
    if authentication.prompt is not None:
        asked = [
            account_prompt(metadata) if word == ANOTHER_ACCOUNT else word for word in authentication.prompt.split()
        ]
        parameters["prompt"] = joined_prompt(str(always.get("prompt", "")), *asked)
    if authentication.authorization_details:  # those of the settings included
        parameters["authorization_details"] = parameter_of(authentication.authorization_details)
    return parameters
