"""The JWKS while a JWT is signed with another algorithm than the client expects: it has that key as well."""

import json

from ..keys import signing_key
from ..wire import Answer, json_answer
from . import access_token, introspection, jarm, logout_token, userinfo_jwt  # noqa: F401  # they register such faults
from .id_token import OTHER_ALGORITHMS, OTHER_KEY_NUMBER
from .registry import ANSWERS, FAULTS, Setting

JWTS = ("id_token", "access_token", "logout_token", "introspection_jwt", "jarm", "userinfo_jwt")


def with_other_keys(answer: Answer, _setting: Setting) -> Answer:
    """Add the keys of the other algorithms to the JWKS."""
    others = [signing_key(alg, OTHER_KEY_NUMBER).public_jwk() for alg in OTHER_ALGORITHMS]
    return json_answer({"keys": json.loads(answer.body)["keys"] + others})


# The same names as those of the signatures: a fault may change two things.
for _name in (f"{jwt}_other_alg" for jwt in JWTS):
    if _name in FAULTS:
        ANSWERS[_name] = (("jwks",), with_other_keys)
