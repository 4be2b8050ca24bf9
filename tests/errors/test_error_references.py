"""What a page or a JSON answer refers to is in the log that every server prints without being told to.

No test here sets a level: Python shows WARNING and above where nobody has configured logging.
"""

import ast
import logging
import re
from pathlib import Path
from typing import Any

import pytest

import asgi_oidc
from asgi_oidc import LoginRefused, MemoryStore, Rule, StepUpRequired, events
from asgi_oidc.testing import Response
from tests.protected_site import NOW, ORIGIN, PROGRAM, Site

REFERENCE = re.compile(r"[0-9a-f]{12}")


def references(answer: Response) -> list[str]:
    """Give the references that a person or a program is shown."""
    if answer.headers["content-type"] == "application/problem+json":
        return [answer.json()["reference"]] if "reference" in answer.json() else []
    return re.findall(r"Reference: <code>([^<]+)</code>", answer.text)


async def refuse(user: Any, claims: Any) -> None:
    raise LoginRefused("not one of us")


async def denied(site: Site, headers: Any) -> Response:
    return await (await site.signed_in()).get("/admin", headers=headers)


async def failed_login(site: Site, headers: Any) -> Response:
    with site.provider.fault("id_token_wrong_nonce"):
        browser, url = await site.at_callback()
        return await browser.get(url, headers=headers, follow=False)


async def unknown_callback(site: Site, headers: Any) -> Response:
    return await site.browser().get("/auth/callback?code=x", headers=headers, follow=False)


async def cancelled(site: Site, headers: Any) -> Response:
    browser, url = await site.at_callback()
    state = url.partition("state=")[2].partition("&")[0]
    callback = f"/auth/callback?error=access_denied&state={state}&iss={site.provider.issuer}"
    return await browser.get(callback, headers=headers, follow=False)


async def from_a_neighbour(site: Site, headers: Any) -> Response:
    browser = await site.signed_in()
    return await browser.post("/page", {"a": "b"}, initiator="https://blog.example.com/", headers=headers)


async def broken_check(site: Site, headers: Any) -> Response:
    return await (await site.signed_in()).get("/broken", headers=headers)


async def impossible_step_up(site: Site, headers: Any) -> Response:
    async def ask(scope: Any) -> None:
        raise StepUpRequired(max_age=-1)

    browser = await site.signed_in()
    site.app.at_work = ask
    return await browser.get("/page", headers=headers)


async def provider_down(site: Site, headers: Any) -> Response:
    with site.provider.fault("discovery_down"):
        return await site.browser().get("/auth/login", headers=headers, follow=False)


WAYS = [
    denied,
    failed_login,
    unknown_callback,
    cancelled,
    from_a_neighbour,
    broken_check,
    impossible_step_up,
    provider_down,
]


def broken(user: Any) -> bool:
    raise RuntimeError


@pytest.mark.parametrize("headers", [None, PROGRAM], ids=["person", "program"])
@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
async def test_what_an_answer_refers_to_is_in_the_log_by_default(way, headers, caplog):
    """A user quotes the reference; whoever runs the site has not configured any logging."""
    rules = [Rule("/admin", claims={"roles": "nobody-has-it"}), Rule("/broken", check=broken)]

    answer = await way(Site(rules=rules), headers)

    (reference,) = references(answer)
    assert REFERENCE.fullmatch(reference)
    (line,) = [record for record in caplog.records if reference in record.getMessage()]
    assert (line.name, line.levelno >= logging.WARNING) == ("asgi_oidc", True)


async def test_a_login_that_the_app_refuses_is_in_the_log_by_default(caplog):
    """With the app's own words."""
    answer = await (site := Site(on_login=refuse)).browser().sign_in("alice", "/page")

    (reference,) = references(answer)
    assert f"reference={reference}" in caplog.text
    assert ("not one of us" in caplog.text, site.app.scopes) == (True, [])


async def test_a_store_that_is_down_is_in_the_log_by_default(caplog):
    """Protected pages tell their users so."""

    class Down(MemoryStore):
        is_down = False

        async def get(self, key: str) -> bytes | None:
            if self.is_down:
                raise OSError
            return await super().get(key)

    store = Down()
    browser = await (site := Site(store=store)).signed_in()
    store.is_down = True

    answer = await browser.get("/page")

    (reference,) = references(answer)
    assert (answer.status_code, f"reference={reference}" in caplog.text) == (503, True)
    assert site.clock.now == NOW


async def test_errors_that_anyone_can_cause_do_not_flood_the_log(caplog):
    """Scanners ask for protected paths all day, with made-up cookies."""
    site = Site()

    for headers in ({}, {"cookie": "__Host-oidc-x=made-up"}):
        await site.browser().get("/page", headers=headers, follow=False)
        await site.browser().fetch("/page", headers=headers)
        await site.browser().post("/page", {"a": "b"}, headers=headers)
        await site.call("/page", headers={**headers, "origin": ORIGIN})

    assert caplog.records == []


def test_every_event_with_a_reference_is_at_warning_or_above():
    """The rule for those that come later."""
    trees = [ast.parse(path.read_text("utf-8")) for path in Path(asgi_oidc.__file__).parent.rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    logs = [call for call in calls if ast.unparse(call.func) == "events.log"]
    found = [call for call in logs if any(keyword.arg == "reference" for keyword in call.keywords)]

    assert len(found) >= 3
    named = [ast.unparse(call.args[0]).removeprefix("events.") for call in found]
    assert [name for name in named if name.isupper() and getattr(events, name).level < logging.WARNING] == []
    assert events.LOGIN_FAILED.level == events.REQUEST_FAILED.level == logging.WARNING  # `failure` takes one of them


async def test_a_clock_that_is_off_is_called_that_in_the_log(caplog):
    """It is the most common cause of logins that fail from one day to the next."""
    site = Site()
    site.provider.clock = lambda: site.clock.now + 300
    browser, url = await site.at_callback()

    failed = await browser.get(url, headers=PROGRAM, follow=False)

    assert failed.json()["error"] == "claim_iat"
    assert "the token was issued 300 s in the future: check this server" in caplog.text
