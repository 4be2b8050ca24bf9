"""Hides our cookies from the app (the setting `hide_cookies`): it gets the user in the scope and needs none of them."""

from collections.abc import Sequence
from typing import Any

from asgi_oidc.asgi.app_scope import AppScopes
from asgi_oidc.asgi.scope_oidc import SessionTools
from asgi_oidc.policy.access_control import Active
from asgi_oidc.web.asgi_types import Scope
from asgi_oidc.web.cookies import COOKIE_PREFIX

_PREFIX = COOKIE_PREFIX.encode("ascii")


class AppScopesWithoutCookies(AppScopes):
    """Makes scopes for the app from which our cookies are removed."""

    __slots__ = ("_tag",)

    def __init__(self, tools: SessionTools, *, trusted_email_domains: frozenset[str], tag: str) -> None:
        """Set up the scopes.

        Args:
            tag: what the names of all cookies of this middleware contain, and no other cookies.
        """
        super().__init__(tools, trusted_email_domains=trusted_email_domains)
        self._tag = tag.encode("ascii")

    def make(self, scope: Scope, active: Active | None, scopes_of_path: Sequence[str] = ()) -> Scope:
        """Return a copy of the scope with our three keys, and without our cookies."""
        app_scope = super().make(scope, active, scopes_of_path)
        app_scope["headers"] = without_cookies(scope.get("headers", ()), self._tag)
        return app_scope


def without_cookies(headers: Sequence[Sequence[bytes]], tag: bytes) -> Sequence[Sequence[bytes]]:
    """Remove our cookies from the `Cookie` headers, of which HTTP/2 may send several (RFC 9113 §8.2.3).

    All other cookies are passed on unchanged; a header of which nothing is left is removed.
    """
    kept: list[Any] = []
    for header in headers:
        name, value = header[0], bytes(header[1])
        if tag not in value or name.lower() != b"cookie":
            kept.append(header)
        elif others := _without_ours(value, tag):
            kept.append((name, others))
    return kept


def _without_ours(value: bytes, tag: bytes) -> bytes:
    pairs = value.split(b";")
    others = [pair for pair in pairs if not _is_ours(pair.partition(b"=")[0], tag)]
    joined = b";".join(others)
    if others and pairs[0] is not others[0]:
        joined = joined.lstrip(b" \t")  # it stood behind the `;` of one of ours
    return joined if joined.strip(b"; \t") else b""


def _is_ours(name: bytes, tag: bytes) -> bool:
    return _PREFIX in name and tag in name
