"""Fills in the settings without which an app cannot be imported, for tests that need no values of their own."""

import secrets
from collections.abc import MutableMapping

# Nobody can own a name below `.test` (RFC 6761 §6.2), so nothing that the fixture missed could reach a real provider.
ISSUER = "https://id.test"
BASE_URL = "https://app.test"


def fill_missing_settings(environ: MutableMapping[str, str]) -> list[str]:
    """Set the variables that every app needs and that are not set, nor named with `_FILE`.

    Returns:
        What was set, for people; secrets are not in it.
    """
    # An app with several providers has none of its own, and each of its providers is configured anyway.
    one_provider = {} if _is_set(environ, "OIDC_PROVIDERS") else {"OIDC_ISSUER": ISSUER, "OIDC_CLIENT_ID": "web"}
    values = {**one_provider, "OIDC_BASE_URL": BASE_URL, "OIDC_SECRET": secrets.token_urlsafe(32)}
    missing = {name: value for name, value in values.items() if not _is_set(environ, name)}
    environ.update(missing)
    return [name if name == "OIDC_SECRET" else f"{name}={value}" for name, value in missing.items()]


def _is_set(environ: MutableMapping[str, str], name: str) -> bool:
    return any(environ.get(variable) for variable in (name, f"{name}_FILE"))
