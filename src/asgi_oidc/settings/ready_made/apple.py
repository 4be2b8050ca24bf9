"""Apple as a ready-made provider: Sign in with Apple on the web.

Sources: Request an authorization to the Sign in with Apple server, Token validation, Token revocation, at
https://developer.apple.com/documentation/signinwithapplerestapi.
"""

import re
from collections.abc import Mapping
from typing import Any

from asgi_oidc.errors import describe_value
from asgi_oidc.protocol.client_auth.signed_secret import APPLE, SignedSecret
from asgi_oidc.protocol.jose_signing import SigningKey, read_p256_key
from asgi_oidc.settings.ready_made.preset import Preset, not_text, read_argument, read_words

CALL = "Provider.apple"
SCOPES = ("openid", "name", "email")
# All that the documentation names, so that nothing has to be discovered: for some days in June 2025, Apple's metadata
# named another issuer than its tokens (https://github.com/nextauthjs/next-auth/issues/13050). There is no revocation
# endpoint on purpose: it also withdraws the user's consent, which a sign-out must not do.
METADATA: Mapping[str, Any] = {
    "authorization_endpoint": "https://appleid.apple.com/auth/authorize",
    "token_endpoint": "https://appleid.apple.com/auth/token",
    "jwks_uri": "https://appleid.apple.com/auth/keys",
    "id_token_signing_alg_values_supported": ["RS256"],
}
KEY_SETTINGS = (  # of other ways to authenticate
    "client_key",
    "client_certificate",
    "client_certificate_key",
    "client_assertion_file",
    "token_endpoint_auth_signing_alg",
    "client_assertion_typ",
)
_IDENTIFIER = re.compile("[A-Z0-9]{10}")


def apple(given: Mapping[str, Any], *, team_id: object, key_id: object, private_key: object) -> Preset:
    """Return what is known of Apple.

    Args:
        given: the other settings of the app, not checked yet.
    """
    problems = _scope_problems(given.get("scope"))
    team = read_argument("team_id", _read_identifier, team_id, problems)
    kid = read_argument("key_id", _read_identifier, key_id, problems)
    key = read_argument("private_key", _read_key, private_key, problems)
    client_id = given.get("client_id")
    signer = None
    if team and kid and key and isinstance(client_id, str):
        signer = SignedSecret(issuer=team, subject=client_id, key_id=kid, key=key)
    return Preset(
        call=CALL,
        title="Apple",
        logo="apple",
        fixed={"issuer": APPLE, **dict.fromkeys(("client_secret", "client_auth", *KEY_SETTINGS))},
        defaults={"scope": " ".join(SCOPES), "metadata": METADATA},
        parameters={"response_mode": "form_post"},  # required for the scopes name and email
        reasons={
            "client_secret": "it is made from private_key for each call",
            "client_auth": "the client secret is sent in the form",
            **dict.fromkeys(KEY_SETTINGS, "Apple takes a client secret only, which is made from private_key"),
            "response_mode": "Apple sends names and addresses by form_post only",
        },
        has_secret=False,
        secret_signer=signer,
        fields={"reads_user_field": True},
        problems=tuple(problems),
    )


def _read_identifier(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(not_text(value))
    if not _IDENTIFIER.fullmatch(value):
        raise ValueError(f"must be 10 capital letters and digits, got {describe_value(value)}")
    return value


def _read_key(value: object) -> SigningKey:
    if not isinstance(value, str):
        raise ValueError(f"{not_text(value)}; it is the text of the .p8 file that Apple lets you download once")
    return read_p256_key(value)


def _scope_problems(scope: object) -> list[str]:
    unknown = [word for word in read_words(scope) if word not in SCOPES]
    return [f"scope: Apple knows only {', '.join(SCOPES)}: remove {', '.join(unknown)}"] if unknown else []
