"""Makes the calls with client authentication: for tokens, pushed authorization requests, revocation, introspection."""

import secrets
from collections.abc import Callable

from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.dpop.make_proof import DPoPKey
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.provider.assertion_file import AssertionFile
from asgi_oidc.provider.dpop_calls import DPoPCalls
from asgi_oidc.provider.http import Http

RANDOM_BYTES = 16  # of the ids that tell one attempt from another


class ClientCalls:
    """Makes such calls to one provider, each with credentials that are made for it."""

    __slots__ = ("_assertion_file", "_client", "_clock", "_dpop", "_http", "_issuer")

    def __init__(
        self,
        http: Http,
        client: Client,
        *,
        issuer: str,
        clock: Callable[[], float],
        dpop: DPoPCalls | None = None,
    ) -> None:
        """Prepare.

        Args:
            issuer: the provider, to which credentials are addressed.
            clock: returns seconds since the epoch.
            dpop: makes the calls with a proof.
        """
        self._http = http
        self._dpop = DPoPCalls(http, clock=clock) if dpop is None else dpop
        self._client = client
        self._issuer = issuer
        self._clock = clock
        path = client.assertion_file
        self._assertion_file = None if path is None else AssertionFile(path, clock)

    def replace_client(self, client: Client) -> None:
        """Use another client secret or key from the next call on; an assertion file stays."""
        self._client = client

    async def send(self, make: Callable[[Client], Call], *, endpoint: str, dpop_key: DPoPKey | None = None) -> Answer:
        """Make a call.

        Args:
            make: makes it, for a client with the credentials of this attempt.
            endpoint: which endpoint is called (`token`, `revocation`, ...): the first part of error codes.
            dpop_key: the key that a proof is sent of; the tokens of the answer are bound to it.

        Raises:
            AnswerRejected: what `make` raised, or the answer cannot be read; as in `DPoPCalls`.
            ProviderUnavailable: no connection, no complete answer in time, or no usable assertion in the file.
        """
        assertion = await self._read_assertion()
        if dpop_key is not None:
            return await self._dpop.send(lambda: make(self._client_now(assertion)), endpoint=endpoint, key=dpop_key)
        return await self._http.send(make(self._client_now(assertion)), endpoint=endpoint)

    async def send_if_supported(self, make: Callable[[Client], Call | None], *, endpoint: str) -> Answer | None:
        """Make a call as `send` does; return None if `make` finds that the provider has no such endpoint."""
        call = make(self._client_now(await self._read_assertion()))
        return None if call is None else await self._http.send(call, endpoint=endpoint)

    async def _read_assertion(self) -> str | None:
        return None if self._assertion_file is None else await self._assertion_file.read()

    def _client_now(self, assertion: str | None) -> Client:
        now, random = int(self._clock()), secrets.token_urlsafe(RANDOM_BYTES)
        return self._client.for_call(now=now, audience=self._issuer, jti=random, assertion=assertion)
