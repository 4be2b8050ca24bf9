"""A tenant per host, as the guide to deployment describes it."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from asgi_oidc.testing import Browser
from tests.providers.three_providers import ThreeProviders, issuer_of

GUIDE = Path(__file__).parents[2] / "examples" / "deployment" / "README.md"
A = "https://a.example.com"
B = "https://b.example.com"


def provider_of_host() -> Any:
    """Return the function in the guide, for the providers of these tests."""
    section = GUIDE.read_text(encoding="utf-8").partition("\n## Several hosts\n")[2]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    namespace: dict[str, Any] = {}
    exec(found[1].replace('"alpha"', '"one"').replace('"beta"', '"two"'), namespace)  # it is our guide
    return namespace["provider_of_host"]


@pytest.mark.parametrize(("origin", "name"), [(A, "one"), (B, "two")])
async def test_the_host_chooses_the_provider(origin, name):
    """No user has to know the name of the tenant."""
    site = ThreeProviders(base_url=[A, B], choose_provider=provider_of_host())
    others = {fake.issuer: fake for fake in site.fakes.values()}
    browser = Browser(site.middleware, origin, others, clock=site.clock)

    page = await browser.sign_in("alice", "/private")

    assert page.url == f"{origin}/private"
    assert site.app.scope["user"].provider == name
    assert site.app.scope["user"].issuer == issuer_of(name)


async def test_a_host_that_names_no_tenant_leads_to_the_page_to_choose():
    """It is served as the first host, but it is not the first tenant."""
    site = ThreeProviders(base_url=[A, B], choose_provider=provider_of_host())
    browser = site.browser()

    page = await browser.get("/private", headers={"host": "c.example.com"}, follow=False)

    assert urlsplit(page.location).path == "/auth/login" or page.status_code == 200
    assert not any(page.location.startswith(issuer_of(name)) for name in ("one", "two", "three"))
