"""The addresses at which the app calls the provider, if they differ from those for browsers."""

from collections.abc import Collection
from dataclasses import dataclass

from asgi_oidc.safe_urls import check_url, origin_of, split_url


@dataclass(frozen=True, slots=True)
class BackChannel:
    """How the provider is called.

    Attributes:
        internal_url: the origin that is called instead of the issuer's; None to call the issuer's.
        http_hosts: hosts that may be called by http, besides loopback.
    """

    internal_url: str | None = None
    http_hosts: Collection[str] = ()

    def url(self, url: str, *, issuer: str) -> str:
        """Return the URL to call for one of the provider's URLs; only those at the issuer's origin change.

        Raises:
            ValueError: it is malformed, or may not be called.
        """
        split = split_url(url)
        if self.internal_url is not None and origin_of(split) == origin_of(split_url(issuer)):
            url = self.internal_url + split.path + (f"?{split.query}" if split.query else "")
        called = check_url(url, http_hosts=self.http_hosts)
        # The metadata of a remote provider must not make us call services on our own machine.
        if called.scheme == "http" and issuer.startswith("https:") and called.hostname not in self.http_hosts:
            raise ValueError("must use https, because the issuer does")
        return url

    def public_url(self, url: str, *, issuer: str) -> str:
        """Return the URL by which the provider knows an endpoint that is called at `url`.

        A provider behind `internal_url` compares its public URL with that in a DPoP proof (`htu`), whatever the address
        at which it was called: Keycloak takes it from its setting `hostname`.
        """
        if self.internal_url is None:
            return url
        split = split_url(url)
        if origin_of(split) != self.internal_url:
            return url
        return origin_of(split_url(issuer)) + split.path + (f"?{split.query}" if split.query else "")

    def front_channel_url(self, url: str, *, issuer: str) -> str:
        """Check a URL to which browsers are sent, and return it unchanged.

        Raises:
            ValueError: it is malformed, uses http, or is one that browsers cannot reach.
        """
        split = check_url(url)
        if split.scheme == "http" and issuer.startswith("https:"):
            raise ValueError("must use https, because the issuer does")
        if self.internal_url is not None and origin_of(split) == self.internal_url:
            raise ValueError("is at internal_url, which browsers cannot reach: set the provider's public URL there")
        return url


PUBLIC = BackChannel()
