"""Codes of requests of the browser, of sessions and their stores, and of the app's own code."""

from asgi_oidc.errors.codes import Code

_NOT_OURS = "The app's own links and forms never cause it; if it is frequent, it may be an attack."
_FORM = "The client has to send a complete form, without delay and within the size limit."

REQUESTS = [
    Code(
        "transaction_missing",
        "A callback arrived, but this browser has no such login in progress: cookies are blocked, the login took more "
        "than ten minutes, or it was started in another browser or under another host name.",
        "Check that users visit the host of `base_url`. Otherwise the user tries again.",
    ),
    Code(
        "transaction_unreadable",
        "The cookie of the login in progress was encrypted with other settings.",
        "Set the same `secret`, `issuer`, `client_id` and `base_url` in all processes.",
    ),
    Code("signed_out_meanwhile", "The user signed out, here or at the provider, while the login was in progress."),
    Code(
        "provider_unknown",
        "A login was requested at a provider that does not exist, or that the rule of the page does not allow.",
        "Check the name in the link: it has to be a name in `providers`, and in the `providers` of the rule.",
    ),
    Code(
        "provider_mismatch",
        "The response to a login arrived at the callback URL of another provider: an attack, or a wrong redirect URI.",
        "Register the callback URL that ends in the name of the provider, such as `/auth/callback/google`.",
    ),
    Code(
        "not_a_navigation",
        "A script, a frame, an image or a prefetch requested a URL that only a page navigation may use.",
        "Navigate to the login URL instead of fetching it: see [single-page apps](../spa/README.md).",
    ),
    Code(
        "foreign_origin",
        "A page of another site sent a request with the user's session.",
        "If that site is allowed to do so, name its origin in `Rule(path, origins=[...])`.",
    ),
    Code(
        "client_metadata_missing",
        "`/auth/client-metadata.json` was requested, but no provider knows the app by that URL.",
        "Set `client_id` to that URL if the provider supports client id metadata documents.",
    ),
    Code(
        "jwks_empty",
        "`/auth/jwks` was requested, but no provider has a `client_key` or a `decryption_key`.",
        "Set `client_key`, or remove the `jwks_uri` from the client's registration at the provider.",
    ),
    Code("method_not_allowed", "A URL of the middleware was requested with another HTTP method.", _NOT_OURS),
    Code(
        "response_mode",
        "The callback arrived as a GET although `form_post` was requested, or the reverse; or as a JWT although a "
        "plain response was requested.",
        "Check `response_mode` in `authorization_params`, and what the provider supports.",
    ),
    Code(
        "response_unsigned",
        "The authorization response is plain although a JWT was requested (JARM): an attack, or the provider does not "
        "sign its responses. The log line shows its `error`, which may be forged; the login is still in progress.",
        "Check `response_mode` in `authorization_params`, and what the provider supports for this client.",
    ),
    Code("response_mixed", "The callback has a JWT in `response`, and plain parameters beside it.", _NOT_OURS),
    Code("code_missing", "The callback has neither `code` nor `error`.", _NOT_OURS),
    Code(
        "iss_mismatch",
        "The callback names another issuer (RFC 9207): an attack, or a wrong `issuer`.",
        "Set `issuer` exactly as the provider's metadata spells it.",
    ),
    Code(
        "iss_missing",
        "The callback lacks `iss`, although the provider's metadata promises it (RFC 9207).",
        "If the metadata is wrong, set `authorization_response_iss_parameter_supported` to false in `metadata`.",
    ),
    Code("parameter_repeated parameters_doubled", "A parameter was sent more than once.", _NOT_OURS),
    Code("parameter_too_long parameters_too_long", "A parameter, or the query, is too long.", _NOT_OURS),
    Code(
        "parameter_invalid",
        "A parameter of `/auth/login` that `login_params` names has an invalid value.",
        "Correct the link: `prompt=none` cannot be combined, `max_age` is a number of seconds, and `acr_values` must "
        "fit those of the rule and of `authorization_params`.",
    ),
    Code(
        "issuer_missing",
        "A POST to `/auth/login` has no `iss`: only another site starts a login by POST (OIDC Core §4).",
        "Start logins of your own with a GET, or let the other site send `iss`.",
    ),
    Code(
        "issuer_unknown",
        "Another site started a login with an `iss` that is not the issuer of a provider of this app.",
        "Compare `iss` with the setting `issuer`, character by character. If providers are looked up, register the "
        "login URL with `?provider=NAME`.",
    ),
    Code("parameters_malformed", "The parameters are not valid UTF-8, or there are too many.", _NOT_OURS),
    Code("content_type", "A form was expected, but the body has another content type.", _FORM),
    Code("body_timeout", "The body of a form was not complete in time.", _FORM),
    Code("body_incomplete", "The client disconnected before the body was complete.", _FORM),
    Code("body_too_large", "The body of a form is too large.", _FORM),
    Code("logout_token_missing", "A back-channel logout request has no `logout_token`.", "Check who sends it."),
    Code(
        "frontchannel_logout_off",
        "The provider called the front-channel logout URL, but it is not enabled.",
        "Set `frontchannel_logout`, or remove the URL at the provider.",
    ),
    Code(
        "login_loop_without_cookie",
        "The browser signed in several times in a row and never sent the session cookie.",
        "The browser blocks cookies, or has too many from this site; or a proxy drops `Set-Cookie`.",
    ),
    Code(
        "login_loop_with_cookie",
        "The browser signed in several times in a row, and each session ended at once.",
        "Set the same `secret` and settings in all processes, and check their clocks. See `cookie_ignored` in the log.",
    ),
    Code(
        "login_loop_signed_in",
        "A user who is signed in was sent to sign in again several times, or took over too many sessions of others.",
        "Check for app code that redirects signed-in users to the login URL, or raises `StepUpRequired` each time.",
    ),
]

