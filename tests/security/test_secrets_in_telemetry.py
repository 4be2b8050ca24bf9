"""No secret and nothing personal is in a span or a metric, whatever goes wrong."""

import contextlib

import httpx
import pytest
from opentelemetry import trace

from asgi_oidc.testing import Client, FakeProvider
from tests.scripted_store import ScriptedStore
from tests.telemetry.recorder import recording, scraped

from .attacked_site import NOW, AttackedSite
from .recorder import Recorder
from .sizes import size
from .test_secrets_in_logs import CLIENT_SECRET, FAILURES, PERSON, PERSONAL, PLANTED, SECRET, leaks, whole_visit

ADDRESS = "192.0.2.1"  # of the client, in the scope


def stage(recorder: Recorder, **settings: object) -> AttackedSite:
    """Make a site whose provider is listened to."""
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=recorder))
    return AttackedSite(recorder.provider, client_secret=CLIENT_SECRET, secret=[SECRET], http_client=client, **settings)


@pytest.mark.parametrize("fault", ["none", *size(FAILURES[::12], FAILURES)])
@pytest.mark.parametrize("has_store", [False, True])
async def test_no_span_and_no_metric_has_a_secret_or_anything_personal(fault, has_store):
    """They are sent to another company, kept for long, and read by many."""
    clients = [Client("web", CLIENT_SECRET)]
    provider = FakeProvider(clock=lambda: NOW, clients=clients, personas=[PERSON], claims_in_id_token=False)
    recorder = Recorder(provider, CLIENT_SECRET, SECRET)
    site = stage(recorder, **({"store": ScriptedStore()} if has_store else {}))

    before = set(scraped().splitlines())
    with recording() as recorded, trace.get_tracer("the server").start_as_current_span("request"):
        with provider.fault(fault) if fault != "none" else contextlib.nullcontext():
            _, hidden = await whole_visit(site, recorder)
        counted = repr(recorded.metrics())

    added = set(scraped().splitlines()) - before
    exported = "".join(span.to_json() for span in recorded.spans) + counted + "".join(added)
    assert len(hidden) >= 2
    assert {span.name for span in recorded.spans} >= {"asgi_oidc.login", "asgi_oidc.callback"}
    assert leaks(exported, *hidden, *PERSONAL, PLANTED, ADDRESS) == []
