"""The provider that the attacks go to: the only one of a site, by the flat keywords, or a named one among three."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from asgi_oidc import Provider
from asgi_oidc.settings.provider_readers import PROVIDER_READERS
from asgi_oidc.testing import FakeProvider

ATTACKED = "one"  # its name on a site with three
BYSTANDERS = ("zero", "two")  # the one before and the one after it; nobody signs in there
OTHER_ISSUER = "https://other.example.com"  # of the last

_bystanders: dict[str, FakeProvider] = {}  # none: sites have one provider. Tests run in threads of their own, too.


@contextlib.contextmanager
def three_providers() -> Iterator[None]:
    """Let every site have three providers; in the end, nobody may have called the other two."""
    issuers = ("https://zero.id.example.net", OTHER_ISSUER)
    _bystanders.update({name: FakeProvider(issuer) for name, issuer in zip(BYSTANDERS, issuers, strict=True)})
    try:
        yield
        assert {name: fake.calls for name, fake in _bystanders.items()} == {name: [] for name in BYSTANDERS}
    finally:
        _bystanders.clear()


def own_name() -> str:
    """Return the name of the attacked provider; empty if it is the only one."""
    return ATTACKED if _bystanders else ""


def other_name() -> str:
    """Return the name of the provider whose issuer is `OTHER_ISSUER`; empty if there is none."""
    return BYSTANDERS[1] if _bystanders else ""


def own_path(endpoint: str) -> str:
    """Return the path of our endpoint for the attacked provider: `callback`, `backchannel-logout`, ..."""
    return f"/auth/{endpoint}/{own_name()}".rstrip("/")


def site_settings(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a site whose attacked provider has these flat settings, among others of the site."""
    if not _bystanders:
        return dict(flat)
    own = {name: value for name, value in flat.items() if name in PROVIDER_READERS}
    others = {name: Provider(**_bystander(fake)) for name, fake in _bystanders.items()}
    before, after = BYSTANDERS
    return {
        "choose_provider": lambda _scope: ATTACKED,
        **{name: value for name, value in flat.items() if name not in PROVIDER_READERS},
        "providers": {before: others[before], ATTACKED: Provider(**own), after: others[after]},
    }


def holds_nothing(cookie_name: str) -> bool:
    """Return whether a cookie only remembers which provider to show first; it stays when a session ends."""
    return "oidc-last-" in cookie_name


def _bystander(fake: FakeProvider) -> dict[str, Any]:
    # The same client with the same secret: nothing but the issuer tells the providers apart.
    return {"issuer": fake.issuer, "client_id": "web", "client_secret": "secret", "http_client": fake.http_client()}
