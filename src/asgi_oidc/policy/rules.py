"""A rule: a path, and what it requires beyond a signed-in user."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any

import msgspec

from asgi_oidc.errors import SettingsError, describe_value
from asgi_oidc.policy.checks import Check, read_check
from asgi_oidc.policy.patterns import Pattern, read_pattern
from asgi_oidc.policy.requirements import ClaimPath, Requirements, Scalar, read_requirements, texts
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest, read_authentication
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.web.request import METHODS

EXAMPLE = "Rule('/admin/*', claims={'roles': 'admin'})"
REQUIREMENTS = ("claims", "scopes", "email_domains", "providers", "credentials", "machines", "client_ids")


@dataclass(frozen=True, slots=True, repr=False)
class Rule:
    """What a path requires beyond a signed-in user. All rules that match a request apply together.

    Args:
        path: `"/x"` is that path, and `"/x/*"` is `/x` and everything below it, in every spelling that a framework may
            serve. It compares whole segments and does not know which values a route takes (`07` for `7`).
        methods: the HTTP methods that it applies to; `"GET"` includes HEAD, `"WEBSOCKET"` is a websocket. By default,
            all methods.
        claims: the values that claims must have: `{"realm_access.roles": "admin"}`. The values of one claim are ORed;
            claims are ANDed. If the claim is a list, it must contain the value. Write the path as a tuple if a name
            contains dots.
        scopes: scopes that must have been granted; all of them are required.
        email_domains: the user's verified email address must be in one of these domains.
        acr_values: authentication contexts; the login must satisfy one of them, or the user signs in again.
        max_age: how long ago the user may have signed in at the provider, in seconds; after that, the user signs in
            again.
        login: `False` answers 401 instead of a redirect to the login, for APIs.
        check: your own function, async or not, called with the user, or with the user and the ASGI scope. Anything it
            returns other than `True` is a 403.
        origins: other sites whose pages may call this path with the user's session, such as
            `"https://spa.example.com"`: with scripts (CORS), forms and websockets. A rule that has only `origins`
            requires nothing.
        providers: names of providers, as in the setting `providers`; the user must have signed in at one of them. A
            user of another provider gets 403 with "Use another account", which leads to the right one.
        credentials: `["bearer"]` accepts only access tokens, and `["session"]` only sessions; by default, both. Tokens
            need the setting `bearer`. Where no session is accepted, nobody is redirected to a login.
        machines: `True` accepts only clients that act for no user (client credentials), `False` only people; by
            default, both.
        client_ids: clients; the access token must have been issued to one of them. No session has a client.
        authorization_details: what the user must have authorized (RFC 9396), a list of objects with a `type`:
            `[{"type": "payment", "actions": ["initiate"]}]`. What was granted must say at least the same; otherwise the
            user signs in again, and is asked for it.

    Raises:
        SettingsError: the rule is invalid; it lists every problem with its fix.
    """

    path: str
    _: KW_ONLY
    methods: Sequence[str] | None = None
    claims: Mapping[str | ClaimPath, Scalar | Sequence[Scalar]] | None = None
    scopes: Sequence[str] | None = None
    email_domains: Sequence[str] | None = None
    acr_values: Sequence[str] | None = None
    max_age: int | None = None
    login: bool = True
    check: Any = None
    origins: Sequence[str] | None = None
    providers: Sequence[str] | None = None
    credentials: Sequence[str] | None = None
    machines: bool | None = None
    client_ids: Sequence[str] | None = None
    authorization_details: Sequence[Mapping[str, Any]] | None = None
    pattern: Pattern = field(init=False)
    requirements: Requirements = field(init=False)
    authentication: AuthenticationRequest = field(init=False)
    app_check: Check | None = field(init=False)
    allowed: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        problems: list[str] = []
        for name, value, read in (
            ("pattern", self.path, read_pattern),
            ("methods", self.methods, _read_methods),
            (
                "requirements",
                self._values_of(*REQUIREMENTS),
                lambda values: read_requirements(**values),
            ),
            (
                "authentication",
                self._values_of("acr_values", "max_age", "authorization_details"),
                lambda values: read_authentication(**values),
            ),
            ("login", self.login, _read_switch),
            ("app_check", self.check, lambda check: None if check is None else read_check(check)),
            ("allowed", self.origins, _read_origins),
        ):
            try:
                object.__setattr__(self, name, read(value))
            except ValueError as exc:
                label = {
                    "pattern": "path: ",
                    "requirements": "",
                    "authentication": "",
                    "app_check": "check: ",
                    "allowed": "origins: ",
                }
                problems += [label.get(name, f"{name}: ") + line for line in str(exc).splitlines()]
        if problems:
            raise SettingsError([f"Rule({self.path!r}): {problem}" for problem in problems])
        if self.requirements.providers:
            authentication = msgspec.structs.replace(self.authentication, providers=self.requirements.providers)
            object.__setattr__(self, "authentication", authentication)

    def __repr__(self) -> str:
        names = [member.name for member in fields(self) if member.init and member.name != "path"]
        arguments = [f"{name}={_show(getattr(self, name))}" for name in names if self._is_set(name)]
        return f"Rule({', '.join([repr(self.path), *arguments])})"

    @property
    def closes(self) -> bool:
        """Whether it requires a signed-in user."""
        return (
            not self.allowed
            or any(map(self._is_set, (*REQUIREMENTS, "check", "login")))
            or (self.authentication != ANY_LOGIN)
        )

    def is_for(self, methods: Iterable[str]) -> bool:
        """Return whether it applies to one of the methods that a request may have."""
        return self.methods is None or any(method in self.methods for method in methods)

    def permits(self, methods: Sequence[str]) -> bool:
        """Return whether its `origins` apply to a request, however its method is read; `GET` permits no websocket."""
        if self.methods is None:
            return True
        # HEAD and WEBSOCKET are followed by GET, which some frameworks serve them as; that needs no permission of its
        # own. A method from a method override header does.
        is_implied = methods[0] in ("HEAD", "WEBSOCKET") and methods[1:] == ("GET",)
        to_permit = methods[:1] if is_implied else methods
        return all(method in self.methods or (method == "HEAD" and "GET" in self.methods) for method in to_permit)

    def _is_set(self, name: str) -> bool:
        default = True if name == "login" else None
        return bool(getattr(self, name) != default)

    def _values_of(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}


def rule_of(members: object) -> Rule:
    """Create a rule from a JSON object, such as `{"path": "/admin/*", "claims": {"roles": "admin"}}`.

    Raises:
        SettingsError, ValueError: the rule is invalid.
    """
    if not isinstance(members, Mapping) or "path" not in members:
        example = '{"path": "/admin/*", "claims": {"roles": "admin"}}'
        raise ValueError(f"expected an object with a path such as {example}, got {describe_value(members)}")
    known = [member.name for member in fields(Rule) if member.init]
    for name in members.keys() - set(known):
        near = difflib.get_close_matches(str(name), known, n=1)
        raise ValueError(f"a rule has no member {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return Rule(**members)


def read_rules(value: object) -> tuple[Rule, ...]:
    """Check the setting `rules`.

    Raises:
        ValueError: it is not a list of rules.
    """
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise ValueError(f"must be a list such as [{EXAMPLE}], got {describe_value(value)}")
    for rule in value:
        if not isinstance(rule, Rule):
            raise ValueError(f"expected a Rule such as {EXAMPLE}, got {describe_value(rule)}")
    return tuple(value)


def _read_methods(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    methods = texts(value)
    for method in methods:
        if method not in METHODS:
            near = difflib.get_close_matches(method.upper(), METHODS, n=1)
            raise ValueError(
                f"{method!r} is not an HTTP method or WEBSOCKET" + (f"; did you mean {near[0]!r}?" if near else "")
            )
    return methods


def _read_switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be True or False, got {describe_value(value)}")
    return value


def _read_origins(value: object) -> frozenset[str]:
    origins = () if value is None else texts(value)
    for origin in origins:
        if not _is_origin(origin):
            raise ValueError(f"{origin!r} is not an https origin: write 'https://spa.example.com', without a path")
    return frozenset(origins)


def _is_origin(text: str) -> bool:
    try:
        return origin_of(check_url(text)) == text
    except ValueError:
        return False


def _show(value: object) -> str:
    return getattr(value, "__qualname__", None) or repr(value)
