"""Describes bearer tokens in the OpenAPI document of a FastAPI app, so that its `/docs` can get and send them."""

import copy
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.models import APIKey, HTTPBearer, OAuth2, OAuthFlowAuthorizationCode, OAuthFlows, SecurityBase

from asgi_oidc.policy.policy import EVERYTHING_BUT_RULES, Policy, read_public
from asgi_oidc.policy.requirements import read_scopes
from asgi_oidc.policy.rules import Rule, read_rules
from asgi_oidc.safe_urls import check_url

SIGN_IN = "SignIn"  # the names that the document gives to the ways to authenticate
SESSION_COOKIE = "SessionCookie"
BEARER_TOKEN = "BearerToken"  # noqa: S105  # a name, not a token
METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})

Document = dict[str, Any]

_PARAMETER = re.compile(r"\{[^/{}]+\}")
_ANY_VALUE = "any-value"  # stands for the value of a path parameter, which rules do not know


def describe_bearer_tokens(
    api: FastAPI,
    *,
    authorization_url: str | None = None,
    token_url: str | None = None,
    scopes: Mapping[str, str] | None = None,
    public: str | Collection[str] = EVERYTHING_BUT_RULES,
    rules: Sequence[Rule] = (),
) -> None:
    """Add bearer tokens to the OpenAPI document, as the alternative to the session at every operation that takes them.

    With both URLs, they are described as OAuth 2.0 with the scopes of each operation, and `/docs` gets a token by the
    authorization code flow. Without them, a token can be pasted there.

        api = FastAPI(swagger_ui_init_oauth={"clientId": "docs", "usePkceWithAuthorizationCodeGrant": True})
        describe_bearer_tokens(api, authorization_url="https://...", token_url="https://...", rules=RULES)

    Args:
        authorization_url, token_url: the provider's `authorization_endpoint` and `token_endpoint`.
        scopes: what the scopes are for, by name; those of routes and rules are listed even if they are not in it.
        public, rules: as in the settings of the middleware, so that the document says what the paths require. Without
            them, it says what the dependencies `CurrentUser`, `SignIn` and `require` require.

    Raises:
        ValueError: an argument is invalid.
    """
    scheme = _token_scheme(authorization_url, token_url, dict(scopes or {}))
    described = _Description(scheme, Policy(read_public(public), read_rules(rules), base_path=""))
    make_document, latest = api.openapi, _Latest()

    def openapi() -> Document:
        source = make_document()  # FastAPI returns the same object until its routes change
        if latest.source is not source:
            latest.source, latest.document = source, described.add_to(copy.deepcopy(source))
        return latest.document

    api.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own documentation extends the document this way


def session_cookie() -> APIKey:
    """Return the description of the session."""
    description = "The session cookie: sign in with a browser to get it. Its full name depends on the settings."
    return APIKey.model_validate({"in": "cookie", "name": "oidc", "description": description})


def any_token() -> HTTPBearer:
    """Return the description of a bearer token that does not say how to get one."""
    return HTTPBearer(description="An access token of the provider, for this API.")


@dataclass(slots=True)
class _Latest:
    """The newest document, and what it was made from."""

    source: Document | None = None
    document: Document = None  # type: ignore[assignment]  # read only after it is set


@dataclass(frozen=True, slots=True)
class _Description:
    """What is added to a document."""

    scheme: SecurityBase
    policy: Policy

    def add_to(self, document: Document) -> Document:
        """Describe every operation anew, and list all of their scopes."""
        used: set[str] = set()
        for path, operations in document.get("paths", {}).items():
            for method in METHODS & operations.keys():
                used |= self._describe(path, method.upper(), operations[method])
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes.pop(SESSION_COOKIE, None)
        schemes |= {SIGN_IN: _encoded(session_cookie()), BEARER_TOKEN: _with_scopes(_encoded(self.scheme), used)}
        return document

    def _describe(self, path: str, method: str, operation: Document) -> set[str]:
        """Say how an operation is authenticated, and return the scopes that it requires."""
        listed: list[dict[str, list[str]]] = operation.get("security", [])
        own = {name: scopes for entry in listed for name, scopes in entry.items() if name in _OWN}
        path = _PARAMETER.sub(_ANY_VALUE, path)
        matched = self.policy.match({"path": path, "raw_path": path.encode(), "root_path": ""}, (method,))
        if not own and matched.opened_by is not None:
            return set()
        scopes = list(dict.fromkeys([*(scope for named in own.values() for scope in named), *matched.scopes]))
        takes_session = BEARER_TOKEN not in own and "session" in matched.credentials
        takes_token = SESSION_COOKIE not in own and "bearer" in matched.credentials
        # Each entry is a way of its own; FastAPI lists the dependencies of a route, all of which have to be met.
        ways = [{SIGN_IN: scopes}] * takes_session + [{BEARER_TOKEN: scopes}] * takes_token
        operation["security"] = [entry for entry in listed if not entry.keys() & _OWN] + ways
        return set(scopes) if takes_token else set()


_OWN = frozenset({SIGN_IN, SESSION_COOKIE, BEARER_TOKEN})


def _token_scheme(authorization_url: str | None, token_url: str | None, scopes: dict[str, str]) -> SecurityBase:
    if authorization_url is None and token_url is None:
        return any_token()
    urls = {"authorization_url": authorization_url, "token_url": token_url}
    for name, url in urls.items():
        if url is None:
            raise ValueError(f"{name} is missing: /docs needs both URLs, or none")
        try:
            check_url(url)
        except ValueError as exc:
            raise ValueError(f"{name} {exc}") from None
    if scopes:
        read_scopes(list(scopes))
    members = {"authorizationUrl": authorization_url, "tokenUrl": token_url, "scopes": scopes}
    return OAuth2(flows=OAuthFlows(authorizationCode=OAuthFlowAuthorizationCode.model_validate(members)))


def _encoded(scheme: SecurityBase) -> Document:
    return scheme.model_dump(mode="json", by_alias=True, exclude_none=True)


def _with_scopes(scheme: Document, used: Iterable[str]) -> Document:
    if "flows" in scheme:
        listed = scheme["flows"]["authorizationCode"]["scopes"]
        listed |= dict.fromkeys(sorted(set(used) - listed.keys()), "")
    return scheme
