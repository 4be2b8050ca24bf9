"""Codes of the auth requests that a proxy sends to `asgi-oidc serve`."""

from asgi_oidc.errors.codes import Code

_PROXY = "Configure the proxy as in the guide to [forward auth](../forward-auth/README.md)."
_BROWSER = "None for occasional lines: no browser sends that by itself, so it may be an attack."

FORWARD_AUTH = [
    Code(
        "proxy_not_trusted",
        "The peer of the connection is not a trusted proxy, so nothing that it says counts.",
        "If it is your proxy, name its address with `--trusted-proxy`; over a unix socket, `--trusted-proxy unix`. If "
        "another server took the address from a header, run it without (`uvicorn --no-proxy-headers`).",
    ),
    Code(
        "auth_request_method",
        "The auth request is not a GET: a proxy may have passed a request of a browser on to `/forward-auth`.",
        f"The proxy has to ask with GET, and must not pass that path on. {_PROXY}",
    ),
    Code("forwarded_header_missing", "The proxy does not say which request it asks about.", _PROXY),
    Code(
        "forwarded_header_repeated",
        "A header of the proxy is there several times: the proxy adds its own to one of the browser.",
        f"The proxy has to replace it. {_PROXY}",
    ),
    Code(
        "forwarded_header_misspelt",
        "A header is spelt with underscores, such as `X_Forwarded_Uri`, which many programs take for the proxy's own.",
        _BROWSER,
    ),
    Code(
        "forwarded_identity_header",
        "The browser sent one of the headers that tell the app who the user is.",
        f"{_BROWSER} If another proxy in front sets it, give it another name.",
    ),
    Code(
        "forwarded_path_header",
        "The request has `X-Original-URL`, `SCRIPT_NAME` or a similar header, by which some servers and frameworks "
        "change the path.",
        f"{_BROWSER} If the proxy sets it, set it for the app only.",
    ),
    Code("forwarded_method", "`X-Forwarded-Method` is not a registered HTTP method.", _BROWSER),
    Code("forwarded_scheme", "`X-Forwarded-Proto` is neither http nor https.", _PROXY),
    Code("forwarded_host", "`X-Forwarded-Host` is not a host name with an optional port.", _BROWSER),
    Code("forwarded_uri", "`X-Forwarded-Uri` is not a path with an optional query.", _BROWSER),
    Code(
        "forwarded_path",
        "The path has dot segments, backslashes, control characters, broken escapes, or is not UTF-8: proxies and apps "
        "do not agree what that means.",
        _BROWSER,
    ),
    Code(
        "forwarded_url_unknown",
        "Scheme, host and path of the request are not below a `base_url`.",
        "Add the host to `base_url`, or send no auth requests for it. Behind a second proxy that ends TLS, "
        "have this one send `X-Forwarded-Proto: https`.",
    ),
    Code(
        "forwarded_own_url",
        "The auth request is about one of the URLs of asgi-oidc itself, such as `/auth/login`.",
        f"The proxy has to pass these on to asgi-oidc, without an auth request. {_PROXY}",
    ),
    Code(
        "identity_too_large",
        "The claims of a user do not fit into the headers for the app.",
        "Pass on fewer claims, or have the provider send fewer values.",
    ),
    Code(
        "forward_auth_only",
        "A request for the app itself reached asgi-oidc, from a user who may have it: the auth request was "
        "refused, or the user has signed in just now.",
        "Look for `forward_auth_refused` in the log.",
    ),
]
