"""The guide to single-page apps: its app runs as it says, and scripts get what its tables list."""

import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import httpx
import pytest

from asgi_oidc import OAuth2Provider, OIDCMiddleware, Provider, Rule
from asgi_oidc.cli.demo_providers import EXAMPLE
from asgi_oidc.testing import Browser, FakeProvider, serve
from tests.protected_site import SECRET, App, Exchange, Site, cookie_header
from tests.real.processes import free_port
from tests.real.servers import server

FOLDER = Path(__file__).parents[2] / "examples" / "spa"
GUIDE = (FOLDER / "README.md").read_text(encoding="utf-8")
ALWAYS = {"type", "title", "status", "error"}
SPA = "https://spa.example.com"


@dataclass(frozen=True)
class Guide:
    """The app of the guide, and its provider."""

    origin: str
    provider: FakeProvider

    @asynccontextmanager
    async def browsing(self) -> AsyncIterator[Browser]:
        """Open a browser that speaks with both over the network."""
        async with httpx.AsyncHTTPTransport() as network:
            yield Browser(network, self.origin, {self.provider.issuer: network})


@pytest.fixture(scope="module")
def guide() -> Iterator[Guide]:
    """Run both, as the guide says."""
    port = free_port()
    provider = FakeProvider(clients=[EXAMPLE])
    with serve(provider) as running:
        provider.issuer = running.url
        environ = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": EXAMPLE.client_id,
            "OIDC_CLIENT_SECRET": str(EXAMPLE.client_secret),
            "OIDC_BASE_URL": f"http://127.0.0.1:{port}",
            "OIDC_SECRET": secrets.token_urlsafe(32),
        }
        with server("uvicorn-h11", "examples.spa.app:app", port=port, environ=environ) as process:
            yield Guide(environ["OIDC_BASE_URL"], provider)
            assert "Traceback" not in process.said, process.said


def in_window(problem: dict[str, str]) -> str:
    """Make the URL that the window opens, as the script does."""
    url = urlsplit(problem["login_url"])
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    return urlunsplit(url._replace(query=urlencode(asked | {"return_to": "/signed-in"})))


async def test_a_script_whose_session_is_over_goes_on_after_a_login_in_a_window(guide):
    """401, the window, the same call again."""
    async with guide.browsing() as browser:
        await browser.sign_in("bob", "/")
        await browser.fetch("/auth/logout", method="POST")
        refused = await browser.fetch("/api/note", method="PUT", data={"a": "b"})
        window = await browser.tab().sign_in("bob", in_window(refused.json()))
        saved = await browser.fetch("/api/note", method="PUT", data={"a": "b"})

    assert (refused.status_code, refused.json()["error"], refused.set_cookies) == (401, "login_required", [])
    assert (window.status_code, window.path, "You are signed in" in window.text) == (200, "/signed-in", True)
    assert (saved.status_code, saved.json()) == (200, {"done": "Saved 3 characters for Bob Brown."})


async def test_a_call_that_needs_a_stronger_login_gets_one_in_the_same_way(guide):
    """`ask` goes along, and says what is needed."""
    async with guide.browsing() as browser:
        await browser.sign_in("bob", "/")
        refused = await browser.fetch("/api/publication", method="POST")
        await browser.tab().sign_in("bob", in_window(refused.json()))
        published = await browser.fetch("/api/publication", method="POST")

    assert (refused.status_code, refused.json()["error"]) == (401, "insufficient_user_authentication")
    assert (published.status_code, published.json()["done"]) == (200, "Published by Bob Brown.")


@pytest.mark.parametrize(("sub", "status"), [("alice", 200), ("bob", 403)])
async def test_only_an_admin_may_delete_all_notes(guide, sub, status):
    """The role is a claim of the provider."""
    async with guide.browsing() as browser:
        await browser.sign_in(sub, "/")
        answer = await browser.fetch("/api/notes", method="DELETE")

    assert (answer.status_code, answer.json().get("error")) == (status, None if status == 200 else "forbidden")


async def test_a_person_who_opens_the_api_is_not_redirected(guide):
    """Programs alone call it."""
    async with guide.browsing() as browser:
        page = await browser.get("/api/note")

    assert (page.status_code, page.history, page.json()["error"]) == (401, (), "login_required")


async def test_the_pages_run_scripts_of_their_own_alone(guide):
    """No inline script, nothing of others, and all that a page names is there for everybody."""
    async with guide.browsing() as browser:
        for path in ("/", "/signed-in"):
            page = await browser.sign_in("bob", path)
            named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
            found = [await browser.fetch(each, headers={"cookie": None}) for each in (*named, "/static/call.js")]

            assert page.headers["content-security-policy"].startswith("default-src 'self'; ")
            assert "<script>" not in page.text
            assert [each.status_code for each in found] == [200] * 3