ACCESS = [
    Code(
        "login_required",
        "No user is signed in, and the request is not a page navigation.",
        "Send the user to `login_url`.",
    ),
    Code("forbidden", "The user does not meet a rule; the log line `access_denied` has the reference and the reason."),
    Code("insufficient_scope", "The user lacks a scope that a rule requires.", "Request it in `scope`, and grant it."),
    Code(
        "insufficient_user_authentication",
        "The user has to sign in again, more recently or more strongly (RFC 9470).",
        "Send the user to `login_url`.",
    ),
]

SESSIONS = [
    Code("not_signed_in", "A token was requested, but no user is signed in.", "Check `user.is_authenticated` first."),
    Code(
        "session_ended",
        "The session ended while the request was running: a sign-out, an expiry, or the provider revoked it.",
        "Let the exception reach the middleware, or send the user to `login_url()`.",
    ),
    Code(
        "provider_gone",
        "The session comes from a provider that was removed from `providers`, or whose name belongs to another one.",
        "If that was intended, do nothing: the user signs in at another provider. Otherwise, restore the provider.",
    ),
    Code(
        "access_token_expired",
        "The access token has expired, and there is no refresh token.",
        "Request a refresh token: see [providers](../providers/README.md). Otherwise the user signs in again.",
    ),
    Code(
        "refresh_timeout exchange_timeout",
        "The provider, or another process that refreshes the same session, took too long.",
        "Temporary: try again. The session continues.",
    ),
    Code(
        "refresh_in_vain",
        "The refreshed access token had already expired; or, if sessions do not keep access tokens (`tokens`), it was "
        "dropped from memory for those of other sessions.",
        "Check the clocks, and the lifetime of access tokens at the provider; or let sessions keep access tokens.",
    ),
    Code("refresh_superseded", "Another process refreshed the session at the same time.", "Temporary: try again."),
    Code("refresh_cooling_down", "A refresh failed shortly before, so no new call was made.", "Temporary: try again."),
    Code(
        "refresh_{code} exchange_{code} recheck_{code}",
        "A refresh, a token exchange or a recheck failed. The rest of the code is the code of the cause, such as "
        "`refresh_token_unavailable`.",
        "See the code of the cause. The session continues.",
    ),
    Code(
        "token_not_granted",
        "The provider issues no token for that `resource` or `audience`, or there is no refresh token to request it "
        "with.",
        "Allow this client to request it at the provider. The log line has the provider's reason.",
    ),
    Code(
        "access_token_not_issued",
        "The provider issued no access token at the login, which `allow_missing_access_token` allows.",
        "Request a scope of an API with the setting `scope`.",
    ),
    Code(
        "access_token_not_kept",
        "The app asks for an access token, and the setting `tokens` keeps neither that token nor one to get it with.",
        'Set `tokens` to `"all"` or `"access"`; or to `"refresh"`, if the login brings a refresh token: most providers '
        "issue one for the scope `offline_access`.",
    ),
    Code(
        "dpop_key_unreadable",
        "The session has a DPoP key that this version cannot read, and its tokens are useless without that key.",
        "The user has to sign in again. Report it if it happens again.",
    ),
    Code(
        "session_too_large",
        "The session does not fit into cookies or the store, or a login with long `acr_values` does not fit beside it.",
        "Request fewer claims, keep fewer `tokens`, or use a `store`. The log line says what would suffice.",
    ),
]

