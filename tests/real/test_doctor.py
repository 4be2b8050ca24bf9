"""`asgi-oidc doctor` with a certified provider and real Redis servers: what is wrong there is found by name."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from asgi_oidc import OIDCMiddleware, PostgresStore, RedisStore
from asgi_oidc.cli.main import main
from asgi_oidc.testing import serve
from tests.protected_site import App
from tests.real.keycloak import Keycloak, client_secret
from tests.real.nginx import nginx_with
from tests.real.postgres_server import postgres
from tests.real.processes import free_port
from tests.real.real_provider import CLIENT_SECRET, RealProvider, client
from tests.real.redis_server import RedisServer, cluster_url, redis, redis_cluster

pytestmark = pytest.mark.real

ORIGIN = "https://app.example.com"
SECRET = "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw"
IMPLICIT = {"login_refused_by_provider", "client_not_checked"}  # what a client for another flow gets
Examine = Callable[..., set[str]]

app: Any = None


@pytest.fixture
def examine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Examine:
    """Run the command; give the names of what is worse than information."""

    def run(issuer: str, *arguments: str, **changes: Any) -> set[str]:
        settings = {"client_id": "web", "client_secret": CLIENT_SECRET, "base_url": ORIGIN, "secret": SECRET, **changes}
        kept = {name: value for name, value in settings.items() if value is not ...}
        monkeypatch.setattr("tests.real.test_doctor.app", OIDCMiddleware(App(), issuer=issuer, **kept))
        main(["doctor", "tests.real.test_doctor:app", "--json", *arguments])
        (examined,) = json.loads(capsys.readouterr().out)["apps"]
        return {finding["name"] for finding in examined["findings"] if finding["severity"] != "info"}

    return run


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with redis() as server:
        yield server


@pytest.mark.parametrize(
    ("registered", "changes", "names"),
    [
        ({}, {}, set()),
        ({"client_secret": None, "token_endpoint_auth_method": "none"}, {"client_secret": ...}, set()),
        ({}, {"client_secret": "wrong"}, {"client_rejected"}),
        ({}, {"client_secret": ...}, {"client_rejected"}),
        ({"redirect_uris": [f"{ORIGIN}/callback"]}, {}, {"redirect_uri_unregistered"}),
        ({"post_logout_redirect_uris": [f"{ORIGIN}/"]}, {}, {"logout_uri_unregistered"}),
        ({}, {"client_id": "nobody-knows"}, {"client_rejected", "client_unknown"}),
        ({"response_types": ["id_token"], "grant_types": ["implicit"]}, {}, IMPLICIT),
        ({}, {"scope": "openid phone"}, {"scope_unsupported"}),
        ({}, {"authorization_params": {"response_mode": "form_post"}}, set()),
    ],
)
def test_a_certified_provider_answers_as_the_checks_expect(registered, changes, names, provider: RealProvider, examine):
    """Each mistake is told by what a real provider answers to it."""
    provider.register(client(ORIGIN, **{"post_logout_redirect_uris": [ORIGIN], **registered}))

    assert examine(provider.issuer, **changes) == names


def test_a_certificate_that_is_not_trusted_is_found_by_name(https_provider: RealProvider, examine):
    """As with a company's own authority."""
    assert examine(https_provider.issuer) == {"connect_tls_untrusted"}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, set()),
        ({"client_secret": "wrong"}, {"client_rejected"}),
        ({"client_id": "nobody-knows"}, {"client_rejected", "client_unknown"}),
        ({"base_url": f"{ORIGIN}/shop"}, {"redirect_uri_unregistered", "logout_uri_unregistered"}),
    ],
)
def test_keycloak_answers_as_the_checks_expect(changes, names, keycloak_server: Keycloak, examine):
    """It has texts and statuses of its own."""
    client_id = keycloak_server.register(ORIGIN)
    settings = {"client_id": client_id, "client_secret": client_secret(client_id), "base_url": f"{ORIGIN}/", **changes}

    http_client = httpx.AsyncClient(verify=keycloak_server.trust, limits=httpx.Limits(max_keepalive_connections=0))

    assert examine(keycloak_server.issuer, http_client=http_client, **settings) == names


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        ("noeviction", set()),
        ("volatile-ttl", set()),
        ("allkeys-lru", {"store_eviction"}),
        ("volatile-lru", {"store_eviction"}),
    ],
)
def test_the_eviction_policy_of_redis_is_looked_at(policy, names, redis_server, provider, examine):
    """A full Redis must not drop sessions."""
    provider.register(client(ORIGIN, post_logout_redirect_uris=[ORIGIN]))
    with redis_server.ask() as asked:
        asked.config_set("maxmemory-policy", policy)
        found = examine(provider.issuer, store=RedisStore(redis_server.url))
        left = asked.keys("*")

    assert (found, left) == (names, [])


