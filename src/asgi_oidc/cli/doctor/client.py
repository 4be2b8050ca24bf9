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
from asgi_oidc.protocol.client_registration import CERTIFICATE_METHODS, Client
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.protocol.token_endpoint import read_oauth2_token_answer, read_token_answer, token_call
from asgi_oidc.provider.assertion_file import CODE as ASSERTION_FILE

# Errors of providers that have accepted the credentials, and refuse the code.
ACCEPTED = ("invalid_grant",)
OF_CREDENTIALS = ("client_rejected", "dpop_refused")  # findings that a pushed request would lead to again
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
    dpop_key = provider.new_dpop_key()
    if settings.dpop == "always" and dpop_key is None and provider.openid:
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

    try:
        _read(await provider.calls.send(make, endpoint="token", dpop_key=dpop_key), openid=provider.openid)
    except ProviderRefused as refused:
        if refused.error == "invalid_dpop_proof" and dpop_key is None:
            problem = f"the provider requires DPoP of this client: {_said(refused)}"
            return [provider.found("dpop_required", problem, f"set {provider.setting('dpop')} to always")]
        findings = _refusal(provider, refused)
        provider.is_client_accepted = not any(finding.name in OF_CREDENTIALS for finding in findings)
        return findings
    except ProviderError as error:
        return _failure(provider, error)
    problem = f"{metadata.token_endpoint} has issued tokens for a code that was made up"
    return [provider.found("any_code_accepted", problem, "do not use this provider: it signs anybody in")]


def _read(answer: Answer, *, openid: bool) -> None:
    read_token_answer(answer) if openid else read_oauth2_token_answer(answer)


def _failure(provider: ExaminedProvider, error: ProviderError) -> list[Finding]:
    """Judge a call without an answer, or with one that is no error of OAuth."""
    if error.code == ASSERTION_FILE:
        provider.checked.discard("client")
        return []  # reported with the settings
    if error.code.startswith("dpop_nonce_"):
        provider.is_client_accepted = False
        fix = "look in the provider's log, and whether a proxy in front of it removes the header DPoP-Nonce"
        return [provider.found("dpop_refused", error.detail, fix)]
    return [connection_finding(provider, error) or _unclear(provider, error)]


def _refusal(provider: ExaminedProvider, refused: ProviderRefused) -> list[Finding]:
    if refused.error in ACCEPTED:
        return []
    if refused.error == "invalid_dpop_proof":
        problem = f"the provider does not accept a DPoP proof: {_said(refused)}"
        fix = (
            "synchronize the clocks of both, and let the provider know its public URL if it is behind a proxy: the "
            "proof names its time and the URL that is called"
        )
        return [provider.found("dpop_refused", problem, fix)]
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
    if method in CERTIFICATE_METHODS:
        fix = _fix_of_certificate(provider, method)
    else:
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


def _fix_of_certificate(provider: ExaminedProvider, method: str) -> str:
    certificate = provider.settings.client.certificate
    which = "of http_client" if certificate is None else f"with the thumbprint {certificate.thumbprint}"
    return (
        f"check {provider.setting('client_id')}, and register the certificate {which} for it; {method} has to be the "
        "method that is registered there"
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
