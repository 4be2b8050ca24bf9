"""The tests of the Quart app: `pytest`, in this folder."""

from main import app

from asgi_oidc.pytest_plugin import OIDCTester


async def test_a_visitor_is_sent_to_the_login() -> None:
    response = await app.test_client().get("/", headers={"accept": "text/html"})

    assert response.status_code == 303
    assert response.location.startswith("https://id.test/authorize")


async def test_alice_is_greeted_until_she_signs_out(oidc: OIDCTester) -> None:
    client = app.test_client()

    oidc.sign_in(client, "alice")
    greeting = await client.get("/")
    await client.post("/auth/logout")

    assert await greeting.get_data(as_text=True) == "Hello, Alice"
    assert (await client.get("/")).status_code == 401


async def test_only_admins_save_reports(oidc: OIDCTester) -> None:
    client = app.test_client()

    oidc.sign_in(client, "alice", claims={"roles": ["admin"]})
    assert (await client.post("/reports")).status_code == 200

    oidc.sign_in(client, "bob")
    assert (await client.post("/reports")).status_code == 403
