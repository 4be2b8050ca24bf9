"""GET /auth/frontchannel-logout: a page of the provider signs its browser out (Front-Channel Logout 1.0 §2).

It comes in a frame, from the browser, and proves nothing: it may end the session of that very browser, and the
answer tells nothing.
Browsers send our cookies into a frame only where the provider is on the same site as the app (`SameSite=Lax`).
"""

from hmac import compare_digest

from asgi_oidc import events
from asgi_oidc.composition import Parts
from asgi_oidc.endpoints.endpoint import Endpoint
from asgi_oidc.errors import RequestRejected
from asgi_oidc.sessions.authentication import may_sign_out, who_was
from asgi_oidc.urls import check_url, origin_of
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response


async def frontchannel_logout(request: Request, parts: Parts, receive: Receive) -> Response:
    """End the session of this browser when `iss` and `sid` name it; the answer is the same in any case.

    Raises:
        StoreUnavailable: nobody can tell.
    """
    if not parts.settings.frontchannel_logout:
        return parts.pages.problem(404, "frontchannel_logout_off", "problem.frontchannel_logout_off")
    answer = parts.pages.sign_out.in_frame(provider=origin_of(check_url(parts.settings.issuer)))
    sid = None if request.is_prefetch else _read_sid(request, parts)
    live = None if sid is None else await who_was(request, parts)
    if sid is None or live is None or not _is(live.session.login.sid, sid):
        return answer
    if not may_sign_out(live.session, parts, now=parts.now()):
        return answer
    session = live.session
    await parts.afterwards.run_shielded(lambda: parts.sessions.end(session))  # a frame may be gone in a moment
    events.log(events.LOGGED_OUT, by="the provider, in this browser")
    return answer.with_cookies(parts.sessions.delete(request.cookies))


def _read_sid(request: Request, parts: Parts) -> str | None:
    """Read `sid` where `iss` is our provider; each has to be there once."""
    try:
        parameters = request.parameters()
    except RequestRejected:
        return None
    issuers = [value for name, value in parameters if name == "iss"]
    sids = [value for name, value in parameters if name == "sid"]
    return sids[0] if issuers == [parts.settings.issuer] and len(sids) == 1 else None


def _is(known: str | None, sid: str) -> bool:
    return known is not None and compare_digest(known.encode("utf-8", "replace"), sid.encode("utf-8", "replace"))


ENDPOINT = Endpoint(("GET",), frontchannel_logout)
