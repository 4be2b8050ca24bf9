"""GET or POST /auth/callback: finishes a login (OIDC Core §3.1.2.5 to §3.1.3.7, RFC 9207)."""

from collections.abc import Mapping

from asgi_oidc import events
from asgi_oidc.composition import Parts
from asgi_oidc.endpoints.endpoint import Endpoint
from asgi_oidc.endpoints.login import CLAIM_PARAMETER, KeptForm, start_login
from asgi_oidc.errors import LoginLoop, OIDCError, ProviderRefused, RequestRejected, StoreUnavailable
from asgi_oidc.login.interrupted_forms import MAX_SEALED_FORM_LENGTH, FormClaim
from asgi_oidc.login.login_loops import MAX_LOGINS_IN_A_ROW, LoginCount
from asgi_oidc.login.login_transactions import LOGIN_LIFETIME, RESTARTED, Transaction, is_live
from asgi_oidc.login.on_login import admit
from asgi_oidc.login.sign_in import Claims, LoginStart, begin, new_session, sign_in
from asgi_oidc.protocol.authorization import (
    AuthorizationResponse,
    check_response_issuer,
    has_login_page_expired,
    read_authorization_response,
)
from asgi_oidc.protocol.claims import merge_claims
from asgi_oidc.protocol.id_token import Expected
from asgi_oidc.protocol.oauth_error import make_oauth_error
from asgi_oidc.protocol.step_up import AuthenticationRequest
from asgi_oidc.protocol.tokens import TokenAnswer
from asgi_oidc.request_body import read_form_body
from asgi_oidc.sessions.authentication import authenticate
from asgi_oidc.sessions.digests import digest
from asgi_oidc.sessions.session import MAX_SKEW
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.tokens.revoke import revoke_of_login
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request, read_form
from asgi_oidc.web.response import Response, redirect


async def callback(request: Request, parts: Parts, receive: Receive) -> Response:
    """Read the response, find its login, use it up, and sign the user in.

    Raises:
        OIDCError: the request is none that we accept, or the provider gives no metadata.
    """
    if request.is_prefetch:
        raise RequestRejected(
            "not_a_navigation", "a prefetch does not complete a login; the login can still be finished"
        )
    response = await _read_response(request, receive)
    transaction = parts.transactions.find(response.state or "", request.cookies)
    if transaction is None or not is_live(transaction, now=parts.now()):
        return await _nobody_waits(request, parts, response, transaction)
    try:
        # Anybody can call this, so what all share is touched last; and until the login is used up, with the provider or
        # the store down, reloading the page can still finish it.
        await parts.provider.metadata()
        code = await _checked_code(request, parts, response, transaction)
        answered = await parts.afterwards.run_shielded(
            lambda: _finish_once(request, parts, response, code, transaction)
        )
    except (RequestRejected, ProviderRefused) as error:
        answered = await _not_finished(request, parts, response, transaction, error)
        answered = answered.with_cookies([parts.transactions.delete(transaction.state, transaction.session_id)])
    except OIDCError as error:
        answered = parts.failures.response(request, error, return_to=transaction.return_to)
    return answered


async def _not_finished(
    request: Request, parts: Parts, response: AuthorizationResponse, transaction: Transaction, error: OIDCError
) -> Response:
    """Restart a login once if its page at the provider has expired; report any other failure."""
    is_first = request.wants_page and not request.is_prefetch and not transaction.state.endswith(RESTARTED)
    if not (is_first and has_login_page_expired(response)):
        return parts.failures.response(request, error, return_to=transaction.return_to)
    events.log(events.LOGIN_REPEATED, going_to="a fresh login", code=error.code, detail=error.detail)
    ask, return_to = AuthenticationRequest(tuple(transaction.acr_values), transaction.max_age), transaction.return_to
    form = None if transaction.form is None else KeptForm(transaction.form, transaction.form_size)
    try:
        return await start_login(request, parts, return_to=return_to, ask=ask, again=True, form=form)
    except OIDCError as failed:
        return parts.failures.response(request, failed, return_to=transaction.return_to)


