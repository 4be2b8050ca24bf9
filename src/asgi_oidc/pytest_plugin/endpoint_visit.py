"""Signs in and out as a browser does, through the middleware and the fake provider; the app itself is not called."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from asgi_oidc import events
from asgi_oidc.middleware import OIDCMiddleware
from asgi_oidc.pytest_plugin.cookie_jars import is_ours
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.testing.cookie_jar import Cookie, CookieJar

REACHED = "x-asgi-oidc-test"  # header of the response that stands for the page after a login


class SignInFailed(Exception):
    """The app did not accept the sign-in; the message has the reason, as its log has it."""


class Visit:
    """A browser at the endpoints of one middleware, for as long as a sign-in takes.

    The app behind the middleware is not called: the page to which a login returns is an empty one.
    """

    def __init__(self, middleware: OIDCMiddleware, base_url: str, clock: Callable[[], float]) -> None:
        self._middleware = middleware
        self._settings = middleware._settings
        url = check_url(base_url)
        self._origin, self._base = origin_of(url), url.path.rstrip("/")
        self.cookie_jar = CookieJar(clock)
        self.browser = Browser(self._only_own_endpoints, self._origin, {}, clock=clock, jar=self.cookie_jar)

    @property
    def cookies(self) -> Sequence[Cookie]:
        """The cookies that the browser has now; that of the fake provider is not among them."""
        return [cookie for cookie in self.cookie_jar if is_ours(cookie.name)]

    async def sign_in(self, name: str | None, provider: FakeProvider) -> None:
        """Walk through a login; the fake provider signs in whom it was told to.

        Args:
            name: of the provider in the settings.

        Raises:
            SignInFailed: the app did not accept it.
        """
        query = {"return_to": f"{self._base}/", **({"provider": name} if name else {})}
        with reasons() as found:
            self.browser.apps |= dict.fromkeys(provider.origins, provider)
            page = await self.browser.get(f"{self._own('login')}?{urlencode(query)}")
        if REACHED not in page.headers:
            raise SignInFailed(_reason(page.status_code, page.text, found))

    async def sign_out(self, cookies: Mapping[str, str]) -> None:
        """Sign out as a page of the app does.

        Raises:
            SignInFailed: the app refused.
        """
        for name, value in cookies.items():
            secure = self._origin.startswith("https:")
            self.cookie_jar.put(
                Cookie(name, value, check_url(self._origin).hostname or "", "/", secure=secure, http_only=True)
            )
        with reasons() as found:
            response = await self.browser.fetch(self._own("logout"), method="POST")
        if response.status_code >= 400:
            raise SignInFailed(f"could not sign out: {_reason(response.status_code, response.text, found)}")

    async def post_logout_token(self, token: str, provider: str | None) -> None:
        """Send a logout token, as the provider does.

        Raises:
            SignInFailed: the app refused it.
        """
        path = self._own("backchannel-logout") + (f"/{provider}" if provider else "")
        headers = dict.fromkeys(("origin", "referer", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"))
        with reasons() as found:
            answer = await self.browser.fetch(path, method="POST", data={"logout_token": token}, headers=headers)
        if answer.status_code != 200:
            raise SignInFailed(f"the app refused the logout token: {_reason(answer.status_code, answer.text, found)}")

    def _own(self, endpoint: str) -> str:
        return f"{self._base}{self._settings.auth_path}/{endpoint}"

    async def _only_own_endpoints(self, scope: Any, receive: Any, send: Any) -> None:
        path = str(scope["path"]).removeprefix(self._base)
        own = (f"{self._settings.auth_path}/", *(each.rstrip("/") for each in self._settings.callback_paths))
        if path.startswith(own):
            await self._middleware(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(REACHED.encode(), b"yes")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@contextmanager
def reasons() -> Iterator[list[str]]:
    """Collect what the library logs as a failure, for an error message."""
    found: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not record.getMessage().startswith(events.PROVIDER_EXCEPTION.name):  # only says that a setting is used
                found.append(record.getMessage())

    handler, logger = Keep(logging.WARNING), logging.getLogger("asgi_oidc")
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


def _reason(status: int, text: str, found: list[str]) -> str:
    return "; ".join(found) or f"status {status}: {text[:200]}"
