"""A site whose tokens are bound to keys, and the proofs that its provider has received."""

from dataclasses import dataclass
from typing import Any

from asgi_oidc.testing import Browser
from asgi_oidc.testing.dpop_proofs import thumbprint_of
from asgi_oidc.testing.jws import read_jwt
from asgi_oidc.testing.wire import Call
from tests.token_site import TokenSite


@dataclass(frozen=True)
class SentProof:
    """A proof as a server has received it."""

    header: dict[str, Any]
    claims: dict[str, Any]

    @property
    def jkt(self) -> str:
        """The thumbprint of its key."""
        return thumbprint_of(self.header["jwk"])


class DPoPSite(TokenSite):
    """A site with `dpop="always"` at a provider that accepts no token call without a proof."""

    def __init__(self, store: Any = "cookies", **settings: Any) -> None:
        super().__init__(store, **{"dpop": "always", **settings})
        self.provider.requires_dpop = True

    def calls_of(self, path: str) -> list[Call]:
        """Give the calls at an endpoint so far, such as "/token"."""
        return [call for call in self.provider.calls if call.path == path]

    def proofs_at(self, path: str) -> list[SentProof]:
        """Give the proofs that an endpoint has received, oldest first."""
        return [sent_proof(call) for call in self.calls_of(path) if "dpop" in call.headers]

    async def with_due_refresh(self, sub: str = "alice") -> Browser:
        """Give a signed-in browser whose next request needs a refresh."""
        browser = await self.signed_in(sub)
        self.clock.advance(self.provider.access_token_lifetime - 30)
        return browser


def sent_proof(call: Call) -> SentProof:
    """Read the proof of a call."""
    (proof,) = call.headers.get_list("dpop")
    jwt = read_jwt(proof)
    assert jwt is not None
    return SentProof(dict(jwt.header), dict(jwt.claims))
