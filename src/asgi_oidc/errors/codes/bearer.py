"""Codes of requests that present an access token."""

from asgi_oidc.errors.codes import Code

_CLIENT = "The client has to send one header, `Authorization: Bearer TOKEN`."

BEARER = [
    Code("authorization_repeated", "A request has several `Authorization` headers.", _CLIENT),
    Code("authorization_too_long", "The `Authorization` header is longer than 16 kB.", _CLIENT),
    Code("authorization_malformed", "The `Authorization` header is not a scheme, a space and one token.", _CLIENT),
    Code(
        "token_opaque",
        "The access token is not a JWT, and no provider is asked about such tokens.",
        "Have the provider issue JWTs for this API, or set `introspect` of `Bearer`.",
    ),
    Code(
        "token_revoked",
        "The user was signed out by the provider after the access token was issued.",
        "The client has to get a new token, with a new login.",
    ),
    Code(
        "token_pass_through",
        "`access_token()` was called for a user with an access token: that token is for this app and no other.",
        "Get a token for the other API with `exchange_token()`.",
    ),
    Code(
        "on_token_failed",
        "`on_token` raised an exception or took longer than 10 seconds; the token was refused.",
        "Fix `on_token`; the log names the class of the exception.",
    ),
    Code("on_token_result", "`on_token` returned something other than claims or `None`.", "Fix `on_token`."),
    Code("on_token_identity", "`on_token` changed `iss` or `sub`.", "Leave both claims as they are."),
]
