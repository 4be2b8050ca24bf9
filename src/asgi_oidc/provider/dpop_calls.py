"""Makes calls to the provider with a DPoP proof, once more if it demands a nonce (RFC 9449 §5, §7, §8)."""

import secrets
from collections.abc import Callable
from dataclasses import replace

from asgi_oidc.protocol.dpop.make_proof import DPoPKey
from asgi_oidc.protocol.dpop.server_nonces import USE_DPOP_NONCE, nonce_refused, read_demanded_nonce
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.protocol.oauth_error import read_oauth_error
from asgi_oidc.provider.http import Http
from asgi_oidc.provider.learned_nonces import LearnedNonces
from asgi_oidc.safe_urls import origin_of, split_url

JTI_BYTES = 16  # random bytes; the provider refuses a proof whose id it has seen


class DPoPCalls:
    """Makes such calls to one provider. Nothing of one attempt is shared with a parallel one."""

    __slots__ = ("_clock", "_http", "_nonces", "_public_url", "_userinfo_nonces")

    def __init__(
        self, http: Http, *, clock: Callable[[], float], public_url: Callable[[str], str] = lambda url: url
    ) -> None:
        """Prepare.

        Args:
            clock: returns seconds since the epoch.
            public_url: returns the URL by which the provider knows the endpoint that is called; it may be called at
                another address (`internal_url`), which the provider does not know.
        """
        self._http = http
        self._clock = clock
        self._public_url = public_url
        self._nonces = LearnedNonces()
        self._userinfo_nonces = LearnedNonces()  # as an API, it has nonces of its own, even at the same origin (§9)

    async def send(
        self, make: Callable[[], Call], *, endpoint: str, key: DPoPKey, access_token: str | None = None
    ) -> Answer:
        """Make a call with a proof; make it once more, with a new proof, if the provider demands a nonce.

        A call with that error was not processed, so its code or refresh token was not used (RFC 9449 §8).

        Args:
            make: makes the call for each attempt anew, with the credentials of the client if it has any.
            endpoint: which endpoint is called (`token`, `userinfo`, ...): the first part of error codes.
            access_token: the one that is sent along.

        Raises:
            AnswerRejected: `dpop_nonce_...`: the provider requires a nonce that it does not supply, or rejects;
                or the answer cannot be read.
            ProviderUnavailable: no connection, or no complete answer in time.
        """
        call = make()
        url = self._public_url(call.url)
        origin, nonces = origin_of(split_url(url)), self._nonces if access_token is None else self._userinfo_nonces
        sent = nonces.find(origin)
        answer = await self._send_once(call, url, sent, endpoint, key, access_token)
        nonces.learn(origin, answer.headers)
        if not _demands_nonce(answer, is_at_resource=access_token is not None):
            return answer
        source = f"the {endpoint} endpoint"
        nonce = read_demanded_nonce(answer.headers, sent=sent, source=source, status=answer.status)
        answer = await self._send_once(make(), url, nonce, endpoint, key, access_token)
        nonces.learn(origin, answer.headers)
        if _demands_nonce(answer, is_at_resource=access_token is not None):
            raise nonce_refused(source, answer.status)
        return answer

    async def _send_once(
        self, call: Call, url: str, nonce: str | None, endpoint: str, key: DPoPKey, access_token: str | None
    ) -> Answer:
        jti, now = secrets.token_urlsafe(JTI_BYTES), int(self._clock())
        proof = key.proof(call.method, url, now=now, jti=jti, access_token=access_token, nonce=nonce)
        proven = replace(call, headers={**call.headers, "dpop": proof}, secrets=(*call.secrets, proof))
        return await self._http.send(proven, endpoint=endpoint)


def _demands_nonce(answer: Answer, *, is_at_resource: bool) -> bool:
    """Return whether a call was refused only because its proof lacks a valid nonce.

    A call with a code or a refresh token must not be repeated because of a header, which a proxy in between can have
    written; the error is in the body (RFC 9449 §8). APIs have it in the header (§9).
    """
    if answer.status not in (400, 401):
        return False
    error = read_oauth_error(answer.headers, answer.body, answer.secrets)
    return error.error == USE_DPOP_NONCE and (error.is_in_body or is_at_resource)
