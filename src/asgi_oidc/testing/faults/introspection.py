"""Faults of the introspection answer (RFC 7662 §2.2), and of its signed form (RFC 9701 §5)."""

import base64
import gzip
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..keys import compact_jws
from ..wire import Answer, error_answer, html_answer, json_answer, redirect_answer
from . import id_token  # noqa: F401  # importing it registers its faults, which are used below
from .answers import gzip_bomb
from .registry import (
    ID_TOKEN_SIGNING,
    INTROSPECTION_JWT_CLAIMS,
    INTROSPECTION_JWT_SIGNING,
    INTROSPECTION_MEMBERS,
    Claims,
    Draft,
    Setting,
    answer_of,
    instead_of,
    register_as,
    registered_in,
    with_members,
    without,
)

HUGE = 10_000_000  # bytes

# Members that the answer has, whatever the token is; `...` leaves one out.
CHANGED_MEMBERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "active_text": ("`active` is the text `true`.", {"active": "true"}),
    "active_number": ("`active` is the number 1.", {"active": 1}),
    "active_list": ("`active` is a list.", {"active": [True]}),
    "active_null": ("`active` is null.", {"active": None}),
    "no_active": ("The answer does not say whether the token is active.", {"active": ...}),
    "wrong_iss": ("`iss` is another provider.", {"iss": "https://someone-else.example.com"}),
    "iss_list": ("`iss` is a list.", {"iss": ["https://id.example.com"]}),
    "wrong_aud": ("The token is for another API.", {"aud": "https://another-api.example.com"}),
    "no_aud": ("The answer does not say which API the token is for.", {"aud": ...}),
    "aud_number": ("`aud` is a number.", {"aud": 7}),
    "no_exp": ("The answer does not say when the token expires.", {"exp": ...}),
    "exp_text": ("`exp` is a text.", {"exp": "1900000000"}),
    "exp_true": ("`exp` is true.", {"exp": True}),
    "exp_1e300": ("`exp` is an absurd number.", {"exp": 1e300}),
    "sub_number": ("`sub` is a number.", {"sub": 12345}),
    "sub_empty": ("`sub` is empty.", {"sub": ""}),
    "no_sub": ("The answer does not say whose token it is.", {"sub": ..., "username": ...}),
    "no_client": ("The answer does not say which client the token was issued to.", {"client_id": ..., "azp": ...}),
    "another_client": ("The token was issued to another client.", {"client_id": "another-client"}),
    "scope_number": ("`scope` is a number.", {"scope": 7}),
    "cnf_text": ("`cnf` is a text.", {"cnf": "jkt"}),
    "cnf_unknown": ("`cnf` has a confirmation method that does not exist.", {"cnf": {"urn:example:method": "x"}}),
}


def _members_fault(name: str, description: str, changes: Mapping[str, Any]) -> None:
    def change(members: Claims, _setting: Setting) -> Claims:
        return {member: value for member, value in {**members, **changes}.items() if value is not ...}

    change.__doc__ = description
    register_as(INTROSPECTION_MEMBERS, f"introspection_{name}", change)


for _name, (_description, _changes) in CHANGED_MEMBERS.items():
    _members_fault(_name, _description, _changes)


@registered_in(INTROSPECTION_MEMBERS)
def introspection_expired(members: Claims, setting: Setting) -> Claims:
    """The token is called active although it expired an hour ago."""
    return members | {"iat": setting.now - 7200, "exp": setting.now - 3600}


@registered_in(INTROSPECTION_MEMBERS)
def introspection_not_yet(members: Claims, setting: Setting) -> Claims:
    """The token is called active although it is valid only an hour from now."""
    return members | {"nbf": setting.now + 3600}


@answer_of("introspect")
def introspection_500(_answer: Answer, _setting: Setting) -> Answer:
    """The introspection endpoint answers 500."""
    return Answer(500, b"oops", {"content-type": "text/plain"})


@answer_of("introspect")
def introspection_down(_answer: Answer, _setting: Setting) -> Answer:
    """The introspection endpoint answers 503."""
    return Answer(503, b"down for maintenance", {"content-type": "text/plain"})


@answer_of("introspect")
def introspection_busy(_answer: Answer, _setting: Setting) -> Answer:
    """The introspection endpoint answers 429."""
    return Answer(429, b"slow down", {"content-type": "text/plain", "retry-after": "7"})


@answer_of("introspect")
def introspection_html(_answer: Answer, _setting: Setting) -> Answer:
    """The introspection endpoint answers a web page with status 200."""
    return html_answer("<!doctype html><title>Welcome</title><p>Please sign in to the network.")


@answer_of("introspect")
def introspection_empty(_answer: Answer, _setting: Setting) -> Answer:
    """The answer is empty, with status 200."""
    return Answer(200, b"", {"content-type": "application/json"})


