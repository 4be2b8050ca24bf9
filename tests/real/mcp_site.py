"""An MCP server with tools that need scopes, and what its tools see of their user."""

import contextlib
from typing import Any

from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import Context

from asgi_oidc import Bearer, OIDCMiddleware, Rule, TokenNotGranted
from asgi_oidc.integrations.mcp import ToolRule, oidc_of, protect_tools, user_of
from tests.protected_site import SECRET

READ, WRITE = "notes:read", "notes:write"


def mcp_server() -> MCPServer:
    """Make the server without its protection."""
    server = MCPServer("Notes")

    @server.tool()
    def who_am_i(ctx: Context[Any, Any]) -> str:
        return str(user_of(ctx).sub)

    @server.tool()
    def delete_note(ctx: Context[Any, Any], number: int) -> str:
        return f"{user_of(ctx).sub} deleted {number}"

    @server.tool()
    async def find_token(ctx: Context[Any, Any]) -> list[str]:
        """Say where the token of the request can be found; it should be nowhere."""
        found = [name for name in ctx.headers or {} if name.lower() in {"authorization", "dpop"}]
        if (seen := get_access_token()) is None or seen.token:
            found.append("get_access_token")
        with contextlib.suppress(TokenNotGranted):
            found.append(await oidc_of(ctx).access_token())
        return found

    return server


def protected_mcp(origin: str, *, read: str = READ, write: str = WRITE, **settings: Any) -> OIDCMiddleware:
    """Protect the server, which is at /mcp of this origin.

    Args:
        read, write: the scopes that its tools need.
    """
    tools = protect_tools(mcp_server().streamable_http_app(), [ToolRule("delete_*", scopes=[write])])
    return OIDCMiddleware(
        tools,
        base_url=origin,
        secret=SECRET,
        bearer=Bearer(audience=f"{origin}/mcp"),
        rules=[Rule("/mcp", scopes=[read], credentials=["bearer"])],
        **settings,
    )
