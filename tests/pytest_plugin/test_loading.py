"""How pytest loads the plugin: by itself, cheaply, and with settings for those who have none."""

import pytest

from asgi_oidc.pytest_plugin.missing_settings import fill_missing_settings

pytest_plugins = ["pytester"]

NAMES = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_BASE_URL", "OIDC_SECRET")
APP = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from asgi_oidc import OIDCMiddleware

async def me(request):
    return PlainTextResponse(request.user.sub)

app = OIDCMiddleware.from_env(Starlette(routes=[Route("/me", me)]))
"""
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with an app whose settings come from the environment, where there are none."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "")
    pytester.makepyfile(app=APP)
    return pytester


def test_whoever_does_not_use_the_fixture_does_not_import_the_library(project: pytest.Pytester):
    """Pytest loads every installed plugin: one that is of no use in a project costs it nothing."""
    project.makepyfile(
        test_first="""
        import sys

        def test_nothing_is_imported():
            loaded = {name for name in sys.modules if name.startswith("asgi_oidc")}
            assert loaded == {"asgi_oidc", "asgi_oidc.pytest_plugin", "asgi_oidc.pytest_plugin.entry_point"}
            assert not {"httpx", "msgspec", "joserfc"} & sys.modules.keys()
        """,
        test_second="""
        import pytest

        @pytest.fixture
        def oidc():
            return "mine"

        def test_a_fixture_of_that_name_stays_the_projects_own(oidc):
            assert oidc == "mine"

        def test_missing_settings_are_the_error_that_they_are_in_production():
            with pytest.raises(Exception, match="OIDC_ISSUER"):
                import app
        """,
    )

    result = project.runpytest_subprocess(*OPTIONS)

    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("asgi-oidc:*")


def test_missing_settings_are_filled_in_before_the_app_is_imported(project: pytest.Pytester):
    """An app at module level cannot be imported without them; the header tells what is made up, but no secret."""
    project.makepyprojecttoml("[tool.pytest.ini_options]\nasgi_oidc_fill_settings = true\n")
    project.makeconftest("import app")
    project.makepyfile(
        """
        from app import app
        from starlette.testclient import TestClient

        def test_alice(oidc):
            client = TestClient(app)
            oidc.sign_in(client, "alice")
            assert client.get("/me").text == "alice"

        def test_nobody_without_naming_the_fixture():
            answer = TestClient(app).get("/me", headers={"accept": "text/html"}, follow_redirects=False)
            assert answer.headers["location"].startswith("https://id.test/authorize?")
        """
    )

    result = project.runpytest_subprocess(*OPTIONS)

    result.assert_outcomes(passed=2)
    filled = "OIDC_ISSUER=https://id.test, OIDC_CLIENT_ID=web, OIDC_BASE_URL=https://app.test, OIDC_SECRET"
    result.stdout.fnmatch_lines([f"asgi-oidc: filled in for the tests: {filled}"])


def test_what_is_set_is_never_replaced():
    """The rules of an app may depend on its own URL; a secret in a file is set as well."""
    own = {"OIDC_BASE_URL": "https://shop.acme.com", "OIDC_SECRET_FILE": "/run/secrets/oidc", "OIDC_ISSUER": ""}
    environ = dict(own)

    filled = fill_missing_settings(environ)

    assert filled == ["OIDC_ISSUER=https://id.test", "OIDC_CLIENT_ID=web"]
    assert environ == {**own, "OIDC_ISSUER": "https://id.test", "OIDC_CLIENT_ID": "web"}
    assert fill_missing_settings(environ) == []


def test_an_app_with_several_providers_gets_none_besides():
    """They would contradict each other."""
    environ = {"OIDC_PROVIDERS": "google,work"}

    fill_missing_settings(environ)

    assert sorted(environ) == ["OIDC_BASE_URL", "OIDC_PROVIDERS", "OIDC_SECRET"]
