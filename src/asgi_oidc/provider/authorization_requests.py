"""Makes the URL of an authorization request, for which the request is pushed to the provider first if need be."""

from collections.abc import Sequence

import anyio

from asgi_oidc.errors import ProviderUnavailable
from asgi_oidc.protocol.authorization_details import parameter_of
from asgi_oidc.protocol.authorization_endpoint import Params, account_prompt, authorization_url
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.dpop.make_proof import DPoPKey
from asgi_oidc.protocol.messages import Call
from asgi_oidc.protocol.metadata import ProviderMetadata
from asgi_oidc.protocol.provider_compatibility import LoginPlan
from asgi_oidc.protocol.pushed_authorization import par_call, read_par_answer
from asgi_oidc.protocol.step_up import ANOTHER_ACCOUNT, AuthenticationRequest, joined_prompt
from asgi_oidc.provider.call_limit import CallLimit
from asgi_oidc.provider.client_calls import ClientCalls
from asgi_oidc.provider.provider_settings import ProviderSettings

# Anyone can start logins, each of which costs a call. So pushed requests have a limit of their own, below that of all
# calls to a provider: a flood of them leaves room for the logins in progress and for refreshes.
MAX_CALLS = 20  # at once
MAX_WAITING = 100  # calls that wait for a slot; further logins do not start
DEADLINE = 10.0  # seconds, the wait for a slot included


class AuthorizationRequests:
    """Makes the URLs of authorization requests to one provider."""

    __slots__ = ("_calls", "_limit")

    def __init__(self, calls: ClientCalls) -> None:
        self._calls = calls
        self._limit = CallLimit(MAX_CALLS)

    async def url(
        self, metadata: ProviderMetadata, plan: LoginPlan, parameters: Params, *, dpop_key: DPoPKey | None = None
    ) -> str:
        """Return the URL to which the browser is sent.

        Args:
            parameters: all parameters of the request.
            dpop_key: the key that the code is bound to; a pushed request proves possession of it (RFC 9449 §10.1).

        Raises:
            ProviderUnavailable: the provider is down or slow, or too many calls are running.
            ProviderError: it refuses the request, or its answer cannot be used.
        """
        if not plan.is_pushed(metadata):
            return authorization_url(metadata, parameters)
        request_uri = await self._push(metadata, parameters, dpop_key)
        # The provider ignores all other parameters (RFC 9126 §4).
        return authorization_url(metadata, {"client_id": plan.client.client_id, "request_uri": request_uri})

    async def _push(self, metadata: ProviderMetadata, parameters: Params, dpop_key: DPoPKey | None) -> str:
        if self._limit.waiting >= MAX_WAITING:
            raise ProviderUnavailable("par_limit", f"{MAX_WAITING} logins wait for a call already")

        def make(client: Client) -> Call:
            return par_call(metadata, client, parameters)

        try:
            with anyio.fail_after(DEADLINE):
                async with self._limit.hold():
                    return read_par_answer(await self._calls.send(make, endpoint="par", dpop_key=dpop_key))
        except TimeoutError as exc:
            detail = f"no slot for a call, or no answer, within {DEADLINE:g} s"
            raise ProviderUnavailable("par_timeout", detail) from exc


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
