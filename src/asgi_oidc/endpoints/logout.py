"""POST /auth/logout: ends the session here, then at the provider (RP-Initiated Logout 1.0 §2)."""

import secrets

import anyio

from asgi_oidc import events
from asgi_oidc.authenticate import who_was
from asgi_oidc.endpoints.endpoint import Endpoint, Receive
from asgi_oidc.errors import ProviderError, RequestRejected
from asgi_oidc.parts import Parts
from asgi_oidc.protocol.end_session import end_session_url
from asgi_oidc.revoke import revoke
from asgi_oidc.sessions.session import Session
from asgi_oidc.web.pages import confirm_logout_page
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, page, redirect

METADATA_DEADLINE = 3.0  # seconds; a provider that is down does not hold up a sign-out


async def logout(request: Request, parts: Parts, receive: Receive) -> Response:
    """Sign out when one of our own pages asks for it; ask the person when it came from elsewhere.

    Raises:
        RequestRejected: a look ahead, or another site's script.
        StoreUnavailable: the session could not be ended; the browser keeps it, to try again.
    """
    if request.is_prefetch or request.is_subresource:
        raise RequestRejected("not_a_navigation", "a look ahead or a picture in a page signs nobody out")
    if not _is_wanted(request, parts):
        if not request.wants_page:
            raise RequestRejected("foreign_origin", "another site may not sign our users out", status=403)
        return page(confirm_logout_page(action=parts.urls.logout, home=parts.settings.home), status=200)
    live = await who_was(request, parts)
    session = None if live is None else live.session
    if session is not None:
        await parts.sessions.end(session)
        events.log(events.LOGGED_OUT)
    else:
        await parts.sessions.end_unread(request.cookies)
    target = await _target(session, parts)
    return redirect(target).with_cookies(parts.sessions.delete(request.cookies))


def _is_wanted(request: Request, parts: Parts) -> bool:
    if request.is_same_origin(parts.origin):
        return True
    # A POST without any sign of where it came from is no browser's: they all send Origin with it.
    silent = not any(request.has(name) for name in (b"sec-fetch-site", b"origin", b"referer"))
    return request.method == "POST" and silent


async def _target(session: Session | None, parts: Parts) -> str:
    back = parts.settings.post_logout_redirect_uri or parts.settings.base_url
    if session is None:
        return back
    endpoint = await _end_session_endpoint(parts)
    await revoke(session.tokens.refresh_token, parts)
    if endpoint is None:
        return back
    return end_session_url(
        endpoint,
        parts.client,
        id_token_hint=session.tokens.id_token,
        post_logout_redirect_uri=back,
        state=secrets.token_urlsafe(16),
    )


async def _end_session_endpoint(parts: Parts) -> str | None:
    with anyio.move_on_after(METADATA_DEADLINE):
        try:
            return (await parts.provider.metadata()).end_session_endpoint
        except ProviderError as error:
            events.log(events.PROVIDER_FAILED, code=error.code, detail=error.detail, going_on_with="a local logout")
    return None


ENDPOINT = Endpoint(("GET", "POST"), logout)
