"""The fake registration endpoints: RFC 7591 to register a client, RFC 7592 to read, change and remove it."""

import json
import secrets
from dataclasses import replace
from typing import Any

from .. import faults as fault_tables
from ..provider_rules import ProviderRules
from ..registrations import Registration, registered_metadata, why_metadata_refused
from ..wire import Answer, Call, error_answer, json_answer

NOT_IN_UPDATES = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)
"""What the provider alone decides (RFC 7592 §2.2)."""


def register(provider: ProviderRules, call: Call) -> Answer:
    """Register a client with the metadata that it asks for."""
    if not provider.registers_clients:
        return Answer(404)
    if provider.initial_access_token is not None and _bearer(call) != provider.initial_access_token:
        return _wrong_token()
    asked = _read_metadata(call)
    if isinstance(asked, Answer):
        return asked
    return _information(provider, provider.keep_registration(asked), 201)


def manage_registration(provider: ProviderRules, call: Call) -> Answer:
    """Read, change or remove the registration that `client_id` in the query names."""
    found = provider.memory.registrations.get(call.params.get("client_id", ""))
    if found is None or not secrets.compare_digest(_bearer(call).encode(), found.access_token.encode()):
        return _wrong_token()
    if call.method == "DELETE":
        provider.remove_registration(found)
        return Answer(204, headers={"cache-control": "no-store"})
    if call.method == "PUT":
        changed = _changed(provider, call, found)
        if isinstance(changed, Answer):
            return changed
        found = changed
    if provider.rotates_registration_tokens:
        found = replace(found, access_token=secrets.token_urlsafe(24))
        provider.memory.registrations[found.client_id] = found
    return _information(provider, found, 200)


def _changed(provider: ProviderRules, call: Call, before: Registration) -> Registration | Answer:
    """Replace the metadata of a client: what the call leaves out is removed (RFC 7592 §2.2)."""
    asked = _read_metadata(call)
    if isinstance(asked, Answer):
        return asked
    sent = json.loads(call.body)
    if sent.get("client_id") != before.client_id or not set(sent).isdisjoint(NOT_IN_UPDATES):
        return error_answer("invalid_request", f"client_id is needed, and none of {', '.join(NOT_IN_UPDATES)}")
    if sent.get("client_secret", before.client_secret) != before.client_secret:
        return error_answer("invalid_request", "client_secret cannot be changed")
    return provider.keep_registration(asked, before)


def _read_metadata(call: Call) -> dict[str, Any] | Answer:
    """Return the metadata that a client asks for, with the defaults; or the refusal."""
    try:
        sent = json.loads(call.body)
    except ValueError:
        sent = None
    if not isinstance(sent, dict) or not call.headers.get("content-type", "").startswith("application/json"):
        return error_answer("invalid_client_metadata", "the body must be a JSON object")
    metadata = registered_metadata(sent)
    refusal = why_metadata_refused(metadata)
    return metadata if refusal is None else error_answer(*refusal)


def _information(provider: ProviderRules, registration: Registration, status: int) -> Answer:
    """Return the client information response (RFC 7591 §3.2.1, RFC 7592 §3), changed by the active faults."""
    base = provider.issuer.rstrip("/")
    secret = registration.client_secret
    members = {
        **registration.metadata,
        "client_id": registration.client_id,
        "client_id_issued_at": registration.issued_at,
        **({} if secret is None else {"client_secret": secret, "client_secret_expires_at": 0}),
        "registration_access_token": registration.access_token,
        "registration_client_uri": f"{base}/register?client_id={registration.client_id}",
    }
    return json_answer(provider.faults.change(fault_tables.REGISTRATION_MEMBERS, members, provider.setting()), status)


def _bearer(call: Call) -> str:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _wrong_token() -> Answer:
    refusal = error_answer("invalid_token", "the access token of the registration is missing or wrong", 401)
    return refusal.having(www_authenticate='Bearer error="invalid_token"')
