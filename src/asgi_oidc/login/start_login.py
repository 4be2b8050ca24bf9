"""Starts a login: redirects the browser to the provider (OIDC Core §3.1.2.1)."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from asgi_oidc import events, telemetry
from asgi_oidc.errors import LoginLoop, OIDCError, RequestRejected
from asgi_oidc.login.cookie_budget import CookieBudget
from asgi_oidc.login.interrupted_forms import InterruptedForms, KeptForm
from asgi_oidc.login.login_loops import MAX_LOGINS_IN_A_ROW, LoginCount, LoginLoops
from asgi_oidc.login.login_transactions import IN_WINDOW, RESTARTED, Transaction, Transactions
from asgi_oidc.login.silent_login import with_result, without_result
from asgi_oidc.login.stale_cookies import StaleCookies
from asgi_oidc.protocol.authorization_details import digest
from asgi_oidc.protocol.authorization_endpoint import Proofs
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.safe_urls import host_name, is_address, is_loopback
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.sessions.repository import ActiveSession, SessionRepository
from asgi_oidc.telemetry import catalogue
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, redirect
from asgi_oidc.web.return_to import shorter_paths

WindowPage = Callable[[Request, str], Response]
"""Returns the page of a frame that opens a URL of the provider in a window."""

RANDOM_BYTES = 32  # in each of state, nonce and code_verifier (RFC 7636 §7.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSite:
    """The site on which logins start and end.

    Attributes:
        base_url: public URL of the app.
        form_path: path of our page that sends an interrupted form, or tells the user that it was not kept.
        redirect_uri: returns the URL to which a provider sends the browser back.
    """

    base_url: str
    origin: str
    form_path: str
    redirect_uri: Callable[[ProviderSettings], str]

    def page(self, return_to: str | None) -> str:
        """Return the absolute URL of a page to which a login returns; None stands for home."""
        # Our origin comes first, so that no spelling of a path can ever become a host.
        return self.origin + return_to if return_to else f"{self.base_url.rstrip('/')}/"

    def __repr__(self) -> str:
        return f"LoginSite(base_url={self.base_url!r})"


class LoginStarter:
    """Starts logins."""

    def __init__(
        self,
        site: LoginSite,
        *,
        authenticator: Authenticator,
        sessions: SessionRepository,
        transactions: Transactions,
        loops: LoginLoops,
        forms: InterruptedForms,
        budget: CookieBudget,
        stale_cookies: StaleCookies,
        now: Callable[[], int],
        window_page: WindowPage | None = None,
    ) -> None:
        """Set up the logins.

        Args:
            window_page: what a frame gets instead of a redirect to the provider; None if no frame may start logins.
        """
        self._site = site
        self._window_page = window_page
        self._authenticator = authenticator
        self._sessions = sessions
        self._transactions = transactions
        self._loops = loops
        self._forms = forms
        self._budget = budget
        self._stale_cookies = stale_cookies
        self._now = now
        self._has_warned_about_host = False

    def redirect_uri(self, provider: ProviderConnection) -> str:
        """Return the URL to which a provider sends the browser back; the token call repeats it (RFC 6749 §4.1.3)."""
        return self._site.redirect_uri(provider.settings)

    def keep_form(self, request: Request, form: KeptForm | None) -> list[bytes]:
        """Return the Set-Cookie lines that keep an interrupted form while the user chooses a provider."""
        if form is None or not form.sealed:
            return []
        lines = [self._forms.set_cookie(form.sealed)]
        return [*lines, *self._budget.make_room(request.cookies, lines, now=self._now(), keeps_form=True)]

    @telemetry.traced(catalogue.LOGIN)
    async def start(
        self,
        request: Request,
        provider: ProviderConnection,
        *,
        return_to: str | None,
        authentication: AuthenticationRequest = ANY_LOGIN,
        is_wanted: bool = False,
        is_from_third_party: bool = False,
        again: bool = False,
        form: KeptForm | None = None,
    ) -> Response:
        """Return the redirect to the provider, with the cookie of a new login in progress.

        Args:
            return_to: path on our own site, checked; None for home.
            authentication: what the login has to satisfy, in addition to the settings.
            is_wanted: whether the user has clicked to sign in; then a signed-in user is not in a login loop.
            is_from_third_party: whether another site asks for this login, even if no header tells.
            again: whether a callback without a login in progress starts it. The `state` records this, in case the
                browser keeps no cookies.
            form: an interrupted form that is kept during the login.

        Raises:
            LoginLoop: the browser has just signed in several times in a row.
            ProviderError: there is no provider metadata, or it does not support our logins.
            StoreUnavailable: the store does not answer.
            SessionTooLarge: the cookies of the session leave no room for what the login has to satisfy.
        """
        if not self._has_warned_about_host and request.is_navigation:
            self._warn_about_host(request)
        settings, now = provider.settings, self._now()
        telemetry.annotate(provider=settings.name)
        window_page = self._window_page_for(request, settings.is_silent(authentication), settings)
        state = secrets.token_urlsafe(RANDOM_BYTES) + ("" if window_page is None else IN_WINDOW)
        state += RESTARTED if again else ""
        nonce, code_verifier = secrets.token_urlsafe(RANDOM_BYTES), secrets.token_urlsafe(RANDOM_BYTES)
        authentication = settings.strengthen(authentication)
        before = await self._authenticator.find_even_if_over(request)
        active = None if before is None or self._authenticator.is_over(before.session) else before
        is_sent = is_from_third_party or request.is_sent_by_other_site(self._site.origin)
        # A login loop ends before this login calls the provider.
        login_count = None if is_wanted and active is not None else self._count_login(request, active, is_sent)
        try:
            proofs = Proofs(state, nonce, code_verifier, dpop_key=await provider.dpop_key())
            url = await provider.authorization_url(
                proofs, redirect_uri=self.redirect_uri(provider), authentication=authentication
            )
        except OIDCError as error:
            error.provider = settings.name or None
            raise
        transaction = Transaction(
            state=proofs.state,
            nonce=proofs.nonce,
            code_verifier=proofs.code_verifier,
            return_to=None if return_to is None else without_result(return_to),
            form_post=settings.form_post,
            signed_response=settings.signed_response,
            max_age=authentication.max_age,
            acr_values=list(authentication.acr_values),
            created_at=now,
            before=None if active is None else self._transactions.before(active.session.login),
            login_count=login_count,
            session_id=secrets.token_urlsafe(RANDOM_BYTES),
            is_from_elsewhere=is_from_third_party or request.is_from_elsewhere(self._site.origin),
            form_size=0 if form is None else form.size,
            form=None if form is None else form.id,
            provider=settings.label,
            is_silent=settings.is_silent(authentication),
            span_id=telemetry.current_span_id(),
            dpop_key="" if proofs.dpop_key is None else proofs.dpop_key.text,
            requested_details=tuple(digest(text) for text in authentication.authorization_details),
        )
        events.log(events.LOGIN_STARTED, again=again)
        lines = self._cookies(request, transaction, sealed_form="" if form is None else form.sealed, now=now)
        if before is not None or request.session_over_at is not None:
            self._stale_cookies.expect_login(request)
        response = redirect(url) if window_page is None else window_page(request, url)
        return response.with_cookies(lines)

    def _window_page_for(self, request: Request, is_silent: bool, settings: ProviderSettings) -> WindowPage | None:
        """Return what leads to the provider from a frame: most providers do not let others frame their login page.

        A silent login shows no page, so it stays in the frame.

        Raises:
            RequestRejected: the provider sends its response with a form, which cannot be handed over to the frame, or
                as a JWT, which the window cannot read: whether it belongs to a frame is in its `state`.
        """
        if self._window_page is None or not request.is_framed or is_silent:
            return None
        if settings.form_post:
            raise RequestRejected("not_a_navigation", "with form_post, a login cannot start in a frame")
        if settings.signed_response:
            raise RequestRejected("not_a_navigation", "with response_mode=jwt, a login cannot start in a frame")
        return self._window_page

    def silent_response(self, request: Request, return_to: str | None, *, result: str) -> Response:
        """Return the redirect to the app after a silent login that could not even start.

        Raises:
            LoginLoop: the app has just started several of them in a row.
        """
        now = self._now()
        count = self._loops.count(request.cookies, now=now)
        if count >= MAX_LOGINS_IN_A_ROW:
            raise LoginLoop("login_loop_without_cookie", f"{count} silent logins in a row")
        events.log(events.SILENT_LOGIN_FAILED, result=result)
        response = redirect(with_result(self._site.page(return_to), result))
        return response.with_cookies([self._loops.write(LoginCount(count + 1, now, now))])

    def _cookies(self, request: Request, transaction: Transaction, *, sealed_form: str, now: int) -> list[bytes]:
        cookies, budget = request.cookies, self._budget
        room = budget.room_for_logins(cookies, form=sealed_form)
        paths = self._shorter_paths(transaction.return_to)
        lines = [
            *self._stale_cookies.delete(request),
            *self._transactions.write(transaction, cookies, now=now, room=room, paths=paths),
        ]
        if sealed_form:
            lines.append(self._forms.set_cookie(sealed_form))
        lines += budget.make_room(cookies, lines, now=now, keeps_form=transaction.form is not None)
        if transaction.before is not None:  # cookies without an active session are about to be deleted
            budget.check_login_fits(cookies, lines)
        return lines

    def _shorter_paths(self, return_to: str | None) -> list[str | None]:
        """Return alternatives to a return path that is too long for a cookie, the best first."""
        if return_to is None:
            return []
        path, _, sealed = return_to.partition("?form=")
        unsaved_form = self._forms.open(sealed, now=self._now()) if path == self._site.form_path else None
        if unsaved_form is None:
            return [*shorter_paths(return_to)]
        return [f"{path}?form={self._forms.seal(msgspec.structs.replace(unsaved_form, page=None))}", path]

    def _count_login(self, request: Request, active: ActiveSession | None, is_sent: bool) -> int | None:
        """Count this login if it may be part of a loop: there is a session cookie, or another site led here.

        Args:
            is_sent: whether another site or a script led here.

        Returns:
            The number of logins just before this one; None if there is no sign of a loop.

        Raises:
            LoginLoop: there were too many logins in a row.
        """
        count = self._loops.count(request.cookies, now=self._now())
        has_session = self._sessions.has_cookie(request.cookies)
        if count < MAX_LOGINS_IN_A_ROW:
            return max(count, int(is_sent)) if count or has_session or is_sent else None
        detail = f"{count} logins in a row"
        if active is not None:
            raise LoginLoop("login_loop_signed_in", detail, status=403)
        raise LoginLoop("login_loop_with_cookie" if has_session else "login_loop_without_cookie", detail)

    def _warn_about_host(self, request: Request) -> None:
        """Warn once if the browser seems to use another host than `base_url`; no decision depends on it.

        The login cookie is set for that host, so the callback at `base_url` never gets it.
        """
        visited = host_name(request.header(b"host") or "")
        expected = host_name(self._site.origin.partition("://")[2])
        if visited in (None, expected) or expected is None:
            return
        # Scanners use IP addresses as the host, and some proxies send the address of the app.
        if is_address(visited) and not is_address(expected) and not is_loopback(expected):
            return
        self._has_warned_about_host = True
        events.log(
            events.HOST_MISMATCH,
            host=visited,
            base_url=self._site.base_url,
            what="a login that starts on this host cannot finish at base_url: browsers do not send its cookie there",
            fix="visit base_url, redirect this host to it, or add it to base_url; a proxy must forward Host unchanged",
        )
