"""Faults of a refresh, which do not affect the code exchange, and of a revocation."""

import math
from dataclasses import replace

from ..wire import Answer, error_answer
from .id_token import id_token_bad_signature
from .registry import (
    REFRESH_MEMBERS,
    REFRESHED_CLAIMS,
    REFRESHED_SIGNING,
    Claims,
    Draft,
    Setting,
    answer_of,
    instead_of,
    registered_in,
    without,
)


@instead_of("refresh")
def refresh_down(_setting: Setting) -> Answer:
    """A refresh gets 503 and is not processed: the refresh token stays valid."""
    return Answer(503, b"down for maintenance", {"content-type": "text/plain"})


@answer_of("refresh")
def refresh_slow(answer: Answer, setting: Setting) -> Answer:
    """A refresh is processed at once, and its answer takes `provider.slow_by` seconds."""
    return replace(answer, delay=setting.slow_by)


@instead_of("refresh")
def refresh_hangs_before_processing(_setting: Setting) -> Answer:
    """A refresh gets no answer and is not processed: the refresh token stays valid."""
    return Answer(503, delay=math.inf)


@answer_of("refresh")
def refresh_hangs_after_processing(answer: Answer, _setting: Setting) -> Answer:
    """A refresh is processed, which uses up the refresh token, but gets no answer."""
    return replace(answer, delay=math.inf)


@instead_of("refresh")
def refresh_invalid_grant(_setting: Setting) -> Answer:
    """A refresh is refused with `invalid_grant` and a text that looks like markup."""
    return error_answer("invalid_grant", "<b>call +1-800-PHISHING</b>")


@instead_of("refresh")
def refresh_invalid_client(_setting: Setting) -> Answer:
    """A refresh is refused because of the client, as if its secret had been changed; the refresh token stays valid."""
    return error_answer("invalid_client", "unknown client", 401).having(www_authenticate="Basic")


@answer_of("refresh")
def refresh_not_json(answer: Answer, _setting: Setting) -> Answer:
    """A refresh is processed, but its answer is cut off in the middle."""
    return replace(answer, body=answer.body[: len(answer.body) // 2])


@registered_in(REFRESH_MEMBERS)
def refresh_without_access_token(members: Claims, _setting: Setting) -> Claims:
    """A refresh is processed, but its answer has no access token."""
    return without(members, "access_token")


@registered_in(REFRESH_MEMBERS)
def refresh_malformed_refresh_token(members: Claims, _setting: Setting) -> Claims:
    """A refresh is processed, but its answer has no access token, and the new refresh token is a number."""
    return without(members, "access_token") | {"refresh_token": 7}


@registered_in(REFRESHED_CLAIMS)
def refresh_other_sub(claims: Claims, _setting: Setting) -> Claims:
    """The refreshed ID Token is about another user (OpenID Connect Core §12.2)."""
    return claims | {"sub": "admin"}


@registered_in(REFRESHED_CLAIMS)
def refresh_other_iss(claims: Claims, _setting: Setting) -> Claims:
    """The refreshed ID Token names another issuer (OpenID Connect Core §12.2)."""
    return claims | {"iss": "https://someone-else.example.com"}


@registered_in(REFRESHED_CLAIMS)
def refresh_other_aud(claims: Claims, _setting: Setting) -> Claims:
    """The refreshed ID Token is for another client (OpenID Connect Core §12.2)."""
    return claims | {"aud": "another-client"}


@registered_in(REFRESHED_CLAIMS)
def refresh_other_nonce(claims: Claims, _setting: Setting) -> Claims:
    """The refreshed ID Token has the nonce of another login (OpenID Connect Core §12.2)."""
    return claims | {"nonce": "nonce-of-another-login"}


@registered_in(REFRESHED_SIGNING)
def refresh_bad_signature(draft: Draft) -> str:
    """The signature of the refreshed ID Token is that of other claims."""
    return id_token_bad_signature(draft)


@instead_of("revoke")
def revoke_down(_setting: Setting) -> Answer:
    """A revocation gets 503, and nothing is revoked."""
    return Answer(503, b"down for maintenance", {"content-type": "text/plain"})


@answer_of("revoke")
def revoke_slow(answer: Answer, setting: Setting) -> Answer:
    """A revocation is processed at once, and its answer takes `provider.slow_by` seconds."""
    return replace(answer, delay=setting.slow_by)


@instead_of("revoke")
def revoke_refuses(_setting: Setting) -> Answer:
    """A revocation is refused with `unsupported_token_type` (RFC 7009 §2.2.1), and nothing is revoked."""
    return error_answer("unsupported_token_type", "access tokens only")
