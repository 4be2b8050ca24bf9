"""The readings of a path: what servers, mounts and frameworks may make of it before they look for a handler.

Each takes something off its beginning, in its own way. Nobody knows who stands where, so all ways are followed, and
what is left is written as if the one before had been told: a reading always starts where the wrapped app starts.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

MAX_NESTED = 64  # readings of apps that are mounted in one another; nobody lists more
MAX_NESTED_LENGTH = 16_384  # characters of all of them


@dataclass(frozen=True, slots=True)
class PathKeepingMount:
    """A mount that hands on the whole path, and adds its own to `root_path`.

    Attributes:
        start: where its app starts.
        of_path: where the path starts that it is given.
        root: what mounts around it have added to `root_path`.
        own: what it adds.
    """

    start: str
    of_path: str
    root: str
    own: str


@dataclass(frozen=True, slots=True)
class Mounts:
    """What the wrapped app takes off the beginning of a path, as far as it can be seen from outside.

    A segment "{}" stands for any one.

    Attributes:
        prefixes: mounts and routes that match plain text: where "/admin" is one, "/adminx" is served as "/admin/x".
        whole: those of them that are held against the whole path, the server's `root_path` included.
        shortening: mounts that hand on the rest of the path, and the `root_path` that was there before.
        kept: mounts that hand on the whole path.
        root_paths: those that apps set themselves, whatever the server says.
        unknown: where an app starts that nobody can look into: any part of a path below may be a mount.
        seeks_root: whether an app takes `root_path` off wherever it is in the path.
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
        """Whether an app may take a root path off that is not at the beginning of the path."""
        return bool(self.shortening or self.unknown or self.seeks_root)

    @property
    def roots(self) -> frozenset[str]:
        """All that mounts add to `root_path`."""
        return frozenset(kept.root + kept.own for kept in self.kept)


UNKNOWN = Mounts(unknown=frozenset({""}))


def strip_prefix(path: str, prefix: str) -> str:
    """Take a prefix of whole segments off a path; a path that lacks it stays as it is."""
    if not prefix or not path.startswith(prefix):
        return path
    rest = path[len(prefix) :]
    if rest == "":
        return "/"
    return rest if rest.startswith("/") else path


def own_readings(path: str, root_path: str, *, base_path: str) -> set[str]:
    """Read as the outermost app may: without the path of `base_url`, or without `root_path`."""
    readings = {strip_prefix(path, base_path), *_rooted_readings(path, root_path)}
    return readings if root_path.rstrip("/") == base_path else {path, *readings}


def all_readings(own: Collection[str], path: str, root_path: str, *, base_path: str, mounts: Mounts) -> set[str] | None:
    """Read as all apps may that are mounted in one another: each takes a mount or a root path off what it was given.

    Args:
        own: what the outermost app may read.

    Returns:
        Those as well; None where that is too much.
    """
    first = {*own, *(strip_prefix(each, base_path) for each in _without_prefix(path, mounts.whole, mounts))}
    for other in mounts.root_paths:
        if other.rstrip("/") != root_path.rstrip("/"):
            first |= {path, *_rooted_readings(path, other)}
    ways = _Ways(mounts, path, (root_path, *mounts.root_paths))
    found = ways.follow(first, len(own))
    if found is None:
        return None
    again = {reading for kept in mounts.kept for reading in ways.read_whole(kept, found)}
    return found if again <= found else ways.follow(first | again, len(own))


