"""Finds the middleware that a client's requests go through."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from asgi_oidc.integrations.find_middlewares import middlewares
from asgi_oidc.middleware import OIDCMiddleware
from asgi_oidc.pytest_plugin.apps_under_test import has_own_fake
from asgi_oidc.pytest_plugin.clients import is_of
from asgi_oidc.safe_urls import check_url, origin_of


class NoMiddleware(Exception):
    """No middleware, or more than one, could be meant; the message says what to pass."""


def middleware_of(
    client: object, *, app: object = None, base_url: str | None = None, known: Sequence[OIDCMiddleware]
) -> OIDCMiddleware:
    """Return the middleware of a client.

    Args:
        app: the app, where the client does not tell; or the middleware itself.
        base_url: of the middleware that is meant, where an app has several.
        known: all middlewares that there are, for a client that has no app.

    Raises:
        NoMiddleware: none is found, or several are.
    """
    target = app_of(client) if app is None else app
    if target is None:
        caller = "no app is given" if client is None else f"{_name(client)} does not say which app it calls"
        found, where = list(known), f"{caller}, and this process"
        fix = "pass app=... with the app, as its middleware wraps it"
    else:
        found, where = list(dict.fromkeys(middlewares_in(target))), f"the app of {_name(client)}, {_name(target)},"
        fix = (
            "make the client with the wrapped app, or pass app=... with the middleware itself"
            if app is None
            else "pass the app as its middleware wraps it, or the middleware itself"
        )
    if base_url is not None:
        found = [middleware for middleware in found if _has_url(middleware, base_url)]
    if len(found) == 1:
        return _without_own_fake(found[0])
    if not found:
        named = "" if base_url is None else f" with the base_url {base_url}"
        raise NoMiddleware(f"{where} has no OIDCMiddleware{named}: {fix}")
    urls = ", ".join(sorted(middleware.base_url for middleware in found))
    choose = "pass app=..." if target is None else "pass base_url=... with the one that is meant"
    raise NoMiddleware(f"{where} has {len(found)} middlewares, at {urls}: {choose}")


def _without_own_fake(middleware: OIDCMiddleware) -> OIDCMiddleware:
    if has_own_fake(middleware):
        raise NoMiddleware(
            f"the app at {middleware.base_url} was made with a fake provider of its own: leave out http_client, or "
            "sign in with the Browser of asgi_oidc.testing"
        )
    return middleware


def base_url_of(middleware: OIDCMiddleware, base_url: str | None, client: object) -> str:
    """Return which of the URLs of a middleware is meant: by default the one that the client calls, or the first."""
    urls = middleware._settings.base_urls
    if base_url is not None:
        return next(url for url in urls if url.rstrip("/") == base_url.rstrip("/"))
    called = str(getattr(client, "base_url", "") or "")
    return next((url for url in urls if called and origin_of(check_url(url)) == called.rstrip("/")), urls[0])


def app_of(client: object) -> Any:
    """Return the app that a client calls; None if it does not tell."""
    if is_of(client, "django.test"):
        return app_of_django()
    transport = getattr(client, "_transport", None)
    for owner in (client, transport):
        found = getattr(owner, "app", None)
        if found is not None:
            return found
    apps = getattr(client, "apps", None)  # of the browser of `asgi_oidc.testing`
    return apps.get(getattr(client, "origin", None)) if isinstance(apps, dict) else None


def middlewares_in(app: Any) -> Iterator[OIDCMiddleware]:
    """Find all middlewares around and inside an app, each as the next request will find it."""
    for layer in _layers(app):
        yield from middlewares(layer, keep_stacks=True)


def _layers(app: Any) -> list[Any]:
    """Return an app and those behind functions around it: Litestar's test client wraps the app in one."""
    if not inspect.isfunction(app):
        return [app]
    return [app, *(cell.cell_contents for cell in app.__closure__ or () if callable(cell.cell_contents))]


def app_of_django() -> Any:
    """Return the app that Django's setting `ASGI_APPLICATION` names.

    Raises:
        NoMiddleware: it is not set.
    """
    from django.conf import settings
    from django.utils.module_loading import import_string

    name = getattr(settings, "ASGI_APPLICATION", None)
    if name is None:
        raise NoMiddleware("Django's setting ASGI_APPLICATION is missing: set it to the app as its middleware wraps it")
    return import_string(name)


def _has_url(middleware: OIDCMiddleware, base_url: str) -> bool:
    return base_url.rstrip("/") in [url.rstrip("/") for url in middleware._settings.base_urls]


def _name(thing: object) -> str:
    # Not its repr, which may show what it was created with.
    return getattr(thing, "__name__", None) or type(thing).__name__