@pytest.mark.parametrize(
    ("rights", "names"),
    [
        (["+@all", "~asgi-oidc:*"], set()),
        (["+@read", "+@write", "+@scripting", "+time", "+info", "+@connection", "~asgi-oidc:*"], set()),
        (["+@read", "+@write", "+@connection", "~asgi-oidc:*"], {"store_rights"}),
        (["+@all", "~elsewhere:*"], {"store_rights"}),
        (["+@all", "-info", "~asgi-oidc:*"], {"store_not_checked"}),
    ],
)
def test_the_rights_of_a_redis_user_are_tried(rights, names, redis_server, provider, examine):
    """The second line is what the fix recommends."""
    provider.register(client(ORIGIN, post_logout_redirect_uris=[ORIGIN]))
    with redis_server.ask() as asked:
        asked.config_set("maxmemory-policy", "noeviction")
        asked.execute_command("ACL", "SETUSER", "app", "reset", "on", ">password", *rights)
    url = redis_server.url.replace("redis://", "redis://app:password@")

    assert examine(provider.issuer, store=RedisStore(url)) == names


def test_a_redis_that_is_not_there_or_refuses_is_found_by_name(redis_server, provider, examine):
    """With the cause, and without the password."""
    provider.register(client(ORIGIN, post_logout_redirect_uris=[ORIGIN]))
    url = redis_server.url.replace("redis://", "redis://app:wrong@")

    assert examine(provider.issuer, store=RedisStore(url)) == {"store_login"}
    assert examine(provider.issuer, store=RedisStore("redis://127.0.0.1:1")) == {"store_unreachable"}


def test_a_full_redis_and_a_replica_are_found_by_name(redis_server, provider, examine):
    """Reading still works with both."""
    provider.register(client(ORIGIN, post_logout_redirect_uris=[ORIGIN]))
    with redis_server.ask() as asked:
        asked.config_set("maxmemory-policy", "noeviction")
        asked.config_set("maxmemory", "1")
        full = examine(provider.issuer, store=RedisStore(redis_server.url))
        asked.config_set("maxmemory", "0")
        asked.replicaof("127.0.0.1", "1")
        replica = examine(provider.issuer, store=RedisStore(redis_server.url))
        asked.replicaof("NO", "ONE")

    assert (full, replica) == ({"store_full"}, {"store_read_only"})


def test_a_cluster_needs_its_own_url(provider, examine):
    """With the URL of one server, most keys are elsewhere."""
    provider.register(client(ORIGIN, post_logout_redirect_uris=[ORIGIN]))
    with redis_cluster() as servers:
        one = examine(provider.issuer, store=RedisStore(servers[0].url))
        whole = examine(provider.issuer, store=RedisStore(cluster_url(servers)))

    assert (one, whole) == ({"store_is_cluster"}, set())


@pytest.mark.parametrize(
    ("of_server", "of_location", "names"),
    [
        ("", "", set()),
        ("client_header_buffer_size 1k; large_client_header_buffers 2 4k;", "", {"large_cookies_refused"}),
        ("", "proxy_cookie_path / /shop;", {"cookies_changed"}),
        ("", "proxy_hide_header Set-Cookie;", {"cookies_removed"}),
        ("return 301 https://www.example.com$request_uri;", "", {"app_redirects"}),
    ],
)
def test_what_nginx_does_to_the_app_is_found_by_name(of_server, of_location, names, provider, examine):
    """With its defaults, nothing."""
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    provider.register(client(base_url, post_logout_redirect_uris=[base_url]))
    served = OIDCMiddleware(
        App(), issuer=provider.issuer, client_id="web", client_secret=CLIENT_SECRET, base_url=base_url, secret=SECRET
    )
    with serve(served) as behind:
        proxied = f"location / {{ proxy_pass {behind.url}; proxy_set_header Host $http_host; {of_location} }}"
        with nginx_with(f"server {{ listen 127.0.0.1:{port}; {of_server} {proxied} }}", url=f"{base_url}/"):
            found = examine(provider.issuer, "--call-app", base_url=base_url)

    assert found == names


def test_what_is_wrong_with_postgresql_is_found_by_name(provider, examine):
    """It names the tables, the rights and the password."""
    provider.register(client(ORIGIN, post_logout_redirect_uris=[ORIGIN]))
    with postgres() as server:
        tables = server.make_tables()
        found = {
            "right": examine(provider.issuer, store=PostgresStore(server.url_of(tables))),
            "no tables": examine(provider.issuer, store=PostgresStore(server.url_of("nowhere"))),
            "password": examine(provider.issuer, store=PostgresStore(server.url.replace("s3cret", "wrong"))),
        }
        with server.ask() as owner:
            owner.execute(b"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM app")
        found["rights"] = examine(provider.issuer, store=PostgresStore(server.url_of(tables)))
    found["down"] = examine(provider.issuer, store=PostgresStore(server.url_of(tables)))

    assert found == {
        "right": set(),
        "no tables": {"store_tables"},
        "password": {"store_login"},
        "rights": {"store_rights"},
        "down": {"store_unreachable"},
    }
