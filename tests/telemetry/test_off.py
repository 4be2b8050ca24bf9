"""Without OpenTelemetry nothing is recorded, and logins work all the same; without its SDK run all other tests."""

import inspect
import subprocess
import sys

from asgi_oidc.telemetry import catalogue, off, recording

LOGIN = """
import asyncio, sys
sys.modules["opentelemetry"] = None  # as if it were not installed
from asgi_oidc import telemetry
from asgi_oidc.stores.guarded_store import GuardedStore
from tests.protected_site import Site
from tests.scripted_store import ScriptedStore

async def main():
    site = Site(store=ScriptedStore())
    browser = await site.signed_in()
    assert (await browser.get("/page")).status_code == 200

asyncio.run(main())
print(telemetry.count.__module__, hasattr(GuardedStore._call_store, "__wrapped__"))
"""


def test_a_login_works_without_opentelemetry():
    """Which of the two modules is used is decided once; without it, our functions are not even wrapped."""
    done = subprocess.run([sys.executable, "-c", LOGIN], capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("asgi_oidc.telemetry.off False", "")


def test_both_modules_have_the_same_functions():
    """Or an app would fail only where OpenTelemetry is not installed."""
    import asgi_oidc.telemetry as chosen

    for name in set(chosen.__all__) - {"catalogue"}:
        assert getattr(chosen, name) is getattr(recording, name)
        here, there = (inspect.signature(getattr(module, name)) for module in (off, recording))
        assert list(here.parameters) == list(there.parameters)


def test_without_opentelemetry_every_function_does_nothing():
    """Not even an object is made for a call."""
    with off.provider_call("GET", "https://id.example.com/", endpoint="token", provider="") as call:
        call.answered(200)
    off.annotate(provider="one", outcome="x", code="y")
    off.count(catalogue.LOGINS, provider="one")
    off.observe(catalogue.LOGIN_DURATION, 1.0, provider="one")
    off.name_provider("one")
    off.link(off.current_link())
    off.link_earlier(off.current_span_id())

    async def function() -> None:
        """Do nothing."""

    assert off.traced(catalogue.LOGIN)(function) is off.traced_store_call(function) is function
    assert off.untraced(function) is function
    assert off.provider_call("GET", "x", endpoint="y", provider="") is call
