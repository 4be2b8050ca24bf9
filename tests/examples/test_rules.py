"""The guide to rules: its app runs as it says, and its lines are rules that hold."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_oidc import OIDCMiddleware
from tests.examples.guides import ROOT, blocks, read_guide, run_block, section
from tests.examples.running import Example, environ_of, run_example
from tests.protected_site import Site

GUIDE = read_guide("rules")


@pytest.fixture(scope="module")
def example() -> Iterator[Example]:
    """Run the app of the guide."""
    with run_example("examples.rules.app:app") as running:
        yield running


@pytest.mark.parametrize(
    ("sub", "path", "status"),
    [("alice", "/admin/users", 200), ("bob", "/admin/users", 403), ("bob", "/orders/7", 200), ("bob", "/reports", 200)],
)
async def test_a_link_leads_where_the_table_says(example, sub, path, status):
    """Each as the person that the guide names."""
    async with example.browsing() as browser:
        page = await browser.sign_in(sub, path)

    assert (page.status_code, page.path) == (status, path)
    assert ("Use another account" in page.text) is (status == 403)


async def test_a_page_that_needs_a_stronger_login_asks_for_one(example):
    """With what the rule names."""
    async with example.browsing() as browser:
        await browser.sign_in("bob", "/orders/7")
        page = await browser.get("/billing")

    assert any("acr_values=urn%3Aexample%3Amfa" in step.url for step in page.history)
    assert (page.status_code, page.path) == (200, "/billing")


@pytest.mark.parametrize(("sub", "status"), [("alice", 200), ("bob", 403)])
async def test_only_its_owner_deletes_the_order(example, sub, status):
    """The check of the app's own decides."""
    async with example.browsing() as browser:
        await browser.sign_in(sub, "/orders/7")
        deleted = await browser.submit(button="Delete")

    assert (deleted.status_code, "Deleted" in deleted.text) == (status, status == 200)


async def test_the_rules_of_the_guide_hold():
    """They are copied, and then changed."""
    names: dict[str, Any] = {"may_change": lambda user: False}
    run_block(blocks(section(GUIDE, "Restrict paths: rules"), "python")[0], names)

    browser = await Site(rules=names["rules"]).signed_in("alice")

    got = [await browser.fetch(path) for path in ("/page", "/admin/x", "/staff", "/billing", "/api/x", "/orders/7")]
    assert [response.status_code for response in got] == [200, 403, 200, 401, 403, 200]
    assert (await browser.fetch("/orders/7", method="DELETE")).status_code == 403


async def test_only_the_part_that_a_rule_names_needs_a_user():
    """And any user will do: the rule asks for nothing else."""
    site = Site()
    others = {name: value for name, value in site.settings.items() if name not in ("public", "rules")}
    names: dict[str, Any] = {"app": site.app, "settings": {**others, "clock": site.clock}}
    run_block(blocks(section(GUIDE, "Open paths: public"), "python")[0], names)

    browser = site.browser(app=names["app"])

    assert [(await browser.fetch(path)).status_code for path in ("/page", "/admin", "/admin/x")] == [200, 401, 401]
    assert (await browser.sign_in("bob", "/admin/x")).status_code == 200


@pytest.mark.parametrize(("owner", "status"), [("alice", 200), ("bob", 403)])
async def test_the_check_of_the_guide_lets_the_owner_in(owner, status):
    """It compares with what the database says."""
    asked: list[str] = []

    async def owner_of(order_id: str) -> tuple[str, str]:
        asked.append(order_id)
        return site.provider.issuer, owner

    names: dict[str, Any] = {"owner_of": owner_of}
    run_block(blocks(section(GUIDE, "Checks of your own"), "python")[0], names)
    run_block("from asgi_oidc import Rule\nrules = [Rule('/orders/*', check=may_change)]", names)
    site = Site(rules=names["rules"])

    browser = await site.signed_in("alice")

    assert (await browser.fetch("/orders/7")).status_code == status
    assert asked == ["7"]


async def test_an_app_that_asks_for_a_fresh_login_gets_one():
    """With the middleware inside of Starlette, where the exception reaches it."""
    site, names = Site(), dict[str, Any](PlainTextResponse=PlainTextResponse)
    run_block(blocks(section(GUIDE, "Ask for a stronger or fresher login"), "python")[0], names)
    app = Starlette(routes=[Route("/reports", names["reports"])])
    app.add_middleware(OIDCMiddleware, **site.settings, clock=site.clock)
    browser = site.browser(app=app)

    await browser.sign_in("alice", "/reports")
    site.clock.advance(600)
    again = await browser.get("/reports", follow=False)
    script = await browser.fetch("/reports")

    assert (again.status_code, "max_age=300" in again.location) == (303, True)
    assert (script.status_code, script.json()["error"]) == (401, "insufficient_user_authentication")


def test_the_narrower_of_a_rule_and_a_pattern_wins():
    """As the guide has it of a public folder with a closed part."""
    names: dict[str, Any] = {}
    run_block("from asgi_oidc import Rule\nrules = [Rule('/docs/internal/*', claims={'roles': 'staff'})]", names)
    middleware = Site(public=["/docs/*"], rules=names["rules"]).middleware

    found = [middleware.explain(path).is_public for path in ("/docs/x", "/docs/internal/x")]

    assert found == [True, False]


def test_the_lines_that_explain_a_path_hold():
    """A test of a user's own begins with them."""
    names: dict[str, Any] = {"may_change": lambda user: False}
    run_block(blocks(section(GUIDE, "Restrict paths: rules"), "python")[0], names)
    names["middleware"] = Site(rules=names["rules"]).middleware

    run_block(blocks(section(GUIDE, "Find out what a path gets, and why"), "python")[0], names)

    assert str(names["explanation"]).startswith("GET /admin/users\n")


def test_the_command_prints_what_the_guide_shows():
    """Word for word, but for the port."""
    shown = blocks(section(GUIDE, "Find out what a path gets, and why"), "console")[0]
    command, _, printed = shown.partition("\n")
    words = command.removeprefix("$ asgi-oidc ").split()
    environ = environ_of(Site().provider, "http://127.0.0.1:8001")

    done = subprocess.run(
        [sys.executable, "-m", "asgi_oidc", *words], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == printed.strip()


def test_the_rules_of_the_environment_are_rules():
    """JSON is easily written wrong."""
    given = re.findall(r"`(OIDC_\w+)='?\"?(.*?)\"?'?`", GUIDE)
    environ = environ_of(Site().provider, "https://app.example.com") | dict(given)

    middleware = OIDCMiddleware.from_env(Site().app, environ=environ)

    assert [name for name, _ in given] == ["OIDC_PUBLIC", "OIDC_RULES"]
    assert middleware.explain("/static/x").is_public
    assert len(middleware.explain("/admin/users").rules) == 1
