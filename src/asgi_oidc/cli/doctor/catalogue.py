"""Every finding that there is: its stable name, severity and subject, and what it means."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "info"]
"""An error prevents logins or endangers them; a warning may be meant; information is to be read or registered."""

SUBJECTS = (
    "app",
    "settings",
    "discovery",
    "keys",
    "client",
    "uris",
    "clock",
    "store",
    "processes",
    "access",
    "cookies",
    "sizes",
    "deployed",
)


class Kind(NamedTuple):
    """A kind of finding.

    Attributes:
        meaning: a phrase for the guide.
    """

    subject: str
    severity: Severity
    meaning: str


def _kinds(subject: str, **kinds: tuple[Severity, str]) -> dict[str, Kind]:
    return {name: Kind(subject, severity, meaning) for name, (severity, meaning) in kinds.items()}


KINDS: Mapping[str, Kind] = {
    **_kinds(
        "app",
        app_not_found=("error", "there is no app of this name"),
        app_import_failed=("error", "the app raises an exception when it is imported"),
        middleware_not_found=("error", "there is no `OIDCMiddleware` around the app"),
        middleware_twice=("warning", "two middlewares have the same `base_url`"),
        check_failed=("error", "a check raised an exception: please report it"),
        not_finished=("warning", "a check was not finished within the time or the number of calls allowed"),
    ),
    **_kinds(
        "settings",
        setting_missing=("error", "a required setting is missing"),
        setting_unknown=("error", "a setting or variable is misspelt"),
        env_file_not_read=("warning", "settings are missing, and a file `.env` that has some was not read"),
        env_file_unreadable=(
            "error",
            "the file of `--env-file` cannot be read, or has a line that is not `NAME=VALUE`",
        ),
        settings_invalid=("error", "a setting is invalid, or contradicts another one"),
        secret_weak=("error", "`secret` is too short, or repeats itself"),
        secret_example=("error", "`secret` was typed or copied from an example"),
        secret_changes=("warning", "the app makes a new `secret` whenever it starts"),
        secret_reused=("warning", "`secret` is the `client_secret` as well"),
        placeholder_value=("error", "`client_id` or `client_secret` is a placeholder, such as `CLIENT-SECRET`"),
        key_file_readable=("warning", "a file with a private key can be read by its group, or by everybody"),
        certificate_expired=("error", "the client certificate has expired"),
        certificate_expires_soon=("warning", "the client certificate expires within 30 days"),
        certificate_not_yet_valid=("error", "the client certificate is not valid yet"),
        certificate_not_for_clients=("warning", "the certificate is not meant for the authentication of clients"),
        assertion_unusable=(
            "error",
            "the file of `client_assertion_file` is missing, unreadable or malformed, or its assertion has expired",
        ),
        base_url_http=("error", "`base_url` is plain http on a host other than loopback"),
        base_url_is_endpoint=("error", "`base_url` is the redirect URI, not the URL of the app"),
        issuer_is_metadata_url=("error", "`issuer` is the address of the metadata"),
        public_everything=("error", "`public` has `/*`, which would open every path"),
        public_has_mount_path=("error", "a pattern repeats the mount path that is in `base_url`"),
        callback_path_conflict=("error", "`callback_path` collides with another path"),
    ),
    **_kinds(
        "discovery",
        issuer_mismatch=(
            "error",
            "the metadata has another issuer: it differs in a slash, the scheme, the tenant or the host",
        ),
        discovery_not_found=("error", "the provider has no metadata at this issuer"),
        discovery_not_json=("error", "a web page is where the metadata should be"),
        discovery_redirect=("error", "the address of the metadata redirects to another one"),
        discovery_failed=("error", "the metadata cannot be used for another reason"),
        provider_unavailable=("error", "the provider answers with an error, or too slowly"),
        connect_dns=("error", "the host name of the provider is not found"),
        connect_refused=("error", "nothing listens at that host and port"),
        connect_network=("error", "the network is unreachable"),
        connect_timeout=("error", "connecting takes too long"),
        connect_proxy=("error", "the proxy of the environment cannot be used"),
        connect_environment=("error", "a proxy or certificate variable of the environment is invalid"),
        connect_tls_untrusted=("error", "the certificate is self-signed, or of a CA that is not trusted here"),
        connect_tls_name=("error", "the certificate is for other host names"),
        connect_tls_expired=("error", "the certificate has expired"),
        connect_tls_failed=("error", "TLS fails for another reason, which the finding names"),
        par_required=("error", "the provider requires pushed authorization requests, and `par` is `never`"),
        par_unsupported=("error", "authorization requests are to be pushed, but the metadata has no endpoint for them"),
        request_object_required=("error", "the provider requires signed requests, and there is no `client_key`"),
        request_object_unsupported=("error", "the provider accepts no requests that are signed with `client_key`"),
        response_type_unsupported=("error", "the provider does not offer the authorization code flow"),
        grant_type_unsupported=("error", "the provider does not exchange authorization codes"),
        pkce_s256_unsupported=("error", "the provider does not support PKCE with S256"),
        response_mode_unsupported=("error", "the provider does not support the `response_mode`"),
        profile_unsupported=("error", "the provider's metadata lacks what `profile` demands"),
        dpop_unsupported=("error", "`dpop` is `always`, but the provider accepts no DPoP proofs with ES256"),
        authorization_details_unsupported=("error", "the provider does not support a type of `authorization_details`"),
        dpop_not_listed=("warning", "`dpop` is `always`, but the provider does not list what proofs it accepts"),
        scope_unsupported=("warning", "a standard scope is requested that the provider does not list"),
        logout_is_local=("info", "the provider has no sign-out URL"),
        providers_looked_up=("info", "providers are looked up when needed, so none was checked"),
    ),
    **_kinds(
        "keys",
        algorithms_unsupported=("error", "the provider signs with algorithms that `algorithms` does not accept"),
        keys_unavailable=("error", "the keys cannot be fetched"),
        keys_missing=("error", "the provider publishes no usable key"),
        keys_unfit=("error", "no key is of the kind that the accepted algorithms need"),
    ),
    **_kinds(
        "client",
        client_auth_unsupported=("error", "the provider accepts no authentication method that the settings allow"),
        client_rejected=("error", "wrong `client_id`, `client_secret` or `client_key`, or wrong authentication method"),
        dpop_refused=("error", "the provider does not accept a DPoP proof: its nonce, its time or its URL"),
        client_not_allowed=("error", "the client may not use the authorization code flow"),
        dpop_required=("error", "the provider accepts only calls with a DPoP proof, and `dpop` sends none"),
        client_not_checked=("warning", "the answer did not show whether the credentials are right"),
        any_code_accepted=("error", "the token endpoint issued tokens for a made-up code"),
    ),
    **_kinds(
        "uris",
        redirect_uri_unregistered=("error", "the provider does not know the redirect URI"),
        client_unknown=("error", "the provider does not know the `client_id`"),
        login_refused_by_provider=("error", "the provider refuses the authorization request, such as its scope"),
        redirect_uri_not_checked=("warning", "the answer did not show whether the redirect URI is registered"),
        logout_uri_unregistered=("error", "the provider does not know the post-logout redirect URI"),
        register_redirect_uri=("info", "the redirect URI to register"),
        register_jwks_uri=("info", "the address of the public keys to register, or what it answers"),
        register_logout_uri=("info", "the post-logout redirect URI to register"),
        register_backchannel_uri=("info", "the back-channel logout URI to register, if the provider can call the app"),
    ),
    **_kinds(
        "clock",
        clock_skew=("error", "the clocks of this machine and the provider differ by more than `leeway`"),
    ),
    **_kinds(
        "store",
        store_unreachable=("error", "the store cannot be reached"),
        store_login=("error", "the store refuses the user name or password"),
        store_rights=("error", "the user of the store may not run a command that is needed"),
        store_tables=("error", "the tables of PostgreSQL are missing, or of another version"),
        store_full=("error", "the store is out of memory"),
        store_read_only=("error", "the store is a replica"),
        store_is_cluster=("error", "the URL names one server, which belongs to a cluster"),
        store_eviction=("error", "Redis may evict sessions and sign-outs when its memory is full"),
        store_unlogged=("warning", "the tables in PostgreSQL are unlogged: a crash of the server empties them"),
        store_inconsistent=("error", "the store returned something other than what was written"),
        store_failed=("error", "the store fails for another reason"),
        store_not_checked=("warning", "the settings of the store could not be read"),
    ),
    **_kinds(
        "processes",
        sessions_not_shared=("error", "several processes, each with sessions of its own"),
        logout_not_shared=("warning", "several processes, which do not share sign-outs"),
    ),
    **_kinds(
        "access",
        nothing_protected=("error", "every path is public, and there is no rule"),
        health_closed=("warning", "a health check needs a signed-in user"),
        docs_open=("warning", "the API documentation is public"),
        docs_half_open=("warning", "of the documentation and its schema, only one is public"),
        admin_public=("warning", "an administration page is public"),
        metrics_open=("warning", "the metrics are public"),
        rule_never_matches=("warning", "a rule matches no route of the app"),
        public_misses_mount=("warning", "a pattern opens a mount's path, but nothing below it"),
        public_pattern_unused=("info", "a pattern of `public` matches no route of the app"),
        logo_not_public=("warning", "the path of `app_logo` needs a signed-in user, so the sign-in page shows no logo"),
        route_hidden=("warning", "a route of the app is never reached, because the URL is one of asgi-oidc's own"),
        mounts_unknown=("warning", "rules might be bypassed in an app whose routing is unknown"),
    ),
    **_kinds(
        "cookies",
        base_url_loopback=("warning", "`base_url` is on loopback, but this looks like a deployment"),
        mount_path_mismatch=("error", "`base_url` does not end with the path at which the app is mounted"),
        root_path_of_app=("warning", "the app sets a root path that is not in `base_url`"),
        host_not_allowed=("error", "the app refuses the host of `base_url`"),
        form_post_without_https=("warning", "`response_mode=form_post` needs https"),
    ),
    **_kinds(
        "deployed",
        app_unreachable=("error", "the app does not answer at `base_url`"),
        app_not_there=("error", "something else answers at `base_url`"),
        app_redirects=("error", "the address of `base_url` redirects to another one"),
        base_url_differs=("error", "the app that runs there has another `base_url`"),
        keys_not_published=("error", "the public keys of the client are not at `/auth/jwks`"),
        keys_differ=("error", "the app that runs there publishes other keys than those of the settings"),
        login_not_started=("error", "a login does not start"),
        login_redirect_changed=("error", "a proxy changes the redirect to the provider"),
        cookies_removed=("error", "a proxy removes the cookies of a login"),
        cookies_changed=("error", "a proxy changes the attributes of the cookies, so that browsers drop them"),
        large_cookies_refused=("error", "a proxy or the server refuses as many cookies as a session may need"),
    ),
    **_kinds(
        "sizes",
        cookies_add_up=("warning", "several middlewares on one host keep sessions in cookies"),
        header_limit_small=("error", "the server accepts only shorter headers than the cookies may need"),
        proxy_buffers=("info", "sessions are in cookies: what a proxy has to accept"),
    ),
}
