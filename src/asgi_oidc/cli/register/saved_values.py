"""The values to keep after a registration, as lines of an environment file."""

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from asgi_oidc.cli.env_file import QUOTE_IN_SINGLE_QUOTES
from asgi_oidc.protocol.dynamic_registration import Registration, RegistrationAccess
from asgi_oidc.settings.variable_names import PREFIX, variable_prefix

# Not `OIDC_...`: the app does not need them, and would refuse variables that set nothing.
ACCESS_TOKEN = "REGISTRATION_ACCESS_TOKEN"  # noqa: S105  # the name of a variable
CLIENT_URI = "REGISTRATION_CLIENT_URI"
INITIAL_ACCESS_TOKEN = "INITIAL_ACCESS_TOKEN"  # noqa: S105  # the name of a variable
PRIVATE = 0o600

# Shells read such files as well, and a provider may put anything into a secret: `x&reboot`, or `'$(reboot)`.
_PLAIN = re.compile(r"[A-Za-z0-9._:/?=%+@,-]+")
_SPECIAL_IN_DOUBLE_QUOTES = frozenset('"$`\\!')


def values_to_keep(registration: Registration, *, provider: str, has_secret: bool) -> dict[str, str]:
    """Return what the app, and a later `asgi-oidc register`, need; by the names of their variables.

    Args:
        provider: its name; empty for the flat keywords.
        has_secret: whether the client authenticates with a secret.
    """
    prefix = variable_prefix(provider) if provider else ""
    values = {
        f"{PREFIX}{prefix}CLIENT_ID": registration.client_id,
        f"{PREFIX}{prefix}CLIENT_SECRET": registration.client_secret if has_secret else None,
        f"{prefix}{ACCESS_TOKEN}": registration.access_token,
        f"{prefix}{CLIENT_URI}": registration.uri,
    }
    return {name: value for name, value in values.items() if value is not None}


def saved_access(environ: Mapping[str, str], *, provider: str) -> RegistrationAccess | None:
    """Return where a registration is managed, from the variables that were kept; None if they are missing."""
    prefix = variable_prefix(provider) if provider else ""
    uri, token = environ.get(f"{prefix}{CLIENT_URI}"), environ.get(f"{prefix}{ACCESS_TOKEN}")
    return RegistrationAccess(uri, token) if uri and token else None


def env_lines(values: Mapping[str, str]) -> str:
    """Return lines of an environment file."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in values.items())


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    if "'" in value and _SPECIAL_IN_DOUBLE_QUOTES.isdisjoint(value):
        return f'"{value}"'
    return "'" + value.replace("'", QUOTE_IN_SINGLE_QUOTES) + "'"


def why_not_writable(path: Path, *, overwrites: bool) -> str | None:
    """Return why a file cannot be written, before a client is registered; None if it probably can."""
    if os.path.lexists(path) and not overwrites:
        return f"{path} exists: name another file, or add --overwrite"
    if path.is_dir() or not path.parent.is_dir():
        return f"{path} cannot be written: its folder does not exist" if not path.is_dir() else f"{path} is a folder"
    return None if os.access(path.parent, os.W_OK) else f"{path} cannot be written: its folder is read-only"


def write_private(path: Path, text: str, *, overwrites: bool) -> None:
    """Write a file that only this user can read; one that exists is replaced as a whole.

    Raises:
        OSError: it exists, unless `overwrites`, or cannot be written.
    """
    if not overwrites:
        _create(path, text)
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _create(temporary, text)
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _create(path: Path, text: str) -> None:
    # O_EXCL: never over a file that exists, nor through a link.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
