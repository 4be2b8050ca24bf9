"""Parameters of the authorization request that a login link names: in the query of our login URL, or by the app's code.

`acr_values` and `max_age` become requirements, so that they are checked in the ID Token like those of a rule.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from asgi_oidc.errors import RequestRejected, describe_value
from asgi_oidc.protocol.authorization_endpoint import RESERVED
from asgi_oidc.protocol.step_up import AuthenticationRequest, strongest_of_both

MAX_PARAMETERS = 16  # of one link
MAX_VALUE_LENGTH = 512  # characters; e-mail addresses and phone numbers have at most 254
MAX_TOTAL_LENGTH = 1024  # characters of all names and values: each link of the page to choose a provider carries them
# Parameters that our own login URL has; `response_mode` decides which callback a login expects.
OWN_PARAMETERS = frozenset({"return_to", "ask", "provider", "iss", "target_link_uri"})
NOT_FOR_LINKS = RESERVED | OWN_PARAMETERS | {"response_mode"}
SPACED = ("acr_values", "prompt", "ui_locales", "claims_locales")  # lists that are written with spaces


class ReadAuthentication(Protocol):
    """Checks what is required of a login, as `Settings.authentication_reader`."""

    def __call__(
        self, acr_values: object, max_age: object, authorization_details: object = None
    ) -> AuthenticationRequest:
        """Return the request; raise ValueError if no login can meet it."""


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_PROMPTS = re.compile(r"[a-z_]{1,32}( [a-z_]{1,32}){0,7}")
_MAX_AGE = re.compile(r"[0-9]{1,8}")


def read_login_params(value: object) -> frozenset[str]:
    """Read the setting `login_params`: the parameters that our login URL passes on."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | set | frozenset):
        raise ValueError(f"must be a list such as ['login_hint', 'ui_locales'], got {describe_value(value)}")
    for name in value:
        _check_name(name)
    if len(value) > MAX_PARAMETERS:
        raise ValueError(f"must name at most {MAX_PARAMETERS} parameters")
    return frozenset(value)


def read_params(params: object, read_authentication: ReadAuthentication) -> AuthenticationRequest:
    """Check and read the parameters that the app's code names.

    Raises:
        ValueError: the text tells the developer what is wrong.
    """
    if not isinstance(params, Mapping):
        raise ValueError(f"params: must be a mapping of names to values, got {describe_value(params)}")
    try:
        for name in params:
            _check_name(name)
        return _authentication({name: _text(name, value) for name, value in params.items()}, read_authentication)
    except ValueError as exc:
        raise ValueError(f"params: {exc}") from None


@dataclass(frozen=True, slots=True)
class LoginParameters:
    """Reads the parameters of a query that are for the provider.

    Attributes:
        names: the setting `login_params`.
    """

    names: frozenset[str]
    read_authentication: ReadAuthentication = field(repr=False)

    def read(self, parameters: Iterable[tuple[str, str]], *, also: Collection[str] = ()) -> AuthenticationRequest:
        """Return what the query asks of a login; parameters that the setting does not name are ignored.

        Args:
            also: further names that are passed on.

        Raises:
            RequestRejected: a value is repeated, too long or malformed, or no login can satisfy it.
        """
        found: dict[str, str] = {}
        for name, value in parameters:
            if name not in self.names and name not in also:
                continue
            if name in found:
                raise RequestRejected("parameter_repeated", f"expected {name} once")
            if len(value) > MAX_VALUE_LENGTH:
                raise RequestRejected("parameter_too_long", f"{name}: expected at most {MAX_VALUE_LENGTH} characters")
            found[name] = value
        try:
            # A parameter without a value counts as left out (RFC 6749 §3.1).
            return _authentication({name: value for name, value in found.items() if value}, self.read_authentication)
        except ValueError as exc:
            raise RequestRejected("parameter_invalid", str(exc)) from None

    def add(self, sealed: AuthenticationRequest, asked: AuthenticationRequest) -> AuthenticationRequest:
        """Return what a login has to satisfy: all that the app has sealed, and what the query asks beyond that.

        Raises:
            RequestRejected: no single login can satisfy both.
        """
        both = strongest_of_both(sealed, asked)
        if both is None:
            raise RequestRejected(
                "parameter_invalid", "acr_values: no login can satisfy those of the link and those of the query"
            )
        return both


def _authentication(values: Mapping[str, str], read_authentication: ReadAuthentication) -> AuthenticationRequest:
    if len(values) > MAX_PARAMETERS or sum(len(name) + len(value) for name, value in values.items()) > MAX_TOTAL_LENGTH:
        raise ValueError(
            f"expected at most {MAX_PARAMETERS} parameters with {MAX_TOTAL_LENGTH} characters in all, because a URL "
            "carries them"
        )
    for name, value in values.items():
        if not value or not value.isprintable():
            raise ValueError(f"{name}: must be one line of text, not empty")
    max_age, prompt = values.get("max_age"), values.get("prompt")
    if max_age is not None and not _MAX_AGE.fullmatch(max_age):
        raise ValueError("max_age: must be a whole number of seconds")
    if prompt is not None and not is_prompt(prompt):
        raise ValueError("prompt: must be none, or words such as 'login consent' (OIDC Core §3.1.2.1)")
    required = read_authentication(
        values["acr_values"].split() if "acr_values" in values else None, None if max_age is None else int(max_age)
    )
    others = tuple((name, value) for name, value in values.items() if name not in ("acr_values", "max_age", "prompt"))
    return AuthenticationRequest(required.acr_values, required.max_age, prompt, params=others)


def value_of(parameters: Iterable[tuple[str, str]], name: str) -> str | None:
    """Return the value of a parameter; None if it is missing or repeated."""
    values = [value for other, value in parameters if other == name]
    return values[0] if len(values) == 1 else None


def is_prompt(text: str) -> bool:
    """Whether a text is a value of `prompt`: words, or `none` alone (OIDC Core §3.1.2.1)."""
    return _PROMPTS.fullmatch(text) is not None and (text == "none" or "none" not in text.split())


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"must be the name of a parameter such as 'login_hint', got {describe_value(name)}")
    if name in OWN_PARAMETERS:
        raise ValueError(f"{name}: is a parameter of the login URL itself; leave it out")
    if name in NOT_FOR_LINKS:
        raise ValueError(f"{name}: set by asgi-oidc for each login; leave it out")


def _text(name: str, value: object) -> str:
    if isinstance(value, list | tuple) and name in SPACED and all(isinstance(item, str) for item in value):
        return " ".join(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{name}: must be text or a whole number, got {describe_value(value)}")
    return str(value)
