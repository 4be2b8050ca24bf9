"""The demo app: a home page, pages behind rules, a form, and the middleware around them."""

import secrets
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from asgi_oidc import OAuth2Provider, OIDCMiddleware, Provider, Rule
from asgi_oidc.cli.demo_pages import (
    MARK,
    STYLESHEET,
    admin_page,
    billing_page,
    home_page,
    me_page,
    missing_page,
    note_page,
    sent_note_page,
    staff_page,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# No form-action: some browsers apply it to redirects after a form too, and signing out redirects to the provider.
CSP = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
PAGE_HEADERS = {"content-type": "text/html; charset=utf-8"}
FILES = {
    "/static/demo.css": ("text/css; charset=utf-8", STYLESHEET),
    "/static/mark.svg": ("image/svg+xml", MARK),
}
PAGES = {
    "/": home_page,
    "/me": me_page,
    "/staff": staff_page,
    "/billing": billing_page,
    "/admin": admin_page,
    "/note": note_page,
}
RULES = (
    Rule("/staff", providers=["work"]),
    Rule("/billing", acr_values=["urn:example:mfa"]),
    Rule("/admin", claims={"roles": "admin"}),
)
MAX_NOTE_LENGTH = 10_000  # bytes of the form


def protected_demo(
    *, base_url: str, providers: Mapping[str, Provider | OAuth2Provider], **settings: Any
) -> OIDCMiddleware:
    """Return the demo app with the middleware around it; its secret is new, so sessions end with the process."""
    return OIDCMiddleware(
        demo_app,
        providers=providers,
        base_url=base_url,
        secret=secrets.token_urlsafe(32),
        public=["/", "/static/*"],
        rules=RULES,
        keep_forms=True,
        **settings,
    )


async def demo_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer an ASGI request; all that it knows about signing in is in the keys user, auth and oidc of its scope."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    if scope["type"] != "http":
        raise NotImplementedError(f"the demo serves only http, not {scope['type']}")
    path = scope["path"]
    if (scope["method"], path) == ("POST", "/note"):
        await _respond(scope, send, headers=PAGE_HEADERS, body=sent_note_page(scope, await _read_note(receive)))
        return
    if scope["method"] not in ("GET", "HEAD"):
        await _respond(scope, send, status=405, headers={"allow": "GET, HEAD"}, body="")
        return
    if path in FILES:
        media_type, content = FILES[path]
        await _respond(scope, send, headers={"content-type": media_type, "cache-control": "no-cache"}, body=content)
        return
    page = PAGES.get(path, missing_page)
    status = 200 if path in PAGES else 404
    await _respond(scope, send, status=status, headers=PAGE_HEADERS, body=page(scope))


async def _read_note(receive: Receive) -> str:
    """Return the field `note` of a form; the text is cut off where the form becomes too long."""
    body, more = b"", True
    while more and len(body) < MAX_NOTE_LENGTH:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    fields = urllib.parse.parse_qs(body[:MAX_NOTE_LENGTH].decode("ascii", "replace"))
    return fields.get("note", [""])[0]


async def _respond(scope: Scope, send: Send, *, status: int = 200, headers: Mapping[str, str], body: str) -> None:
    content = body.encode()
    named = {**HEADERS, "content-length": str(len(content)), **headers}
    raw = [(name.encode("ascii"), value.encode("ascii")) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})


async def _lifespan(receive: Receive, send: Send) -> None:
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})
