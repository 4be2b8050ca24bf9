"""Checks the client's credentials: one call to the token endpoint, with a made-up code that can never succeed.

A provider authenticates the client before it looks at the code (RFC 6749 §4.1.3), so `invalid_grant` means that the
credentials were accepted.
"""

import secrets

from asgi_oidc.cli.doctor.discovery import connection_finding
from asgi_oidc.cli.doctor.examined_provider import ExaminedProvider
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.errors import AnswerRejected, ProviderError, ProviderRefused
from asgi_oidc.protocol.client_auth import choose_method
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.dpop.make_proof import make_dpop_key
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.protocol.provider_compatibility import supports_dpop
from asgi_oidc.protocol.token_endpoint import read_oauth2_token_answer, read_token_answer, token_call
from asgi_oidc.provider.client_calls import ClientCalls

# Errors of providers that have accepted the credentials, and refuse the code.
ACCEPTED = ("invalid_grant",)
# Keycloak answers 401 with `unauthorized_client` if the credentials are wrong; with 400 it means what RFC 6749 says.
STATUS_OF_REJECTED_CLIENT = (401, 403)


async def check_client(provider: ExaminedProvider) -> list[Finding]:
    """Try the credentials."""
    metadata, settings = provider.metadata, provider.settings
    if metadata is None or not provider.is_reachable:
        return []
    try:
        choose_method(settings.client, metadata.auth_methods)
    except AnswerRejected:
        return []  # reported with the metadata
    provider.checked.add("client")

    def make(client: Client) -> Call:
        return token_call(
            metadata,
            client,
            code=f"asgi-oidc-doctor-{secrets.token_urlsafe(16)}",
            code_verifier=None if settings.exceptions.allow_missing_pkce else secrets.token_urlsafe(32),
            redirect_uri=provider.site.settings.redirect_uri(settings),
        )

    calls = ClientCalls(provider.http, settings.client, issuer=settings.issuer, clock=provider.site.clock)
    is_proven = _sends_proof(provider)
    try:
        answer = await calls.send(make, endpoint="token", dpop_key=make_dpop_key() if is_proven else None)
        _read(answer, openid=provider.openid)
    except ProviderRefused as refused:
        if refused.error == "invalid_dpop_proof" and not is_proven:
            problem = f"the provider requires DPoP of this client: {_said(refused)}"
            return [provider.found("dpop_required", problem, f"set {provider.setting('dpop')} to always")]
        return _refusal(provider, refused)
    except ProviderError as error:
        if error.code == "client_assertion_file":
            fix = f"check {provider.setting('client_assertion_file')}, and what writes that file"
            return [provider.found("client_rejected", f"the assertion cannot be used: {error.detail}", fix)]
        return [connection_finding(provider, error) or _unclear(provider, error)]
    problem = f"{metadata.token_endpoint} has issued tokens for a code that was made up"
    return [provider.found("any_code_accepted", problem, "do not use this provider: it signs anybody in")]


def _sends_proof(provider: ExaminedProvider) -> bool:
    metadata, dpop = provider.openid_metadata, provider.settings.dpop
    if dpop == "never" or metadata is None:
        return dpop == "always"
    is_listed = bool(metadata.dpop_signing_alg_values_supported)
    return supports_dpop(metadata) or (dpop == "always" and not is_listed)  # what is listed without ES256 is reported


def _read(answer: Answer, *, openid: bool) -> None:
    read_token_answer(answer) if openid else read_oauth2_token_answer(answer)


def _refusal(provider: ExaminedProvider, refused: ProviderRefused) -> list[Finding]:
    if refused.error in ACCEPTED:
        return []
    is_rejected = refused.answer_status in STATUS_OF_REJECTED_CLIENT and refused.error == "unauthorized_client"
    if refused.error == "invalid_client" or is_rejected:
        return [_rejected(provider, refused)]
    if refused.error == "unauthorized_client":
        problem = f"the provider does not let this client use the authorization code flow: {_said(refused)}"
        fix = "allow the grant type authorization_code (standard flow) for this client at the provider"
        return [provider.found("client_not_allowed", problem, fix)]
    return [_unclear(provider, refused)]


def _rejected(provider: ExaminedProvider, refused: ProviderRefused) -> Finding:
    client = provider.settings.client
    method = choose_method(client, provider.metadata.auth_methods if provider.metadata else ())
    fix = _fix_of_assertion(provider) if method == "private_key_jwt" else _fix_of_secret(provider, method)
    return provider.found("client_rejected", f"the provider does not accept the client: {_said(refused)}", fix)


def _fix_of_secret(provider: ExaminedProvider, method: str) -> str:
    client_id, client_secret = provider.setting("client_id"), provider.setting("client_secret")
    if not provider.settings.client.has_secret:
        return f"set {client_secret}, or make the client public at the provider, if it must not have a secret"
    return (
        f"copy {client_id} and {client_secret} from the provider again (the value of the secret, not its id); "
        f"if they are right, set client_auth to the method that is registered there: now it is {method}"
    )


def _fix_of_assertion(provider: ExaminedProvider) -> str:
    client, client_id = provider.settings.client, provider.setting("client_id")
    if not client.keys:
        return (
            f"check {client_id}, and that the provider trusts the iss, sub and aud of the assertion in "
            f"{client.assertion_file}"
        )
    return (
        f"check {client_id}, and register the public key {client.keys[0].kid} for it, or the jwks_uri "
        f"{provider.site.settings.url_of('jwks')}, which the provider has to reach while the app runs; private_key_jwt "
        "has to be the method that is registered there; if all of that is right, set "
        f"{provider.setting('client_assertion_typ')} to JWT"
    )


def _unclear(provider: ExaminedProvider, error: ProviderError) -> Finding:
    problem = f"the answer to a made-up code does not tell whether the credentials are right: {_said(error)}"
    return provider.found(
        "client_not_checked",
        problem,
        "sign in once to see whether the client works; then add --ignore client_not_checked",
    )


def _said(error: ProviderError) -> str:
    detail = error.detail.partition(", from the ")[0]
    return f"{detail} (status {error.answer_status})" if error.answer_status else detail
