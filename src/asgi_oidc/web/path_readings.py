"""The readings of a path: the paths as which servers, mounts and frameworks may serve it.

Before they look for a handler, they remove prefixes (mounts, `root_path`) from the path, each in its own way. The
middleware cannot know which of them are in use, so it follows all the ways. A reading is always relative to the wrapped
app, mounts included: if a mount at `/admin` serves `/adminx`, the reading is `/admin/x`.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

MAX_NESTED = 64  # further readings by nested mounts; beyond that, the path counts as unreadable
MAX_NESTED_LENGTH = 16_384  # characters of all of these together


@dataclass(frozen=True, slots=True)
class PathKeepingMount:
    """A mount that passes the whole path on to its app, and appends its own prefix to `root_path`.

    Attributes:
        start: the path at which its app is mounted, relative to the wrapped app.
        of_path: the path, relative to the wrapped app, at which the path that it receives starts.
        root: what the mounts around it have appended to `root_path`.
        own: what it appends itself.
    """

    start: str
    of_path: str
    root: str
    own: str


@dataclass(frozen=True, slots=True)
class Mounts:
    """The prefixes that the wrapped app removes from a path, as far as inspecting the app shows them.

    A segment "{}" stands for any segment.

    Attributes:
        prefixes: mounts and routes that match as plain text: with "/admin", "/adminx" is served as "/admin/x".
        whole: those of `prefixes` that are compared with the whole path, the server's `root_path` included.
        shortening: mounts that pass on the rest of the path, with an unchanged `root_path`.
        kept: mounts that pass on the whole path.
        root_paths: the root paths that apps set themselves, which replace that of the server.
        unknown: where apps are mounted that cannot be inspected: any part of a path below may be a mount.
        seeks_root: whether an app removes `root_path` wherever it is in the path.
    """

    prefixes: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    shortening: frozenset[str] = frozenset()
    kept: frozenset[PathKeepingMount] = frozenset()
    root_paths: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    seeks_root: bool = False

    @property
    def hides_roots(self) -> bool:
        """Whether an app may remove a root path that is not at the beginning of the path."""
        return bool(self.shortening or self.unknown or self.seeks_root)

    @property
    def roots(self) -> frozenset[str]:
        """Everything that mounts may append to `root_path`."""
        return frozenset(kept.root + kept.own for kept in self.kept)


UNKNOWN = Mounts(unknown=frozenset({""}))


def strip_prefix(path: str, prefix: str) -> str:
    """Remove a prefix of whole segments from a path; a path without it is returned unchanged."""
    if not prefix or not path.startswith(prefix):
        return path
    rest = path[len(prefix) :]
    if rest == "":
        return "/"
    return rest if rest.startswith("/") else path


def own_readings(path: str, root_path: str, *, base_path: str) -> set[str]:
    """Return the readings of the outermost app: without the path of `base_url`, or without `root_path`."""
    readings = {strip_prefix(path, base_path), *_rooted_readings(path, root_path)}
    return readings if root_path.rstrip("/") == base_path else {path, *readings}


def all_readings(own: Collection[str], path: str, root_path: str, *, base_path: str, mounts: Mounts) -> set[str] | None:
    """Return the readings of all nested apps: each removes a mount or a root path from the path that it receives.

    Args:
        own: the readings of the outermost app.

    Returns:
        All readings, those of the outermost app included; None if there are too many.
    """
    first = {*own, *(strip_prefix(reading, base_path) for reading in _without_prefix(path, mounts.whole, mounts))}
    for app_root_path in mounts.root_paths:
        if app_root_path.rstrip("/") != root_path.rstrip("/"):
            first |= {path, *_rooted_readings(path, app_root_path)}
    nested = _NestedReadings(mounts, path, (root_path, *mounts.root_paths))
    found = nested.follow(first, len(own))
    if found is None:
        return None
    of_whole_path = {reading for kept in mounts.kept for reading in nested.read_whole(kept, found)}
    return found if of_whole_path <= found else nested.follow(first | of_whole_path, len(own))


class _NestedReadings:
    """Finds the readings of one request's path by the apps that are mounted in the wrapped app."""

    def __init__(self, mounts: Mounts, path: str, root_paths: Collection[str]) -> None:
        self._mounts = mounts
        self._roots = {
            spelling for root in root_paths for spelling in (root, root.rstrip("/"), f"/{root.strip('/')}".rstrip("/"))
        }
        self._is_rooted = any(root.strip("/") for root in root_paths)
        self._lacks_root = any(_lacks_root_path(path, root) for root in root_paths)

    def follow(self, readings: Collection[str], uncounted: int) -> set[str] | None:
        """Remove mounts and root paths from the readings repeatedly, until nothing new is found.

        Args:
            uncounted: how many of the readings do not count towards the limit.

        Returns:
            The readings, and all that follow from them; None if there are too many.
        """
        found, waiting = set(readings), list(readings)
        while waiting:
            path = waiting.pop()
            for new in chain(_without_prefix(path, self._mounts.prefixes, self._mounts), self._without_root(path)):
                if new in found:
                    continue
                found.add(new)
                waiting.append(new)
                count = len(found) - uncounted
                if count > MAX_NESTED or count * len(path) > MAX_NESTED_LENGTH:
                    return None
        return found

    def read_whole(self, kept: PathKeepingMount, readings: Iterable[str]) -> Iterator[str]:
        """Return the readings of a mounted app that does not find `root_path` in the path, and uses the whole path."""
        if not (self._lacks_root if kept.of_path == "" else self._is_rooted or kept.root):
            return
        for path in readings:
            for start, of_path in zip(_filled_in([kept.start], path), _filled_in([kept.of_path], path), strict=False):
                mount, rest = start[len(of_path) :], path[len(of_path) :]
                if path.startswith(of_path) and mount and mount.split("/")[1] == rest.partition("/")[2].split("/")[0]:
                    yield start + rest

    def _without_root(self, path: str) -> Iterator[str]:
        """Remove a root path from what a mount passes on, wherever it is in it."""
        roots = {root + mount for root in self._roots for mount in ("", *_filled_in(self._mounts.roots, path))} - {""}
        ends = self._ends_of_mounts(path) if roots else []
        for root in roots if ends else ():
            at = path.find(root)
            while at != -1:
                rest = _from_slash(path[at + len(root) :])
                # A mount at "/" passes on a path without a leading "/", so the root path cannot be at its beginning.
                yield from (path[:end] + rest for end in ends if end <= at and (at, end) != (0, 0))
                at = path.find(root, at + 1)

    def _ends_of_mounts(self, path: str) -> list[int]:
        """Return the positions at which a mount may end and its app looks for the root path again."""
        if not self._mounts.hides_roots:
            return []
        whole = self._mounts.whole
        kept = {mount.start for mount in self._mounts.kept if self._lacks_root or mount.start in whole}
        ends = {
            len(mount) for mount in _filled_in(self._mounts.shortening | kept, path) if path.startswith(f"{mount}/")
        }
        for app in _filled_in(self._mounts.unknown, path):
            if path.startswith(f"{app}/"):
                ends.update(end for end in range(len(app), len(path)) if path[end] == "/")
        return sorted(ends)


