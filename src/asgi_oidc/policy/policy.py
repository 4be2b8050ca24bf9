"""One policy for every request: default closed, opened by `public` patterns, narrowed by rules."""

import itertools
from collections.abc import Collection, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from asgi_oidc.errors import OIDCError, describe_value
from asgi_oidc.policy.mount_table import MountTable
from asgi_oidc.policy.patterns import Pattern, PublicPatterns, RulePatterns, read_pattern
from asgi_oidc.policy.requirements import Subject
from asgi_oidc.policy.rules import Rule
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest, combined_request, is_met
from asgi_oidc.web.path_readings import Mounts
from asgi_oidc.web.paths import PathReadings, read_path

EVERYTHING_BUT_RULES = "everything-but-rules"  # what `public` is set to when rules alone shall close paths
MAX_MATCHES = 2048  # paths whose decision is remembered; the oldest goes
MAX_KEY_LENGTH = 512  # characters of a path that is remembered
NONE_OF_ALWAYS = (
    "asks for none of the acr_values in authorization_params, which every login has to meet: add the values that are "
    "good enough for every page there"
)


_Key = tuple[Any, Any, Any, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class MatchedPolicy:
    """What the policy says about a path and a method, before anybody asks who is there.

    Attributes:
        own: the one of our own URLs that it is for http, None for a path of the app.
        rules: those that match and are not overruled by a narrower `public` pattern.
        checks: those of them that ask the app.
        opened_by: the `public` pattern that opens it, None where a user is needed.
        authentication: how the user has to sign in; None where the rules ask for what no single login can give.
        may_redirect: whether a page may lead to a login.
        origins: other sites whose pages may call it.
    """

    path: PathReadings
    opened_by: str | None
    own: str | None = None
    rules: tuple[Rule, ...] = ()
    checks: tuple[Rule, ...] = ()
    authentication: AuthenticationRequest | None = ANY_LOGIN
    may_redirect: bool = True
    origins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Allow:
    """The app answers."""


@dataclass(frozen=True, slots=True)
class StartLogin:
    """Nobody is signed in."""

    authentication: AuthenticationRequest


@dataclass(frozen=True, slots=True)
class StepUp:
    """The user has to sign in again, in a stronger way or more freshly (RFC 9470)."""

    authentication: AuthenticationRequest


@dataclass(frozen=True, slots=True)
class Refuse:
    """The user may not.

    Attributes:
        why: the need that is not met, for the log.
        scopes: those that were needed, where that was it.
        hint: a likely reason, for the log.
    """

    why: str
    scopes: tuple[str, ...] = ()
    hint: str | None = None


Decision = Allow | StartLogin | StepUp | Refuse
Denial = StartLogin | StepUp | Refuse | OIDCError
"""Why the app does not get a request; an error is reported as it is."""
ALLOW = Allow()


def decide(matched: MatchedPolicy, subject: Subject | None, *, now: int, leeway: int) -> Decision:
    """Decide on a request by its path, its method and its user alone; no header takes part.

    Args:
        subject: None for nobody.
        now: seconds since the epoch.
        leeway: seconds of clock skew allowed.
    """
    if matched.opened_by is not None:
        return ALLOW
    if subject is None:
        return StartLogin(matched.authentication or ANY_LOGIN)
    for rule in matched.rules:
        if (need := rule.requirements.unmet(subject)) is not None:
            scopes = rule.requirements.scopes if need.startswith("scopes") else ()
            return Refuse(f"{rule.path} needs {need}", scopes, rule.requirements.hint(subject))
    if matched.authentication is None:
        return Refuse("the rules of this path need different acr_values, which no single login has")
    if matched.authentication is ANY_LOGIN or is_met(
        matched.authentication, acr=subject.acr, auth_time=subject.auth_time, now=now, leeway=leeway
    ):
        return ALLOW
    return StepUp(matched.authentication)


class Policy:
    """`public` and `rules`, compiled; what it says about a path is remembered, within bounds."""

    def __init__(
        self,
        public: Sequence[Pattern],
        rules: Sequence[Rule],
        *,
        base_path: str,
        own: Collection[str] = (),
        mounts: MountTable | None = None,
    ) -> None:
        """Compile what is public, and what is not.

        Args:
            own: the paths of our own URLs.
            mounts: of the wrapped app; None where nothing is known of it.
        """
        self.rules = tuple(rules)
        self.looks_at_methods = any(rule.methods is not None for rule in rules)
        self._base_path = base_path
        self._own = frozenset(own)
        self._public_patterns = PublicPatterns(public)
        self._rule_patterns = RulePatterns([rule.pattern for rule in rules])
        self._permits = [(rule, PublicPatterns([rule.pattern])) for rule in rules if rule.allowed]
        self._mount_table = mounts or MountTable(None)
        self._watched: list[Sized] = []
        self._sizes: list[int] = []
        self._known: dict[_Key, MatchedPolicy] = {}

    @property
    def mounts(self) -> Mounts:
        """The mounts of the app, as they are now."""
        self._look_again()
        return self._mount_table.mounts

    def bypassable_rules(self) -> dict[str, list[str]]:
        """Return the rules that may be bypassed in an app, mount or route that cannot be inspected, by its name."""
        self._look_again()
        stems = [(rule.pattern.stem, rule.path) for rule in self.rules if rule.closes]
        found = {
            what: [path for stem, path in stems if stem.startswith(matched.partition("{")[0]) and stem != matched]
            for matched, what in self._mount_table.opaque.items()
        }
        return {what: paths for what, paths in found.items() if paths}

    def match(self, scope: Mapping[str, Any], methods: tuple[str, ...]) -> MatchedPolicy:
        """Say what holds for the path of an http or websocket scope.

        Args:
            methods: all that the request may be taken for; without them where `looks_at_methods` says so.
        """
        if list(map(len, self._watched)) != self._sizes:
            self._look_again()
        get = scope.get
        key = (get("path"), get("raw_path"), get("root_path"), methods if self.looks_at_methods else ())
        return self._known.get(key) or self._match_anew(scope, key)

    def is_public_url(self, path: str, root_path: str) -> bool:
        """Say whether anybody may open a page.

        Args:
            path: as in a URL, percent-encoded.
        """
        scope = {"path": unquote(path), "raw_path": path.encode("ascii", "replace"), "root_path": root_path}
        return self.match(scope, ("GET",)).opened_by is not None

    def _look_again(self) -> None:
        if self._mount_table.has_changed():
            self._known.clear()
            self._watched, self._sizes = self._mount_table.watched, self._mount_table.sizes

    def _match_anew(self, scope: Mapping[str, Any], key: _Key) -> MatchedPolicy:
        self._look_again()
        path, raw, root, methods = key
        matched = self._match_path(
            read_path(scope, base_path=self._base_path, mounts=self._mount_table.mounts), methods
        )
        if sum(len(part) for part in (path or "", raw or b"", root or "", *methods)) <= MAX_KEY_LENGTH:
            if len(self._known) >= MAX_MATCHES:
                self._known.pop(next(iter(self._known)), None)
            self._known[key] = matched
        return matched

    def _match_path(self, path: PathReadings, methods: tuple[str, ...]) -> MatchedPolicy:
        # Some mounts add a "/" (Litestar): a callback that is not known as ours would start a login, for ever.
        own = next((found for reading in path.own if (found := reading.rstrip("/")) in self._own), None)
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
            return MatchedPolicy(path, str(opened_by), own, origins=origins)
        return MatchedPolicy(
            path,
            None,
            own,
            rules=tuple(closing_rules),
            checks=tuple(rule for rule in closing_rules if rule.asks_app is not None),
            authentication=_all_of(closing_rules),
            may_redirect=all(rule.login for rule in closing_rules),
            origins=origins,
        )

    def _opened_by(self, path: PathReadings, methods: tuple[str, ...]) -> Pattern | None:
        """Return a pattern that opens the path, None if one of its readings is not open.

        What opens one reading does not override a rule that another reading meets.
        """
        if not path.is_canonical:
            return None
        opened = [self._opens_reading(reading, methods) for reading in sorted(path.readings)]
        return None if None in opened else opened[0]

    def _opens_reading(self, reading: str, methods: tuple[str, ...]) -> Pattern | None:
        pattern = self._public_patterns.narrowest(reading)
        if pattern is None:
            return None
        rules = [self.rules[index] for index in self._rule_patterns.of(reading)]
        closing_rules = (rule for rule in rules if rule.closes and rule.is_for(methods))
        return pattern if all(_is_narrower(pattern, rule.pattern) for rule in closing_rules) else None


def _all_of(rules: Sequence[Rule]) -> AuthenticationRequest | None:
    authentication = combined_request(rule.authentication for rule in rules)
    return ANY_LOGIN if authentication == ANY_LOGIN else authentication


def _is_narrower(pattern: Pattern, other: Pattern) -> bool:
    return pattern.width < other.width


def read_public(value: object) -> tuple[Pattern, ...]:
    """Compile `public` patterns.

    Raises:
        ValueError: a pattern is not `/x` or `/x/*`, or opens everything.
    """
    if value in (EVERYTHING_BUT_RULES, [EVERYTHING_BUT_RULES], (EVERYTHING_BUT_RULES,)):
        return (Pattern("", is_exact=False),)
    if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
        raise ValueError(f"must be a list of paths such as ['/', '/static/*'], got {describe_value(value)}")
    patterns = tuple(read_pattern(pattern) for pattern in value)
    if any(str(pattern) == "/*" for pattern in patterns):
        raise ValueError(
            f"'/*' would open every path: list the public paths, or set public={EVERYTHING_BUT_RULES!r} if only paths "
            "with rules need a user"
        )
    return patterns


def lacks_acr(authentication: AuthenticationRequest, always: Sequence[str]) -> bool:
    """Say whether a login for this would be none of those that are good enough everywhere."""
    return bool(always and authentication.acr_values) and not set(always) & set(authentication.acr_values)


def _meet(rule: Rule, other: Rule) -> bool:
    wide, narrow = sorted((rule, other), key=lambda each: each.pattern.width, reverse=True)
    stems = f"{narrow.pattern.stem}/", f"{wide.pattern.stem}/"
    is_one = stems[0] == stems[1] if wide.pattern.is_exact else stems[0].startswith(stems[1])
    return is_one and (other.methods is None or rule.is_for(other.methods))


def contradictions(
    public: Sequence[Pattern],
    rules: Sequence[Rule],
    *,
    auth_path: str,
    base_path: str,
    acr_values: Sequence[str],
    plain_prefixes: Sequence[str] = (),
) -> list[str]:
    """Say which rules can never match or be met, and which patterns say the opposite of a rule.

    Args:
        acr_values: those that every login asks for.
    """
    named = [("public", str(pattern), repr(str(pattern))) for pattern in public]
    named += [("rules", rule.path, repr(rule)) for rule in rules]
    named += [("plain_prefixes", prefix, repr(prefix)) for prefix in plain_prefixes]
    problems = []
    for setting, path, told in named:
        if base_path and f"{path.removesuffix('*').rstrip('/')}/".startswith(f"{base_path}/"):
            inside = path.removeprefix(base_path) or "/"
            inside = EVERYTHING_BUT_RULES if setting == "public" and inside == "/*" else inside
            problems.append(f"{setting}: {told} can never match: paths are relative to base_url; write {inside!r}")
    strong = [rule for rule in rules if rule.authentication.acr_values]
    for rule, other in itertools.combinations(strong, 2):
        if combined_request((rule.authentication, other.authentication)) is None and _meet(rule, other):
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
