"""What a rule can ask of a signed-in user: claims, scopes, a verified e-mail address, and the app's own check.

A claim that is missing or of an odd type never meets a need, and never is an error.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from asgi_oidc.errors import describe_value
from asgi_oidc.principal import User
from asgi_oidc.protocol.claims import email_domain, is_email_verified

Scalar = str | int | bool
ClaimPath = tuple[str, ...]
RequiredClaim = tuple[str | None, ClaimPath, tuple[Scalar, ...]]  # the name that may have dots, or None; path; values
Scope = MutableMapping[str, Any]
Check = Callable[[User, Scope], bool | Awaitable[bool]]
"""Nothing but True lets the user in."""

_SCOPE_TOKEN = re.compile(r"[!#-\[\]-~]+")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_MISSING = object()


class Subject(NamedTuple):
    """What is known of the user behind a request.

    Attributes:
        claims: JSON object: those that the app sees.
        scopes: as granted.
        acr, auth_time: of the ID Token of the login; None where it had none.
        trusted_email_domains: as in the settings.
    """

    claims: Mapping[str, Any]
    scopes: Sequence[str]
    acr: object = None
    auth_time: object = None
    trusted_email_domains: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return "Subject(...)"  # who it is stays out of logs and tracebacks


@dataclass(frozen=True, slots=True)
class Requirements:
    """All of these have to be met; of the values of one claim, and of the e-mail domains, any one."""

    claims: tuple[RequiredClaim, ...] = ()
    scopes: tuple[str, ...] = ()
    email_domains: frozenset[str] = frozenset()

    @property
    def is_something(self) -> bool:
        """Whether anything is needed at all."""
        return bool(self.claims or self.scopes or self.email_domains)

    @property
    def claim_names(self) -> list[tuple[str, ...]]:
        """List the claims that are needed, each as the names that it may have at the top level."""
        named = [tuple(each for each in (name, path[0]) if each is not None) for name, path, _ in self.claims]
        return named + ([("email",), ("email_verified",)] if self.email_domains else [])

    def unmet(self, subject: Subject) -> str | None:
        """Name the first need that is not met, for the log; None when all are."""
        claims = subject.claims
        for name, path, values in self.claims:
            # Some providers name claims by URLs: a name with dots that stands there as it is comes first.
            found = claims[name] if name is not None and name in claims else _claim(claims, path)
            if not _has_one_of(found, values):
                return f"claims {'.'.join(path)}"
        if self.scopes and (missing := [scope for scope in self.scopes if scope not in subject.scopes]):
            return f"scopes {' '.join(missing)}"
        if self.email_domains and not _is_verified_at(subject, self.email_domains):
            return "email_domains"
        return None

    def hint(self, subject: Subject) -> str | None:
        """Say, for the log, which claim is missing altogether: then the provider's set-up has to change.

        Returns:
            None if all are there, whatever their values, which are never logged.
        """
        claims = subject.claims
        paths = [path for name, path, _ in self.claims if name is None or name not in claims]
        paths += [("email",), ("email_verified",)] if self.email_domains else []
        missing = next(filter(None, (_missing(claims, path) for path in paths)), None)
        return None if missing is None else f"this session has no claim {missing}"


def _missing(claims: Mapping[str, Any], path: ClaimPath) -> str | None:
    """Return the first part of the path that is missing; None if the claim is there."""
    lengths = (length for length in range(1, len(path) + 1) if _claim(claims, path[:length]) is _MISSING)
    return next((".".join(path[:length]) for length in lengths), None)


def _claim(claims: Mapping[str, Any], path: ClaimPath) -> object:
    found: object = claims
    for step in path:
        if not isinstance(found, dict) or step not in found:
            return _MISSING
        found = found[step]
    return found


def _has_one_of(found: object, values: Sequence[Scalar]) -> bool:
    # Text is never split into words: a value that holds the delimiter would count as several.
    for item in found if type(found) is list else (found,):
        # True is equal to 1, which no text is.
        if item in values and (type(item) is str or any(item == each and type(item) is type(each) for each in values)):
            return True
    return False


def _is_verified_at(subject: Subject, domains: frozenset[str]) -> bool:
    if email_domain(subject.claims) not in domains:
        return False
    return is_email_verified(subject.claims, trusted_domains=subject.trusted_email_domains)


def read_requirements(*, claims: object = None, scopes: object = None, email_domains: object = None) -> Requirements:
    """Check what a rule asks for; None is left out.

    Raises:
        ValueError: with all that is wrong, one on each line.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    readers = (("claims", claims, _claims), ("scopes", scopes, _scopes), ("email_domains", email_domains, read_domains))
    for name, value, read in readers:
        try:
            if value is not None:
                values[name] = read(value)
        except ValueError as exc:
            problems.append(f"{name}: {exc}")
    if problems:
        raise ValueError("\n".join(problems))
    return Requirements(**values)


