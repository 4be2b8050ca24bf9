"""Makes the responses to programs whose access token is not valid or not enough: problem details and a challenge.

No such response redirects, shows a page or sets a cookie.
"""

import secrets
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from asgi_oidc import events, telemetry
from asgi_oidc.audit import AccessDenied, RequestFailed, StepUpRequired, TokenRefused
from asgi_oidc.audit.reporting import report
from asgi_oidc.bearer.active_token import ActiveToken
from asgi_oidc.bearer.challenges import (
    INSUFFICIENT_SCOPE,
    INSUFFICIENT_USER_AUTHENTICATION,
    Challenges,
    Header,
    Scheme,
)
from asgi_oidc.bearer.proof_challenges import proof_challenges
from asgi_oidc.errors import (
    RETRY_AFTER,
    AccessTokenExpired,
    LoginRefused,
    NotSignedIn,
    OIDCError,
    ProofRejected,
    ProviderError,
    ProviderUnavailable,
    RefreshFailed,
    StoreUnavailable,
    TokenRejected,
)
from asgi_oidc.pages.pages import Pages
from asgi_oidc.policy.denials_log import log_denied
from asgi_oidc.policy.policy import Denial, MatchedPolicy, Refuse, StartLogin, StepUp
from asgi_oidc.protocol.step_up import AuthenticationRequest
from asgi_oidc.telemetry import catalogue
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

DESCRIPTION = "The access token is expired, revoked, malformed, or not valid for this API"

_OUTAGES = (ProviderUnavailable, RefreshFailed, StoreUnavailable)


@dataclass(frozen=True, slots=True, repr=False)
class BearerDenials:
    """Makes the responses to denied requests with access tokens."""

    challenges: Challenges
    pages: Pages

    def response(
        self,
        denial: Denial,
        request: Request,
        matched: MatchedPolicy,
        *,
        scheme: Scheme,
        active: ActiveToken | None = None,
    ) -> Response:
        """Return the response to a denied request.

        Args:
            scheme: with which the token was sent.
            active: the token; None if it is not valid.
        """
        match denial:
            case StartLogin():
                return self._invalid(TokenRejected("token_revoked", "it ended during the request"), request, scheme)
            case StepUp():
                return self._step_up(denial.authentication, request, scheme, active)
            case Refuse():
                return self._forbidden(denial, request, matched, scheme, active)
            case TokenRejected() | NotSignedIn():
                return self._invalid(denial, request, scheme)
            case OIDCError():
                return self._failed(denial, request, active)
            case other:
                assert_never(other)

    def _invalid(self, error: OIDCError, request: Request, scheme: Scheme) -> Response:
        """Return a 401: the token does not count. Anyone can cause this, so the log tells it below WARNING."""
        events.log(events.TOKEN_REFUSED, status=401, method=request.method, code=error.code, detail=error.detail)
        report(TokenRefused, code=error.code)
        telemetry.count(catalogue.TOKENS, outcome="refused", code=error.code)
        telemetry.count(catalogue.DENIALS, status=401, code=error.code)
        response = self.pages.problem(request, 401, error.code, "problem.token_invalid")
        return response.with_headers(*self._invalid_challenges(error, request, scheme))

    def _invalid_challenges(self, error: OIDCError, request: Request, scheme: Scheme) -> list[Header]:
        challenges = self.challenges.at(request.path.own)
        if isinstance(error, ProofRejected):
            return proof_challenges(error, challenges, scheme=scheme)
        return [challenges.token_refused(DESCRIPTION, scheme=scheme)]

    def _step_up(
        self, authentication: AuthenticationRequest, request: Request, scheme: Scheme, active: ActiveToken | None
    ) -> Response:
        """Return a 401: the client needs a token of a stronger or fresher login (RFC 9470 §3)."""
        events.log(events.LOGIN_REQUIRED, status=401, method=request.method)
        acr_values, max_age, of = tuple(authentication.acr_values), authentication.max_age, _owner(active)
        report(
            StepUpRequired, acr_values=acr_values, max_age=max_age, issuer=of.issuer, sub=of.sub, provider=of.provider
        )
        telemetry.count(catalogue.DENIALS, status=401, code=INSUFFICIENT_USER_AUTHENTICATION)
        response = self.pages.problem(
            request, 401, INSUFFICIENT_USER_AUTHENTICATION, "problem.step_up_required", **authentication.problem_members
        )
        return response.with_headers(self.challenges.at(request.path.own).step_up(authentication, scheme=scheme))

    def _forbidden(
        self,
        refusal: Refuse,
        request: Request,
        matched: MatchedPolicy,
        scheme: Scheme,
        active: ActiveToken | None,
    ) -> Response:
        """Return a 403: the token lacks the rights; with all scopes of the path if a scope is missing."""
        why, of = refusal.why, _owner(active)
        reference = log_denied(method=request.method, provider=of.provider, why=why, hint=refusal.hint)
        report(
            AccessDenied,
            why=why,
            reference=reference,
            credential="bearer",
            issuer=of.issuer,
            sub=of.sub,
            provider=of.provider,
            client_id=of.client_id,
        )
        if not refusal.scopes:
            return self.pages.problem(request, 403, "forbidden", "problem.forbidden", reference=reference)
        scopes = tuple(dict.fromkeys((*matched.scopes, *refusal.scopes)))
        response = self.pages.problem(
            request, 403, INSUFFICIENT_SCOPE, "problem.forbidden", reference=reference, scope=" ".join(scopes)
        )
        return response.with_headers(self.challenges.at(request.path.own).scope_missing(scopes, scheme=scheme))

    def _failed(self, error: OIDCError, request: Request, active: ActiveToken | None) -> Response:
        """Return the response to an outage, a refusal by the app or a mistake: never access."""
        reference, (status, title) = secrets.token_hex(6), _status_and_title(error)
        cause = error.__cause__ if status == 500 else None
        events.log(
            events.REQUEST_FAILED,
            error=cause,
            provider=error.provider,
            code=error.code,
            detail=error.detail,
            reference=reference,
        )
        of = _owner(active)
        provider = error.provider or of.provider
        report(RequestFailed, code=error.code, reference=reference, provider=provider, issuer=of.issuer, sub=of.sub)
        telemetry.count(catalogue.TOKENS, outcome="not_checked", code=error.code)
        telemetry.count(catalogue.DENIALS, status=status, code=error.code)
        response = self.pages.problem(request, status, error.code, title, reference=reference)
        if status != 503:
            return response
        wait = error.retry_after if isinstance(error, _OUTAGES) else RETRY_AFTER
        return response.with_headers((b"retry-after", str(wait).encode("ascii")))


class _Owner(NamedTuple):
    """Whose token it is, for the audit trail; all None if the token is not valid."""

    issuer: str | None = None
    sub: str | None = None
    provider: str | None = None
    client_id: str | None = None


def _owner(active: ActiveToken | None) -> _Owner:
    if active is None:
        return _Owner()
    token = active.access_token
    return _Owner(token.issuer, token.sub, active.provider or None, token.client_id or None)


def _status_and_title(error: OIDCError) -> tuple[int, str]:
    """Return the status of a failure, and the id of its title."""
    match error:
        case ProviderUnavailable() | RefreshFailed() | StoreUnavailable() | AccessTokenExpired():
            return 503, "problem.token_unavailable"
        case ProviderError():  # whatever an answer says, it is about us, and not about the client of this request
            return 502, "problem.token_not_checked"
        case LoginRefused():
            return 403, "problem.forbidden"
        case _:
            return 500, "problem.failed"
