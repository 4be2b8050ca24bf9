"""Checks `public` and `rules` against the routes of the app."""

from collections.abc import Iterator, Sequence

from asgi_oidc.cli.doctor.app_routes import AppRoute, AppRoutes, routes_of
from asgi_oidc.cli.doctor.examined_app import ExaminedApp
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.policy.patterns import Pattern
from asgi_oidc.policy.policy import EVERYTHING_BUT_RULES
from asgi_oidc.policy.rules import Rule

HEALTH = (
    "/health",
    "/healthz",
    "/health/live",
    "/health/ready",
    "/livez",
    "/readyz",
    "/live",
    "/ready",
    "/ping",
    "/up",
)
HEALTH_BELOW = ("/_health", "/heartbeat", "/api/health", "/api/healthz", "/status/health")
DOCS = ("/docs", "/redoc", "/schema", "/schema/swagger", "/schema/redoc", "/swagger")
SCHEMA = ("/openapi.json", "/schema/openapi.json")
METRICS = ("/metrics",)
ADMIN = frozenset({"admin", "administration", "internal", "debug", "manage", "management"})  # segments of paths
MAX_LISTED = 5  # paths in one finding


def check_access(site: ExaminedApp) -> Iterator[Finding]:
    """Look for paths that are open or closed by mistake, and for rules that do nothing."""
    settings = site.settings
    opens_everything = any(not pattern.is_exact and not pattern.stem for pattern in settings.public)
    if opens_everything and not any(rule.closes for rule in settings.rules):
        problem = f"public is {EVERYTHING_BUT_RULES}, and there are no rules: nobody ever has to sign in"
        yield Finding(
            "nothing_protected", problem, "add rules for the paths that need a user, or list the public paths instead"
        )
    for name, paths in site.policy.bypassable_rules().items():
        problem = f"how {name} matches paths is unknown: it might serve {paths[0]} under another path too"
        fix = "set plain_prefixes to the paths that it matches as plain text, or to [] if there are none"
        yield Finding("mounts_unknown", problem, fix, where=paths[0])
    yield from _closed_logo(site)
    if site.has_app:
        known = routes_of(site.app)
        yield from _open_or_closed(site, known.routes)
        yield from _hidden(site, known.routes)
        if known.is_complete and known.routes:
            yield from _rules_without_route(settings.rules, known)
            yield from _patterns_without_route(settings.public, known)


def _closed_logo(site: ExaminedApp) -> Iterator[Finding]:
    settings = site.settings
    path = None if settings.app_logo is None else settings.app_logo.partition("?")[0]
    if path is None or not path.startswith(f"{settings.base_path}/"):
        return  # another app serves it
    if not site.policy.is_public_url(path, settings.base_path):
        problem = f"pages for people who are not signed in cannot show the logo: {path} needs a signed-in user"
        yield Finding(
            "logo_not_public", problem, f"add {path.removeprefix(settings.base_path)!r} to public", where=path
        )


def _open_or_closed(site: ExaminedApp, routes: Sequence[AppRoute]) -> Iterator[Finding]:
    public = {route.path for route in routes if _is_public(site, route)}
    served = {route.path.rstrip("/") or "/" for route in routes}
    if closed := [path for path in (*HEALTH, *HEALTH_BELOW) if path in served and path not in public]:
        problem = f"{_listed(closed)} needs a signed-in user: load balancers and probes get 401"
        yield Finding(
            "health_closed",
            problem,
            f"add {closed[0]!r} to public, or set health_path, which asgi-oidc answers itself",
            where=closed[0],
        )
    docs, schema = ([path for path in paths if path in public] for paths in (DOCS, SCHEMA))
    has_both = any(path in served for path in DOCS) and any(path in served for path in SCHEMA)
    if has_both and bool(docs) != bool(schema):
        shown, hidden = ("documentation", "schema") if docs else ("schema", "documentation")
        problem = f"the {shown} {_listed(docs or schema)} is public, but the {hidden} is not"
        yield Finding("docs_half_open", problem, "make both public, or neither", where=(docs or schema)[0])
    elif docs or schema:
        problem = f"anybody can read {_listed([*docs, *schema])}, which describe all of the API"
        fix = "remove them from public; if they are meant to be public, add --ignore docs_open"
        yield Finding("docs_open", problem, fix, where=[*docs, *schema][0])
    if opened := sorted(path for path in public if ADMIN & set(path.strip("/").lower().split("/"))):
        problem = f"anybody can open {_listed(opened)}"
        fix = "make the pattern in public narrower, or add a rule; if it is meant, add --ignore admin_public"
        yield Finding("admin_public", problem, fix, where=opened[0])
    if opened := [path for path in METRICS if path in public]:
        problem = f"anybody can read {opened[0]}, which tells much about the app and its load"
        fix = "remove it from public, and let the collector use another port or an access token"
        yield Finding("metrics_open", problem, fix, where=opened[0])


