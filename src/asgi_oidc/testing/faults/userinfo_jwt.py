"""Faults of the userinfo answer as a signed JWT (OpenID Connect Core §5.3.2)."""

import base64
import json

from ..wire import Answer, json_answer
from . import id_token  # noqa: F401  # importing it registers its faults, which are used below
from .registry import (
    ID_TOKEN_SIGNING,
    USERINFO_JWT_CLAIMS,
    USERINFO_JWT_SIGNING,
    Claims,
    Setting,
    answer_of,
    register_as,
    registered_in,
    without,
)

# All faults of an ID Token's signature also exist for the answer: `userinfo_jwt_alg_none` and so on.
for _name, _fault in ID_TOKEN_SIGNING.items():
    register_as(USERINFO_JWT_SIGNING, _name.replace("id_token", "userinfo_jwt", 1), _fault)


@registered_in(USERINFO_JWT_CLAIMS)
def userinfo_jwt_wrong_iss(claims: Claims, _setting: Setting) -> Claims:
    """The answer is another provider's."""
    return claims | {"iss": "https://someone-else.example.com"}


@registered_in(USERINFO_JWT_CLAIMS)
def userinfo_jwt_no_iss(claims: Claims, _setting: Setting) -> Claims:
    """The answer does not say whose it is."""
    return without(claims, "iss")


@registered_in(USERINFO_JWT_CLAIMS)
def userinfo_jwt_wrong_aud(claims: Claims, _setting: Setting) -> Claims:
    """The answer was made for another client."""
    return claims | {"aud": "another-client"}


@registered_in(USERINFO_JWT_CLAIMS)
def userinfo_jwt_no_aud(claims: Claims, _setting: Setting) -> Claims:
    """The answer does not say for which client it is."""
    return without(claims, "aud")


@answer_of("userinfo")
def userinfo_jwt_left_out(answer: Answer, _setting: Setting) -> Answer:
    """The claims come as plain JSON although a signed answer is registered."""
    if answer.headers.get("content-type") != "application/jwt" or answer.body.count(b".") != 2:
        return answer  # plain already, or encrypted
    payload = answer.body.split(b".")[1]
    return json_answer(json.loads(base64.urlsafe_b64decode(payload + b"==")))


@answer_of("userinfo")
def userinfo_jwt_as_json(answer: Answer, _setting: Setting) -> Answer:
    """The JWT is declared as JSON."""
    return answer.having(content_type="application/json")
