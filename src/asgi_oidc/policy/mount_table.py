"""Finds the mounts and routes of the wrapped app that strip path prefixes, also inside other middleware."""

import functools
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import replace
from types import CellType, FunctionType, MethodType, ModuleType

from asgi_oidc.policy.framework_mounts import KNOWN_PACKAGES, READERS, Child, FoundMounts, MountPoint
from asgi_oidc.web.path_readings import UNKNOWN

MAX_INSPECTED = 10_000  # objects of an app that are inspected
MAX_WATCHED = 4  # route tables whose length every request compares: an app of many routers has one for each


class MountTable:
    """The mounts of an app: read when first needed, and again when one of its route tables has grown.

    Apps add routes after the middleware was created, and some while they serve.

    Attributes:
        mounts: as read last.
        opaque: the apps, mounts and routes that cannot be inspected: a description by path.
        watched: the first route tables, whose length every request compares with `sizes`.
        sizes: the lengths of these tables when they were read.
    """

    def __init__(self, app: object, *, prefixes: Iterable[str] | None = None) -> None:
        """Set up the table; the app is not inspected yet.

        Args:
            app: the wrapped app; None if it is unknown.
            prefixes: the setting `plain_prefixes`, for apps that cannot be inspected; None if it is not set.
        """
        self.mounts = UNKNOWN
        self.opaque: Mapping[str, str] = {}
        self._app = app
        self._has_prefixes = prefixes is not None
        self._prefixes = frozenset(prefixes or ())
        self.watched: list[Sized] = []
        self.sizes: list[int] = []
        self._tables: list[Sized] = []
        self._sizes: list[int] = []
        self._is_read = app is None

    def refresh(self) -> bool:
        """Read the mounts if that is due, and return whether it was."""
        if self._is_read and [len(table) for table in self._tables] == self._sizes:
            return False
        found = find_mounts(self._app)
        self._is_read, self._tables = True, found.tables
        self._sizes = [len(table) for table in found.tables]
        self.watched, self.sizes = self._tables[:MAX_WATCHED], self._sizes[:MAX_WATCHED]
        self.mounts = replace(found.mounts, prefixes=found.mounts.prefixes | self._prefixes)
        self.opaque = {} if self._has_prefixes else {**found.unknown, **found.opaque}
        return True


def find_mounts(app: object) -> FoundMounts:
    """Find the mounts of an app and of everything inside it."""
    found, queue, visited = FoundMounts(), [(app, MountPoint())], dict[tuple[int, MountPoint], object]()
    while queue:
        part, mount_point = queue.pop()
        if (id(part), mount_point) in visited:
            continue
        visited[id(part), mount_point] = part  # kept, so that no other object can get its id
        if len(visited) > MAX_INSPECTED:
            found.unknown[""] = "an app of too many parts"
            break
        try:
            queue += _find_inside(part, mount_point, found)
        except Exception:  # noqa: BLE001  # reading an attribute may run code of the app, which may raise anything
            found.unknown[mount_point.start] = _name(part)
    return found


def _find_inside(app: object, mount_point: MountPoint, found: FoundMounts) -> list[Child]:
    for cls in type(app).__mro__:
        if (read := READERS.get(f"{cls.__module__}.{cls.__qualname__}")) is not None:
            return list(read(app, mount_point, found))
    inside = [(value, mount_point.including(path)) for value, path in _references(app) if _may_be_app(value)]
    is_dispatcher = len(inside) > 1 and not isinstance(app, FunctionType | MethodType)
    if (is_dispatcher or not inside) and _name(app).partition(".")[0] not in KNOWN_PACKAGES:
        found.unknown[mount_point.start] = _name(app)
    return inside


def _references(app: object) -> Iterator[tuple[object, str]]:
    """Return what a function or an object refers to, with the path if it is the key of a mapping: wrapped apps too."""
    if isinstance(app, functools.partial):
        yield from ((value, "") for value in (app.func, *app.args, *app.keywords.values()))
    elif isinstance(app, MethodType):
        yield from ((value, "") for value in (app.__self__, app.__func__))
    elif isinstance(app, FunctionType):
        function = inspect.unwrap(app)
        yield from ((_contents(cell), "") for cell in function.__closure__ or ())
        yield from ((function.__globals__.get(name), "") for name in function.__code__.co_names)
    else:
        slots = (slot for cls in type(app).__mro__ for slot in _items(cls.__dict__.get("__slots__", ())))
        values = [*getattr(app, "__dict__", {}).values(), *(getattr(app, str(slot), None) for slot, _ in slots)]
        yield from (item for value in values for item in _items(value))


def _contents(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # the cell is still empty
        return None


def _items(value: object) -> Iterable[tuple[object, str]]:
    if isinstance(value, Mapping):
        return [(item, key if isinstance(key, str) and key.startswith("/") else "") for key, item in value.items()]
    return [(item, "") for item in (value if isinstance(value, list | tuple | set | frozenset) else (value,))]


def _may_be_app(value: object) -> bool:
    """Return whether a value is an app of a known framework, or has the signature of an ASGI app."""
    if isinstance(value, type | ModuleType):
        return False
    if isinstance(value, functools.partial):
        return _may_be_app(value.func)
    if any(f"{cls.__module__}.{cls.__qualname__}" in READERS for cls in type(value).__mro__):
        return True
    is_function = isinstance(value, FunctionType)
    call = (
        value if is_function or isinstance(value, MethodType) else inspect.getattr_static(type(value), "__call__", None)
    )
    code = getattr(inspect.unwrap(call), "__code__", None) if callable(call) else None
    names = () if code is None else code.co_varnames[: code.co_argcount]
    return names[not is_function :][:1] == ("scope",) and len(names) == 3 + (not is_function)


def _name(app: object) -> str:
    named = app if isinstance(app, FunctionType | MethodType) else type(app)
    return f"{named.__module__}.{named.__qualname__}"
