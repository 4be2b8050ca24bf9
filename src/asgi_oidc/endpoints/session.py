"""GET /auth/session: who am I, for a single-page app. Asking does not keep the session alive."""

from asgi_oidc.composition import Parts
from asgi_oidc.endpoints.endpoint import Endpoint
from asgi_oidc.principal import User
from asgi_oidc.sessions.authentication import authenticate, delete_over
from asgi_oidc.sessions.session import ends_for_good_at, expires_at
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, json_response


async def session(request: Request, parts: Parts, receive: Receive) -> Response:
    """Answer 200 with the user and when the session ends, or 401 with where to sign in."""
    live = await authenticate(request, parts, now=parts.now())
    if live is None:
        answer = parts.pages.problem(401, "login_required", "problem.not_signed_in", login_url=parts.urls.login)
        return answer.with_cookies(delete_over(request, parts))
    login, tokens = live.session.login, live.session.tokens
    user = User(login.sub, login.issuer, tokens.written_claims)
    return json_response(
        {
            "sub": user.sub,
            "issuer": user.issuer,
            "name": user.name,
            "email": user.email,
            "claims": user.claims,
            "scopes": tokens.scopes,
            "expires_at": expires_at(live.session, parts.limits),
            "ends_at": ends_for_good_at(live.session, parts.limits),
        }
    )


ENDPOINT = Endpoint(("GET", "HEAD"), session)