def _hidden(site: ExaminedApp, routes: Sequence[AppRoute]) -> Iterator[Finding]:
    hidden = [route.path for route in routes if _is_own_url(site, route)]
    if hidden:
        problem = f"{_listed(hidden)} of the app is never reached: asgi-oidc answers that URL itself"
        yield Finding("route_hidden", problem, "rename the route, or set auth_path (OIDC_AUTH_PATH)", where=hidden[0])


def _rules_without_route(rules: Sequence[Rule], known: AppRoutes) -> Iterator[Finding]:
    for rule in rules:
        matching = [route for route in known.routes if may_match(rule.pattern, route)]
        if not matching:
            problem = f"{rule!r} matches no route of the app"
            fix = "correct its path: it is relative to base_url, and compares whole segments"
            yield Finding("rule_never_matches", problem, fix, where=rule.path)
        elif rule.methods is not None and not any(_takes(route, rule.methods) for route in matching):
            problem = f"{rule!r} matches no method of {_listed([route.path for route in matching])}"
            yield Finding("rule_never_matches", problem, "correct its methods", where=rule.path)


def _patterns_without_route(public: Sequence[Pattern], known: AppRoutes) -> Iterator[Finding]:
    for pattern in public:
        matching = [route for route in known.routes if may_match(pattern, route)]
        if pattern.is_exact and any(route.takes_rest and route.path == pattern.stem for route in matching):
            problem = f"{str(pattern)!r} opens exactly that path, but not what is below it, where an app is mounted"
            fix = f"write '{pattern.stem}/*'"
            yield Finding("public_misses_mount", problem, fix, where=str(pattern))
        elif not matching and str(pattern) != "/":
            problem = f"{str(pattern)!r} matches no route of the app"
            yield Finding("public_pattern_unused", problem, where=str(pattern))


def may_match(pattern: Pattern, route: AppRoute) -> bool:
    """Return whether a request to a route can match a pattern."""
    stem = _segments(pattern.stem)
    path = _segments(route.path)
    if not all(left == right or "{}" in (left, right) for left, right in zip(stem, path, strict=False)):
        return False
    if len(stem) > len(path):
        return route.takes_rest
    return len(stem) == len(path) or not pattern.is_exact


def _segments(path: str) -> list[str]:
    return [segment.casefold() for segment in path.split("/") if segment]


def _takes(route: AppRoute, methods: Sequence[str]) -> bool:
    return route.methods is None or bool(route.methods & set(methods)) or "WEBSOCKET" in methods


def _is_public(site: ExaminedApp, route: AppRoute) -> bool:
    method = "GET" if route.methods is None or "GET" in route.methods else min(route.methods)
    return site.middleware.explain(site.settings.base_path + route.example, method).is_public


def _is_own_url(site: ExaminedApp, route: AppRoute) -> bool:
    if route.takes_rest or "{}" in route.path:
        return False
    explanation = site.middleware.explain(site.settings.base_path + route.example)
    return explanation.rows[0][0] == "endpoint"


def _listed(paths: Sequence[str]) -> str:
    return ", ".join(paths[:MAX_LISTED]) + (f" and {len(paths) - MAX_LISTED} more" if len(paths) > MAX_LISTED else "")
