"""Decides on every request: closed by default, opened by `public` patterns, restricted by rules."""

import itertools
import re
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from asgi_oidc.errors import OIDCError, describe_value
from asgi_oidc.policy.endpoint_paths import EndpointPaths, OwnUrl
from asgi_oidc.policy.mount_table import MountTable
from asgi_oidc.policy.patterns import Pattern, PublicPatterns, RulePatterns, read_pattern
from asgi_oidc.policy.requirements import BEARER, CREDENTIALS, SESSION, Subject
from asgi_oidc.policy.rules import Rule
from asgi_oidc.protocol.authorization_details import digest, find_missing, types_of
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest, combined_request, is_met
from asgi_oidc.web.path_readings import Mounts
from asgi_oidc.web.paths import PathReadings, read_path

EVERYTHING_BUT_RULES = "everything-but-rules"  # a value of `public`: only paths with rules are closed
_PLAIN_PATTERN = re.compile(r"/|(/[a-z-]{1,30})+(/\*)?")
MAX_MATCHES = 2048  # cached matches; the oldest is dropped first
MAX_KEY_LENGTH = 512  # characters of a path that is cached
NONE_OF_ALWAYS = (  # ends a message about acr_values that no login could satisfy
    "asks for none of the acr_values in authorization_params, one of which every login must satisfy: add to those the "
    "values that are good enough for every page"
)