STORES = [
    Code(
        "store_failed",
        "The session store raised an exception; the log line has its class.",
        "Check that the store is running and reachable, and its credentials. Until then, protected paths get 503.",
    ),
    Code(
        "store_tables",
        "The tables of `PostgresStore` are missing or of another version.",
        "Run `asgi-oidc postgres-tables`, and give its SQL to `psql` or your migrations.",
    ),
    Code(
        "store_rights",
        "The user of `PostgresStore` lacks rights on the tables.",
        "The log line has the `GRANT` that is missing.",
    ),
    Code("store_login", "PostgreSQL refused the user, the password or the database.", "Check the URL of the store."),
    Code(
        "store_read_only",
        "PostgreSQL only reads: it is a standby, perhaps since a failover.",
        "Name all servers in the URL of the store.",
    ),
    Code(
        "store_full",
        "PostgreSQL has no free connection, no memory or no disk space left.",
        "The log line says which. Lower `pool_size`, or give the server more.",
    ),
    Code(
        "store_unreachable",
        "PostgreSQL cannot be reached, or the connection was lost.",
        "Check that it is running, and host, port and TLS in the URL of the store.",
    ),
    Code("store_timeout", "The session store did not answer in time.", "Check its load, and the network."),
    Code(
        "store_garbage",
        "The store returned a value that asgi-oidc did not write, or that has been changed.",
        "Give asgi-oidc a database of its own, and all processes the same `secret` and version.",
    ),
    Code("store_contended", "Other requests changed the same session too many times at once.", "Temporary: try again."),
    Code(
        "store_id_taken", "The random id of a new session was already in use.", "Check what else writes to the store."
    ),
    Code("store_not_kept_open", "The store could not keep connections open.", "It works, but more slowly."),
    Code(
        "ended_log_full",
        "The store's list of sign-outs is full: there were too many at once.",
        "Temporary: the list empties as sessions expire.",
    ),
    Code(
        "tokens_not_saved",
        "Refreshed tokens could not be written to the store; this process keeps them and tries again.",
        "Check the store.",
    ),
    Code(
        "no_bearer",
        "`middleware.protected_resource_metadata` was used, but the app accepts no access tokens.",
        "Set `bearer`.",
    ),
    Code("no_store", "`middleware.sessions` was used, but sessions are kept in cookies.", "Set `store`."),
]

APP = [
    Code("settings", "One or more settings are invalid.", "The message lists each problem with its fix."),
    Code("unsupported_scope", "The server sent an ASGI scope type that is not http, websocket or lifespan."),
    Code(
        "callback_path_looked_up",
        "A provider that was looked up has `callback_path`, which must be known when the app starts.",
        "Remove it, and register the default redirect URI of that provider.",
    ),
    Code("login_refused", "`on_login` raised `LoginRefused`.", "The log line has the text of the exception."),
    Code(
        "on_login_failed",
        "`on_login` raised an exception, or took more than 30 seconds; the login failed.",
        "The log line has the class of the exception and the lines of code.",
    ),
    Code("on_login_result", "`on_login` returned something other than claims or None.", "Correct `on_login`."),
    Code("on_login_identity", "`on_login` changed `iss` or `sub`.", "Put the app's own ids into other claims."),
    Code(
        "choose_provider_failed",
        "`choose_provider` raised an exception, or took more than 10 seconds; the login did not start.",
        "The log line has the class of the exception and the lines of code.",
    ),
    Code(
        "choose_provider_result",
        "`choose_provider` returned something other than a name in `providers`, or None.",
        "Correct `choose_provider`; to let the user choose, return None.",
    ),
    Code(
        "claims_not_json",
        "`on_login` returned claims that are not JSON values.",
        "Return text, numbers, lists and dicts.",
    ),
    Code(
        "check_failed",
        "The `check` of a rule raised an exception; access was denied.",
        "The log line has the class of the exception and the lines of code.",
    ),
    Code(
        "step_up_invalid",
        "The app raised `StepUpRequired` with values that no login can satisfy.",
        "Correct its `acr_values` and `max_age`.",
    ),
    Code(
        "unexpected_error",
        "A bug in asgi-oidc, or in something that it uses.",
        "Please report it with the log line `unexpected_error`, which names the class and the lines of code.",
    ),
]
