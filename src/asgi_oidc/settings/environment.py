"""Reads settings from `OIDC_...` variables, and from files named by `OIDC_..._FILE` (mounted secrets)."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from asgi_oidc.settings.bearer_environment import BEARER, BEARER_PARSERS, BEARER_PREFIX, make_bearer
from asgi_oidc.settings.provider_environment import ProviderVariables, make_providers
from asgi_oidc.settings.variable_names import PREFIX, variable_of, variable_prefix
from asgi_oidc.settings.variable_values import (
    FILE_SUFFIX,
    PARSERS,
    PROVIDER_PARSERS,
    names_file,
    read_value,
    without_file_suffix,
)

PROVIDERS = variable_of("providers")
OF_BEARER = "bearer="  # no variable of a provider of this name could be set: names of variables have no "="


class Meaning(NamedTuple):
    """What a variable sets.

    Attributes:
        owner: the name of the provider whose setting it is, or `OF_BEARER`; None for a setting of the middleware.
    """

    owner: str | None
    setting: str


def read_environment(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Read settings from the environment; an empty variable counts as not set.

    Lists are written with commas, mappings as JSON, switches as true or false. `OIDC_PROVIDERS` lists the names of
    several providers, whose settings are in variables such as `OIDC_GOOGLE_ISSUER`.

    Returns:
        The settings, and every problem: unknown names, malformed values, files that cannot be read.
    """
    problems: list[str] = []
    found: dict[Meaning, Any] = {}
    variables: dict[Meaning, str] = {}
    names = _provider_names(environ)
    for variable, text in oidc_variables(environ):
        try:
            meaning = _meaning_of(variable, names)
            variables[meaning] = variable
            if meaning in found:
                name = without_file_suffix(variable)
                raise ValueError(f"set {name} or {name}{FILE_SUFFIX}, not both")
            found[meaning] = read_value(_parsers_for(meaning)[meaning.setting], variable, text)
        except ValueError as exc:
            problems.append(f"{variable}: {exc}")
    settings = _settings_of(None, found)
    if "providers" in settings:
        problems += _add_providers(settings, found, variables)
    if own_variables := _settings_of(OF_BEARER, variables):
        bearer, bearer_problems = make_bearer(_settings_of(OF_BEARER, found), own_variables)
        settings |= {} if bearer is None else {BEARER: bearer}
        problems += bearer_problems
    return settings, problems


