"""The frameworks for which `init` writes an app."""

import importlib.util
from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple


class Framework(NamedTuple):
    """A framework.

    Attributes:
        title: its name.
        package: what to install; empty for plain ASGI.
    """

    title: str
    package: str


FRAMEWORKS: Mapping[str, Framework] = {
    "fastapi": Framework("FastAPI", "fastapi"),
    "starlette": Framework("Starlette", "starlette"),
    "quart": Framework("Quart", "quart"),
    "litestar": Framework("Litestar", "litestar"),
    "django": Framework("Django", "django"),
    "asgi": Framework("another, or plain ASGI", ""),
}


def app_source(framework: str) -> str:
    """Return the source of an app."""
    return (files("asgi_oidc.cli.init") / "apps" / f"{framework}.txt").read_text(encoding="utf-8")


def installed_framework() -> str:
    """Return the first framework that is installed; FastAPI if none is."""
    packages = ((name, each.package) for name, each in FRAMEWORKS.items() if each.package)
    return next((name for name, package in packages if importlib.util.find_spec(package)), "fastapi")
