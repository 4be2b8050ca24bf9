"""Faults of the metadata about mutual TLS (RFC 8705 §5)."""

import json
from typing import Any

from ..wire import Answer, json_answer
from .registry import Setting, answer_of, with_members, without


@answer_of("discovery")
def mtls_no_aliases(answer: Answer, _setting: Setting) -> Answer:
    """The metadata does not say where clients with a certificate are served."""
    return json_answer(without(json.loads(answer.body), "mtls_endpoint_aliases"))


@answer_of("discovery")
def mtls_no_token_alias(answer: Answer, _setting: Setting) -> Answer:
    """The aliases lack the token endpoint."""
    return with_members(answer, mtls_endpoint_aliases=without(_aliases(answer), "token_endpoint"))


@answer_of("discovery")
def mtls_alias_plain_http(answer: Answer, _setting: Setting) -> Answer:
    """The alias of the token endpoint is a plain http URL, where no certificate can be presented."""
    return _with_token_alias(answer, "http://mtls.id.example.com/token")


@answer_of("discovery")
def mtls_alias_number(answer: Answer, _setting: Setting) -> Answer:
    """The alias of the token endpoint is a number."""
    return _with_token_alias(answer, 7)


@answer_of("discovery")
def mtls_alias_null(answer: Answer, _setting: Setting) -> Answer:
    """The alias of the token endpoint is null."""
    return _with_token_alias(answer, None)


@answer_of("discovery")
def mtls_aliases_list(answer: Answer, _setting: Setting) -> Answer:
    """The aliases are a list."""
    return with_members(answer, mtls_endpoint_aliases=list(_aliases(answer).values()))


def _aliases(answer: Answer) -> dict[str, Any]:
    return dict(json.loads(answer.body).get("mtls_endpoint_aliases", {}))


def _with_token_alias(answer: Answer, value: Any) -> Answer:
    return with_members(answer, mtls_endpoint_aliases=_aliases(answer) | {"token_endpoint": value})
