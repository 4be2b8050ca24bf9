"""Reads the mounts and routes of each framework, and finds those that match the beginning of a path as plain text.

Frameworks are recognized by the names of their classes; none of them is imported. Paths are relative to the wrapped
app, which is "" itself; a segment "{}" stands for any segment.
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
# A parameter for the rest of the path that begins within a segment: "/x{rest:path}", "/x<path:rest>".
_REST = re.compile(r"(?<=[^/{}<>])(\{[^{}]*:path\}|<path\b[^<>]*>)")


@dataclass(frozen=True, slots=True)
class MountPoint:
    """Where an app is mounted.

    Attributes:
        start: the path where the app starts.
        of_path: the path where the `scope["path"]` starts that the app gets: `start` if the mounts strip it.
        root: what the mounts around the app add to `root_path`.
    """

    start: str = ""
    of_path: str = ""
    root: str = ""

    def including(self, path: str) -> "MountPoint":
        """Return the mount point of an app below this path that gets an unchanged scope."""
        return replace(self, start=self.start + path)

    def shortening(self, path: str) -> "MountPoint":
        """Return the mount point of an app below this path that gets only the rest of the path."""
        return MountPoint(self.start + path, self.start + path, self.root)


Child = tuple[object, MountPoint]
"""An app, and where it is mounted."""


@dataclass(slots=True)
class FoundMounts:
    """The mounts found so far; fields without a description here are those of `Mounts`.

    Attributes:
        unknown: the apps that cannot be inspected: a description by path.
        opaque: the mounts and routes whose pattern cannot be analysed: a description by path.
        tables: the route tables, which grow when the app adds routes.
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
        """The mounts as an immutable value."""
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
        """Add a text that is matched as a plain prefix; one that ends with a whole segment needs no special care."""
        if text and not text.endswith(("/", "}")):
            self.prefixes.add(mount_point + text)
            self.whole.update({mount_point + text} if is_whole else ())

    def add_kept(self, mount_point: MountPoint, start: str, own: str) -> MountPoint:
        """Add a mount whose app gets the whole path, and return the mount point of that app."""
        if own:
            self.kept.add(PathKeepingMount(start, mount_point.of_path, mount_point.root, own))
        return MountPoint(start, mount_point.of_path, mount_point.root + own)

    def add_template(self, mount_point: str, template: str) -> None:
        """Add a route if it ends with a parameter for the rest of the path that begins within a segment."""
        if (rest := _REST.search(template)) is not None:
            self.add_prefix(mount_point, _with_braces(template[: rest.start()]))

    def add_expression(self, mount_point: str, expression: str, *, is_whole: bool = False) -> str | None:
        """Add a regular expression that matches the beginning of a path.

        Returns:
            The text, if the expression is nothing but plain text; otherwise None.
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
    """Split a regular expression into the plain text that it begins with, and the rest."""
    text, index = "", 0
    while index < len(expression):
        character = expression[index]
        if character == "\\" and not expression[index + 1].isalnum():
            index += 1
            character = expression[index]
        elif character in _OPERATORS or character == "\\":
            break
        text, index = text + character, index + 1
    if text and expression[index : index + 1] in ("*", "?", "{"):  # these apply to the last character
        return text[:-1], text[-1] + expression[index:]
    return text, expression[index:]


def _starlette(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    """Read Starlette and FastAPI: mounts match whole segments."""
    found.tables.append(app.routes)
    if getattr(app, "root_path", ""):
        found.root_paths.add(app.root_path)
    for route in app.routes:
        path = _with_braces(str(getattr(route, "path", "")))
        if hasattr(route, "original_router"):  # a router that FastAPI has included
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
    if "asgi_app" in vars(app):  # replaced by a middleware; otherwise it is a method of Quart
        yield app.asgi_app, mount_point


def _falcon(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    """Read Falcon: its sinks are regular expressions that match the beginning of a path."""
    found.tables.append(app._sinks)
    for expression, *_ in app._sinks:
        found.add_expression(mount_point.of_path, expression.pattern, is_whole=True)
    yield from ()


def _hypercorn(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    """Read the dispatcher of Hypercorn: its mounts match plain text."""
    found.tables.append(app.mounts)
    for path, mounted in app.mounts.items():
        found.add_prefix(mount_point.of_path, path, is_whole=True)
        yield mounted, found.add_kept(mount_point, mount_point.of_path + path.rstrip("/"), path)


def _blacksheep(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    """Read BlackSheep: mounts and routes that end with "/*" match plain text."""
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
    """Read the URLconf of Django: included URLconfs, and expressions without an end, match plain text."""
    if script_name := sys.modules["django.conf"].settings.FORCE_SCRIPT_NAME:
        found.root_paths.add(script_name)
    try:
        urls = sys.modules["django.urls"].get_resolver().url_patterns
    except Exception:  # noqa: BLE001  # this imports modules of the app; Django reports their errors itself
        found.opaque[mount_point.start] = "the URLconf of Django"
    else:
        _add_django_urls(urls, f"{mount_point.start}/", found)
    yield from ()


def _add_django_urls(urls: Iterable[Any], mount_point: str, found: FoundMounts) -> None:
    for url in urls:
        is_included = hasattr(url, "url_patterns")
        texts = _django_texts(url.pattern, mount_point, found, is_included=is_included)
        for text in texts if is_included else ():
            _add_django_urls(url.url_patterns, mount_point + text, found)


def _django_texts(pattern: Any, mount_point: str, found: FoundMounts, *, is_included: bool) -> Iterable[str]:
    """Add what a pattern matches; return the texts that it may match, or nothing if they cannot be listed."""
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
    """Read the URLRouter of Channels, which uses the patterns of Django."""
    for route in app.routes:
        is_router = hasattr(route.callback, "routes")
        texts = _django_texts(route.pattern, f"{mount_point.start}/", found, is_included=is_router)
        yield from ((route.callback, mount_point.including(f"/{text}".rstrip("/"))) for text in texts if is_router)


def _forward_auth(app: Any, mount_point: MountPoint, found: FoundMounts) -> Iterator[Child]:
    """The app is behind a proxy, so nothing of it can be seen."""
    found.unknown[mount_point.start] = "the app behind the proxy"
    yield from ()


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
    "asgi_oidc.forward_auth.upstream.Upstream": _forward_auth,
}
# Other classes of these packages do not match paths as plain prefixes, so they need no reader.
# Packages whose apps match no path as a prefix, or are read above; those of the MCP SDK are endpoints of Starlette.
KNOWN_PACKAGES = frozenset(name.partition(".")[0] for name in READERS) | {
    "asgi_oidc",
    "asgiref",
    "fastapi",
    "mcp",
    "uvicorn",
}
