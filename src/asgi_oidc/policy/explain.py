"""What the policy says about a path and why, for people: the answers are those that requests get."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from asgi_oidc.policy.patterns import Pattern
from asgi_oidc.policy.policy import MatchedPolicy, Policy
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


@dataclass(frozen=True, slots=True, repr=False)
class Explainer:
    """Explains one policy.

    Attributes:
        origin, base_path: of `base_url`.
        auth_path: where our own URLs are, below `base_url`.
    """

    policy: Policy
    public: Sequence[Pattern]
    base_url: str
    origin: str
    base_path: str
    auth_path: str

    def explain(self, path: str, method: str) -> Explanation:
        """Explain one path.

        Args:
            path: as in the browser's address, mount path included, percent-encoded or not, or the whole URL; a query is
                left out.
            method: of HTTP, or `WEBSOCKET`.

        Raises:
            ValueError: it is not a method, or not a path.
        """
        method, path = method.upper(), path.removeprefix(self.origin)
        if method not in METHODS:
            raise ValueError(f"{method!r} is not an HTTP method or WEBSOCKET")
        if not path.startswith("/"):
            raise ValueError(f"{path!r} is not a path of {self.origin}: start it with '/'")
        plain = path.partition("#")[0].partition("?")[0].encode("utf-8", "replace")
        raw = _UNWRITTEN.sub(lambda found: f"%{found[0][0]:02X}".encode(), plain)
        kind = "websocket" if method == "WEBSOCKET" else "http"
        decoded = unquote_to_bytes(raw).decode("utf-8", "replace")
        scope = {"type": kind, "path": decoded, "raw_path": raw, "root_path": self.base_path}
        matched = self.policy.match(scope, methods_of(method))
        is_ours = kind == "http" and matched.own is not None
        rows = [("ours", "the middleware answers this URL itself")] if is_ours else _rows(matched, method)
        return Explanation(path, method, not is_ours and matched.opened_by is not None, matched.rules, rows)

    def explain_all(self) -> str:
        """Write all patterns and rules as a table."""
        rows = [(str(pattern), "public") for pattern in self.public]
        rows += [(rule.path, repr(rule)) for rule in self.policy.rules]
        rows.append((f"{self.auth_path}/*", "our own URLs"))
        prefixes = sorted(self.policy.mounts.prefixes)
        rows += [(f"{prefix}...", f"matched as plain text: also counts as {prefix}/...") for prefix in prefixes]
        if all(str(pattern) != "/*" for pattern in self.public):
            rows.append(("all else", "a signed-in user"))
        return f"{self.base_url}\n{table(rows)}"


def _rows(matched: MatchedPolicy, method: str) -> Rows:
    rows = []
    if not matched.path.is_canonical:
        rows.append(("spelling", "not plain: nothing opens it, and every rule holds that it may mean"))
    if matched.opened_by is not None:
        return [*rows, ("public", f"opened by {matched.opened_by!r}"), ("anybody", "the app"), *_origins(matched)]
    further = sorted(matched.path.readings - matched.path.own)
    rows += [("may mean", f"{reading}, by what the app takes off") for reading in further[:MAX_READINGS]]
    rows.append(("public", "no: no pattern opens it" + (", or a rule is narrower" if matched.rules else "")))
    rows += [("rule", repr(rule)) for rule in matched.rules]
    rows += [("nobody", _login(matched, method, "to sign in")), ("signed in", _signed_in(matched, method))]
    return [*rows, *_origins(matched)]


def _login(matched: MatchedPolicy, method: str, words: str) -> str:
    if method == "WEBSOCKET":
        return "401, or close code 4401"
    if not matched.may_redirect:
        return "401"
    if method in ("GET", "HEAD"):
        return f"a page: {words}; all else: 401"
    return f"401; a form: a page with a link {words}" if method == "POST" else "401"


def _signed_in(matched: MatchedPolicy, method: str) -> str:
    refused = "403, or close code 4403" if method == "WEBSOCKET" else "403"
    requirements = any(rule.requirements.is_something or rule.asks_app for rule in matched.rules)
    if matched.authentication is None:
        return f"{refused}: the rules need different acr_values, which no single login has"
    words = "the app"
    if matched.authentication.parameters:
        again = _login(matched, method, "to sign in again")
        asked = " and ".join(f"{name} {value}" for name, value in matched.authentication.parameters.items())
        words += f"; without {asked}: {again}"
    return f"{words}; without what the rules need: {refused}" if requirements else words


def _origins(matched: MatchedPolicy) -> Rows:
    return [("called by", f"its own pages, and those of {origin}") for origin in sorted(matched.origins)]


def table(rows: Rows) -> str:
    """Write two columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:{width}}  {text}" for name, text in rows)
