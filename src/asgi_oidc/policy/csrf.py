"""Cross-site request forgery: a page of another site never acts with the session of our user.

`Request.may_be_forged` recognizes such a request; this module says why it is refused, and checks websockets.
"""

from collections.abc import Collection

from asgi_oidc.errors import RequestRejected
from asgi_oidc.web.request import Request


def is_own_websocket(request: Request, *, origin: str, allowed: Collection[str]) -> bool:
    """Say whether a websocket is opened by a page of ours: browsers let any site open one with our cookies."""
    return request.header(b"origin") in (origin, *allowed)


def refused_origin(request: Request) -> RequestRejected:
    """Say what is wrong with the origin of a request."""
    is_stated = request.has(b"origin") or request.has(b"sec-fetch-site")
    detail = (
        "a page of another site" if is_stated else "no Origin: expected the origin of base_url, or of a rule's origins"
    )
    return RequestRejected("foreign_origin", detail, status=403)