def _lacks_root_path(path: str, root_path: str) -> bool:
    return root_path != "" and (root_path.endswith("/") or strip_prefix(path, root_path) == path)


def _without_prefix(path: str, prefixes: Iterable[str], mounts: Mounts) -> Iterator[str]:
    """Remove mounts that end in the middle of a segment; case is ignored, because some frameworks ignore it."""
    kept = {mount.start for mount in mounts.kept}
    for prefix in prefixes:
        for mount in _filled_in([prefix], path):
            begin, rest = path[: len(mount)], path[len(mount) :]
            if begin.lower() == mount.lower() and rest and not rest.startswith("/"):
                yield f"{begin}/{rest}"
                if prefix in kept:
                    yield begin + path  # its app removes whole segments only, and so keeps the prefix


def _filled_in(mounts: Iterable[str], path: str) -> Iterator[str]:
    """Replace each segment "{}" of the mounts by the segment of the path at the same position."""
    segments = path.split("/")
    for mount in mounts:
        of_mount = mount.split("/")
        if len(of_mount) <= len(segments):
            pairs = zip(of_mount, segments, strict=False)
            yield "/".join(segment if "{}" in part else part for part, segment in pairs)


def _rooted_readings(path: str, root_path: str) -> set[str]:
    """Remove `root_path` in all the ways that frameworks do it.

    These are: as whole segments, as a plain prefix, at its first occurrence, and as a regular expression in which "."
    stands for any character.
    """
    readings: set[str] = set()
    for root in {root_path, root_path.rstrip("/")} - {""}:
        rests = (
            strip_prefix(path, root),
            path.removeprefix(root),
            path.split(root, 1)[-1],
            _after_expression(root, path),
        )
        readings.update(map(_from_slash, rests))
    return readings


def _after_expression(root: str, path: str) -> str:
    end = 0
    for piece in root.split("."):
        if not path.startswith(piece, end):
            return path
        end += len(piece) + 1
    return path[end - 1 :]


def _from_slash(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"
