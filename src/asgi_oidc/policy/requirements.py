"""What a rule can require of a signed-in user: claims, scopes, credentials and a verified e-mail address.

A claim that is missing or has an unexpected type does not satisfy a requirement, and is never an error.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from asgi_oidc.errors import SCOPE_TOKEN, describe_value
from asgi_oidc.login.provider_choice import is_provider_name
from asgi_oidc.protocol.authorization_details import granted_objects
from asgi_oidc.protocol.claims import email_domain, is_email_verified
from asgi_oidc.protocol.entra import OVERAGE_FIX, group_overage
from asgi_oidc.protocol.user_api import is_openid

SESSION, BEARER = "session", "bearer"
CREDENTIALS = (SESSION, BEARER)

Scalar = str | int | bool
ClaimPath = tuple[str, ...]
RequiredClaim = tuple[str | None, ClaimPath, tuple[Scalar, ...]]
"""The claim as one name, which may contain dots, or None if given as a tuple; its path; the values that satisfy it."""

_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_MISSING = object()


class Subject(msgspec.Struct, frozen=True):
    """The signed-in user, as rules see them.

    Attributes:
        claims: JSON object, the same that the app sees.
        scopes: the granted scopes.
        acr, auth_time: claims of the ID Token of the login; None if it has none.
        trusted_email_domains: as in the settings.
        provider: the name of the provider at which the user has signed in.
        issuer: of that provider.
        credential: `session` or `bearer`.
        is_machine: whether it is a client that acts for no user.
        client_id: the client that the access token was issued to.
        authorization_details: the granted ones: a list of objects, or its JSON text.
        requested_details: digests of the objects that the login has asked for, granted or not.
    """

    claims: Mapping[str, Any]
    scopes: Sequence[str]
    acr: object = None
    auth_time: object = None
    trusted_email_domains: frozenset[str] = frozenset()
    provider: str = ""
    issuer: str = ""
    credential: str = SESSION
    is_machine: bool = False
    client_id: str | None = None
    authorization_details: object = None
    requested_details: Sequence[str] = ()

    @property
    def granted_details(self) -> object:
        """The granted authorization details: a list of objects, unless a token has something else there."""
        details = self.authorization_details
        return granted_objects(details) if isinstance(details, msgspec.Raw) else details

    @property
    def can_step_up(self) -> bool:
        """Whether the provider can report how and when the user signed in."""
        return is_openid(self.issuer)

    def __repr__(self) -> str:
        return "Subject(...)"  # personal data stays out of logs and tracebacks


@dataclass(frozen=True, slots=True)
class Requirements:
    """Requirements are ANDed; the values of one claim are ORed, and so are the e-mail domains."""

    claims: tuple[RequiredClaim, ...] = ()
    scopes: tuple[str, ...] = ()
    email_domains: frozenset[str] = frozenset()
    providers: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    machines: bool | None = None
    client_ids: tuple[str, ...] = ()

    @property
    def has_any(self) -> bool:
        """Whether there is any requirement."""
        is_about_tokens = self.credentials or self.machines is not None or self.client_ids
        return bool(self.claims or self.scopes or self.email_domains or self.providers or is_about_tokens)

    @property
    def accepted_credentials(self) -> frozenset[str]:
        """The credentials that can meet them: no session has a `client_id` or belongs to a machine."""
        accepted = frozenset(self.credentials or CREDENTIALS)
        return accepted & {BEARER} if self.machines or self.client_ids else accepted

    @property
    def claim_names(self) -> list[tuple[str, ...]]:
        """The required claims, each as the names that it may have at the top level."""
        names: list[tuple[str, ...]] = [
            (path[0],) if name is None else (name, path[0]) for name, path, _ in self.claims
        ]
        return names + ([("email",), ("email_verified",)] if self.email_domains else [])

    def takes(self, credential: str) -> bool:
        """Return whether a user with this kind of credential may meet them."""
        return credential in self.accepted_credentials

    def unmet(self, subject: Subject) -> str | None:
        """Return the first requirement that is not met, for the log; None if all are met."""
        if self.credentials and subject.credential not in self.credentials:
            return f"credentials {' '.join(self.credentials)}"
        if self.machines is not None and subject.is_machine is not self.machines:
            return f"machines {self.machines}"
        if self.client_ids and subject.client_id not in self.client_ids:
            return f"client_ids {' '.join(self.client_ids)}"
        if self.providers and subject.provider not in self.providers:
            return f"providers {' '.join(self.providers)}"
        claims = subject.claims
        for name, path, values in self.claims:
            # Some providers use URLs as names of claims, so a claim whose whole name has dots takes precedence.
            value = claims[name] if name is not None and name in claims else _find_claim(claims, path)
            if not _has_one_of(value, values):
                return f"claims {'.'.join(path)}"
        if self.scopes and (missing := [scope for scope in self.scopes if scope not in subject.scopes]):
            return f"scopes {' '.join(missing)}"
        if self.email_domains and not _is_verified_at(subject, self.email_domains):
            return "email_domains"
        return None

    def hint(self, subject: Subject) -> str | None:
        """Return a hint for the log: whose token came, where the user has signed in, or which claim is not sent.

        Returns:
            None if `unmet` says it all. Values of claims about the user are never logged.
        """
        if not self.takes(subject.credential):
            return f"the user came with a {'session' if subject.credential == SESSION else 'token'}"
        if self.machines is not None and subject.is_machine is not self.machines:
            came, wanted = ("machine", "user") if subject.is_machine else ("user", "machine")
            return f"the token is that of a {came}, not of a {wanted}"
        if self.client_ids and subject.client_id not in self.client_ids:
            if subject.client_id is None:
                return "the token does not say which client it was issued to"
            return f"the token was issued to {subject.client_id}"
        if self.providers and subject.provider not in self.providers:
            return f"the user has signed in at {subject.provider}"
        claims = subject.claims
        paths = [path for name, path, _ in self.claims if name is None or name not in claims]
        paths += [("email",), ("email_verified",)] if self.email_domains else []
        missing = next(filter(None, (_first_missing(claims, path) for path in paths)), None)
        if missing == "groups" and group_overage(claims):
            return f"the user is in too many groups for a token (group overage): {OVERAGE_FIX}"
        holder = "session" if subject.credential == SESSION else "token"
        if missing is not None:
            return f"this {holder} has no claim {missing}"
        return self._scopes_hint(subject)

    def _scopes_hint(self, subject: Subject) -> str | None:
        """Return which scopes a token has instead, if a scope is all that is missing."""
        if subject.credential != BEARER or not self.scopes or not (self.unmet(subject) or "").startswith("scopes"):
            return None
        names = [scope for scope in subject.scopes if scope != "authenticated"]
        return f"the token has the scopes {' '.join(names)}" if names else "the token has no scopes"


def _first_missing(claims: Mapping[str, Any], path: ClaimPath) -> str | None:
    """Return the path up to the first name that is missing; None if the claim exists."""
    lengths = (length for length in range(1, len(path) + 1) if _find_claim(claims, path[:length]) is _MISSING)
    return next((".".join(path[:length]) for length in lengths), None)


def _find_claim(claims: Mapping[str, Any], path: ClaimPath) -> object:
    value: object = claims
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _has_one_of(value: object, values: Sequence[Scalar]) -> bool:
    # Text is never split into words: a value that contains the delimiter would count as several values.
    for item in value if type(value) is list else (value,):
        # In Python True == 1, so the types have to be the same as well; text equals nothing but text.
        if item in values and (type(item) is str or any(item == one and type(item) is type(one) for one in values)):
            return True
    return False


def _is_verified_at(subject: Subject, domains: frozenset[str]) -> bool:
    if email_domain(subject.claims) not in domains:
        return False
    return is_email_verified(subject.claims, trusted_domains=subject.trusted_email_domains)


def read_requirements(
    *,
    claims: object = None,
    scopes: object = None,
    email_domains: object = None,
    providers: object = None,
    credentials: object = None,
    machines: object = None,
    client_ids: object = None,
) -> Requirements:
    """Check the requirements of a rule; None means not required.

    Raises:
        ValueError: a requirement is invalid; the message has one line for each problem.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    readers = (
        ("claims", claims, _read_claims),
        ("scopes", scopes, read_scopes),
        ("email_domains", email_domains, read_domains),
        ("providers", providers, _read_providers),
        ("credentials", credentials, _read_credentials),
        ("machines", machines, _read_machines),
        ("client_ids", client_ids, _read_client_ids),
    )
    for name, value, read in readers:
        try:
            if value is not None:
                values[name] = read(value)
        except ValueError as exc:
            problems.append(f"{name}: {exc}")
    requirements = Requirements(**values)
    if not requirements.accepted_credentials:
        problems.append("credentials: no session has a client, so machines and client_ids need 'bearer'")
    if problems:
        raise ValueError("\n".join(problems))
    return requirements


