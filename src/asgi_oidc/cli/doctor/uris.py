"""Lists the URIs to register at each provider, and tries whether the provider knows them.

The authorization request has `prompt=none`, and no browser with a session makes it, so it cannot sign anybody in. A
provider that knows the redirect URI redirects there, with an error; one that does not must not redirect (RFC 6749
§4.1.2.1). If the request is pushed first, it is refused there already (RFC 9126 §2.1). Anything else is reported as not
checked.
"""

import re
import secrets
from collections.abc import Mapping
from html import escape, unescape
from urllib.parse import parse_qsl

from asgi_oidc.cli.doctor.discovery import connection_finding
from asgi_oidc.cli.doctor.examined_provider import ExaminedProvider
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.errors import AnswerRejected, ProviderError, ProviderRefused
from asgi_oidc.protocol.authorization_endpoint import Proofs, authorization_parameters
from asgi_oidc.protocol.end_session import with_parameters
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.protocol.metadata import ProviderMetadata
from asgi_oidc.protocol.oauth_error import make_oauth_error
from asgi_oidc.protocol.provider_compatibility import find_incompatibilities
from asgi_oidc.provider.assertion_file import CODE as ASSERTION_FILE
from asgi_oidc.provider.authorization_requests import AuthorizationRequests
from asgi_oidc.provider.provider_exceptions import STANDARD_LOGOUT
from asgi_oidc.settings.settings import Settings

MAX_HOSTS = 3  # tried for each provider; the URIs of all hosts are listed
# What a provider answers to `prompt=none` if all else is right (OIDC Core §3.1.2.6).
NOT_SIGNED_IN = ("login_required", "interaction_required", "consent_required", "account_selection_required")
TEMPORARY = ("server_error", "temporarily_unavailable", "access_denied")

_REDIRECT_URI = re.compile(r"redirect[\s_-]?ur[il]", re.IGNORECASE)
_CLIENT = re.compile(
    r"invalid_client|no such client|client(_| )?(id)?\b.{0,40}(not found|unknown|invalid|not registered)", re.IGNORECASE
)
_FIELD = re.compile(r'name="(error|error_description)" value="([^"]*)"')  # of a form (Form Post Response Mode §2)
ACCEPT = {"accept": "text/html"}


async def check_uris(provider: ExaminedProvider) -> list[Finding]:
    """List the URIs to register, and try those of the first hosts."""
    hosts = provider.site.settings.for_each_host()
    findings = [finding for host in hosts for finding in _to_register(provider, host)]
    for host in hosts[:MAX_HOSTS]:
        if provider.openid_metadata is not None and provider.is_reachable and not _is_push_refused(provider):
            provider.checked.add("uris")
            tried = await _try_redirect_uri(provider, host)
            findings += tried
            if any(finding.name == "client_unknown" for finding in tried):
                break  # no URI is registered for it
        if provider.openid_metadata is not None and provider.is_reachable:
            findings += await _try_logout_uri(provider, host)
    return findings


def _is_push_refused(provider: ExaminedProvider) -> bool:
    """Whether the request would be pushed, with credentials that the provider does not accept: that is reported."""
    metadata = provider.openid_metadata
    return metadata is not None and not provider.is_client_accepted and provider.settings.login_plan.is_pushed(metadata)


def _to_register(provider: ExaminedProvider, host: Settings) -> list[Finding]:
    findings = [provider.found("register_redirect_uri", host.redirect_uri(provider.settings))]
    if provider.settings.client.keys or provider.settings.decryption_keys:
        findings.append(provider.found("register_jwks_uri", host.url_of("jwks")))
    metadata = provider.openid_metadata
    if not provider.openid or (metadata is not None and metadata.end_session_endpoint is None):
        return findings
    findings.append(provider.found("register_logout_uri", host.landing_url))
    if metadata is None or provider.published.get("backchannel_logout_supported") is True:
        url = host.provider_url("backchannel-logout", provider.settings.name)
        findings.append(provider.found("register_backchannel_uri", url))
    return findings


async def _try_redirect_uri(provider: ExaminedProvider, host: Settings) -> list[Finding]:
    metadata, plan = provider.openid_metadata, provider.settings.login_plan
    if metadata is None:
        return []
    if (plan.is_pushed(metadata) or plan.is_signed(metadata)) and find_incompatibilities(metadata, plan):
        return []  # reported with the metadata
    redirect_uri = host.redirect_uri(provider.settings)
    try:
        url = await _authorization_url(provider, metadata, redirect_uri)
    except ProviderRefused as refused:
        return [_push_refused(provider, redirect_uri, refused)]
    except ProviderError as error:
        if error.code == ASSERTION_FILE:
            return []  # reported with the settings
        return [connection_finding(provider, error) or _unclear(provider, redirect_uri, error.detail)]
    try:
        answer = await provider.http.send(Call("GET", url, ACCEPT), endpoint="authorization")
    except AnswerRejected as rejected:
        return _redirected(provider, redirect_uri, rejected)
    except ProviderError as error:
        return [connection_finding(provider, error) or _unclear(provider, redirect_uri, error.detail)]
    return _answered(provider, redirect_uri, answer)


