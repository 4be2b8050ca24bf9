"""Prevents cross-site request forgery: pages of other sites cannot act with a user's session.

`Request.may_be_forged` recognizes such a request; this module checks websockets, and makes the error for both.
"""

from collections.abc import Collection

from asgi_oidc.errors import RequestRejected
from asgi_oidc.web.request import Request


def is_own_websocket(request: Request, *, origin: str, allowed: Collection[str]) -> bool:
    """Return whether a page of ours opens a websocket: browsers let any site open one, and send our cookies along.

    Args:
        origin: the origin of `base_url`.
        allowed: other origins, from the `origins` of a rule.
    """
    return request.header(b"origin") in (origin, *allowed)


def refused_origin(request: Request) -> RequestRejected:
    """Return the error that explains which origin was expected."""
    has_origin = request.has(b"origin") or request.has(b"sec-fetch-site")
    detail = (
        "the request comes from a page of another site"
        if has_origin
        else "no Origin header: expected the origin of base_url, or one of a rule's origins"
    )
    return RequestRejected("foreign_origin", detail, status=403)
