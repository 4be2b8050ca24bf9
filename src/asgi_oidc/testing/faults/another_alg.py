"""Faults of the algorithm: a good signature by a key of the JWKS, with another algorithm than the client registered."""

from ..keys import compact_jws, signing_key
from . import access_token, introspection, jarm, logout_token, userinfo_jwt  # noqa: F401  # they copy the table, as it was
from .registry import ID_TOKEN_SIGNING, JARM_SIGNING, USERINFO_JWT_SIGNING, Draft, register_as


def signed_with_another_alg(draft: Draft) -> str:
    """The signature is by `RS256`, or by `PS256` in place of that; `FakeProvider.further_algs` publishes the key."""
    alg = "RS256" if draft.key.alg != "RS256" else "PS256"
    key = signing_key(alg, 0)  # as the JWKS has it; the cache tells a default from an argument
    return compact_jws(draft.header | {"alg": alg, "kid": key.kid}, draft.payload, key)


register_as(ID_TOKEN_SIGNING, "id_token_another_alg", signed_with_another_alg)
register_as(JARM_SIGNING, "jarm_another_alg", signed_with_another_alg)
register_as(USERINFO_JWT_SIGNING, "userinfo_jwt_another_alg", signed_with_another_alg)
