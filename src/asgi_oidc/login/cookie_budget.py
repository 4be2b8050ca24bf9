"""Keeps our cookies within the size that proxies accept: deletes the least needed ones before they get too large."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asgi_oidc.errors import SessionTooLarge
from asgi_oidc.login.interrupted_forms import InterruptedForms
from asgi_oidc.login.login_transactions import MAX_BYTES, Transactions
from asgi_oidc.web.cookie_size import LOGIN_SHARE, SMALL_COOKIES_SHARE, cookies_after, size_of


@dataclass(frozen=True, slots=True)
class CookieBudget:
    """Keeps the cookies of one middleware within their limits.

    Attributes:
        stem: how the names of all our cookies begin.
        max_cookie_header: bytes of all our cookies.
    """

    stem: str
    transactions: Transactions
    forms: InterruptedForms
    max_cookie_header: int

    def room_for_logins(self, cookies: Mapping[str, str], *, form: str = "") -> int:
        """Return the bytes that the cookies of all logins in progress may take, including a new one.

        Args:
            cookies: all of ours that the browser sent, including those of other middlewares.
            form: a sealed form that will be kept in another cookie.
        """
        logins = set(self.transactions.names(cookies))
        others = {name: value for name, value in cookies.items() if name not in logins}
        return max(
            LOGIN_SHARE,
            min(MAX_BYTES, self.max_cookie_header - SMALL_COOKIES_SHARE - size_of(self.forms.with_form(others, form))),
        )

    def has_room_for(self, form: str, cookies: Mapping[str, str]) -> bool:
        """Return whether there is room for a form, in addition to the present cookies and a login in progress."""
        logins = set(self.transactions.names(cookies))
        others = {name: value for name, value in self._own(cookies).items() if name not in logins}
        return size_of(self.forms.with_form(others, form)) + SMALL_COOKIES_SHARE + LOGIN_SHARE <= self.max_cookie_header

    def make_room(
        self, cookies: Mapping[str, str], lines: Sequence[bytes], *, now: int, keeps_form: bool = False
    ) -> list[bytes]:
        """Return the deletions that keep a browser within the limit once it has these Set-Cookie lines.

        Args:
            cookies: all of ours that the browser sent.
            keeps_form: whether logins in progress are deleted before the form.
        """
        after = cookies_after(self._own(cookies), lines)
        too_much = size_of(after) - self.max_cookie_header
        if too_much <= 0:
            return []
        old = {name: value for name, value in after.items() if name not in cookies_after({}, lines)}
        forms = [self.forms.delete(old)]
        logins = [[line] for line in self.transactions.delete_least_needed(old, now=now)]
        deletions: list[bytes] = []
        for deleted in (*logins, *forms) if keeps_form else (*forms, *logins):
            if too_much <= 0:
                break
            deletions += deleted
            too_much = size_of(cookies_after(after, deletions)) - self.max_cookie_header
        return deletions

    def check_login_fits(self, cookies: Mapping[str, str], lines: Sequence[bytes]) -> None:
        """Refuse a login that needs more than its share beside an active session, and more than there is.

        A proxy would then refuse every request until the login has expired, and another site may have started it.

        Args:
            cookies: all of ours that the browser sent.
            lines: all Set-Cookie lines of the response, deletions included.

        Raises:
            SessionTooLarge: there is no room for the login.
        """
        new = cookies_after({}, lines)
        needed = size_of({name: new[name] for name in self.transactions.names(new)})
        too_much = size_of(cookies_after(self._own(cookies), lines)) - self.max_cookie_header
        if needed > LOGIN_SHARE and too_much > 0:
            raise SessionTooLarge(
                detail=f"require fewer or shorter acr_values, set store, or raise max_cookie_header by {too_much}: "
                f"beside this session, a login has {LOGIN_SHARE} bytes of cookies, and this one needs {needed}"
            )

    def _own(self, cookies: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in cookies.items() if name.startswith(self.stem)}
