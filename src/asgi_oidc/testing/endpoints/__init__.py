"""The endpoints of the fake provider, one file each, and their paths."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..keys import json_bytes
from ..logout import ProviderLogout
from ..provider_rules import ProviderRules
from ..wire import Answer, Call, json_answer
from .authorize import authorize
from .end_session import end_session
from .introspect import introspect
from .par import push
from .register import manage_registration, register
from .revoke import revoke
from .token_call import GRANT_NAMES, token
from .userinfo import userinfo


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of the provider."""

    name: str
    handle: Callable[[ProviderLogout, Call], Answer]


def discovery(provider: ProviderRules, call: Call) -> Answer:
    """Return the metadata (OpenID Connect Discovery §4, RFC 8414 §3)."""
    return json_answer(provider.metadata_at(call))


def jwks(provider: ProviderRules, call: Call) -> Answer:
    """Return the keys (RFC 7517 §5)."""
    answer = Answer(200, json_bytes({"keys": provider.keys_at(call)}), {"content-type": "application/json"})
    return replace(answer, headers={**answer.headers, **provider.jwks_headers})


DISCOVERY = Endpoint("discovery", discovery)
JWKS = Endpoint("jwks", jwks)
AUTHORIZE = Endpoint("authorize", authorize)
PAR = Endpoint("par", push)
TOKEN = Endpoint("token", token)
REVOKE = Endpoint("revoke", revoke)
INTROSPECT = Endpoint("introspect", introspect)
USERINFO = Endpoint("userinfo", userinfo)
END_SESSION = Endpoint("end_session", end_session)
REGISTER = Endpoint("register", register)
MANAGE_REGISTRATION = Endpoint("manage_registration", manage_registration)

ENDPOINTS = {
    ("GET", "/.well-known/openid-configuration"): DISCOVERY,
    ("GET", "/jwks"): JWKS,
    ("GET", "/authorize"): AUTHORIZE,
    ("POST", "/authorize"): AUTHORIZE,
    ("POST", "/par"): PAR,
    ("POST", "/token"): TOKEN,
    ("POST", "/revoke"): REVOKE,
    ("POST", "/introspect"): INTROSPECT,
    ("GET", "/userinfo"): USERINFO,
    ("POST", "/userinfo"): USERINFO,
    ("GET", "/end_session"): END_SESSION,
    ("POST", "/end_session"): END_SESSION,
    ("POST", "/register"): REGISTER,
    **{(method, "/register"): MANAGE_REGISTRATION for method in ("GET", "PUT", "DELETE")},
}


def endpoint_at(call: Call, base_path: str) -> Endpoint | None:
    """Return the endpoint of a call; `base_path` is the path of the issuer."""
    if (call.method, call.path) == ("GET", f"/.well-known/oauth-authorization-server{base_path}"):  # RFC 8414 §3.1
        return DISCOVERY
    if not call.path.startswith(base_path + "/"):
        return None
    return ENDPOINTS.get((call.method, call.path[len(base_path) :]))


def names_of(endpoint: Endpoint | None, call: Call, default_grant_type: str = "") -> tuple[str, ...]:
    """Return the names of a call for `hold` and faults: the endpoint and, at the token endpoint, the grant."""
    if endpoint is None:
        return ()
    grant_type = call.form.get("grant_type", default_grant_type)
    grant_name = GRANT_NAMES.get(grant_type) if endpoint.name == "token" else None
    return (endpoint.name, grant_name) if grant_name else (endpoint.name,)
