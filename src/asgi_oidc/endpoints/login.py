"""GET /auth/login: starts a login, as does every page that needs one (OIDC Core §3.1.2.1)."""

import secrets

from asgi_oidc import events
from asgi_oidc.authenticate import is_over, who_was
from asgi_oidc.endpoints.endpoint import Endpoint, Receive
from asgi_oidc.errors import RequestRejected
from asgi_oidc.parts import Parts
from asgi_oidc.protocol.authorization import Proofs, authorization_url
from asgi_oidc.sessions.transactions import AGAIN, Before, Transaction, digest
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, redirect
from asgi_oidc.web.return_to import check_return_to

RANDOM = 32  # bytes in each of state, nonce and code_verifier (RFC 7636 §7.1)


async def login(request: Request, parts: Parts, receive: Receive) -> Response:
    """Start a login that comes back to `return_to`, or home.

    Raises:
        OIDCError: this is no page that a person opens, or the provider gives no metadata.
    """
    if request.denies_navigation:
        raise RequestRejected("not_a_navigation", "a login starts with a page that a person opens")
    return await start_login(request, parts, return_to=_return_to(request, parts))


async def start_login(request: Request, parts: Parts, *, return_to: str | None, again: bool = False) -> Response:
    """Send the browser to the provider, with a new login in progress.

    Args:
        return_to: path on our own site, checked; None for home.
        again: started by a callback that nobody waited for. The state says so, for where no cookie is kept.

    Raises:
        ProviderError: the provider gives no metadata.
        StoreUnavailable: the login could not be kept.
    """
    metadata = await parts.provider.metadata()
    state = secrets.token_urlsafe(RANDOM) + (AGAIN if again else "")
    proofs = Proofs(state, secrets.token_urlsafe(RANDOM), secrets.token_urlsafe(RANDOM))
    settings, now = parts.settings, parts.now()
    live = await who_was(request, parts)
    url = authorization_url(metadata, parts.client, proofs, scope=settings.scope, extra=settings.authorization_params)
    transaction = Transaction(
        state=proofs.state,
        nonce=proofs.nonce,
        code_verifier=proofs.code_verifier,
        return_to=return_to,
        form_post=settings.form_post,
        max_age=settings.max_age,
        acr_values=settings.acr_values,
        created_at=now,
        before=Before(live.session.id, digest(live.session.login.sub))
        if live and not is_over(live.session, parts, now=now)
        else None,
    )
    events.log(events.LOGIN_STARTED, again=again)
    return redirect(url).with_cookies(parts.transactions.write(transaction, request.cookies, now=now))


def own_path(value: str, parts: Parts) -> str | None:
    """Return a path that a browser may come back to, else None; a URL of our own origin counts as its path."""
    if value.startswith(parts.origin + "/"):
        value = value[len(parts.origin) :]
    checked = check_return_to(value, own_paths=parts.own_paths)
    if checked is None and value:
        events.log(events.RETURN_TO_IGNORED, reason="not a plain path of this site")
    return checked


def _return_to(request: Request, parts: Parts) -> str | None:
    values = [value for name, value in request.parameters() if name == "return_to"]
    return own_path(values[0], parts) if len(values) == 1 else None


ENDPOINT = Endpoint(("GET",), login)
