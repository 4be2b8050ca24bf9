"""Reads settings from `OIDC_...` variables, and from files named by `OIDC_..._FILE` (mounted secrets)."""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from asgi_oidc.errors import SettingsError, describe_value
from asgi_oidc.policy.rules import Rule, rule_of
from asgi_oidc.settings.settings import PREFIX, READERS, variable_of

SWITCH = {"true": True, "1": True, "false": False, "0": False}
MAX_FILE_SIZE = 65_536  # bytes; a secret file is small, and anything else is a mistake


def read_environment(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Read settings from the environment; an empty variable counts as not set.

    Lists are written with commas, mappings as JSON, switches as true or false.

    Returns:
        The settings, and every problem: unknown names, malformed values, files that cannot be read.
    """
    problems: list[str] = []
    found: dict[str, Any] = {}
    for variable, name in _settings_in(environ):
        text = environ[variable]
        try:
            if name not in PARSERS or variable != variable.upper():
                raise ValueError(f"unknown setting{_suggestion(name)}")
            if name in found:
                raise ValueError(f"set {variable_of(name)} or {variable_of(name)}_FILE, not both")
            found[name] = PARSERS[name](_read_file(text) if variable.endswith("_FILE") else text)
        except ValueError as exc:
            problems.append(f"{variable}: {exc}")
    return found, problems


def variables_in(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that each setting comes from."""
    return {name: variable for variable, name in _settings_in(environ)}


def _settings_in(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return each variable that begins with `OIDC_` and is not empty, with the name of its setting."""
    variables = [variable for variable, text in environ.items() if variable.startswith(PREFIX) and text]
    return [(variable, variable.removeprefix(PREFIX).removesuffix("_FILE").lower()) for variable in variables]


def _suggestion(name: str) -> str:
    similar = difflib.get_close_matches(name, PARSERS, n=1)
    return f"; did you mean {variable_of(similar[0])}?" if similar else ""


def _read_file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
        text = data.decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ValueError(f"the file cannot be read ({type(exc).__name__})") from exc
    if not text or len(data) > MAX_FILE_SIZE:
        raise ValueError(f"the file must not be empty or larger than {MAX_FILE_SIZE} bytes")
    return text


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"must be a whole number of seconds, such as 3600, got {describe_value(text)}") from None


def _switch(text: str) -> bool:
    if text.lower() not in SWITCH:
        raise ValueError(f"must be true or false, got {describe_value(text)}")
    return SWITCH[text.lower()]


def _list(text: str) -> list[str]:
    return [item for part in text.replace("\n", ",").split(",") if (item := part.strip())]


def _mapping(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (ValueError, RecursionError):
        raise ValueError('must be a JSON object such as {"name": "value"}') from None


def _rule_list(text: str) -> list[Rule]:
    try:
        listed = msgspec.json.decode(text, type=list[Any])
    except (ValueError, RecursionError):
        raise ValueError('must be a JSON list of objects such as [{"path": "/admin/*"}]') from None
    rules: list[Rule] = []
    problems: list[str] = []
    for members in listed:
        try:
            rules.append(rule_of(members))
        except SettingsError as exc:
            problems += exc.problems
        except ValueError as exc:
            problems.append(str(exc))
    if problems:
        raise ValueError("; ".join(problems))
    return rules


_PARSERS_BY_NAME: Mapping[str, Callable[[str], Any]] = {
    "secret": _list,
    "public": _list,
    "rules": _rule_list,
    "plain_prefixes": _list,
    "trusted_audiences": _list,
    "trusted_email_domains": _list,
    "algorithms": _list,
    "allow_http_hosts": _list,
    "authorization_params": _mapping,
    "metadata": _mapping,
    "texts": _mapping,
    "session_idle": _whole_number,
    "session_lifetime": _whole_number,
    "leeway": _whole_number,
    "frontchannel_logout": _switch,
    "claims_from_access_token": _switch,
    "allow_missing_nonce": _switch,
    "allow_missing_pkce": _switch,
    "allow_code_injection": _switch,
    "allow_missing_access_token": _switch,
    "allow_hs256": _switch,
    "allow_azp_audiences": _switch,
    "keep_forms": _switch,
    "keep_fragment": _switch,
    "websocket_activity": _switch,
}
_KEYWORD_ONLY = ("http_client", "on_login", "providers", "choose_provider")
PARSERS: Mapping[str, Callable[[str], Any]] = {
    name: _PARSERS_BY_NAME.get(name, str) for name in READERS if name not in _KEYWORD_ONLY
}
