"""Faults of the authorization response as a JWT (JARM): of its claims, its signature, and how it is sent."""

from ..keys import compact_jws
from ..wire import Answer
from . import id_token  # noqa: F401  # importing it registers its faults, which are used below
from .id_token import hs256_jws
from .registry import (
    ID_TOKEN_SIGNING,
    JARM_CLAIMS,
    JARM_PARAMS,
    JARM_SIGNING,
    RESPONSE_MODES,
    Claims,
    Draft,
    Params,
    Setting,
    answer_of,
    register_as,
    registered_in,
    with_members,
    without,
)

PLANTED = ("code", "a-planted-code")
PLAIN_MODES = {"jwt": "query", "query.jwt": "query", "form_post.jwt": "form_post"}

# All faults of an ID Token's signature also exist for the response: `jarm_alg_none` and so on.
for _name, _fault in ID_TOKEN_SIGNING.items():
    if _name != "id_token_duplicate_sub":  # the response has no `sub`
        register_as(JARM_SIGNING, _name.replace("id_token", "jarm", 1), _fault)


@registered_in(JARM_SIGNING)
def jarm_hs256_with_client_secret(draft: Draft) -> str:
    """The response is signed with the client secret, which more people know than the provider's key."""
    return hs256_jws(draft, draft.client_secret.encode())


@registered_in(JARM_SIGNING)
def jarm_duplicate_code(draft: Draft) -> str:
    """The payload has `code` twice; which one counts depends on the parser."""
    return compact_jws(draft.header, draft.payload[:-1] + b',"code":"a-planted-code"}', draft.key)


@registered_in(JARM_CLAIMS)
def jarm_no_iss(claims: Claims, _setting: Setting) -> Claims:
    """The response does not say which provider it is from."""
    return without(claims, "iss")


@registered_in(JARM_CLAIMS)
def jarm_wrong_iss(claims: Claims, _setting: Setting) -> Claims:
    """The response says that it is from another provider: a mix-up attack."""
    return claims | {"iss": "https://someone-else.example.com"}


@registered_in(JARM_CLAIMS)
def jarm_no_aud(claims: Claims, _setting: Setting) -> Claims:
    """The response does not say which client it is for."""
    return without(claims, "aud")


@registered_in(JARM_CLAIMS)
def jarm_wrong_aud(claims: Claims, _setting: Setting) -> Claims:
    """The response was made for another client."""
    return claims | {"aud": "another-client"}


@registered_in(JARM_CLAIMS)
def jarm_aud_list(claims: Claims, _setting: Setting) -> Claims:
    """`aud` is a list of the client alone, which means the same as a text."""
    return claims | {"aud": [claims["aud"]]}


@registered_in(JARM_CLAIMS)
def jarm_extra_aud(claims: Claims, _setting: Setting) -> Claims:
    """The response has a further audience besides the client."""
    return claims | {"aud": [claims["aud"], "another-client"]}


@registered_in(JARM_CLAIMS)
def jarm_no_exp(claims: Claims, _setting: Setting) -> Claims:
    """The response does not say when it expires."""
    return without(claims, "exp")


@registered_in(JARM_CLAIMS)
def jarm_expired(claims: Claims, setting: Setting) -> Claims:
    """The response expired an hour ago."""
    return claims | {"exp": setting.now - 3600}


@registered_in(JARM_CLAIMS)
def jarm_exp_text(claims: Claims, _setting: Setting) -> Claims:
    """`exp` is a text."""
    return claims | {"exp": str(claims["exp"])}


@registered_in(JARM_CLAIMS)
def jarm_exp_1e300(claims: Claims, _setting: Setting) -> Claims:
    """`exp` is an absurd number."""
    return claims | {"exp": 1e300}


@registered_in(JARM_CLAIMS)
def jarm_not_yet(claims: Claims, setting: Setting) -> Claims:
    """The response is valid only an hour from now."""
    return claims | {"nbf": setting.now + 3600, "exp": setting.now + 7200}


@registered_in(JARM_CLAIMS)
def jarm_code_number(claims: Claims, _setting: Setting) -> Claims:
    """`code` and `state` are numbers."""
    return claims | {"code": 7, "state": 7}


@registered_in(JARM_PARAMS)
def jarm_response_and_code(params: Params, _setting: Setting) -> Params:
    """A planted `code` comes beside the signed response."""
    return [PLANTED, *params]


@registered_in(JARM_PARAMS)
def jarm_response_and_error(params: Params, _setting: Setting) -> Params:
    """A planted `error` comes beside the signed response."""
    return [("error", "access_denied"), *params]


@registered_in(JARM_PARAMS)
def jarm_two_responses(params: Params, _setting: Setting) -> Params:
    """The callback has `response` twice."""
    return [*params, *params]


@registered_in(JARM_PARAMS)
def jarm_empty_response(_params: Params, _setting: Setting) -> Params:
    """`response` is empty."""
    return [("response", "")]


@registered_in(JARM_PARAMS)
def jarm_not_a_jwt(_params: Params, _setting: Setting) -> Params:
    """`response` is a text that is not a JWT."""
    return [("response", "code=a-planted-code")]


@registered_in(JARM_PARAMS)
def jarm_state_beside(params: Params, _setting: Setting) -> Params:
    """Another `state` comes beside the signed response."""
    return [*params, ("state", "state-of-another-login")]


@answer_of("discovery")
def jarm_not_in_metadata(answer: Answer, _setting: Setting) -> Answer:
    """The metadata offers no response mode with a JWT."""
    return with_members(answer, response_modes_supported=["query", "form_post"])


@registered_in(RESPONSE_MODES)
def jarm_plain_response(mode: str, _setting: Setting) -> str:
    """The response is plain although a JWT was asked for."""
    return PLAIN_MODES.get(mode, mode)


@registered_in(RESPONSE_MODES)
def jarm_not_asked_for(mode: str, _setting: Setting) -> str:
    """The response is a JWT although a plain one was asked for."""
    return mode if mode.endswith("jwt") else f"{mode}.jwt"


@registered_in(RESPONSE_MODES)
def jarm_in_query(mode: str, _setting: Setting) -> str:
    """The JWT comes in the query although `form_post.jwt` was asked for."""
    return "query.jwt" if mode == "form_post.jwt" else mode
