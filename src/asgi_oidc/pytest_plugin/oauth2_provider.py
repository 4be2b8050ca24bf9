"""A fake provider with plain OAuth 2.0, made from the settings of the app: its user API answers as they expect."""

import re
import time
from collections.abc import Callable
from typing import Any

from asgi_oidc.protocol.user_api import read_path
from asgi_oidc.provider.oauth2_settings import OAuth2Settings
from asgi_oidc.pytest_plugin.app_provider import TermsOfSignIns
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.testing import OAuth2StandIn
from asgi_oidc.testing.endpoints import AUTHORIZE, REVOKE, TOKEN, USERINFO, Endpoint
from asgi_oidc.testing.grants import Token
from asgi_oidc.testing.logout import ProviderLogout
from asgi_oidc.testing.standins.stand_in import Routes
from asgi_oidc.testing.wire import Answer, Call, json_answer


class OAuth2Provider(TermsOfSignIns, OAuth2StandIn):
    """A provider whose endpoints and user API are those of the app's settings."""

    client_auth_methods = ("client_secret_basic", "client_secret_post")

    def __init__(self, settings: OAuth2Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._user_api = settings.user_api
        self.real_issuer = settings.response_issuer or origin_of(check_url(settings.authorization_endpoint))  # type: ignore[misc]  # each has its own
        self.sends_iss = settings.response_issuer is not None
        self.routes = _routes(settings)  # type: ignore[misc]  # the same
        super().__init__(accounts=(), clients=(), clock=clock)

    def userinfo(self, _call: Call, token: Token) -> dict[str, Any]:
        """Return the user, with each claim where the app looks for it."""
        persona, api = token.grant.sign_in.persona, self._user_api
        claims = persona.claims_for(token.scopes)
        user: dict[str, Any] = {name: value for name, value in claims.items() if name not in api.claims}
        for name, source in api.claims.items():
            if name in claims and not _has_braces(source):
                _put(user, read_path(source), claims[name])
        _put(user, read_path(api.subject), persona.sub)
        return user


def _routes(settings: OAuth2Settings) -> Routes:
    api = settings.user_api
    found = {
        ("GET", settings.authorization_endpoint): AUTHORIZE,
        ("POST", settings.authorization_endpoint): AUTHORIZE,
        ("POST", settings.token_endpoint): TOKEN,
        ("GET", api.endpoint): USERINFO,
        ("GET", api.emails_endpoint): Endpoint("userinfo", _emails),
        ("POST", settings.revocation_endpoint): REVOKE,
    }
    return {(method, url): endpoint for (method, url), endpoint in found.items() if url is not None}


def _emails(provider: ProviderLogout, call: Call) -> Answer:
    """Return the addresses of the user, as GitHub lists them."""
    token = provider.memory.live_access_token(
        re.sub("^Bearer ", "", call.headers.get("authorization", "")), now=provider.now()
    )
    if token is None:
        return provider.refuse_access_token(call)
    claims = token.grant.sign_in.persona.claims_for(token.scopes)
    primary = {"email": claims.get("email"), "primary": True, "verified": claims.get("email_verified", False)}
    return json_answer([primary] if "email" in claims else [])


def _has_braces(source: object) -> bool:
    return isinstance(source, str) and "{" in source


def _put(members: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    """Set the value at a path into nested objects."""
    *outer, last = path
    for name in outer:
        members = members.setdefault(name, {})
    members[last] = value
