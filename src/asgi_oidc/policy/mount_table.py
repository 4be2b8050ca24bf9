"""Finds the mounts and routes of the wrapped app that remove path prefixes, through any middleware around it."""

import functools
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import replace
from types import CellType, FunctionType, MethodType, ModuleType

from asgi_oidc.policy.framework_mounts import KNOWN_PACKAGES, READERS, Child, FoundMounts, MountPoint
from asgi_oidc.web.path_readings import UNKNOWN

MAX_INSPECTED = 10_000  # objects of an app
MAX_WATCHED = 4  # tables that every request looks at: an app of many routers has one for each


class MountTable:
    """The mounts of an app: read when first needed, and again when one of its route tables has grown.

    Apps add routes after the middleware was created, and some while they serve.

    Attributes:
        mounts: as they were at the last look.
        unread: the paths of apps, mounts and routes that cannot be inspected, and what they are.
        watched: the first tables, for every request to look at, and how long they were.
    """

    def __init__(self, app: object, *, prefixes: Iterable[str] | None = None) -> None:
        """Look at nothing yet.

        Args:
            app: None if nothing is known of it.
            prefixes: the setting `plain_prefixes`, for what its tables do not show; None if it is not set.
        """
        self.mounts = UNKNOWN
        self.opaque: Mapping[str, str] = {}
        self._app = app
        self._is_told = prefixes is not None
        self._prefixes = frozenset(prefixes or ())
        self.watched: list[Sized] = []
        self.sizes: list[int] = []
        self._tables: list[Sized] = []
        self._sizes: list[int] = []
        self._is_read = app is None

    def has_changed(self) -> bool:
        """Read the mounts again if a table has grown, and say whether that was so."""
        if self._is_read and [len(table) for table in self._tables] == self._sizes:
            return False
        found = find_mounts(self._app)
        self._is_read, self._tables = True, found.tables
        self._sizes = [len(table) for table in found.tables]
        self.watched, self.sizes = self._tables[:MAX_WATCHED], self._sizes[:MAX_WATCHED]
        self.mounts = replace(found.mounts, prefixes=found.mounts.prefixes | self._prefixes)
        self.opaque = {} if self._is_told else {**found.unknown, **found.opaque}
        return True


def find_mounts(app: object) -> FoundMounts:
    """Find the mounts of an app and of everything inside it."""
    found, waiting, visited = FoundMounts(), [(app, MountPoint())], dict[tuple[int, MountPoint], object]()
    while waiting:
        here, mount_point = waiting.pop()
        if (id(here), mount_point) in visited:
            continue
        visited[id(here), mount_point] = here
        if len(visited) > MAX_INSPECTED:
            found.unknown[""] = "an app of too many parts"
            break
        try:
            waiting += _inside(here, mount_point, found)
        except Exception:  # noqa: BLE001  # objects of an app may run code of their own when somebody looks at them
            found.unknown[mount_point.start] = _name(here)
    return found


def _inside(app: object, mount_point: MountPoint, found: FoundMounts) -> list[Child]:
    for cls in type(app).__mro__:
        if (read := READERS.get(f"{cls.__module__}.{cls.__qualname__}")) is not None:
            return list(read(app, mount_point, found))
    inside = [(each, mount_point.including(path)) for each, path in _references(app) if _may_be_app(each)]
    is_dispatcher = len(inside) > 1 and not isinstance(app, FunctionType | MethodType)
    if (is_dispatcher or not inside) and _name(app).partition(".")[0] not in KNOWN_PACKAGES:
        found.unknown[mount_point.start] = _name(app)
    return inside


def _references(app: object) -> Iterator[tuple[object, str]]:
    """Give what a function or an object keeps, and below which path: where it wraps an app, that is among it."""
    if isinstance(app, functools.partial):
        yield from ((each, "") for each in (app.func, *app.args, *app.keywords.values()))
    elif isinstance(app, MethodType):
        yield from ((each, "") for each in (app.__self__, app.__func__))
    elif isinstance(app, FunctionType):
        function = inspect.unwrap(app)
        yield from ((_contents(cell), "") for cell in function.__closure__ or ())
        yield from ((function.__globals__.get(name), "") for name in function.__code__.co_names)
    else:
        slots = (slot for cls in type(app).__mro__ for slot in _listed(cls.__dict__.get("__slots__", ())))
        values = [*getattr(app, "__dict__", {}).values(), *(getattr(app, str(slot), None) for slot, _ in slots)]
        yield from (each for value in values for each in _listed(value))


def _contents(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # nothing has been put there yet
        return None


def _listed(value: object) -> Iterable[tuple[object, str]]:
    if isinstance(value, Mapping):
        return [(each, key if isinstance(key, str) and key.startswith("/") else "") for key, each in value.items()]
    return [(each, "") for each in (value if isinstance(value, list | tuple | set | frozenset) else (value,))]


def _may_be_app(value: object) -> bool:
    """Say whether this is an app of a known framework, or has the signature of an ASGI app."""
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
