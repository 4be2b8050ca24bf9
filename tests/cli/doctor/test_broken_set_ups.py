"""Each set-up has one mistake, and `doctor` names it."""

import errno
import socket
import ssl
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount

from asgi_oidc import OIDCMiddleware, Rule
from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.testing import ClientKey, FakeProvider
from tests.cli.doctor.examined import (
    CLIENT_SECRET,
    ISSUER,
    ORIGIN,
    SECRET,
    failing,
    guarded,
    make_provider,
    settings,
    site,
)

SetUp = Callable[[], Any]


def published(**members: Any) -> FakeProvider:
    """Return a provider whose metadata has these members."""
    provider = make_provider()
    provider.metadata.update(members)
    return provider


def profiled(**members: Any) -> OIDCMiddleware:
    """Return an app with a security profile at a provider whose metadata has these members."""
    key = ClientKey()
    provider = make_provider(client_secret=None, jwks=[key.public_jwk])
    provider.metadata.update(members)
    return guarded(provider, client_secret=None, client_key=key.pem, profile="fapi2")


def with_key(**members: Any) -> FakeProvider:
    provider = make_provider(client_secret=None, jwks=[KEY.public_jwk])
    provider.metadata.update(members)
    return provider


def with_dpop() -> FakeProvider:
    provider = make_provider()
    provider.requires_dpop = True
    return provider


def with_fault(name: str) -> FakeProvider:
    provider = make_provider()
    provider.faults.add(name)
    return provider