async def _finish_once(
    request: Request, parts: Parts, response: AuthorizationResponse, code: str, transaction: Transaction
) -> Response:
    """Use the login up and finish it, even if its browser disconnects: it could not be finished later.

    Raises:
        StoreUnavailable: it is not used up.
    """
    beginning = await _use_up(transaction, parts)
    try:
        if beginning is not None:
            answered = await _finish(request, parts, code, transaction, beginning)
        else:
            answered = await _nobody_waits(request, parts, response, transaction)
    except OIDCError as error:
        answered = parts.failures.response(request, error, return_to=transaction.return_to)
    answered = answered.with_cookies([parts.transactions.delete(transaction.state, transaction.session_id)])
    return answered.with_cookies(_make_room(request, parts, transaction, answered.cookies))


def _make_room(request: Request, parts: Parts, transaction: Transaction, lines: list[bytes]) -> list[bytes]:
    cookies: Mapping[str, str] = request.cookies
    if transaction.form_post:  # a form of the provider's site does not bring it along: it may be there
        cookies = parts.forms.with_form(cookies, "?" * (transaction.form_size or MAX_SEALED_FORM_LENGTH))
    return parts.cookie_budget.make_room(cookies, lines, now=parts.now(), keeps_form=transaction.form is not None)


async def _read_response(request: Request, receive: Receive) -> AuthorizationResponse:
    if request.method == "POST":
        return read_authorization_response(read_form(await read_form_body(request, receive)))
    return read_authorization_response(request.parameters())


async def _use_up(transaction: Transaction, parts: Parts) -> LoginStart | None:
    """Make at most one token call per callback, in all processes that share a store, even if two arrive at once.

    Returns:
        None where it was used before.

    Raises:
        StoreUnavailable: nobody can tell; it is not used up. Neither could a session be written then.
    """
    if parts.shared is not None and not await _mark_used(transaction, parts, parts.shared):
        return None
    # A store may lose things, so the process remembers as well.
    is_first = parts.used.add(digest(transaction.state), now=parts.now(), lifetime=LOGIN_LIFETIME)
    return begin(transaction, parts) if is_first else None


async def _mark_used(transaction: Transaction, parts: Parts, shared: GuardedStore) -> bool:
    key = parts.records.login_key(transaction.state)
    # By the clock of another process the login may live longer.
    if not await shared.add(key, b"1", lifetime=LOGIN_LIFETIME + MAX_SKEW):
        return False
    try:
        await parts.log.catch_up_together()
    except StoreUnavailable:
        await shared.remove(key)
        raise
    return True


async def _nobody_waits(
    request: Request, parts: Parts, response: AuthorizationResponse, transaction: Transaction | None
) -> Response:
    """Answer a callback that is repeated, bookmarked, too late or planted; its code is never used."""
    if not request.wants_page:
        raise RequestRejected("transaction_missing", "this browser has no such login in progress")
    state, now = response.state or "", parts.now()
    if await authenticate(request, parts, now=now) is not None:
        events.log(events.LOGIN_REPEATED, going_to="home")
        if transaction is None and not parts.transactions.is_there(state, request.cookies):
            # Another tab has finished it, or of many tabs it was one too many: a live session is no loop.
            return redirect(parts.settings.home)
        # Another server may take the session for none, and send the browser to sign in again.
        done = parts.rounds.count(request.cookies, now=now)
        if done >= MAX_LOGINS_IN_A_ROW:
            raise LoginLoop("login_loop_with_cookie", f"{done} logins in a row")
        return redirect(parts.settings.home).with_cookies([parts.rounds.write(LoginCount(done + 1, now, now))])
    if _is_second_try(request, parts, state, transaction):
        if transaction is None and parts.transactions.is_there(state, request.cookies):
            raise RequestRejected("transaction_unreadable", "the cookie of the login is there, sealed by somebody else")
        raise RequestRejected("transaction_missing", "no state, or twice in a row without the cookie of the login")
    events.log(events.LOGIN_REPEATED, going_to="a fresh login")
    return_to = transaction.return_to if transaction else None
    return await start_login(request, parts, return_to=return_to, again=True)


