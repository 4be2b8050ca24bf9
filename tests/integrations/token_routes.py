"""Tests of route requirements for clients with access tokens that are the same for every framework."""

import re
import time
from typing import Any

import pytest

from asgi_oidc import Bearer, Rule
from asgi_oidc.testing import Response
from tests.integrations.routes import MFA, sign_in, site_of
from tests.protected_site import ORIGIN, PROGRAM, Exchange, Site

API = "https://api.example.com"
METADATA = 'resource_metadata="https://app.example.com/.well-known/oauth-protected-resource"'
TOKEN_TERMS: dict[str, dict[str, Any]] = {
    "/tokens-only": {"credentials": ["bearer"], "scopes": ["email"]},
    "/sessions-only": {"credentials": ["session"]},
    "/machines": {"machines": True},
    "/people": {"machines": False},
    "/one-client": {"client_ids": ["batch"]},
    "/odd-scope": {"scopes": ["authenticated"]},
}
"""Further paths that the app of each framework has."""


def api_of(app: Any, **settings: Any) -> Site:
    """Wrap an app that takes tokens, too."""
    return site_of(app, bearer=Bearer(audience=API), **settings)


def token_of(site: Site, sub: str = "alice", **options: Any) -> str:
    """Mint a token for the API."""
    return site.provider.access_token(sub, audience=API, **options)


