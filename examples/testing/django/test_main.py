"""The tests of the Django project: `pytest`, in this folder."""

import main  # noqa: F401  # sets Django up, as a server does
from django.test import AsyncClient

from asgi_oidc.pytest_plugin import OIDCTester


async def test_a_visitor_is_sent_to_the_login() -> None:
    response = await AsyncClient().get("/", headers={"accept": "text/html"})

    assert response.status_code == 303
    assert response["location"].startswith("https://id.test/authorize")


async def test_alice_is_greeted(oidc: OIDCTester) -> None:
    client = AsyncClient()

    oidc.sign_in(client, "alice", name="Alice Adams")

    assert (await client.get("/")).content == b"Hello, Alice Adams"


async def test_only_admins_read_the_reports(oidc: OIDCTester) -> None:
    client = AsyncClient()

    oidc.sign_in(client, "alice", claims={"roles": ["admin"]})
    assert (await client.get("/reports")).content == b"The reports"

    oidc.sign_in(client, "bob")
    assert (await client.get("/reports")).status_code == 403
