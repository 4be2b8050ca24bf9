"""An API that takes bound tokens alone: to a key, with a proof that repeats a nonce of its own, or to a certificate."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asgi_oidc import Bearer, OIDCMiddleware
from asgi_oidc.testing import serve
from tests.protected_site import SECRET
from tests.real.certificates import Certificate
from tests.real.nginx import nginx_with
from tests.real.processes import free_port

WITH_PROOF = {"dpop": "require", "dpop_nonce": True}
WITH_CERTIFICATE = {
    "mtls": "require",
    "client_certificate_header": "Client-Cert",
    "client_certificate_proxies": ["127.0.0.1"],
}
NGINX = """\
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {server.chain};
        ssl_certificate_key {server.key};
        ssl_client_certificate {clients};
        ssl_verify_client optional;
        location / {{
            proxy_pass http://127.0.0.1:{app};
            proxy_set_header Client-Cert $ssl_client_escaped_cert;
        }}
    }}
"""


@dataclass
class Orders:
    """The API; it says who calls, and what the token is bound to.

    Attributes:
        url: without a trailing slash.
        refused: what came with the tokens that it refuses although they have not expired.
    """

    url: str
    refused: set[str] = field(default_factory=set)

    async def answer(self, request: Request) -> Response:
        """Say who calls; `/renewed` refuses the first token that it gets, so that the caller needs another one."""
        token = request.headers["authorization"]
        if request.url.path == "/renewed" and not self.refused:
            self.refused.add(token)
        if token in self.refused:
            challenge = f'{token.partition(" ")[0]} error="invalid_token"'
            return Response(status_code=401, headers={"www-authenticate": challenge})
        return JSONResponse({"sub": request.user.sub, **request.user.claims["cnf"]})


@contextlib.contextmanager
def orders_api(
    certificate: Certificate, settings: Mapping[str, Any], *, clients: str | None = None, audience: str | None = None
) -> Iterator[Orders]:
    """Serve the API while the block lasts.

    Args:
        settings: of the client that introspects tokens, beside its URL.
        clients: PEM file of the authority of its clients' certificates; with it, nginx is in front of the API, and
            tokens are bound to certificates, otherwise to keys.
        audience: of its tokens, which may have none; by default, its URL.
    """
    port, app_port = free_port(), free_port()
    orders = Orders(f"https://localhost:{port}" if clients else f"http://localhost:{app_port}")
    binding: dict[str, Any] = WITH_CERTIFICATE if clients else WITH_PROOF
    accepted = Bearer(audience or orders.url, allow_missing_audience=True, introspection_cache=0, **binding)
    routes = [Route("/{path:path}", orders.answer)]
    app = OIDCMiddleware(Starlette(routes=routes), base_url=orders.url, secret=SECRET, bearer=accepted, **settings)
    with contextlib.ExitStack() as stack:
        stack.enter_context(serve(app, port=app_port))
        if clients:
            server = NGINX.format(port=port, app=app_port, server=certificate, clients=clients)
            stack.enter_context(nginx_with(server, url=orders.url, ca=certificate.ca))
        yield orders