def _read_credentials(value: object) -> tuple[str, ...]:
    names = texts(value)
    if wrong := [name for name in names if name not in CREDENTIALS]:
        raise ValueError(f"must be a list of {SESSION!r} and {BEARER!r}, got {describe_value(wrong[0])}")
    return names


def _read_machines(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be True (only machines), False (only people) or left out, got {describe_value(value)}")
    return value


def _read_client_ids(value: object) -> tuple[str, ...]:
    client_ids = texts(value)
    if not all(client_id and client_id.isprintable() for client_id in client_ids):
        raise ValueError("must be a list of client ids, each one line of text")
    return client_ids


def _read_providers(value: object) -> tuple[str, ...]:
    names = texts(value)
    if wrong := [name for name in names if not is_provider_name(name)]:
        raise ValueError(
            f"{describe_value(wrong[0])} is not the name of a provider, such as 'google': "
            "names have lower-case letters, digits, '-' and '_'"
        )
    return names


def _read_claims(value: object) -> tuple[RequiredClaim, ...]:
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f"must be a mapping such as {{'realm_access.roles': 'admin'}}, got {describe_value(value)}")
    paths = [(name, _read_claim_path(name), _read_scalars(name, required)) for name, required in value.items()]
    return tuple((name if isinstance(name, str) else None, path, values) for name, path, values in paths)


