"""Reads and changes our cookies in the clients of many libraries; none of them is imported for it."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from http.cookiejar import CookieJar
from inspect import isawaitable, iscoroutine
from typing import Any, TypeVar

from asgi_oidc.pytest_plugin.cookie_jars import LenientCookieJar, is_ours, lenient
from asgi_oidc.testing import Browser
from asgi_oidc.testing.cookie_jar import Cookie

Value = TypeVar("Value")
SUPPORTED = (
    "TestClient of Starlette, FastAPI or Litestar, AsyncClient of httpx or httpx2, Litestar's AsyncTestClient, Quart's "
    "test client, Django's AsyncClient, a browser context or page of Playwright"
)


class WrongClient(TypeError):
    """What was passed is not a client that can be signed in; the message says what is."""


class ClientCookies(ABC):
    """Our cookies in one client. The methods of a client with an async API return something to await."""

    @abstractmethod
    def read(self) -> Mapping[str, str] | Awaitable[Mapping[str, str]]:
        """Return the values of our cookies, by name."""

    @abstractmethod
    def change(self, *, remove: Iterable[str], add: Sequence[Cookie]) -> Awaitable[None] | None:
        """Remove cookies, then add others."""


class JarCookies(ClientCookies):
    """Those in a jar of `http.cookiejar`."""

    def __init__(self, cookie_jar: LenientCookieJar) -> None:
        self._cookie_jar = cookie_jar

    def read(self) -> Mapping[str, str]:
        """Return the values of our cookies, by name."""
        return {cookie.name: cookie.value or "" for cookie in self._cookie_jar if is_ours(cookie.name)}

    def change(self, *, remove: Iterable[str], add: Sequence[Cookie]) -> None:
        """Remove cookies, then add others."""
        for name in set(remove) & self.read().keys():
            self._cookie_jar.clear("", "/", name)
        for cookie in add:
            self._cookie_jar.put(cookie.name, cookie.value)


class DjangoCookies(ClientCookies):
    """Those of Django's AsyncClient."""

    def __init__(self, client: Any) -> None:
        self._cookies = client.cookies

    def read(self) -> Mapping[str, str]:
        """Return the values of our cookies, by name."""
        return {name: morsel.value for name, morsel in self._cookies.items() if is_ours(name) and morsel.value}

    def change(self, *, remove: Iterable[str], add: Sequence[Cookie]) -> None:
        """Remove cookies, then add others."""
        for name in remove:
            self._cookies.pop(name, None)
        for cookie in add:
            self._cookies[cookie.name] = cookie.value


class KitCookies(ClientCookies):
    """Those of the `Browser` of `asgi_oidc.testing`."""

    def __init__(self, browser: Browser) -> None:
        self._cookie_jar = browser.jar

    def read(self) -> Mapping[str, str]:
        """Return the values of our cookies, by name."""
        return {cookie.name: cookie.value for cookie in self._cookie_jar if is_ours(cookie.name)}

    def change(self, *, remove: Iterable[str], add: Sequence[Cookie]) -> None:
        """Remove cookies, then add others."""
        for name in remove:
            self._cookie_jar.delete(name)
        for cookie in add:
            self._cookie_jar.put(cookie)


class PlaywrightCookies(ClientCookies):
    """Those of a browser context of Playwright's sync API."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def read(self) -> Mapping[str, str]:
        """Return the values of our cookies, by name."""
        return _values(self._context.cookies())

    def change(self, *, remove: Iterable[str], add: Sequence[Cookie]) -> None:
        """Remove cookies, then add others."""
        for name in remove:
            self._context.clear_cookies(name=name)
        if add:
            self._context.add_cookies(_for_playwright(add))


class AsyncPlaywrightCookies(ClientCookies):
    """Those of a browser context of Playwright's async API."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def read(self) -> Mapping[str, str]:
        """Return the values of our cookies, by name."""
        return _values(await self._context.cookies())

    async def change(self, *, remove: Iterable[str], add: Sequence[Cookie]) -> None:
        """Remove cookies, then add others."""
        for name in remove:
            await self._context.clear_cookies(name=name)
        if add:
            await self._context.add_cookies(_for_playwright(add))


def cookies_of(client: Any) -> ClientCookies:
    """Return our cookies in a client.

    Raises:
        WrongClient: it is not a client that can be signed in.
    """
    if isinstance(client, Browser):
        return KitCookies(client)
    if is_of(client, "django.test"):
        if not is_of(client, "django.test", name="AsyncClient"):
            raise WrongClient("Django's Client runs the app under WSGI, without its middleware: use AsyncClient")
        return DjangoCookies(client)
    if is_of(client, "playwright"):
        return _of_playwright(client)
    cookie_jar = getattr(client, "cookie_jar", None)  # Quart
    if isinstance(cookie_jar, CookieJar):
        client.cookie_jar = lenient(cookie_jar)
        return JarCookies(client.cookie_jar)
    cookies = getattr(client, "cookies", None)  # httpx, and what is made from it
    if isinstance(getattr(cookies, "jar", None), CookieJar):
        client.cookies.jar = lenient(client.cookies.jar)
        return JarCookies(client.cookies.jar)
    raise WrongClient(f"{type(client).__name__} is not a client that can be signed in: expected {SUPPORTED}")


def at_once(value: Value | Awaitable[Value], *, instead: str = "await oidc.asign_in(...)") -> Value:
    """Return what a client has answered without waiting.

    Args:
        instead: what to use for a client with an async API.

    Raises:
        WrongClient: the client has an async API.
    """
    if not isawaitable(value):
        return value
    if iscoroutine(value):
        value.close()  # or Python would warn that it was never awaited
    raise WrongClient(f"this client has an async API: use {instead}")


async def settled(value: Value | Awaitable[Value]) -> Value:
    """Return what a client has answered, or will answer."""
    return await value if isawaitable(value) else value


def is_of(client: object, package: str, *, name: str | None = None) -> bool:
    """Return whether a class of a package made an object, or a class that inherits from it.

    Args:
        name: of that class; None for any.
    """
    return any(
        f"{kind.__module__}.".startswith(f"{package}.") and name in (None, kind.__name__)
        for kind in type(client).__mro__
    )


def _of_playwright(client: Any) -> ClientCookies:
    context = client if hasattr(client, "add_cookies") else getattr(client, "context", None)
    if not hasattr(context, "add_cookies"):
        raise WrongClient(f"Playwright's {type(client).__name__} has no cookies: pass a browser context or a page")
    return AsyncPlaywrightCookies(context) if is_of(context, "playwright.async_api") else PlaywrightCookies(context)


def _values(cookies: Iterable[Mapping[str, Any]]) -> Mapping[str, str]:
    return {cookie["name"]: cookie["value"] for cookie in cookies if is_ours(cookie["name"])}


def _for_playwright(cookies: Iterable[Cookie]) -> list[dict[str, Any]]:
    return [
        {
            "name": cookie.name,
            "value": cookie.value,
            "domain": cookie.domain,
            "path": cookie.path,
            "secure": cookie.secure,
            "httpOnly": cookie.http_only,
            "sameSite": cookie.same_site,
        }
        for cookie in cookies
    ]
