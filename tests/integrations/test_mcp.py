"""Rules for the tools of an MCP server, and what its tools and the SDK know of the user."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import Context
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_oidc import AnonymousUser, Rule
from asgi_oidc.integrations.mcp import ToolRule, oidc_of, protect_tools, user_of
from asgi_oidc.policy.mount_table import MountTable
from asgi_oidc.testing import DPoPKey
from tests.bearer.token_calls import API, TokenSite
from tests.integrations.routes import site_of
from tests.protected_site import ORIGIN, App

RULES = [
    ToolRule("delete_*", scopes=["notes:delete"]),
    ToolRule("delete_all", scopes=["notes:admin"], claims={"role": "director"}),
    ToolRule("pay", max_age=60),
]
RECENT = "2026-07-28"


def called(tool: str, number: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": {}}}


class Program:
    """A program with a token at an MCP server of which only the guard is real."""

    def __init__(self, *rules: ToolRule, **settings: Any) -> None:
        self.app = App()
        self.site = TokenSite(inner=protect_tools(self.app, rules), **settings)

    async def post(self, message: object, *, token: str | None = None, **claims: Any) -> httpx.Response:
        """Send a message, with a token of these claims."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.site.middleware), base_url=ORIGIN) as client:
            body = message if isinstance(message, bytes) else json.dumps(message).encode()
            return await client.post(
                "/mcp", content=body, headers={"authorization": f"Bearer {token or self.site.token(**claims)}"}
            )


@pytest.mark.parametrize(
    ("tool", "claims", "scope"),
    [
        ("list_notes", {}, None),
        ("delete_one", {}, "notes:read notes:delete"),
        ("delete_one", {"scope": "notes:read notes:delete"}, None),
        ("delete_all", {"role": "director"}, "notes:read notes:delete notes:admin"),
        ("delete_all", {"role": "director", "scope": "notes:read notes:delete notes:admin"}, None),
        ("delete", {}, None),
        ("Delete_one", {}, None),
    ],
)
async def test_a_tool_needs_the_scopes_of_all_rules_that_match_it(tool, claims, scope):
    """The challenge names all that this call needs, so that the client can ask for it."""
    program = Program(*RULES, rules=[Rule("/mcp", scopes=["notes:read"])])

    answer = await program.post(called(tool), **{"scope": "notes:read", **claims})

    assert answer.status_code == (200 if scope is None else 403)
    assert len(program.app.scopes) == (scope is None)
    if scope is not None:
        assert (answer.json()["error"], answer.json()["scope"]) == ("insufficient_scope", scope)
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        assert f'scope="{scope}"' in answer.headers["www-authenticate"]


async def test_a_tool_of_a_mounted_server_answers_by_itself():
    """The outer app turns every exception into a 500 before our middleware sees it."""
    outer = Starlette(routes=[Mount("/", protect_tools(App(), RULES))])
    site = TokenSite(inner=outer, rules=[Rule("/mcp", scopes=["notes:read"])])

    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.middleware), base_url=ORIGIN) as client:
        headers = {"authorization": f"Bearer {site.token(scope='notes:read')}"}
        answer = await client.post("/mcp", json=called("delete_one"), headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert 'scope="notes:read notes:delete"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(("tool", "status"), [("list_notes", 200), ("delete_one", 401), ("pay", 401)])
async def test_on_a_public_path_a_rule_of_a_tool_needs_a_user(tool, status):
    """All other tools are for everybody there."""
    site = TokenSite(inner=protect_tools(App(), RULES), public=["/mcp"])

    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.middleware), base_url=ORIGIN) as client:
        answer = await client.post("/mcp", json=called(tool))

    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) is (status == 401)


async def test_a_scope_that_no_provider_has_granted_lets_nobody_call_a_tool():
    """Starlette's name for every signed-in user is no scope of the token."""
    program = Program(ToolRule("*", scopes=["authenticated"]))

    refused = await program.post(called("any"))
    granted = await program.post(called("any"), scope="authenticated")

    assert (refused.status_code, granted.status_code) == (403, 200)


async def test_a_tool_of_a_batch_is_checked_like_any_other():
    """Older versions of the protocol have batches."""
    program = Program(*RULES)

    assert (await program.post([called("list_notes"), called("delete_one", 2)])).status_code == 403
    assert (await program.post([called("list_notes"), called("list_notes", 2)])).status_code == 200
    assert len(program.app.scopes) == 1


@pytest.mark.parametrize(
    ("claims", "status", "error"),
    [
        ({"role": "director"}, 200, None),
        ({"role": "clerk"}, 403, "forbidden"),
        ({}, 403, "forbidden"),
    ],
)
async def test_a_tool_can_need_a_claim(claims, status, error):
    """No scope would help, so none is named."""
    program = Program(ToolRule("*", claims={"role": "director"}))

    answer = await program.post(called("any"), **claims)

    assert (answer.status_code, answer.json().get("error")) == (status, error)
    assert "scope" not in answer.json() or status == 200


async def test_a_tool_can_need_a_recent_login():
    """As a page can."""
    program = Program(*RULES)
    now = int(program.site.clock.now)

    late = await program.post(called("pay"), auth_time=now - 120)
    recent = await program.post(called("pay"), auth_time=now - 30)

    assert (late.status_code, late.json()["error"]) == (401, "insufficient_user_authentication")
    assert recent.status_code == 200


