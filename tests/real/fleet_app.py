"""An app for many processes, which takes its settings from OIDC_...

A path that ends with `/token` asks for the access token; the answer tells which process it comes from, for whom, and a
hash of the token. What begins with `/slow` waits, and says so with a file in the folder that FLEET_GATE names, until
the file `open` is there. FLEET_CLOCK names a file with the seconds by which its clock is ahead, and FLEET_LOG turns its
log on.

    python -m tests.real.fleet_app 8000 8001    # an address that several processes share, and one of its own
"""

import logging
import os
import secrets
import socket
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import msgspec
import uvicorn

from asgi_oidc import OIDCMiddleware

CLOSE_DEADLINE = 1  # seconds that requests under way have when the process is asked to end


async def tell(scope: Any, receive: Any, send: Any) -> None:
    """Answer with who is there."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["type"] == "websocket":
        await listen_on(receive, send)
        return
    if scope["path"].startswith("/slow"):
        await gate(anyio.Path(os.environ["FLEET_GATE"]))
    token = await scope["oidc"].access_token() if scope["path"].endswith("/token") else ""
    said = {"process": os.getpid(), "sub": scope["user"].sub, "token": sha256(token.encode()).hexdigest()}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": msgspec.json.encode(said)})


async def listen_on(receive: Any, send: Any) -> None:
    """Accept a websocket, and hear until it is over."""
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        continue


async def gate(folder: anyio.Path) -> None:
    """Wait until the test opens it."""
    await (folder / secrets.token_hex()).touch()
    while not await (folder / "open").exists():  # noqa: ASYNC110  # no event reaches from process to process
        await anyio.sleep(0.02)


def clock() -> float:
    """Return the time, as the test has set it."""
    ahead = float(Path(os.environ["FLEET_CLOCK"]).read_text("ascii")) if "FLEET_CLOCK" in os.environ else 0.0
    return time.time() + ahead


def listen(port: int) -> socket.socket:
    """Listen where others may listen as well: the kernel shares the connections out."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the port may have had another server a moment ago
    listener.bind(("127.0.0.1", port))
    return listener


if "FLEET_LOG" in os.environ:
    logging.basicConfig(level=logging.INFO)
if "OIDC_ISSUER" in os.environ:
    app = OIDCMiddleware.from_env(tell, clock=clock, scope="openid offline_access", public=["/public"])

if __name__ == "__main__":
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=CLOSE_DEADLINE))
    server.run(sockets=[listen(int(port)) for port in sys.argv[1:]])
