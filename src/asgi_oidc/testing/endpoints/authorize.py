"""The fake authorization endpoint: RFC 6749 §4.1.1, OpenID Connect Core §3.1.2, RFC 8707 §2.1, RFC 9126 §4."""

import urllib.parse

from ..authorization import why_not_redirected
from ..authorization_response import authorization_response
from ..grants import Grant, SignIn
from ..pages import login_page, message_page
from ..provider_rules import ProviderRules
from ..provider_state import COOKIE
from ..targets import named_in_query
from ..wire import Answer, Call, html_answer
from .authorization_request import RequestRefused, authorization_request, use_up


def authorize(provider: ProviderRules, call: Call) -> Answer:
    """Show the login page, or send the browser back with a code or an error, which uses up a pushed request."""
    try:
        request = authorization_request(provider, call)
    except RequestRefused as refused:
        return _refusal_page(str(refused))
    client = provider.clients.get(request.params.get("client_id", ""))
    problem = why_not_redirected(client, request)
    if client is None or problem:
        return _refusal_page(problem)
    response = _response_to(provider, request, provider.why_unfit(call.params))
    if response is not None:
        use_up(provider, call)
        return response
    page = login_page(
        provider.personas.values(),
        issuer=provider.issuer,
        action="?" + urllib.parse.urlencode(call.query),
        client_id=client.client_id,
        login_hint=request.params.get("login_hint", ""),
    )
    return html_answer(page)


def _refusal_page(problem: str) -> Answer:
    return html_answer(message_page("This login cannot continue", problem), 400)


def _response_to(provider: ProviderRules, request: Call, unfit: tuple[str, str] | None) -> Answer | None:
    """Return the authorization response; None while the user has to sign in.

    Args:
        unfit: The error of a request that came in a way that the provider does not accept.
    """
    params = request.params
    error = unfit or provider.why_refused(params) or provider.why_no_target(request) or provider.why_no_details(params)
    if error:
        return authorization_response(provider, params, [("error", error[0]), ("error_description", error[1])])
    if request.form.get("cancel"):
        return authorization_response(provider, params, [("error", provider.cancel_error)])
    sign_in = _current_sign_in(provider, request)
    if sign_in is not None:
        return _give_code(provider, request, sign_in)
    return (
        authorization_response(provider, params, [("error", "login_required")])
        if params.get("prompt") == "none"
        else None
    )


def _current_sign_in(provider: ProviderRules, call: Call) -> SignIn | None:
    picked = provider.personas.get(call.form.get("sub", "")) or provider.signed_in_as
    if picked is not None:
        return SignIn(picked, provider.now())
    remembered = provider.memory.sign_ins.get(call.cookies.get(COOKIE, ""))
    if remembered is None or call.params.get("prompt") in ("login", "select_account"):
        return None
    max_age = call.params.get("max_age", "")
    is_fresh = not max_age.isdigit() or provider.now() - remembered.auth_time <= int(max_age)
    return remembered if is_fresh else None


def _give_code(provider: ProviderRules, call: Call, sign_in: SignIn) -> Answer:
    params = call.params
    code = provider.random_text()
    grant = Grant(
        sign_in,
        params["client_id"],
        provider.requested_scopes(params),
        nonce=params.get("nonce") if provider.has_nonce else None,
        acr=next(iter(params.get("acr_values", "").split()), None),
        redirect_uri=params["redirect_uri"],
        code_challenge="" if provider.pkce == "refused" else params.get("code_challenge", ""),
        made_at=provider.now(),
        resources=named_in_query(call, "resource"),
        authorization_details=provider.grant_details(params.get("authorization_details")),
        params=params,
    )
    provider.memory.keep_code(code, grant)
    response = [("code", code), *provider.authorization_response(sign_in, params)]
    return authorization_response(provider, params, response).having(set_cookie=provider.remember(sign_in))
