"""`health_path` is one plain path that nothing else uses."""

import pytest

from asgi_oidc import Bearer, Rule
from tests.settings.required_settings import REQUIRED, problems, read


@pytest.mark.parametrize("path", ["/healthz", "/-/ready", "/_health/oidc.json", "/.well-known/health"])
def test_any_plain_path_will_do(path):
    """Teams have paths of their own for this."""
    assert list(read(health_path=path).health_urls) == [path, f"{path}/live"]


def test_it_is_off_by_default():
    """The app may have a page there."""
    assert read().health_urls == {}


@pytest.mark.parametrize(
    "path", ["", "/", "healthz", "/healthz/", "//healthz", "/a/../b", "/a b", "/a?b", "/%61", 7, f"/{'a' * 256}"]
)
def test_what_is_no_plain_path_is_refused(path):
    """Servers, proxies and frameworks must read it in the same way."""
    (problem,) = problems(health_path=path)

    assert problem.startswith("health_path: must be a path below base_url of plain segments")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"health_path": "/auth"}, "health_path: /auth is a URL of asgi-oidc: use another path"),
        ({"health_path": "/auth/health"}, "health_path: /auth/health is a URL of asgi-oidc: use another path"),
        ({"auth_path": "/healthz/live"}, "health_path: /healthz/live is a URL of asgi-oidc: use another path"),
        ({"callback_path": "/healthz/"}, "health_path: /healthz is a URL of asgi-oidc: use another path"),
        ({"callback_path": "/healthz/live"}, "health_path: /healthz/live is a URL of asgi-oidc: use another path"),
        (
            {
                "health_path": "/.well-known/oauth-protected-resource",
                "bearer": Bearer(audience="https://api.example.com"),
            },
            "health_path: /.well-known/oauth-protected-resource is a URL of asgi-oidc: use another path",
        ),
        ({"public": ["/healthz"]}, "health_path: public names '/healthz', but asgi-oidc answers /healthz itself"),
        ({"public": ["/healthz/*"]}, "health_path: public names '/healthz/*', but asgi-oidc answers /healthz itself"),
        ({"public": ["/healthz/live"]}, "health_path: public names '/healthz/live', but asgi-oidc answers"),
        ({"rules": [Rule("/healthz")]}, "health_path: Rule('/healthz') is for the app, but asgi-oidc answers /healthz"),
        (
            {"base_url": "https://app.example.com/admin", "health_path": "/admin/healthz"},
            "health_path: is below base_url already: write '/healthz'",
        ),
        (
            {"post_logout_redirect_uri": "https://app.example.com/healthz"},
            "post_logout_redirect_uri: must be a page of the app, not the health_path",
        ),
    ],
)
def test_a_path_that_is_in_use_is_refused(settings, problem):
    """One of the two would never get its requests."""
    found = problems(**{"health_path": "/healthz", **settings})

    assert [each for each in found if each.startswith(problem)]


def test_a_wide_pattern_around_it_is_fine():
    """It says nothing about this path in particular."""
    read(health_path="/static/healthz", public=["/static/*"], rules=[Rule("/*", claims={"a": "b"})])
    read(health_path="/healthz", public="everything-but-rules")
    read(health_path="/oidc/health", callback_path="/oidc")


def test_the_paths_of_all_hosts_are_looked_at():
    """They share the setting."""
    found = problems(
        base_url=[REQUIRED["base_url"], "https://b.example.org"],
        health_path="/healthz",
        post_logout_redirect_uri="https://b.example.org/healthz",
    )

    assert any("post_logout_redirect_uri" in problem for problem in found)