def not_verified(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("refused")
    error.verify_code = code
    return error


async def static_files(scope: Any, receive: Any, send: Any) -> None:
    """Serve nothing."""


# What went wrong -> the app, and the one finding that is worse than information.
KEY = ClientKey()
PROVIDERS: dict[str, tuple[SetUp, str]] = {
    "a slash is missing at the end of issuer": (
        lambda: guarded(make_provider(f"{ISSUER}/"), issuer=ISSUER),
        "issuer_mismatch",
    ),
    "a slash too many": (lambda: guarded(published(issuer=ISSUER), issuer=f"{ISSUER}/"), "issuer_mismatch"),
    "a provider behind a proxy calls itself http": (
        lambda: guarded(published(issuer="http://id.example.com")),
        "issuer_mismatch",
    ),
    "a provider calls itself by its internal host": (
        lambda: guarded(published(issuer="http://keycloak:8080")),
        "issuer_mismatch",
    ),
    "the tenant is another one": (lambda: guarded(published(issuer=f"{ISSUER}/tenant")), "issuer_mismatch"),
    "the issuer of all tenants": (lambda: guarded(published(issuer=f"{ISSUER}/{{tenantid}}")), "issuer_mismatch"),
    "the realm is misspelt": (
        lambda: guarded(make_provider(f"{ISSUER}/realms/shop"), issuer=f"{ISSUER}/realms/ship"),
        "discovery_not_found",
    ),
    "a login page of the network answers": (lambda: guarded(with_fault("discovery_html")), "discovery_not_json"),
    "the provider has moved": (lambda: guarded(with_fault("discovery_redirect")), "discovery_redirect"),
    "the provider is down": (lambda: guarded(with_fault("discovery_down")), "provider_unavailable"),
    "the metadata has nonsense": (lambda: guarded(with_fault("discovery_members_of_wrong_type")), "discovery_failed"),
    "the host does not exist": (lambda: guarded(http_client=failing(socket.gaierror())), "connect_dns"),
    "nothing listens there": (lambda: guarded(http_client=failing(ConnectionRefusedError())), "connect_refused"),
    "the network is down": (
        lambda: guarded(http_client=failing(OSError(errno.ENETUNREACH, "unreachable"))),
        "connect_network",
    ),
    "a firewall drops the packets": (
        lambda: guarded(http_client=failing(httpx.ConnectTimeout("late"))),
        "connect_timeout",
    ),
    "a self-signed certificate": (lambda: guarded(http_client=failing(not_verified(18))), "connect_tls_untrusted"),
    "an expired certificate": (lambda: guarded(http_client=failing(not_verified(10))), "connect_tls_expired"),
    "a certificate of another host": (lambda: guarded(http_client=failing(not_verified(62))), "connect_tls_name"),
    "a certificate that is not valid yet": (
        lambda: guarded(http_client=failing(not_verified(9))),
        "connect_tls_failed",
    ),
    "no PKCE with S256": (
        lambda: guarded(published(code_challenge_methods_supported=["plain"])),
        "pkce_s256_unsupported",
    ),
    "pushed requests are required": (
        lambda: guarded(published(require_pushed_authorization_requests=True), par="never"),
        "par_required",
    ),
    "requests cannot be pushed": (
        lambda: guarded(published(pushed_authorization_request_endpoint=None), par="always"),
        "par_unsupported",
    ),
    "a pushed request names a redirect URI that is not registered": (
        lambda: guarded(make_provider(redirect_uris=[f"{ORIGIN}/auth/callback/"]), par="always"),
        "redirect_uri_unregistered",
    ),
    "a pushed request is refused": (
        lambda: guarded(with_fault("par_error_invalid_scope"), par="always"),
        "login_refused_by_provider",
    ),
    "pushed requests are answered by something else": (
        lambda: guarded(with_fault("par_html"), par="always"),
        "redirect_uri_not_checked",
    ),
    "signed requests are required": (
        lambda: guarded(published(require_signed_request_object=True)),
        "request_object_required",
    ),
    "no authorization code flow": (
        lambda: guarded(published(response_types_supported=["id_token"])),
        "response_type_unsupported",
    ),
    "no exchange of codes": (
        lambda: guarded(published(grant_types_supported=["implicit"])),
        "grant_type_unsupported",
    ),
    "a type of authorization_details is not offered": (
        lambda: guarded(
            published(authorization_details_types_supported=["payment"]), authorization_details=[{"type": "account"}]
        ),
        "authorization_details_unsupported",
    ),
    "no form_post": (
        lambda: guarded(
            published(response_modes_supported=["query"]), authorization_params={"response_mode": "form_post"}
        ),
        "response_mode_unsupported",
    ),
    "requests by value are not accepted": (
        lambda: guarded(
            with_key(request_parameter_supported=False), client_secret=..., client_key=KEY.pem, request_object=True
        ),
        "request_object_unsupported",
    ),
    "no proofs with ES256": (
        lambda: guarded(published(dpop_signing_alg_values_supported=["EdDSA"]), dpop="always"),
        "dpop_unsupported",
    ),
    "the profile demands more": (
        lambda: profiled(authorization_response_iss_parameter_supported=False),
        "profile_unsupported",
    ),
    "only certificates authenticate clients": (
        lambda: guarded(published(token_endpoint_auth_methods_supported=["tls_client_auth"])),
        "client_auth_unsupported",
    ),
    "offline_access is not offered": (
        lambda: guarded(published(scopes_supported=["openid", "email"]), scope="openid email offline_access"),
        "scope_unsupported",
    ),
    "the provider signs with the client secret": (
        lambda: guarded(published(id_token_signing_alg_values_supported=["HS256"])),
        "algorithms_unsupported",
    ),
    "algorithms names another one than the keys are for": (
        lambda: guarded(make_provider(), algorithms=["RS256"]),
        "keys_unfit",
    ),
    "no key is published": (lambda: guarded(with_fault("jwks_empty")), "keys_missing"),
    "the keys are a web page": (lambda: guarded(with_fault("jwks_html")), "keys_unavailable"),
    "the client secret is wrong": (lambda: guarded(client_secret="web-client-wrong"), "client_rejected"),
    "the client secret is missing": (lambda: guarded(client_secret=...), "client_rejected"),
    "the provider does not know the client's key": (
        lambda: guarded(
            make_provider(client_secret=None, jwks=[ClientKey().public_jwk]), client_secret=..., client_key=KEY.pem
        ),
        "client_rejected",
    ),
    "the provider requires DPoP": (lambda: guarded(with_dpop()), "dpop_required"),
    "the client is registered for another method": (
        lambda: guarded(make_provider(auth_methods=["client_secret_post"])),
        "client_rejected",
    ),
    "the token endpoint answers something else": (lambda: guarded(with_fault("token_html")), "client_not_checked"),
    "the redirect URI is registered with http": (
        lambda: guarded(make_provider(redirect_uris=["http://app.example.com/auth/callback"])),
        "redirect_uri_unregistered",
    ),
    "the redirect URI is registered with a slash": (
        lambda: guarded(make_provider(redirect_uris=[f"{ORIGIN}/auth/callback/"])),
        "redirect_uri_unregistered",
    ),
    "the post-logout redirect URI is registered with a slash": (
        lambda: guarded(make_provider(post_logout_redirect_uris=[f"{ORIGIN}/"])),
        "logout_uri_unregistered",
    ),
}
APPS: dict[str, tuple[SetUp, str]] = {
    "the secret is from an example": (
        lambda: guarded(secret="change-me-to-a-long-random-value-0123456789"),
        "secret_example",
    ),
    "one value for both secrets": (
        lambda: guarded(make_provider(client_secret=SECRET), client_secret=SECRET),
        "secret_reused",
    ),
    "the client secret is a placeholder": (
        lambda: guarded(make_provider(client_secret="CLIENT-SECRET"), client_secret="CLIENT-SECRET"),
        "placeholder_value",
    ),
    "a health check is closed": (lambda: guarded(inner=site("/healthz")), "health_closed"),
    "the logo is closed": (
        lambda: guarded(app_logo="/static/logo.svg"),
        "logo_not_public",
    ),
    "the documentation is open": (
        lambda: guarded(inner=site("/docs", "/openapi.json"), public=["/docs", "/openapi.json"]),
        "docs_open",
    ),
    "the documentation is open, its schema is not": (
        lambda: guarded(inner=site("/docs", "/openapi.json"), public=["/docs"]),
        "docs_half_open",
    ),
    "the administration is open": (
        lambda: guarded(inner=site("/admin/users"), public=["/admin/*"]),
        "admin_public",
    ),
    "the metrics are open": (lambda: guarded(inner=site("/metrics"), public=["/metrics"]), "metrics_open"),
    "a rule is misspelt": (
        lambda: guarded(inner=site("/orders/{id}"), rules=[Rule("/order/*", scopes=["orders"])]),
        "rule_never_matches",
    ),
    "a rule is for a method that the route does not have": (
        lambda: guarded(inner=site("/orders"), rules=[Rule("/orders", methods=["PUT"], scopes=["orders"])]),
        "rule_never_matches",
    ),
    "only the path of the static files is public": (
        lambda: guarded(inner=Starlette(routes=[Mount("/static", app=static_files)]), public=["/static"]),
        "public_misses_mount",
    ),
    "the app has a page where ours is": (lambda: guarded(inner=site("/auth/login")), "route_hidden"),
    "nothing is protected": (lambda: guarded(public="everything-but-rules"), "nothing_protected"),
    "base_url lacks the mount path": (
        lambda: Starlette(routes=[Mount("/admin", app=guarded())]),
        "mount_path_mismatch",
    ),
    "the app refuses the host of base_url": (
        lambda: Starlette(
            routes=[Mount("/", app=guarded())],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["www.example.com"])],
        ),
        "host_not_allowed",
    ),
    "the middleware is there twice": (lambda: guarded(inner=guarded(store=MemoryStore())), "middleware_twice"),
    "two middlewares fill one Cookie header": (
        lambda: guarded(
            inner=Starlette(
                routes=[
                    Mount(
                        "/admin",
                        app=guarded(
                            make_provider(
                                redirect_uris=[f"{ORIGIN}/admin/auth/callback"],
                                post_logout_redirect_uris=[f"{ORIGIN}/admin"],
                            ),
                            base_url=f"{ORIGIN}/admin",
                        ),
                    )
                ]
            )
        ),
        "cookies_add_up",
    ),
}
INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "secret is missing": ({"secret": ...}, "setting_missing"),
    "secret is short": ({"secret": "hunter2"}, "secret_weak"),
    "base_url is http": ({"base_url": "http://app.example.com"}, "base_url_http"),
    "base_url is the redirect URI": ({"base_url": f"{ORIGIN}/auth/callback"}, "base_url_is_endpoint"),
    "issuer is the address of the metadata": (
        {"issuer": f"{ISSUER}/.well-known/openid-configuration"},
        "issuer_is_metadata_url",
    ),
    "everything is public": ({"public": ["/*"]}, "public_everything"),
    "a pattern repeats the mount path": (
        {"base_url": f"{ORIGIN}/admin", "public": ["/admin/static/*"]},
        "public_has_mount_path",
    ),
    "callback_path is one of our URLs": ({"callback_path": "/auth/login"}, "callback_path_conflict"),
    "a span is text": ({"session_idle": "soon"}, "settings_invalid"),
    "a setting is misspelt": ({"client_secrets": "x"}, "setting_unknown"),
}


