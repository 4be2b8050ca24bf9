"""Faults of the answer to a pushed authorization request (RFC 9126 §2.2, §2.3)."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..wire import Answer, error_answer, html_answer, redirect_answer
from .answers import gzip_bomb
from .registry import PAR_MEMBERS, Claims, Setting, answer_of, instead_of, register_as, with_members

HUGE = 10_000_000  # bytes
PREFIX = "urn:ietf:params:oauth:request_uri:"

# Members that the answer has, whatever was pushed; `...` leaves one out.
CHANGED_MEMBERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "without_request_uri": ("The answer has no `request_uri`.", {"request_uri": ...}),
    "request_uri_not_text": ("`request_uri` is a number.", {"request_uri": 7}),
    "request_uri_null": ("`request_uri` is null.", {"request_uri": None}),
    "request_uri_empty": ("`request_uri` is an empty text.", {"request_uri": ""}),
    "request_uri_https": (
        "`request_uri` is a URL at another host, which the provider would have to fetch.",
        {"request_uri": "https://collector.example.org/request"},
    ),
    "request_uri_with_more_params": (
        "`request_uri` brings parameters of its own, for a client that does not encode it.",
        {"request_uri": f"{PREFIX}x&prompt=none&client_id=another-client"},
    ),
    "request_uri_with_line_break": (
        "`request_uri` has a line break.",
        {"request_uri": f"{PREFIX}x\r\nset-cookie: a=b"},
    ),
    "request_uri_too_long": ("`request_uri` has 100,000 characters.", {"request_uri": PREFIX + "x" * 100_000}),
    "unknown_request_uri": ("The provider does not know its own `request_uri`.", {"request_uri": f"{PREFIX}unknown"}),
    "expired_at_once": ("The request expires in 0 seconds, and is refused.", {"expires_in": 0}),
    "expires_in_the_past": ("`expires_in` is negative, and the request is refused.", {"expires_in": -60}),
    "without_expires_in": ("The answer has no `expires_in`.", {"expires_in": ...}),
    "expires_in_text": ("`expires_in` is a number in quotes.", {"expires_in": "60"}),
    "expires_in_not_number": ("`expires_in` is a list.", {"expires_in": [60]}),
    "expires_in_1e300": ("`expires_in` is an absurd number.", {"expires_in": 1e300}),
}

# Errors that the endpoint answers without looking at the request.
ERRORS: Mapping[str, tuple[int, str, str]] = {
    "invalid_request": (400, "invalid_request", "The client pushed a request that the provider refuses."),
    "invalid_client": (401, "invalid_client", "The endpoint refuses the client, as if its credential were wrong."),
    "unauthorized_client": (400, "unauthorized_client", "The client may not push requests."),
    "invalid_request_object": (400, "invalid_request_object", "The endpoint refuses the signed request object."),
    "invalid_scope": (400, "invalid_scope", "The endpoint refuses the scopes."),
    "too_large": (413, "invalid_request", "The request is too large (RFC 9126 §2.3)."),
    "too_many": (429, "temporarily_unavailable", "The client pushed too many requests (RFC 9126 §2.3)."),
}


def _members_fault(name: str, description: str, changes: Mapping[str, Any]) -> None:
    def change(members: Claims, _setting: Setting) -> Claims:
        return {member: value for member, value in {**members, **changes}.items() if value is not ...}

    change.__doc__ = description
    register_as(PAR_MEMBERS, f"par_{name}", change)


def _error_fault(name: str, status: int, error: str, description: str) -> None:
    def answer(_setting: Setting) -> Answer:
        return error_answer(error, "<b>call +1-800-PHISHING</b>", status)

    answer.__name__, answer.__doc__ = f"par_error_{name}", description
    instead_of("par")(answer)


for _name, (_description, _changes) in CHANGED_MEMBERS.items():
    _members_fault(_name, _description, _changes)
for _name, (_status, _error, _description) in ERRORS.items():
    _error_fault(_name, _status, _error, _description)


@answer_of("par")
def par_status_200(answer: Answer, _setting: Setting) -> Answer:
    """A request that is accepted gets the status 200 instead of 201."""
    return replace(answer, status=200) if answer.status == 201 else answer


@instead_of("par")
def par_500(_setting: Setting) -> Answer:
    """The PAR endpoint answers 500."""
    return Answer(500, b"oops", {"content-type": "text/plain"})


@instead_of("par")
def par_down(_setting: Setting) -> Answer:
    """The PAR endpoint answers 503."""
    return Answer(503, b"down for maintenance", {"content-type": "text/plain"})


@instead_of("par")
def par_not_found(_setting: Setting) -> Answer:
    """The PAR endpoint answers 404 with a page."""
    return html_answer("<!doctype html><title>Not found</title>", 404)


@instead_of("par")
def par_redirect(_setting: Setting) -> Answer:
    """The PAR endpoint answers 307, which would send the credential elsewhere."""
    return replace(redirect_answer("https://collector.example.org/par"), status=307)


@answer_of("par")
def par_html(_answer: Answer, _setting: Setting) -> Answer:
    """The PAR endpoint answers a page with status 201."""
    return html_answer("<!doctype html><title>Hello</title><p>It works!", 201)


@answer_of("par")
def par_empty(answer: Answer, _setting: Setting) -> Answer:
    """The answer is empty."""
    return replace(answer, body=b"")


@answer_of("par")
def par_not_json(answer: Answer, _setting: Setting) -> Answer:
    """The answer is cut off in the middle."""
    return replace(answer, body=answer.body[: len(answer.body) // 2])


@answer_of("par")
def par_json_array(answer: Answer, _setting: Setting) -> Answer:
    """The answer is JSON, but not an object."""
    return replace(answer, body=b"[" + answer.body + b"]")


@answer_of("par")
def par_two_request_uris(answer: Answer, _setting: Setting) -> Answer:
    """The answer has `request_uri` twice; which one counts depends on the parser."""
    return replace(answer, body=b'{"request_uri":"https://collector.example.org/request",' + answer.body[1:])


@answer_of("par")
def par_huge(answer: Answer, _setting: Setting) -> Answer:
    """The answer is valid JSON of 10 MB."""
    return with_members(answer, padding="x" * HUGE)


@answer_of("par")
def par_gzip_bomb(answer: Answer, _setting: Setting) -> Answer:
    """The answer is 1 kB that decompresses to 512 MB, compressed twice."""
    return replace(answer, body=gzip_bomb()).having(content_encoding="gzip, gzip")


@answer_of("par")
def par_slow(answer: Answer, setting: Setting) -> Answer:
    """The PAR endpoint takes `provider.slow_by` seconds."""
    return replace(answer, delay=setting.slow_by)


@answer_of("par")
def par_hangs(answer: Answer, _setting: Setting) -> Answer:
    """The PAR endpoint never answers."""
    return replace(answer, delay=math.inf)
