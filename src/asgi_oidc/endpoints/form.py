"""GET and POST /auth/form: what becomes of a form that found nobody signed in."""

from asgi_oidc import events
from asgi_oidc.authenticate import authenticate
from asgi_oidc.endpoints.endpoint import Endpoint, Receive, read_form_body
from asgi_oidc.endpoints.login import own_path, path_of_form, start_login
from asgi_oidc.errors import RequestRejected
from asgi_oidc.parts import Parts
from asgi_oidc.sessions.transactions import digest
from asgi_oidc.web.pages import form_again_page, form_lost_page
from asgi_oidc.web.request import Request, read_form
from asgi_oidc.web.response import Response, page, redirect


async def form(request: Request, parts: Parts, receive: Receive) -> Response:
    """Keep a form and start the login, or say after the login what has become of it.

    Raises:
        RequestRejected: no page of ours asks for this.
        OIDCError: the login cannot be started.
    """
    if request.method == "POST":
        return await _keep(request, parts, receive)
    if not request.is_navigation:
        raise RequestRejected("not_a_navigation", "this is a page that a person opens")
    return await _tell(request, parts)


async def _keep(request: Request, parts: Parts, receive: Receive) -> Response:
    if not request.is_same_origin(parts.origin) or not request.wants_page:
        raise RequestRejected("foreign_origin", "another site may not send a form here", status=403)
    sealed = _only(read_form(await read_form_body(request, receive)), "form") or ""
    kept = parts.forms.open(sealed, now=parts.now())
    ask = parts.asks.read(_only(request.parameters(), "ask") or "")
    return_to = path_of_form(parts, None if kept is None else kept.page)
    response = await start_login(request, parts, return_to=return_to, ask=ask, is_wanted=True)
    return response if kept is None else response.with_cookies([parts.forms.set_cookie(sealed)])


async def _tell(request: Request, parts: Parts) -> Response:
    live = await authenticate(request, parts, now=parts.now())
    page_of_form = own_path(_only(request.parameters(), "return_to") or "", parts)
    back = parts.origin + page_of_form if page_of_form else parts.settings.home
    if live is None:
        return redirect(back)
    kept = parts.forms.find(request.cookies, now=parts.now())
    is_anothers = kept is not None and kept.sub not in (None, digest(live.session.login.sub))
    if kept is None or is_anothers:
        answer = page(form_lost_page(back=back, is_anothers=is_anothers), status=200)
    else:
        back = parts.origin + kept.page if kept.page else back
        answer = page(form_again_page(target=parts.origin + kept.target, pairs=kept.pairs, back=back), status=200)
    events.log(events.FORM_OFFERED if kept and not is_anothers else events.FORM_LOST)
    return answer.with_cookies(parts.forms.delete(request.cookies))


def _only(pairs: list[tuple[str, str]], wanted: str) -> str | None:
    values = [value for name, value in pairs if name == wanted]
    return values[0] if len(values) == 1 else None


ENDPOINT = Endpoint(("GET", "POST"), form)
