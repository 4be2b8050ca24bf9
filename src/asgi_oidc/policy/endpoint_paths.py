"""The paths of our own URLs: which endpoint answers, and for which provider."""

from collections.abc import Collection, Mapping
from typing import NamedTuple


class OwnUrl(NamedTuple):
    """One of our own URLs.

    Attributes:
        endpoint: the name of the endpoint, such as `callback`.
        provider: the name of the provider in the path, which may not exist; empty if the path names none.
    """

    endpoint: str
    provider: str = ""


class EndpointPaths:
    """Finds our own URLs by their paths."""

    def __init__(
        self,
        auth_path: str,
        endpoints: Collection[str],
        *,
        with_provider: Collection[str] = (),
        aliases: Mapping[str, OwnUrl] | None = None,
        canonical: Mapping[str, OwnUrl] | None = None,
    ) -> None:
        """List the paths.

        Args:
            endpoints: names of all endpoints, each below `auth_path`.
            with_provider: names of those whose paths end with the name of a provider.
            aliases: further paths of our own URLs.
            canonical: further paths, found only if the path is canonical, as what needs no user has to be.
        """
        self._paths = {f"{auth_path}/{name}": OwnUrl(name) for name in endpoints} | dict(aliases or {})
        self._canonical = dict(canonical or {})
        self._stems = {f"{auth_path}/{name}": name for name in with_provider}

    def find(self, path: str, *, is_canonical: bool) -> OwnUrl | None:
        """Return which of our URLs has this path, None if it is for the app."""
        own_url = self._paths.get(path) or (self._canonical.get(path) if is_canonical else None)
        if own_url is not None or not self._stems:
            return own_url
        stem, _, provider = path.rpartition("/")
        return OwnUrl(self._stems[stem], provider) if stem in self._stems else None
