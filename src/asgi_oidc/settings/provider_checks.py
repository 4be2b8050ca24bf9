"""Checks that the settings of one provider fit together."""

import difflib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from asgi_oidc.errors import OIDCError
from asgi_oidc.protocol.back_channel import BackChannel
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.metadata import MEMBERS, REQUIRED, ProviderMetadata, make_metadata
from asgi_oidc.protocol.provider_compatibility import LoginPlan, find_incompatibilities
from asgi_oidc.protocol.response_algorithms import pinned_algorithms
from asgi_oidc.settings.certificate_checks import certificate_problems
from asgi_oidc.settings.client_checks import client_problems
from asgi_oidc.settings.profile_checks import profile_problems
from asgi_oidc.settings.provider_exception_checks import exception_contradictions
from asgi_oidc.settings.provider_readers import ALGORITHMS, read_client
from asgi_oidc.settings.response_algorithm_checks import response_algorithm_problems


def provider_contradictions(values: Mapping[str, Any]) -> list[str]:
    """Return the problems of settings that do not fit together."""
    problems = client_problems(values) + certificate_problems(values) + exception_contradictions(values)
    problems += response_algorithm_problems(values)
    problems += profile_problems(values)
    if values.get("metadata") and "issuer" in values:
        problems += [f"metadata: {problem}" for problem in _metadata_problems(values)]
    return problems


def _metadata_problems(values: Mapping[str, Any]) -> list[str]:
    issuer, members = values["issuer"], values["metadata"]
    if members.get("issuer", issuer) != issuer:
        return ["the member issuer must equal the setting issuer; leave it out"]
    placeholders = dict.fromkeys(REQUIRED, issuer)  # required members that are not set will be discovered
    try:
        metadata = make_metadata(
            issuer,
            {**placeholders, **members},
            back_channel=_back_channel(values),
            uses_aliases=_client(values).presents_certificate,
        )
    except OIDCError as exc:
        return [exc.detail]
    problems = []
    for name in members.keys() - MEMBERS:
        if similar := difflib.get_close_matches(name, MEMBERS, n=1, cutoff=0.9):
            problems.append(f"unknown member {name}; did you mean {similar[0]}?")
    if all(name in members for name in REQUIRED):
        problems += _incompatibilities(values, metadata)
    return problems


def _client(values: Mapping[str, Any]) -> Client:
    with suppress(ValueError, KeyError):  # reported already
        return read_client({"client_id": "", **values})
    return read_client({"client_id": "", **values, "client_certificate": None, "client_certificate_key": None})


def _back_channel(values: Mapping[str, Any]) -> BackChannel:
    return BackChannel(values.get("internal_url"), values.get("allow_http_hosts", ()))


def _incompatibilities(values: Mapping[str, Any], metadata: ProviderMetadata) -> list[str]:
    """Report what makes every login impossible, given complete metadata that needs no discovery."""
    problems = []
    if values.get("userinfo") == "always" and metadata.userinfo_endpoint is None:
        problems.append("userinfo='always' needs a userinfo_endpoint")
    plan = LoginPlan(
        _client(values),
        response_mode=values.get("authorization_params", {}).get("response_mode"),
        algorithms=ALGORITHMS if values.get("algorithms", ()) is None and not values.get("allow_hs256") else None,
        uses_pkce=not values.get("allow_missing_pkce"),
        authorization_details=values.get("authorization_details", ()),
        par="always" if values.get("profile") else values.get("par", "auto"),
        request_object=bool(values.get("request_object")),
        request_object_signing_alg=values.get("request_object_signing_alg"),
        dpop=values.get("dpop", "never"),
        pinned=pinned_algorithms(values),
    )
    return problems + [obstacle.text for obstacle in find_incompatibilities(metadata, plan)]
