"""LinkedIn as a ready-made provider.

Sources: Sign In with LinkedIn using OpenID Connect, at
https://learn.microsoft.com/en-us/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2; Authorization Code
Flow, at https://learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow.
"""

from asgi_oidc.settings.ready_made.preset import Preset

CALL = "Provider.linkedin"
ISSUER = "https://www.linkedin.com/oauth"


def linkedin() -> Preset:
    """Return what is known of LinkedIn."""
    return Preset(
        call=CALL,
        title="LinkedIn",
        logo="linkedin",
        fixed={
            "issuer": ISSUER,
            # The metadata lists no method, which would mean client_secret_basic (OpenID Connect Discovery §3).
            "client_auth": "client_secret_post",
        },
        # The ID Token has no nonce (https://github.com/authlib/authlib/issues/763), and a code_verifier is refused
        # unless LinkedIn has enabled PKCE for the client (https://github.com/nextauthjs/next-auth/issues/8831).
        defaults={"allow_missing_nonce": True, "allow_missing_pkce": True, "allow_code_injection": True},
    )
