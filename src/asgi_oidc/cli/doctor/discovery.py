"""Checks the provider's address, its certificate, its metadata, and what the metadata allows."""

from urllib.parse import urlsplit

from asgi_oidc.cli.doctor.catalogue import KINDS
from asgi_oidc.cli.doctor.examined_provider import ExaminedProvider
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.errors import ProviderError, ProviderUnavailable
from asgi_oidc.protocol.messages import read_json_answer
from asgi_oidc.protocol.metadata import (
    REQUIRED,
    ProviderMetadata,
    ServerMetadata,
    make_metadata,
    metadata_call,
    read_metadata_answer,
)
from asgi_oidc.protocol.provider_compatibility import find_incompatibilities
from asgi_oidc.provider.oauth2_settings import OAuth2Settings

# Scopes of OIDC Core §5.4 and §11. A provider that has one of them lists it; others need not be listed (RFC 8414 §2).
STANDARD_SCOPES = frozenset({"profile", "email", "address", "phone", "offline_access"})
# Codes of errors, and the findings that they become.
FINDINGS = {
    "metadata_not_json": "discovery_not_json",
    "metadata_redirect": "discovery_redirect",
    "metadata_issuer": "issuer_mismatch",
}
FIXES = {
    "discovery_not_found": "check the path of {issuer}: a realm, tenant or server is often part of it",
    "discovery_not_json": "check the host in {issuer}: a proxy, a login page or another site answers there",
    "discovery_redirect": "set {issuer} to the address to which it redirects, if that is your provider",
    "provider_unavailable": "check whether the provider works; its status page or log should say why it does not",
}
MAX_QUOTED = 200  # characters of a text that comes from outside


async def check_discovery(provider: ExaminedProvider) -> list[Finding]:
    """Fetch the metadata as a login does; the provider is not called again if that fails."""
    settings = provider.settings
    if isinstance(settings, OAuth2Settings):
        provider.metadata = ServerMetadata(
            issuer=settings.issuer,
            authorization_endpoint=settings.authorization_endpoint,
            token_endpoint=settings.token_endpoint,
        )
        return []
    provider.checked.add("discovery")
    try:
        await _fetch(provider)
    except ProviderError as error:
        return [connection_finding(provider, error) or _metadata_finding(provider, error)]
    return [
        *_incompatibilities(provider),
        *_unlisted_dpop(provider),
        *_unlisted_scopes(provider),
        *_local_logout(provider),
    ]


async def _fetch(provider: ExaminedProvider) -> None:
    settings, back_channel = provider.settings, provider.back_channel
    uses_aliases = settings.client.presents_certificate
    if all(name in settings.metadata for name in REQUIRED):
        provider.metadata = make_metadata(
            settings.issuer, settings.metadata, back_channel=back_channel, uses_aliases=uses_aliases
        )
        provider.published = settings.metadata
        return
    call = metadata_call(settings.issuer, url=settings.metadata_url, back_channel=back_channel)
    answer = await provider.http.send(call, endpoint="metadata")
    provider.published = read_json_answer(answer, endpoint="metadata", url=call.url)
    provider.metadata = read_metadata_answer(
        answer,
        issuer=settings.issuer,
        configured=settings.metadata,
        back_channel=back_channel,
        url=call.url,
        uses_aliases=uses_aliases,
    )


def connection_finding(provider: ExaminedProvider, error: ProviderError) -> Finding | None:
    """Make the finding of a call without an answer; None if there was an answer that can be judged.

    After it, the provider is not called again.
    """
    if not isinstance(error, ProviderUnavailable):
        return None
    provider.is_reachable = False
    if not error.code.startswith("connect_"):
        return provider.found("provider_unavailable", error.detail, FIXES["provider_unavailable"])
    name = error.code if error.code in KINDS else "connect_tls_failed"
    # The detail is "URL: what is wrong: the fix".
    url, separator, text = error.detail.partition(": ")
    problem, _, fix = text.partition(": ")
    return provider.found(name, f"{url}{separator}{problem}", fix)


