"""Makes the providers that `OIDC_PROVIDERS` names from variables such as `OIDC_GOOGLE_ISSUER`."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from asgi_oidc.errors import SettingsError, describe_value
from asgi_oidc.login.provider_choice import is_provider_name
from asgi_oidc.settings.provider import ProviderEntry
from asgi_oidc.settings.provider_types import PROVIDER_TYPES, TYPE, type_of
from asgi_oidc.settings.several_providers import bad_provider_name
from asgi_oidc.settings.variable_names import PREFIX, variable_prefix
from asgi_oidc.settings.variable_values import PROVIDER_PARSERS

_VARIABLE = re.compile(rf"\b{PREFIX}({'|'.join(name.upper() for name in PROVIDER_PARSERS)})\b")
_CLASS = re.compile(r"[A-Z]\w*(\.\w+)?: ")  # "Provider: " before a problem: here, the variable says where it is


class ProviderVariables(NamedTuple):
    """The variables of one provider.

    Attributes:
        values: what they contain, by setting.
        variables: their names, by setting; one that has no value could not be read.
    """

    name: str
    values: Mapping[str, Any]
    variables: Mapping[str, str]

    def variable_of(self, setting: str) -> str:
        """Return the variable of a setting, whether it is set or not."""
        return self.variables.get(setting, f"{PREFIX}{variable_prefix(self.name)}{setting.upper()}")

    def __repr__(self) -> str:
        return f"ProviderVariables(name={self.name!r})"


def make_providers(
    names: Sequence[str], variables: Mapping[str, ProviderVariables], *, listed_in: str
) -> tuple[dict[str, ProviderEntry], list[str]]:
    """Make the providers.

    Args:
        names: as in `OIDC_PROVIDERS`.
        variables: the variables of each provider, by its name.
        listed_in: the variable that contains `names`.

    Returns:
        The providers by name, and every problem.
    """
    problems = [f"{listed_in}: {problem}" for problem in _problems_of_names(names)]
    providers: dict[str, ProviderEntry] = {}
    for name in filter(is_provider_name, dict.fromkeys(names)):
        provider, own_problems = _make_provider(variables[name])
        problems += own_problems
        if provider is not None:
            providers[name] = provider
    return providers, problems


def _problems_of_names(names: Sequence[str]) -> Iterator[str]:
    yield from (bad_provider_name(name) for name in names if not is_provider_name(name))
    yield from (f"names {name} twice: remove one" for name, count in Counter(names).items() if count > 1)
    by_prefix: dict[str, str] = {}
    for name in filter(is_provider_name, names):
        prefix = variable_prefix(name)
        other = by_prefix.setdefault(prefix, name)
        if other != name:
            yield f"{other} and {name} share the variables {PREFIX}{prefix}...: rename one of them"


def _make_provider(own: ProviderVariables) -> tuple[ProviderEntry | None, list[str]]:
    """Make one provider; None if something is wrong with its variables."""
    if TYPE in own.variables and TYPE not in own.values:
        return None, []  # reported already; without its type, all other problems would be guesses
    type_name = own.values.get(TYPE, type_of(own.name, own.variables))
    provider_type = PROVIDER_TYPES.get(type_name)
    if provider_type is None:
        similar = difflib.get_close_matches(type_name, PROVIDER_TYPES, n=1)
        found = f"{describe_value(type_name)}; did you mean {similar[0]}?" if similar else describe_value(type_name)
        return None, [f"{own.variable_of(TYPE)}: must be one of {', '.join(PROVIDER_TYPES)}, got {found}"]
    given = {setting: value for setting, value in own.values.items() if setting != TYPE}
    problems = [
        f"{own.variable_of(setting)}: {_not_taken(setting, type_name, own)}"
        for setting in given
        if setting not in provider_type.settings
    ]
    try:
        provider = provider_type.make({name: given[name] for name in given if name in provider_type.settings})
    except SettingsError as error:
        return None, [*problems, *_with_variables(error.problems, own)]
    return provider, problems


def _not_taken(setting: str, type_name: str, own: ProviderVariables) -> str:
    others = [name for name, each in PROVIDER_TYPES.items() if setting in each.settings]
    fix = f"remove it, or set {own.variable_of(TYPE)} to {' or '.join(others)}"
    return f"a provider of type {type_name} has no setting {setting}: {fix}"


def _with_variables(problems: Sequence[str], own: ProviderVariables) -> Iterator[str]:
    """Name the variables instead of the settings; leave out what is due to a variable that could not be read."""
    for problem in problems:
        setting, colon, text = _CLASS.sub("", problem, count=1).partition(": ")
        if setting not in PROVIDER_PARSERS:
            yield f"{PREFIX}{variable_prefix(own.name)}...: {setting}{colon}{text}"
        elif setting in own.values or setting not in own.variables:
            yield f"{own.variable_of(setting)}: {_rename_variables(text, own)}"


def _rename_variables(text: str, own: ProviderVariables) -> str:
    """Replace the variables of a single provider by those of this one: `OIDC_CLIENT_SECRET`, for example."""
    return _VARIABLE.sub(lambda found: own.variable_of(found[1].lower()), text)
