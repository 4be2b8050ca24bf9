"""Checks what decides whether browsers keep the cookies: scheme, host, mount path and root path of `base_url`."""

import sys
from collections.abc import Iterator
from typing import Any

from asgi_oidc.cli.doctor.app_routes import inner_apps, mount_paths_of
from asgi_oidc.cli.doctor.examined_app import ExaminedApp, name_setting
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.safe_urls import check_url, is_loopback

# Variables that hosting platforms set.
DEPLOYED = (
    "KUBERNETES_SERVICE_HOST",
    "DYNO",
    "FLY_APP_NAME",
    "RENDER",
    "K_SERVICE",
    "WEBSITE_HOSTNAME",
    "ECS_CONTAINER_METADATA_URI_V4",
)
BASE_URL = name_setting("base_url")


def check_cookies(site: ExaminedApp) -> Iterator[Finding]:
    """Look for a `base_url` that is not the address in the browser."""
    yield from _loopback(site)
    yield from _form_post(site)
    if site.has_app:
        yield from _repeated(site)
        yield from _mount_path(site)
        yield from _root_paths(site)
        yield from _refused_hosts(site)


def _loopback(site: ExaminedApp) -> Iterator[Finding]:
    variable = next((name for name in DEPLOYED if site.environ.get(name)), None)
    hosts = [check_url(url).hostname or "" for url in site.settings.base_urls]
    if variable is not None and all(map(is_loopback, hosts)):
        problem = f"base_url is {site.settings.base_url}, but {variable} is set, so this runs on a hosting platform"
        fix = "set it to the https URL that users see in their browsers"
        yield Finding("base_url_loopback", problem, fix, where=BASE_URL)


def _form_post(site: ExaminedApp) -> Iterator[Finding]:
    if site.settings.origin.startswith("https:"):
        return
    for name, provider in site.settings.fixed_providers.items():
        if provider.form_post:
            problem = "response_mode=form_post is a POST from the provider's site, and the cookie of the login is only "
            problem += "sent with it if it is SameSite=None and Secure, which needs https"
            where = name_setting("authorization_params", name)
            yield Finding("form_post_without_https", problem, "use https, or leave response_mode out", where=where)


def _repeated(site: ExaminedApp) -> Iterator[Finding]:
    if any(other.settings.base_url == site.settings.base_url for other in site.others):
        problem = f"two middlewares of the app have the base_url {site.settings.base_url}"
        yield Finding("middleware_twice", problem, "remove one of them", where=BASE_URL)


def _mount_path(site: ExaminedApp) -> Iterator[Finding]:
    path = mount_paths_of(site.whole).get(id(site.middleware), "")
    if path and "{" not in path and not f"{site.settings.base_path}/".endswith(f"{path}/"):
        problem = f"the app is mounted at {path}, but base_url is {site.settings.base_url}"
        fix = f"set it to {site.settings.origin}{path}, if that is its address in the browser"
        yield Finding("mount_path_mismatch", problem, fix, where=BASE_URL)


def _root_paths(site: ExaminedApp) -> Iterator[Finding]:
    base_path = site.settings.base_path
    for root_path in sorted(site.policy.mounts.root_paths):
        if not f"{base_path}/".endswith(f"{root_path.rstrip('/')}/"):
            problem = f"the app sets the root path {root_path}, which is not in base_url {site.settings.base_url}"
            fix = "make base_url end with the path under which browsers reach the app, or remove that root path"
            yield Finding("root_path_of_app", problem, fix, where=BASE_URL)


def _refused_hosts(site: ExaminedApp) -> Iterator[Finding]:
    allowed = [*_trusted_hosts(site.whole), *_django_hosts(site)]
    for hosts in allowed:
        for url in site.settings.base_urls:
            host = check_url(url).hostname or ""
            if not any(_is_allowed(host, pattern) for pattern in hosts):
                problem = (
                    f"the app accepts requests for {', '.join(hosts) or 'no host'} only, not for {host} of base_url"
                )
                fix = f"add {host} to allowed_hosts (ALLOWED_HOSTS in Django), or correct base_url"
                yield Finding("host_not_allowed", problem, fix, where=BASE_URL)


def _trusted_hosts(app: Any) -> Iterator[list[str]]:
    """Read Starlette's `TrustedHostMiddleware`, wherever it was added."""
    for layer in inner_apps(app):
        for added in getattr(layer, "user_middleware", ()):
            if getattr(added.cls, "__name__", "") == "TrustedHostMiddleware":
                yield list(added.kwargs.get("allowed_hosts") or ["*"])
        if type(layer).__name__ == "TrustedHostMiddleware":
            yield list(layer.allowed_hosts)


def _django_hosts(site: ExaminedApp) -> Iterator[list[str]]:
    if any(type(layer).__module__ == "django.core.handlers.asgi" for layer in inner_apps(site.whole)):
        django = sys.modules["django.conf"].settings
        if django.ALLOWED_HOSTS or not django.DEBUG:
            yield list(django.ALLOWED_HOSTS)


def _is_allowed(host: str, pattern: str) -> bool:
    suffix = pattern.removeprefix("*") if pattern.startswith("*.") else pattern
    return pattern == "*" or host == pattern or (suffix.startswith(".") and host.endswith(suffix))
