"""The audit trail tells that a secret was changed while the app runs, and never which."""

import msgspec

from asgi_oidc import audit
from tests.internals import deliver_events
from tests.protected_site import OTHER_SECRET, SECRET
from tests.reloading_site import ReloadingSite


async def test_a_secret_that_was_replaced_is_told_without_its_value(tmp_path):
    """An auditor asks who rotated it, and when; no request has done it."""
    heard: list[audit.AuditEvent] = []
    site = ReloadingSite(tmp_path, {"client_secret": "one-client-secret"}, on_event=heard.append)

    await site.change("secret", OTHER_SECRET)
    await site.change("client_secret", "another-client-secret")
    await deliver_events(site.middleware)

    told = [event for event in heard if isinstance(event, audit.SettingReloaded)]
    assert [(event.variable, event.removed) for event in told] == [
        ("OIDC_SECRET_FILE", 1),
        ("OIDC_CLIENT_SECRET_FILE", 0),
    ]
    assert {(event.path, event.client_address, event.sub) for event in told} == {(None, None, None)}
    written = msgspec.json.encode(told).decode()
    assert not any(secret in written for secret in (SECRET, OTHER_SECRET, "client-secret"))