def variables_in(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that each setting of the middleware comes from."""
    variables = (variable for variable, _ in oidc_variables(environ))
    found = {without_file_suffix(variable).removeprefix(PREFIX).lower(): variable for variable in variables}
    has_bearer = any(name.startswith(BEARER_PREFIX.lower()) for name in found)
    return found | ({BEARER: f"{PREFIX}{BEARER_PREFIX}..."} if has_bearer else {})


def oidc_variables(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the variables that are ours, and not empty."""
    return [(variable, text) for variable, text in environ.items() if variable.startswith(PREFIX) and text]


def meanings_of(environ: Mapping[str, str]) -> dict[str, Meaning]:
    """Return what each variable sets; those that set nothing are left out."""
    names, meanings = _provider_names(environ), {}
    for variable, _ in oidc_variables(environ):
        with suppress(ValueError):  # reported when the settings are read
            meanings[variable] = _meaning_of(variable, names)
    return meanings


def _provider_names(environ: Mapping[str, str]) -> Sequence[str]:
    """Return what stands in `OIDC_PROVIDERS`, so that variables of these providers are known as such."""
    names: list[str] = []
    for variable in (PROVIDERS, f"{PROVIDERS}{FILE_SUFFIX}"):
        if text := environ.get(variable):
            with suppress(ValueError):  # reported when the variable itself is read
                names += read_value(PARSERS["providers"], variable, text)
    return list(dict.fromkeys(names))


def _meaning_of(variable: str, names: Iterable[str]) -> Meaning:
    """Return what a variable sets.

    Raises:
        ValueError: nothing, or it could be the variable of two settings.
    """
    setting = without_file_suffix(variable).removeprefix(PREFIX)
    meanings = [Meaning(None, setting.lower())] if setting.lower() in PARSERS else []
    if setting.startswith(BEARER_PREFIX):
        own_setting = setting.removeprefix(BEARER_PREFIX).lower()
        meanings += [Meaning(OF_BEARER, own_setting)] if own_setting in BEARER_PARSERS else []
    own = [name for name in names if setting.startswith(variable_prefix(name))]
    for name in own:
        own_setting = setting.removeprefix(variable_prefix(name)).lower()
        meanings += [Meaning(name, own_setting)] if own_setting in PROVIDER_PARSERS else []
    if not meanings or variable != variable.upper():
        file_suffix = FILE_SUFFIX if names_file(variable) else ""
        raise ValueError(f"unknown setting{_suggestion(setting, own, file_suffix)}")
    if len(meanings) > 1:
        raise ValueError(f"could be {' or '.join(map(_described, meanings))}: rename that provider")
    return meanings[0]


def _described(meaning: Meaning) -> str:
    owner = "" if meaning.owner is None else f" of the provider {meaning.owner}"
    return f"the setting {meaning.setting}{owner}"


def _suggestion(setting: str, own: Sequence[str], file_suffix: str) -> str:
    """Return a hint at what may have been meant.

    Args:
        own: the providers whose variables begin like this one.
        file_suffix: of a variable that names a file, else empty.
    """
    if not own and f"{setting}_".startswith(BEARER_PREFIX):
        similar = difflib.get_close_matches(setting.removeprefix(BEARER_PREFIX).lower(), BEARER_PARSERS, n=1)
        return f"; did you mean {PREFIX}{BEARER_PREFIX}{(similar or ['audience'])[0].upper()}?"
    if not own and setting.lower() in BEARER_PARSERS:
        return f"; did you mean {PREFIX}{BEARER_PREFIX}{setting}?"
    for name in own:
        prefix = variable_prefix(name)
        if similar := difflib.get_close_matches(setting.removeprefix(prefix).lower(), PROVIDER_PARSERS, n=1):
            return f"; did you mean {PREFIX}{prefix}{similar[0].upper()}{file_suffix}?"
    similar = difflib.get_close_matches(setting.lower(), PARSERS, n=1)
    hint = f"; did you mean {variable_of(similar[0])}{file_suffix}?" if similar else ""
    suffixes = (known for known in PROVIDER_PARSERS if setting.lower().endswith(f"_{known}"))
    if suffix := max(suffixes, key=len, default=""):
        name = setting[: -len(suffix) - 1].lower()
        hint += f"{' If' if hint else '; if'} it is for a provider, add {name} to {PROVIDERS}"
    return hint


def _parsers_for(meaning: Meaning) -> Mapping[str, Any]:
    if meaning.owner is None:
        return PARSERS
    return BEARER_PARSERS if meaning.owner == OF_BEARER else PROVIDER_PARSERS


def _settings_of(owner: str | None, found: Mapping[Meaning, Any]) -> dict[str, Any]:
    return {meaning.setting: value for meaning, value in found.items() if meaning.owner == owner}


def _add_providers(
    settings: dict[str, Any], found: Mapping[Meaning, Any], variables: Mapping[Meaning, str]
) -> list[str]:
    """Replace the names of the providers by the providers; return every problem."""
    names = settings.pop("providers")
    listed_in = variables[Meaning(None, "providers")]
    if BEARER in names:
        # Its variables would be those of the setting `bearer`.
        return [
            f"{listed_in}: {BEARER} cannot be the name of a provider here, because variables such as "
            f"{PREFIX}{BEARER_PREFIX}AUDIENCE are those of the setting {BEARER}: rename the provider"
        ]
    by_name = {
        name: ProviderVariables(name, _settings_of(name, found), _settings_of(name, variables)) for name in names
    }
    providers, problems = make_providers(names, by_name, listed_in=listed_in)
    if len(providers) == len(names):
        settings["providers"] = providers
    return problems
