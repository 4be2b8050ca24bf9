"""GET and POST /auth/form: what becomes of a form that found nobody signed in."""

import msgspec

from asgi_oidc import events
from asgi_oidc.composition import Parts
from asgi_oidc.endpoints.endpoint import Endpoint
from asgi_oidc.endpoints.login import CLAIM_PARAMETER, KeptForm, start_login
from asgi_oidc.errors import RequestRejected
from asgi_oidc.login.interrupted_forms import FormClaim, InterruptedForm
from asgi_oidc.principal import User
from asgi_oidc.request_body import read_form_body
from asgi_oidc.sessions.authentication import authenticate
from asgi_oidc.sessions.digests import digest
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request, read_form
from asgi_oidc.web.response import Response, redirect


async def form(request: Request, parts: Parts, receive: Receive) -> Response:
    """Keep a form and start the login, say after the login what has become of it, or forget it.

    Raises:
        RequestRejected: no page of ours asks for this.
        OIDCError: the login cannot be started.
    """
    if request.method == "POST":
        if not request.is_same_origin(parts.origin) or not request.wants_page:
            raise RequestRejected("foreign_origin", "another site may not send a form here", status=403)
        given = read_form(await read_form_body(request, receive))
        if _only(given, "discard") is not None:
            return _forget(request, parts)
        return await _keep(request, parts, _only(given, "form") or "")
    if not request.is_navigation:
        raise RequestRejected("not_a_navigation", "this is a page that a person opens")
    return await _tell(request, parts)


async def _keep(request: Request, parts: Parts, sealed: str) -> Response:
    kept, now, return_to = parts.forms.open(sealed, now=parts.now()), parts.now(), parts.form_path
    ask, form = parts.asks.read(_only(request.parameters(), "ask") or "", now=now), None
    if kept is not None and parts.cookie_budget.has_room_for(sealed, request.cookies):
        form = KeptForm(kept.id, len(sealed), sealed)
    elif kept is not None:
        lost = msgspec.structs.replace(kept, target="", pairs=[])
        return_to = f"{return_to}?form={parts.forms.seal(lost)}"
    return await start_login(request, parts, return_to=return_to, ask=ask, is_wanted=True, form=form)


def _forget(request: Request, parts: Parts) -> Response:
    kept = parts.forms.find(request.cookies, now=parts.now())
    back = parts.origin + kept.page if kept is not None and kept.page else parts.settings.home
    return redirect(back).with_cookies(parts.forms.delete(request.cookies))


async def _tell(request: Request, parts: Parts) -> Response:
    live = await authenticate(request, parts, now=parts.now())
    lost = parts.forms.open(_only(request.parameters(), "form") or "", now=parts.now())
    back = parts.origin + lost.page if lost is not None and lost.page else parts.settings.home
    pages = parts.pages.forms
    if live is None:
        return redirect(back)
    login, kept = live.session.login, parts.forms.find(request.cookies, now=parts.now())
    if kept is None:
        events.log(events.FORM_LOST, was_kept=lost is None)
        # Of a form that was kept nobody knows here whether it was sent by now.
        return pages.not_found(back=back) if lost is None else pages.lost(back=back)
    name = User(login.sub, login.issuer, live.session.tokens.written_claims).display_name
    if kept.sub is None and not _is_claimed(kept, live.session.id, request, parts):
        # Nobody knows whose it is: it is for the very login that was started from its page, and for no other.
        events.log(events.FORM_LOST, reason="another login")
        answer = pages.not_found(back=back)
        return answer.with_cookies(parts.forms.delete(request.cookies))
    if kept.sub not in (None, digest(login.sub)):
        events.log(events.FORM_LOST, reason="another user")
        answer = pages.of_other_user(name=name, back=back)
        return answer.with_cookies(parts.forms.delete(request.cookies))
    events.log(events.FORM_OFFERED)
    return pages.offer(name=name, origin=parts.origin, target=kept.target, pairs=kept.pairs, discard=parts.urls.form)


def _is_claimed(kept: InterruptedForm, session_id: str, request: Request, parts: Parts) -> bool:
    claim = parts.forms.read_claim(_only(request.parameters(), CLAIM_PARAMETER) or "")
    return claim is not None and claim == FormClaim(kept.id, session_id)


def _only(pairs: list[tuple[str, str]], wanted: str) -> str | None:
    values = [value for name, value in pairs if name == wanted]
    return values[0] if len(values) == 1 else None


ENDPOINT = Endpoint(("GET", "POST"), form)