class TokenRoutesContract:
    """Subclass it with what the framework has."""

    def make_app(self) -> Any:
        """Make an app with the paths of `TERMS`, `TOKEN_TERMS` and `SOCKETS`."""
        raise NotImplementedError

    def problem(self, response: Response) -> dict[str, Any]:
        """Read the problem details."""
        raise NotImplementedError

    @pytest.fixture
    def site(self) -> Site:
        return api_of(self.make_app())

    async def get(self, site: Site, path: str, token: str | None) -> Response:
        """Request a page as a browser would navigate to it, with a token if there is one."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return await site.browser().get(path, headers=headers, follow=False)

    @pytest.mark.parametrize("path", ["/me", "/staff", "/mail", "/company", "/fresh", "/tokens-only", "/people"])
    async def test_a_token_that_meets_the_requirements_reaches_the_route(self, site, path):
        """The same requirements as for a user with a session."""
        response = await self.get(site, path, token_of(site, claims={"roles": ["admin"]}))

        assert (response.status_code, response.json()["sub"]) == (200, "alice")

    @pytest.mark.parametrize(
        ("path", "error", "challenge"),
        [
            ("/staff", "forbidden", None),
            ("/sessions-only", "forbidden", None),
            ("/machines", "forbidden", None),
            ("/one-client", "forbidden", None),
            ("/orders", "insufficient_scope", 'error="insufficient_scope"'),
        ],
    )
    async def test_a_token_without_the_right_is_refused(self, site, path, error, challenge):
        """With a challenge if another token would help, and never with a login."""
        response = await self.get(site, path, token_of(site, "bob"))

        told = response.headers.get("www-authenticate")
        assert (response.status_code, response.location, self.problem(response)["error"]) == (403, "", error)
        assert (told is None) is (challenge is None)
        assert "login_url" not in self.problem(response)
        assert response.headers["cache-control"].startswith("no-store")

    async def test_a_missing_scope_is_in_the_challenge_with_those_of_the_rules(self):
        """A token with the scopes of the route alone would be refused by the rule, and the other way round."""
        rules = [Rule("/orders", scopes=["profile"])]
        site = api_of(self.make_app(), rules=rules)

        response = await self.get(site, "/orders", token_of(site))

        told = response.headers["www-authenticate"]
        assert told.startswith("Bearer ")
        assert METADATA in told
        assert 'error="insufficient_scope"' in told
        assert 'scope="profile openid orders:read"' in told
        assert self.problem(response)["scope"] == "profile openid orders:read"

    @pytest.mark.parametrize(("path", "name", "value"), [("/fresh", "max_age", 300), ("/strong", "acr_values", [MFA])])
    async def test_a_token_of_a_login_that_is_too_old_or_weak_needs_a_new_one(self, site, path, name, value):
        """The client asks its user to sign in again (RFC 9470 §3); it is not redirected."""
        token = token_of(site, claims={"auth_time": int(time.time()) - 400})

        response = await self.get(site, path, token)

        told, problem = response.headers["www-authenticate"], self.problem(response)
        assert (response.status_code, response.location) == (401, "")
        assert told.startswith("Bearer ")
        assert 'error="insufficient_user_authentication"' in told
        assert f'{name}="{value if name == "max_age" else MFA}"' in told
        assert (problem["error"], problem[name], "login_url" in problem) == (
            "insufficient_user_authentication",
            value,
            False,
        )

    async def test_without_a_credential_both_ways_are_named(self, site):
        """A program learns where to get a token, and a script where to sign in (RFC 9728 §5.1)."""
        response = await site.browser().get("/orders", headers=PROGRAM, follow=False)

        told = response.headers["www-authenticate"]
        assert response.status_code == 401
        assert told.startswith("Bearer ")
        assert METADATA in told
        assert 'scope="openid orders:read"' in told
        assert "Cookie realm=" in told
        assert "error=" not in told

    async def test_challenges_name_the_metadata_of_the_api_that_the_path_belongs_to(self):
        """Clients compare its `resource` with the URL that they called (RFC 9728 §3.3)."""
        apis = [f"{ORIGIN}{path}" for path in ("/me", "/orders", "/strong", "/tokens-only")]
        site = site_of(self.make_app(), bearer=Bearer(audience=apis))
        token = site.provider.access_token("alice", audience=apis[0])

        missing = [await self.get(site, path, token) for path in ("/orders", "/strong")]
        anonymous = [await site.browser().get(path, headers=PROGRAM) for path in ("/orders", "/tokens-only")]

        named = [re.findall(r"oauth-protected-resource(.*?)\"", each.headers["www-authenticate"]) for each in missing]
        assert named == [["/orders"], ["/strong"]]
        named = [re.findall(r"oauth-protected-resource(.*?)\"", each.headers["www-authenticate"]) for each in anonymous]
        assert named == [["/orders"], ["/tokens-only"]]

    async def test_without_bearer_no_challenge_names_tokens(self):
        """The app takes none."""
        response = await site_of(self.make_app()).browser().get("/orders", headers=PROGRAM, follow=False)

        assert response.headers["www-authenticate"].startswith("Cookie ")

    async def test_a_route_for_tokens_never_leads_to_a_login(self, site):
        """A login would not help, whoever asks."""
        signed_in, anonymous = await sign_in(site), site.browser()

        page = await anonymous.get("/tokens-only", follow=False)
        refused = await signed_in.get("/tokens-only", follow=False)

        assert (page.status_code, page.location, self.problem(page)["error"]) == (401, "", "token_required")
        assert (refused.status_code, refused.location, self.problem(refused)["error"]) == (403, "", "forbidden")
        for response in (page, refused):
            told = response.headers["www-authenticate"]
            assert told.startswith("Bearer ")
            assert 'scope="email"' in told
            assert "Cookie" not in told

    async def test_a_route_for_sessions_names_no_token(self, site):
        """A token would not help."""
        response = await site.browser().get("/sessions-only", headers=PROGRAM, follow=False)

        assert (response.status_code, response.headers["www-authenticate"].startswith("Cookie ")) == (401, True)

    async def test_starlettes_name_for_every_user_is_no_scope_of_theirs(self, site):
        """A route and a rule with the same requirement decide alike."""
        signed_in = await sign_in(site)

        by_session = await signed_in.get("/odd-scope", headers=PROGRAM, follow=False)
        by_token = [
            (await self.get(site, "/odd-scope", token_of(site, scopes=scopes))).status_code
            for scopes in (["email"], ["authenticated"])
        ]

        assert (by_session.status_code, by_token) == (403, [403, 200])

    async def test_machines_are_users_of_their_own_kind(self, site):
        """They act for no user."""
        token = site.provider.machine_token("batch", audience=API)

        statuses = [(await self.get(site, path, token)).status_code for path in ("/machines", "/people", "/one-client")]

        assert statuses == [200, 403, 200]

    @pytest.mark.parametrize(("path", "code"), [("/ws/staff", 4403), ("/ws/fresh", 4401)])
    async def test_a_websocket_is_closed_with_our_codes(self, site, path, code):
        """As for a user with a session."""
        token = token_of(site, "bob", claims={"auth_time": int(time.time()) - 400})

        sent = await connect_with(site, path, token)

        assert [(message["type"], message.get("code")) for message in sent] == [("websocket.close", code)]

    async def test_a_websocket_has_the_user_of_the_token(self, site):
        """Programs send no Origin."""
        sent = await connect_with(site, "/ws", token_of(site))

        assert [message["text"] for message in sent if message["type"] == "websocket.send"] == ["alice"]


async def connect_with(site: Site, path: str, token: str) -> list[Any]:
    """Open a websocket with a token on a server that knows no other refusal than a close."""
    exchange = Exchange({"type": "websocket.connect"})
    scope: dict[str, Any] = {"type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": [(b"authorization", f"Bearer {token}".encode())], "scheme": "wss", "subprotocols": []}
    scope |= {"root_path": "", "extensions": {}, "asgi": {"version": "3.0", "spec_version": "2.3"}}
    await site.middleware({**scope, "client": ("192.0.2.1", 50000)}, exchange.receive, exchange.send)
    return exchange.sent
