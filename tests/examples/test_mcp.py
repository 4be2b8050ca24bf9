"""The example of an MCP server, with the official client."""

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from asgi_oidc.integrations.mcp import ToolRule
from asgi_oidc.testing import FakeProvider
from tests.examples.guides import blocks, read_guide
from tests.examples.running import run_example
from tests.real.mcp_client import call

GUIDE = read_guide("mcp")


async def visit(url: str, provider: FakeProvider, user: str, scopes: list[str], tool: str, **arguments: str) -> object:
    """Call a tool with a token of a user; give what it says, or what the client says of a refusal."""
    token = provider.access_token(user, audience=url, scopes=scopes)
    headers = {"authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False) as http_client,
        Client(streamable_http_client(url, http_client=http_client)) as client,
    ):
        try:
            return await call(client, tool, **arguments)
        except MCPError as refused:
            return refused.message


async def test_the_example_keeps_notes_for_each_user_and_deletes_them_with_another_scope():
    """As its guide says."""
    reader, writer = ["notes:read"], ["notes:read", "notes:write"]
    with run_example("examples.mcp.app:app") as example:
        url, provider = f"{example.origin}/mcp", example.provider
        added = await visit(url, provider, "alice", reader, "add_note", text="milk")
        found = [await visit(url, provider, user, reader, "list_notes") for user in ("alice", "bob")]
        kept = await visit(url, provider, "alice", reader, "delete_notes")
        deleted = await visit(url, provider, "alice", writer, "delete_notes")
        async with httpx2.AsyncClient(trust_env=False) as stranger:
            refused = await stranger.post(url)

    assert (added, found, deleted) == ("added, 1 in all", [["milk"], []], "deleted 1")
    assert kept == "Server returned an error response"
    challenge = refused.headers["www-authenticate"].replace(example.origin, "http://127.0.0.1:8001")
    assert f"www-authenticate: {challenge}" in GUIDE


def test_the_rules_of_the_guide_are_valid():
    """They are copied."""
    code = blocks(GUIDE, "python")[2]
    rules = code.partition("    [\n")[2].partition("    ],")[0]

    assert len(eval(f"[{rules}]", {"ToolRule": ToolRule})) == 3
