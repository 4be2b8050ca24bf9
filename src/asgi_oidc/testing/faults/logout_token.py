"""Faults of the logout token: in its claims and its signature (OpenID Connect Back-Channel Logout 1.0 §2.6)."""

from ..keys import compact_jws
from . import id_token  # noqa: F401  # importing it registers its faults, which are used below
from .registry import (
    ID_TOKEN_SIGNING,
    LOGOUT_TOKEN_CLAIMS,
    LOGOUT_TOKEN_SIGNING,
    Claims,
    Draft,
    Setting,
    register_as,
    registered_in,
    without,
)

EVENT = "http://schemas.openid.net/event/backchannel-logout"

# All faults of an ID Token's signature also exist for the logout token: `logout_token_alg_none` and so on.
for _name, _fault in ID_TOKEN_SIGNING.items():
    register_as(LOGOUT_TOKEN_SIGNING, _name.replace("id_token", "logout_token", 1), _fault)


@registered_in(LOGOUT_TOKEN_SIGNING)
def logout_token_wrong_typ(draft: Draft) -> str:
    """The `typ` is that of an access token (RFC 9068 §2.1)."""
    return compact_jws(draft.header | {"typ": "at+jwt"}, draft.payload, draft.key)


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_wrong_iss(claims: Claims, _setting: Setting) -> Claims:
    """`iss` is another provider."""
    return claims | {"iss": "https://someone-else.example.com"}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_iss(claims: Claims, _setting: Setting) -> Claims:
    """The token has no `iss`."""
    return without(claims, "iss")


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_wrong_aud(claims: Claims, _setting: Setting) -> Claims:
    """The token is for another client."""
    return claims | {"aud": "another-client"}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_extra_aud(claims: Claims, _setting: Setting) -> Claims:
    """The token has a further audience besides the client."""
    return claims | {"aud": [claims["aud"], "another-client"]}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_aud(claims: Claims, _setting: Setting) -> Claims:
    """The token has no `aud`."""
    return without(claims, "aud")


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_iat(claims: Claims, _setting: Setting) -> Claims:
    """The token has no `iat`."""
    return without(claims, "iat")


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_iat_future(claims: Claims, setting: Setting) -> Claims:
    """The token was issued an hour in the future."""
    return claims | {"iat": setting.now + 3600, "exp": setting.now + 7200}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_iat_old(claims: Claims, setting: Setting) -> Claims:
    """The token was issued a day ago, and has not expired yet."""
    return claims | {"iat": setting.now - 86_400}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_iat_text(claims: Claims, setting: Setting) -> Claims:
    """`iat` is text."""
    return claims | {"iat": str(setting.now)}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_exp(claims: Claims, _setting: Setting) -> Claims:
    """The token has no `exp`."""
    return without(claims, "exp")


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_expired(claims: Claims, setting: Setting) -> Claims:
    """The token was issued seven minutes ago, and expired five minutes ago."""
    return claims | {"iat": setting.now - 420, "exp": setting.now - 300}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_exp_text(claims: Claims, setting: Setting) -> Claims:
    """`exp` is text."""
    return claims | {"exp": str(setting.now + 120)}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_exp_1e300(claims: Claims, _setting: Setting) -> Claims:
    """`exp` is an absurd number."""
    return claims | {"exp": 1e300}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_jti(claims: Claims, _setting: Setting) -> Claims:
    """The token has no `jti`, so a replay cannot be recognized."""
    return without(claims, "jti")


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_jti_empty(claims: Claims, _setting: Setting) -> Claims:
    """`jti` is empty."""
    return claims | {"jti": ""}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_jti_number(claims: Claims, _setting: Setting) -> Claims:
    """`jti` is a number."""
    return claims | {"jti": 12345}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_jti_too_long(claims: Claims, _setting: Setting) -> Claims:
    """`jti` has 256 characters; it is another one each time."""
    return claims | {"jti": str(claims.get("jti")).ljust(256, "j")}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_events(claims: Claims, _setting: Setting) -> Claims:
    """The token has no `events`."""
    return without(claims, "events")


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_events_list(claims: Claims, _setting: Setting) -> Claims:
    """`events` is a list."""
    return claims | {"events": [EVENT]}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_other_event(claims: Claims, _setting: Setting) -> Claims:
    """The token has another security event (RFC 8417) instead of the logout event."""
    return claims | {"events": {"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {}}}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_event_not_object(claims: Claims, _setting: Setting) -> Claims:
    """The member of `events` is true instead of an object."""
    return claims | {"events": {EVENT: True}}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_nonce(claims: Claims, _setting: Setting) -> Claims:
    """The token has a nonce, which only an ID Token may have."""
    return claims | {"nonce": "a-nonce"}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_no_sub_no_sid(claims: Claims, _setting: Setting) -> Claims:
    """The token has neither `sub` nor `sid`."""
    return without(claims, "sub", "sid")


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_sub_empty(claims: Claims, _setting: Setting) -> Claims:
    """`sub` is empty."""
    return claims | {"sub": ""}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_sub_number(claims: Claims, _setting: Setting) -> Claims:
    """`sub` is a number."""
    return claims | {"sub": 12345}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_sub_too_long(claims: Claims, _setting: Setting) -> Claims:
    """`sub` has 256 characters; at most 255 are allowed."""
    return claims | {"sub": "s" * 256}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_sid_empty(claims: Claims, _setting: Setting) -> Claims:
    """`sid` is empty."""
    return claims | {"sid": ""}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_sid_number(claims: Claims, _setting: Setting) -> Claims:
    """`sid` is a number."""
    return claims | {"sid": 12345}


@registered_in(LOGOUT_TOKEN_CLAIMS)
def logout_token_sid_too_long(claims: Claims, _setting: Setting) -> Claims:
    """`sid` has 256 characters."""
    return claims | {"sid": "s" * 256}
