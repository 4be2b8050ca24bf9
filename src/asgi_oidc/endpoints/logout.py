"""POST /auth/logout: ends the session here, then at the provider (RP-Initiated Logout 1.0 §2)."""

import anyio

from asgi_oidc import events
from asgi_oidc.composition import Parts
from asgi_oidc.endpoints.endpoint import Endpoint
from asgi_oidc.endpoints.login import own_path
from asgi_oidc.errors import ProviderError, RequestRejected
from asgi_oidc.login.endpoint_urls import with_return_to
from asgi_oidc.logout.landing import is_goal_public, landing_url, signed_out
from asgi_oidc.logout.logout_state import LogoutState
from asgi_oidc.logout.sign_out import sign_out_everywhere
from asgi_oidc.protocol.end_session import MAX_URL_LENGTH, end_session_parameters, with_parameters
from asgi_oidc.request_body import read_form_body
from asgi_oidc.sessions.authentication import may_sign_out, who_was
from asgi_oidc.sessions.digests import digest
from asgi_oidc.sessions.revocations import AT_ONCE
from asgi_oidc.sessions.session import REPLACED_GRACE, Session, ends_for_good_at
from asgi_oidc.tokens.revoke import revoke
from asgi_oidc.urls import check_url, origin_of
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request, read_form
from asgi_oidc.web.response import Response, redirect

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
        action = with_return_to(parts.urls.logout, _return_to(request.parameters(), parts))
        return parts.pages.sign_out.confirm(action=action)
    session, endpoint = await _find(request, parts), None
    if session is not None:
        endpoint = await _sign_out(session, parts)
    return_to = _return_to(await _parameters(request, receive), parts)  # by now nothing can stop the sign-out
    response = _send_on(request, session, endpoint, return_to, parts)
    return response.with_cookies(parts.sessions.delete(request.cookies)).with_cookies(
        [*parts.rounds.delete(request.cookies), *parts.forms.delete(request.cookies)]
    )


def _is_wanted(request: Request, parts: Parts) -> bool:
    if request.is_same_origin(parts.origin):
        # Browsers without Fetch Metadata do not say that a GET is for a picture; but they accept no page then.
        return request.method == "POST" or request.has(b"sec-fetch-site") or request.wants_page
    # A POST without any sign of where it came from is no browser's: they all send Origin with it.
    silent = not any(request.has(name) for name in (b"sec-fetch-site", b"origin", b"referer"))
    return request.method == "POST" and silent


async def _find(request: Request, parts: Parts) -> Session | None:
    """Return the session to end, None if it has ended already."""
    live = await who_was(request, parts)
    if live is None:
        await parts.afterwards.run_shielded(lambda: parts.sessions.end_unread(request.cookies))
        return None
    return live.session if may_sign_out(live.session, parts, now=parts.now()) else None


async def _sign_out(session: Session, parts: Parts) -> str | None:
    """Sign out here and at the provider, even if the browser disconnects and the server cancels the request.

    Returns:
        The URL where the browser has to sign out at the provider, where there is one.
    """

    async def sign_out() -> str | None:
        await _end(session, parts)
        events.log(events.LOGGED_OUT)
        return await _end_there(session, parts)

    # A second click waits for the first, and gets the same.
    endpoint: str | None = await parts.afterwards.run_to_the_end(f"sign-out {digest(session.id)}", sign_out)
    return endpoint


async def _end(session: Session, parts: Parts) -> None:
    login, now = session.login, parts.now()
    if parts.ended.over_from(login) == AT_ONCE and parts.ended.ended_at(login, now=now) is not None:
        return  # a second click: nothing is left to end, and who has signed in since stays
    is_replaced = ends_for_good_at(session, parts.limits) - now <= REPLACED_GRACE or parts.ended.was_replaced(
        session.id
    )
    await parts.sessions.end(session)
    if is_replaced and login.sid is not None:
        # A tab that was slow: another one has signed in meanwhile, in the same session at the provider.
        await sign_out_everywhere(parts, sub=login.sub, sid=login.sid)


async def _parameters(request: Request, receive: Receive) -> list[tuple[str, str]]:
    """Read the query and the form; what cannot be read is no reason to stay signed in."""
    parameters: list[tuple[str, str]] = []
    try:
        parameters += request.parameters()
        if request.method == "POST" and request.is_form:
            parameters += read_form(await read_form_body(request, receive))
    except RequestRejected as error:
        events.log(events.RETURN_TO_IGNORED, reason=error.code)
    return parameters


def _return_to(parameters: list[tuple[str, str]], parts: Parts) -> str | None:
    values = [value for name, value in parameters if name == "return_to"]
    return own_path(values[0], parts) if len(values) == 1 else None


def _send_on(
    request: Request, session: Session | None, endpoint: str | None, return_to: str | None, parts: Parts
) -> Response:
    """Send the browser to the provider, or straight to where it would come back to."""
    back = parts.settings.landing_url
    way_back = LogoutState(return_to=return_to, is_everywhere=endpoint is not None, created_at=parts.now())
    state = parts.ways_back.write(way_back)
    if session is not None and endpoint is not None:
        parameters = end_session_parameters(
            parts.client, id_token_hint=session.tokens.id_token, post_logout_redirect_uri=back, state=state
        )
        return _end_session(request, endpoint, parameters, parts)
    if is_goal_public(return_to, request, parts):
        return redirect(landing_url(return_to, parts))
    # A page that is protected would sign the browser in again at once; with the state, it says that it is signed out.
    if parts.settings.landing_path is not None:
        return redirect(with_parameters(back, state=state))
    return signed_out(way_back, parts) if request.wants_page else redirect(back)


def _end_session(request: Request, endpoint: str, parameters: dict[str, str], parts: Parts) -> Response:
    """Send the browser to the provider: with a redirect, or with a form if the URL would be too long.

    A program can send no form; without the ID Token, the provider asks the person.
    """
    url = with_parameters(endpoint, **parameters)
    if len(url) <= MAX_URL_LENGTH:
        return redirect(url)
    if request.wants_page:
        provider, back = origin_of(check_url(endpoint)), parts.settings.landing_url
        return parts.pages.sign_out.at_provider(action=endpoint, fields=parameters, provider=provider, back=back)
    del parameters["id_token_hint"]
    return redirect(with_parameters(endpoint, **parameters))


async def _end_there(session: Session, parts: Parts) -> str | None:
    """Revoke the refresh token, and find out where to sign out at the provider, both at once."""
    endpoint: str | None = None

    async def find() -> None:
        nonlocal endpoint
        endpoint = await _end_session_endpoint(parts)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(find)
        tasks.start_soon(revoke, session.tokens.refresh_token, parts)
    return endpoint


async def _end_session_endpoint(parts: Parts) -> str | None:
    with anyio.move_on_after(METADATA_DEADLINE):
        try:
            return (await parts.provider.metadata()).end_session_endpoint
        except ProviderError as error:
            events.log(events.PROVIDER_FAILED, code=error.code, detail=error.detail, fallback="a local sign-out")
    return None


ENDPOINT = Endpoint(("GET", "POST"), logout)
