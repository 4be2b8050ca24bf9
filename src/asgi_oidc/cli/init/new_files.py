"""Writes new files: all of them or none, and never over one that exists."""

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PRIVATE = 0o600
PUBLIC = 0o644
MAX_NAMES = 100


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to write.

    Attributes:
        mode: of the file, before anything is in it.
    """

    path: Path
    content: str = field(repr=False)
    mode: int = PUBLIC


def free_path(folder: Path, *names: str) -> Path:
    """Return the first of these names that is not taken; after the last one, it is numbered."""
    last = Path(names[-1])
    numbered = (f"{last.stem}_{number}{last.suffix}" for number in range(2, MAX_NAMES))
    return next(folder / name for name in (*names, *numbered) if not os.path.lexists(folder / name))


def write_all(files: list[NewFile], *, ignored: Path | None = None) -> None:
    """Write files that do not exist yet; if anything fails or is interrupted, none of them is left.

    Args:
        ignored: a file that git must not track; None if there is no repository.

    Raises:
        OSError: a file exists by now, or cannot be written.
    """
    written: list[Path] = []
    with _uninterrupted():
        try:
            for file in files:
                # O_EXCL: never over a file that exists, nor through a link.
                descriptor = os.open(file.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
                written.append(file.path)
                with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as text:
                    text.write(file.content)
            if ignored is not None:
                _add_to_gitignore(ignored)
        except BaseException:
            for path in written:
                with suppress(OSError):
                    path.unlink()
            raise


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C have no effect for the moment that writing takes."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def repository_of(folder: Path) -> Path | None:
    """Return the git repository that a folder is in; None if it is in none."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)


def is_ignored(path: Path) -> bool:
    """Whether a `.gitignore` between a file and its repository names it in one of the usual ways."""
    root = repository_of(path.parent)
    if root is None:
        return True
    return any(
        line in (path.name, f"/{path.name}", ".env*", "*.env") and _matches(line, path.name)
        for line in _lines(path.parent, root)
    )


def _matches(line: str, name: str) -> bool:
    return line != "*.env" or name.endswith(".env")


def _lines(folder: Path, root: Path) -> Iterator[str]:
    for each in (folder, *folder.parents):
        with suppress(OSError):
            yield from ((each / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines())
        if each == root:
            return


def _add_to_gitignore(path: Path) -> None:
    """Add a line; the file is replaced as a whole, so that it is never half written."""
    gitignore = path.parent / ".gitignore"
    before = gitignore.read_bytes() if gitignore.exists() else b""  # in whatever encoding
    separator = b"" if not before or before.endswith(b"\n") else b"\n"
    temporary = gitignore.with_name(f".gitignore.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(before + separator + path.name.encode() + b"\n")
        if gitignore.exists():
            temporary.chmod(gitignore.stat().st_mode)
        temporary.replace(gitignore)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
