"""Codes of calls to the provider: no connection, an answer that cannot be used, settings that do not fit."""

from asgi_oidc.errors.codes import Code

_LATER = (
    "Usually temporary: existing sessions continue, and the next login tries again. If it persists, check the provider."
)
_CLOCK = "Check this server's clock; if it is right, the provider has to renew its certificate."
_CALLED = "Check that the URL in the log leads to the provider, and not to a proxy, a firewall or a login page."

CONNECTIONS = [
    Code("connect_dns", "The host name of the provider is not found.", "Check its spelling, and DNS on this machine."),
    Code(
        "connect_refused", "Nothing listens at that host and port.", "Check the port, and that the provider is running."
    ),
    Code("connect_network", "The network is unreachable.", "Check routes and firewalls."),
    Code("connect_timeout", "The connection was not established in time.", "Check host, port and firewalls."),
    Code(
        "connect_proxy",
        "The proxy could not be reached, or refused the connection.",
        "Check `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, or the proxy of `http_client`.",
    ),
    Code(
        "connect_environment",
        "The environment has an invalid proxy or certificate setting.",
        "Check `SSL_CERT_FILE`, `SSL_CERT_DIR`, `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.",
    ),
    Code(
        "connect_tls_untrusted",
        "The certificate of the provider is from a CA that is not trusted here.",
        "Set `SSL_CERT_FILE` to a file that contains this CA, or `http_client` to a client that trusts it.",
    ),
    Code("connect_tls_name", "The certificate is for other host names.", "Check the host in the URL."),
    Code("connect_tls_expired", "The certificate has expired.", _CLOCK),
    Code("connect_tls_not_yet_valid", "The certificate is not valid yet.", _CLOCK),
    Code("connect_tls_certificate", "The certificate was rejected for another reason.", "The log line has the reason."),
    Code("connect_tls_protocol", "The server does not speak TLS.", "Check the port, and `http` or `https` in the URL."),
    Code("connect_tls_version", "There is no TLS version or cipher in common.", "The provider has to update its TLS."),
    Code(
        "connect_tls_client_certificate connect_tls_handshake",
        "The server requires a client certificate, or (`connect_tls_handshake`) another cipher.",
        "Set `client_certificate` to one that the server accepts, or `http_client` to a client that presents it.",
    ),
    Code("connect_tls", "TLS failed for another reason.", "The log line has the reason of the TLS library."),
    Code(
        "metadata_unreachable jwks_unreachable token_unreachable userinfo_unreachable "
        "user_api_unreachable revocation_unreachable "
        "introspection_unreachable par_unreachable registration_unreachable",
        "The call failed, and the HTTP client did not say why. The log line has the class of its exception.",
        _LATER,
    ),
    Code(
        "metadata_timeout jwks_timeout token_timeout userinfo_timeout user_api_timeout revocation_timeout "
        "introspection_timeout par_timeout registration_timeout",
        "The provider did not answer completely within 10 seconds.",
        _LATER,
    ),
]

LOOK_UPS = [
    Code(
        "provider_lookup_failed",
        "The `get` of `providers` raised an exception. The log line `provider_lookup_failed` has its class.",
        "Correct `get`, or check the database that it queries.",
    ),
    Code(
        "provider_lookup_timeout",
        "The `get` of `providers` took more than 10 seconds.",
        "Check the database that it queries, and how many connections `get` may use.",
    ),
    Code(
        "provider_lookup_result",
        "The `get` of `providers` returned something other than a provider or None.",
        "Return `Provider(...)`, or None if there is no provider of that name.",
    ),
    Code(
        "provider_lookup_cool_down",
        "A look-up of this provider failed less than 5 seconds ago, so `get` was not called again.",
        "Look for the log line of that look-up: it has the cause.",
    ),
    Code(
        "provider_lookup_limit",
        "Too many names without a provider were looked up, so `get` was not called: the next call is allowed within a "
        "second.",
        "Usually, a client tries out names. Users of providers that were looked up before are not affected.",
    ),
]

