"""The core knows no framework, and the fake provider knows nothing of the core."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import asgi_oidc.testing

FRAMEWORKS = (
    "starlette",
    "fastapi",
    "quart",
    "litestar",
    "django",
    "falcon",
    "flask",
    "uvicorn",
    "pytest",
    "redis",
    "psycopg",
)
HERE = Path(asgi_oidc.testing.__file__).parent


def test_the_core_imports_no_framework_and_no_server():
    """It serves them all, so it may need none of them."""
    program = "import sys; from asgi_oidc import *; print('\\n'.join(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()

    assert "asgi_oidc.middleware" in loaded
    assert not {name.partition(".")[0] for name in loaded} & set(FRAMEWORKS)
    assert not any(name.startswith(("asgi_oidc.testing", "asgi_oidc.cli", "asgi_oidc.integrations")) for name in loaded)


def test_a_name_is_imported_when_it_is_first_used():
    """Whoever tests with the fake provider does not load the whole library."""
    program = "import sys, asgi_oidc.testing; print('\\n'.join(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()

    names = {name for name in loaded if name.startswith("asgi_oidc.")}
    assert {name for name in names if not name.startswith("asgi_oidc.testing")} == set()


def test_every_public_name_is_there_and_no_other():
    """Also for those who look what there is."""
    for name in asgi_oidc.__all__:
        assert getattr(asgi_oidc, name).__name__ == name
    assert set(asgi_oidc.__all__) <= set(dir(asgi_oidc))
    with pytest.raises(AttributeError, match="has no attribute 'OidcMiddleware'"):
        asgi_oidc.OidcMiddleware  # noqa: B018  # the access alone raises


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Say what a module imports: how many packages up, and the name."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


@pytest.mark.parametrize("path", sorted(HERE.rglob("*.py")), ids=lambda path: str(path.relative_to(HERE)))
def test_the_fake_provider_imports_nothing_of_the_library(path):
    """A provider that shared our checks would share our mistakes."""
    depth = len(path.relative_to(HERE).parts)

    for level, name in imported(path):
        assert level <= depth, f"line with {'.' * level}{name} leaves asgi_oidc.testing"
        assert name.partition(".")[0] != "asgi_oidc" or name.startswith("asgi_oidc.testing")
