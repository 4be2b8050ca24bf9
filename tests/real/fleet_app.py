"""An app for many processes; `tests.real.fleet_app:app` takes its settings from OIDC_...

`/token` asks for the access token and tells which process answered, for whom, and a hash of the token; `/slow` waits
for the file that FLEET_GATE names; everything else tells the same without a token.
"""

import os
from hashlib import sha256
from typing import Any

import anyio
import msgspec

from asgi_oidc import OIDCMiddleware


async def tell(scope: Any, receive: Any, send: Any) -> None:
    """Answer with who is there."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/slow":
        while not await anyio.Path(os.environ["FLEET_GATE"]).exists():  # noqa: ASYNC110  # the event is another process's
            await anyio.sleep(0.02)
    token = await scope["oidc"].access_token() if scope["path"] == "/token" else ""
    said = {"process": os.getpid(), "sub": scope["user"].sub, "token": sha256(token.encode()).hexdigest()}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": msgspec.json.encode(said)})


if "OIDC_ISSUER" in os.environ:
    app = OIDCMiddleware.from_env(tell, scope="openid offline_access", public=["/public"])
