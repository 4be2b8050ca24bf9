"""What the policy says about a path and why, for people: the answers are those that requests get."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from asgi_oidc.composition import Parts
from asgi_oidc.policy.policy import MatchedPolicy
from asgi_oidc.policy.rules import Rule
from asgi_oidc.web.request import METHODS, methods_of

MAX_READINGS = 8  # that are shown of one path

Rows = Sequence[tuple[str, str]]

_UNWRITTEN = re.compile(rb"[^!-~]")  # what a browser percent-encodes


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision for a path and a method; `str()` writes it as a table.

    Attributes:
        is_public: whether the app runs for nobody as well.
        rules: all that a signed-in user has to meet.
    """

    path: str
    method: str
    is_public: bool
    rules: tuple[Rule, ...]
    rows: Rows = field(repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}\n{table(self.rows)}"


def explain(parts: Parts, path: str, method: str) -> Explanation:
    """Explain one path.

    Args:
        path: as in the browser's address, mount path included, percent-encoded or not, or the whole URL; a query is
            left out.
        method: of HTTP, or `WEBSOCKET`.

    Raises:
        ValueError: it is not a method, or not a path.
    """
    method, path = method.upper(), path.removeprefix(parts.origin)
    if method not in METHODS:
        raise ValueError(f"{method!r} is not an HTTP method or WEBSOCKET")
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is not a path of {parts.origin}: start it with '/'")
    plain = path.partition("#")[0].partition("?")[0].encode("utf-8", "replace")
    raw = _UNWRITTEN.sub(lambda found: f"%{found[0][0]:02X}".encode(), plain)
    kind = "websocket" if method == "WEBSOCKET" else "http"
    decoded = unquote_to_bytes(raw).decode("utf-8", "replace")
    scope = {"type": kind, "path": decoded, "raw_path": raw, "root_path": parts.settings.base_path}
    place = parts.policy.place(scope, methods_of(method))
    is_ours = kind == "http" and place.own is not None
    rows = [("ours", "the middleware answers this URL itself")] if is_ours else _rows(place, method)
    return Explanation(path, method, not is_ours and place.opened_by is not None, place.rules, rows)


def _rows(place: MatchedPolicy, method: str) -> Rows:
    rows = []
    if not place.path.is_canonical:
        rows.append(("spelling", "not plain: nothing opens it, and every rule holds that it may mean"))
    if place.opened_by is not None:
        return [*rows, ("public", f"opened by {place.opened_by!r}"), ("anybody", "the app"), *_origins(place)]
    further = sorted(place.path.readings - place.path.own)
    rows += [("may mean", f"{reading}, by what the app takes off") for reading in further[:MAX_READINGS]]
    rows.append(("public", "no: no pattern opens it" + (", or a rule is narrower" if place.rules else "")))
    rows += [("rule", repr(rule)) for rule in place.rules]
    rows += [("nobody", _login(place, method, "to sign in")), ("signed in", _signed_in(place, method))]
    return [*rows, *_origins(place)]


def _login(place: MatchedPolicy, method: str, words: str) -> str:
    if method == "WEBSOCKET":
        return "401, or close code 4401"
    if not place.may_redirect:
        return "401"
    if method in ("GET", "HEAD"):
        return f"a page: {words}; all else: 401"
    return f"401; a form: a page with a link {words}" if method == "POST" else "401"


def _signed_in(place: MatchedPolicy, method: str) -> str:
    refused = "403, or close code 4403" if method == "WEBSOCKET" else "403"
    needs = any(rule.needs.is_something or rule.asks_app for rule in place.rules)
    if place.ask is None:
        return f"{refused}: the rules need different acr_values, which no single login has"
    words = "the app"
    if place.ask.parameters:
        again = _login(place, method, "to sign in again")
        asked = " and ".join(f"{name} {value}" for name, value in place.ask.parameters.items())
        words += f"; without {asked}: {again}"
    return f"{words}; without what the rules need: {refused}" if needs else words


def _origins(place: MatchedPolicy) -> Rows:
    return [("called by", f"its own pages, and those of {origin}") for origin in sorted(place.origins)]


def explain_all(parts: Parts) -> str:
    """Write all patterns and rules as a table."""
    settings = parts.settings
    rows = [(str(pattern), "public") for pattern in settings.public]
    rows += [(rule.path, repr(rule)) for rule in settings.rules]
    rows.append((f"{settings.auth_path}/*", "our own URLs"))
    prefixes = sorted(parts.policy.mounts.prefixes)
    rows += [(f"{prefix}...", f"matched as plain text: also counts as {prefix}/...") for prefix in prefixes]
    if all(str(pattern) != "/*" for pattern in settings.public):
        rows.append(("all else", "a signed-in user"))
    return f"{settings.base_url}\n{table(rows)}"


def table(rows: Rows) -> str:
    """Write two columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:{width}}  {text}" for name, text in rows)