@pytest.mark.parametrize("mistake", PROVIDERS)
def test_a_mistake_at_the_provider_is_found_by_name(mistake, doctor):
    """And nothing else is: one mistake, one finding, one fix."""
    make, name = PROVIDERS[mistake]

    report = doctor.examine(make())

    assert (report.names, bool(report.findings[name]["fix"])) == ({name}, True)
    assert report.status == (1 if report.findings[name]["severity"] == "error" else 2)


@pytest.mark.parametrize("mistake", APPS)
def test_a_mistake_in_the_app_is_found_by_name(mistake, doctor):
    """And nothing else is."""
    make, name = APPS[mistake]

    report = doctor.examine(make())

    assert (report.names, bool(report.findings[name]["fix"])) == ({name}, True)


@pytest.mark.parametrize("mistake", INVALID)
def test_an_invalid_setting_is_found_by_name(mistake, doctor):
    """The command also works where the app does not start."""
    changes, name = INVALID[mistake]
    app = Starlette()
    app.add_middleware(OIDCMiddleware, **settings(**changes))

    report = doctor.examine(app)

    assert (report.status, report.names) == (1, {name})


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"OIDC_ISSUR": ISSUER}, "setting_unknown"),
        ({"OIDC_SECRET": "hunter2"}, "secret_weak"),
        ({"OIDC_BASE_URL": "http://app.example.com"}, "base_url_http"),
        ({"OIDC_SECRET_FILE": "/nowhere"}, "settings_invalid"),
    ],
)
def test_an_invalid_variable_is_found_by_name(variables, name, doctor):
    """Without an app, the settings are those of the environment."""
    right = {"issuer": ISSUER, "client_id": "web", "client_secret": CLIENT_SECRET, "base_url": ORIGIN, "secret": SECRET}
    environ = {f"OIDC_{setting.upper()}": value for setting, value in right.items()}
    if "OIDC_SECRET_FILE" in variables:
        del environ["OIDC_SECRET"]

    report = doctor.examine(None, **{**environ, **variables})

    assert (report.status, report.names) == (1, {name})


