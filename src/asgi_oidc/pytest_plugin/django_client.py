"""Lets Django's AsyncClient go through the middleware: by itself, it calls Django and nothing around it."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from asgi_oidc.middleware import OIDCMiddleware
from asgi_oidc.pytest_plugin.client_middleware import NoMiddleware, app_of_django, middlewares_in
from asgi_oidc.pytest_plugin.cookie_jars import is_ours
from asgi_oidc.web.asgi_types import Message, Receive, Scope, Send

EXCHANGE = "asgi_oidc.django_exchange"  # in the scope of a request of the client
OWN_HEADERS = ("content-length", "content-type")  # Django's response has its own


class Exchange(NamedTuple):
    """A request of the client: what serves it in Django, its scope there, and the response when there is one."""

    handler: Any
    scope: Scope
    responses: list[Any]


@contextlib.contextmanager
def through_middleware() -> Iterator[None]:
    """Let the requests of every AsyncClient go through the middleware of `ASGI_APPLICATION`, until the block ends.

    Django's client builds a request itself, so there is nothing to wrap but its handler. Without `ASGI_APPLICATION`, or
    without a middleware there, all stays as it is.
    """
    middleware = _middleware_of_django()
    if middleware is None:
        yield
        return
    from django.test.client import AsyncClientHandler

    original, app = AsyncClientHandler.__call__, middleware.app

    async def guarded(handler: Any, scope: Scope) -> Any:
        return await _respond(middleware, handler, original, scope)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await (_serve_client(original, scope, send) if EXCHANGE in scope else app(scope, receive, send))

    AsyncClientHandler.__call__, middleware.app = guarded, serve
    try:
        yield
    finally:
        AsyncClientHandler.__call__, middleware.app = original, app


def _middleware_of_django() -> OIDCMiddleware | None:
    if "django.conf" not in sys.modules:
        return None
    from django.conf import settings

    if not settings.configured and "DJANGO_SETTINGS_MODULE" not in os.environ:
        return None
    try:
        return next(middlewares_in(app_of_django()), None)
    except NoMiddleware:
        return None


async def _respond(middleware: OIDCMiddleware, handler: Any, original: Any, scope: Scope) -> Any:
    """Return the response to a request of the client: that of Django, or that of the middleware if it refuses."""
    exchange, sent = Exchange(handler, scope, []), list[Message]()

    async def receive() -> Message:
        payload = scope.get("_body_file")
        return {"type": "http.request", "body": b"" if payload is None else payload.read(), "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await middleware(_as_from_server(scope, exchange), receive, send)
    response = exchange.responses[0] if exchange.responses else _response_of_middleware(scope, sent)
    _add_headers(response, sent[0]["headers"])
    return response


def _as_from_server(scope: Scope, exchange: Exchange) -> Scope:
    """Return the scope as a server would pass it: the query as bytes, a raw path, and no body."""
    query = scope.get("query_string", b"")
    return {
        **{name: value for name, value in scope.items() if name != "_body_file"},
        "query_string": query.encode("ascii") if isinstance(query, str) else query,
        "raw_path": quote(scope["path"]).encode("ascii"),
        "headers": [(bytes(name), _sent_by_browser(name, value)) for name, value in scope["headers"]],
        EXCHANGE: exchange,
    }


def _sent_by_browser(name: bytes, value: bytes) -> bytes:
    """Return the value of a header, without our cookies that are deleted: Django's client keeps them, empty."""
    if name != b"cookie":
        return bytes(value)
    pairs = [pair for pair in value.split(b"; ") if not (pair.endswith(b"=") and is_ours(pair[:-1].decode("latin-1")))]
    return b"; ".join(pairs)


async def _serve_client(original: Any, scope: Scope, send: Send) -> None:
    """Let Django serve a request of the client, with what the middleware has added to the scope."""
    exchange: Exchange = scope[EXCHANGE]
    added = {name: scope[name] for name in ("user", "auth", "oidc") if name in scope}
    response = await original(exchange.handler, {**exchange.scope, **added})
    exchange.responses.append(response)
    headers = [(name.lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _response_of_middleware(scope: Scope, sent: list[Message]) -> Any:
    from django.core.handlers.asgi import ASGIRequest
    from django.http import HttpResponse
    from django.test.client import FakePayload

    body = b"".join(message.get("body", b"") for message in sent[1:])
    response = HttpResponse(body, status=sent[0]["status"])
    for name, value in sent[0]["headers"]:
        if name == b"content-type":
            response["content-type"] = value.decode("latin-1")
    response.asgi_request = ASGIRequest(scope, FakePayload(b""))
    return response


def _add_headers(response: Any, headers: Any) -> None:
    """Add what the middleware has added or changed, cookies included."""
    for name, value in headers:
        header, text = name.decode("latin-1"), value.decode("latin-1")
        if header == "set-cookie":
            response.cookies.load(text)
        elif header not in OWN_HEADERS:
            response[header] = text
