"""Limits the bytes of our cookies: beyond 8 kB a proxy answers 400 to everything, sign-out included.

By default nginx accepts header lines of 8 kB (`large_client_header_buffers`), and others are similar. Each kind of
cookie has its share: a session never prevents a login, and logins that another site starts never break a session.
"""

from collections.abc import Iterable, Mapping

MAX_COOKIE_HEADER = 8000  # bytes of all cookies of one middleware, as a browser sends them
SMALL_COOKIES_SHARE = 300  # of that for the last use and the count of logins
LOGIN_SHARE = 1200  # for logins in progress, whatever else there is; at most `MAX_BYTES` of login/login_transactions.py
# for a session in sealed cookies, beside at least one login in progress
SESSION_SHARE = MAX_COOKIE_HEADER - SMALL_COOKIES_SHARE - LOGIN_SHARE


def size_of(cookies: Mapping[str, str]) -> int:
    """Return the bytes that cookies take in a header, separators included."""
    return sum(len(name) + len(value) + len("=; ") for name, value in cookies.items())


def size_of_lines(lines: Iterable[bytes]) -> int:
    """Return the bytes that the cookies of Set-Cookie lines will take."""
    return size_of(cookies_after({}, lines))


def cookies_after(cookies: Mapping[str, str], lines: Iterable[bytes]) -> dict[str, str]:
    """Return the cookies that a browser has after a response."""
    after = dict(cookies)
    for line in lines:
        name, _, rest = line.decode("ascii").partition("=")
        value = rest.partition(";")[0]
        if value:
            after[name] = value
        else:
            after.pop(name, None)
    return after
