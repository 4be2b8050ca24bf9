"""Faults of a provider with signed authorization requests (RFC 9101) and `authorization_details` (RFC 9396)."""

import json
from collections.abc import Mapping
from typing import Any

from ..wire import Answer, error_answer, json_answer
from .registry import (
    CALLBACK_PARAMS,
    TOKEN_MEMBERS,
    Claims,
    Params,
    Setting,
    answer_of,
    instead_of,
    register_as,
    registered_in,
    with_members,
    without,
)

# The `authorization_details` of the token answer, whatever was granted; `...` leaves them out.
CHANGED_DETAILS: Mapping[str, tuple[str, Any]] = {
    "missing": ("The token answer does not say what was granted in detail.", ...),
    "null": ("The details in the token answer are null.", None),
    "empty": ("Nothing was granted in detail.", []),
    "malformed": ("The details in the token answer are a text.", '[{"type":"payment"}]'),
    "object": ("The details in the token answer are one object, not a list.", {"type": "payment"}),
    "not_objects": ("The details in the token answer are numbers and texts.", [7, "payment"]),
    "without_type": ("The details in the token answer have no type.", [{"actions": ["read"]}]),
    "type_number": ("The type of the details in the token answer is a number.", [{"type": 7}]),
    "other_type": ("The details that were granted are of a type that was not asked for.", [{"type": "administration"}]),
    "too_many": ("The token answer has 20,000 details.", [{"type": "payment"}] * 20_000),
}


def _details_fault(name: str, description: str, value: Any) -> None:
    def change(members: Claims, _setting: Setting) -> Claims:
        changed = members | {"authorization_details": value}
        return {member: it for member, it in changed.items() if it is not ...}

    change.__doc__ = description
    register_as(TOKEN_MEMBERS, f"authorization_details_{name}", change)


for _name, (_description, _value) in CHANGED_DETAILS.items():
    _details_fault(_name, _description, _value)


@instead_of("par")
def par_error_invalid_authorization_details(_setting: Setting) -> Answer:
    """The PAR endpoint refuses the details."""
    return error_answer("invalid_authorization_details", "<b>call +1-800-PHISHING</b>")


@registered_in(CALLBACK_PARAMS)
def callback_error_invalid_authorization_details(params: Params, _setting: Setting) -> Params:
    """The login ends in `invalid_authorization_details`."""
    return [("error", "invalid_authorization_details"), *(pair for pair in params if pair[0] != "code")]


@answer_of("discovery")
def discovery_details_types_of_wrong_type(answer: Answer, _setting: Setting) -> Answer:
    """The types of details in the metadata are a text instead of a list."""
    return with_members(answer, authorization_details_types_supported="payment")


@answer_of("discovery")
def discovery_request_object_algs_unusable(answer: Answer, _setting: Setting) -> Answer:
    """The provider accepts request objects without a signature only."""
    return with_members(answer, request_object_signing_alg_values_supported=["none"])


@answer_of("discovery")
def discovery_signed_requests_without_algs(answer: Answer, _setting: Setting) -> Answer:
    """The provider requires request objects, but does not say with which algorithms."""
    kept = without(json.loads(answer.body), "request_object_signing_alg_values_supported")
    return json_answer(kept | {"require_signed_request_object": True})


@registered_in(CALLBACK_PARAMS)
def callback_error_invalid_request_object(params: Params, _setting: Setting) -> Params:
    """The login ends in `invalid_request_object`."""
    return [("error", "invalid_request_object"), *(pair for pair in params if pair[0] != "code")]
