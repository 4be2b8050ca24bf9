"""Limits the total size of our cookies: beyond 8 kB, a proxy answers 400 to every request, even to a sign-out.

By default nginx accepts header lines of 8 kB (`large_client_header_buffers`), and other proxies are similar. Each kind
of cookie has its own share, so that a large session never prevents a login, and logins that another site starts never
break a session.
"""

from collections.abc import Iterable, Mapping

# Bytes of all cookies of one middleware, as a browser sends them; the default of the setting `max_cookie_header`.
MAX_COOKIE_HEADER = 8000
COOKIE_HEADER_RANGE = (4000, 16_000)  # the smallest and the largest value of the setting
SMALL_COOKIES_SHARE = 170  # bytes of it, for the cookies of the last use and of the login count
# Bytes of it that are always left for logins in progress: for one with a DPoP key and a usual path, that starts while
# there is a session; at most `MAX_BYTES` of login/login_transactions.py.
LOGIN_SHARE = 560


def session_share(max_cookie_header: int) -> int:
    """Return the bytes for a session in encrypted cookies, which leave room for at least one login in progress."""
    return max_cookie_header - SMALL_COOKIES_SHARE - LOGIN_SHARE


def size_of(cookies: Mapping[str, str]) -> int:
    """Return how many bytes cookies take in a Cookie header, separators included."""
    return sum(len(name) + len(value) + len("=; ") for name, value in cookies.items())


def size_of_lines(lines: Iterable[bytes]) -> int:
    """Return how many bytes the cookies of these Set-Cookie lines will take in a Cookie header."""
    return size_of(cookies_after({}, lines))


def cookies_after(cookies: Mapping[str, str], lines: Iterable[bytes]) -> dict[str, str]:
    """Return the cookies that a browser has after a response with these Set-Cookie lines."""
    after = dict(cookies)
    for line in lines:
        name, _, rest = line.decode("ascii").partition("=")
        value = rest.partition(";")[0]
        if value:
            after[name] = value
        else:
            after.pop(name, None)
    return after
