"""Every log event of asgi-oidc: its name and its level; `log_lines` writes it.

The text below an event says when it is logged, and what to do; `examples/reference/events.md` is made from these texts.
"""

import logging

from asgi_oidc.events.log_lines import MAX_FIELD_LENGTH, Event, clean, code_lines, log, log_text, logger

__all__ = ["MAX_FIELD_LENGTH", "Event", "clean", "code_lines", "log", "log_text", "logger"]

SETTINGS_INVALID = Event("settings_invalid", logging.CRITICAL)
"""A setting is invalid: the app does not start. The line lists every problem.

Fix: Change the settings as the line says.
"""
SETTING_RELOADED = Event("setting_reloaded", logging.INFO)
"""The file of a setting has changed, and its new value is in use. For `secret`, `secrets` is the number of secrets that
decrypt cookies and records, and `seals_in` the seconds until a new first one encrypts them: by then, all processes have
read it.
"""
SETTING_NOT_RELOADED = Event("setting_not_reloaded", logging.WARNING)
"""The file of a setting cannot be read, or its new value is invalid; the old value stays in use. Logged once for each
problem.

Fix: Correct the file as the line says; it is read again within seconds.
"""
SECRET_SEALS = Event("secret_seals", logging.INFO)
"""The new first secret now encrypts cookies and records."""
SECRET_REMOVED = Event("secret_removed", logging.WARNING)
"""A secret was removed from the file of `secret`: the sessions that were encrypted with it have ended.

Fix: none if that was intended, after a leak for example. Otherwise, list the secret again, after the new one, until
`session_lifetime` has passed.
"""
PROVIDER_EXCEPTION = Event("provider_exception", logging.WARNING)
"""A setting makes an exception for a provider that deviates from the specifications; logged once for each, at start-up
or when the provider is looked up.

Fix: none if `purpose` is the reason why you have set it; otherwise, remove the setting.
"""
CLIENT_CERTIFICATE_PROBLEM = Event("client_certificate_problem", logging.WARNING)
"""The provider may refuse `client_certificate`, for example because it has expired; logged at start-up, when the file
changes, or when the provider is looked up.

Fix: renew the certificate, or correct what the line names.
"""
LOGIN_STARTED = Event("login_started", logging.DEBUG)
"""A browser was sent to the provider to sign in."""
LOGIN_SUCCEEDED = Event("login_succeeded", logging.INFO)
"""A user has signed in."""
LOGIN_FAILED = Event("login_failed", logging.WARNING)
"""A login failed; the user got an error page, or JSON, that shows the reference.

Fix: Look up the code.
"""
LOGIN_REPEATED = Event("login_repeated", logging.INFO)
"""A callback arrived that belongs to no login in progress in this browser, or the provider's login page had expired.
The code is not used; the browser starts one new login, or goes to the start page.

Fix: none for occasional lines: users go back, reload, or open bookmarks.
"""
SILENT_LOGIN_FAILED = Event("silent_login_failed", logging.INFO)
"""A login with `prompt=none` was not possible without a page of the provider, or the provider is down. The browser goes
back to the app, with `login_error` in the query.

Fix: none if `result` is `login_required` or ends with `_required`; otherwise, look up the code.
"""
SESSIONS_NOT_SHARED = Event("sessions_not_shared", logging.WARNING)
"""Sessions are in a `MemoryStore`, but several processes serve the app.

Fix: Set `store` to a `RedisStore` or `PostgresStore`, or leave it out to keep sessions in cookies.
"""
SESSIONS_IN_THIS_PROCESS = Event("sessions_in_this_process", logging.INFO)
"""Sessions are in a `MemoryStore`: a restart signs everybody out.

Fix: For more than one process, set `store` to a `RedisStore` or `PostgresStore`.
"""
LOGOUT_NOT_SHARED = Event("logout_not_shared", logging.WARNING)
"""Sessions are in cookies, and several processes serve the app, but they do not share sign-outs.

Fix: Set `logout_store` or `store` to a `RedisStore` or `PostgresStore`.
"""
LOGOUT_IN_THIS_PROCESS = Event("logout_in_this_process", logging.INFO)
"""Sign-outs are remembered in the memory of this process only.

Fix: Before you run several processes, set `logout_store` or `store`.
"""
LOGOUT_TOKEN_WITHOUT_EXP = Event("logout_token_without_exp", logging.WARNING)
"""A logout token of the provider had no `exp`; it was accepted.

Fix: none in the app; the provider should add `exp`.
"""
LOGOUT_REFUSED = Event("logout_refused", logging.WARNING)
"""A back-channel logout request was refused. Each reason is logged as a warning once a minute, and at INFO in between.

Fix: Look up the code; anyone can send such a request, so a forged one needs no action.
"""
LOGGED_OUT = Event("logged_out", logging.INFO)
"""Sessions have ended, by the user, the app or the provider."""
LOGIN_REQUIRED = Event("login_required", logging.INFO)
"""A request got 401: it had no session or token, or one whose login is not strong or recent enough; `hint` says why a
token that it may have sent was not read.
"""
ACCESS_DENIED = Event("access_denied", logging.WARNING)
"""A signed-in user got 403; `why` names the rule, or the part of it, that is not met.

Fix: Give the user the role or scope, or change the rule.
"""
TOKEN_REFUSED = Event("token_refused", logging.INFO)
"""A request got 401: its access token is not valid. Anyone can send such a request.

Fix: Look up the code if a client that should have access is refused.
"""
USERINFO_REFUSED = Event("userinfo_refused", logging.WARNING)
"""The provider refused the userinfo call with 401 or 403; the login continued with the claims of the ID Token.

Fix: If the access token is for another API, set `userinfo` to `never`.
"""
ACCESS_TOKEN_UNREAD = Event("access_token_unread", logging.WARNING)
"""A refreshed access token could not be used for `claims_from_access_token`; the session continues without its claims.

Fix: Look up the code.
"""
GROUPS_OMITTED = Event("groups_omitted", logging.WARNING)
"""The user is in more groups than fit into a token, so the token has no `groups` (group overage in Microsoft Entra).

Fix: Use app roles, send only the groups that are assigned to the application, or read them from Microsoft Graph in
`on_login`, with its `access_token`.
"""
CLAIM_DROPPED = Event("claim_dropped", logging.WARNING)
"""`on_login` or `on_token` replaced an address without confirming it, so its `email_verified` or
`phone_number_verified` was dropped.

Fix: Set the claim in the hook as well if the new value is verified.
"""
USER_FIELD_IGNORED = Event("user_field_ignored", logging.WARNING)
"""The field `user` of a first login at Apple cannot be used, so the user has no name; the login continues.

Fix: Ask the user for a name. Apple sends it again only after the user has removed the app from the Apple Account.
"""
RETURN_TO_IGNORED = Event("return_to_ignored", logging.INFO)
"""A `return_to` is not a plain path of this site; the browser went to the start page instead.

Fix: Pass a path such as `/orders`, not a URL of another site.
"""
COOKIE_IGNORED = Event("cookie_ignored", logging.INFO)
"""A session cookie is expired, revoked, unknown to the store, or sealed with other settings; the request counts as
anonymous.

Fix: none for occasional lines. If they are frequent, check that all processes have the same settings.
"""
REQUEST_FAILED = Event("request_failed", logging.WARNING)
"""A request other than a login failed; the response shows the reference.

Fix: Look up the code.
"""
LOGO_NOT_PUBLIC = Event("logo_not_public", logging.WARNING)
"""The path of `app_logo` needs a signed-in user, so pages for people who are not signed in cannot show the logo.

Fix: Add the path to `public`.
"""
PAGE_FAILED = Event("page_failed", logging.WARNING)
"""The function of the setting `pages` raised an exception, took more than 10 seconds or did not return HTML; the user
got our own page instead. Logged once for each kind of page.

Fix: Look at `raised` and `at`, or at `detail`; render that page in a test.
"""
FORM_STOPPED = Event("form_stopped", logging.INFO)
"""A form was submitted without a session, and was not passed to the app.

Fix: Set `keep_forms` to offer it again after the login.
"""
FORM_OFFERED = Event("form_offered", logging.INFO)
"""A kept form was offered to its user after the login."""
FORM_LOST = Event("form_lost", logging.INFO)
"""A form could not be offered after the login: it was not kept, or another user signed in."""
WEBSOCKET_CLOSED = Event("websocket_closed", logging.INFO)
"""A websocket was closed because its session is over (4401), or the store was down too long to check that (1013)."""
RESPONSE_ENDED = Event("response_ended", logging.INFO)
"""A response that was still open was ended because its session is over."""
ERROR_AFTER_END = Event("error_after_end", logging.INFO)
"""The app raised an exception because the middleware had ended its connection; the exception was not passed on."""
STORE_FAILED = Event("store_failed", logging.WARNING)
"""The session store failed. `fallback` says what happened instead; without it, protected paths get 503.

Fix: Look up the code.
"""
TOKENS_REFRESHED = Event("tokens_refreshed", logging.DEBUG)
"""The tokens of a session were refreshed."""
REFRESH_FAILED = Event("refresh_failed", logging.WARNING)
"""The tokens of a session could not be refreshed; the session continues, and a later request tries again.

Fix: Look up the code; the part after `refresh_` is the cause.
"""
TOKENS_NOT_KEPT = Event("tokens_not_kept", logging.WARNING)
"""Refreshed tokens do not fit into cookies; this process keeps them.

Fix: Request fewer claims, keep fewer `tokens`, or use a `store`; `detail` says what would suffice.
"""
SESSION_LARGE = Event("session_large", logging.WARNING)
"""A session takes three quarters of `max_cookie_header` or more, which is 6,000 bytes by default: if its claims or
tokens grow, its user cannot sign in any more. `largest` names what takes most. Logged at most once a minute.

Fix: Request fewer claims, keep fewer `tokens`, use a `store`, or raise `max_cookie_header` if all proxies accept that.
"""
RECHECK_FAILED = Event("recheck_failed", logging.WARNING)
"""The provider could not be asked whether a session is still valid (`recheck`); the session continues, and a later
request tries again. For a session with a refresh token, the line is `refresh_failed`.

Fix: Look up the code; the part after `recheck_` is the cause.
"""
SESSION_WITHDRAWN = Event("session_withdrawn", logging.INFO)
"""The provider no longer accepts the refresh token, or did not confirm the session (`recheck`): it was ended."""
TOKEN_NOT_GRANTED = Event("token_not_granted", logging.WARNING)
"""The provider gave no token for another API.

Fix: Allow this client to request it at the provider.
"""
PROVIDER_FAILED = Event("provider_failed", logging.WARNING)
"""A call to the provider failed. `fallback` says what was used instead.

Fix: Look up the code.
"""
PROVIDER_LOOKUP_FAILED = Event("provider_lookup_failed", logging.WARNING)
"""The `get` of `providers` raised an exception, took too long, or did not return a provider. A provider that was looked
up before stays in use for an hour; other logins get 503.

Fix: Look up the code; if `get` raised an exception, the line has its class and the lines of code.
"""
PROVIDER_CHANGED = Event("provider_changed", logging.INFO)
"""The `get` of `providers` returned new settings for a provider, or no longer returns it."""
PROVIDER_GONE = Event("provider_gone", logging.WARNING)
"""Sessions come from a provider that was removed from `providers`, or whose name now belongs to another one; their
users count as anonymous. Logged once for each name.

Fix: none if that was intended. Otherwise, restore the provider: the sessions are then valid again.
"""
KEYS_FETCHED = Event("keys_fetched", logging.DEBUG)
"""The provider's keys were fetched."""
KEY_SKIPPED = Event("key_skipped", logging.DEBUG)
"""A key of the provider is of a kind that is not supported, or not for signatures."""
METADATA_FETCHED = Event("metadata_fetched", logging.DEBUG)
"""The provider's metadata was fetched."""
UNEXPECTED_ERROR = Event("unexpected_error", logging.ERROR)
"""A bug in asgi-oidc, or in something that it uses; the line names the class of the exception and the lines of code.

Fix: Please report it with this line.
"""
ON_EVENT_FAILED = Event("on_event_failed", logging.WARNING)
"""`on_event` raised an exception or took more than 5 seconds, so it may have missed audit events; `lost` counts them
since the last line. Logged at most once a minute.

Fix: The line has the class of the exception and the lines of code.
"""
EVENTS_DROPPED = Event("events_dropped", logging.WARNING)
"""Audit events came faster than `on_event` took them, so some were dropped: `repeatable` of those that clients can
cause as often as they like, `others` of all others. Logged about once a minute.

Fix: Make `on_event` faster: write to a queue, or many events at once. If only `repeatable` is not 0, somebody may be
flooding the app with forged requests.
"""
HOST_MISMATCH = Event("host_mismatch", logging.WARNING)
"""A login was started under another host name than that of `base_url`, where it cannot finish.

Fix: Redirect that host to `base_url`, or list both there; a proxy must pass the `Host` header on.
"""
MOUNT_MISMATCH = Event("mount_mismatch", logging.WARNING)
"""The `root_path` of the server or framework is not the path of `base_url`, so no path is public.

Fix: Make `base_url` end with the path on which the app is mounted, or if a proxy strips a prefix, set that as the
server's root path.
"""
MOUNTS_UNKNOWN = Event("mounts_unknown", logging.WARNING)
"""The middleware cannot tell how an app below a rule matches paths, so the rule may not cover `/adminx`.

Fix: Set `plain_prefixes`, to `[]` if the app has none.
"""
TOKENS_WITHOUT_AUDIENCE = Event("tokens_without_audience", logging.WARNING)
"""`allow_missing_audience` is set: access tokens without `aud` are accepted. Any other API that gets such a token can
call this one with it, as its user.

Fix: Have the provider add the audience of this API to its tokens, and remove the setting.
"""
AUDIENCE_IS_CLIENT_ID = Event("audience_is_client_id", logging.WARNING)
"""An audience of `Bearer` is the `client_id`, which is the audience of ID Tokens. A token without a scope, the type
`at+jwt` or another mark of an access token is refused then.

Fix: Register the API at the provider under an identifier of its own.
"""
PROOFS_NOT_SHARED = Event("proofs_not_shared", logging.WARNING)
"""Several processes serve the app, but do not share the ids of DPoP proofs: a copied proof works once in each process.

Fix: Set `store` or `logout_store` to a `RedisStore` or `PostgresStore`.
"""
FORWARD_AUTH_REFUSED = Event("forward_auth_refused", logging.WARNING)
"""A proxy asked `asgi-oidc serve` about a request in a way that is not accepted; the browser got 403, or a login page.
Each reason is logged as a warning once a minute, and at INFO in between.

Fix: Look up the code: most often, the proxy is not named with `--trusted-proxy`, or sends other headers than those of
the guide. A browser can cause a few of the codes, with a path or a header that no browser sends by itself.
"""
METADATA_NOT_ROUTED = Event("metadata_not_routed", logging.WARNING)
"""The app is mounted below a path and accepts access tokens, but `protected_resource_metadata` is not in use. Clients
look for the metadata at the root of the site, as the challenge of a 401 tells them.

Fix: Route the `paths` of the line to `middleware.protected_resource_metadata` in the outer app; if a proxy serves them,
have it pass them on to the same path below `base_url`, and ignore the line.
"""
ROOT_PATH_OF_APP = Event("root_path_of_app", logging.WARNING)
"""The app sets a root path that `base_url` does not end with.

Fix: Make `base_url` end with this root path, or remove it.
"""
