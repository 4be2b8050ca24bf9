"""Decides whether the user of a request meets the requirements of a route; used by every integration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict
from urllib.parse import unquote

from asgi_oidc.asgi.scope_oidc import OIDC
from asgi_oidc.integrations.bearer_refusals import (
    stronger_token_needed,
    token_challenge,
    token_forbidden,
    token_needed,
    token_needed_instead,
)
from asgi_oidc.integrations.refusals import Refusal, refusal
from asgi_oidc.integrations.route_denials import log_login_required, log_route_denied, report_step_up
from asgi_oidc.policy.requirements import BEARER, SESSION, ClaimPath, Requirements, Scalar, Subject, read_requirements
from asgi_oidc.principal import AnonymousUser, User
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest, read_authentication
from asgi_oidc.web.paths import read_path
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import challenge

Scope = Mapping[str, Any]


class RequirementKeywords(TypedDict, total=False):
    """Keywords for the requirements of a route; each means the same as in `Rule`."""

    claims: Mapping[str | ClaimPath, Scalar | Sequence[Scalar]] | None
    scopes: Sequence[str] | None
    email_domains: Sequence[str] | None
    acr_values: Sequence[str] | None
    max_age: int | None
    providers: Sequence[str] | None
    credentials: Sequence[str] | None
    machines: bool | None
    client_ids: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Terms:
    """The validated requirements of a route; by default, every signed-in user may use it."""

    requirements: Requirements = field(default_factory=Requirements)
    authentication: AuthenticationRequest = ANY_LOGIN

    def with_scopes(self, scopes: Sequence[str]) -> "Terms":
        """Require these scopes and no others."""
        return replace(self, requirements=replace(self.requirements, scopes=tuple(scopes)))


def read_terms(*, acr_values: object = None, max_age: object = None, **requirements: object) -> Terms:
    """Check the requirements of a route when it is defined, not when it is requested; None means not required.

    Raises:
        ValueError: a requirement is invalid.
    """
    return Terms(read_requirements(**requirements), read_authentication(acr_values, max_age))


def find_user(scope: Scope) -> User | None:
    """Return the user of a request; None if the user is not signed in.

    Raises:
        RuntimeError: the app is not wrapped in `OIDCMiddleware`.
    """
    match scope.get("user"):
        case User() as user:
            return user
        case AnonymousUser():
            return None
        case _:
            raise RuntimeError('scope["user"] is not set by asgi-oidc: wrap the app in OIDCMiddleware')


def granted_scopes(scope: Scope) -> list[str]:
    """Return the scopes that were granted to a signed-in user."""
    # The first one is the name that Starlette has for every signed-in user; a provider may have a scope of that name.
    return list(scope["auth"].scopes[1:])


def check_user(scope: Scope, terms: Terms) -> User | Refusal:
    """Return the user if the requirements are met, otherwise the response to send instead.

    Args:
        scope: as the middleware passes it to the app.

    Raises:
        RuntimeError: the app is not wrapped in `OIDCMiddleware`.
    """
    user, requirements, oidc = find_user(scope), terms.requirements, scope["oidc"]
    if user is None:
        if requirements.takes(SESSION):
            return _login_needed(scope, terms, "login_required", "problem.login_required")
        return token_needed(oidc, _read_request(scope), requirements.scopes)
    subject = Subject(
        user.claims,
        granted_scopes(scope),
        trusted_email_domains=user._trusted_email_domains,  # a setting of the middleware, which apps do not need
        provider=user.provider or "",
        credential=user.credential,
        is_machine=user.is_machine,
        client_id=user.client_id,
    )
    has_token = user.credential == BEARER
    if (unmet := requirements.unmet(subject)) is not None:
        scopes, hint = requirements.scopes if unmet.startswith("scopes") else (), requirements.hint(subject)
        if has_token:
            return token_forbidden(oidc, user, _read_request(scope), unmet, scopes, hint=hint)
        if not requirements.takes(SESSION):
            return token_needed_instead(oidc, user, _read_request(scope), unmet, requirements.scopes, hint=hint)
        return _forbidden(scope, user, unmet, scopes, hint=hint)
    authentication = terms.authentication
    if not oidc.meets(acr_values=authentication.acr_values or None, max_age=authentication.max_age):
        report_step_up(user, oidc, authentication)
        if has_token:
            return stronger_token_needed(oidc, _read_request(scope), authentication)
        error = "insufficient_user_authentication"
        return _login_needed(scope, terms, error, "problem.step_up_required")
    return user


def _login_needed(scope: Scope, terms: Terms, error: str, text_id: str) -> Refusal:
    """Redirect a page navigation to a login that comes back here; give any other client its URL (RFC 9470 §3)."""
    request, oidc, authentication = _read_request(scope), scope["oidc"], terms.authentication
    title = oidc._title(text_id, scope)  # apps do not need it
    is_page = request.is_navigation and scope["type"] == "http"
    return_to = request.target if is_page else _page_of(request, oidc)
    providers = terms.requirements.providers
    url = oidc.login_url(
        return_to,
        provider=providers[0] if len(providers) == 1 else None,
        acr_values=authentication.acr_values or None,
        max_age=authentication.max_age,
    )
    if is_page:
        return refusal(303, error, title, {"location": url}, login_url=url)
    log_login_required(method=request.method, code=error)
    htmx_redirect = {"hx-redirect": url} if request.is_htmx else {}
    if error == "login_required":
        needed = token_challenge(oidc, request, terms.requirements.scopes) if terms.requirements.takes(BEARER) else {}
        return refusal(401, error, title, {**_both(needed, _challenge(oidc)), **htmx_redirect}, login_url=url)
    challenge = _challenge(oidc, error=error, **authentication.parameters) | htmx_redirect
    return refusal(401, error, title, challenge, login_url=url, **authentication.problem_members)


def _forbidden(scope: Scope, user: User, unmet: str, scopes: Sequence[str], *, hint: str | None) -> Refusal:
    """Return a 403 without a login, which would not help.

    Only the log names the requirement, except for scopes, which the response names (RFC 6750 §3.1).
    """
    method = scope.get("method", "GET")
    reference = log_route_denied(user, scope["oidc"], method=method, why=unmet, hint=hint)
    error, members = ("insufficient_scope", {"scope": " ".join(scopes)}) if scopes else ("forbidden", {})
    title, challenge = (
        scope["oidc"]._title("problem.forbidden", scope),
        _challenge(scope["oidc"], error=error, **members),
    )
    return refusal(403, error, title, challenge, reference=reference, **members)


def _both(for_programs: Mapping[str, str], for_browsers: Mapping[str, str]) -> dict[str, str]:
    """Join two challenges to one header: frameworks take a mapping (RFC 9110 §11.6.1 allows the list)."""
    return {"www-authenticate": ", ".join([*for_programs.values(), *for_browsers.values()])}


def _challenge(oidc: OIDC, **parameters: str) -> dict[str, str]:
    name, value = challenge(oidc.login_url(), parameters)
    return {name.decode("ascii"): value.decode("ascii")}


def _read_request(scope: Scope) -> Request:
    # Some frameworks strip mounts from the path (Litestar), but not from the raw path.
    raw = scope.get("raw_path")
    unstripped = {**scope, "path": unquote(raw)} if isinstance(raw, bytes) else scope
    return Request(scope, read_path(unstripped, base_path=scope["oidc"].base_path))


def _page_of(request: Request, oidc: OIDC) -> str | None:
    # After the login, the user comes back to the page that the script runs on, not to the URL that it calls.
    origin = "/".join(oidc.login_url().split("/", 3)[:3])
    page_url = request.page_url
    return page_url.removeprefix(origin) if page_url.startswith(f"{origin}/") else None
