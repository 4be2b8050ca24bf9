"""The tests of the Starlette app: `pytest`, in this folder."""

from main import guarded
from starlette.testclient import TestClient

from asgi_oidc.pytest_plugin import OIDCTester


def test_a_visitor_is_sent_to_the_login(oidc: OIDCTester) -> None:
    client = TestClient(guarded, follow_redirects=False)

    response = client.get("/", headers={"accept": "text/html"})

    assert response.status_code == 303
    assert response.headers["location"].startswith("https://id.test/authorize")


def test_alice_is_greeted_and_gets_the_news(oidc: OIDCTester) -> None:
    client = TestClient(guarded)

    oidc.sign_in(client, "alice", name="Alice Adams")

    assert client.get("/").text == "Hello, Alice Adams"
    with client.websocket_connect("/news", headers=oidc.origin(client)) as websocket:
        assert websocket.receive_text() == "News for Alice Adams"


def test_only_admins_read_the_reports(oidc: OIDCTester) -> None:
    client = TestClient(guarded)

    oidc.sign_in(client, "alice", claims={"roles": ["admin"]})
    assert client.get("/reports").status_code == 200

    oidc.sign_in(client, "bob")
    assert client.get("/reports").status_code == 403
