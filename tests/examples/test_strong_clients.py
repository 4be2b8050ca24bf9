"""The guide to strong clients: its app signs in with a key, and its lines are right."""

from typing import Any

from asgi_oidc.testing import Client, ClientKey
from tests.examples.guides import blocks, read_guide, run_block
from tests.examples.running import run_example
from tests.protected_site import Site, who_am_i

GUIDE = read_guide("strong-clients")


async def test_the_app_signs_in_with_a_key():
    """At a provider that accepts nothing weaker."""
    key = ClientKey()

    with run_example(
        "examples.strong-clients.strong_client:app", OIDC_CLIENT_SECRET="", OIDC_CLIENT_KEY=key.pem
    ) as example:
        provider = example.provider
        provider.register(Client("example", None, jwks=[key.public_jwk]))
        provider.requires_par = provider.requires_signed_requests = provider.requires_dpop = True
        async with example.browsing() as browser:
            page = await browser.sign_in("alice", "/")

    assert "<h1>Hello" in page.text


async def test_the_lines_for_tests_work_as_they_stand():
    """They are copied into a test."""
    names: dict[str, Any] = {}
    run_block(next(code for code in blocks(GUIDE, "python") if "ClientKey()" in code), names)

    site = Site(provider=names["provider"], client_key=names["key"].pem, client_secret=..., par="always", dpop="always")

    assert await who_am_i(await site.signed_in()) == "alice"


def test_each_setting_of_the_table_has_a_section():
    """A reader finds what it is for and how to use it."""
    for setting in ("client_key", "client_assertion_file", "client_certificate", "decryption_key"):
        assert GUIDE.count(setting.upper()) + GUIDE.count(setting) > 1, setting