_Key = tuple[Any, Any, Any, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class MatchedPolicy:
    """What the policy says about a path and a method, whoever the user is.

    Attributes:
        own_url: which of our own URLs an http request to this path is for; None if it is for the app.
        rules: the rules that match and are not overridden by a narrower `public` pattern.
        checks: the ones among them that have a check of the app.
        opened_by: the `public` pattern that opens the path; None if a user is required.
        authentication: how the user has to sign in; None if no single login can satisfy the rules.
        may_redirect: whether page navigations may be redirected to a login.
        scopes: all scopes that the rules require.
        credentials: what a user may show, `session` or `bearer`; empty if the rules contradict each other.
        origins: other origins whose pages may call it.
    """

    path: PathReadings
    opened_by: str | None
    own_url: OwnUrl | None = None
    rules: tuple[Rule, ...] = ()
    checks: tuple[Rule, ...] = ()
    authentication: AuthenticationRequest | None = ANY_LOGIN
    may_redirect: bool = True
    scopes: tuple[str, ...] = ()
    credentials: frozenset[str] = frozenset(CREDENTIALS)
    origins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Allow:
    """The app gets the request."""


@dataclass(frozen=True, slots=True)
class StartLogin:
    """The user is not signed in, and has to."""

    authentication: AuthenticationRequest


@dataclass(frozen=True, slots=True)
class StepUp:
    """The user has to sign in again, in a stronger way or more freshly (RFC 9470)."""

    authentication: AuthenticationRequest


@dataclass(frozen=True, slots=True)
class Refuse:
    """The user lacks the rights.

    Attributes:
        why: the requirement that is not met, for the log.
        scopes: the required scopes, if one of them is missing.
        hint: a likely cause, for the log.
        authentication: how a user with the rights has to sign in; None for what the path requires.
    """

    why: str
    scopes: tuple[str, ...] = ()
    hint: str | None = None
    authentication: AuthenticationRequest | None = None


Decision = Allow | StartLogin | StepUp | Refuse
Denial = StartLogin | StepUp | Refuse | OIDCError
"""Why the app does not get a request; an error is reported to the client."""
ALLOW = Allow()


def decide(matched: MatchedPolicy, subject: Subject | None, *, now: int, leeway: int) -> Decision:
    """Decide by path, method and user alone; no header can change the decision.

    Args:
        subject: the signed-in user; None if anonymous.
        now: seconds since the epoch.
        leeway: seconds of clock skew allowed.
    """
    if matched.opened_by is not None:
        return ALLOW
    if subject is None:
        return StartLogin(matched.authentication or ANY_LOGIN)
    for rule in matched.rules:
        if (requirement := rule.requirements.unmet(subject)) is not None:
            scopes = rule.requirements.scopes if requirement.startswith("scopes") else ()
            return Refuse(f"{rule.path} needs {requirement}", scopes, rule.requirements.hint(subject))
    if matched.authentication is None:
        return Refuse("the rules of this path need different acr_values, which no single login has")
    if matched.authentication is ANY_LOGIN:
        return ALLOW
    return _decide_on_login(matched.authentication, subject, now=now, leeway=leeway)


def _decide_on_login(authentication: AuthenticationRequest, subject: Subject, *, now: int, leeway: int) -> Decision:
    required = authentication.authorization_details
    missing = find_missing(required, subject.granted_details) if required else ()
    if missing and (subject.credential == BEARER or all(digest(text) in subject.requested_details for text in missing)):
        # A login has just asked for them, so another one would lead to the same result.
        return Refuse(f"authorization_details of type {' '.join(types_of(missing))} needed, which were not granted")
    if not missing and is_met(authentication, acr=subject.acr, auth_time=subject.auth_time, now=now, leeway=leeway):
        return ALLOW
    return StepUp(authentication) if subject.can_step_up else step_up_refused(authentication)


def step_up_refused(authentication: AuthenticationRequest) -> Refuse:
    """Refuse a user whose provider does not report how and when users sign in: another login would not help."""
    needed = " and ".join(authentication.names)
    why = f"{needed} needed, which only OpenID providers report"
    return Refuse(why, hint="sign in at an OpenID provider", authentication=authentication)


class Policy:
    """The settings `public` and `rules`, compiled. Matches are cached, within bounds."""

    def __init__(
        self,
        public: Sequence[Pattern],
        rules: Sequence[Rule],
        *,
        base_path: str,
        endpoint_paths: EndpointPaths | None = None,
        mounts: MountTable | None = None,
    ) -> None:
        """Compile the patterns.

        Args:
            endpoint_paths: the paths of our own URLs.
            mounts: those of the wrapped app; None if they are unknown.
        """
        self.rules = tuple(rules)
        self.looks_at_methods = any(rule.methods is not None for rule in rules)
        self._base_path = base_path
        self._endpoint_paths = endpoint_paths or EndpointPaths("", ())
        self._public_patterns = PublicPatterns(public)
        self._rule_patterns = RulePatterns([rule.pattern for rule in rules])
        self._permits = [(rule, PublicPatterns([rule.pattern])) for rule in rules if rule.allowed]
        self._mount_table = mounts or MountTable(None)
        self._watched_tables: list[Sized] = []
        self._table_sizes: list[int] = []
        self._matches: dict[_Key, MatchedPolicy] = {}

    @property
    def mounts(self) -> Mounts:
        """The current mounts of the app."""
        self._refresh_mounts()
        return self._mount_table.mounts

    def bypassable_rules(self) -> dict[str, list[str]]:
        """Return the rules that may be bypassed, by the name of the app, mount or route that cannot be inspected."""
        self._refresh_mounts()
        stems = [(rule.pattern.stem, rule.path) for rule in self.rules if rule.closes]
        bypassable = {
            name: [path for stem, path in stems if stem.startswith(start.partition("{")[0]) and stem != start]
            for start, name in self._mount_table.opaque.items()
        }
        return {name: paths for name, paths in bypassable.items() if paths}

    def match(self, scope: Mapping[str, Any], methods: tuple[str, ...]) -> MatchedPolicy:
        """Return what the policy says about the path of an http or websocket scope.

        Args:
            methods: all methods that the app may treat the request as; ignored if `looks_at_methods` is False.
        """
        if list(map(len, self._watched_tables)) != self._table_sizes:
            self._refresh_mounts()
        get = scope.get
        key = (get("path"), get("raw_path"), get("root_path"), methods if self.looks_at_methods else ())
        return self._matches.get(key) or self._match_uncached(scope, key)

    def is_public_url(self, path: str, root_path: str) -> bool:
        """Return whether a page is public.

        Args:
            path: percent-encoded, as in a URL.
        """
        scope = {"path": unquote(path), "raw_path": path.encode("ascii", "replace"), "root_path": root_path}
        return self.match(scope, ("GET",)).opened_by is not None

    def _refresh_mounts(self) -> None:
        if self._mount_table.refresh():
            self._matches.clear()
            self._watched_tables, self._table_sizes = self._mount_table.watched, self._mount_table.sizes

    def _match_uncached(self, scope: Mapping[str, Any], key: _Key) -> MatchedPolicy:
        self._refresh_mounts()
        path, raw, root, methods = key
        matched = self._match_path(
            read_path(scope, base_path=self._base_path, mounts=self._mount_table.mounts), methods
        )
        if sum(len(part) for part in (path or "", raw or b"", root or "", *methods)) <= MAX_KEY_LENGTH:
            if len(self._matches) >= MAX_MATCHES:
                self._matches.pop(next(iter(self._matches)), None)
            self._matches[key] = matched
        return matched

    def _match_path(self, path: PathReadings, methods: tuple[str, ...]) -> MatchedPolicy:
        # Some mounts add a "/" (Litestar). A callback that is not recognized as ours would start a login, and so loop.
        own_urls = (
            self._endpoint_paths.find(reading.rstrip("/"), is_canonical=path.is_canonical) for reading in path.own
        )
        own_url = next((own_url for own_url in own_urls if own_url is not None), None)
        matching = [rule for index in self._rule_patterns.matching(path) if (rule := self.rules[index]).is_for(methods)]
        closing_rules = [rule for rule in matching if rule.closes]
        opened_by = self._opened_by(path, methods)
        origins = frozenset(
            origin
            for rule, permitted in self._permits
            if rule.permits(methods) and permitted.opens(path)
            for origin in rule.allowed
        )
        if opened_by is not None:
            return MatchedPolicy(path, str(opened_by), own_url, origins=origins)
        accepted = [rule.requirements.accepted_credentials for rule in closing_rules]
        credentials = frozenset(CREDENTIALS).intersection(*accepted)
        return MatchedPolicy(
            path,
            None,
            own_url,
            rules=tuple(closing_rules),
            checks=tuple(rule for rule in closing_rules if rule.app_check is not None),
            authentication=_combined_authentication(closing_rules),
            may_redirect=all(rule.login for rule in closing_rules) and SESSION in credentials,
            scopes=tuple(dict.fromkeys(scope for rule in closing_rules for scope in rule.requirements.scopes)),
            credentials=credentials,
            origins=origins,
        )

    def _opened_by(self, path: PathReadings, methods: tuple[str, ...]) -> Pattern | None:
        """Return a pattern that opens the path; None if one of its readings is not open.

        A pattern that opens one reading does not override a rule that matches another reading.
        """
        if not path.is_canonical:
            return None
        opened = [self._opens_reading(reading, methods) for reading in sorted(path.readings)]
        return None if None in opened else opened[0]

    def _opens_reading(self, reading: str, methods: tuple[str, ...]) -> Pattern | None:
        pattern = self._public_patterns.narrowest(reading)
        if pattern is None:
            return None
        rules = [self.rules[index] for index in self._rule_patterns.matching_reading(reading)]
        closing_rules = (rule for rule in rules if rule.closes and rule.is_for(methods))
        return pattern if all(_is_narrower(pattern, rule.pattern) for rule in closing_rules) else None


def _combined_authentication(rules: Sequence[Rule]) -> AuthenticationRequest | None:
    authentication = combined_request(rule.authentication for rule in rules)
    return ANY_LOGIN if authentication == ANY_LOGIN else authentication


def _is_narrower(pattern: Pattern, other: Pattern) -> bool:
    return pattern.width < other.width


def read_public(value: object) -> tuple[Pattern, ...]:
    """Parse the setting `public`.

    Raises:
        ValueError: it is not a list, a pattern is neither `/x` nor `/x/*`, or a pattern opens everything.
    """
    if value in (EVERYTHING_BUT_RULES, [EVERYTHING_BUT_RULES], (EVERYTHING_BUT_RULES,)):
        return (Pattern("", is_exact=False),)
    if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
        if isinstance(value, str) and _PLAIN_PATTERN.fullmatch(value):  # quoted: no random secret looks like this
            raise ValueError(f"must be a list of paths: write [{value!r}]")
        raise ValueError(f"must be a list of paths such as ['/', '/static/*'], got {describe_value(value)}")
    patterns = tuple(read_pattern(pattern) for pattern in value)
    if any(str(pattern) == "/*" for pattern in patterns):
        raise ValueError(
            f"'/*' would open every path: list the public paths, or set public={EVERYTHING_BUT_RULES!r} if only paths "
            "with rules need a user"
        )
    return patterns


def lacks_acr(authentication: AuthenticationRequest, always: Sequence[str]) -> bool:
    """Return whether this asks for acr_values, but for none that every login must satisfy.

    Args:
        always: the acr_values in `authorization_params`; empty if there are none.
    """
    return bool(always and authentication.acr_values) and not set(always) & set(authentication.acr_values)


def _overlap(rule: Rule, other: Rule) -> bool:
    """Return whether a request can match both rules."""
    wide, narrow = sorted((rule, other), key=lambda either: either.pattern.width, reverse=True)
    narrow_stem, wide_stem = f"{narrow.pattern.stem}/", f"{wide.pattern.stem}/"
    is_inside = narrow_stem == wide_stem if wide.pattern.is_exact else narrow_stem.startswith(wide_stem)
    return is_inside and (other.methods is None or rule.is_for(other.methods))


def contradictions(
    public: Sequence[Pattern],
    rules: Sequence[Rule],
    *,
    auth_path: str,
    base_path: str,
    acr_values: Sequence[str],
    plain_prefixes: Sequence[str] = (),
) -> list[str]:
    """Return the problems of patterns and rules: those that can never match or be satisfied, or contradict each other.

    Args:
        acr_values: those in `authorization_params`, one of which every login must satisfy.
    """
    paths = [("public", str(pattern), repr(str(pattern))) for pattern in public]
    paths += [("rules", rule.path, repr(rule)) for rule in rules]
    paths += [("plain_prefixes", prefix, repr(prefix)) for prefix in plain_prefixes]
    problems = []
    for setting, path, shown in paths:
        if base_path and f"{path.removesuffix('*').rstrip('/')}/".startswith(f"{base_path}/"):
            inside = path.removeprefix(base_path) or "/"
            inside = EVERYTHING_BUT_RULES if setting == "public" and inside == "/*" else inside
            problems.append(f"{setting}: {shown} can never match: paths are relative to base_url; write {inside!r}")
    with_acr_values = [rule for rule in rules if rule.authentication.acr_values]
    for rule, other in itertools.combinations(rules, 2):
        accepted = rule.requirements.accepted_credentials & other.requirements.accepted_credentials
        machines = {rule.requirements.machines, other.requirements.machines}
        if (not accepted or machines == {True, False}) and _overlap(rule, other):
            problems.append(
                f"rules: {rule!r} and {other!r} match the same page, but no session and no token satisfies both"
            )
    for rule, other in itertools.combinations(with_acr_values, 2):
        if combined_request((rule.authentication, other.authentication)) is None and _overlap(rule, other):
            problems.append(
                f"rules: {rule!r} and {other!r} match the same page, but no single login satisfies the acr_values of "
                "both: list a value that is good enough for both"
            )
    for rule in rules:
        if lacks_acr(rule.authentication, acr_values):
            problems.append(f"rules: {rule!r} {NONE_OF_ALWAYS}")
        if f"{rule.pattern.stem}/".startswith(f"{auth_path}/"):
            problems.append(
                f"rules: {rule!r} is below {auth_path}, where asgi-oidc has its own URLs: move the page, or change "
                "auth_path"
            )
        if rule.closes and rule.methods is None and rule.pattern in public:
            problems.append(
                f"rules: {rule!r} needs a user, but public opens {str(rule.pattern)!r}: remove one of the two"
            )
    return problems
