"""What those get whom the policy does not let through: a login, a page that says why, or a problem for a program."""

import secrets
from typing import assert_never

from asgi_oidc import events
from asgi_oidc.composition import Parts
from asgi_oidc.endpoints.login import own_path, start_login
from asgi_oidc.errors import OIDCError, RequestRejected, StoreUnavailable
from asgi_oidc.login.interrupted_forms import MAX_FORM_SIZE, MAX_SEALED_FORM_LENGTH, InterruptedForm
from asgi_oidc.policy.policy import MatchedPolicy, Refuse, StartLogin, StepUp
from asgi_oidc.principal import User
from asgi_oidc.protocol.step_up import ANOTHER_ACCOUNT, ANY_LOGIN, AuthenticationRequest
from asgi_oidc.request_body import read_form_body
from asgi_oidc.sessions.authentication import who_was
from asgi_oidc.sessions.digests import digest
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request, read_form
from asgi_oidc.web.response import Response, challenge

FORM_ID_BYTES = 12  # random bytes
MAX_PAGE_LENGTH = (
    1024  # characters of a way back to the page of a form; it is sealed twice, and has to fit into a cookie
)
STEP_UP_REQUIRED = "insufficient_user_authentication"  # RFC 9470 §3


async def deny(
    decision: StartLogin | StepUp | Refuse,
    request: Request,
    parts: Parts,
    place: MatchedPolicy,
    live: ActiveSession | None,
    receive: Receive | None,
) -> Response:
    """Answer an http request that the app does not get.

    Args:
        receive: gives the body, None where it may have been read.
    """
    match decision:
        case StartLogin() | StepUp():
            return await _login_needed(decision, request, parts, place, receive)
        case Refuse():
            return forbidden(decision, request, parts, place, live)
        case other:
            assert_never(other)


async def _login_needed(
    decision: StartLogin | StepUp, request: Request, parts: Parts, place: MatchedPolicy, receive: Receive | None
) -> Response:
    if not place.may_redirect or request.is_prefetch:
        return unauthorized(decision, request, parts)
    return_to, ask = own_path(request.target, parts), decision.ask
    if not request.is_navigation:
        is_sent_by_a_person = request.wants_page or (request.shows_html and not request.is_htmx)
        if request.has_form and is_sent_by_a_person:
            return await _stop_form(decision, request, parts, receive, target=return_to)
        return unauthorized(decision, request, parts, shows_html=request.shows_html)
    if parts.settings.keep_fragment and return_to is not None:
        answer = parts.pages.sign_in.keeping_fragment(login=parts.urls.login_for(ask, return_to))
        return answer.with_headers(challenge(parts.urls.login, {}))
    try:
        return await start_login(request, parts, return_to=return_to, ask=ask)
    except OIDCError as error:
        return parts.failures.response(request, error, return_to=return_to)


def unauthorized(
    decision: StartLogin | StepUp, request: Request, parts: Parts, *, shows_html: bool = False
) -> Response:
    """Tell a program that its user has to sign in, or to sign in again in a better way (RFC 9470 §3).

    Args:
        shows_html: what the program gets is shown to a person.
    """
    # A script's user should come back to the page that the script runs on, not to the script's URL.
    ask = decision.ask
    url = parts.urls.login_for(ask, _page_of(request, parts))
    events.log(events.LOGIN_REQUIRED, status=401, method=request.method)
    if shows_html:
        return _sign_in(decision, request, parts, url)
    if isinstance(decision, StartLogin):
        answer = parts.pages.problem(401, "login_required", "problem.login_required", login_url=url)
        return answer.with_headers(challenge(parts.urls.login, {}))
    name = STEP_UP_REQUIRED
    asked: dict[str, object] = {"acr_values": list(ask.acr_values)} if ask.acr_values else {}
    asked |= {} if ask.max_age is None else {"max_age": ask.max_age}
    answer = parts.pages.problem(401, name, "problem.step_up_required", login_url=url, **asked)
    return answer.with_headers(challenge(parts.urls.login, {"error": name, **ask.parameters}))


def _sign_in(decision: StartLogin | StepUp, request: Request, parts: Parts, url: str) -> Response:
    told = {"error": STEP_UP_REQUIRED, **decision.ask.parameters} if isinstance(decision, StepUp) else {}
    answer = parts.pages.sign_in.required(request, login=url, is_step_up=isinstance(decision, StepUp))
    answer = answer.with_headers(challenge(parts.urls.login, told))
    # htmx follows this header whatever the status is, but for redirects.
    return answer.with_headers((b"hx-redirect", url.encode("ascii"))) if request.is_htmx else answer


