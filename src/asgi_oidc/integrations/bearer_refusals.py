"""What a route answers to clients with access tokens: a challenge instead of a login (RFC 6750 §3, RFC 9470 §3)."""

from collections.abc import Sequence

from asgi_oidc.asgi.scope_oidc import OIDC
from asgi_oidc.bearer.authorization_header import scheme_of
from asgi_oidc.bearer.challenges import INSUFFICIENT_SCOPE, INSUFFICIENT_USER_AUTHENTICATION, Challenges, Header
from asgi_oidc.integrations.refusals import Refusal, refusal
from asgi_oidc.integrations.route_denials import log_login_required, log_route_denied
from asgi_oidc.principal import User
from asgi_oidc.protocol.step_up import AuthenticationRequest
from asgi_oidc.web.request import Request


def token_needed(oidc: OIDC, request: Request, scopes: Sequence[str]) -> Refusal:
    """Return the 401 of a route that takes tokens only, to a client that has sent none."""
    log_login_required(method=request.method, code="token_required")
    return refusal(
        401,
        "token_required",
        oidc._title("problem.token_required", request.scope),
        token_challenge(oidc, request, scopes),
    )


def token_challenge(oidc: OIDC, request: Request, scopes: Sequence[str]) -> dict[str, str]:
    """Return the challenge to a client that has sent no token; empty if the app takes none."""
    challenges = _challenges_at(oidc, request)
    return {} if challenges is None else _header(challenges.token_missing(scopes))


def stronger_token_needed(oidc: OIDC, request: Request, authentication: AuthenticationRequest) -> Refusal:
    """Return the 401 to a token of a login that is too old or too weak."""
    log_login_required(method=request.method, code=INSUFFICIENT_USER_AUTHENTICATION)
    title, challenges = oidc._title("problem.step_up_required", request.scope), _challenges_at(oidc, request)
    headers = {} if challenges is None else _header(challenges.step_up(authentication, scheme=scheme_of(request)))
    return refusal(401, INSUFFICIENT_USER_AUTHENTICATION, title, headers, **authentication.problem_members)


def token_forbidden(
    oidc: OIDC, user: User, request: Request, unmet: str, scopes: Sequence[str], *, hint: str | None
) -> Refusal:
    """Return the 403 to a token that lacks a right; it names all scopes that are needed if one of them is missing."""
    reference = log_route_denied(user, oidc, method=request.method, why=unmet, hint=hint)
    title, challenges = oidc._title("problem.forbidden", request.scope), _challenges_at(oidc, request)
    if not scopes or challenges is None:
        return refusal(403, "forbidden", title, {}, reference=reference)
    # With those that the rules of the path require: a token with the others alone would be refused by a rule.
    needed = list(dict.fromkeys([*oidc._scopes_of_path, *scopes]))
    headers = _header(challenges.scope_missing(needed, scheme=scheme_of(request)))
    return refusal(403, INSUFFICIENT_SCOPE, title, headers, reference=reference, scope=" ".join(needed))


def token_needed_instead(
    oidc: OIDC, user: User, request: Request, unmet: str, scopes: Sequence[str], *, hint: str | None
) -> Refusal:
    """Return the 403 of a route that takes tokens only, to a user with a session: another account would not help."""
    reference = log_route_denied(user, oidc, method=request.method, why=unmet, hint=hint)
    headers = token_challenge(oidc, request, scopes)
    return refusal(403, "forbidden", oidc._title("problem.forbidden", request.scope), headers, reference=reference)


def _challenges_at(oidc: OIDC, request: Request) -> Challenges | None:
    """Return the challenges of the API that the request is for; None if the app takes no tokens."""
    return None if oidc._challenges is None else oidc._challenges.at(request.path.own)


def _header(challenge: Header) -> dict[str, str]:
    name, value = challenge
    return {name.decode("ascii"): value.decode("ascii")}
