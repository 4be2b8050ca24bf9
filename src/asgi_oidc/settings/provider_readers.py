"""Reads the values of the settings of one provider: the default of each, and what it accepts."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from asgi_oidc.errors import describe_value
from asgi_oidc.protocol.client_registration import STANDARD_FORM, AssertionForm, Client
from asgi_oidc.protocol.jose_decryption import published_key
from asgi_oidc.protocol.jose_signing import SigningKey
from asgi_oidc.protocol.response_algorithms import pinned_algorithms
from asgi_oidc.protocol.security_profile import find_profile
from asgi_oidc.protocol.signature_algorithms import SYMMETRIC_ALGORITHM
from asgi_oidc.provider.provider_exceptions import STANDARD_LOGOUT
from asgi_oidc.provider.provider_settings import ProviderSettings
from asgi_oidc.settings.callback_paths import read_callback_path
from asgi_oidc.settings.certificate_checks import certificate_pair
from asgi_oidc.settings.provider_exception_checks import (
    provider_exceptions,
    read_end_session_parameters,
    read_http_hosts,
    read_internal_url,
    read_metadata_url,
)
from asgi_oidc.settings.response_algorithm_checks import RESPONSE_ALGORITHM_READERS
from asgi_oidc.settings.strong_client_readers import STRONG_CLIENT_READERS
from asgi_oidc.settings.value_checks import (
    read_algorithms,
    read_authorization_params,
    read_client_auth,
    read_client_id,
    read_client_secret,
    read_http_client,
    read_issuer,
    read_metadata,
    read_scope,
    read_switch,
    read_texts,
    read_trusted_email_domains,
    read_userinfo,
)

MAX_TITLE_LENGTH = 80  # characters
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
MISSING = object()

# Name of the setting -> its default (MISSING: it is required), and the function that checks and converts its value.
PROVIDER_READERS: Mapping[str, tuple[Any, Callable[[Any], Any]]] = {
    "issuer": (MISSING, read_issuer),
    "client_id": (MISSING, read_client_id),
    "client_secret": (None, read_client_secret),
    "scope": ("openid profile email", read_scope),
    "authorization_params": ({}, read_authorization_params),
    "callback_path": (None, read_callback_path),
    "client_auth": (None, read_client_auth),
    "frontchannel_logout": (False, read_switch),
    "userinfo": ("auto", read_userinfo),
    "claims_from_access_token": (False, read_switch),
    "trusted_audiences": ((), read_texts),
    "trusted_email_domains": (frozenset(), read_trusted_email_domains),
    "algorithms": (None, read_algorithms),
    "metadata": ({}, read_metadata),
    "http_client": (None, read_http_client),
    "metadata_url": (None, read_metadata_url),
    "internal_url": (None, read_internal_url),
    "end_session_parameters": (STANDARD_LOGOUT, read_end_session_parameters),
    "allow_http_hosts": (frozenset(), read_http_hosts),
    "allow_missing_nonce": (False, read_switch),
    "allow_missing_pkce": (False, read_switch),
    "allow_code_injection": (False, read_switch),
    "allow_missing_access_token": (False, read_switch),
    "allow_hs256": (False, read_switch),
    "allow_azp_audiences": (False, read_switch),
    **STRONG_CLIENT_READERS,
    **RESPONSE_ALGORITHM_READERS,
}


def read_values(
    raw: Mapping[str, Any], readers: Mapping[str, tuple[Any, Callable[[Any], Any]]]
) -> tuple[dict[str, Any], list[str]]:
    """Check values by their readers; return those that are valid, and the problems of the others."""
    problems = [unknown_setting(name, readers) for name in raw if name not in readers and name != "title"]
    values: dict[str, Any] = {}
    for name, (default, read) in readers.items():
        value = raw.get(name)
        if value is None and default is not MISSING:
            values[name] = default
            continue
        try:
            values[name] = read(value)
        except ValueError as exc:
            problems.append(f"{name}: {exc}")
    return values, problems


def provider_settings(values: Mapping[str, Any], *, title: str | None = None) -> ProviderSettings:
    """Return the settings of one provider from checked values."""
    profile = find_profile(values["profile"])
    algorithms = values["algorithms"] or ((SYMMETRIC_ALGORITHM,) if values["allow_hs256"] else None)
    return ProviderSettings(
        title=title,
        issuer=values["issuer"],
        client=read_client(values),
        scope=values["scope"],
        authorization_params=values["authorization_params"],
        metadata=values["metadata"],
        algorithms=algorithms or (ALGORITHMS if profile is None else profile.algorithms),
        algorithms_named=algorithms is not None,
        trusted_audiences=values["trusted_audiences"],
        trusted_email_domains=values["trusted_email_domains"],
        userinfo=values["userinfo"],
        claims_from_access_token=values["claims_from_access_token"],
        frontchannel_logout=values["frontchannel_logout"],
        http_client=values["http_client"],
        callback_path=values["callback_path"],
        par=values["par"],
        request_object=values["request_object"],
        request_object_signing_alg=values["request_object_signing_alg"],
        dpop=values["dpop"],
        authorization_details=values["authorization_details"],
        profile=values["profile"],
        decryption_keys=values["decryption_key"] or (),
        pinned=pinned_algorithms(values),
        exceptions=provider_exceptions(values),
    )


def read_client(values: Mapping[str, Any]) -> Client:
    """Return the client from checked values; those that could not be read are missing."""
    return Client(
        values["client_id"],
        values.get("client_secret"),
        values.get("client_auth"),
        keys=_keys(values),
        encryption_keys=_encryption_keys(values),
        signing_alg=values.get("token_endpoint_auth_signing_alg"),
        assertion_form=AssertionForm(values.get("client_assertion_typ", STANDARD_FORM.typ)),
        assertion_file=values.get("client_assertion_file"),
        certificate=certificate_pair(values),
    )


def _encryption_keys(values: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    pinned = pinned_algorithms(values)
    return tuple(published_key(key, pinned) for key in values.get("decryption_key") or ())


def _keys(values: Mapping[str, Any]) -> tuple[SigningKey, ...]:
    """Return the keys of the client; they sign with no algorithm that a profile does not permit."""
    keys, profile = values.get("client_key") or (), find_profile(values.get("profile"))
    return tuple(keys) if profile is None else tuple(key.limited_to(profile.algorithms) for key in keys)


def unknown_setting(name: str, known: Mapping[str, object]) -> str:
    """Return the problem of a setting that does not exist."""
    similar = difflib.get_close_matches(name, known, n=1)
    return f"{name}: unknown setting" + (f"; did you mean {similar[0]}?" if similar else "")


def read_title(value: object) -> str | None:
    """Read the title of a provider."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > MAX_TITLE_LENGTH:
        raise ValueError(f"must be one line of at most {MAX_TITLE_LENGTH} characters, got {describe_value(value)}")
    return value.strip()
