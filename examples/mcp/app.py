"""An MCP server: its users sign in at your provider, reading needs one scope, and deleting needs another one."""

import os
from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

from mcp.server import MCPServer
from mcp.server.mcpserver import Context

from asgi_oidc import Bearer, OIDCMiddleware, Rule
from asgi_oidc.integrations.mcp import ToolRule, protect_tools, user_of

BASE_URL = os.environ["OIDC_BASE_URL"]
mcp = MCPServer("Notes")
notes: dict[tuple[str | None, str | None], list[str]] = defaultdict(list)


@mcp.tool()
def list_notes(ctx: Context[Any, Any]) -> list[str]:
    """List my notes."""
    return notes[owner(ctx)]


@mcp.tool()
def add_note(ctx: Context[Any, Any], text: str) -> str:
    """Add a note."""
    notes[owner(ctx)].append(text)
    return f"added, {len(notes[owner(ctx)])} in all"


@mcp.tool()
def delete_notes(ctx: Context[Any, Any]) -> str:
    """Delete all my notes."""
    return f"deleted {len(notes.pop(owner(ctx), []))}"


def owner(ctx: Context[Any, Any]) -> tuple[str | None, str | None]:
    """Return what identifies the user: no two providers share a `sub`."""
    user = user_of(ctx)
    return user.issuer, user.sub


server = mcp.streamable_http_app(host=urlsplit(BASE_URL).hostname or "")  # at /mcp
app = OIDCMiddleware.from_env(
    protect_tools(server, [ToolRule("delete_*", scopes=["notes:write"])]),
    bearer=Bearer(audience=f"{BASE_URL}/mcp"),
    rules=[Rule("/mcp", credentials=["bearer"], scopes=["notes:read"])],
)
