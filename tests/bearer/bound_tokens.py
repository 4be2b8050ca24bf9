"""A site with clients whose tokens are bound to a key or a certificate."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from asgi_oidc.testing import ClientCertificate, DPoPKey
from asgi_oidc.testing.in_process import http_scope
from tests.bearer.token_calls import API, TokenSite, challenges, problem
from tests.protected_site import ORIGIN, Exchange

KEY, OTHER_KEY = DPoPKey(), DPoPKey()
CERTIFICATE, OTHER_CERTIFICATE = ClientCertificate("client"), ClientCertificate("other")
CERTIFICATE_HEADER = "x-client-cert"
PROXY = ("10.0.0.7", 4711)


class BoundSite(TokenSite):
    """A site that is called with bound tokens."""

    def bound(
        self, *, sub: str = "alice", key: DPoPKey | None = KEY, certificate: ClientCertificate | None = None
    ) -> str:
        """Return a token that is bound to a key, a certificate, both or neither."""
        return self.provider.access_token(sub, audience=API, dpop_key=key, client_certificate=certificate)

    def proof(
        self, token: str, method: str = "GET", url: str = f"{ORIGIN}/page", *, key: DPoPKey = KEY, **changes: Any
    ) -> str:
        """Return a proof for one request, made now; other arguments than those of `DPoPKey.proof` are claims."""
        arguments = {name: changes.pop(name) for name in ("nonce", "header", "signed_by") if name in changes}
        claims = {"iat": int(self.clock.now), **changes}
        return key.proof(method, url, access_token=token, claims=claims, **arguments)

    async def send(
        self,
        token: str,
        *proofs: str,
        scheme: str = "DPoP",
        path: str = "/page",
        headers: Sequence[tuple[str, str]] = (),
        **scope: Any,
    ) -> Exchange:
        """Send a request with a token and as many proofs."""
        exchange = Exchange({"type": "http.request", "body": b"", "more_body": False})
        sent = [("authorization", f"{scheme} {token}"), *(("dpop", proof) for proof in proofs), *headers]
        made = {**http_scope("GET", ORIGIN + "/", {}), "path": path, "raw_path": quote(path).encode(), **scope}
        made["headers"] = [*made["headers"], *((name.encode(), value.encode("latin-1")) for name, value in sent)]
        await self.middleware(made, exchange.receive, exchange.send)
        return exchange

    async def use(self, token: str, **proof: Any) -> Exchange:
        """Send a request with a token and a new proof for it."""
        return await self.send(token, self.proof(token, **proof))


def result(answer: Exchange) -> tuple[int, str]:
    """Return the status of a response, and its code; the code of a success is empty."""
    return answer.status, "" if answer.status == 200 else problem(answer)["error"]


def challenge_of(answer: Exchange) -> str:
    """Return the only challenge of a response."""
    (challenge,) = challenges(answer)
    return challenge