class _Ways:
    """The ways in which the apps of one request take something off."""

    def __init__(self, mounts: Mounts, path: str, root_paths: Collection[str]) -> None:
        self._mounts = mounts
        self._roots = {
            each for root in root_paths for each in (root, root.rstrip("/"), f"/{root.strip('/')}".rstrip("/"))
        }
        self._is_rooted = any(root.strip("/") for root in root_paths)
        self._lacks_root = any(_lacks(path, root) for root in root_paths)

    def follow(self, readings: Collection[str], given: int) -> set[str] | None:
        """Take off what can be taken off, again and again.

        Args:
            given: how many of the readings do not count.

        Returns:
            The readings, and all that come of them; None where that is too much.
        """
        found, waiting = set(readings), list(readings)
        while waiting:
            path = waiting.pop()
            for new in chain(_without_prefix(path, self._mounts.prefixes, self._mounts), self._without_root(path)):
                if new in found:
                    continue
                found.add(new)
                waiting.append(new)
                count = len(found) - given
                if count > MAX_NESTED or count * len(path) > MAX_NESTED_LENGTH:
                    return None
        return found

    def read_whole(self, kept: PathKeepingMount, readings: Iterable[str]) -> Iterator[str]:
        """Read as an app that does not find `root_path` in the path, so that it looks at the whole once more."""
        if not (self._lacks_root if kept.of_path == "" else self._is_rooted or kept.root):
            return
        for path in readings:
            for start, of_path in zip(_filled_in([kept.start], path), _filled_in([kept.of_path], path), strict=False):
                mount, rest = start[len(of_path) :], path[len(of_path) :]
                if path.startswith(of_path) and mount and mount.split("/")[1] == rest.partition("/")[2].split("/")[0]:
                    yield start + rest

    def _without_root(self, path: str) -> Iterator[str]:
        """Take a root path off what a mount leaves, wherever it stands there."""
        roots = {root + more for root in self._roots for more in ("", *_filled_in(self._mounts.roots, path))} - {""}
        ends = self._ends_of_mounts(path) if roots else []
        for root in roots if ends else ():
            at = path.find(root)
            while at != -1:
                rest = _from_slash(path[at + len(root) :])
                # A mount at "/" leaves no "/" at the beginning, where the root would have to be.
                yield from (path[:end] + rest for end in ends if end <= at and (at, end) != (0, 0))
                at = path.find(root, at + 1)

    def _ends_of_mounts(self, path: str) -> list[int]:
        """Return where a mount may end, behind which an app looks for the root path again."""
        if not self._mounts.hides_roots:
            return []
        whole = self._mounts.whole
        kept = {each.start for each in self._mounts.kept if self._lacks_root or each.start in whole}
        ends = {
            len(mount) for mount in _filled_in(self._mounts.shortening | kept, path) if path.startswith(f"{mount}/")
        }
        for app in _filled_in(self._mounts.unknown, path):
            if path.startswith(f"{app}/"):
                ends.update(end for end in range(len(app), len(path)) if path[end] == "/")
        return sorted(ends)


def _lacks(path: str, root_path: str) -> bool:
    return root_path != "" and (root_path.endswith("/") or strip_prefix(path, root_path) == path)


def _without_prefix(path: str, prefixes: Iterable[str], mounts: Mounts) -> Iterator[str]:
    """Take mounts off that end in the middle of a segment; some do not mind case."""
    kept = {each.start for each in mounts.kept}
    for prefix in prefixes:
        for mount in _filled_in([prefix], path):
            begin, rest = path[: len(mount)], path[len(mount) :]
            if begin.lower() == mount.lower() and rest and not rest.startswith("/"):
                yield f"{begin}/{rest}"
                if prefix in kept:
                    yield begin + path  # its app looks for whole segments, and does not find them


def _filled_in(mounts: Iterable[str], path: str) -> Iterator[str]:
    """Take segments that stand for any one from a path."""
    segments = path.split("/")
    for mount in mounts:
        of_mount = mount.split("/")
        if len(of_mount) <= len(segments):
            yield "/".join(each if "{}" in part else part for part, each in zip(of_mount, segments, strict=False))


def _rooted_readings(path: str, root_path: str) -> set[str]:
    """Take `root_path` off the ways frameworks do.

    As whole segments, as a plain prefix, at its first occurrence, and as a regular expression in which "." stands for
    any character.
    """
    readings: set[str] = set()
    for root in {root_path, root_path.rstrip("/")} - {""}:
        taken_off = strip_prefix(path, root), path.removeprefix(root), path.split(root, 1)[-1], _after(root, path)
        readings.update(map(_from_slash, taken_off))
    return readings


def _after(root: str, path: str) -> str:
    end = 0
    for piece in root.split("."):
        if not path.startswith(piece, end):
            return path
        end += len(piece) + 1
    return path[end - 1 :]


def _from_slash(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"
