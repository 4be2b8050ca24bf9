"""Reads the values of settings from the text of environment variables, and of the files that they name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from asgi_oidc.errors import SettingsError, describe_value
from asgi_oidc.policy.rules import Rule, rule_of
from asgi_oidc.settings.provider_types import PROVIDER_TYPES, TYPE
from asgi_oidc.settings.ready_made.entra import ORGANIZATIONS
from asgi_oidc.settings.settings import READERS

SWITCH = {"true": True, "1": True, "false": False, "0": False}
FILE_SUFFIX = "_FILE"
PATH_SUFFIX = "CLIENT_ASSERTION_FILE"  # the one setting whose own name ends with FILE_SUFFIX; its value is a path
CHECK_PATH = "check that this path exists, and that this process may read it"
MAX_FILE_SIZE = 65_536  # bytes; a secret file is small, and anything else is a mistake


def read_value(parse: Callable[[str], Any], variable: str, text: str) -> Any:
    """Read the value of one variable, or of the file that it names (`..._FILE`).

    Raises:
        ValueError: the text is malformed, or the file cannot be read.
    """
    return parse(read_file(text) if names_file(variable) else text)


def names_file(variable: str) -> bool:
    """Return whether the value of a variable is in a file that the variable names."""
    return variable.endswith(FILE_SUFFIX) and not variable.endswith(PATH_SUFFIX)


def without_file_suffix(variable: str) -> str:
    """Return the variable that would hold the value itself."""
    return variable.removesuffix(FILE_SUFFIX) if names_file(variable) else variable


def read_file(path: str) -> str:
    """Read the text of a file, without white space around it.

    Raises:
        ValueError: it cannot be read, is empty or too large.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
        text = data.decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ValueError(f"the file cannot be read ({type(exc).__name__}); {CHECK_PATH}") from exc
    if not text or len(data) > MAX_FILE_SIZE:
        raise ValueError(f"the file must not be empty or larger than {MAX_FILE_SIZE} bytes")
    return text


def read_number(text: str) -> int:
    """Read a whole number of seconds."""
    return _number(text, "a whole number of seconds, such as 3600")


def _number_of_bytes(text: str) -> int:
    return _number(text, "a whole number of bytes, such as 12000")


def _number(text: str, expected: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"must be {expected}, got {describe_value(text)}") from None


def read_switch_text(text: str) -> bool:
    """Read a switch."""
    if text.lower() not in SWITCH:
        raise ValueError(f"must be true or false, got {describe_value(text)}")
    return SWITCH[text.lower()]


def read_list(text: str) -> list[str]:
    """Read a list, with commas or one item on each line."""
    return [item for part in text.replace("\n", ",").split(",") if (item := part.strip())]


def _text_or_list(text: str) -> str | list[str]:
    items = read_list(text)
    return items[0] if len(items) == 1 else items


def _prefix_list(text: str) -> list[str]:
    return [] if text == "[]" else read_list(text)  # an empty variable counts as not set


def _tenants(text: str) -> str | list[str]:
    return ORGANIZATIONS if text == ORGANIZATIONS else read_list(text)


def _mapping(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (ValueError, RecursionError):
        raise ValueError('must be a JSON object such as {"name": "value"}') from None


def _keys(text: str) -> Any:
    return _json(text, "must be a key as PEM, as JWK, or a JSON list of them") if text[0] in "[{" else text


def _json_list(text: str) -> list[Any]:
    listed = _json(text, problem := 'must be a JSON list of objects such as [{"type": "payment"}]')
    if not isinstance(listed, list):
        raise ValueError(problem)
    return listed


def _json(text: str, problem: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        raise ValueError(problem) from None


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
    "base_url": _text_or_list,
    "secret": read_list,
    "public": read_list,
    "rules": _rule_list,
    "providers": read_list,
    "plain_prefixes": _prefix_list,
    "login_params": read_list,
    "embedded_in": read_list,
    "trusted_audiences": read_list,
    "trusted_email_domains": read_list,
    "algorithms": read_list,
    "allow_http_hosts": read_list,
    "hosted_domains": read_list,
    "tenants": _tenants,
    "trusted_tenants": read_list,
    "claims": _mapping,
    "another_account_params": _mapping,
    "userinfo_headers": _mapping,
    "authorization_params": _mapping,
    "metadata": _mapping,
    "request_object": read_switch_text,
    "client_key": _keys,
    "decryption_key": _keys,
    "authorization_details": _json_list,
    "texts": _mapping,
    "app_colors": _mapping,
    "session_idle": read_number,
    "session_lifetime": read_number,
    "tokens": _text_or_list,
    "max_cookie_header": _number_of_bytes,
    "leeway": read_number,
    "recheck": read_number,
    "frontchannel_logout": read_switch_text,
    "claims_from_access_token": read_switch_text,
    "offline_access": read_switch_text,
    "emails_are_verified": read_switch_text,
    "app_secret_proof": read_switch_text,
    "allow_missing_nonce": read_switch_text,
    "allow_missing_pkce": read_switch_text,
    "allow_code_injection": read_switch_text,
    "allow_missing_access_token": read_switch_text,
    "allow_hs256": read_switch_text,
    "allow_azp_audiences": read_switch_text,
    "hide_cookies": read_switch_text,
    "keep_forms": read_switch_text,
    "keep_fragment": read_switch_text,
    "websocket_activity": read_switch_text,
}
_KEYWORD_ONLY = ("http_client", "on_login", "on_event", "choose_provider", "bearer", "pages")
PARSERS: Mapping[str, Callable[[str], Any]] = {
    name: _PARSERS_BY_NAME.get(name, str) for name in READERS if name not in _KEYWORD_ONLY
}
# Those of one of several providers, of any type.
PROVIDER_PARSERS: Mapping[str, Callable[[str], Any]] = {
    name: _PARSERS_BY_NAME.get(name, str)
    for name in (TYPE, *sorted(set().union(*(each.settings for each in PROVIDER_TYPES.values()))))
    if name not in _KEYWORD_ONLY
}