def _read_claim_path(path: object) -> ClaimPath:
    names = tuple(path.split(".")) if isinstance(path, str) else path
    if not isinstance(names, tuple) or not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{path!r} is not a claim: write 'realm_access.roles', or a tuple if names contain dots")
    return names


def _read_scalars(path: object, required: object) -> tuple[Scalar, ...]:
    values = list(required) if isinstance(required, list | tuple | set | frozenset) else [required]
    scalars = tuple(value for value in values if isinstance(value, str | int) and value != "")
    if not scalars or len(scalars) < len(values):
        raise ValueError(f"{path!r}: must be text, an integer, True, False, or a list of these (the values are ORed)")
    return scalars


def read_scopes(value: object) -> tuple[str, ...]:
    """Check a list of scopes.

    Raises:
        ValueError: it is not a list, or contains something other than scopes.
    """
    words = texts(value)
    if not all(SCOPE_TOKEN.fullmatch(word) for word in words):
        raise ValueError("must be a list of scopes without spaces (RFC 6749 §3.3)")
    return words


def read_domains(value: object) -> frozenset[str]:
    """Check a list of e-mail domains.

    Raises:
        ValueError: it is not a list, or contains something other than domains.
    """
    domains = frozenset(domain.lower() for domain in texts(value))
    for domain in domains:
        if not _DOMAIN.fullmatch(domain):
            raise ValueError(f"{domain!r} is not a domain: write 'example.com', without '@' or '*'")
    return domains


def texts(value: object) -> tuple[str, ...]:
    """Check a list of strings.

    Raises:
        ValueError: it is not a list of strings, or is empty.
    """
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"must be a list of text, got {describe_value(value)}")
    if not value:
        raise ValueError("is empty: leave it out, or list what is required")
    return tuple(value)