async def test_a_token_that_is_bound_to_a_key_gets_its_own_challenge_from_a_tool():
    """A challenge with the scheme Bearer would ask for a token that anybody can use (RFC 9449 §7.1)."""
    site = TokenSite(inner=protect_tools(App(), [ToolRule("pay", max_age=60)]))
    key, now = DPoPKey(), int(site.clock.now)
    token = site.provider.access_token("alice", audience=API, dpop_key=key, claims={"auth_time": now - 120})
    proof = key.proof("POST", f"{ORIGIN}/mcp", access_token=token, claims={"iat": now})

    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.middleware), base_url=ORIGIN) as client:
        sent = {"authorization": f"DPoP {token}", "dpop": proof}
        answer = await client.post("/mcp", json=called("pay"), headers=sent)

    assert (answer.status_code, answer.json()["error"]) == (401, "insufficient_user_authentication")
    assert answer.headers["www-authenticate"].startswith("DPoP ")


async def test_a_message_that_cannot_be_read_reaches_no_server():
    """It could call any tool there."""
    program = Program(*RULES)

    answer = await program.post(b'{"method": "tools/list", "method": "tools/call", "params": {"name": "delete_one"}}')

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)
    assert program.app.scopes == []


async def test_without_rules_messages_are_not_read():
    """There is nothing to check."""
    program = Program()

    assert (await program.post(b"not JSON")).status_code == 200


async def test_tools_see_neither_the_token_nor_the_cookies():
    """Many pass the headers of the request on, and whoever gets the cookie of a session can act as its user."""
    program, browser_app = Program(*RULES), App()
    browser = site_of(protect_tools(browser_app, RULES), public=[]).browser()

    await program.post(called("list_notes"))
    await browser.sign_in("alice", "/mcp")

    for scope in (program.app.scopes[-1], browser_app.scopes[-1]):
        names = {name for name, _ in scope["headers"]}
        assert names.isdisjoint({b"authorization", b"dpop", b"cookie"})
        assert b"host" in names


@pytest.mark.parametrize("tool", ["", "*delete", "a*b", "**", None, ["delete"]])
def test_a_rule_for_no_name_is_refused_when_it_is_made(tool):
    """It would match nothing, and leave the tool open."""
    with pytest.raises(ValueError, match="name of a tool"):
        ToolRule(tool)


@pytest.mark.parametrize("requirement", [{"scopes": ["two words"]}, {"claims": {}}, {"max_age": -1}])
def test_a_requirement_that_cannot_be_met_is_refused_when_the_rule_is_made(requirement):
    """Not at the first call."""
    with pytest.raises(ValueError, match=next(iter(requirement))):
        ToolRule("delete", **requirement)


def test_what_is_no_rule_is_refused():
    """A rule for a path would protect no tool."""
    rules: list[Any] = [Rule("/mcp")]

    with pytest.raises(ValueError, match="ToolRule"):
        protect_tools(App(), rules)


def notes() -> MCPServer:
    """Make a server of the SDK, whose tool says what it and the SDK know of the user."""
    server = MCPServer("Notes")

    @server.tool()
    def who_am_i(ctx: Context[Any, Any]) -> dict[str, Any]:
        user, token = user_of(ctx), get_access_token()
        assert token is not None
        return {
            "sub": user.sub,
            "client_id": None if isinstance(user, AnonymousUser) else user.client_id,
            "base_path": oidc_of(ctx).base_path,
            "sdk": [token.subject, token.client_id, token.token, (token.claims or {})["iss"], token.scopes],
        }

    return server


@contextlib.asynccontextmanager
async def running(site: TokenSite, app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run the server, and give a client."""
    transport = httpx.ASGITransport(site.middleware)
    headers = {"accept": "application/json, text/event-stream"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers) as client,
    ):
        yield client


def site_with(app: Any) -> TokenSite:
    return TokenSite(inner=protect_tools(app, RULES))


async def test_a_tool_of_the_sdk_knows_its_user():
    """Without the token."""
    app = notes().streamable_http_app(json_response=True, stateless_http=True, host="app.example.com")
    site = site_with(app)

    async with running(site, app) as client:
        answer = await client.post("/mcp", json=called("who_am_i"), headers={"authorization": f"Bearer {site.token()}"})

    said = answer.json()["result"]["structuredContent"]
    assert (said["sub"], said["client_id"], said["base_path"]) == ("alice", "cli", "")
    scopes = ["orders:read", "profile"]
    assert said["sdk"] == ["alice", "cli", "", site.provider.issuer, scopes]


async def test_a_session_of_the_sdk_belongs_to_its_user():
    """Whoever learns its id cannot use it."""
    app = notes().streamable_http_app(json_response=True, host="app.example.com")
    site = site_with(app)
    start = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}},
    }

    async with running(site, app) as client:

        async def post(message: object, session: str | None = None, **claims: Any) -> httpx.Response:
            headers = {"authorization": f"Bearer {site.token(**claims)}"} | (
                {"mcp-session-id": session} if session else {}
            )
            return await client.post("/mcp", json=message, headers=headers)

        session = (await post(start)).headers["mcp-session-id"]
        statuses = {sub: (await post(called("who_am_i"), session, sub=sub)).status_code for sub in ("alice", "bob")}

    assert statuses == {"alice": 200, "bob": 404}


async def test_a_user_with_a_session_of_ours_is_known_too():
    """A page may call the server as well as a program."""
    app = App()
    site = site_of(protect_tools(app, RULES), public=[])
    browser = site.browser()

    page = await browser.sign_in("alice", "/mcp")

    assert (page.status_code, page.json()["sub"]) == (200, "alice")
    assert app.scopes[-1]["user"].credential == "session"


def test_an_mcp_server_matches_no_path_as_a_prefix():
    """So no warning asks for `plain_prefixes`."""
    assert MountTable(protect_tools(notes().streamable_http_app())).opaque == {}