def _is_second_try(request: Request, parts: Parts, state: str, transaction: Transaction | None) -> bool:
    if transaction is not None or state.endswith(RESTARTED):  # the browser keeps cookies, or says that it does not
        return state.endswith(RESTARTED)
    return not state or parts.transactions.goes_in_circles(request.cookies, now=parts.now())


async def _finish(
    request: Request, parts: Parts, code: str, transaction: Transaction, beginning: LoginStart
) -> Response:
    tokens = await parts.provider.exchange_code(code, code_verifier=transaction.code_verifier)
    sub = None
    try:
        said = await parts.provider.check_id_token(tokens.id_token, _expected(parts, transaction, tokens))
        sub = str(said["sub"])
        parts.ended.remember_user(sub=sub, sid=said.get("sid"))
        return await _admit_and_sign_in(request, parts, tokens, said, transaction, beginning)
    except OIDCError:
        await revoke_of_login(tokens.refresh_token, parts, request, transaction, sub=sub)  # nobody will ever use it
        raise


async def _admit_and_sign_in(
    request: Request, parts: Parts, tokens: TokenAnswer, said: Claims, transaction: Transaction, beginning: LoginStart
) -> Response:
    scope = parts.settings.scope if tokens.scope is None else tokens.scope
    further = await parts.provider.access_token_claims(tokens.access_token, sub=said["sub"])
    told = await parts.provider.complete_claims(said, tokens, scope=scope, others=further)
    claims = merge_claims(told, further)
    admitted = await admit(parts, claims)
    session = new_session(
        parts,
        beginning,
        tokens,
        said,
        claims=claims,
        admitted=admitted,
        scope=scope,
        from_access_token=claims.keys() - told.keys(),
    )
    cookies = await sign_in(request, parts, session, transaction)
    if transaction.round is not None:
        cookies.append(parts.rounds.write(LoginCount(transaction.round + 1, transaction.created_at, parts.now())))
    user, form = digest(session.login.sub), transaction.form
    cookies += parts.forms.delete_others(request.cookies, sub=user, form=form, now=parts.now())
    return redirect(_destination(parts, transaction, session.id)).with_cookies(cookies)


async def _checked_code(
    request: Request, parts: Parts, response: AuthorizationResponse, transaction: Transaction
) -> str:
    # Some providers send errors without iss, or not as the form that was asked for: what they say has to be told.
    if response.error is None and (request.method == "POST") != transaction.form_post:
        raise RequestRejected("response_mode", "it did not come the way that was asked for")
    check_response_issuer(response, await parts.provider.metadata())
    if response.error is not None:
        raise _refused(response, transaction)
    if not response.code:
        raise RequestRejected("code_missing", "neither code nor error")
    return response.code


def _refused(response: AuthorizationResponse, transaction: Transaction) -> ProviderRefused:
    members = {"error": response.error, "error_description": response.error_description}
    secrets = (transaction.state, transaction.nonce, transaction.code_verifier, response.code or "")
    said = make_oauth_error(members, secrets)
    # Whoever reads the log should know that it proves nothing.
    return ProviderRefused(said.error, f"{said} (sent by the browser, so it may be forged)")


def _expected(parts: Parts, transaction: Transaction, tokens: TokenAnswer) -> Expected:
    return Expected(
        issuer=parts.settings.issuer,
        client_id=parts.settings.client_id,
        nonce=transaction.nonce,
        access_token=tokens.access_token,
        trusted_audiences=parts.settings.trusted_audiences,
        max_age=transaction.max_age,
        acr_values=transaction.acr_values,
    )


def _destination(parts: Parts, transaction: Transaction, session_id: str) -> str:
    if transaction.form is not None and transaction.return_to == parts.form_path:
        claim = parts.forms.write_claim(FormClaim(transaction.form, session_id))
        return f"{parts.origin}{parts.form_path}?{CLAIM_PARAMETER}={claim}"
    # Our origin comes first, so that no spelling of a path can ever become a host.
    return parts.origin + transaction.return_to if transaction.return_to else parts.settings.home


ENDPOINT = Endpoint(("GET", "POST"), callback)
