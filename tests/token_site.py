"""A site whose app asks for the access token, in both places where a session can live."""

from collections.abc import Callable
from typing import Any

from asgi_oidc import MemoryStore
from tests.protected_site import Site
from tests.scripted_store import ScriptedStore

LIFETIME = 300  # seconds of an access token
SCOPE = "openid profile email offline_access"

# Sessions in memory are not sealed, and nothing waits for them; in any other store they are sealed, and it is guarded.
STORES: dict[str, Callable[[], Any]] = {"cookies": lambda: None, "memory": MemoryStore, "store": ScriptedStore}


class TokenSite(Site):
    """A site with refresh tokens.

    Args:
        store: a name of `STORES`, or a store.
    """

    def __init__(self, store: Any = "cookies", **settings: Any) -> None:
        kept_in = STORES[store]() if isinstance(store, str) else store
        super().__init__(**{"store": kept_in, "scope": SCOPE, **settings})
        self.provider.access_token_lifetime = LIFETIME
        self.tokens: list[str] = []
        """What the app was given, one a request."""
        self.app.at_work = self.ask_for_the_token

    async def ask_for_the_token(self, scope: Any) -> None:
        """Be a page that calls another API."""
        self.tokens.append(await scope["oidc"].access_token())

    @property
    def refreshes(self) -> int:
        """Calls of the provider so far."""
        return self.provider.count_grants("refresh_token")
