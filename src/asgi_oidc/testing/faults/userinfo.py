"""Faults of the userinfo answer: of OpenID providers, and of the user APIs of stand-ins.

The user's id is at `Setting.subject_path`: `sub` in userinfo, `id` in many user APIs.
"""

from dataclasses import replace
from typing import Any

from ..wire import Answer, error_answer, html_answer
from .registry import USERINFO_CLAIMS, Claims, Setting, answer_of, instead_of, registered_in, with_members

HUGE = 10_000_000  # bytes


@answer_of("userinfo")
def userinfo_down(_answer: Answer, _setting: Setting) -> Answer:
    """The userinfo endpoint answers 503."""
    return Answer(503, b"down for maintenance", {"content-type": "text/plain"})


@instead_of("userinfo")
def userinfo_refuses(_setting: Setting) -> Answer:
    """The userinfo endpoint refuses the access token with 401, as if it was made for another API."""
    refusal = error_answer("invalid_token", "audience not available", 401)
    return refusal.having(www_authenticate='Bearer error="invalid_token"')


@instead_of("userinfo")
def userinfo_forbids(_setting: Setting) -> Answer:
    """The userinfo endpoint refuses the access token with 403 and a page."""
    return Answer(403, b"<html>forbidden</html>", {"content-type": "text/html"})


@answer_of("userinfo")
def userinfo_slow(answer: Answer, setting: Setting) -> Answer:
    """The userinfo endpoint takes `provider.slow_by` seconds."""
    return replace(answer, delay=setting.slow_by)


@answer_of("userinfo")
def userinfo_not_json(answer: Answer, _setting: Setting) -> Answer:
    """The userinfo answer is cut off in the middle."""
    return replace(answer, body=answer.body[: len(answer.body) // 2])


@registered_in(USERINFO_CLAIMS)
def userinfo_overwrites_protocol_claims(claims: Claims, setting: Setting) -> Claims:
    """The claims contain another issuer, expiry, authentication time and more."""
    never = setting.now + 10**9
    return claims | {
        "iss": "https://someone-else.example.com",
        "aud": "another-client",
        "azp": "another-client",
        "exp": never,
        "iat": 1,
        "nbf": never,
        "auth_time": never,
        "nonce": "made-up",
        "acr": "urn:example:made-up",
        "amr": ["made-up"],
        "at_hash": "made-up",
        "sid": "made-up",
    }


@answer_of("userinfo")
def userinfo_500(_answer: Answer, _setting: Setting) -> Answer:
    """The userinfo endpoint answers 500."""
    return Answer(500, b"oops", {"content-type": "text/plain"})


@answer_of("userinfo")
def userinfo_html(_answer: Answer, _setting: Setting) -> Answer:
    """The userinfo endpoint answers a page with status 200."""
    return html_answer("<!doctype html><title>Hello</title><p>It works!")


@answer_of("userinfo")
def userinfo_json_array(answer: Answer, _setting: Setting) -> Answer:
    """The answer is a list of one user, not an object."""
    return replace(answer, body=b"[" + answer.body + b"]")


@answer_of("userinfo")
def userinfo_huge(answer: Answer, _setting: Setting) -> Answer:
    """The answer is valid JSON of 10 MB."""
    return with_members(answer, padding="x" * HUGE)


@registered_in(USERINFO_CLAIMS)
def userinfo_wrong_sub(claims: Claims, setting: Setting) -> Claims:
    """The claims are about another user (OpenID Connect Core §5.3.2)."""
    is_number = isinstance(subject_of(claims, setting), int)
    return with_subject(claims, setting, 1 if is_number else "admin")


@registered_in(USERINFO_CLAIMS)
def userinfo_no_sub(claims: Claims, setting: Setting) -> Claims:
    """The claims do not have the user's id."""
    return with_subject(claims, setting, ...)


@registered_in(USERINFO_CLAIMS)
def userinfo_sub_null(claims: Claims, setting: Setting) -> Claims:
    """The user's id is `null`."""
    return with_subject(claims, setting, None)


@registered_in(USERINFO_CLAIMS)
def userinfo_sub_empty(claims: Claims, setting: Setting) -> Claims:
    """The user's id is an empty text."""
    return with_subject(claims, setting, "")


@registered_in(USERINFO_CLAIMS)
def userinfo_sub_bool(claims: Claims, setting: Setting) -> Claims:
    """The user's id is `true`."""
    return with_subject(claims, setting, True)


@registered_in(USERINFO_CLAIMS)
def userinfo_sub_float(claims: Claims, setting: Setting) -> Claims:
    """The user's id is a number with a fraction, as of a decoder that rounds large numbers."""
    return with_subject(claims, setting, 1.5)


@registered_in(USERINFO_CLAIMS)
def userinfo_sub_object(claims: Claims, setting: Setting) -> Claims:
    """The user's id is an object."""
    return with_subject(claims, setting, {"id": subject_of(claims, setting)})


@registered_in(USERINFO_CLAIMS)
def userinfo_sub_huge(claims: Claims, setting: Setting) -> Claims:
    """The user's id is a text of 10 MB."""
    return with_subject(claims, setting, "x" * HUGE)


def subject_of(claims: Claims, setting: Setting) -> Any:
    """Return the user's id."""
    value: Any = claims
    for name in setting.subject_path:
        value = value[name]
    return value


def with_subject(claims: Claims, setting: Setting, value: Any) -> Claims:
    """Return the claims with another id of the user; the value `...` removes it."""
    return _with_member(claims, setting.subject_path, value)


def _with_member(members: Claims, path: tuple[str, ...], value: Any) -> Claims:
    name, *rest = path
    changed = _with_member(members[name], tuple(rest), value) if rest else value
    return {key: member for key, member in {**members, name: changed}.items() if member is not ...}
