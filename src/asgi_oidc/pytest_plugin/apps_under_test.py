"""The middlewares of a test: each calls fake providers and keeps sessions in this process until the test is over."""

import contextlib
import gc
from collections.abc import Iterator
from typing import Any

from asgi_oidc import middleware as entry
from asgi_oidc.middleware import OIDCMiddleware
from asgi_oidc.pytest_plugin.clock import Clock
from asgi_oidc.pytest_plugin.fake_providers import FakeProviders
from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.network import NetworkTransport

STORES = ("store", "logout_store")


def has_own_fake(middleware: OIDCMiddleware) -> bool:
    """Return whether the test has made the app with a fake provider of `asgi_oidc.testing`, by `http_client`."""
    settings = middleware._settings
    clients = [settings.http_client, *(provider.http_client for provider in settings.fixed_providers.values())]
    transports = [getattr(client, "_transport", None) for client in clients]
    return any(
        isinstance(getattr(transport, "app", None), FakeProvider) or isinstance(transport, NetworkTransport)
        for transport in transports
    )


class AppsUnderTest:
    """Exchanges what is outside of the process: providers, stores and the clock; all other settings stay.

    An app that the test has made with a fake provider of its own stays as it is.
    """

    def __init__(self, fakes: FakeProviders, clock: Clock) -> None:
        self._fakes = fakes
        self._clock = clock
        self._undo = contextlib.ExitStack()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Exchange them in every middleware there is and in those that are made meanwhile, until the block ends."""
        with self._undo:
            for middleware in list(entry._living):
                self._take(middleware)
            entry._when_made.append(self._take)
            try:
                yield
            finally:
                entry._when_made.remove(self._take)

    @property
    def known(self) -> list[OIDCMiddleware]:
        """All middlewares that there are."""
        if len(entry._living) > 1:
            gc.collect()  # those of earlier tests are gone
        return sorted(entry._living, key=lambda middleware: middleware.base_url)

    @contextlib.contextmanager
    def elsewhere(self, middleware: OIDCMiddleware, **urls: Any) -> Iterator[None]:
        """Let a middleware have other URLs until the block ends.

        Args:
            urls: by the names of `Settings`.
        """
        undo = middleware._recompose(urls, self._clock, self._fakes.change)
        try:
            yield
        finally:
            undo()

    def _take(self, middleware: OIDCMiddleware) -> None:
        settings = middleware._settings
        if has_own_fake(middleware):
            return
        # Nobody's sessions are left in a Redis by tests, and none from an earlier test are found there.
        stores: dict[str, Any] = {name: MemoryStore() for name in STORES if getattr(settings, name) is not None}
        self._undo.callback(middleware._recompose(stores, self._clock, self._fakes.change))
