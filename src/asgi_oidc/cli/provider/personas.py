"""The users of `asgi-oidc provider`: those of a file, which is read again when it changes, or made-up ones."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from asgi_oidc.testing import Persona

MAX_SIZE = 5_000_000  # bytes; thousands of users


class InvalidPersonas(Exception):
    """The file cannot be used; the message says why."""


class PersonaEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A user in the file."""

    sub: str
    name: str = ""
    email: str = ""
    groups: list[str] | None = None
    claims: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(list[PersonaEntry])


def read_personas(path: Path) -> Mapping[str, Persona]:
    """Read the users in a file, by `sub`.

    Raises:
        InvalidPersonas: the file cannot be read, or is not a list of users.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidPersonas(f"{path}: {error.strerror}") from None
    if len(content) > MAX_SIZE:
        raise InvalidPersonas(f"{path}: has more than {MAX_SIZE} bytes")
    try:
        entries = _decoder.decode(content)
    except (ValueError, RecursionError) as error:
        expected = 'expected a list such as [{"sub": "alice", "name": "Alice Adams", "groups": ["admin"]}]'
        raise InvalidPersonas(f"{path}: {error}; {expected}") from None
    found = {entry.sub: _persona(entry) for entry in entries}
    if not found or not all(found):
        raise InvalidPersonas(f"{path}: expected at least one user, each with a sub that is not empty")
    if len(found) < len(entries):
        raise InvalidPersonas(f"{path}: two users have the same sub")
    return found


def made_up(subs: Sequence[str]) -> Mapping[str, Persona]:
    """Return users of whom only the `sub` is given."""
    return {sub: _persona(PersonaEntry(sub)) for sub in subs}


class PersonasFile:
    """A file of users that a developer edits while the provider runs.

    Args:
        others: users who are not in the file.

    Raises:
        InvalidPersonas: as for `read_personas`.
    """

    def __init__(self, path: Path, others: Mapping[str, Persona]) -> None:
        self._path = path
        self._others = others
        self._version = self._version_now()
        self.personas: Mapping[str, Persona] = {**read_personas(path), **others}

    def newest(self) -> Mapping[str, Persona] | None:
        """Return the users if the file has changed, else None; a mistake is reported, and the users stay."""
        version = self._version_now()
        if version == self._version:
            return None
        self._version = version
        try:
            self.personas = {**read_personas(self._path), **self._others}
        except InvalidPersonas as error:
            print(f"asgi-oidc: {error}; the users stay as they were", file=sys.stderr, flush=True)
            return None
        return self.personas

    def _version_now(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size


def _persona(entry: PersonaEntry) -> Persona:
    claims = dict(entry.claims) if entry.groups is None else {"groups": entry.groups, **entry.claims}
    name = entry.name or entry.sub.partition("@")[0].replace("-", " ").replace("_", " ").title()
    email = entry.email or (entry.sub if "@" in entry.sub else f"{entry.sub}@example.com")
    return Persona(entry.sub, name, email, claims)
