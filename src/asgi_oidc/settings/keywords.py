"""What each setting of `OIDCMiddleware` means; editors show the text below a keyword.

The reference, and `help(OIDCMiddleware)`, are made from these texts (`settings/help_text.py` reads them). Each text
has a summary on its first line, details where they are needed, and a last paragraph in a fixed form: the default, the
environment variable and the version that introduced the setting. Tests compare that paragraph with the code.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Required

from asgi_oidc.audit.listener import OnEvent
from asgi_oidc.login.provider_choice import ChooseProvider
from asgi_oidc.pages.page import RenderPages
from asgi_oidc.policy.rules import Rule
from asgi_oidc.settings.bearer import Bearer
from asgi_oidc.settings.provider import ProviderEntry
from asgi_oidc.settings.provider_keywords import ProviderKeywords
from asgi_oidc.settings.several_providers import ProviderSource
from asgi_oidc.settings.value_checks import OnLogin
from asgi_oidc.stores.store import SessionStore


class Keywords(ProviderKeywords, total=False):
    """The settings, as keywords of `OIDCMiddleware`."""

    providers: Mapping[str, ProviderEntry] | ProviderSource | None
    """Several providers by name, instead of `issuer`, `client_id` and the other settings of a single one.

    Example: `{"google": Provider(issuer="https://accounts.google.com", client_id="...", client_secret="...")}`. Each is
    a `Provider` or an `OAuth2Provider`. A name has 1 to 64 lower-case letters, digits, `-` and `_`, and is part of
    URLs: register `base_url` + `/auth/callback/google` as the redirect URI. Users choose a provider on a page at
    `/auth/login`.

    For providers that are not known at start-up, such as the tenants in a database, set an object with
    `async def get(self, name)`, which returns a provider or `None`: see [tenants](../tenants/README.md).

    The variable lists the names, such as `google,work-de`; the settings of each provider are in variables with its
    name in capitals, and `_` instead of `-`: `OIDC_GOOGLE_ISSUER`, `OIDC_WORK_DE_CLIENT_ID`.

    Default: `None`. Variable: `OIDC_PROVIDERS`. Since 0.1.
    """

    choose_provider: ChooseProvider | None
    """Your own function that chooses the provider of a login: it gets the ASGI scope and returns a name.

    It may be async. If it returns `None`, the user chooses. It is not called if a link or a rule names the provider.

    Default: `None`. Keyword only. Since 0.1.
    """

    login_params: Sequence[str]
    """The parameters that `/auth/login` passes on from its query to the provider.

    Example: `["login_hint", "ui_locales", "prompt"]`. Any page that links to `/auth/login` can then set them; all
    others are ignored. `max_age` and `acr_values` are checked after the login, and none of them weakens a rule or
    `authorization_params`. Parameters that the middleware sets itself, such as `state` and `scope`, are rejected.

    Default: `()`. Variable: `OIDC_LOGIN_PARAMS`. Since 0.1.
    """

    base_url: Required[str | Sequence[str]]
    """The public URL of the wrapped app, as browsers see it, including the mount path.

    Examples: `"https://app.example.com"`, `"https://app.example.com/admin"`. It is never derived from request
    headers. Register `base_url` + `/auth/callback` as a redirect URI at the provider. Plain http is accepted on
    loopback only.

    A list serves one app on several hosts: `["https://a.example.com", "https://b.example.com"]`. The `Host` header of a
    request chooses one of them by exact comparison; any other host gets the first. Cookies, redirect URIs and `Origin`
    checks are those of the host, so register the redirect URI of each. All URLs need the same path.

    Required. Variable: `OIDC_BASE_URL`. Since 0.1.
    """

    secret: Required[str | bytes | Sequence[str | bytes]]
    """The secret that encrypts cookies and stored sessions: at least 32 random bytes.

    Make one with `python -c "import secrets; print(secrets.token_urlsafe(32))"`. All processes of the app need the
    same one. To rotate it, set a list of up to 8: the first encrypts, all of them decrypt. Keep an old secret in
    the list for `session_lifetime`. In a file (`OIDC_SECRET_FILE`), it can be rotated while the app runs: a new first
    secret decrypts at once, and encrypts two minutes later, when all processes have read it.

    Required. Variable: `OIDC_SECRET`. Since 0.1.
    """

    public: Sequence[str]
    """The paths that need no signed-in user; all other paths do.

    `"/x"` is exactly that path, and `"/x/*"` is `/x` and everything below it. Example: `["/", "/static/*"]`.
    `"everything-but-rules"` makes every path public that no rule matches.

    Default: `()`. Variable: `OIDC_PUBLIC`. Since 0.1.
    """

    rules: Sequence[Rule]
    """What a path requires beyond a signed-in user: roles, scopes, a recent login, your own check.

    Example: `[Rule("/admin/*", claims={"roles": "admin"})]`. All rules that match a request apply together.

    Default: `()`. Variable: `OIDC_RULES`. Since 0.1.
    """

    plain_prefixes: Sequence[str] | None
    """The path prefixes that the app matches as plain text, so that `"/admin"` also matches `/adminx`.

    Set it only if a warning at start-up asks for it: then the middleware could not inspect the app's routes. `[]`
    means that the app has no such prefixes, also in the variable.

    Default: `None`, which inspects the app. Variable: `OIDC_PLAIN_PREFIXES`. Since 0.1.
    """

    auth_path: str
    """The path below `base_url` where the middleware serves its own URLs, such as `/auth/login`.

    Default: `"/auth"`. Variable: `OIDC_AUTH_PATH`. Since 0.1.
    """

    health_path: str | None
    """The path of the health checks, below `base_url`, for orchestrators and load balancers.

    Example: `"/healthz"`. Its response is readiness: JSON with 200, or with 503 if the store does not answer. While a
    provider is down, it is `degraded`, with 200, because existing sessions continue. `/healthz/live` is liveness: 200
    as long as the process answers. Neither needs a user, and the app does not get requests for them. See
    [health checks](../deployment/README.md#health-checks).

    Default: `None`. Variable: `OIDC_HEALTH_PATH`. Since 0.1.
    """

    store: SessionStore | str | None
    """Where sessions are kept: in encrypted cookies (`None`) or in a session store.

    A store is `MemoryStore()` (one process only), `RedisStore("redis://localhost:6379")`,
    `PostgresStore("postgresql://localhost/app")`, an object of your own with the methods of `SessionStore`, or a URL:
    `"memory:"`, `"redis://..."`, `"rediss://..."`, `"redis+cluster://..."`, `"redis+sentinel://..."`, `"unix://..."`,
    `"postgresql://..."`.

    Default: `None`. Variable: `OIDC_STORE`. Since 0.1.
    """

    logout_store: SessionStore | str | None
    """The store in which several processes share which sessions have ended, if sessions are kept in cookies.

    It takes the same values as `store`. An app that sets `store` or runs in a single process does not need it.

    Default: `None`, which shares nothing. Variable: `OIDC_LOGOUT_STORE`. Since 0.1.
    """

    session_idle: int
    """How long a session lasts without a request, in seconds; from 1 to 31622400 (366 days).

    Default: `3600`. Variable: `OIDC_SESSION_IDLE`. Since 0.1.
    """

    session_lifetime: int
    """How long a session lasts at most, however much it is used, in seconds; from 1 to 31622400 (366 days).

    Default: `43200`. Variable: `OIDC_SESSION_LIFETIME`. Since 0.1.
    """

    tokens: str | Sequence[str]
    """Which of its tokens a session keeps; fewer make smaller cookies and records.

    `"all"`; `"access"`, all but the ID Token; `"refresh"`, the refresh token alone; `"none"`; or a list of
    `"id_token"`, `"access_token"` and `"refresh_token"`. Without the ID Token, most providers ask users to confirm a
    sign-out. Without the access token, `access_token()` gets one with the refresh token, and each process keeps it in
    memory until it expires; without both, it raises `TokenNotGranted`. See
    [what each choice loses](../providers/README.md#fewer-tokens).

    Default: `"all"`. Variable: `OIDC_TOKENS`. Since 0.2.
    """

    max_cookie_header: int
    """How many bytes all cookies of the middleware may take in a request, from 4000 to 16000.

    Raise it only if all proxies and servers accept longer header lines: nginx and most others accept 8 kB (8192 bytes)
    by default, and answer 400 to every longer one. A session that does not fit is refused when the user signs in.

    Default: `8000`. Variable: `OIDC_MAX_COOKIE_HEADER`. Since 0.2.
    """

    recheck: int | None
    """How often the provider is asked whether a session in use is still valid, in seconds; at least 30.

    It ends sessions of users who were locked out, or signed out without a logout token. The refresh token is used,
    else the access token: at the introspection, userinfo or user API endpoint. A session without a refresh token ends
    when its access token has expired, as nobody can confirm it any more. If the provider does not answer, sessions
    continue: see [Ask the provider again](../logout/README.md#ask-the-provider-again).

    Default: `None`, which never asks. Variable: `OIDC_RECHECK`. Since 0.1.
    """

    websocket_activity: bool
    """Whether messages that the browser sends over a websocket keep the session alive, as requests do.

    They count at most once a minute. Answers to a framework's pings (Socket.IO) count as well, so a page that is
    left open stays signed in until `session_lifetime`. Needs `store`.

    Default: `False`. Variable: `OIDC_WEBSOCKET_ACTIVITY`. Since 0.1.
    """

    leeway: int
    """How far the clocks of this server and the provider may differ, in seconds; from 0 to 300.

    Default: `30`. Variable: `OIDC_LEEWAY`. Since 0.1.
    """

    post_logout_redirect_uri: str | None
    """The URL to which the provider sends the browser after a sign-out; register it at the provider.

    Default: `None`, which is `base_url`. Variable: `OIDC_POST_LOGOUT_REDIRECT_URI`. Since 0.1.
    """

    claims: Mapping[str, Any] | None
    """Which claims about the user are kept, dropped and renamed before they are stored.

    Example: `{"drop": ["picture"], "rename": {"https://example.com/roles": "roles"}}`. `{"keep": ["name", "email"]}`
    drops all others. `on_login`, rules and the app see the result, after each refresh and for access tokens too.
    `email` and `email_verified` are kept or dropped together. Claims about the login itself, such as `iss`, `sub` and
    `sid`, stay. No other claim can get one of their names, or that of an e-mail address or phone number. The variable
    contains JSON. (The `claims` of an `OAuth2Provider` say where its user API has them.)

    Default: `None`, which stores all claims. Variable: `OIDC_CLAIMS`. Since 0.1.
    """

    on_login: OnLogin | None
    """Your own async function, called with the user and a copy of the claims when a login has succeeded.

    It may change the claims, return new ones, or raise `LoginRefused`; it may not change `iss` or `sub`. A refresh
    keeps the claims that it changed. An `email` that it replaces counts as verified only if it sets
    `email_verified` too. If it has a parameter `access_token`, it gets the access token of the login, to call an API
    of the provider. It must return within 30 seconds.

    Default: `None`. Keyword only. Since 0.1.
    """

    on_event: OnEvent | None
    """Your own function, called with each event of the audit trail: sign-ins, sign-outs, refusals and outages.

    It may be async; a function that is not runs in a worker thread. It gets one event at a time, after the response,
    and has 5 seconds for each. Nothing that it does, not even an exception, affects a request. `asgi_oidc.audit` has
    the [classes of the events](audit.md).

    Default: `None`. Keyword only. Since 0.1.
    """

    bearer: Bearer | None
    """Which access tokens are accepted beside sessions, from programs that call the app as an API.

    Example: `Bearer(audience="https://api.example.com")`. The same rules decide for a token as for a session. A request
    with a token in the header `Authorization` is judged by the token alone, and never redirected to a login: see
    [APIs](../apis/README.md).

    Each field of `Bearer` except `on_token` has a variable: `OIDC_BEARER_AUDIENCE`, `OIDC_BEARER_DPOP`, and so on.

    Default: `None`, which accepts no tokens. Keyword only. Since 0.1.
    """

    keep_forms: bool
    """Whether a form submitted without a session is kept, encrypted in the browser, and offered after the login.

    The user sees the target and the fields before anything is sent.

    Default: `False`. Variable: `OIDC_KEEP_FORMS`. Since 0.1.
    """

    keep_fragment: bool
    """Whether the `#fragment` of the page's URL survives the login.

    A page with a few lines of script is served instead of a redirect.

    Default: `False`. Variable: `OIDC_KEEP_FRAGMENT`. Since 0.1.
    """

    app_name: str | None
    """The name of the app on the middleware's own pages, in the title and above the heading; up to 80 characters.

    Default: `None`. Variable: `OIDC_APP_NAME`. Since 0.1.
    """

    app_logo: str | None
    """The path of the app's logo on its own origin, such as `"/static/logo.svg"`; pages show it above the heading.

    The path must be public, and the pages load nothing from other origins. `app_name` is its alternative text.

    Default: `None`. Variable: `OIDC_APP_LOGO`. Since 0.1.
    """

    app_colors: Mapping[str, str | Mapping[str, str]] | None
    """The colours of the middleware's own pages: `primary` (buttons), `background`, `card` and `text`.

    Example: `{"primary": "#0b6e4f", "dark": {"primary": "#57d9a3"}}`. Those in `dark` are for browsers that prefer dark
    pages. Colours that are left out stay as they are. Text with too little contrast on its background is an error.
    The variable contains JSON.

    Default: `None`. Variable: `OIDC_APP_COLORS`. Since 0.1.
    """

    texts: Mapping[str, str | Mapping[str, str]]
    """Texts of the middleware's own pages by id, to replace or translate them; the rest stays English.

    `examples/pages` lists all ids. Values are plain text of up to 2,000 characters, never HTML. Further languages stand
    beside them, by language tag: `{"de": {"action.sign_in": "Anmelden"}}`; each user gets the one that the browser
    prefers. The variable contains JSON.

    Default: `{}`. Variable: `OIDC_TEXTS`. Since 0.1.
    """

    pages: RenderPages | None
    """Your own function that renders the middleware's pages: it gets a `Page` and returns HTML, or `None` for our page.

    It may be async. If it raises an exception, our own page is shown. Status, headers and cookies stay ours: see
    [pages](../pages/README.md).

    Default: `None`. Keyword only. Since 0.1.
    """

    hide_cookies: bool
    """Whether the middleware's own cookies are removed from the requests that the app gets.

    The app needs none of them. All other cookies, also those of another `OIDCMiddleware`, are passed on unchanged.

    Default: `False`. Variable: `OIDC_HIDE_COOKIES`. Since 0.1.
    """

    embedded_in: Sequence[str]
    """The origins of the sites that may show the app in a frame, such as `["https://portal.example.com"]`.

    Cookies are then `SameSite=None; Secure; Partitioned`: browsers keep those of each site apart. In a frame, users
    sign in at the provider in a window of its own. Other sites cannot show the app: see
    [frames](../spa/README.md#in-a-frame-of-another-site).

    Default: `()`. Variable: `OIDC_EMBEDDED_IN`. Since 0.1.
    """
