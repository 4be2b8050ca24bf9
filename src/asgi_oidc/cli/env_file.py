"""Reads a file of variables, as `docker run --env-file`, systemd and python-dotenv do."""

import re
from collections.abc import MutableMapping
from pathlib import Path

from asgi_oidc.errors import SettingsError

MAX_SIZE = 262_144  # bytes
UNREAD = ".env"  # what `asgi-oidc init` writes; servers, and we, read it only if they are told to
QUOTE_IN_SINGLE_QUOTES = "'\\''"  # as shells write it: the quotes end, and begin again

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def read_env_file(path: Path) -> dict[str, str]:
    """Read lines such as `NAME=VALUE` or `NAME='VALUE'`; empty lines and those that begin with `#` are skipped.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is too large or not text, or a line is not of this form; the text names the line only.
    """
    with path.open("rb") as file:
        data = file.read(MAX_SIZE + 1)
    if len(data) > MAX_SIZE:
        raise ValueError(f"the file is larger than {MAX_SIZE} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8") from None
    variables = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            found = _LINE.fullmatch(stripped)
            if found is None:
                raise ValueError(f"line {number} is not NAME=VALUE")
            variables[found[1]] = _unquoted(found[2])
    return variables


def add_variables(path: Path, environ: MutableMapping[str, str]) -> None:
    """Add the variables of a file to those of the environment, which take precedence.

    Raises:
        OSError, ValueError: as in `read_env_file`.
    """
    for name, value in read_env_file(path).items():
        environ.setdefault(name, value)


def is_unread(given: str | None, error: SettingsError) -> bool:
    """Whether settings are missing because the file that `asgi-oidc init` writes was not named."""
    if given is not None or not any(": missing" in problem for problem in error.problems):
        return False
    try:
        return any(name.startswith("OIDC_") for name in read_env_file(Path(UNREAD)))
    except (OSError, ValueError):
        return False


def _unquoted(value: str) -> str:
    is_quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    if not is_quoted:
        return value.partition(" #")[0].rstrip()
    return value[1:-1].replace(QUOTE_IN_SINGLE_QUOTES, "'") if value[0] == "'" else value[1:-1]
