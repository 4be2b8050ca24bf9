"""Explains what the policy decides for a path and why; it uses the same matching as requests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from asgi_oidc.policy.patterns import Pattern
from asgi_oidc.policy.policy import MatchedPolicy, Policy
from asgi_oidc.policy.requirements import BEARER, SESSION
from asgi_oidc.policy.rules import Rule
from asgi_oidc.protocol.authorization_details import types_of
from asgi_oidc.safe_urls import without_origin
from asgi_oidc.web.request import METHODS, methods_of

MAX_READINGS = 8  # readings of one path that are shown

Rows = Sequence[tuple[str, str]]

_NEEDS_ENCODING = re.compile(rb"[^!-~]")  # bytes that a browser percent-encodes


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision for a path and a method; `str()` writes it as a table.

    Attributes:
        is_public: whether the app also serves anonymous users.
        rules: the rules that apply.
        is_own_url: whether the middleware answers the path itself, such as `/auth/login`.
    """

    path: str
    method: str
    is_public: bool
    rules: tuple[Rule, ...]
    rows: Rows = field(repr=False)
    is_own_url: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}\n{table(self.rows)}"


@dataclass(frozen=True, slots=True, repr=False)
class Explainer:
    """Explains one policy.

    Attributes:
        base_urls: the setting `base_url`, for each host.
        origins, base_path: the origins and the path of these URLs.
        auth_path: path of our own URLs, below `base_url`.
        further_paths: of our own URLs elsewhere below `base_url`.
        accepts_tokens: whether the app accepts access tokens beside sessions.
    """

    policy: Policy
    public: Sequence[Pattern]
    base_urls: Sequence[str]
    origins: Sequence[str]
    base_path: str
    auth_path: str
    further_paths: Sequence[str] = ()
    accepts_tokens: bool = False

    def explain(self, path: str, method: str) -> Explanation:
        """Explain one path.

        Args:
            path: as browsers see it, mount path included, percent-encoded or not; or the whole URL. The query is
                ignored.
            method: an HTTP method, or `WEBSOCKET`.

        Raises:
            ValueError: the method is unknown, or the path does not start with `/`.
        """
        method, path = method.upper(), without_origin(path, self.origins)
        if method not in METHODS:
            raise ValueError(f"{method!r} is not an HTTP method or WEBSOCKET")
        if not path.startswith("/"):
            raise ValueError(f"{path!r} is not a path of {' or '.join(self.origins)}: start it with '/'")
        plain = path.partition("#")[0].partition("?")[0].encode("utf-8", "replace")
        raw = _NEEDS_ENCODING.sub(lambda byte: f"%{byte[0][0]:02X}".encode(), plain)
        scope_type = "websocket" if method == "WEBSOCKET" else "http"
        decoded = unquote_to_bytes(raw).decode("utf-8", "replace")
        scope = {"type": scope_type, "path": decoded, "raw_path": raw, "root_path": self.base_path}
        matched = self.policy.match(scope, methods_of(method))
        is_endpoint = scope_type == "http" and matched.own_url is not None
        rows: Rows = [("endpoint", "asgi-oidc answers this URL itself")]
        if not is_endpoint:
            credentials = _credential_rows(matched) if self.accepts_tokens else []
            rows = [*_rows(matched, method), *credentials]
        is_public = not is_endpoint and matched.opened_by is not None
        return Explanation(path, method, is_public, matched.rules, rows, is_own_url=is_endpoint)

    def explain_all(self) -> str:
        """Return all public patterns and rules as a table."""
        rows = [(str(pattern), "public") for pattern in self.public]
        rows += [(rule.path, repr(rule)) for rule in self.policy.rules]
        rows.append((f"{self.auth_path}/*", "asgi-oidc's own URLs"))
        rows += [(path, "asgi-oidc's own URL") for path in self.further_paths]
        prefixes = sorted(self.policy.mounts.prefixes)
        rows += [(f"{prefix}...", f"matched as a plain prefix: also read as {prefix}/...") for prefix in prefixes]
        if all(str(pattern) != "/*" for pattern in self.public):
            rows.append(("other paths", "a signed-in user"))
        return f"{', '.join(self.base_urls)}\n{table(rows)}"


def _rows(matched: MatchedPolicy, method: str) -> Rows:
    rows = []
    if not matched.path.is_canonical:
        rows.append(("spelling", "ambiguous: not public, and every rule that it might match applies"))
    if matched.opened_by is not None:
        return [*rows, ("public", f"opened by {matched.opened_by!r}"), ("everyone", "the app"), *_origin_rows(matched)]
    other_readings = sorted(matched.path.readings - matched.path.own)
    rows += [("also read", f"as {reading}, if the app strips a prefix") for reading in other_readings[:MAX_READINGS]]
    rows.append(("public", "no: no pattern opens it" + (", or a rule is more specific" if matched.rules else "")))
    rows += [("rule", repr(rule)) for rule in matched.rules]
    rows.append(("not signed in", _login_outcome(matched, method, "to sign in")))
    return [*rows, *_user_rows(matched, method), *_origin_rows(matched)]


def _credential_rows(matched: MatchedPolicy) -> Rows:
    if not matched.credentials:
        return [("accepted", "nothing: the rules contradict each other")]
    names = {SESSION: "sessions", BEARER: "access tokens"}
    return [("accepted", " and ".join(name for kind, name in names.items() if kind in matched.credentials))]


def _login_outcome(matched: MatchedPolicy, method: str, purpose: str) -> str:
    if method == "WEBSOCKET":
        return "401, or close code 4401"
    if not matched.may_redirect:
        return "401"
    if method in ("GET", "HEAD"):
        return f"pages: redirect {purpose}; everything else: 401"
    return f"forms: 401 page with a link {purpose}; everything else: 401" if method == "POST" else "401"


def _user_rows(matched: MatchedPolicy, method: str) -> Rows:
    refusal = "403, or close code 4403" if method == "WEBSOCKET" else "403"
    has_requirements = any(rule.requirements.has_any or rule.app_check for rule in matched.rules)
    if matched.authentication is None:
        return [("signed in", f"{refusal}: the rules need different acr_values, which no single login has")]
    rows = [("signed in", "the app")]
    if matched.authentication.names:
        login = _login_outcome(matched, method, "to sign in again")
        parameters = dict(matched.authentication.parameters)
        if details := matched.authentication.authorization_details:
            parameters["authorization_details"] = f"of type {' '.join(types_of(details))}"
        required = " and ".join(f"{name} {value}" for name, value in parameters.items())
        rows.append(("step-up", f"if the login lacks {required}; {login}"))
    return [*rows, ("rule not met", refusal)] if has_requirements else rows


def _origin_rows(matched: MatchedPolicy) -> Rows:
    return [("origins", f"its own pages and those of {origin} may call it") for origin in sorted(matched.origins)]


def table(rows: Rows) -> str:
    """Return rows as text in two columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:{width}}  {text}" for name, text in rows)
