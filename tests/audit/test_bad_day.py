"""A bad day, told twice: by the log alone, and by the audit trail alone; both say what was done."""

import itertools
import logging
import re
from collections.abc import Iterable

from asgi_oidc import audit
from asgi_oidc.audit import AuditEvent
from tests.bad_days import HOUR, Production, Traces, kept_log
from tests.protected_site import cookie_header

THIEF = ("198.51.100.7", 50_000)
USERS = ("alice", "bob", "erin")


async def bad_day(site: Production) -> list[str]:
    """Live through a day on call, and write down what was done."""
    alice = await site.signed_in("alice")
    bob = await site.signed_in("bob")
    done = ["alice signs in", "bob signs in"]

    site.clock.advance(HOUR)
    with site.provider.fault("discovery_down", "token_500", "refresh_down"):
        await alice.fetch("/page")
    done += ["the provider fails: metadata_unavailable", "the tokens of alice are not refreshed"]
    done += ["a page of alice fails: refresh_token_unavailable"]

    site.clock.advance(60)
    with site.provider.fault("id_token_foreign_key"):
        await site.tries_to_sign_in("bob")
    done += ["a login fails: signature"]

    site.clock.advance(60)
    site.store.broken = {"get", "add"}
    await bob.fetch("/page")
    site.store.broken = set()
    done += ["the store fails: store_failed", "a page fails: store_failed"]

    site.clock.advance(60)
    headers = {"cookie": cookie_header(bob), "origin": "https://evil.example"}
    await site.call("/transfer", method="POST", headers=headers)
    done += ["another site attacks bob"]

    await site.tries_to_sign_in("erin")
    await bob.fetch("/admin/users")
    done += ["erin is refused", "bob lacks a right: /admin/* needs claims roles"]

    stolen = await site.signed_in("alice")
    await site.middleware.sessions.end("alice", site.app.scope["oidc"].session_id)
    await site.call("/page", headers={"cookie": cookie_header(stolen)}, client=THIEF)
    done += ["alice signs in", "the app ends a session of alice", "a cookie comes back: gone"]

    await bob.fetch("/auth/logout", method="POST")
    await site.hear(site.provider.logout_token("alice"))
    return [*done, "bob signs out", "the provider signs out alice"]


async def test_a_bad_day_is_told_by_the_log_alone_and_by_the_trail_alone():
    """The trail knows who; the log tells the same story without a name."""
    site, traces = Production(), Traces()

    with kept_log(traces):
        done = await bad_day(site)
        trail = await site.delivered()

    assert without_repeats(told_by_event(event) for event in trail) == done
    anonymous = [re.sub("|".join(USERS), "somebody", told).replace(" of somebody fails", " fails") for told in done]
    assert without_repeats(told_by_line(record) for record in traces.records) == without_repeats(anonymous)


async def test_the_trail_and_the_log_of_a_bad_day_are_joined_by_references():
    """Who has one finds the other; and the thief's address is in the trail."""
    site, traces = Production(), Traces()

    with kept_log(traces):
        await bad_day(site)
        trail = await site.delivered()

    in_log = [
        record.__dict__["oidc"]["reference"] for record in traces.records if "reference" in record.__dict__["oidc"]
    ]
    assert [event.reference for event in trail if event.reference] == in_log
    assert len(in_log) == 6
    ended = next(event for event in trail if isinstance(event, audit.SignedOut))
    (refused,) = (event for event in trail if isinstance(event, audit.SessionRefused))
    assert (refused.session_id, refused.client_address) == (ended.session_id, THIEF[0])
    assert [event.at for event in trail] == sorted(event.at for event in trail)


def without_repeats(told: Iterable[str | None]) -> list[str]:
    """Leave out what says nothing, and what is said twice in a row."""
    return [sentence for sentence, _ in itertools.groupby(each for each in told if each is not None)]


def told_by_event(event: AuditEvent) -> str | None:
    """Say in words what an audit event tells."""
    match event:
        case audit.SignedIn():
            return f"{event.sub} signs in"
        case audit.SignedOut(by="user"):
            return f"{event.sub} signs out"
        case audit.SignedOut(by="app"):
            return f"the app ends a session of {event.sub}"
        case audit.SignedOut():
            return f"the provider signs out {event.sub}"
        case audit.ProviderFailed():
            return f"the provider fails: {event.code}"
        case audit.RefreshFailed():
            return f"the tokens of {event.sub} are not refreshed"
        case audit.StoreFailed():
            return f"the store fails: {event.code}"
        case audit.RequestFailed():
            return f"a page of {event.sub} fails: {event.code}" if event.sub else f"a page fails: {event.code}"
        case audit.LoginFailed():
            return f"{event.sub} is refused" if event.sub else f"a login fails: {event.code}"
        case audit.CSRFRefused():
            return f"another site attacks {event.sub}"
        case audit.AccessDenied():
            return f"{event.sub} lacks a right: {event.why}"
        case audit.SessionRefused():
            return f"a cookie comes back: {event.reason}"
    return event.name  # such as events_dropped


def told_by_line(record: logging.LogRecord) -> str | None:
    """Say in words what a line of the log tells; None for lines that add nothing."""
    event, line = record.__dict__["event"], record.__dict__["oidc"]
    by = {None: "somebody signs out", "the app": "the app ends a session of somebody"}
    sentences = {
        "login_succeeded": "somebody signs in",
        "logged_out": by.get(line.get("by"), "the provider signs out somebody"),
        "provider_failed": f"the provider fails: {line.get('code')}",
        "refresh_failed": "the tokens of somebody are not refreshed",
        "store_failed": f"the store fails: {line.get('code')}",
        "request_failed": f"a page fails: {line.get('code')}",
        "login_failed": f"a login fails: {line.get('code')}",
        "access_denied": f"somebody lacks a right: {line.get('why')}",
        "cookie_ignored": f"a cookie comes back: {line.get('reason')}",
    }
    by_code = {"foreign_origin": "another site attacks somebody", "login_refused": "somebody is refused"}
    return by_code.get(line.get("code")) or sentences.get(event)
