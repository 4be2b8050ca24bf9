"""The cookie that remembers the provider used last in this browser; the page to choose one shows it first."""

from collections.abc import Mapping
from dataclasses import dataclass

from asgi_oidc.web.cookies import COOKIE_PREFIX, CookieStyle

REMEMBERED_FOR = 180 * 86_400  # seconds


@dataclass(frozen=True, slots=True)
class LastProvider:
    """Reads and writes the cookie. It is not sealed: a forged one changes nothing but the order on the page.

    Attributes:
        is_on: whether there is a page to choose a provider.
    """

    style: CookieStyle
    stem: str
    is_on: bool

    def read(self, cookies: Mapping[str, str]) -> str | None:
        """Return the name in the cookie, which may not exist."""
        return cookies.get(self._name)

    def write(self, name: str) -> list[bytes]:
        """Return the Set-Cookie line that remembers a provider; none if nothing can be chosen."""
        return [self.style.set_cookie(self._name, name, max_age=REMEMBERED_FOR)] if self.is_on else []

    @property
    def _name(self) -> str:
        # Without the name of the session cookie, which public pages search for before they parse anything.
        return self.style.name(f"{COOKIE_PREFIX}last-{self.stem.removeprefix(COOKIE_PREFIX)}")