def _metadata_finding(provider: ExaminedProvider, error: ProviderError) -> Finding:
    name = FINDINGS.get(error.code, "discovery_failed")
    if error.answer_status in (404, 410):
        name = "discovery_not_found"
    if name == "issuer_mismatch":
        return _mismatch(provider)
    if name == "discovery_redirect":
        target = _quoted(provider.client.last.location)
        problem = f"the address of the metadata of {provider.settings.issuer} redirects to {target}"
        return provider.found(name, problem, FIXES[name].format(issuer=provider.setting("issuer")))
    problem = f"the metadata of {provider.settings.issuer} cannot be used: {error.detail} ({error.code})"
    fix = FIXES.get(name, "correct {issuer}, or the metadata at the provider").format(issuer=provider.setting("issuer"))
    return provider.found(name, problem, fix)


def _mismatch(provider: ExaminedProvider) -> Finding:
    """Say what differs between the configured and the published issuer: they are compared as text (Discovery §4.3)."""
    configured, published = provider.settings.issuer, str(provider.published.get("issuer"))
    setting, shown = provider.setting("issuer"), _quoted(published)
    fix = f"set {setting} to exactly {shown}"
    problem = f"{setting} is {configured}, but the metadata of the provider has {shown}"
    if published.rstrip("/") == configured.rstrip("/"):
        verb = "ends with a slash" if published.endswith("/") else "has no slash at the end"
        return provider.found("issuer_mismatch", f"{problem}: its issuer {verb}", fix)
    if "{tenantid}" in published:
        fix = "use Provider.entra(tenants=[...]), or the issuer of one tenant"
        return provider.found("issuer_mismatch", f"{problem}: it has an issuer for each tenant", fix)
    was, is_now = urlsplit(configured), urlsplit(published)
    if was.scheme != is_now.scheme and was[1:] == is_now[1:]:
        fix += f", or tell the provider that its public URL begins with {was.scheme}:// (behind a proxy)"
        return provider.found("issuer_mismatch", f"{problem}: the scheme differs", fix)
    if was.netloc != is_now.netloc:
        fix += ", or tell the provider its public URL; to call it by another name than browsers do, set internal_url"
        return provider.found("issuer_mismatch", f"{problem}: the host differs", fix)
    return provider.found("issuer_mismatch", f"{problem}: the path differs (a tenant or realm)", fix)


def _incompatibilities(provider: ExaminedProvider) -> list[Finding]:
    settings, metadata = provider.settings, provider.openid_metadata
    if metadata is None:
        return []
    findings = []
    for code, text in find_incompatibilities(metadata, settings.login_plan):
        problem, _, fix = text.rpartition("; " if code == "client_auth_unsupported" else ": ")
        findings.append(provider.found(code, problem or text, fix))
    return findings


def _unlisted_dpop(provider: ExaminedProvider) -> list[Finding]:
    settings, metadata = provider.settings, provider.openid_metadata
    if metadata is None or settings.dpop != "always" or settings.profile is not None:
        return []  # a profile demands it of the metadata
    if metadata.dpop_signing_alg_values_supported:
        return []
    problem = f"{provider.setting('dpop')} is always, but the metadata has no dpop_signing_alg_values_supported"
    fix = "enable DPoP at the provider, or set dpop to auto; if it works, add --ignore dpop_not_listed"
    return [provider.found("dpop_not_listed", problem, fix)]


def _unlisted_scopes(provider: ExaminedProvider) -> list[Finding]:
    listed = provider.published.get("scopes_supported")
    if not isinstance(listed, list) or not listed:
        return []
    return [
        provider.found(
            "scope_unsupported",
            f"{provider.setting('scope')} has {scope}, which scopes_supported of the provider does not list",
            f"remove {scope}, or allow it at the provider; to ignore this, add --ignore scope_unsupported",
        )
        for scope in provider.settings.scope.split()
        if scope in STANDARD_SCOPES and scope not in listed
    ]


def _local_logout(provider: ExaminedProvider) -> list[Finding]:
    metadata = provider.metadata
    if not isinstance(metadata, ProviderMetadata) or metadata.end_session_endpoint is not None:
        return []
    problem = "the provider has no end_session_endpoint: a sign-out ends the session of the app only"
    return [provider.found("logout_is_local", problem)]


def _quoted(text: str) -> str:
    printable = "".join(character for character in text if character.isprintable())
    return printable if len(printable) <= MAX_QUOTED else f"{printable[:MAX_QUOTED]}..."
