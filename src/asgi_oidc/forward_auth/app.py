"""`ForwardAuth`: an ASGI app that tells a proxy whether an app that is not ASGI may have a request, and from whom."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

from asgi_oidc.audit.reporting import CLIENT_ADDRESS
from asgi_oidc.errors import SettingsError
from asgi_oidc.errors.sanitized import call_sanitized
from asgi_oidc.forward_auth.answers import Answer
from asgi_oidc.forward_auth.checks import Checks
from asgi_oidc.forward_auth.identity import Identity, IdentityOptions, read_identity
from asgi_oidc.forward_auth.trusted_proxies import TrustedProxies
from asgi_oidc.forward_auth.upstream import Upstream
from asgi_oidc.middleware import OIDCMiddleware
from asgi_oidc.settings.keywords import Keywords
from asgi_oidc.web.asgi_types import Receive, Scope, Send
from asgi_oidc.web.response import json_response

CHECK_PATH = "/forward-auth"  # for Traefik and Caddy, which pass every "no" on to the browser
NGINX_PATH = "/forward-auth/nginx"
JWKS_PATH = "/forward-auth/jwks"
CHECK_PATHS = (CHECK_PATH, NGINX_PATH)


class ForwardAuth:
    """Sign-in for an app that is not ASGI: a proxy asks here before it passes a request on to the app.

    nginx asks at `/forward-auth/nginx`, Traefik and Caddy at `/forward-auth`; the public keys of identity tokens are at
    `/forward-auth/jwks`. All other requests go to the middleware, which has its own URLs, such as `/auth/login`.

        app = ForwardAuth(
            trusted_proxies=["127.0.0.1"],
            headers={"X-User": "sub", "X-Email": "email"},
            issuer="https://id.example.com",
            client_id="web",
            client_secret="...",
            base_url="https://app.example.com",
            secret="...",
        )

    The server must not take addresses from headers: `uvicorn --no-proxy-headers --ws none`.

    Args:
        trusted_proxies: addresses and networks of the proxies, or `unix`; auth requests from all others are refused.
        headers: the claim in each header of an allowed answer. `email` and `phone_number` only count if the provider
            has verified them; values that are no text are JSON.
        token_header: the header that has a signed token (JWT) with the same purpose.
        token_audience: its `aud`; by default, the origin of the request.
        token_claims: claims of the user in it, beside `sub` and `user_issuer`.
        signing_keys: private keys on P-256, as PEM or JWK: the first signs, all are published. By default, a new one.
        clock: returns seconds since the epoch; tests can pass their own.
        settings: those of `OIDCMiddleware`.

    Raises:
        SettingsError: the arguments or the settings are invalid.
    """

    def __init__(
        self,
        *,
        trusted_proxies: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        token_header: str | None = None,
        token_audience: str | None = None,
        token_claims: Sequence[str] = (),
        signing_keys: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
        **settings: Unpack[Keywords],
    ) -> None:
        options = IdentityOptions(
            headers=headers or {},
            token_header=token_header,
            token_audience=token_audience,
            token_claims=token_claims,
            signing_keys=signing_keys,
        )
        try:
            middleware = OIDCMiddleware(Upstream(), clock=clock, **settings)
            self._set_up(middleware, trusted_proxies, options, clock=clock)
        finally:
            del (
                settings,
                signing_keys,
                options,
            )  # they hold secrets, and error reporters record the variables of this frame

    @classmethod
    def from_env(
        cls,
        *,
        trusted_proxies: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        token_header: str | None = None,
        token_audience: str | None = None,
        token_claims: Sequence[str] = (),
        signing_keys: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        **settings: Any,  # not `Keywords`: those that are required may come from variables
    ) -> ForwardAuth:
        """Create the app from `OIDC_...` environment variables; keywords take precedence over them.

        Args:
            environ: the variables; by default, those of the process.

        Raises:
            SettingsError: the arguments or the settings are invalid.
        """
        app = cls.__new__(cls)
        options = IdentityOptions(
            headers=headers or {},
            token_header=token_header,
            token_audience=token_audience,
            token_claims=token_claims,
            signing_keys=signing_keys,
        )
        try:
            variables = os.environ if environ is None else environ
            middleware = OIDCMiddleware.from_env(Upstream(), environ=variables, clock=clock, **settings)
            app._set_up(middleware, trusted_proxies, options, clock=clock)
        finally:
            del settings, variables, environ, signing_keys, options  # a traceback shows the variables of this frame
        return app

    def _set_up(
        self,
        middleware: OIDCMiddleware,
        trusted_proxies: Sequence[str],
        options: IdentityOptions,
        *,
        clock: Callable[[], float],
    ) -> None:
        try:
            self._proxies, self._identity = call_sanitized(
                _read_options, trusted_proxies, options, middleware.base_url, clock
            )
        finally:
            del options
        self._middleware = middleware
        self._checks = Checks(middleware, self._proxies, self._identity, clock=clock)

    @property
    def app(self) -> OIDCMiddleware:
        """The middleware that decides."""
        return self._middleware

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        path = scope.get("path")
        address = self._proxies.client_address(scope)
        if address is not None:
            scope = {**scope, CLIENT_ADDRESS: address}
        if scope["type"] == "http" and path in CHECK_PATHS:
            answer = await self._checks.answer(scope, receive, is_nginx=path == NGINX_PATH)
            await _send(answer, scope, send)
        elif scope["type"] == "http" and path == JWKS_PATH and self._identity.tokens is not None:
            response = json_response(self._identity.tokens.jwks())
            await _send(Answer(response.status, response.headers, response.body), scope, send)
        else:
            await self._middleware(scope, receive, send)

    def __repr__(self) -> str:
        base_url = self._middleware.base_url if hasattr(self, "_middleware") else None  # None until it is set up
        return f"ForwardAuth(base_url={base_url!r})"


def _read_options(
    trusted_proxies: Sequence[str], options: IdentityOptions, issuer: str, clock: Callable[[], float]
) -> tuple[TrustedProxies, Identity]:
    """Read the arguments that are not settings of the middleware.

    Raises:
        SettingsError: one of them is invalid.
    """
    try:
        identity = read_identity(options, issuer=issuer, clock=clock)
        return TrustedProxies(trusted_proxies), identity
    except ValueError as error:
        problem = str(error)
    raise SettingsError([problem])


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    await send(
        {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body, "more_body": False}
    )