ANSWERS = [
    Code(
        "metadata_unavailable jwks_unavailable token_unavailable userinfo_unavailable "
        "user_api_unavailable revocation_unavailable introspection_unavailable par_unavailable "
        "registration_unavailable",
        "The provider answered with 429 or a 5xx status.",
        _LATER,
    ),
    Code(
        "metadata_cool_down jwks_cool_down",
        "Recent attempts failed, so no new call was made: the next is allowed within 5 seconds.",
        "Look for the log lines of those attempts: they have the cause.",
    ),
    Code(
        "metadata_redirect jwks_redirect token_redirect userinfo_redirect user_api_redirect revocation_redirect "
        "introspection_redirect par_redirect registration_redirect",
        "The provider answered with a redirect, which is never followed.",
        "Set `issuer`, or the endpoint in `metadata`, to the final URL.",
    ),
    Code(
        "metadata_compressed jwks_compressed token_compressed userinfo_compressed "
        "user_api_compressed revocation_compressed introspection_compressed par_compressed registration_compressed",
        "The answer is compressed, although the call asked for an uncompressed one.",
        "Turn off compression for these URLs in the proxy in front of the provider.",
    ),
    Code(
        "metadata_too_large jwks_too_large token_too_large userinfo_too_large user_api_too_large revocation_too_large "
        "introspection_too_large par_too_large registration_too_large",
        "The answer is larger than 256 kB.",
        "Reduce what the provider puts into it, such as the groups of a user.",
    ),
    Code(
        "metadata_status jwks_status token_status userinfo_status user_api_status revocation_status "
        "introspection_status par_status registration_status",
        "The provider answered with an unexpected status and no OAuth error. A pushed authorization request has to be "
        "answered with 201.",
        _CALLED,
    ),
    Code(
        "metadata_not_json jwks_not_json token_not_json userinfo_not_json user_api_not_json introspection_not_json "
        "par_not_json registration_not_json",
        "The answer is not a JSON object; a list of e-mail addresses is not a JSON array.",
        _CALLED,
    ),
    Code(
        "metadata_issuer",
        "The metadata is from another issuer than the configured one.",
        "If it is your provider, set `issuer` to the value in the log exactly.",
    ),
    Code("metadata_invalid", "A member of the metadata is missing or has the wrong type.", "Correct it in `metadata`."),
    Code(
        "metadata_endpoint",
        "An endpoint in the metadata is not an https URL, or not a URL at all.",
        "Correct it at the provider, or in `metadata`.",
    ),
    Code("jwks_malformed", "The JWKS has no list of keys, or more than 64 keys.", _CALLED),
    Code(
        "token_type",
        "The `token_type` in the token answer is missing, or another one than expected: `DPoP` if the setting `dpop` "
        "binds tokens to a key, else `Bearer`.",
        "If `DPoP` was expected, enable DPoP for this client at the provider, or set `dpop` to `never`. If the "
        "provider issues only `DPoP` tokens, set `dpop` to `always`.",
    ),
    Code(
        "access_token_missing id_token_missing refresh_token_missing",
        "The token answer lacks a token.",
        "For `id_token_missing`, check that the client is an OpenID Connect client and gets the scope `openid`.",
    ),
    Code(
        "access_token_malformed id_token_malformed refresh_token_malformed",
        "A token in the token answer is too long, or contains characters that are not allowed.",
        "Report it to the provider's operators.",
    ),
    Code(
        "authorization_details_malformed",
        "The `authorization_details` of the token answer are not a list of objects with a `type`, or too long "
        "(RFC 9396).",
        "Report it to the provider's operators.",
    ),
    Code(
        "token_error",
        "The provider reported an error with status 200.",
        "The log line has the error and its description.",
    ),
    Code(
        "provider_refused",
        "The provider answered with an OAuth error.",
        "The log line has the error and its description. `invalid_client`: check `client_secret` or `client_key`, "
        "then `client_auth`, then `client_assertion_typ`. "
        "`invalid_scope`: check `scope`. `redirect_uri` in the description: register `base_url` + `/auth/callback`. "
        "`invalid_grant` at a login: the code was used before or has expired.",
    ),
    Code(
        "dpop_nonce_missing dpop_nonce_malformed",
        "The provider requires a nonce in the DPoP proof, but its answer supplies none that can be used: "
        "`DPoP-Nonce` is missing, empty, repeated, too long, or has characters that are not allowed. The code or "
        "refresh token was not used.",
        "Check whether a proxy removes the header; otherwise, report it to the provider's operators.",
    ),
    Code(
        "dpop_nonce_refused",
        "The provider rejects the DPoP nonce that it has just supplied. The code or refresh token was not used.",
        "If it has several servers, they have to accept each other's nonces: report it to the provider's operators.",
    ),
    Code(
        "userinfo_unsigned introspection_unsigned",
        "The answer is plain JSON, but a setting such as `userinfo_signed_response_alg` requires a JWT.",
        "Register the client for signed answers at the provider, or remove the setting.",
    ),
    Code("userinfo_not_jwt", "A signed userinfo answer is not ASCII.", "Report it to the provider's operators."),
    Code(
        "introspection_malformed",
        "The provider's answer about an access token does not say whether it is active, or has a member of a wrong "
        "type; the log line names it.",
        "Report it to the provider's operators.",
    ),
    Code(
        "introspection_mismatch",
        "The provider's answer about a JWT contradicts what the JWT itself says about its user, client or key.",
        "Report it to the provider's operators.",
    ),
    Code(
        "introspection_jwt",
        "A signed answer about an access token is not valid; the log line has the code of the check that failed.",
        "Check that the provider signs these answers for this client with its published keys, or as plain JSON.",
    ),
    Code(
        "introspection_limit",
        "Too many access tokens are being introspected, so no call was made for another one.",
        "Usually temporary: a slow provider, or a client that tries out tokens. Tokens that were accepted before have "
        "calls of their own.",
    ),
    Code(
        "registration_malformed",
        "The answer to a registration has no usable `client_id`, or a malformed secret or token. Only "
        "`asgi-oidc register` makes such calls.",
        "Register the client at the provider's website; `asgi-oidc register --dry-run` prints the values.",
    ),
    Code(
        "par_malformed",
        "The answer to a pushed authorization request has no usable `request_uri` or `expires_in`.",
        "Report it to the provider's operators.",
    ),
    Code(
        "par_limit",
        "Too many logins are starting at once, or the provider has said so (429), so the authorization request of this "
        "one was not pushed.",
        "Usually temporary: a slow provider, or a client that keeps starting logins. Logins in progress and refreshes "
        "are not affected.",
    ),
    Code(
        "user_api_subject",
        "The user API's answer has no usable id at the path `subject`: it is missing, null, empty, longer than 255 "
        "characters, or neither text nor a whole number.",
        "Set `subject` to the path of the id that never changes; the log line has the names in the answer.",
    ),
    Code(
        "userinfo_unsupported",
        "`userinfo` is `always`, but the provider's metadata has no `userinfo_endpoint`.",
        "Set `userinfo` to `auto` or `never`, or name the endpoint in `metadata`.",
    ),
]

