"""Makes the setting `bearer` from variables such as `OIDC_BEARER_AUDIENCE`, one for each field."""

from collections.abc import Callable, Mapping
from typing import Any

from asgi_oidc.errors import SettingsError
from asgi_oidc.settings.bearer import READERS, Bearer
from asgi_oidc.settings.variable_names import PREFIX, variable_prefix
from asgi_oidc.settings.variable_values import read_list, read_number, read_switch_text

BEARER = "bearer"
BEARER_PREFIX = variable_prefix(BEARER)


def _introspect(text: str) -> str | bool:
    return False if text.lower() == "false" else text


_PARSERS_BY_NAME: Mapping[str, Callable[[str], Any]] = {
    "audience": read_list,
    "providers": read_list,
    "token_types": read_list,
    "allow_missing_audience": read_switch_text,
    "introspect": _introspect,
    "introspect_jwt": read_switch_text,
    "introspection_cache": read_number,
    "dpop_nonce": read_switch_text,
    "client_certificate_proxies": read_list,
}
BEARER_PARSERS: Mapping[str, Callable[[str], Any]] = {
    name: _PARSERS_BY_NAME.get(name, str) for name in READERS if name != "on_token"
}


def make_bearer(values: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[Bearer | None, list[str]]:
    """Make the setting.

    Args:
        values: what the variables contain, by field.
        variables: their names, by field; one that has no value could not be read.

    Returns:
        The setting, None if something is wrong with it; and every problem.
    """
    if variables.keys() - values.keys():
        return None, []  # reported already; without it, other problems would be guesses
    if "audience" not in values:
        others = ", ".join(sorted(variables.values()))
        return None, [f"{PREFIX}{BEARER_PREFIX}AUDIENCE: missing; {others} needs it"]
    try:
        return Bearer(**values), []
    except SettingsError as error:
        return None, [_with_variable(problem, variables) for problem in error.problems]


def _with_variable(problem: str, variables: Mapping[str, str]) -> str:
    field, colon, text = problem.removeprefix("Bearer: ").partition(": ")
    return f"{variables.get(field, field)}{colon}{text}"
