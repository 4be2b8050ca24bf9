"""An app that calls an API for its users; `tests.real.fapi_app:app` takes its settings from OIDC_...

It has the pages of `tests.real.app`, and `/orders/...`, which passes on what the API at ORDERS_URL says to it, with the
certificate in the file that ORDERS_CERTIFICATE names, if any.
"""

import os
import ssl

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asgi_oidc import OIDCMiddleware
from tests.real.app import PUBLIC, bare_app


def calling_app(api: str, certificate: str | None = None) -> Starlette:
    """Make the app without its protection.

    Args:
        api: URL of the API, without a trailing slash.
        certificate: file with the certificate and the key with which it is called.
    """
    trust = ssl.create_default_context()  # it knows SSL_CERT_FILE
    if certificate is not None:
        trust.load_cert_chain(certificate)

    async def orders(request: Request) -> Response:
        """Pass on what the API says."""
        auth = request.scope["oidc"].httpx_auth(api)
        async with httpx.AsyncClient(auth=auth, verify=trust, timeout=60, trust_env=False) as caller:
            answer = await caller.get(f"{api}/{request.path_params['path']}")
        said = answer.json() if answer.is_success else answer.text
        return JSONResponse({"status": answer.status_code, "said": said})

    app = bare_app()
    app.router.routes.insert(0, Route("/orders/{path:path}", orders))
    return app


if "OIDC_ISSUER" in os.environ:
    app = OIDCMiddleware.from_env(
        calling_app(os.environ["ORDERS_URL"], os.environ.get("ORDERS_CERTIFICATE")), public=PUBLIC
    )
