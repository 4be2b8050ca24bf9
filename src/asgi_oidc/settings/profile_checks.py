"""Applies a security profile to the settings of one provider: what it switches on, and what it does not permit."""

from collections.abc import Iterator, Mapping
from typing import Any

from asgi_oidc.protocol.client_registration import CERTIFICATE_METHODS
from asgi_oidc.protocol.security_profile import REFUSED, SecurityProfile, find_profile

_ALGORITHM_SETTINGS = ("_signing_alg", "_signed_response_alg")  # how the settings that name one signature end
_KEYS = "an RSA key of 2048 bits or more, an EC key on P-256 or an Ed25519 key"


def with_profile(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add the settings that the profile switches on, where the app has not set them.

    Args:
        raw: the settings of one provider, not checked yet.
    """
    profile = find_profile(raw.get("profile"))
    if profile is None or raw.get("providers") is not None:
        return raw
    switched_on: dict[str, Any] = {"par": "always"}
    if not _may_have_certificate(raw):
        switched_on["dpop"] = "always"
    if profile.signs_requests:
        switched_on["request_object"] = True
    params = raw.get("authorization_params") or {}
    if profile.response_mode is not None and isinstance(params, Mapping):
        raw = {**raw, "authorization_params": {"response_mode": profile.response_mode, **params}}
    return {**raw, **{name: value for name, value in switched_on.items() if raw.get(name) is None}}


def profile_problems(values: Mapping[str, Any]) -> list[str]:
    """Return what the settings of one provider contradict, and lack; values that could not be read are missing."""
    profile = find_profile(values.get("profile"))
    if profile is None:
        return []
    problems = [
        *(f"{name}: {profile}: {reason}" for name, reason in REFUSED.items() if values.get(name)),
        *_client_problems(values, profile),
        *_algorithm_problems(values, profile),
        *_request_problems(values, profile),
        *_url_problems(values, profile),
    ]
    return list(dict.fromkeys(problems))


def redirect_problems(profiles: Mapping[str, str | None], base_urls: object) -> list[str]:
    """Return the problem of a `base_url` that is not https although a provider has a profile.

    Args:
        profiles: the setting `profile` of each provider.
    """
    named = next((profile for name in profiles.values() if (profile := find_profile(name))), None)
    if named is None or not isinstance(base_urls, list | tuple):
        return []
    if all(url.startswith("https:") for url in base_urls):
        return []
    return [f"base_url: {named}: the redirect URI must use https, on this machine too (§5.3.2.2): set an https URL"]


def _may_have_certificate(values: Mapping[str, Any]) -> bool:
    return values.get("client_certificate") is not None or values.get("client_auth") in CERTIFICATE_METHODS


def _client_problems(values: Mapping[str, Any], profile: SecurityProfile) -> Iterator[str]:
    method, has_key = values.get("client_auth"), bool(values.get("client_key", True))
    if method is not None and method not in profile.client_auth:
        yield f"client_auth: {profile}: must be one of {', '.join(profile.client_auth)}, got {method} (§5.3.3.1)"
    if not has_key and not _may_have_certificate(values):
        yield f"client_key: missing; {profile} needs {_KEYS}, or client_certificate (§5.3.3.1)"
    elif not has_key and profile.signs_requests:
        yield f"client_key: missing; {profile} needs {_KEYS} that signs requests (Message Signing §5.3.2)"


def _algorithm_problems(values: Mapping[str, Any], profile: SecurityProfile) -> Iterator[str]:
    accepted = ", ".join(profile.algorithms)
    for position, key in enumerate(values.get("client_key") or (), start=1):
        if not set(key.algorithms) & set(profile.algorithms):
            found = f"key {position} signs with {', '.join(key.algorithms)}"
            yield f"client_key: {profile}: {found}; use {_KEYS} (§5.4.1)"
    for name, value in values.items():
        if name.endswith(_ALGORITHM_SETTINGS) and value is not None and value not in profile.algorithms:
            yield f"{name}: {profile}: must be one of {accepted}, got {value} (§5.4.1)"
    if refused := [alg for alg in values.get("algorithms") or () if alg not in profile.algorithms]:
        yield f"algorithms: {profile}: remove {', '.join(refused)}; permitted are {accepted} (§5.4.1)"


def _request_problems(values: Mapping[str, Any], profile: SecurityProfile) -> Iterator[str]:
    if values.get("par", "always") != "always":
        yield f"par: {profile}: must be always, got {values['par']} (§5.3.3.2): leave it out"
    if values.get("dpop", "always") != "always" and not _may_have_certificate(values):
        yield (
            f"dpop: {profile}: must be always, got {values['dpop']}, unless client_certificate binds the tokens "
            "(§5.3.3.1): leave it out"
        )
    if profile.signs_requests and not values.get("request_object", True):
        yield f"request_object: {profile}: must be true (Message Signing §5.3.2): leave it out"
    mode = values.get("authorization_params", {}).get("response_mode")
    if profile.response_mode not in (None, mode) and "authorization_params" in values:
        yield (
            f"authorization_params: {profile}: response_mode must be {profile.response_mode}, got {mode} "
            "(Message Signing §5.4.2): leave it out"
        )


def _url_problems(values: Mapping[str, Any], profile: SecurityProfile) -> Iterator[str]:
    for name in ("issuer", "metadata_url"):
        if str(values.get(name) or "").lower().startswith("http:"):
            yield f"{name}: {profile}: must use https, on this machine too (§5.2.1)"
