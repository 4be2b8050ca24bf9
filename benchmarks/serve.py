"""Serves one of the sites with a real server: `python -m benchmarks.serve NAME PORT PROVIDER [STORE]`."""

import asyncio
import gc
import itertools
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import anyio
import uvicorn
from anyio import Lock
from benchmarks.peers import FRAMEWORKS, SessionBackend
from benchmarks.sites import SECRET, NoOp, bare
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware

from asgi_oidc import OIDCMiddleware
from asgi_oidc.sessions import in_cookies, revocations
from asgi_oidc.testing import Client, FakeProvider, Persona

TIDY_AFTER = 1000  # calls that the provider remembers
USERS = 5000


def ours(app: Any, port: int, provider: str, store: str | None) -> Any:
    """Wrap an app in this library."""
    kept = "memory:" if store == "memory" else store
    return OIDCMiddleware(
        app,
        issuer=provider,
        client_id="web",
        client_secret="web-secret-for-tests",
        base_url=f"http://127.0.0.1:{port}",
        secret=SECRET,
        scope="openid profile email offline_access",
        public=["/public/*"],
        store=kept,
    )


def strong(app: Any, port: int, provider: str) -> Any:
    """Wrap an app in this library as a client with a key, pushed requests and bound tokens."""
    return OIDCMiddleware(
        app,
        issuer=provider,
        client_id="strong",
        client_key=os.environ["CLIENT_KEY"],
        base_url=f"http://127.0.0.1:{port}",
        secret=SECRET,
        scope="openid profile email offline_access",
        public=["/public/*"],
        userinfo="always",
        par="always",
        dpop="always",
    )


def the_provider(port: int) -> Any:
    """Return a provider whose user is signed in already, another one for each login."""
    personas = [Persona(f"user-{number}", f"User {number}", f"user-{number}@example.com") for number in range(USERS)]
    provider = FakeProvider(issuer=f"http://127.0.0.1:{port}", alg="ES256", personas=personas)
    turns = itertools.cycle(personas)
    if "CLIENT_JWK" in os.environ:
        provider.register(Client("strong", None, jwks=[json.loads(os.environ["CLIENT_JWK"])]))
        provider.dpop_nonces = "always"
    provider.access_token_lifetime = int(os.environ.get("ACCESS_TOKEN_LIFETIME", "3600"))

    async def tidy(scope: Any, receive: Any, send: Any) -> None:
        del provider.calls[:-TIDY_AFTER]
        provider.signed_in_as = next(turns)
        await provider(scope, receive, send)

    return tidy


def starsessions(app: Any, store: str) -> Any:
    """Wrap an app in starsessions, the session middleware with a store for Starlette apps."""
    from starsessions import SessionAutoloadMiddleware, SessionMiddleware
    from starsessions.stores.redis import RedisStore

    return SessionMiddleware(
        SessionAutoloadMiddleware(app), store=RedisStore(store), cookie_https_only=False, lifetime=3600
    )


def sites(port: int, provider: str, store: str | None) -> dict[str, Callable[[], Any]]:
    """Return all sites that can be served, by name."""
    return {
        "bare app": lambda: bare,
        "no-op middleware": lambda: NoOp(bare),
        "SessionMiddleware": lambda: SessionMiddleware(bare, SECRET),
        "SessionMiddleware + AuthenticationMiddleware": lambda: SessionMiddleware(
            AuthenticationMiddleware(bare, SessionBackend()), SECRET
        ),
        "asgi-oidc": lambda: ours(bare, port, provider, store),
        "strong client": lambda: strong(bare, port, provider),
        **FRAMEWORKS,
        **{f"{name} in asgi-oidc": in_ours(make, port, provider, store) for name, make in FRAMEWORKS.items()},
        **{f"{name} in SessionMiddleware": in_session_middleware(make) for name, make in FRAMEWORKS.items()},
        "starsessions": lambda: starsessions(Signing(bare), store or ""),
        "token": lambda: ours(Telling(), port, provider, store),
        "soak": lambda: with_small_tables(ours(Telling(), port, provider, store)),
        "provider": lambda: the_provider(port),
    }


def in_ours(make: Callable[[], Any], port: int, provider: str, store: str | None) -> Callable[[], Any]:
    """Return a function that makes an app and wraps it in this library."""
    return lambda: ours(make(), port, provider, store)


def in_session_middleware(make: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that makes an app and wraps it in `SessionMiddleware`."""
    return lambda: SessionMiddleware(make(), SECRET)


def with_small_tables(app: OIDCMiddleware) -> OIDCMiddleware:
    """Make all caches so small that they are full after some minutes; memory that still grows after that is a leak."""
    in_cookies.MAX_LAST_USES = revocations.MAX_LOGINS = 300
    http, watcher = app._composition.http, app._composition.websockets._watcher
    sessions: Any = watcher.sessions
    used: Any = http._endpoint_routing._endpoints["/auth/callback"]
    tokens = http._app_scopes._tools.resource_tokens
    tables: tuple[Any, ...] = (sessions._cache, sessions._undelivered, tokens._tokens._cache)
    for table in tables:
        table._max_entries = 300
    used.used_logins._replay_cache._max_names = 300
    # Enough for the sessions of a minute; a session that is older than a forgotten revocation is over.
    watcher.revocations._max_revocations = 30_000
    return app


class Telling:
    """Shows the current token, and what the process holds."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await bare(scope, receive, send)
            return
        body = b"ok"
        if scope["path"] == "/token":
            body = (await scope["oidc"].access_token()).encode()
        if scope["path"] == "/public/inside":
            gc.collect()
            tasks, locks = len(asyncio.all_tasks()), sum(isinstance(it, Lock | anyio.Event) for it in gc.get_objects())
            body = json.dumps({"tasks": tasks, "locks and events": locks}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Signing:
    """Puts a user into the session at `/sign-in`, for peers that have no login of their own."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Call the app."""
        if scope.get("path") == "/sign-in":
            from benchmarks.sites import CLAIMS, ID_TOKEN

            scope["session"].update({"user": CLAIMS, "id_token": ID_TOKEN})
        await self.app(scope, receive, send)


def make() -> Any:
    """Make the app; each of several processes makes its own."""
    name, port, provider, *store = json.loads(os.environ["SERVED"])
    return sites(int(port), provider, store[0] if store else None)[name]()


def main() -> None:
    """Serve until the process is stopped."""
    os.environ["SERVED"] = json.dumps(sys.argv[1:])
    port = int(sys.argv[2])
    if os.environ.get("SERVER") == "granian":
        from granian import Granian
        from granian.constants import Interfaces
        from granian.log import LogLevels

        Granian(
            "benchmarks.serve:make", port=port, interface=Interfaces.ASGI, factory=True, log_level=LogLevels.critical
        ).serve()
        return
    uvicorn.run(
        "benchmarks.serve:make",
        factory=True,
        port=port,
        loop="uvloop",
        http="httptools",
        log_level="critical",
        access_log=False,
    )


if __name__ == "__main__":
    main()
