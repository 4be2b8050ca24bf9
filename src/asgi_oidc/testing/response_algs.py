"""The algorithms that a client registered for the JWTs that it gets (OpenID Connect Registration §2, JARM §3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from .accounts import Client

Purpose = Literal["id_token", "userinfo", "introspection", "authorization"]
"""What a JWT is for; `authorization` is the authorization response (JARM)."""
PURPOSES: tuple[Purpose, ...] = ("id_token", "userinfo", "introspection", "authorization")


@dataclass(frozen=True)
class ResponseAlgs:
    """The algorithms of one kind of JWT; `None` for what is not registered."""

    signed: str | None = None
    encrypted: str | None = None
    enc: str | None = None


def response_algs(client: Client | None, purpose: Purpose) -> ResponseAlgs:
    """Return what a client registered for its JWTs of this kind."""
    if client is None:
        return ResponseAlgs()
    names = ("signed_response_alg", "encrypted_response_alg", "encrypted_response_enc")
    return ResponseAlgs(*(getattr(client, f"{purpose}_{name}") for name in names))


def encrypts_for(client: Client) -> bool:
    """Whether a client registered for encryption, of any of its JWTs."""
    return any(response_algs(client, purpose).encrypted is not None for purpose in PURPOSES)


def registered_signing_algs(clients: Iterable[Client], *purposes: Purpose) -> list[str]:
    """Return the signature algorithms that clients registered, each once."""
    found = (response_algs(client, purpose).signed for client in clients for purpose in purposes)
    return list(dict.fromkeys(alg for alg in found if alg is not None))


def signing_metadata(clients: Iterable[Client], alg: str) -> dict[str, Any]:
    """Return the metadata of the algorithms that clients registered, besides the provider's own."""
    known = list(clients)
    algs = {purpose: registered_signing_algs(known, purpose) for purpose in PURPOSES}
    return {
        f"{purpose}_signing_alg_values_supported": list(dict.fromkeys([alg, *registered]))
        for purpose, registered in algs.items()
        if registered
    }
