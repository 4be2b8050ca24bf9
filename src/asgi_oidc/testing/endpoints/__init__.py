"""The endpoints of the fake provider, one file each, and their paths."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..keys import json_bytes
from ..logout import ProviderLogout
from ..provider_state import ProviderState
from ..wire import Answer, Call, json_answer
from .authorize import authorize
from .end_session import end_session
from .revoke import revoke
from .token_call import GRANT_NAMES, token
from .userinfo import userinfo


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of the provider."""

    name: str
    handle: Callable[[ProviderLogout, Call], Answer]


def discovery(provider: ProviderState, _call: Call) -> Answer:
    """Return the metadata (OpenID Connect Discovery §4)."""
    return json_answer(provider.metadata)


def jwks(provider: ProviderState, _call: Call) -> Answer:
    """Return the keys (RFC 7517 §5)."""
    answer = Answer(200, json_bytes({"keys": provider.published_keys}), {"content-type": "application/json"})
    return replace(answer, headers={**answer.headers, **provider.jwks_headers})


ENDPOINTS = {
    ("GET", "/.well-known/openid-configuration"): Endpoint("discovery", discovery),
    ("GET", "/jwks"): Endpoint("jwks", jwks),
    ("GET", "/authorize"): Endpoint("authorize", authorize),
    ("POST", "/authorize"): Endpoint("authorize", authorize),
    ("POST", "/token"): Endpoint("token", token),
    ("POST", "/revoke"): Endpoint("revoke", revoke),
    ("GET", "/userinfo"): Endpoint("userinfo", userinfo),
    ("POST", "/userinfo"): Endpoint("userinfo", userinfo),
    ("GET", "/end_session"): Endpoint("end_session", end_session),
    ("POST", "/end_session"): Endpoint("end_session", end_session),
}
NAMES = {endpoint.name for endpoint in ENDPOINTS.values()} | set(GRANT_NAMES.values())


def endpoint_at(call: Call, base_path: str) -> Endpoint | None:
    """Return the endpoint of a call; `base_path` is the path of the issuer."""
    if not call.path.startswith(base_path + "/"):
        return None
    return ENDPOINTS.get((call.method, call.path[len(base_path) :]))


def names_of(endpoint: Endpoint | None, call: Call) -> tuple[str, ...]:
    """Return the names of a call for `hold` and faults: the endpoint and, at the token endpoint, the grant."""
    if endpoint is None:
        return ()
    grant_name = GRANT_NAMES.get(call.form.get("grant_type", "")) if endpoint.name == "token" else None
    return (endpoint.name, grant_name) if grant_name else (endpoint.name,)
