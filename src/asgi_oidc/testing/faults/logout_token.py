"""Faults of the logout token: all ways in which one can be wrong (OpenID Connect Back-Channel Logout 1.0 §2.6)."""

from ..keys import compact_jws
from . import id_token  # noqa: F401  # it fills its table, which is read below
from .registry import (
    ID_TOKEN_SIGNING,
    LOGOUT_TOKEN_CLAIMS,
    LOGOUT_TOKEN_SIGNING,
    Claims,
    Draft,
    Setting,
    enter,
    named_in,
    without,
)

EVENT = "http://schemas.openid.net/event/backchannel-logout"

# What can be wrong with the signature of an ID Token can be wrong with this one: `logout_token_alg_none` and so on.
for _name, _fault in ID_TOKEN_SIGNING.items():
    enter(LOGOUT_TOKEN_SIGNING, _name.replace("id_token", "logout_token", 1), _fault)


@named_in(LOGOUT_TOKEN_SIGNING)
def logout_token_wrong_typ(draft: Draft) -> str:
    """The header says that it is an access token (RFC 9068 §2.1)."""
    return compact_jws(draft.header | {"typ": "at+jwt"}, draft.payload, draft.key)


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_wrong_iss(claims: Claims, _setting: Setting) -> Claims:
    """`iss` is another provider."""
    return claims | {"iss": "https://someone-else.example.com"}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_iss(claims: Claims, _setting: Setting) -> Claims:
    """The token does not say who made it."""
    return without(claims, "iss")


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_wrong_aud(claims: Claims, _setting: Setting) -> Claims:
    """The token was made for another client."""
    return claims | {"aud": "another-client"}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_extra_aud(claims: Claims, _setting: Setting) -> Claims:
    """The token names a further audience beside ours."""
    return claims | {"aud": [claims["aud"], "another-client"]}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_aud(claims: Claims, _setting: Setting) -> Claims:
    """The token was made for nobody in particular."""
    return without(claims, "aud")


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_iat(claims: Claims, _setting: Setting) -> Claims:
    """The token does not say when it was made."""
    return without(claims, "iat")


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_iat_future(claims: Claims, setting: Setting) -> Claims:
    """The token was made in an hour."""
    return claims | {"iat": setting.now + 3600, "exp": setting.now + 7200}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_iat_old(claims: Claims, setting: Setting) -> Claims:
    """The token was made a day ago, and still has not expired."""
    return claims | {"iat": setting.now - 86_400}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_iat_text(claims: Claims, setting: Setting) -> Claims:
    """`iat` is text."""
    return claims | {"iat": str(setting.now)}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_exp(claims: Claims, _setting: Setting) -> Claims:
    """The token never expires."""
    return without(claims, "exp")


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_expired(claims: Claims, setting: Setting) -> Claims:
    """The token expired five minutes ago, two minutes after it was made: it is not that old."""
    return claims | {"iat": setting.now - 420, "exp": setting.now - 300}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_exp_text(claims: Claims, setting: Setting) -> Claims:
    """`exp` is text."""
    return claims | {"exp": str(setting.now + 120)}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_exp_1e300(claims: Claims, _setting: Setting) -> Claims:
    """`exp` is an absurd number."""
    return claims | {"exp": 1e300}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_jti(claims: Claims, _setting: Setting) -> Claims:
    """The token has no name: who sees it again cannot know."""
    return without(claims, "jti")


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_jti_empty(claims: Claims, _setting: Setting) -> Claims:
    """`jti` is empty."""
    return claims | {"jti": ""}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_jti_number(claims: Claims, _setting: Setting) -> Claims:
    """`jti` is a number."""
    return claims | {"jti": 12345}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_jti_too_long(claims: Claims, _setting: Setting) -> Claims:
    """`jti` has 256 characters, and is still new each time."""
    return claims | {"jti": str(claims.get("jti")).ljust(256, "j")}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_events(claims: Claims, _setting: Setting) -> Claims:
    """The token does not say that it is about a logout."""
    return without(claims, "events")


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_events_list(claims: Claims, _setting: Setting) -> Claims:
    """`events` is a list."""
    return claims | {"events": [EVENT]}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_other_event(claims: Claims, _setting: Setting) -> Claims:
    """The token tells of another event, of those of RFC 8417."""
    return claims | {"events": {"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {}}}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_event_not_object(claims: Claims, _setting: Setting) -> Claims:
    """The member of `events` is true, and no object."""
    return claims | {"events": {EVENT: True}}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_nonce(claims: Claims, _setting: Setting) -> Claims:
    """The token has a nonce, as only an ID Token may."""
    return claims | {"nonce": "a-nonce"}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_sub_no_sid(claims: Claims, _setting: Setting) -> Claims:
    """The token does not say who has signed out."""
    return without(claims, "sub", "sid")


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_sub_empty(claims: Claims, _setting: Setting) -> Claims:
    """`sub` is empty."""
    return claims | {"sub": ""}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_sub_number(claims: Claims, _setting: Setting) -> Claims:
    """`sub` is a number."""
    return claims | {"sub": 12345}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_sub_too_long(claims: Claims, _setting: Setting) -> Claims:
    """`sub` has 256 characters; 255 is the most."""
    return claims | {"sub": "s" * 256}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_sid_empty(claims: Claims, _setting: Setting) -> Claims:
    """`sid` is empty."""
    return claims | {"sid": ""}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_sid_number(claims: Claims, _setting: Setting) -> Claims:
    """`sid` is a number."""
    return claims | {"sid": 12345}


@named_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_sid_too_long(claims: Claims, _setting: Setting) -> Claims:
    """`sid` has 256 characters."""
    return claims | {"sid": "s" * 256}
