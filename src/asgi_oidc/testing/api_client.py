"""Calls an app's API as a program does: with an access token, bound to a key or not, and without cookies."""

from collections.abc import Generator, Mapping, MutableMapping

import httpx

from .client_certificates import ClientCertificate, presenting
from .dpop import DPoPKey
from .web_urls import origin_of
from .wire import ASGIApp


def api_client(
    app: ASGIApp,
    *,
    token: str | None = None,
    dpop_key: DPoPKey | None = None,
    client_certificate: ClientCertificate | None = None,
    base_url: str = "https://app.example.com",
    headers: Mapping[str, str] | None = None,
) -> httpx.AsyncClient:
    """Return a client that sends every request to an app in process, with an access token.

        token = provider.access_token("alice", audience="https://api.example.com")
        async with api_client(app, token=token) as api:
            orders = await api.get("/orders")

    Args:
        app: The app with its middleware; lifespan events are not sent.
        token: The access token; without one, requests are anonymous.
        dpop_key: The key that the token is bound to: each request gets a proof, and a second one if the app asks for
            a nonce.
        client_certificate: The certificate of the connection, as a server passes it on.
        base_url: Where the app is, as its users know it.
        headers: Further headers of every request.
    """
    transport = httpx.ASGITransport(app=app if client_certificate is None else presenting(app, client_certificate.pem))
    return httpx.AsyncClient(
        transport=transport,
        base_url=base_url,
        auth=None if token is None else TokenAuth(token, dpop_key),
        headers={"accept": "application/json", **(headers or {})},
    )


class TokenAuth(httpx.Auth):
    """Sends an access token (RFC 6750 §2.1), with a DPoP proof if there is a key (RFC 9449 §7.1).

    Args:
        token: The access token.
        dpop_key: The key that it is bound to.
    """

    def __init__(self, token: str, dpop_key: DPoPKey | None = None) -> None:
        self._token = token
        self._key = dpop_key
        self.nonces: MutableMapping[str, str] = {}
        """By origin: the nonce that the server has sent last (RFC 9449 §9)."""

    def __repr__(self) -> str:
        return "TokenAuth(...)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request; once more if the server asks for a nonce."""
        if self._key is None:
            request.headers["authorization"] = f"Bearer {self._token}"
            yield request
            return
        origin = origin_of(str(request.url))
        before = self.nonces.get(origin)
        response = yield self._proven(request, self._key)
        nonce = self._learn(origin, response)
        if response.status_code == 401 and nonce != before and "use_dpop_nonce" in _challenge(response):
            self._learn(origin, (yield self._proven(request, self._key)))

    def _learn(self, origin: str, response: httpx.Response) -> str | None:
        """Keep the nonce of a response, if it has one; return the one to use."""
        if "dpop-nonce" in response.headers:
            self.nonces[origin] = response.headers["dpop-nonce"]
        return self.nonces.get(origin)

    def _proven(self, request: httpx.Request, key: DPoPKey) -> httpx.Request:
        url = str(request.url)
        request.headers["authorization"] = f"DPoP {self._token}"
        nonce = self.nonces.get(origin_of(url))
        request.headers["dpop"] = key.proof(request.method, url, access_token=self._token, nonce=nonce)
        return request


def _challenge(response: httpx.Response) -> str:
    return ", ".join(response.headers.get_list("www-authenticate"))