@pytest.mark.parametrize(
    ("changes", "variables", "name"),
    [
        ({"store": MemoryStore()}, {"WEB_CONCURRENCY": "4"}, "sessions_not_shared"),
        ({}, {"WEB_CONCURRENCY": "4"}, "logout_not_shared"),
        ({"base_url": "http://localhost:8000"}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "base_url_loopback"),
        ({}, {"GUNICORN_CMD_ARGS": "--limit-request-field_size 4094"}, "header_limit_small"),
    ],
)
def test_a_setting_that_does_not_fit_the_environment_is_found_by_name(changes, variables, name, doctor):
    """What runs the app says how many processes there are, and where."""
    provider = make_provider(redirect_uris=None, post_logout_redirect_uris=None)

    report = doctor.examine(guarded(provider, **changes), **variables)

    assert report.names == {name}


def test_the_header_limit_that_a_fix_names_is_enough(doctor):
    """Cookies may need more than a server accepts by default, if the app says so."""
    app = guarded(make_provider(), max_cookie_header=12_000)

    report = doctor.examine(app, GUNICORN_CMD_ARGS="--limit-request-field_size 8190")

    assert "--limit-request-field_size to 12008 or more" in report.findings["header_limit_small"]["fix"]
    assert "large_client_header_buffers 4 16k" in report.findings["proxy_buffers"]["problem"]


def test_form_post_without_https_is_found_by_name(doctor):
    """Browsers send no cookie of ours with that POST."""
    provider = make_provider(redirect_uris=None, post_logout_redirect_uris=None)
    app = guarded(provider, base_url="http://localhost:8000", authorization_params={"response_mode": "form_post"})

    assert doctor.examine(app).names == {"form_post_without_https"}


@pytest.mark.parametrize(
    ("named", "arguments", "name"),
    [
        ("nothing", (), "app_not_found"),
        ("site", (), "app_not_found"),
        ("ISSUER", (), "middleware_not_found"),
    ],
)
def test_an_app_that_cannot_be_examined_is_found_by_name(named, arguments, name, doctor):
    """A missing app must not look like a good one."""
    report = doctor.examine("any", *arguments, name=named)

    assert (report.status, report.names) == (1, {name})
