"""Faults of the answer to a client's registration (RFC 7591 §3.2, RFC 7592 §3), and of the metadata about it."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..wire import Answer, error_answer, html_answer, json_answer, redirect_answer
from .answers import gzip_bomb
from .registry import (
    REGISTRATION_MEMBERS,
    Claims,
    Setting,
    answer_of,
    instead_of,
    register_as,
    registered_in,
    with_members,
    without,
)

HUGE = 10_000_000  # bytes
ELSEWHERE = "https://collector.example.org/register"

# Members that the answer has, whatever was asked for; `...` leaves one out.
CHANGED_MEMBERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "no_client_id": ("The answer has no `client_id`.", {"client_id": ...}),
    "client_id_number": ("`client_id` is a number.", {"client_id": 7}),
    "client_id_empty": ("`client_id` is an empty text.", {"client_id": ""}),
    "no_secret": (
        "The answer has no `client_secret` although the client authenticates by one.",
        {"client_secret": ...},
    ),
    "secret_number": ("`client_secret` is a number.", {"client_secret": 7}),
    "no_secret_expiry": (
        "The answer does not say when the secret expires, as it must.",
        {"client_secret_expires_at": ...},
    ),
    "secret_expiry_text": ("`client_secret_expires_at` is a text.", {"client_secret_expires_at": "never"}),
    "other_redirect_uris": (
        "Another redirect URI was registered than the client asked for.",
        {"redirect_uris": ["https://collector.example.org/callback"]},
    ),
    "no_redirect_uris": ("The answer does not repeat the redirect URIs.", {"redirect_uris": ...}),
    "other_auth_method": (
        "The client was registered for `client_secret_post`, whatever it asked for.",
        {"token_endpoint_auth_method": "client_secret_post", "client_secret": "given", "client_secret_expires_at": 0},
    ),
    "other_alg": ("ID Tokens will be signed with `HS256`.", {"id_token_signed_response_alg": "HS256"}),
    "no_jwks": ("The client's keys were not registered.", {"jwks": ..., "jwks_uri": ...}),
    "no_access_token": ("The answer has no `registration_access_token`.", {"registration_access_token": ...}),
    "no_client_uri": ("The answer has no `registration_client_uri`.", {"registration_client_uri": ...}),
    "client_uri_elsewhere": ("`registration_client_uri` is at another host.", {"registration_client_uri": ELSEWHERE}),
    "client_uri_plain_http": (
        "`registration_client_uri` is a plain http URL, to which the token would go unprotected.",
        {"registration_client_uri": "http://id.example.com/register?client_id=x"},
    ),
}

# Errors that the endpoint answers without looking at the metadata.
ERRORS: Mapping[str, tuple[int, str, str]] = {
    "invalid_redirect_uri": (400, "invalid_redirect_uri", "The endpoint refuses the redirect URIs."),
    "invalid_client_metadata": (400, "invalid_client_metadata", "The endpoint refuses the metadata."),
    "invalid_software_statement": (400, "invalid_software_statement", "The endpoint refuses the software statement."),
    "unapproved_software_statement": (400, "unapproved_software_statement", "The software is not approved."),
    "invalid_token": (401, "invalid_token", "The endpoint refuses the initial access token."),
    "forbidden": (403, "access_denied", "Clients may not register themselves."),
    "too_many": (429, "temporarily_unavailable", "Too many clients have registered."),
}


def _members_fault(name: str, description: str, changes: Mapping[str, Any]) -> None:
    def change(members: Claims, _setting: Setting) -> Claims:
        return {member: value for member, value in {**members, **changes}.items() if value is not ...}

    change.__doc__ = description
    register_as(REGISTRATION_MEMBERS, f"registration_{name}", change)


def _error_fault(name: str, status: int, error: str, description: str) -> None:
    def refuse(_setting: Setting) -> Answer:
        return error_answer(error, "<b>call +1-800-PHISHING</b>", status)

    refuse.__name__, refuse.__doc__ = f"registration_{name}", description
    instead_of("register")(refuse)


for _name, (_description, _changes) in CHANGED_MEMBERS.items():
    _members_fault(_name, _description, _changes)
for _name, (_status, _error, _description) in ERRORS.items():
    _error_fault(_name, _status, _error, _description)


@registered_in(REGISTRATION_MEMBERS)
def registration_secret_expired(members: Claims, setting: Setting) -> Claims:
    """The secret expired an hour ago."""
    return members | {"client_secret_expires_at": setting.now - 3600}


@registered_in(REGISTRATION_MEMBERS)
def registration_secret_expires(members: Claims, setting: Setting) -> Claims:
    """The secret expires in a day, which is allowed."""
    return members | {"client_secret_expires_at": setting.now + 86_400}


@answer_of("register")
def registration_status_200(answer: Answer, _setting: Setting) -> Answer:
    """The endpoint answers 200 where RFC 7591 demands 201, as some providers do."""
    return replace(answer, status=200)


@answer_of("register")
def registration_500(_answer: Answer, _setting: Setting) -> Answer:
    """The endpoint answers 500."""
    return Answer(500, b"oops", {"content-type": "text/plain"})


@answer_of("register")
def registration_html(_answer: Answer, _setting: Setting) -> Answer:
    """The endpoint answers a web page with status 201."""
    return html_answer("<!doctype html><title>Welcome</title>", 201)


@answer_of("register")
def registration_not_json(answer: Answer, _setting: Setting) -> Answer:
    """The answer is cut off in the middle."""
    return replace(answer, body=answer.body[: len(answer.body) // 2])


@answer_of("register")
def registration_json_array(answer: Answer, _setting: Setting) -> Answer:
    """The answer is JSON, but not an object."""
    return replace(answer, body=b"[" + answer.body + b"]")


@answer_of("register")
def registration_huge(answer: Answer, _setting: Setting) -> Answer:
    """The answer is valid JSON of 10 MB."""
    return with_members(answer, padding="x" * HUGE)


@answer_of("register")
def registration_gzip_bomb(answer: Answer, _setting: Setting) -> Answer:
    """The answer is 1 kB that decompresses to 512 MB, compressed twice."""
    return replace(answer, body=gzip_bomb()).having(content_encoding="gzip, gzip")


@answer_of("register")
def registration_redirect(_answer: Answer, _setting: Setting) -> Answer:
    """The endpoint answers 307, which would send the initial access token elsewhere."""
    return replace(redirect_answer(ELSEWHERE), status=307)


@answer_of("register")
def registration_hangs(answer: Answer, _setting: Setting) -> Answer:
    """The endpoint never answers."""
    return replace(answer, delay=math.inf)


@instead_of("manage_registration")
def registration_removed(_setting: Setting) -> Answer:
    """The client was removed at the provider, and its registration access token is invalid (RFC 7592 §2)."""
    refusal = error_answer("invalid_token", "no such registration", 401)
    return refusal.having(www_authenticate='Bearer error="invalid_token"')


@answer_of("discovery")
def registration_no_endpoint(answer: Answer, _setting: Setting) -> Answer:
    """The metadata has no `registration_endpoint`."""
    return json_answer(without(json.loads(answer.body), "registration_endpoint"))


@answer_of("discovery")
def registration_endpoint_plain_http(answer: Answer, _setting: Setting) -> Answer:
    """`registration_endpoint` in the metadata is a plain http URL."""
    return with_members(answer, registration_endpoint="http://id.example.com/register")


@answer_of("discovery")
def registration_endpoint_number(answer: Answer, _setting: Setting) -> Answer:
    """`registration_endpoint` in the metadata is a number."""
    return with_members(answer, registration_endpoint=7)


@answer_of("discovery")
def client_documents_text(answer: Answer, _setting: Setting) -> Answer:
    """`client_id_metadata_document_supported` in the metadata is a text."""
    return with_members(answer, client_id_metadata_document_supported="true")