async def _authorization_url(provider: ExaminedProvider, metadata: ProviderMetadata, redirect_uri: str) -> str:
    settings = provider.settings
    proofs = Proofs(*(secrets.token_urlsafe(32) for _ in range(3)), dpop_key=provider.new_dpop_key())
    parameters = authorization_parameters(
        settings.client,
        proofs,
        redirect_uri=redirect_uri,
        scope=settings.scope,
        extra={**settings.authorization_params, "prompt": "none"},
        uses_pkce=not settings.exceptions.allow_missing_pkce,
    )
    requests = AuthorizationRequests(provider.calls, clock=provider.site.clock)
    url = await requests.url(metadata, settings.login_plan, parameters, dpop_key=proofs.dpop_key)
    return provider.back_channel.url(url, issuer=settings.issuer)


def _push_refused(provider: ExaminedProvider, redirect_uri: str, refused: ProviderRefused) -> Finding:
    """Judge the error of a pushed request: it is refused there if the redirect URI is unknown."""
    said = refused.detail.partition(", from the ")[0]
    if _REDIRECT_URI.search(said.replace(redirect_uri, "")):
        return _unregistered(provider, redirect_uri, refused.answer_status)
    if refused.error == "invalid_client":
        return _unclear(provider, redirect_uri, f"the provider does not accept the client: {said}")
    problem = f"the provider refuses the authorization request: {said}"
    fix = f"allow it for this client at the provider, or correct {provider.setting('scope')} and authorization_params"
    return provider.found("login_refused_by_provider", problem, fix)


def _unregistered(provider: ExaminedProvider, redirect_uri: str, status: int | None) -> Finding:
    problem = f"the provider does not know the redirect URI {redirect_uri} (status {status})"
    fix = f"register exactly {redirect_uri} for this client at the provider, or correct base_url (OIDC_BASE_URL)"
    return provider.found("redirect_uri_unregistered", problem, fix)


def _redirected(provider: ExaminedProvider, redirect_uri: str, rejected: AnswerRejected) -> list[Finding]:
    target, _, query = provider.client.last.location.replace("#", "?", 1).partition("?")
    if target == redirect_uri:
        return _answered_with(provider, dict(parse_qsl(query)))
    return [_unclear(provider, redirect_uri, f"it redirects to {target}" if target else rejected.detail)]


def _answered_with(provider: ExaminedProvider, parameters: Mapping[str, str]) -> list[Finding]:
    """Judge the parameters that the redirect URI would get: it is registered, but the request may be refused."""
    error = make_oauth_error(parameters, ())
    if not error.error or error.error in (*NOT_SIGNED_IN, *TEMPORARY):
        return []
    fix = f"allow it for this client at the provider, or correct {provider.setting('scope')} and authorization_params"
    if error.error == "unauthorized_client":
        fix = "allow the authorization code flow (response type code) for this client at the provider"
    problem = f"the provider refuses the authorization request: {error}"
    return [provider.found("login_refused_by_provider", problem, fix)]


def _answered(provider: ExaminedProvider, redirect_uri: str, answer: Answer) -> list[Finding]:
    text = answer.body.decode("utf-8", "replace")
    if f'action="{escape(redirect_uri)}"' in text:  # a form that a browser would post to the redirect URI
        return _answered_with(provider, {name: unescape(value) for name, value in _FIELD.findall(text)})
    if 400 <= answer.status < 500 and answer.status != 429:
        if _REDIRECT_URI.search(text.replace(redirect_uri, "")):
            return [_unregistered(provider, redirect_uri, answer.status)]
        if _CLIENT.search(text):
            problem = f"the provider does not know the client {provider.settings.client.client_id}"
            return [provider.found("client_unknown", problem, f"correct {provider.setting('client_id')}")]
    return [_unclear(provider, redirect_uri, f"status {answer.status}, and no redirect")]


def _unclear(provider: ExaminedProvider, redirect_uri: str, what: str) -> Finding:
    problem = f"the answer does not show whether {redirect_uri} is registered: {what}"
    return provider.found(
        "redirect_uri_not_checked",
        problem,
        "compare it with the list at the provider; then add --ignore redirect_uri_not_checked",
    )


def _is_standard_logout(provider: ExaminedProvider) -> bool:
    return provider.settings.exceptions.end_session_parameters == STANDARD_LOGOUT


async def _try_logout_uri(provider: ExaminedProvider, host: Settings) -> list[Finding]:
    """Ask for a sign-out without a session, which signs nobody out: a wrong URI is refused at once."""
    metadata, settings = provider.openid_metadata, provider.settings
    if metadata is None or metadata.end_session_endpoint is None or not _is_standard_logout(provider):
        return []
    parameters = {
        "client_id": settings.client.client_id,
        "post_logout_redirect_uri": host.landing_url,
        "state": secrets.token_urlsafe(16),
    }
    url = provider.back_channel.url(metadata.end_session_endpoint, issuer=settings.issuer)
    try:
        answer = await provider.http.send(
            Call("GET", with_parameters(url, **parameters), ACCEPT), endpoint="end_session"
        )
    except ProviderError:  # a redirect: to the app, or to a page of the provider
        return []
    text = answer.body.decode("utf-8", "replace").replace(host.landing_url, "")
    if not 400 <= answer.status < 500 or not _REDIRECT_URI.search(text):
        return []
    problem = f"the provider does not know the post-logout redirect URI {host.landing_url} (status {answer.status})"
    fix = f"register exactly {host.landing_url} as post-logout redirect URI of this client at the provider"
    return [provider.found("logout_uri_unregistered", problem, fix)]
