"""Rules for the tools of an MCP server, and the user in its tools.

    from asgi_oidc import Bearer, OIDCMiddleware
    from asgi_oidc.integrations.mcp import ToolRule, protect_tools

    app = protect_tools(mcp.streamable_http_app(), [ToolRule("delete_*", scopes=["files:write"])])
    app = OIDCMiddleware(app, ..., bearer=Bearer(audience="https://files.example.com/mcp"))

A tool finds its user with `user_of(ctx)`, and tokens for other APIs with `oidc_of(ctx)`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, Unpack

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from asgi_oidc.asgi.scope_oidc import OIDC
from asgi_oidc.errors import describe_value
from asgi_oidc.integrations.mcp_messages import MessageRejected, read_again, read_message
from asgi_oidc.integrations.refusals import Refusal
from asgi_oidc.integrations.route_checks import (
    RequirementKeywords,
    Terms,
    check_user,
    find_user,
    granted_scopes,
    read_terms,
)
from asgi_oidc.principal import ANONYMOUS, AnonymousUser, BearerUser, User
from asgi_oidc.web.asgi_types import ASGIApp, Receive, Scope, Send

INVALID_REQUEST = -32600  # JSON-RPC 2.0 §5.1


class ToolRule:
    """What a user needs to call a tool, in addition to the rules for the path of the MCP server."""

    __slots__ = ("_is_prefix", "_name", "terms")

    def __init__(self, tool: str, **requirements: Unpack[RequirementKeywords]) -> None:
        """Require something for a tool. All rules that match a tool apply together.

        Args:
            tool: its name, or how its name begins: `delete_*`; `*` means every tool.
            requirements: as in `Rule`: `claims`, `scopes`, `email_domains`, `acr_values`, `max_age`, `providers`,
                `credentials`, `machines`, `client_ids`.

        Raises:
            ValueError: the name or a requirement is invalid.
        """
        if not isinstance(tool, str) or not tool or "*" in tool[:-1]:
            raise ValueError(f"expected the name of a tool, with * at its end only, got {describe_value(tool)}")
        self._is_prefix = tool.endswith("*")
        self._name = tool.removesuffix("*")
        self.terms = read_terms(**requirements)

    def matches(self, tool: str) -> bool:
        """Return whether the rule applies to a tool."""
        return tool.startswith(self._name) if self._is_prefix else tool == self._name


def protect_tools(app: ASGIApp, rules: Sequence[ToolRule] = ()) -> ASGIApp:
    """Wrap the ASGI app of an MCP server, inside `OIDCMiddleware`: check the rules, and tell the SDK who calls.

    A user who lacks a scope gets 403 with `insufficient_scope` before the server sees the request, and MCP clients then
    ask the user for it. The SDK binds its sessions to the user, and its `get_access_token()` has the claims and scopes
    of the user, but not the token: an MCP server must not pass it on. Nor do tools see the cookies of the request.

    Args:
        app: such as `mcp.streamable_http_app()`; nothing but MCP messages may be posted to it.
        rules: for its tools; by default, every user that the path of the server lets in may call every tool.

    Raises:
        ValueError: a rule is not a `ToolRule`.
    """
    for rule in rules:
        if not isinstance(rule, ToolRule):
            raise ValueError(f"expected a rule such as ToolRule('delete_*'), got {describe_value(rule)}")
    return _ProtectedTools(AuthContextMiddleware(app), tuple(rules))


class ToolContext(Protocol):
    """What the SDK gives a tool: `ctx: Context`."""

    @property
    def request_context(self) -> Any:
        """The request that calls the tool."""


def user_of(ctx: ToolContext) -> User | AnonymousUser:
    """Return the user who calls a tool.

    Raises:
        RuntimeError: the tool is not called over HTTP, or the app is not wrapped in `OIDCMiddleware`.
    """
    return find_user(_scope_of(ctx)) or ANONYMOUS


def oidc_of(ctx: ToolContext) -> OIDC:
    """Return `scope["oidc"]` of the request that calls a tool; `exchange_token(...)` gets a token for another API.

    Raises:
        RuntimeError: the tool is not called over HTTP, or the app is not wrapped in `OIDCMiddleware`.
    """
    oidc = _scope_of(ctx).get("oidc")
    if not isinstance(oidc, OIDC):
        raise RuntimeError('scope["oidc"] is not set by asgi-oidc: wrap the app in OIDCMiddleware')
    return oidc


def _scope_of(ctx: ToolContext) -> Scope:
    scope: Scope | None = getattr(ctx.request_context.request, "scope", None)
    if scope is None:
        raise RuntimeError("the tool is not called over HTTP, so there is no user")
    return scope


class _SessionCaller(User, AuthenticatedUser):
    """Our user, with what the SDK wants to know of one."""


class _BearerCaller(BearerUser, AuthenticatedUser):
    """The same, with an access token."""


def _caller(user: User, scope: Scope) -> User:
    kind: type[_SessionCaller | _BearerCaller] = _BearerCaller if isinstance(user, BearerUser) else _SessionCaller
    caller = kind.__new__(kind)
    for name in (name for parent in type(user).__mro__ for name in getattr(parent, "__slots__", ())):
        setattr(caller, name, getattr(user, name))
    caller.access_token = AccessToken(
        token="",  # it is not passed on
        client_id=user.client_id or "",
        scopes=granted_scopes(scope),
        expires_at=scope["oidc"].expires_at,
        subject=user.sub,
        claims={**user.claims, "iss": user.issuer},
    )
    caller.scopes = caller.access_token.scopes
    return caller


def _server_scope(scope: Scope) -> Scope:
    """Return the scope that the server gets: with a user that the SDK knows, and without credentials."""
    if (user := find_user(scope)) is None:
        return scope
    return {**scope, "user": _caller(user, scope), "headers": _without_credentials(scope["headers"])}


def _without_credentials(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    # Tools see the headers of the request, and some pass all of them on.
    return [(name, value) for name, value in headers if name.lower() not in (b"authorization", b"dpop", b"cookie")]


class _ProtectedTools:
    def __init__(self, app: ASGIApp, rules: Sequence[ToolRule]) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"MCP messages are served over http, not over {scope['type']}")
        server_scope = _server_scope(scope)
        if not self._rules or scope["method"] != "POST":
            await self._app(server_scope, receive, send)
            return
        try:
            message = await read_message(receive)
        except MessageRejected as rejected:
            error = {"code": INVALID_REQUEST, "message": str(rejected)}
            await _send_json(send, rejected.status, {"jsonrpc": "2.0", "id": None, "error": error}, {})
            return
        if message is None:
            return
        body, tools = message
        if (refusal := self._check(scope, tools)) is not None:
            headers = {**refusal.headers, "content-type": "application/problem+json"}
            await _send_json(send, refusal.status, refusal.problem, headers)
            return
        await self._app(server_scope, read_again(body, receive), send)

    def _check(self, scope: Scope, tools: Sequence[str]) -> Refusal | None:
        """Return why the user may not call these tools."""
        terms = [rule.terms for rule in self._rules if any(rule.matches(tool) for tool in tools)]
        scopes = dict.fromkeys(scope for one in terms for scope in one.requirements.scopes)
        # All scopes at once, and last: the challenge names those that the client needs for the whole message.
        of_all_rules = [Terms().with_scopes(tuple(scopes))] if scopes else []
        for one in (*(one.with_scopes(()) for one in terms), *of_all_rules):
            if isinstance(refused := check_user(scope, one), Refusal):
                return refused
        return None


async def _send_json(send: Send, status: int, content: object, headers: Mapping[str, str]) -> None:
    body = json.dumps(content).encode()
    fields = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": False})
