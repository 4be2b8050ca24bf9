"""Checks the provider's keys against the algorithms that the settings accept."""

from asgi_oidc.cli.doctor.discovery import connection_finding
from asgi_oidc.cli.doctor.examined_provider import ExaminedProvider
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.errors import ProviderError
from asgi_oidc.protocol.jose import VerifyingKey, read_key_set_answer
from asgi_oidc.protocol.messages import Call
from asgi_oidc.protocol.signature_algorithms import KEY_OF_ALGORITHM, SYMMETRIC_ALGORITHM


async def check_keys(provider: ExaminedProvider) -> list[Finding]:
    """Fetch the JWKS as a login does, and look for a key that can verify an accepted signature."""
    metadata = provider.openid_metadata
    if metadata is None:
        return []
    provider.checked.add("keys")
    if _uses_shared_secret(provider):
        return []
    try:
        answer = await provider.http.send(
            Call("GET", metadata.jwks_uri, {"accept": "application/json"}), endpoint="jwks"
        )
        usable, skipped = read_key_set_answer(answer)
    except ProviderError as error:
        return [connection_finding(provider, error) or _unavailable(provider, metadata.jwks_uri, error)]
    if not usable:
        why = f" ({len(skipped)} skipped: {skipped[0]})" if skipped else ""
        fix = "publish a signing key at the provider, such as an RSA key of 2048 bits"
        return [provider.found("keys_missing", f"{metadata.jwks_uri} has no key that can be used{why}", fix)]
    return [] if _has_fitting_key(provider, usable) else [_unfit(provider, usable)]


def _uses_shared_secret(provider: ExaminedProvider) -> bool:
    return SYMMETRIC_ALGORITHM in provider.settings.algorithms


def _has_fitting_key(provider: ExaminedProvider, keys: list[VerifyingKey]) -> bool:
    accepted = [alg for alg in provider.settings.algorithms if alg in KEY_OF_ALGORITHM]
    return any(key.fits(alg, None) for key in keys for alg in accepted)


def _unavailable(provider: ExaminedProvider, jwks_uri: str, error: ProviderError) -> Finding:
    problem = f"the keys at {jwks_uri} cannot be used: {error.detail} ({error.code})"
    return provider.found("keys_unavailable", problem, "correct jwks_uri in the metadata, or the keys at the provider")


def _unfit(provider: ExaminedProvider, keys: list[VerifyingKey]) -> Finding:
    kinds = ", ".join(sorted({f"{key.kty} {key.crv or ''}{key.alg or ''}".strip() for key in keys}))
    accepted = ", ".join(provider.settings.algorithms)
    return provider.found(
        "keys_unfit",
        f"the provider's keys are of the kind {kinds}, but {provider.setting('algorithms')} accepts {accepted}",
        "list in algorithms those that the provider signs with, or change the keys at the provider",
    )