def forbidden(
    refusal: Refuse, request: Request, parts: Parts, place: MatchedPolicy, live: ActiveSession | None
) -> Response:
    """Tell a signed-in user that this account may not, and never send them round."""
    reference = secrets.token_hex(6)
    why, hint = refusal.why, refusal.hint
    events.log(events.ACCESS_DENIED, status=403, method=request.method, why=why, hint=hint, reference=reference)
    return_to = own_path(request.target, parts) if request.is_navigation else _page_of(request, parts)
    ask = place.ask or ANY_LOGIN
    switch = parts.urls.login_for(AuthenticationRequest(ask.acr_values, ask.max_age, ANOTHER_ACCOUNT), return_to)
    is_for_a_person = request.is_navigation or request.shows_html or (request.wants_page and request.has_form)
    if live is not None and place.may_redirect and is_for_a_person:
        user = User(live.session.login.sub, live.session.login.issuer, live.session.tokens.written_claims)
        return parts.pages.denied.forbidden(
            request, name=user.display_name, email=user.email, another_account=switch, reference=reference
        )
    name, needed = "forbidden", {}
    if refusal.scopes:  # RFC 6750 §3.1
        name, needed = "insufficient_scope", {"scope": " ".join(refusal.scopes)}
    answer = parts.pages.problem(403, name, "problem.forbidden", reference=reference, login_url=switch, **needed)
    return answer.with_headers(challenge(parts.urls.login, {"error": name, **needed}))


def foreign(request: Request, parts: Parts) -> Response:
    """Refuse what a page of another site would do in the name of the user."""
    stated = request.has(b"origin") or request.has(b"sec-fetch-site")
    detail = (
        "a page of another site" if stated else "no Origin: expected the origin of base_url, or of a rule's origins"
    )
    return parts.failures.response(request, RequestRejected("foreign_origin", detail, status=403))


async def _stop_form(
    decision: StartLogin | StepUp, request: Request, parts: Parts, receive: Receive | None, *, target: str | None
) -> Response:
    """Answer a form that a person has sent: it is not lost without a word, and may be kept."""
    ask, sealed = decision.ask, None
    is_own = request.wants_page and request.is_form and request.is_same_origin(parts.origin)
    if parts.settings.keep_forms and is_own and receive is not None and target is not None:
        sealed = await _sealed(request, parts, receive, target=target)
    events.log(events.FORM_STOPPED, is_kept=sealed is not None)
    page, is_step_up = _page_of(request, parts), isinstance(decision, StepUp)
    back = None if page is None else parts.origin + page
    if sealed is None:
        kept_page = page if page is not None and len(page) <= MAX_PAGE_LENGTH else None
        lost = InterruptedForm(target="", page=kept_page, pairs=[], sub=None, created_at=parts.now())
        login = parts.urls.login_for(ask, f"{parts.form_path}?form={parts.forms.seal(lost)}")
        answer = parts.pages.forms.not_sent(request, login=login, back=back, is_step_up=is_step_up)
    else:
        action = parts.urls.form_for(ask)
        answer = parts.pages.forms.kept(request, action=action, sealed=sealed, back=back, is_step_up=is_step_up)
    return answer.with_headers(challenge(parts.urls.login, {}))


async def _sealed(request: Request, parts: Parts, receive: Receive, *, target: str) -> str | None:
    """Seal a form; None where it is too large, or is none that can be sent again as it was."""
    try:
        pairs = read_form(await read_form_body(request, receive, largest=MAX_FORM_SIZE))
        was = await who_was(request, parts)
    except (RequestRejected, StoreUnavailable):
        return None
    if any("\0" in text for pair in pairs for text in pair):  # a parser of HTML makes another character of it
        return None
    sub = None if was is None else digest(was.session.login.sub)
    form = InterruptedForm(
        target=target,
        page=_page_of(request, parts),
        pairs=pairs,
        sub=sub,
        created_at=parts.now(),
        id=secrets.token_urlsafe(FORM_ID_BYTES),
    )
    sealed = parts.forms.seal(form)
    fits = len(sealed) <= MAX_SEALED_FORM_LENGTH and parts.cookie_budget.has_room_for(sealed, request.cookies)
    return sealed if fits else None


def _page_of(request: Request, parts: Parts) -> str | None:
    url = request.page_url
    return own_path(url, parts) if url.startswith(f"{parts.origin}/") else None