async def refusals() -> dict[str, Any]:
    """Give a problem of each kind that the guide lists, by its status and error."""
    rules = [
        Rule("/better", acr_values=["urn:example:mfa"], max_age=300),
        Rule("/admin", claims={"roles": "admin"}),
        Rule("/orders", scopes=["read:orders"]),
    ]
    site = Site(rules=rules)
    bob, anonymous = await site.signed_in("bob"), site.browser()
    answers = [
        await anonymous.fetch("/page"),
        *[await bob.fetch(path) for path in ("/better", "/admin", "/orders")],
        await bob.fetch("/page", method="DELETE", initiator=SPA),
    ]
    return {f"{answer.status_code} {answer.json()['error']}": answer for answer in answers}


async def test_scripts_get_what_the_table_lists():
    """Every kind, and every member."""
    answers = await refusals()
    listed = {
        kind.replace("`", ""): set(re.findall(r"`(\w+)`", members))
        for kind, members in re.findall(r"^\| (40\d `\w+`) \|.*\| (.*?) \|$", GUIDE, re.MULTILINE)
    }

    assert listed == {kind: answer.json().keys() - ALWAYS for kind, answer in answers.items()}
    for answer in answers.values():
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "about:blank"


async def test_the_examples_of_an_answer_are_answers():
    """All but the origin and what is sealed."""
    answer = (await refusals())["401 insufficient_user_authentication"]
    shown = json.loads(re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)[0])
    challenge = re.findall(r"^WWW-Authenticate: (.*)$", GUIDE, re.MULTILINE)[0]
    told = {**answer.json(), "login_url": shown["login_url"]}

    assert (shown, list(shown)) == (told, list(answer.json()))
    assert challenge == answer.headers["www-authenticate"]


async def test_the_example_with_several_providers_is_an_answer():
    """The same, with the titles of the guide."""
    providers = {
        "work": Provider(issuer="https://id.example.com", client_id="web", title="Example GmbH"),
        "github": OAuth2Provider.github(client_id="web", client_secret="a-secret"),
    }
    app = OIDCMiddleware(App(), providers=providers, base_url="https://app.example.com", secret=SECRET)
    answer = await Browser(app, "https://app.example.com").fetch("/api/notes")

    assert json.loads(re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)[1]) == answer.json()


def rows(table: str) -> list[tuple[str, str, str]]:
    """Read the rows of the table about unsafe methods: the value of each header, and what happens."""
    found = re.findall(r"^\| (.*?) \| (.*?) \| (runs|403)\b.*\|$", table, re.MULTILINE)
    return [(origin, site, what) for origin, site, what in found]


ORIGINS: dict[str, list[str | None]] = {
    "yours": ["https://app.example.com"],
    "one that a rule names": [SPA],
    "another, or two of them": ["https://evil.example", SPA + ".evil.example"],
    "`null`": ["null"],
    "absent": [None],
}
SITES: dict[str, list[str | None]] = {
    "any": [None, "same-origin", "same-site", "cross-site", "none"],
    "any but `cross-site`": [None, "same-origin", "same-site", "none"],
    "anything else": [None, "same-site", "cross-site", "none"],
    "`same-origin`": ["same-origin"],
    "`same-origin`, `none`, or absent": ["same-origin", "none", None],
    "`same-site`, `cross-site`": ["same-site", "cross-site"],
}


@pytest.mark.parametrize(("origin", "site", "what"), rows(GUIDE.partition("## Unsafe methods")[2]))
async def test_unsafe_methods_run_as_the_table_says(origin, site, what):
    """Each row, with a session."""
    made = Site(rules=[Rule("/page", origins=[SPA])])
    cookie = cookie_header(await made.signed_in())
    sent = [{"origin": one, "sec-fetch-site": other} for one in ORIGINS[origin] for other in SITES[site]]

    statuses = {(await posted(made, {**headers, "cookie": cookie})).status for headers in sent}

    assert statuses == {200 if what == "runs" else 403}


async def posted(site: Site, headers: dict[str, Any]) -> Exchange:
    """Send a POST with these headers, but those that are None."""
    given = {name: value for name, value in headers.items() if value is not None}
    return await site.call("/page", method="POST", headers=given)


def test_the_table_has_all_its_rows():
    """Else the test above would run over nothing."""
    assert {origin for origin, _, _ in rows(GUIDE.partition("## Unsafe methods")[2])} == set(ORIGINS)


async def test_the_rule_of_the_guide_opens_the_api_to_its_origin():
    """It is copied as it stands; the answer of a refusal can be read, too."""
    names: dict[str, Any] = {"Rule": Rule}
    exec(re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)[0], names)
    site = Site(rules=names["rules"])
    anonymous = await site.browser().fetch("/api/x", method="PUT", initiator=SPA)

    browser = await site.signed_in()
    answer = await browser.fetch("/api/x", method="PUT", initiator=SPA)

    assert (anonymous.status_code, answer.status_code) == (401, 200)
    for each in (anonymous, answer):
        assert each.headers["access-control-allow-origin"] == SPA
        assert "www-authenticate" in each.headers["access-control-expose-headers"]


def test_it_is_in_the_list_of_examples():
    """People find it from there."""
    assert "[spa/](spa/README.md)" in (FOLDER.parent / "README.md").read_text(encoding="utf-8")
