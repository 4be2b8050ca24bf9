"""POST /auth/backchannel-logout: the provider tells who has signed out (Back-Channel Logout 1.0 §2.5 to §2.8)."""

import logging

from asgi_oidc import events
from asgi_oidc.composition import Parts
from asgi_oidc.endpoints.endpoint import Endpoint
from asgi_oidc.errors import OIDCError, ProviderError, RequestRejected, StoreUnavailable, TokenRejected
from asgi_oidc.logout.sign_out import sign_out_everywhere
from asgi_oidc.protocol.logout_token import MAX_TOKEN_AGE, Logout
from asgi_oidc.request_body import read_form_body
from asgi_oidc.sessions.digests import digest
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request, read_form
from asgi_oidc.web.response import Response, json_response

TRY_AGAIN_AFTER = b"5"  # seconds
MINUTE = 60  # seconds
REFUSED_AGAIN = events.LOGOUT_REFUSED._replace(level=logging.INFO)  # for the same reason, in the same minute


async def backchannel_logout(request: Request, parts: Parts, receive: Receive) -> Response:
    """Check the logout token whole, then end what it names, once.

    Returns:
        200 when that is done; 400 and 413 for what cannot be; 503 for what can not be done now, so that the provider
        tries again.
    """
    try:
        token = _read_token(await read_form_body(request, receive))
        logout = await parts.provider.check_logout_token(token)
        _tell_of_missing_exp(logout, parts)
        await _sign_out_once(logout, parts, token=token)
    except (RequestRejected, TokenRejected) as error:
        status = 413 if isinstance(error, RequestRejected) and error.status == 413 else 400
        return _failed(error, parts, status, "invalid_request")
    except (StoreUnavailable, ProviderError) as error:
        return _failed(error, parts, 503, "temporarily_unavailable").with_headers((b"retry-after", TRY_AGAIN_AFTER))
    return json_response({})


def _read_token(body: bytes) -> str:
    parameters = read_form(body)
    names = [name for name, _ in parameters]
    if len(set(names)) < len(names):
        raise RequestRejected("parameters_doubled", "a parameter came twice")
    token = dict(parameters).get("logout_token", "")
    if not token:
        raise RequestRejected("logout_token_missing", "expected a form with logout_token")
    return token


def _tell_of_missing_exp(logout: Logout, parts: Parts) -> None:
    """Log once that the provider sends logout tokens without `exp`, which the specification requires."""
    if logout.has_exp or "logout_token_without_exp" in parts.notices:
        return
    parts.notices.add("logout_token_without_exp")
    what = f"the logout token has no exp; it is valid for {MAX_TOKEN_AGE} s from its iat, and its jti once"
    events.log(events.LOGOUT_TOKEN_WITHOUT_EXP, what=what, fix="nothing to change here; the provider should add exp")


async def _sign_out_once(logout: Logout, parts: Parts, *, token: str) -> None:
    if logout.sid is not None and logout.sub is not None and await parts.sessions.is_of_another(logout.sid, logout.sub):
        raise TokenRejected("claim_sub", "the session of this sid is that of somebody else")
    # To the end: a provider that hangs up after half of it would find its token used, and nobody signed out.
    await parts.afterwards.run_to_the_end(f"logout {digest(token)}", lambda: _use_up(logout, parts))


async def _use_up(logout: Logout, parts: Parts) -> None:
    name = parts.records.once_key(logout.jti)
    if await _was_used(name, parts):
        raise TokenRejected("claim_jti", "this logout token was used before")
    count = await sign_out_everywhere(parts, sub=logout.sub, sid=logout.sid)
    # Only now: what fails before can be tried again, and doing it twice does no harm.
    await _remember(name, parts, lifetime=logout.forget_at - parts.now())
    events.log(events.LOGGED_OUT, by="the provider", sessions=count if parts.store else "in browsers")


async def _was_used(name: str, parts: Parts) -> bool:
    return name in parts.used if parts.shared is None else await parts.shared.get(name) is not None


async def _remember(name: str, parts: Parts, *, lifetime: int) -> None:
    if parts.shared is None:
        parts.used.add(name, now=parts.now(), lifetime=lifetime)
    else:
        await parts.shared.add(name, b"1", lifetime=lifetime)


def _failed(error: OIDCError, parts: Parts, status: int, name: str) -> Response:
    """Say what is wrong in the words of OAuth (RFC 6749 §5.2), for the people who run the provider."""
    now = parts.now()
    # Operators have to see why; but anybody can post here, so each reason is a warning once a minute only.
    is_news = parts.used.add(f"logout_refused {error.code} {now // MINUTE}", now=now, lifetime=MINUTE)
    event = events.LOGOUT_REFUSED if is_news else REFUSED_AGAIN
    events.log(event, status=status, code=error.code, detail=error.detail)
    return json_response({"error": name, "error_description": error.code}, status=status)


ENDPOINT = Endpoint(("POST",), backchannel_logout)
