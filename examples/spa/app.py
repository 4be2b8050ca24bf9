"""A single-page app that outlives its session: its script has the user sign in in a window of its own, and goes on."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from asgi_oidc import OIDCMiddleware, Rule

STATIC = Path(__file__).parent / "static"
CSP = {"content-security-policy": "default-src 'self'; base-uri 'none'; frame-ancestors 'none'"}

notes: dict[str, str] = {}  # by user; the provider is one, so `sub` names them


async def page(request: Request) -> FileResponse:
    """The app; whoever opens it has signed in."""
    return FileResponse(STATIC / "page.html", headers=CSP)


async def signed_in(request: Request) -> FileResponse:
    """Where the window of a login ends: it tells the page, and closes itself."""
    return FileResponse(STATIC / "signed-in.html", headers=CSP)


async def save(request: Request) -> JSONResponse:
    """Any user may do this."""
    notes[request.user.sub] = (await request.body()).decode("utf-8", "replace")
    return JSONResponse({"done": f"Saved {len(notes[request.user.sub])} characters for {request.user.display_name}."})


async def publish(request: Request) -> JSONResponse:
    """This needs a stronger login."""
    return JSONResponse({"done": f"Published by {request.user.display_name}."})


async def erase(request: Request) -> JSONResponse:
    """This needs the role."""
    notes.clear()
    return JSONResponse({"done": "Deleted the notes of everybody."})


routes = [
    Route("/", page),
    Route("/signed-in", signed_in),
    Route("/api/note", save, methods=["PUT"]),
    Route("/api/publication", publish, methods=["POST"]),
    Route("/api/notes", erase, methods=["DELETE"]),
    Mount("/static", StaticFiles(directory=STATIC)),
]
rules = [
    Rule("/api/*", login=False),  # 401 and 403 as JSON, never a redirect
    Rule("/api/publication", acr_values=["urn:example:mfa"], max_age=300),
    Rule("/api/notes", claims={"roles": "admin"}),
]
app = OIDCMiddleware.from_env(Starlette(routes=routes), public=["/static/*"], rules=rules)
