"""The cookie jar of test clients: it sends our cookies also where a browser would not, to `http://testserver`."""

from http.cookiejar import Cookie, CookieJar

from asgi_oidc.web.cookies import COOKIE_PREFIX

ANY_HOST, ANY_PATH = "", "/"


def is_ours(name: str) -> bool:
    """Return whether this is the name of one of our cookies."""
    return name.removeprefix("__Host-").startswith(COOKIE_PREFIX)


class LenientCookieJar(CookieJar):
    """A jar in which our cookies have no host and are not `Secure`.

    Test clients call an app at `http://testserver`, whatever its `base_url`. There, `http.cookiejar` keeps a `Secure`
    cookie, but never sends it. The app may renew and delete its cookies as it likes: that works here as in a browser.
    """

    def set_cookie(self, cookie: Cookie) -> None:
        """Keep a cookie."""
        if is_ours(cookie.name):
            cookie.domain, cookie.domain_specified, cookie.domain_initial_dot = ANY_HOST, False, False
            cookie.path, cookie.secure = ANY_PATH, False
        super().set_cookie(cookie)

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        """Delete cookies: one, those of a path, those of a domain, or all."""
        if name is not None and is_ours(name):
            domain, path = ANY_HOST, ANY_PATH
        super().clear(domain, path, name)

    def put(self, name: str, value: str) -> None:
        """Keep one of our cookies."""
        self.set_cookie(
            Cookie(
                version=0,
                name=name,
                value=value,
                port=None,
                port_specified=False,
                domain=ANY_HOST,
                domain_specified=False,
                domain_initial_dot=False,
                path=ANY_PATH,
                path_specified=True,
                secure=False,
                expires=None,  # the session itself says when it is over, by the clock of the test
                discard=True,
                comment=None,
                comment_url=None,
                rest={"HttpOnly": ""},
            )
        )


def lenient(cookie_jar: CookieJar) -> LenientCookieJar:
    """Return a lenient jar with the cookies of another jar, or that jar if it is one."""
    if isinstance(cookie_jar, LenientCookieJar):
        return cookie_jar
    made = LenientCookieJar()
    for cookie in cookie_jar:
        made.set_cookie(cookie)
    return made