@answer_of("introspect")
def introspection_not_json(answer: Answer, _setting: Setting) -> Answer:
    """The answer is cut off in the middle."""
    return replace(answer, body=answer.body[: len(answer.body) // 2])


@answer_of("introspect")
def introspection_json_array(answer: Answer, _setting: Setting) -> Answer:
    """The answer is JSON, but not an object."""
    return replace(answer, body=b"[" + answer.body + b"]")


@answer_of("introspect")
def introspection_json_true(answer: Answer, _setting: Setting) -> Answer:
    """The answer is just `true`."""
    return replace(answer, body=b"true")


@answer_of("introspect")
def introspection_two_actives(answer: Answer, _setting: Setting) -> Answer:
    """The answer has `active` twice; which one counts depends on the parser."""
    return replace(answer, body=b'{"active":false,' + answer.body[1:])


@answer_of("introspect")
def introspection_deep_json(answer: Answer, _setting: Setting) -> Answer:
    """The answer nests 100,000 lists."""
    return replace(answer, body=answer.body[:-1] + b',"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@answer_of("introspect")
def introspection_huge(answer: Answer, _setting: Setting) -> Answer:
    """The answer is valid JSON of 10 MB."""
    return with_members(answer, padding="x" * HUGE)


@answer_of("introspect")
def introspection_gzip(answer: Answer, _setting: Setting) -> Answer:
    """The answer is compressed, although the call did not accept that."""
    return replace(answer, body=gzip.compress(answer.body)).having(content_encoding="gzip")


@answer_of("introspect")
def introspection_gzip_bomb(answer: Answer, _setting: Setting) -> Answer:
    """The answer is 1 kB that decompresses to 512 MB, compressed twice."""
    return replace(answer, body=gzip_bomb()).having(content_encoding="gzip, gzip")


@answer_of("introspect")
def introspection_redirect(_answer: Answer, _setting: Setting) -> Answer:
    """The introspection endpoint answers 307, which would send token and secret elsewhere."""
    return replace(redirect_answer("https://collector.example.org/introspect"), status=307)


@instead_of("introspect")
def introspection_invalid_client(_setting: Setting) -> Answer:
    """The introspection endpoint refuses the client, as if its secret were wrong."""
    return error_answer("invalid_client", "unknown client", 401).having(www_authenticate="Basic")


@instead_of("introspect")
def introspection_forbidden(_setting: Setting) -> Answer:
    """The client may not introspect tokens."""
    return error_answer("access_denied", "not allowed", 403)


@answer_of("introspect")
def introspection_slow(answer: Answer, setting: Setting) -> Answer:
    """The introspection endpoint takes `provider.slow_by` seconds."""
    return replace(answer, delay=setting.slow_by)


@answer_of("introspect")
def introspection_hangs(answer: Answer, _setting: Setting) -> Answer:
    """The introspection endpoint never answers."""
    return replace(answer, delay=math.inf)


# All faults of an ID Token's signature also exist for the signed answer: `introspection_jwt_alg_none` and so on.
for _name, _fault in ID_TOKEN_SIGNING.items():
    register_as(INTROSPECTION_JWT_SIGNING, _name.replace("id_token", "introspection_jwt", 1), _fault)


@registered_in(INTROSPECTION_JWT_SIGNING)
def introspection_jwt_wrong_typ(draft: Draft) -> str:
    """The `typ` is that of an access token (RFC 9068 §2.1)."""
    return compact_jws(draft.header | {"typ": "at+jwt"}, draft.payload, draft.key)


@registered_in(INTROSPECTION_JWT_SIGNING)
def introspection_jwt_no_typ(draft: Draft) -> str:
    """The answer does not say what kind of JWT it is."""
    return compact_jws(without(draft.header, "typ"), draft.payload, draft.key)


@registered_in(INTROSPECTION_JWT_CLAIMS)
def introspection_jwt_wrong_iss(claims: Claims, _setting: Setting) -> Claims:
    """The answer is another provider's."""
    return claims | {"iss": "https://someone-else.example.com"}


@registered_in(INTROSPECTION_JWT_CLAIMS)
def introspection_jwt_no_iss(claims: Claims, _setting: Setting) -> Claims:
    """The answer does not say whose it is."""
    return without(claims, "iss")


@registered_in(INTROSPECTION_JWT_CLAIMS)
def introspection_jwt_wrong_aud(claims: Claims, _setting: Setting) -> Claims:
    """The answer was made for another client."""
    return claims | {"aud": "another-client"}


@registered_in(INTROSPECTION_JWT_CLAIMS)
def introspection_jwt_no_aud(claims: Claims, _setting: Setting) -> Claims:
    """The answer does not say for which client it is."""
    return without(claims, "aud")


@registered_in(INTROSPECTION_JWT_CLAIMS)
def introspection_jwt_old(claims: Claims, setting: Setting) -> Claims:
    """The answer was signed a day ago."""
    return claims | {"iat": setting.now - 86_400}


@answer_of("introspect")
def introspection_jwt_left_out(answer: Answer, _setting: Setting) -> Answer:
    """The members come as plain JSON although a signed answer was asked for."""
    if answer.body.count(b".") != 2 or answer.body.startswith(b"{"):
        return answer  # plain already, or encrypted
    payload = answer.body.split(b".")[1]
    return json_answer(json.loads(base64.urlsafe_b64decode(payload + b"=="))["token_introspection"])


@registered_in(INTROSPECTION_JWT_CLAIMS)
def introspection_jwt_no_members(claims: Claims, _setting: Setting) -> Claims:
    """The answer has no `token_introspection`."""
    return without(claims, "token_introspection")


@registered_in(INTROSPECTION_JWT_CLAIMS)
def introspection_jwt_members_outside(claims: Claims, _setting: Setting) -> Claims:
    """The members are claims of the answer itself, as if it were an access token."""
    return without(claims, "token_introspection") | dict(claims["token_introspection"])


@registered_in(INTROSPECTION_JWT_CLAIMS)
def introspection_jwt_members_text(claims: Claims, _setting: Setting) -> Claims:
    """`token_introspection` is a text."""
    return claims | {"token_introspection": '{"active": true}'}