_PROVIDER = "Change it for this client at the provider. If the metadata is wrong, correct the member in `metadata`."

REQUIREMENTS = [
    Code(
        "par_required",
        "The provider requires pushed authorization requests (RFC 9126), but `par` is `never`.",
        "Set `par` to `auto`.",
    ),
    Code(
        "par_unsupported",
        "`par` is `always`, or the provider requires pushed authorization requests (RFC 9126), but its metadata has no "
        "endpoint for them.",
        "Set `par` to `auto`, or set `pushed_authorization_request_endpoint` in `metadata`.",
    ),
    Code(
        "request_object_required",
        "The provider requires request objects, which are signed (RFC 9101), but there is no `client_key`.",
        "Set `client_key`, and register its public half at the provider.",
    ),
    Code(
        "request_object_unsupported",
        "Authorization requests are to be signed (RFC 9101), but the provider accepts no request objects, or none with "
        "an algorithm of `client_key`.",
        "Enable the algorithm at the provider, or use another key. The log line names what is missing.",
    ),
    Code(
        "request_object_too_long",
        "The URL with a signed authorization request is longer than servers accept.",
        "Set `par` to `always`, which sends the request to the provider directly.",
    ),
    Code(
        "client_assertion_file",
        "The file of `client_assertion_file` is missing, malformed or expired, so the app could not authenticate.",
        "The log line has the path and what was found: check that its volume is mounted, and what renews it.",
    ),
    Code(
        "client_auth_unsupported",
        "The provider supports none of the methods with which the app can authenticate.",
        "Enable one of the methods that the log line names for this client at the provider, or set the credential that "
        "the provider's methods need, such as `client_key`.",
    ),
    Code(
        "dpop_unsupported",
        "`dpop` is `always`, but the provider does not accept DPoP proofs signed with ES256.",
        "Enable ES256 at the provider, or set `dpop` to `never`. If the metadata is wrong, correct "
        "`dpop_signing_alg_values_supported` in `metadata`.",
    ),
    Code(
        "authorization_details_unsupported",
        "The provider does not support the `type` of an object in `authorization_details` (RFC 9396).",
        "Correct the type in the setting or the rule, or enable it at the provider.",
    ),
    Code(
        "profile_unsupported",
        "The provider's metadata lacks what the security profile (`profile`) demands. The log line names each member.",
        "Enable it for this client at the provider, or leave out `profile`.",
    ),
    Code(
        "step_up_unsupported",
        "A login with `acr_values` or `max_age` was about to start at a provider without OpenID Connect, which reports "
        "neither.",
        "List OpenID providers in the `providers` of that rule, or name one in `login_url(provider=...)`.",
    ),
    Code("response_type_unsupported", "The provider does not support the response type `code`.", _PROVIDER),
    Code("grant_type_unsupported", "The provider does not support the grant type `authorization_code`.", _PROVIDER),
    Code("pkce_s256_unsupported", "The provider does not support PKCE with `S256`.", _PROVIDER),
    Code(
        "response_mode_unsupported",
        "The provider does not support the `response_mode` in `authorization_params`.",
        "Remove it from `authorization_params`.",
    ),
    Code(
        "algorithms_unsupported",
        "The provider signs ID Tokens with none of the accepted algorithms.",
        "Change the algorithm at the provider, or name it in `algorithms`.",
    ),
]
