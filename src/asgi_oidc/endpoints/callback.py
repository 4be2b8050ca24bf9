"""GET or POST /auth/callback: finishes a login (OIDC Core §3.1.2.5 to §3.1.3.7, RFC 9207)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from asgi_oidc import events, telemetry
from asgi_oidc.errors import LoginLoop, OIDCError, ProviderRefused, RequestRejected
from asgi_oidc.login.authorization_responses import AuthorizationResponses
from asgi_oidc.login.cookie_budget import CookieBudget
from asgi_oidc.login.failed_login_tokens import FailedLoginTokens
from asgi_oidc.login.finish_login import Claims, LoginFinisher, LoginStart
from asgi_oidc.login.interrupted_forms import (
    CLAIM_PARAMETER,
    MAX_SEALED_FORM_LENGTH,
    FormClaim,
    InterruptedForms,
    KeptForm,
)
from asgi_oidc.login.last_provider import LastProvider
from asgi_oidc.login.login_loops import MAX_LOGINS_IN_A_ROW, LoginCount, LoginLoops
from asgi_oidc.login.login_transactions import IN_WINDOW, RESTARTED, Transaction, Transactions, is_live
from asgi_oidc.login.on_login import OnLogin
from asgi_oidc.login.posted_name import add_posted_name
from asgi_oidc.login.silent_login import silent_result, with_result
from asgi_oidc.login.start_login import LoginStarter
from asgi_oidc.login.used_logins import UsedLogins
from asgi_oidc.pages.failures import Failures
from asgi_oidc.protocol.authorization_endpoint import AuthorizationResponse, has_login_page_expired
from asgi_oidc.protocol.claim_mapping import ClaimMapping
from asgi_oidc.protocol.claims import with_trusted_email
from asgi_oidc.protocol.dpop.make_proof import read_dpop_key
from asgi_oidc.protocol.step_up import AuthenticationRequest
from asgi_oidc.protocol.token_endpoint import TokenAnswer
from asgi_oidc.provider.connection import ProviderConnection, RequestedLogin
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session import UserId
from asgi_oidc.single_flight import SingleFlight
from asgi_oidc.telemetry import catalogue
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, redirect


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CallbackEndpoint:
    """Finishes logins.

    Attributes:
        origin: the origin of `base_url`.
        form_path: path of our page for interrupted forms.
        home: absolute URL of the start page.
        window_callback: what a window gets that a frame has opened: it hands the response over to the frame, where the
            cookie of the login is; None if no frame may start logins.
    """

    methods: ClassVar[tuple[str, ...]] = ("GET", "POST")

    responses: AuthorizationResponses
    logins: LoginStarter
    sign_in: LoginFinisher
    claim_mapping: ClaimMapping
    on_login: OnLogin
    used_logins: UsedLogins
    failed_login_tokens: FailedLoginTokens
    authenticator: Authenticator
    transactions: Transactions
    loops: LoginLoops
    forms: InterruptedForms
    last_provider: LastProvider
    budget: CookieBudget
    revocations: Revocations
    failures: Failures
    background: SingleFlight[Any]
    origin: str
    form_path: str
    home: str
    now: Callable[[], int]
    window_callback: Callable[[Request], Response] | None = None

    @telemetry.traced(catalogue.CALLBACK)
    async def handle(self, request: Request, receive: Receive, provider: ProviderConnection) -> Response:
        """Read the authorization response, find the login in progress, consume it, and sign the user in.

        Raises:
            OIDCError: the request is not acceptable, or the provider's metadata is unavailable.
        """
        telemetry.annotate(provider=provider.settings.name)
        if request.is_prefetch:
            raise RequestRejected(
                "not_a_navigation", "a prefetch does not finish a login; open the URL as a page to finish it"
            )
        answer = await self.responses.read(request, receive, provider)
        if self.window_callback is not None and _is_in_window(request, answer):
            return self.window_callback(request)
        transaction = self.transactions.find(answer.state or "", request.cookies)
        if transaction is not None and transaction.provider != provider.settings.label:
            # The defence against mix-up: each provider has a redirect URI of its own (RFC 9700 §4.4.2.2).
            raise RequestRejected("provider_mismatch", "this login was started at another provider")
        if transaction is not None:  # a response of the wrong form does not use up the login
            self.responses.check_form(answer, transaction, provider)
        if transaction is None or not is_live(transaction, now=self.now()):
            return await self._response_without_login(request, answer, transaction, provider)
        telemetry.link_earlier(transaction.span_id)
        try:
            # Anyone can send requests here, so everything is checked before the store is touched. Until the login is
            # consumed, the user can finish it by reloading, should the provider or the store be down.
            await provider.prepare()
            code = await self.responses.check(request, answer, transaction, provider)
            response: Response = await self.background.run_shielded(
                lambda: self._finish_once(request, answer, code, transaction, provider)
            )
        except (RequestRejected, ProviderRefused) as error:
            response = await self._failed_login_response(request, answer, transaction, provider, error)
            response = response.with_cookies([self.transactions.delete(transaction.state, transaction.session_id)])
        except OIDCError as error:
            response = self._failure_response(request, error, transaction, provider)
        return response

    async def _finish_once(
        self,
        request: Request,
        answer: AuthorizationResponse,
        code: str,
        transaction: Transaction,
        provider: ProviderConnection,
    ) -> Response:
        """Consume the login and finish it, even if the browser disconnects: it could not be finished later.

        Raises:
            StoreUnavailable: the login could not be consumed.
        """
        start = self.sign_in.begin(transaction) if await self.used_logins.add(transaction) else None
        try:
            if start is not None:
                response = await self._finish(request, answer, code, transaction, start, provider)
            else:
                response = await self._response_without_login(request, answer, transaction, provider)
        except OIDCError as error:
            response = self._failure_response(request, error, transaction, provider)
        response = response.with_cookies([self.transactions.delete(transaction.state, transaction.session_id)])
        return response.with_cookies(self._make_room(request, transaction, response.cookies))

    async def _finish(
        self,
        request: Request,
        answer: AuthorizationResponse,
        code: str,
        transaction: Transaction,
        start: LoginStart,
        provider: ProviderConnection,
    ) -> Response:
        tokens = await provider.exchange_code(
            code,
            code_verifier=transaction.code_verifier,
            redirect_uri=self.logins.redirect_uri(provider),
            dpop_key=read_dpop_key(transaction.dpop_key),
        )
        user = None
        try:
            tokens = provider.decrypted(tokens)
            claims = await provider.identify(tokens, _requested(transaction))
            user = UserId(str(claims["iss"]), str(claims["sub"]))
            self.revocations.remember_user(user, sid=claims.get("sid"))
            return await self._admit_and_sign_in(request, answer, tokens, claims, transaction, start, provider)
        except OIDCError as error:
            error.identified = user
            await self.failed_login_tokens.revoke(provider, tokens.refresh_token, request, transaction, user=user)
            raise

    async def _admit_and_sign_in(
        self,
        request: Request,
        answer: AuthorizationResponse,
        tokens: TokenAnswer,
        identity: Claims,
        transaction: Transaction,
        start: LoginStart,
        provider: ProviderConnection,
    ) -> Response:
        scope = provider.settings.scope if tokens.scope is None else tokens.scope
        dpop_key = read_dpop_key(transaction.dpop_key)
        user = await provider.complete_claims(identity, tokens, scope=scope, dpop_key=dpop_key)
        named = add_posted_name(user.claims, answer, provider.settings)
        trusted = with_trusted_email(named, trusted_domains=provider.settings.domains_trusted_at_login)
        claims = self.claim_mapping.apply(trusted)
        session = self.sign_in.new_session(
            start,
            tokens,
            identity,
            claims=claims,
            admitted=await self.on_login.admit(
                claims, provider=provider.settings.name, access_token=tokens.access_token
            ),
            scope=scope,
            provider=provider.settings,
            from_access_token=self.claim_mapping.names(user.from_access_token),
        )
        cookies = await self.sign_in.sign_in(request, session, transaction, provider=provider.settings)
        lasted = self.now() - transaction.created_at
        telemetry.observe(catalogue.LOGIN_DURATION, lasted, provider=provider.settings.name)
        cookies += self._count_login(transaction)
        cookies += self.last_provider.write(session.login.provider)
        owner, form = session.login.user_id, transaction.form
        cookies += self.forms.delete_others(request.cookies, user=owner, form=form, now=self.now())
        return redirect(self._destination(transaction, session.id)).with_cookies(cookies)

    def _destination(self, transaction: Transaction, session_id: str) -> str:
        if transaction.form is not None and transaction.return_to == self.form_path:
            claim = self.forms.write_claim(FormClaim(transaction.form, session_id))
            return f"{self.origin}{self.form_path}?{CLAIM_PARAMETER}={claim}"
        # Our origin comes first, so that no spelling of a path can ever become a host.
        return self.origin + transaction.return_to if transaction.return_to else self.home

    def _silent_response(self, transaction: Transaction, result: str, error: OIDCError) -> Response:
        """Go back to the app, which learns from the URL that the user is not signed in at the provider."""
        events.log(events.SILENT_LOGIN_FAILED, result=result, code=error.code, detail=error.detail)
        telemetry.annotate(outcome="not_silent", code=error.code)
        url = self.origin + transaction.return_to if transaction.return_to else self.home
        response = redirect(with_result(url, result))
        # Counted as a login: the page may start the next one at once.
        return response.with_cookies(self._count_login(transaction))

    def _count_login(self, transaction: Transaction) -> list[bytes]:
        if transaction.login_count is None:
            return []
        return [self.loops.write(LoginCount(transaction.login_count + 1, transaction.created_at, self.now()))]

    def _make_room(self, request: Request, transaction: Transaction, lines: list[bytes]) -> list[bytes]:
        cookies: Mapping[str, str] = request.cookies
        # A POST from the provider's site does not carry the SameSite=Lax cookie of a form: assume that there is one.
        if transaction.form_post:
            cookies = self.forms.with_form(cookies, "?" * (transaction.form_size or MAX_SEALED_FORM_LENGTH))
        return self.budget.make_room(cookies, lines, now=self.now(), keeps_form=transaction.form is not None)

    async def _failed_login_response(
        self,
        request: Request,
        answer: AuthorizationResponse,
        transaction: Transaction,
        provider: ProviderConnection,
        error: OIDCError,
    ) -> Response:
        """Restart a login once if its page at the provider has expired; report any other failure."""
        result = silent_result(error) if transaction.is_silent and request.wants_page else None
        if result is not None:
            return self._silent_response(transaction, result, error)
        may_restart = request.wants_page and not request.is_prefetch and not transaction.state.endswith(RESTARTED)
        if not (may_restart and has_login_page_expired(answer)):
            return self._failure_response(request, error, transaction, provider)
        events.log(events.LOGIN_REPEATED, going_to="a fresh login", code=error.code, detail=error.detail)
        telemetry.annotate(outcome="repeated")
        try:
            return await self.logins.start(
                request,
                provider,
                return_to=transaction.return_to,
                authentication=AuthenticationRequest(tuple(transaction.acr_values), transaction.max_age),
                again=True,
                form=None if transaction.form is None else KeptForm(transaction.form, transaction.form_size),
            )
        except OIDCError as start_error:
            return self._failure_response(request, start_error, transaction, provider)

    def _failure_response(
        self, request: Request, error: OIDCError, transaction: Transaction, provider: ProviderConnection
    ) -> Response:
        error.provider = provider.settings.name or None
        return self.failures.response(request, error, return_to=transaction.return_to)

    async def _response_without_login(
        self,
        request: Request,
        answer: AuthorizationResponse,
        transaction: Transaction | None,
        provider: ProviderConnection,
    ) -> Response:
        """Respond to a callback without a login in progress: repeated, bookmarked, late or planted by an attacker.

        Its code is never used. A page navigation gets one fresh login, unless a security profile forbids that; a second
        failure in a row is an error.
        """
        is_in_frame = self.window_callback is not None and request.is_framed
        if not request.wants_page and not is_in_frame:
            raise RequestRejected("transaction_missing", "this browser has no login in progress with this state")
        state = answer.state or ""
        if await self.authenticator.authenticate(request) is not None:
            return self._go_home(request, state, transaction)
        if self._is_second_try(request, state, transaction):
            if transaction is None and self.transactions.has_cookie(state, request.cookies):
                raise RequestRejected(
                    "transaction_unreadable", "the login cookie cannot be opened: was it sealed with another secret?"
                )
            raise RequestRejected("transaction_missing", "no state, or no login cookie twice in a row")
        if not provider.settings.restarts_logins:
            detail = f"no login in progress with this state; profile={provider.settings.profile!r} starts no other one"
            raise RequestRejected("transaction_missing", detail)
        events.log(events.LOGIN_REPEATED, going_to="a fresh login")
        telemetry.annotate(outcome="repeated")
        return_to = transaction.return_to if transaction else None
        return await self.logins.start(request, provider, return_to=return_to, again=True)

    def _go_home(self, request: Request, state: str, transaction: Transaction | None) -> Response:
        events.log(events.LOGIN_REPEATED, going_to="home")
        telemetry.annotate(outcome="repeated")
        if transaction is None and not self.transactions.has_cookie(state, request.cookies):
            # Another tab has finished this login, or its cookie made room for later ones: that is not a login loop.
            return redirect(self.home)
        # Counted as a login: another server may not accept the session, and send the browser to sign in again.
        now = self.now()
        login_count = self.loops.count(request.cookies, now=now)
        if login_count >= MAX_LOGINS_IN_A_ROW:
            raise LoginLoop("login_loop_with_cookie", f"{login_count} logins in a row")
        return redirect(self.home).with_cookies([self.loops.write(LoginCount(login_count + 1, now, now))])

    def _is_second_try(self, request: Request, state: str, transaction: Transaction | None) -> bool:
        """Return whether a restarted login has failed as well; without any cookie, `state` alone shows that."""
        if transaction is not None or state.endswith(RESTARTED):
            return state.endswith(RESTARTED)
        return not state or self.transactions.is_in_login_loop(request.cookies, now=self.now())


def _is_in_window(request: Request, answer: AuthorizationResponse) -> bool:
    """Return whether a login that a frame has started comes back in its own window: the frame has to finish it."""
    is_of_frame = (answer.state or "").removesuffix(RESTARTED).endswith(IN_WINDOW)
    return is_of_frame and request.is_navigation and not request.is_framed


def _requested(transaction: Transaction) -> RequestedLogin:
    return RequestedLogin(nonce=transaction.nonce, max_age=transaction.max_age, acr_values=transaction.acr_values)
