"""Faults of a provider with signed authorization requests (RFC 9101)."""

import json

from ..wire import Answer, json_answer
from .registry import CALLBACK_PARAMS, Params, Setting, answer_of, registered_in, with_members, without


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
