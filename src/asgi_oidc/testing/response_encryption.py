"""Encrypts the JWTs of a client that registered for that, as nested JWTs (RFC 7519 §5.2)."""

from . import faults as fault_tables
from .accounts import Client
from .encryption import DEFAULT_ENC, compact_jwe, encryption_key
from .faults import ActiveFaults, Draft, EncryptionDraft
from .response_algs import Purpose, response_algs


def encrypted_response(
    faults: ActiveFaults, draft: Draft, client: Client | None, purpose: Purpose, *, token: str | None
) -> str | None:
    """Return the JWT encrypted to the client's key, changed by the active faults.

    Args:
        draft: What was signed.
        token: The signed JWT; `None` encrypts the claims without a signature (OpenID Connect Core §5.3.2).

    Returns:
        `None` if the client did not register for encryption.

    Raises:
        ValueError: The client registered for encryption, but has no key for it.
    """
    algs = response_algs(client, purpose)
    if client is None or algs.encrypted is None:
        return None
    key = encryption_key(client.keys, algs.encrypted)
    if key is None:
        raise ValueError(f"the client {client.client_id!r} has no key (`use: enc`) for {algs.encrypted} in its jwks")
    kid = {"kid": key["kid"]} if "kid" in key else {}
    cty = {} if token is None else {"cty": "JWT"}
    header = {"alg": algs.encrypted, "enc": algs.enc or DEFAULT_ENC, **kid, **cty}
    plaintext = draft.payload if token is None else token.encode()
    made = EncryptionDraft(header, plaintext, dict(key), draft, client.client_secret or "")
    for name in faults:
        if name in fault_tables.ENCRYPTION:
            return fault_tables.ENCRYPTION[name](made)
    return compact_jwe(header, plaintext, key)
