"""The signed-in user as a typed FastAPI dependency that shows in the OpenAPI document."""

import os
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Annotated, Unpack, cast

from fastapi import Depends, HTTPException, Security, WebSocketException, params
from fastapi.openapi.models import OpenIdConnect
from fastapi.openapi.models import SecurityBase as SecurityScheme
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from asgi_oidc.integrations.openapi import (
    BEARER_TOKEN,
    SESSION_COOKIE,
    SIGN_IN,
    any_token,
    describe_bearer_tokens,
    session_cookie,
)
from asgi_oidc.integrations.refusals import Refusal
from asgi_oidc.integrations.route_checks import RequirementKeywords, Terms, check_user, find_user, read_terms
from asgi_oidc.policy.requirements import BEARER, SESSION
from asgi_oidc.principal import User

__all__ = [
    "CurrentUser",
    "OptionalUser",
    "Requirement",
    "SignIn",
    "describe_bearer_tokens",
    "optional_user",
    "require",
]


class SignIn(SecurityBase):
    """A dependency that returns the signed-in user; `Security(SignIn(), scopes=["email"])` requires scopes as well.

    Args:
        issuer: the provider that the OpenAPI document names; by default `OIDC_ISSUER`. Without either, the document
            describes the session cookie.
        environ: where `OIDC_ISSUER` is read from; by default, the environment of the process.
        terms: what the route requires besides scopes.
    """

    def __init__(
        self, *, issuer: str | None = None, environ: Mapping[str, str] | None = None, terms: Terms | None = None
    ) -> None:
        # Read here: FastAPI may generate the document before the first request, which would show the provider.
        issuer = issuer or (os.environ if environ is None else environ).get("OIDC_ISSUER")
        self._terms = terms or Terms()
        self.scheme_name, self.model = _described(self._terms, issuer)
        self._key = _key_of(self._terms)

    def __eq__(self, other: object) -> bool:
        """Compare by requirements: equal ones are the same key of `app.dependency_overrides`."""
        dependency = other.dependency if isinstance(other, params.Depends) else other
        return isinstance(dependency, SignIn) and type(dependency) is type(self) and dependency._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> User:
        """Return the user.

        Raises:
            HTTPException: 401 if the user is not signed in or needs a stronger login, or 303 if the request is a page
                navigation; 403 if the user does not meet the requirements.
            WebSocketException: for a websocket, 4401 instead of 401, and 4403 instead of 403.
            RuntimeError: the app is not wrapped in `OIDCMiddleware`.
        """
        # Without `Security`, FastAPI passes no scopes: those of `terms` count even so.
        scopes = dict.fromkeys((*self._terms.requirements.scopes, *security_scopes.scopes))
        match check_user(connection.scope, self._terms.with_scopes(tuple(scopes))):
            case User() as user:
                return user
            case Refusal() as refusal if connection.scope["type"] == "websocket":
                raise WebSocketException(refusal.close_code, refusal.title)
            case refusal:
                raise HTTPException(refusal.status, refusal.problem, refusal.headers)


class Requirement(params.Security):
    """The dependency that `require` makes; it can be a key of `app.dependency_overrides`."""

    def __eq__(self, other: object) -> bool:
        return self.dependency == other

    def __hash__(self) -> int:
        return hash(self.dependency)

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> User:
        """Return the user, so that `Depends(require(...))` works too."""
        return await cast("SignIn", self.dependency)(connection, security_scopes)


async def optional_user(connection: HTTPConnection) -> User | None:
    """Return the user; None if the user is not signed in.

    Raises:
        RuntimeError: the app is not wrapped in `OIDCMiddleware`.
    """
    return find_user(connection.scope)


def require(**requirements: Unpack[RequirementKeywords]) -> Requirement:
    """Make a dependency for `dependencies=[require(...)]` or `user: Annotated[User, require(...)]`.

    It takes the same requirements as `Rule`: `claims`, `scopes`, `credentials` and so on. In tests,
    `app.dependency_overrides[require(...)] = get_user` replaces every dependency with the same requirements.

    Raises:
        ValueError: the requirements are invalid.
    """
    terms = read_terms(**requirements)
    return Requirement(SignIn(terms=terms), scopes=terms.requirements.scopes)


def _key_of(terms: Terms) -> Hashable:
    # FastAPI calls equal dependencies once per request. In Python True == 1, but they are different requirements, so
    # the types of the values are part of the key.
    claims = tuple(
        (name, path, tuple((type(value), value) for value in values))
        for name, path, values in terms.requirements.claims
    )
    requirements = terms.requirements
    return claims, replace(requirements, claims=()), terms.authentication


def _described(terms: Terms, issuer: str | None) -> tuple[str, SecurityScheme]:
    """Return the name and the description of what the OpenAPI document says that a route takes."""
    if not terms.requirements.takes(SESSION):
        return BEARER_TOKEN, any_token()
    if not terms.requirements.takes(BEARER):
        return SESSION_COOKIE, session_cookie()
    return SIGN_IN, _open_id_connect(issuer) if issuer else session_cookie()


def _open_id_connect(issuer: str) -> OpenIdConnect:
    # OpenID Connect Discovery §4.1: a trailing "/" of the issuer is removed first.
    return OpenIdConnect(openIdConnectUrl=f"{issuer.removesuffix('/')}/.well-known/openid-configuration")


CurrentUser = Annotated[User, Security(SignIn())]
"""The signed-in user. Without one, a page navigation is sent to the login, and any other request gets 401."""
OptionalUser = Annotated[User | None, Depends(optional_user)]
"""The signed-in user, or None on a public path without a session."""
