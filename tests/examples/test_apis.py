"""The guide to APIs: its app runs, its rules decide for programs and people, and its codes are the real ones."""

import re
from typing import Any

import httpx
import pytest

from asgi_oidc import Bearer, OIDCMiddleware, Rule
from asgi_oidc.testing import Browser, FakeProvider
from tests.bearer.token_calls import API, TokenSite, challenges, problem
from tests.examples.guides import blocks, nothing, read_guide, run_block, section
from tests.examples.running import run_example
from tests.protected_site import NOW, ORIGIN, SECRET

GUIDE = read_guide("apis")
REFUSED = section(GUIDE, "If a token is refused")


async def test_the_app_serves_programs_and_people_by_the_same_rules():
    """The whole way of the guide: a token from the provider, the calls, and a browser beside them."""
    with run_example("examples.apis.app:app", OIDC_BEARER_AUDIENCE=API) as example:
        async with httpx.AsyncClient(base_url=example.origin) as program:
            answer = await program.post(
                f"{example.provider.issuer}/token",
                data={"grant_type": "client_credentials", "scope": "orders:read", "resource": API},
                auth=("example", "example-secret"),
            )
            headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
            listed = await program.get("/orders", headers=headers)
            added = await program.post("/orders", headers=headers, json={"item": "A chair"})
            who = await program.get("/whoami", headers=headers)
            metadata = await program.get("/.well-known/oauth-protected-resource")
            cleaned = await program.post("/jobs/clean-up", headers=headers)
        async with example.browsing() as browser:
            page = await browser.sign_in("alice", "/whoami")
            job = await browser.fetch("/jobs/clean-up", method="POST")

    assert (listed.status_code, listed.json()[0]["item"]) == (200, "A lamp")
    assert (added.status_code, 'scope="orders:write"' in added.headers["www-authenticate"]) == (403, True)
    assert who.json() == {"sub": "example", "credential": "bearer", "client_id": "example", "is_machine": True}
    assert metadata.json()["scopes_supported"] == ["orders:read", "orders:write"]
    assert cleaned.status_code == 204
    assert (page.json()["sub"], page.json()["credential"]) == ("alice", "session")
    assert job.status_code == 403


def test_the_rules_of_the_guide_are_those_of_the_app():
    """They are shown once more, without the app around them."""
    names: dict[str, Any] = {}

    run_block(blocks(GUIDE.replace("\n   ", "\n"), "python")[1], names)

    assert all(repr(rule) for rule in names["rules"])
    assert [rule.path for rule in names["rules"]] == ["/orders/*", "/orders/*", "/jobs/*"]
    assert names["rules"][2] == Rule("/jobs/*", credentials=["bearer"], machines=True)


async def test_the_outer_app_of_the_guide_serves_the_metadata():
    """The lines are copied into apps that mount others."""
    provider = FakeProvider(clock=lambda: NOW)
    admin = OIDCMiddleware(
        nothing,
        issuer=provider.issuer,
        client_id="web",
        base_url=f"{ORIGIN}/admin",
        secret=SECRET,
        bearer=Bearer(API),
    )
    names: dict[str, Any] = {"admin": admin}
    (code,) = (code for code in blocks(GUIDE, "python") if "protected_resource_metadata" in code)
    run_block(code, names)
    browser = Browser(names["outer"], ORIGIN, {})

    answer = await browser.fetch("/.well-known/oauth-protected-resource/admin")

    assert answer.json()["resource"] == f"{ORIGIN}/admin"


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("claim_aud", {"aud": "https://other.example.com"}),
        ("claim_aud", {"aud": ...}),
        ("claim_iss", {"iss": "https://other.example.com"}),
        ("token_typ", {"typ": "logout+jwt"}),
        ("claim_exp", {"iat": NOW - 900, "exp": NOW - 300}),
        ("claim_iat", {"iat": NOW + 300, "exp": NOW + 900}),
        ("dpop_scheme", {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}),
    ],
)
async def test_a_token_that_is_refused_has_the_code_of_the_guide(code, changes):
    """People look up what they see."""
    site = TokenSite()

    answer = await site.call_with(site.token(**changes))

    assert (answer.status, problem(answer)["error"]) == (401, code)
    assert f"`{code}`" in REFUSED


@pytest.mark.parametrize(
    ("code", "header"),
    [("authorization_malformed", "Bearer"), ("authorization_malformed", "Bearer a b"), ("token_inactive", "Bearer x")],
)
async def test_a_header_that_is_refused_has_the_code_of_the_guide(code, header):
    """The same for what is no token of the provider."""
    answer = await TokenSite().call("/page", headers={"authorization": header})

    assert (answer.status, problem(answer)["error"]) == (401, code)
    assert f"`{code}`" in REFUSED


async def test_the_challenge_of_the_guide_is_the_real_one():
    """A client developer compares it with theirs."""
    site = TokenSite(rules=[Rule("/orders", scopes=["orders:write"])])

    answer = await site.call_with(site.token(), "/orders")

    shown = re.search(r"www-authenticate: (Bearer .*?)\n```", GUIDE, re.DOTALL)
    assert shown is not None
    there = " ".join(shown[1].split()).replace("http://127.0.0.1:8001", ORIGIN)
    assert challenges(answer) == [there]
