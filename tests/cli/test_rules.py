"""`asgi-oidc rules` finds the middlewares of an app, wherever they are, and says what they decide."""

import sys
from typing import Any

import pytest
from quart import Quart
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_oidc import OIDCMiddleware, Rule
from asgi_oidc.cli.main import main
from tests.settings.required_settings import REQUIRED

ADMINS = [Rule("/*", claims={"roles": "admin"})]
starlette_app = Starlette(
    routes=[
        Mount("/admin", app=OIDCMiddleware(Starlette(), **{**REQUIRED, "base_url": "https://app.example.com/admin"})),
    ]
)
starlette_app.add_middleware(OIDCMiddleware, **REQUIRED, public=["/"], rules=ADMINS)
quart_app = Quart(__name__)
quart_app.asgi_app = OIDCMiddleware(quart_app.asgi_app, **REQUIRED)  # type: ignore[arg-type, assignment]
bare_app = Starlette()
bare_app.state.loop = bare_app

HERE = "tests.cli.test_rules"


app_with_wrong_settings = Starlette()
app_with_wrong_settings.add_middleware(OIDCMiddleware, **{**REQUIRED, "issuer": "x"})
inner = Starlette()
inner.add_middleware(OIDCMiddleware, **{**REQUIRED, "issuer": "x"})
app_with_a_wrong_mount = Starlette(routes=[Mount("/admin", app=inner)])


def make_app() -> Any:
    return starlette_app


def make_app_with_wrong_variables() -> Any:
    environ = {f"OIDC_{name.upper()}": value for name, value in REQUIRED.items()}
    return OIDCMiddleware.from_env(Starlette(), environ={**environ, "OIDC_LEEWAY": "soon"})


def run(capsys: Any, *arguments: str) -> tuple[int, str, str]:
    status = main(["rules", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_all_middlewares_are_listed(capsys):
    """In the stack and on the mounts."""
    status, said, _ = run(capsys, f"{HERE}:starlette_app")

    assert status == 0
    assert (
        "https://app.example.com\n  /            public\n  /*           Rule('/*', claims={'roles': 'admin'})\n" in said
    )
    assert "https://app.example.com/admin\n  /auth/*      asgi-oidc's own URLs\n  other paths  a signed-in user" in said


def test_an_app_may_come_from_a_factory(capsys):
    """As with `uvicorn --factory`."""
    status, said, _ = run(capsys, f"{HERE}:make_app", "--factory")

    assert (status, said) == (0, run(capsys, f"{HERE}:starlette_app")[1])


def test_invalid_settings_are_told_once(capsys, caplog):
    """The log would say the same again on stderr."""
    _, _, complaint = run(capsys, f"{HERE}:app_with_wrong_settings")

    assert complaint.count("invalid settings") == 1


def test_a_path_is_explained_by_those_that_have_it(capsys):
    """One below a mount by both."""
    status, below, _ = run(capsys, f"{HERE}:starlette_app", "/admin/x", "--method", "POST")
    _, beside, _ = run(capsys, f"{HERE}:starlette_app", "/x")

    assert (status, below.count("POST /admin/x\n")) == (0, 2)
    assert beside.startswith("https://app.example.com: GET /x\n  public         no")
    assert beside.count("GET /x\n") == 1


def test_an_address_is_explained_as_it_is_copied_from_a_browser(capsys):
    """With its query."""
    _, copied, _ = run(capsys, f"{HERE}:starlette_app", "https://app.example.com/admin?x=1#y")

    assert copied.count("GET /admin?x=1#y\n") == 2


def test_quart_apps_are_inspected(capsys):
    """It keeps the middleware in `asgi_app`."""
    assert "a signed-in user" in run(capsys, f"{HERE}:quart_app")[1]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([HERE], "does not name an app: write package.module:app"),
        ([f"{HERE}:nothing"], f"{HERE} has no 'nothing'"),
        (["tests.nowhere:app"], "cannot find the module 'tests.nowhere' from here"),
        ([f"{HERE}:bare_app"], "has no OIDCMiddleware around it"),
        ([f"{HERE}:run"], "is a function: add --factory if it returns the app"),
        ([f"{HERE}:starlette_app", "admin"], "'admin' is not a path: start it with '/'"),
        ([f"{HERE}:starlette_app", "https://other.example.com/admin"], "is not below https://app.example.com"),
        ([f"{HERE}:starlette_app", "/x", "--method", "FETCH"], "'FETCH' is not an HTTP method or WEBSOCKET"),
        ([f"{HERE}:starlette_app.routes", "/x"], "has no OIDCMiddleware"),
        ([f"{HERE}:run", "--factory"], "must be a function that takes no arguments"),
        ([f"{HERE}:HERE", "--factory"], "must be a function that takes no arguments"),
        (["tests.cli.wrong_settings:app"], "asgi-oidc: invalid settings:"),
        (["tests.cli.wrong_settings:app"], "issuer"),
        ([f"{HERE}:app_with_wrong_settings"], "issuer"),
        ([f"{HERE}:app_with_a_wrong_mount"], "issuer"),
        ([f"{HERE}:make_app_with_wrong_variables", "--factory"], "OIDC_LEEWAY"),
    ],
)
def test_obstacles_are_reported_on_stderr(capsys, arguments, problem):
    """And nothing on stdout."""
    status, said, complaint = run(capsys, *arguments)

    assert (status, said, complaint.startswith("asgi-oidc: ")) == (1, "", True)
    assert problem in complaint


def test_an_import_that_fails_inside_the_app_is_shown_as_it_is(capsys):
    """The developer needs the traceback."""
    with pytest.raises(ModuleNotFoundError, match="not_installed_at_all"):
        run(capsys, "tests.cli.lacks_a_module:app")


def test_the_path_of_imports_is_left_as_it_was(capsys):
    """A command is not alone in its process when tests call it."""
    before = list(sys.path)

    run(capsys, f"{HERE}:quart_app")

    assert sys.path == before


def test_a_path_outside_every_mount_is_reported(capsys):
    """It never reaches a middleware."""
    assert "/x is not below https://app.example.com/admin" in run(capsys, f"{HERE}:mounted_app", "/x")[2]


mounted_app = Starlette(routes=starlette_app.routes)


def app_of_the_environment() -> Any:
    return OIDCMiddleware.from_env(Starlette())


def test_the_settings_may_come_from_a_file(capsys, tmp_path, monkeypatch):
    """The one that `asgi-oidc init` has written and that the server reads; a missing one is named."""
    for name in REQUIRED:
        monkeypatch.setenv(f"OIDC_{name.upper()}", "")
        monkeypatch.delenv(f"OIDC_{name.upper()}")
    monkeypatch.chdir(tmp_path)
    name = f"{HERE}:app_of_the_environment"
    none = run(capsys, name, "--factory", "--env-file", ".env")
    (tmp_path / ".env").write_text("".join(f"OIDC_{name.upper()}={value}\n" for name, value in REQUIRED.items()))

    without = run(capsys, name, "--factory")
    status, said, _ = run(capsys, name, "--factory", "--env-file", ".env")

    assert none == (1, "", "asgi-oidc: --env-file .env: No such file or directory\n")
    assert (without[0], without[2].splitlines()[-1]) == (1, ".env was not read: add --env-file .env")
    assert (status, "https://app.example.com\n" in said) == (0, True)
