"""Reads the setting `tokens`: which tokens a session keeps."""

from collections.abc import Mapping
from typing import Any

from asgi_oidc.errors import describe_value
from asgi_oidc.sessions.kept_tokens import ACCESS_TOKEN, ALL_TOKENS, REFRESH_TOKEN, SHORT_FORMS, TOKEN_NAMES

_EXPECTED = f"one of {', '.join(map(repr, SHORT_FORMS))}, or a list of {', '.join(TOKEN_NAMES)}"


def read_tokens_setting(value: object) -> frozenset[str]:
    """Read a short form, the name of one token, or a list of names.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(value, str):
        if value in SHORT_FORMS:
            return SHORT_FORMS[value]
        value = [value]
    if not isinstance(value, list | tuple | set | frozenset):
        raise ValueError(f"must be {_EXPECTED}, got {describe_value(value)}")
    if not value:
        raise ValueError('is an empty list: write "none"')
    if unknown := [name for name in value if name not in TOKEN_NAMES]:
        raise ValueError(f"must be {_EXPECTED}, got {describe_value(unknown[0])}")
    return frozenset(value)


def tokens_problems(values: Mapping[str, Any]) -> list[str]:
    """Report settings that need a token which sessions do not keep."""
    kept = values.get("tokens", ALL_TOKENS)
    problems = []
    if values.get("recheck") is not None and not kept & {ACCESS_TOKEN, REFRESH_TOKEN}:
        problems.append(
            'recheck: remove it, or set tokens="refresh": the provider is asked with a refresh token or an access '
            "token, and sessions keep neither"
        )
    if REFRESH_TOKEN not in kept:
        problems += [
            f"{name}: remove {what}, or let sessions keep the refresh token (tokens): the provider would issue a "
            "long-lived one that nobody uses"
            for name, what in _offline_requests(values)
        ]
    return problems


def _offline_requests(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return where refresh tokens are asked for by name: the setting, and what to remove from it."""
    providers = values.get("providers")
    if isinstance(providers, Mapping):
        asking = [
            (name, what)
            for name, provider in providers.items()
            for what in _offline_request(provider.scope, provider.authorization_params).values()
        ]
        return [("providers", f"{what} of {name!r}") for name, what in asking]
    return list(_offline_request(values.get("scope", ""), values.get("authorization_params", {})).items())


def _offline_request(scope: str, authorization_params: Mapping[str, object]) -> dict[str, str]:
    """Return what asks one provider for refresh tokens that outlive the login, by the name of the setting.

    Source: OIDC Core §11 (offline_access); Google, "Using OAuth 2.0 for Web Server Applications" (access_type).
    """
    requests = {}
    if "offline_access" in scope.split():
        requests["scope"] = "offline_access from the scope"
    if authorization_params.get("access_type") == "offline":
        requests["authorization_params"] = "access_type=offline (offline_access)"
    return requests