def _claims(value: object) -> tuple[RequiredClaim, ...]:
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f"must be a mapping such as {{'realm_access.roles': 'admin'}}, got {describe_value(value)}")
    paths = [(name, _claim_path(name), _scalars(name, needed)) for name, needed in value.items()]
    return tuple((name if isinstance(name, str) else None, path, values) for name, path, values in paths)


def _claim_path(path: object) -> ClaimPath:
    names = tuple(path.split(".")) if isinstance(path, str) else path
    if not isinstance(names, tuple) or not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{path!r} is not a claim: write 'realm_access.roles', or a tuple where names contain dots")
    return names


def _scalars(path: object, needed: object) -> tuple[Scalar, ...]:
    values = list(needed) if isinstance(needed, list | tuple | set | frozenset) else [needed]
    known = tuple(value for value in values if isinstance(value, str | int) and value != "")
    if not known or len(known) < len(values):
        raise ValueError(f"{path!r}: must be text, a number, True, False, or a list of these, which are OR-ed")
    return known


def _scopes(value: object) -> tuple[str, ...]:
    words = texts(value)
    if not all(_SCOPE_TOKEN.fullmatch(word) for word in words):
        raise ValueError("must be a list of scopes without spaces (RFC 6749 §3.3)")
    return words


def read_domains(value: object) -> frozenset[str]:
    """Read a list of e-mail domains.

    Raises:
        ValueError: it is not one.
    """
    domains = frozenset(domain.lower() for domain in texts(value))
    for domain in domains:
        if not _DOMAIN.fullmatch(domain):
            raise ValueError(f"{domain!r} is not a domain: write 'example.com', without '@' or '*'")
    return domains


def texts(value: object) -> tuple[str, ...]:
    """Read a list of texts.

    Raises:
        ValueError: it is not one.
    """
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"must be a list of text, got {describe_value(value)}")
    if not value:
        raise ValueError("is empty: leave it out, or list what is needed")
    return tuple(value)


def read_check(check: object) -> Check:
    """Take a check of the app: a function of the user, or of the user and the ASGI scope; async or not.

    A second argument that may be left out gets the scope when it is called so.

    Raises:
        ValueError: it is neither.
    """
    if not callable(check) or inspect.isclass(check):
        raise ValueError(
            f"must be a function of the user, or of the user and the ASGI scope, got {describe_value(check)}"
        )
    if _takes(check, 2) and (not _takes(check, 1) or "scope" in inspect.signature(check).parameters):
        return check
    if _takes(check, 1):
        return lambda user, scope: check(user)
    raise ValueError("must take one argument, the user, or two, the user and the ASGI scope")


async def passes(check: Check, user: User, scope: Scope) -> bool:
    """Ask a check of the app; what it raises goes on."""
    result = check(user, scope)
    return (await result if inspect.isawaitable(result) else result) is True


def _takes(check: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(check).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True
