"""Where each framework keeps its mounts and routes, and which of them match the beginning of a path as plain text.

Frameworks are told by the names of their classes: none of them is imported. A place is the path where an app starts,
seen from the wrapped app, "" for that one itself; a segment "{}" stands for any one.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field, replace
from itertools import chain
from types import FunctionType, MethodType
from typing import Any

from asgi_oidc.web.path_readings import Mounts, PathKeepingMount

_OPERATORS = frozenset(".^$*+?{}[]|()")
_ANYTHING = re.compile(r"\(?(\?P<\w+>|\?:)?\.[*+]\)?(\$|\\Z)?")
_END_OF_A_SEGMENT = re.compile(r"\((\?[:=])?(/|\$)")
_PARAMETER = re.compile(r"<[^<>]*>|\{[^{}]*\}")
_REST = re.compile(r"(?<=[^/{}<>])(\{[^{}]*:path\}|<path\b[^<>]*>)")  # "/x{rest:path}", "/x<path:rest>"


@dataclass(frozen=True, slots=True)
class MountPoint:
    """Where an app is.

    Attributes:
        start: its place.
        of_path: the place where the path starts that it is given.
        root: what the mounts around it have added to `root_path`.
    """

    start: str = ""
    of_path: str = ""
    root: str = ""

    def including(self, path: str) -> "MountPoint":
        """Return the place of what is there, and given all as it is."""
        return replace(self, start=self.start + path)

    def shortening(self, path: str) -> "MountPoint":
        """Return the place of an app that is mounted there and given the rest of the path."""
        return MountPoint(self.start + path, self.start + path, self.root)


Child = tuple[object, MountPoint]
"""An app, and where it is."""


@dataclass(slots=True)
class FoundMounts:
    """What was found so far, as in `Mounts`.

    Attributes:
        unknown: places of apps that nobody can look into, and what they are.
        unread: places of mounts and routes that nobody can read, and what they are.
        tables: those that grow when an app gets more routes.
    """

    prefixes: set[str] = field(default_factory=set)
    shortening: set[str] = field(default_factory=set)
    kept: set[PathKeepingMount] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    root_paths: set[str] = field(default_factory=set)
    unknown: dict[str, str] = field(default_factory=dict)
    opaque: dict[str, str] = field(default_factory=dict)
    tables: list[Sized] = field(default_factory=list)
    seeks_root: bool = False

    @property
    def mounts(self) -> Mounts:
        """The same as a value."""
        return Mounts(
            prefixes=frozenset(self.prefixes),
            shortening=frozenset(self.shortening),
            kept=frozenset(self.kept),
            whole=frozenset(self.whole),
            root_paths=frozenset(self.root_paths),
            unknown=frozenset(self.unknown),
            seeks_root=self.seeks_root,
        )

    def add_prefix(self, mount_point: str, text: str, *, is_whole: bool = False) -> None:
        """Note what matches plain text; at the end of a segment it is nothing special."""
        if text and not text.endswith(("/", "}")):
            self.prefixes.add(mount_point + text)
            self.whole.update({mount_point + text} if is_whole else ())

    def add_kept(self, mount_point: MountPoint, start: str, own: str) -> MountPoint:
        """Note a mount that hands on the whole path, and return the place of its app."""
        if own:
            self.kept.add(PathKeepingMount(start, mount_point.of_path, mount_point.root, own))
        return MountPoint(start, mount_point.of_path, mount_point.root + own)

    def add_template(self, mount_point: str, template: str) -> None:
        """Note a route that ends with a parameter for all that follows, in the middle of a segment."""
        if (rest := _REST.search(template)) is not None:
            self.add_prefix(mount_point, _with_braces(template[: rest.start()]))

    def add_expression(self, mount_point: str, expression: str, *, is_whole: bool = False) -> str | None:
        """Note a regular expression that matches the beginning of a path.

        Returns:
            Its text, None where it is more than text.
        """
        text, rest = _plain_text(expression.removeprefix("^"))
        if not rest or _ANYTHING.fullmatch(rest):
            self.add_prefix(mount_point, text, is_whole=is_whole)
            return None if rest else text
        if not rest.endswith(("$", "\\Z", "/", "/?")) and not _END_OF_A_SEGMENT.match(rest):
            self.opaque[mount_point + text] = f"the expression {expression!r}"
        return None


def _with_braces(template: str) -> str:
    return _PARAMETER.sub("{}", template)


def _plain_text(expression: str) -> tuple[str, str]:
    """Split a regular expression behind the text that it begins with."""
    text, at = "", 0
    while at < len(expression):
        letter = expression[at]
        if letter == "\\" and not expression[at + 1].isalnum():
            at += 1
            letter = expression[at]
        elif letter in _OPERATORS or letter == "\\":
            break
        text, at = text + letter, at + 1
    if text and expression[at : at + 1] in ("*", "?", "{"):
        return text[:-1], text[-1] + expression[at:]
    return text, expression[at:]


def _starlette(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    """Read Starlette and FastAPI: mounts match whole segments."""
    found.tables.append(app.routes)
    if getattr(app, "root_path", ""):
        found.root_paths.add(app.root_path)
    for route in app.routes:
        path = _with_braces(str(getattr(route, "path", "")))
        if hasattr(route, "original_router"):  # what FastAPI keeps of include_router
            prefix = _with_braces(str(getattr(route.include_context, "prefix", "")))
            yield route.original_router, mount_point.including(prefix)
        elif hasattr(route, "endpoint"):
            found.add_template(mount_point.start, route.path)
            if not isinstance(route.endpoint, FunctionType | MethodType | type):
                yield route.endpoint, mount_point
        elif hasattr(route, "app"):
            yield route.app, found.add_kept(mount_point, mount_point.start + path, path)


def _litestar(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    """Read Litestar: its mounts match plain text."""
    found.seeks_root = True
    found.tables.append(app.routes)
    for route in app.routes:
        handler: Any = getattr(route, "route_handler", None)
        if not hasattr(handler, "is_mount"):
            continue
        below = mount_point
        if handler.is_mount:
            below = mount_point.shortening(route.path.rstrip("/"))
            found.add_prefix(mount_point.start, route.path)
            found.shortening.add(below.start)
        yield getattr(handler.fn, "value", handler.fn), below


def _quart(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    found.tables.append(app.view_functions)
    for rule in app.url_map.iter_rules():
        found.add_template(mount_point.start, str(rule.rule))
    if "asgi_app" in vars(app):  # else it is a method
        yield app.asgi_app, mount_point


def _falcon(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    """Read Falcon: its sinks are regular expressions that match a beginning."""
    found.tables.append(app._sinks)
    for expression, *_ in app._sinks:
        found.add_expression(mount_point.of_path, expression.pattern, is_whole=True)
    yield from ()


def _hypercorn(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    """Read the dispatcher: its mounts match plain text."""
    found.tables.append(app.mounts)
    for path, mounted in app.mounts.items():
        found.add_prefix(mount_point.of_path, path, is_whole=True)
        yield mounted, found.add_kept(mount_point, mount_point.of_path + path.rstrip("/"), path)


def _blacksheep(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    """Read BlackSheep: what ends with "/*" matches plain text, in mounts and in routes."""
    mounted = app.mount_registry.mounted_apps
    found.tables.append(mounted)
    for route in chain(mounted, *app.router.routes.values()):
        text, star, _ = route.pattern.decode().partition("*")
        if star:
            found.add_prefix(mount_point.of_path, _with_braces(text).rstrip("/"), is_whole=True)
    for route in mounted:
        path = route.pattern.decode().rstrip("/*")
        yield route.handler, found.add_kept(mount_point, mount_point.of_path + path, path)


def _django(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    """Read the URLconf: what is included, and an expression without an end, match plain text."""
    if script_name := sys.modules["django.conf"].settings.FORCE_SCRIPT_NAME:
        found.root_paths.add(script_name)
    try:
        urls = sys.modules["django.urls"].get_resolver().url_patterns
    except Exception:  # noqa: BLE001  # it imports modules of the app; what is wrong there Django tells by itself
        found.opaque[mount_point.start] = "the URLconf of Django"
    else:
        _note_django_urls(urls, f"{mount_point.start}/", found)
    yield from ()


def _note_django_urls(urls: Iterable[Any], mount_point: str, found: FoundMounts) -> None:
    for url in urls:
        is_included = hasattr(url, "url_patterns")
        texts = _django_texts(url.pattern, mount_point, found, is_included=is_included)
        for text in texts if is_included else ():
            _note_django_urls(url.url_patterns, mount_point + text, found)


def _django_texts(pattern: Any, mount_point: str, found: FoundMounts, *, is_included: bool) -> Iterable[str]:
    """Note what a pattern matches, and return the texts that it stands for, as far as it has some."""
    if hasattr(pattern, "prefix_default_language"):  # of i18n_patterns
        return ("", "{}/")
    if hasattr(pattern, "_route"):
        route = _with_braces(str(pattern._route))
        found.add_template(mount_point, str(pattern._route))
        if is_included:
            found.add_prefix(mount_point, route)
        return (route,)
    expression = str(pattern._regex)
    if not expression.startswith("^") and not expression.endswith("$"):  # it may match anywhere
        found.opaque[mount_point] = f"the expression {expression!r}"
        return ()
    text = found.add_expression(mount_point, expression)
    if text is None and is_included:
        found.opaque[mount_point + _plain_text(expression.removeprefix("^"))[0]] = f"the expression {expression!r}"
    return () if text is None else (text,)


def _channels(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    """Read the URLRouter of Channels, which has patterns of Django."""
    for route in app.routes:
        is_router = hasattr(route.callback, "routes")
        texts = _django_texts(route.pattern, f"{mount_point.start}/", found, is_included=is_router)
        yield from ((route.callback, mount_point.including(f"/{text}".rstrip("/"))) for text in texts if is_router)


READERS: Mapping[str, Callable[[Any, MountPoint, FoundMounts], Iterator[Child]]] = {
    "starlette.applications.Starlette": _starlette,
    "starlette.routing.Router": _starlette,
    "litestar.app.Litestar": _litestar,
    "quart.app.Quart": _quart,
    "falcon.app.App": _falcon,
    "hypercorn.middleware.dispatcher._DispatcherMiddleware": _hypercorn,
    "blacksheep.server.application.Application": _blacksheep,
    "django.core.handlers.asgi.ASGIHandler": _django,
    "channels.routing.URLRouter": _channels,
}
# Apps of these packages that are not among them take no prefix as plain text.
KNOWN_PACKAGES = frozenset(name.partition(".")[0] for name in READERS) | {"asgi_oidc", "asgiref", "fastapi", "uvicorn"}
