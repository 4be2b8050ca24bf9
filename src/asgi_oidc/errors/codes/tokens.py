"""Codes of tokens and claims that fail a check."""

from asgi_oidc.errors.codes import Code

_OTHER_LOGIN = "The token belongs to another login: an attack, or a provider that mixes up its answers."
_REPORT = "Report it to the provider's operators if it happens again."
_CLOCK = "Check the clocks of this server and of the provider; `leeway` allows for small differences."

TOKENS = [
    Code(
        "claim_iss userinfo_iss",
        "The token's `iss` is not the configured `issuer`, or not that of its tenant (`tid`).",
        "Set `issuer` exactly as the provider's metadata spells it, including a trailing `/`. For Entra's "
        "`https://sts.windows.net/...`, request tokens of version 2.0.",
    ),
    Code(
        "logout_token_unsupported",
        "A logout token was sent to the URL of a provider without OpenID Connect, which issues none.",
        "Such a provider cannot sign users out here. Check which provider the URL is registered at.",
    ),
    Code(
        "token_encrypted",
        "The token is encrypted, and there is no `decryption_key`.",
        "Set `decryption_key`, or turn encryption off for this client at the provider.",
    ),
    Code(
        "token_unencrypted",
        "The token is not encrypted, but a setting such as `id_token_encrypted_response_alg` requires it.",
        "Register the client for encryption at the provider, or remove the setting.",
    ),
    Code(
        "token_decryption",
        "No key of `decryption_key` decrypts the token: it was encrypted to another key, or changed on the way.",
        "Check that the provider has the current public key. During a rotation, keep the old key in the list.",
    ),
    Code(
        "token_unsigned",
        "There is no signed JWT inside the encrypted token: anyone who knows the public key could have made it.",
        "Register the client for tokens that are signed and then encrypted.",
    ),
    Code("header_zip", "The encrypted token is compressed.", "Turn off compression (`zip`) at the provider."),
    Code(
        "claim_tid",
        "`tid` is missing, not a UUID in lower case, not the tenant of `iss`, or a tenant whose users may not sign in.",
        "To admit the users of this tenant, add it to `tenants`.",
    ),
    Code(
        "key_issuer",
        "The token is signed with a key that the provider's JWKS reserves for another issuer.",
        _REPORT,
    ),
    Code(
        "claim_aud",
        "The token is for another client, or has further audiences; a refreshed ID Token has other audiences than the "
        "first; an access token of a request is for none of the audiences of `Bearer`.",
        "Check `client_id`. If the further audiences are known, name them in `trusted_audiences`. For an access token, "
        "have the provider issue it for the audience of `Bearer`.",
    ),
    Code(
        "claim_azp",
        "`azp` names another client, or differs from the first ID Token of the session.",
        "Check `client_id`, and which client the provider issues the token to.",
    ),
    Code(
        "claim_client_id",
        "`claims_from_access_token` is set, and the access token was issued to another client; or the claims of an "
        "access token of a request name several clients, or none in a usable form.",
        "Check which client requests the token; without a need for its claims, unset `claims_from_access_token`.",
    ),
    Code(
        "claim_sub userinfo_sub",
        "`sub` is missing, too long, or another user's: in userinfo, in a refreshed ID Token, in an access token, or "
        "in a logout token whose `sid` is another user's.",
        _REPORT,
    ),
    Code(
        "claim_exp",
        "The token has expired, `exp` is not a date, or the access token of a request is valid for more than 30 hours.",
        f"{_CLOCK} Have the provider issue access tokens with a shorter lifetime.",
    ),
    Code("claim_nbf", "The token is not valid yet, or `nbf` is not a date.", _CLOCK),
    Code(
        "claim_iat",
        "The token was issued in the future, `iat` is not a date, or a logout token is too old.",
        _CLOCK,
    ),
    Code(
        "claim_nonce",
        f"{_OTHER_LOGIN} A logout token must not have a `nonce`.",
        _REPORT,
    ),
    Code(
        "claim_at_hash",
        "The ID Token was issued with another access token, or is signed with an algorithm whose hash is unknown.",
        _REPORT,
    ),
    Code(
        "claim_acr",
        "The user signed in with a weaker authentication context than `acr_values` require.",
        "Enable the authentication context for this client at the provider, and have it sent as `acr` in the ID Token.",
    ),
    Code(
        "claim_auth_time",
        "The user signed in longer ago than `max_age` allows, or the ID Token does not say when.",
        "Have the provider honour `max_age` and send `auth_time` in the ID Token. If the time is in the future, check "
        "the clocks.",
    ),
    Code(
        "claim_hd",
        "The Google account belongs to an organization that is not in `hosted_domains`, or to none.",
        "To admit the users of this organization, add its domain to `hosted_domains`.",
    ),
    Code(
        "claim_scope",
        "`scope` or `scp` of an access token is neither text nor a list of scopes, or the two contradict each other.",
        _REPORT,
    ),
    Code(
        "claim_cnf",
        "The access token is bound to a key in a way that is not supported; `jkt` (DPoP) and `x5t#S256` (a client "
        "certificate) are.",
        "Have the provider bind the tokens of this client with DPoP or mTLS, or not at all.",
    ),
    Code(
        "bearer_unsupported",
        "The provider has no OpenID Connect, so its access tokens cannot be checked.",
        "Send a token of an OpenID provider.",
    ),
    Code(
        "token_inactive",
        "The provider says that the access token of a request is not active: it expired, was revoked, or is made up.",
        "The client needs a new token.",
    ),
    Code(
        "introspection_unsupported",
        "The access token of a request has to be introspected, but the metadata has no `introspection_endpoint`, or "
        "the app has no `client_secret` to call it with.",
        "Have the provider issue JWT access tokens, or set what is missing.",
    ),
    Code("claim_sid", "A logout token has neither `sid` nor `sub`, or one of them is not text.", _REPORT),
    Code("claim_jti", "A logout token was used before, or has no usable `jti`.", "A repeated one needs no action."),
    Code("claim_events", "A logout token lacks the back-channel logout event.", _REPORT),
    Code(
        "session_over",
        "The claim `session_expiry` of the ID Token says that the provider's session has ended, or the provider no "
        "longer accepts the access token of a session (`recheck`).",
        "The user signs in again.",
    ),
    Code(
        "recheck_impossible",
        "Nobody can confirm a session (`recheck`): it has no refresh token, and its access token has expired or is "
        "not kept (`tokens`), or the provider has no endpoint to ask at. The session was ended.",
        "Request a refresh token, with the scope `offline_access` at most providers, or leave `recheck` out.",
    ),
    Code(
        "token_typ",
        "The token is of another kind than expected: a logout token instead of an ID Token, an ID Token instead of an "
        "access token, or a `typ` that does not fit.",
        "For `claims_from_access_token`, check that the provider issues JWT access tokens. If it issues access tokens "
        "that look like ID Tokens, have it put `scope` into them, or set `typ` to `at+jwt`.",
    ),
    Code(
        "token_malformed",
        "The token is not a signed JWT: it is opaque, encrypted, or too long.",
        "Turn off encryption of ID Tokens for this client. If access tokens are opaque, unset "
        "`claims_from_access_token`.",
    ),
    Code("header_malformed", "`kid` or `typ` in the token's header is not text.", _REPORT),
    Code("header_crit", "The token's header requires an extension that is not supported (`crit`, `b64`).", _REPORT),
    Code("claims_malformed", "The token's payload is not a JSON object.", _REPORT),
    Code(
        "alg_not_allowed",
        "The token is signed with an algorithm that is not accepted.",
        "Change the algorithm of this client at the provider, or name the algorithm in `algorithms`.",
    ),
    Code(
        "kid_unknown",
        "No key in the provider's JWKS fits the token, even after fetching them again.",
        "Check that `issuer` is the provider that issued the token. After a key rotation, wait 30 seconds and try "
        "again.",
    ),
    Code(
        "signature",
        "The signature does not match the provider's key, or for HS256 the client secret: the token was changed or "
        "forged.",
        _REPORT,
    ),
    Code("userinfo_aud", "A signed userinfo answer is for another client.", "Check `client_id`."),
]
