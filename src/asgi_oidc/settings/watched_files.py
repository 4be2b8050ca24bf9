"""Settings in files that may change while the app runs: reads these files again, and checks what they contain."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from asgi_oidc.errors import SettingsError
from asgi_oidc.settings.environment import meanings_of, oidc_variables, read_environment, variables_in
from asgi_oidc.settings.settings import Settings, check_settings
from asgi_oidc.settings.variable_values import FILE_SUFFIX, names_file, read_file

# The settings that take effect while the app runs, of the middleware and of each provider.
RELOADED = (
    "secret",
    "client_secret",
    "client_key",
    "client_certificate",
    "client_certificate_key",
    "decryption_key",
    "store",
    "logout_store",
)
# Settings of a provider that are valid only together: while a renewal has changed one file, the other is the old one.
TOGETHER = ("client_certificate", "client_certificate_key")
REST = 2.0  # seconds after which a file that was written is complete


class SettingFile(NamedTuple):
    """A file with the value of a setting.

    Attributes:
        provider: the name of the provider whose setting it is, empty for a setting of the middleware.
    """

    variable: str
    path: Path
    provider: str
    setting: str

    def written_at(self) -> float:
        """Return when it was last written, in seconds since the epoch; 0 if that is not known."""
        try:
            return self.path.stat().st_mtime
        except OSError:
            return 0

    def is_at_rest(self) -> bool:
        """Whether nobody is writing it: it was last written a while ago."""
        return abs(time.time() - self.written_at()) > REST


class Change(NamedTuple):
    """What is new about a file: valid settings, or a problem.

    Attributes:
        settings: all settings, with the file's new value; None if there is a problem.
        problem: what is wrong, without the value.
    """

    file: SettingFile
    settings: Settings | None
    problem: str = ""

    def __repr__(self) -> str:
        return f"Change({self.file.variable}, problem={self.problem!r})"


@dataclass(frozen=True, slots=True)
class _Content:
    """The text of a file, or why it cannot be read."""

    text: str = field(default="", repr=False)
    problem: str = ""


class WatchedFiles:
    """The files of the settings that take effect while the app runs.

    All files are read each time. They are small, and their times tell too little: kubelet replaces a symbolic link, and
    the file behind it may be older than the one before.
    """

    def __init__(self, environ: Mapping[str, str], keywords: Mapping[str, Any]) -> None:
        """Read the files for the first time; one that cannot be read is reported when the settings are read.

        Args:
            keywords: the settings that replace those of variables.
        """
        self._variables = dict(oidc_variables(environ))
        self._keywords = dict(keywords)
        self.files = tuple(_files_in(self._variables, keywords))
        self._groups = tuple(_groups_of(self.files))
        self._used = {file: _read(file) for file in self.files}
        self._last, self._checked = dict(self._used), dict(self._used)

    def look(self, *, is_first: bool = False) -> list[Change]:
        """Read all files, and return what is new about them; it may take long, if a file system hangs.

        A change counts when two looks in a row have found it: a file may be read while it is written.

        Args:
            is_first: whether nobody has looked for a while. Then a change counts at once if the file is at rest.
        """
        changes = []
        for group in self._groups:
            found, last = {file: _read(file) for file in group}, self._last
            is_complete = all(found[file] == last[file] or (is_first and file.is_at_rest()) for file in group)
            self._last = last | found
            if is_complete and any(found[file] != self._checked[file] for file in group):
                self._checked |= found
                if new := {file: found[file] for file in group if found[file] != self._used[file]}:
                    changes.append(self._check(new))
        return changes

    def _check(self, new: Mapping[SettingFile, _Content]) -> Change:
        for file, content in new.items():
            if content.problem:
                return Change(file, None, content.problem)
        file = next(iter(new))
        try:
            settings = self._settings_with(new)
        except SettingsError as error:
            return Change(file, None, "; ".join(error.problems))
        self._used |= new
        return Change(file, settings)

    def _settings_with(self, new: Mapping[SettingFile, _Content]) -> Settings:
        """Return all settings, with the new contents of some files and the contents in use of the others.

        Raises:
            SettingsError: they are invalid.
        """
        texts = {**self._used, **new}
        variables = {name: text for name, text in self._variables.items() if name not in {f.variable for f in texts}}
        variables |= {each.variable.removesuffix(FILE_SUFFIX): texts[each].text for each in texts}
        found, problems = read_environment(variables)
        own = {name: variable for name, variable in variables_in(variables).items() if name not in self._keywords}
        return check_settings({**found, **self._keywords}, earlier_problems=problems, variables=own)

    def __repr__(self) -> str:
        return f"WatchedFiles({[file.variable for file in self.files]})"


def _files_in(variables: Mapping[str, str], keywords: Mapping[str, Any]) -> Iterator[SettingFile]:
    for variable, (owner, setting) in meanings_of(variables).items():
        replaced_by = setting if owner is None else "providers"
        if names_file(variable) and setting in RELOADED and replaced_by not in keywords:
            file = SettingFile(variable, Path(variables[variable]), owner or "", setting)
            if not _is_pipe(file.path):  # such as <(...) of a shell: it can be read once, by whoever reads the settings
                yield file


def _groups_of(files: Sequence[SettingFile]) -> Iterator[tuple[SettingFile, ...]]:
    """Yield the files that are checked together."""
    by_provider: dict[str, list[SettingFile]] = {}
    for file in files:
        if file.setting in TOGETHER:
            by_provider.setdefault(file.provider, []).append(file)
        else:
            yield (file,)
    yield from map(tuple, by_provider.values())


def _is_pipe(path: Path) -> bool:
    return path.exists() and not (path.is_file() or path.is_dir())


def _read(file: SettingFile) -> _Content:
    try:
        return _Content(read_file(str(file.path)))
    except ValueError as exc:
        return _Content(problem=str(exc))
