"""The pytest plugin: the fixture `oidc`, which signs anybody in.

Pytest loads it by itself (entry point `pytest11`). The names here are for annotations, and for tests of errors:

    def test_alice_sees_her_page(oidc: OIDCTester): ...
"""

from importlib import import_module
from typing import TYPE_CHECKING

# Type checkers read this. At run time, a name is imported when it is first used: pytest imports this module in every
# project, also where nobody uses the fixture.
if TYPE_CHECKING:
    from asgi_oidc.pytest_plugin.client_middleware import NoMiddleware
    from asgi_oidc.pytest_plugin.clients import WrongClient
    from asgi_oidc.pytest_plugin.clock import Clock
    from asgi_oidc.pytest_plugin.endpoint_visit import SignInFailed
    from asgi_oidc.pytest_plugin.follow_login import EndlessRedirects
    from asgi_oidc.pytest_plugin.sign_in_options import SignInOptions
    from asgi_oidc.pytest_plugin.tester import OIDCTester

__all__ = [
    "Clock",
    "EndlessRedirects",
    "NoMiddleware",
    "OIDCTester",
    "SignInFailed",
    "SignInOptions",
    "WrongClient",
]

_MODULES = {
    "Clock": "clock",
    "EndlessRedirects": "follow_login",
    "NoMiddleware": "client_middleware",
    "OIDCTester": "tester",
    "SignInFailed": "endpoint_visit",
    "SignInOptions": "sign_in_options",
    "WrongClient": "clients",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'asgi_oidc.pytest_plugin' has no attribute {name!r}")
    found: object = getattr(import_module(f"asgi_oidc.pytest_plugin.{_MODULES[name]}"), name)
    globals()[name] = found
    return found
