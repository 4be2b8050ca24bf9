"""Each setting has its default, takes its forms, and refuses all others with a fix."""

import math
import secrets
from typing import Any

import httpx
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc import OIDCMiddleware, SettingsError
from asgi_oidc.errors import describe_value
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest
from asgi_oidc.settings.response_algorithm_checks import RESPONSE_ALGORITHM_READERS
from asgi_oidc.settings.settings import READERS, read_settings
from asgi_oidc.settings.value_checks import entropy_bound
from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.stores.redis import RedisStore
from tests.settings.required_settings import OTHER_SECRET, REQUIRED, SECRET, problems, read

METADATA = {name: f"https://id.example.com/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}


async def hook(user: Any, claims: Any) -> None:
    """Let everybody in."""


class Hook:
    async def __call__(self, user: Any, claims: Any) -> None:
        """Let everybody in."""

    async def method(self, user: Any, claims: Any) -> None:
        """Let everybody in."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Do nothing."""


# --- defaults


def test_five_settings_are_enough():
    """Everything else has the default of the design."""
    settings = read()

    assert {name: getattr(settings, name) for name in READERS if name not in (*REQUIRED, "public")} == {
        "scope": "openid profile email",
        "rules": (),
        "plain_prefixes": None,
        "auth_path": "/auth",
        "health_path": None,
        "authorization_params": {},
        "callback_path": None,
        "client_auth": None,
        "store": None,
        "logout_store": None,
        "session_idle": 3600,
        "session_lifetime": 43_200,
        "tokens": {"id_token", "access_token", "refresh_token"},
        "max_cookie_header": 8000,
        "websocket_activity": False,
        "leeway": 30,
        "recheck": None,
        "post_logout_redirect_uri": None,
        "frontchannel_logout": False,
        "userinfo": "auto",
        "claims_from_access_token": False,
        "trusted_audiences": (),
        "trusted_email_domains": frozenset(),
        "algorithms": None,
        "metadata": {},
        "http_client": None,
        "metadata_url": None,
        "internal_url": None,
        "end_session_parameters": "standard",
        "allow_http_hosts": frozenset(),
        "allow_missing_nonce": False,
        "allow_missing_pkce": False,
        "allow_code_injection": False,
        "allow_missing_access_token": False,
        "allow_hs256": False,
        "allow_azp_audiences": False,
        "client_key": None,
        "client_certificate": None,
        "client_certificate_key": None,
        "client_assertion_file": None,
        "token_endpoint_auth_signing_alg": None,
        "client_assertion_typ": "client-authentication+jwt",
        "par": "auto",
        "request_object": False,
        "request_object_signing_alg": None,
        "dpop": "never",
        "decryption_key": None,
        "authorization_details": (),
        "profile": None,
        **dict.fromkeys(RESPONSE_ALGORITHM_READERS),
        "providers": None,
        "choose_provider": None,
        "login_params": frozenset(),
        "claims": None,
        "on_login": None,
        "on_event": None,
        "keep_forms": False,
        "bearer": None,
        "keep_fragment": False,
        "app_name": None,
        "app_logo": None,
        "app_colors": None,
        "texts": {},
        "pages": None,
        "hide_cookies": False,
        "embedded_in": (),
    }
    assert settings.secret == (SECRET.encode(),)
    assert settings.public == ()


def test_none_is_the_default():
    """`OIDCMiddleware(app, scope=config.get("scope"))` should just work."""
    optional = {name: None for name in READERS if name not in REQUIRED or name == "client_secret"}

    assert read(**optional) == read(client_secret=...)


@pytest.mark.parametrize("name", ["issuer", "client_id", "base_url", "secret"])
def test_a_required_setting_that_is_missing_is_an_error(name):
    """By its name, with what to write."""
    (problem,) = problems(**{name: ...})

    assert problem.startswith(f"{name} (OIDC_{name.upper()}): missing; ")


# --- accepted forms


@pytest.mark.parametrize(
    ("name", "given", "read_as"),
    [
        ("issuer", "https://id.example.com/", "https://id.example.com/"),
        ("issuer", "https://id.example.com/realms/one", "https://id.example.com/realms/one"),
        ("issuer", "http://localhost:9000", "http://localhost:9000"),
        ("client_id", "a b:c%", "a b:c%"),
        ("client_secret", None, None),
        ("base_url", "https://app.example.com/admin", "https://app.example.com/admin"),
        ("base_url", "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("base_url", "http://[::1]:8000/", "http://[::1]:8000/"),
        ("secret", SECRET.encode(), (SECRET.encode(),)),
        ("secret", [SECRET, OTHER_SECRET], (SECRET.encode(), OTHER_SECRET.encode())),
        ("secret", (SECRET, b"".join(bytes([n]) for n in range(32))), (SECRET.encode(), bytes(range(32)))),
        ("scope", "openid", "openid"),
        ("scope", " openid  email ", "openid email"),
        ("scope", ["openid", "api"], "openid api"),
        ("auth_path", "/login/oidc", "/login/oidc"),
        ("auth_path", "/.auth", "/.auth"),
        ("authorization_params", {"prompt": "login"}, {"prompt": "login"}),
        ("authorization_params", {"max_age": 300}, {"max_age": "300"}),
        ("authorization_params", {"acr_values": ["a", "b"]}, {"acr_values": "a b"}),
        ("authorization_params", {"prompt": ["login", "consent"]}, {"prompt": "login consent"}),
        ("authorization_params", {"resource": ["https://a", "https://b"]}, {"resource": ("https://a", "https://b")}),
        ("authorization_params", {"response_mode": "form_post"}, {"response_mode": "form_post"}),
        ("authorization_params", {"response_mode": "form_post.jwt"}, {"response_mode": "form_post.jwt"}),
        ("client_auth", "client_secret_basic", "client_secret_basic"),
        ("client_auth", "client_secret_post", "client_secret_post"),
        ("session_idle", 1, 1),
        ("session_lifetime", 366 * 86_400, 366 * 86_400),
        ("max_cookie_header", 4000, 4000),
        ("max_cookie_header", 16_000, 16_000),
        ("leeway", 0, 0),
        ("leeway", 300, 300),
        ("recheck", 30, 30),
        ("recheck", None, None),
        ("post_logout_redirect_uri", "https://other.example.com/bye?x=1", "https://other.example.com/bye?x=1"),
        ("userinfo", "always", "always"),
        ("userinfo", "never", "never"),
        ("plain_prefixes", ["/admin", "/a/b"], ("/admin", "/a/b")),
        ("plain_prefixes", [], ()),
        ("trusted_audiences", ["api"], ("api",)),
        ("trusted_email_domains", ["Example.com", "example.org"], {"example.com", "example.org"}),
        ("trusted_email_domains", [], frozenset()),
        ("algorithms", ["RS512", "ES384"], ("RS512", "ES384")),
        ("metadata", METADATA, METADATA),
        ("metadata", {"jwks_uri": "https://other.example.com/jwks"}, {"jwks_uri": "https://other.example.com/jwks"}),
        ("on_login", hook, hook),
        ("on_event", hook, hook),
        ("on_event", print, print),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_setting_takes_its_forms(name, given, read_as):
    """What is accepted is kept as the rest of the library wants it."""
    assert getattr(read(**{name: given}), name) == read_as


@pytest.mark.parametrize("made", [Hook(), Hook().method])
def test_on_login_may_be_an_object(made):
    """With a database in it, for one."""
    assert read(on_login=made).on_login is made


@pytest.mark.parametrize(
    ("paths", "stems"),
    [
        (["/", "/a.b"], [("", True), ("/a.b", True)]),
        (["/s/*"], [("/s", False)]),
        ("everything-but-rules", [("", False)]),
    ],
)
def test_public_is_compiled(paths, stems):
    """Exactly that path, or it and all below it."""
    assert [(pattern.stem, pattern.is_exact) for pattern in read(public=paths).public] == stems


def test_what_follows_from_the_settings():
    """Everything that we send the browser to is made of `base_url`."""
    settings = read(
        base_url="https://APP.example.com:443/admin/",
        authorization_params={"response_mode": "form_post", "max_age": "60", "acr_values": "a b"},
    )

    assert (settings.origin, settings.base_path) == ("https://app.example.com", "/admin")
    assert settings.url_of("login") == "https://APP.example.com:443/admin/auth/login"
    assert settings.home == "https://APP.example.com:443/admin/"
    provider, plain = settings.fixed_providers[""], read().fixed_providers[""]
    assert (provider.form_post, provider.strengthen(ANY_LOGIN)) == (True, AuthenticationRequest(("a", "b"), 60))
    assert (plain.form_post, plain.strengthen(ANY_LOGIN)) == (False, ANY_LOGIN)


def test_a_login_that_asks_for_more_gets_the_stricter_of_both():
    """A rule says which contexts are good enough for its path; the shorter age holds."""
    settings = read(authorization_params={"max_age": 60, "acr_values": "silver gold"}).fixed_providers[""]

    assert settings.strengthen(AuthenticationRequest(("gold", "platinum"), 300)) == AuthenticationRequest(("gold",), 60)
    assert settings.strengthen(AuthenticationRequest(("platinum",))) == AuthenticationRequest(("silver", "gold"), 60)
    assert settings.strengthen(AuthenticationRequest((), 5, "login")) == AuthenticationRequest(
        ("silver", "gold"), 5, "login"
    )


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://localhost:80/x", "http://localhost"),
        ("https://app.example.com:80", "https://app.example.com:80"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("HTTPS://App.Example.com", "https://app.example.com"),
    ],
)
def test_the_origin_is_written_as_browsers_do(base_url, origin):
    """RFC 6454 §6.2: else no Origin header would ever be ours."""
    assert read(base_url=base_url).origin == origin


def test_the_name_of_the_app_is_read_without_the_spaces_around_it():
    """It stands in titles and headings."""
    assert read(app_name=" Orders & Returns ").app_name == "Orders & Returns"


# --- refused forms, each with its fix


@pytest.mark.parametrize(
    ("name", "given", "fix"),
    [
        ("client_id", "", "must be text"),
        ("client_id", " ", "must be text"),
        ("client_id", 7, "must be text"),
        ("client_id", "a\nb", "on one line"),
        ("client_secret", b"bytes", "must be text"),
        ("client_secret", "", "leave it out for a public client"),
        ("client_secret", " ", "leave it out for a public client"),
        ("app_name", "", "must be text"),
        ("app_name", "Orders\u202e", "on one line"),
        ("app_name", "x" * 81, "must have at most 80 characters, got 81"),
        ("app_logo", "https://cdn.example.com/logo.svg", "must be a path on the app's own origin"),
        ("app_logo", "//cdn.example.com/logo.svg", "must be a path on the app's own origin"),
        ("app_logo", '/logo.svg"onload=x', "must be a path on the app's own origin"),
        ("app_logo", "/a/../logo.svg", "must be a path on the app's own origin"),
        ("app_logo", "logo.svg", "must be a path on the app's own origin"),
        ("app_logo", "/" + "x" * 500, "must be a path on the app's own origin"),
        ("app_logo", 7, "must be a path on the app's own origin"),
        ("pages", "templates/page.html", "must be a function of a page that returns HTML or None"),
        ("pages", dict, "must be a function of a page that returns HTML or None"),
        ("client_secret", "with-newline\n", "on one line"),
        ("issuer", "https://id.example.com?x", "must not have a query"),
        ("issuer", "https://id.example.com ", "must not contain white space"),
        ("issuer", "id.example.com", "must start with https://: write https://id.example.com"),
        ("base_url", "app.example.com:8443", "write https://app.example.com:8443"),
        ("base_url", "localhost:8001", "write http://localhost:8001"),
        ("issuer", "https://id.example.com?", "must not have a query"),
        ("base_url", "https://app.example.com/a/../b", "plain segments"),
        ("base_url", "https://app.example.com/a%20b", "plain segments"),
        ("base_url", "https://app.example.com//", "plain segments"),
        ("base_url", "https://app.example.com/?x=1", "must not have a query"),
        ("base_url", None, "never derived from request headers"),
        ("secret", "short", "secrets.token_urlsafe(32)"),
        ("secret", "", "secrets.token_urlsafe(32)"),
        ("secret", 7, "must be a list"),
        ("secret", [], "the first encrypts, all decrypt"),
        ("secret", [SECRET] * 9, "a list of 1 to 8"),
        ("secret", [SECRET, 7], "text or bytes"),
        ("secret", [SECRET, "short"], "secrets.token_urlsafe(32)"),
        ("scope", "profile", "'openid'"),
        ("scope", "openid,email", "separate the scopes by spaces"),
        ("scope", "", "'openid'"),
        ("scope", [], "'openid'"),
        ("scope", ["openid", 7], "must be text"),
        ("scope", 7, "must be a list"),
        ("public", "/", "must be a list of paths: write ['/']"),
        ("public", "/static/*", "write ['/static/*']"),
        ("public", f"/{SECRET}", "got text of "),
        ("public", ["/*"], "would open every path"),
        ("public", ["*"], "is not a path"),
        ("public", ["x"], "is not a path"),
        ("public", ["/x*"], "is not a path"),
        ("public", ["/x/*/y"], "is not a path"),
        ("public", ["/x/"], "is not a path"),
        ("public", ["//x"], "is not a path"),
        ("public", ["/a/../b"], "is not a path"),
        ("public", ["/a/."], "is not a path"),
        ("public", ["/a%20b"], "is not a path"),
        ("public", [7], "7 is not a path"),
        ("auth_path", "auth", "such as /auth"),
        ("auth_path", "/", "such as /auth"),
        ("auth_path", "/auth/", "such as /auth"),
        ("auth_path", "/a/../b", "such as /auth"),
        ("auth_path", "/a b", "such as /auth"),
        ("auth_path", "/a?b", "such as /auth"),
        ("authorization_params", [("prompt", "login")], "a mapping"),
        ("authorization_params", {"prompt": None}, "prompt: must be text"),
        ("authorization_params", {"x": True}, "x: must be text"),
        ("authorization_params", {"x": {"a": 1}}, "x: must be text"),
        ("authorization_params", {"x": [1]}, "must be text"),
        ("authorization_params", {"x": b"bytes"}, "must be a list"),
        ("authorization_params", {7: "x"}, "must be text"),
        ("authorization_params", {"response_mode": "fragment"}, "query, form_post, jwt, query.jwt, form_post.jwt"),
        ("authorization_params", {"response_mode": "fragment.jwt"}, "must be one of query, form_post, jwt"),
        ("authorization_params", {"max_age": "soon"}, "a whole number of seconds"),
        ("authorization_params", {"max_age": -1}, "a whole number of seconds"),
        ("authorization_params", {"max_age": ["1"]}, "a whole number of seconds"),
        ("client_auth", "basic", "must be one of private_key_jwt"),
        ("session_idle", 0, "from 1 to"),
        ("session_idle", True, "whole number"),
        ("session_idle", 1.5, "whole number"),
        ("session_idle", "60", "whole number"),
        ("session_idle", "1h", "a whole number of seconds such as 3600, from 1 to 31622400, got '1h'"),
        ("session_lifetime", 367 * 86_400, "from 1 to"),
        ("max_cookie_header", 3999, "bytes such as 12000, from 4000 to 16000"),
        ("max_cookie_header", 16_001, "bytes such as 12000, from 4000 to 16000"),
        ("max_cookie_header", "8k", "bytes such as 12000, from 4000 to 16000"),
        ("leeway", -1, "from 0 to 300"),
        ("leeway", 301, "from 0 to 300"),
        ("recheck", 29, "must be a whole number of seconds such as 300, from 30 to 31622400"),
        ("recheck", True, "must be a whole number of seconds such as 300"),
        ("post_logout_redirect_uri", "/bye", "start with https://"),
        ("post_logout_redirect_uri", "http://other.example.com/", "use https"),
        ("userinfo", "sometimes", "auto, always, never"),
        ("userinfo", True, "auto, always, never"),
        ("plain_prefixes", "/admin", "must be a list"),
        ("plain_prefixes", ["admin"], "is not a path"),
        ("plain_prefixes", ["/"], "write a path such as '/admin'"),
        ("plain_prefixes", ["/admin/*"], "write a path such as '/admin'"),
        ("trusted_audiences", "api", "must be a list"),
        ("trusted_audiences", [""], "must be text"),
        ("trusted_email_domains", "example.com", "must be a list"),
        ("trusted_email_domains", ["@example.com"], "write 'example.com'"),
        ("trusted_email_domains", ["*"], "write 'example.com'"),
        ("trusted_email_domains", [""], "write 'example.com'"),
        ("trusted_email_domains", [7], "list of text"),
        ("algorithms", [], "must be a list of one or more of RS256"),
        ("algorithms", ["none"], "must be a list of one or more of RS256"),
        ("algorithms", ["HS256"], "set allow_hs256"),
        ("algorithms", ["HS512"], "must be a list of one or more of RS256"),
        ("algorithms", "RS256", "must be a list"),
        ("metadata", "https://x", "a mapping"),
        ("metadata", {7: "x"}, "a mapping"),
        ("metadata", {"issuer": "https://other.example.com"}, "must equal the setting issuer"),
        ("metadata", {"token_endpoint": "http://id.example.com/token"}, "token_endpoint"),
        ("metadata", {"token_endpoint": 7}, "token_endpoint"),
        ("store", "", "a URL such as redis://"),
        ("store", "memory", "a URL such as redis://"),
        ("store", "mysql://db", "a URL such as redis://"),
        ("store", "redis://", "a name or an address"),
        ("store", 7, "7 lacks get, add, replace, remove, link, linked, unlink"),
        ("store", {}, "async methods of SessionStore"),
        ("store", MemoryStore, "got the class MemoryStore: write MemoryStore(...)"),
        ("http_client", "https://proxy", "httpx.AsyncClient"),
        ("http_client", object(), "httpx.AsyncClient"),
        ("http_client", httpx.AsyncClient, "httpx.AsyncClient"),
        ("on_login", "hook", "async function"),
        ("on_event", "hook", "function of one audit event"),
        ("on_event", Hook, "function of one audit event"),
        ("on_login", lambda user, claims: None, "async function"),
        ("on_login", Hook, "async function"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_form_is_refused_with_the_fix(name, given, fix):
    """The error names the setting and says what to write."""
    (problem,) = problems(**{name: given})

    assert problem.startswith((f"{name}: ", f"{name} (OIDC_"))
    assert fix in problem


@pytest.mark.parametrize(
    "name",
    [
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "request",
        "request_uri",
        "client_secret",
    ],
)
def test_what_the_library_sets_cannot_be_set_by_hand(name):
    """A second code_challenge_method could undo PKCE."""
    (problem,) = problems(authorization_params={name: "x"})

    assert problem == f"authorization_params: {name}: set by asgi-oidc for each login; leave it out"


INSECURE = [
    "http://app.example.com",
    "http://localhost.example.com",
    "http://localhost@evil.example",
    "http://127.0.0.1.evil.example",
    "http://192.168.1.1",
    "http://0.0.0.0",
    "http://[::2]",
    "http://127.1",
    "http://2130706433",
    "https://user@app.example.com",
    "https://user:pass@app.example.com",
    "https://@app.example.com",
    "https://app.example.com#fragment",
    "https://app.example.com#",
    "https://app.example.com:",
    "https://app.example.com:0",
    "https://app.example.com:70000",
    "https://app.example.com:80a",
    "https://app.example.com:-1",
    "https:\\\\app.example.com",
    "https://app.example.com\\@evil.example",
    "https:/app.example.com",
    "https:app.example.com",
    "https://",
    "https:///path",
    "//app.example.com",
    "app.example.com",
    "ftp://app.example.com",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "https://app..example.com",
    "https://-app.example.com",
    "https://[::1",
    "https://[evil]",
    "https://[::1%25eth0]",
    "https://app.example.com/ x",
    "https://app.example.com/\n",
    "\thttps://app.example.com",
    "https://\u00e4pp.example.com",
    "https://app\u3002example.com",
    "https://%61pp.example.com",
    "https://app.example.com/<x>",
    "https://app.example.com/" + "a" * 2048,
]
SECURE = [
    "https://app.example.com",
    "https://APP.Example.COM:8443/x",
    "https://192.0.2.1",
    "https://[2001:db8::1]:8443",
    "https://xn--pp-xia.example.com",
    "https://intranet",
    "https://app_1.example.com",
    "https://app.example.com.",
    "http://localhost",
    "http://app.localhost:8000",
    "http://127.0.0.1:8000",
    "http://127.255.255.254",
    "http://[::1]:8000",
]


@pytest.mark.parametrize("name", ["issuer", "base_url", "post_logout_redirect_uri"])
@pytest.mark.parametrize("url", INSECURE, ids=lambda url: ascii(url)[:40])
def test_an_insecure_url_is_refused(name, url):
    """Two URL parsers must never disagree about where a code or a browser goes."""
    (problem,) = problems(**{name: url})

    assert problem.startswith(f"{name}: must ")


@pytest.mark.parametrize("url", SECURE)
def test_a_secure_url_is_taken(url):
    """https anywhere, http on this very machine."""
    assert read(issuer=url, base_url=url, post_logout_redirect_uri=url).base_url == url


@pytest.mark.parametrize(
    ("secret", "is_enough"),
    [
        (secrets.token_urlsafe(32), True),
        (secrets.token_bytes(32), True),
        ("0123456789abcdef" * 3 + "fedcba9876543210", True),
        ("0123456789ABCDEF" * 3 + "FEDCBA9876543210", True),
        ("0123456789abcdef" * 2 + "fedcba987654321", False),
        (SECRET[:42], False),
        (SECRET[:42] + "=", False),
        (SECRET[:40] + "/+", False),
        (secrets.token_bytes(31), False),
        ("a" * 100, False),
        ("0123456789abcdef" * 4, False),
        ("correct horse " * 8, False),
        ("changeme" * 20, False),
        (b"\x00" * 64, False),
        (b"0123456789" * 10, False),
        ("ab" * 40 + "c", False),
        ("A sentence of many words, with 40 signs!?", True),
        ("A sentence of few words, 30 s!", False),
    ],
    ids=lambda value: "secret" if isinstance(value, str | bytes) else value,
)
def test_a_secret_carries_32_bytes_of_entropy_by_its_alphabet(secret, is_enough):
    """Hex has 4 bits a character, base64url 6; what repeats itself has none."""
    if is_enough:
        assert read(secret=secret)
    else:
        assert "less than 32 bytes of entropy" in problems(secret=secret)[0]


@given(st.binary(min_size=1, max_size=80))
def test_no_secret_has_more_entropy_than_it_has_bits(raw):
    """An upper bound stays one."""
    assert entropy_bound(raw) <= len(raw)
    assert entropy_bound(raw.hex()) <= len(raw)
    assert math.ceil(entropy_bound(raw.decode("latin-1"))) <= len(raw)


@pytest.mark.parametrize(
    ("issuer", "meant"),
    [
        ("https://id.example.com/.well-known/openid-configuration", "https://id.example.com"),
        ("https://id.example.com/realms/one/.well-known/openid-configuration", "https://id.example.com/realms/one"),
        ("https://id.example.com/.well-known/oauth-authorization-server/one", "https://id.example.com/one"),
        ("https://id.example.com/.well-known/", "https://id.example.com"),
        ("https://id.example.com/.well-known", "https://id.example.com"),
    ],
)
def test_the_address_of_the_metadata_is_not_the_issuer(issuer, meant):
    """Consoles show that address, and it looks like the one to copy."""
    (problem,) = problems(issuer=issuer)

    assert problem == f"issuer: must be the issuer, not the address of its metadata: write {meant}"


def test_an_issuer_may_have_a_name_that_looks_like_it():
    """Only a whole segment is that address."""
    assert read(issuer="https://id.example.com/x.well-known").issuer == "https://id.example.com/x.well-known"


@pytest.mark.parametrize("name", ["callback", "callback/", "login", "logout"])
@pytest.mark.parametrize(("auth_path", "mount"), [("/auth", ""), ("/auth", "/admin"), ("/oidc/v1", "")])
def test_a_url_of_ours_is_not_the_app(name, auth_path, mount):
    """The redirect URI is the other address that people have at hand."""
    app = f"https://app.example.com{mount}"

    (problem,) = problems(base_url=f"{app}{auth_path}/{name}", auth_path=auth_path)

    assert problem.startswith(
        f"base_url: must be the URL of the app, not of {auth_path}/{name.rstrip('/')}: write {app};"
    )
    assert problem.endswith(f"the redirect URI to register at the provider is {app}{auth_path}/callback")


@pytest.mark.parametrize("path", ["/callback", "/auth", "/auth/callbacks"])
def test_an_app_may_be_mounted_where_it_only_looks_like_it(path):
    """Nobody is kept from a path of their own."""
    assert read(base_url=f"https://app.example.com{path}").base_path == path


@pytest.mark.parametrize("name", ["callback", "logout", "logout?x=1"])
def test_the_landing_page_cannot_be_one_of_our_own_urls(name):
    """The callback would fail, and a sign-out would ask to sign out again."""
    (problem,) = problems(post_logout_redirect_uri=f"https://app.example.com/auth/{name}")

    assert problem.startswith("post_logout_redirect_uri: must be a page of the app")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("s3cret", "text of 6 characters"),
        ("12345", "text of 5 characters"),
        ("1h", "'1h'"),  # too short for a secret
        ("", "empty text"),
        (None, "None"),
        (True, "True"),
        (-7, "-7"),
        (1.5, "1.5"),
        (10**5000, "a number of many digits"),
        (b"s3cret", "bytes"),
        ({"s3cret": 1}, "dict"),
        (Hook, "the class Hook"),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, int) else "number",
)
def test_an_invalid_value_is_described_and_not_quoted(value, words):
    """A secret may stand in the wrong setting."""
    assert describe_value(value) == words


# --- several at once


def test_one_error_lists_all_that_is_wrong():
    """Fixing one after the other, with a deploy in between, is no fun."""
    found = problems(issuer="http://id.example.com", secret="short", base_url=..., scop="openid", leeway=1000)

    assert [problem.partition(":")[0] for problem in found] == [
        "scop",
        "issuer",
        "base_url (OIDC_BASE_URL)",
        "secret",
        "leeway",
    ]


def test_the_text_of_the_error_has_a_line_for_each():
    """A developer reads it in a terminal."""
    with pytest.raises(SettingsError) as caught:
        OIDCMiddleware(app, **{**REQUIRED, "userinfo": "x", "leeway": -1})

    assert str(caught.value).count("\n  - ") == 2
    assert str(caught.value).startswith("asgi-oidc: invalid settings:\n  - userinfo: ")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("isuer", "did you mean issuer?"),
        ("client_secrets", "did you mean client_secret?"),
        ("sesion_idle", "did you mean session_idle?"),
        ("publik", "did you mean public?"),
        ("xyz", "unknown setting"),
    ],
)
def test_an_unknown_setting_is_refused_with_a_suggestion(name, hint):
    """A misspelt restriction that is silently ignored protects nothing."""
    (problem,) = problems(**{name: "x"})

    assert problem.startswith(f"{name}: unknown setting")
    assert hint in problem


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        (
            {"client_auth": "client_secret_basic", "client_secret": ...},
            "client_secret: missing; client_auth='client_secret_basic' needs it",
        ),
        (
            {"client_auth": "client_secret_post", "client_secret": ...},
            "client_secret: missing; client_auth='client_secret_post' needs it",
        ),
        ({"client_auth": "none"}, "client_auth: 'none' is for public clients"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes, start):
    """Which of the two was meant?"""
    (problem,) = problems(**changes)

    assert problem.startswith(start)


def test_websockets_can_keep_a_session_alive_only_in_a_store():
    """The last use is in a cookie without one, and an open websocket brings no cookies."""
    (problem,) = problems(websocket_activity=True)

    assert problem.startswith("websocket_activity: needs store (OIDC_STORE)")
    assert read(websocket_activity=True, store=MemoryStore()).websocket_activity is True
    assert [each.partition(":")[0] for each in problems(websocket_activity=True, store="nowhere")] == ["store"]


def test_a_public_client_is_taken():
    """No secret, and said so."""
    assert read(client_auth="none", client_secret=...).client_auth == "none"


def test_no_secret_stands_in_any_repr_or_error():
    """Both are printed in tracebacks."""
    settings = read()
    middleware = OIDCMiddleware(app, **REQUIRED)
    texts = [repr(settings), repr(middleware), *problems(secret=SECRET[:30], client_secret="s3cret-of-the-client\n")]

    assert not any(secret in text for text in texts for secret in (SECRET[:30], "s3cret-of-the-client"))


# --- the client is told by what it does


class ClientOfMyOwn:
    def build_request(self, method: str, url: str, **options: Any) -> Any:
        """Make a request."""

    async def send(self, request: Any, **options: Any) -> Any:
        """Send it."""


@pytest.mark.parametrize("client", [httpx.AsyncClient(), httpx2.AsyncClient(), ClientOfMyOwn()])
def test_an_http_client_is_recognised_by_its_methods(client):
    """httpx, its successor, or anything that does the same."""
    assert read(http_client=client).http_client is client


class StoreOfMyOwn:
    """Does what stores do, and knows nothing of ours."""

    async def get(self, key: str) -> bytes | None:
        return None

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        return True

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        return False

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        return False

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> list[str]:
        return []

    async def linked(self, index: str) -> list[str]:
        return []

    async def unlink(self, index: str, member: str) -> None:
        """Forget it."""


@pytest.mark.parametrize("store", [MemoryStore(), StoreOfMyOwn(), RedisStore("redis://localhost")], ids=repr)
def test_a_store_is_recognised_by_its_methods(store):
    """Ours, or anything that does the same."""
    assert read(store=store).store is store


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory:", MemoryStore),
        ("redis://localhost:6379/1", RedisStore),
        ("valkeys://user:pass@cache.internal", RedisStore),
    ],
)
def test_a_store_may_be_a_url(url, kind):
    """From the environment it has to be one."""
    store = read(store=url).store

    assert type(store) is kind
    assert "pass" not in repr(store)


@pytest.mark.parametrize("method", ["get", "add", "replace", "remove", "link", "linked", "unlink"])
def test_a_store_that_lacks_a_method_or_does_not_wait_is_refused(method):
    """At start-up, and not with the first login; a sync method would stop the whole server."""
    for instead in (None, lambda *args, **options: None):
        store: Any = StoreOfMyOwn()
        setattr(store, method, instead)

        (problem,) = problems(store=store)

        assert problem.startswith("store: ")
        assert problem.endswith(f"StoreOfMyOwn lacks {method}")


@pytest.mark.parametrize("url", ["redis://user:s3cret@host:port", "mongo://user:s3cret@host", "redis://:s3cret@host/x"])
def test_the_password_of_a_store_is_in_no_problem(url):
    """Start-up errors stand in logs."""
    (problem,) = problems(store=url)

    assert problem.startswith("store: ")
    assert "s3cret" not in problem


def test_a_client_that_does_not_wait_is_refused():
    """A sync client would stop the whole server during a call."""
    with httpx.Client() as client:
        (problem,) = problems(http_client=client)

    assert problem.startswith("http_client: must be an httpx.AsyncClient")


@pytest.mark.parametrize(
    ("members", "changes", "fix"),
    [
        ({"userinfo_endpont": "https://id.example.com/me"}, {}, "did you mean userinfo_endpoint?"),
        ({}, {"userinfo": "always"}, "needs a userinfo_endpoint"),
        (
            {"id_token_signing_alg_values_supported": ["HS256"]},
            {},
            "the provider signs with HS256, but algorithms accepts RS256",
        ),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, {"client_secret": "x"}, "supports only"),
    ],
)
def test_metadata_by_hand_that_no_login_could_use_is_refused(members, changes, fix):
    """Nothing will be discovered, so it can be known at start-up."""
    with pytest.raises(SettingsError) as caught:
        read_settings({**REQUIRED, "metadata": {**METADATA, **members}, **changes})

    assert fix in caught.value.problems[0]


@pytest.mark.parametrize(
    ("members", "changes"),
    [
        ({"x_vendor_member": 1}, {}),
        ({"userinfo_endpoint": "https://id.example.com/me"}, {"userinfo": "always"}),
        ({"id_token_signing_alg_values_supported": ["HS256"]}, {"algorithms": ["RS512"]}),
        ({"token_endpoint_auth_methods_supported": ["client_secret_post"]}, {"client_secret": "x"}),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, {"client_secret": None}),
    ],
)
def test_metadata_by_hand_that_a_login_can_use_is_taken(members, changes):
    """Members of others are no mistake, and what is named is taken by its word."""
    assert read_settings({**REQUIRED, "metadata": {**METADATA, **members}, **changes}).metadata["jwks_uri"]


@pytest.mark.parametrize("params", [{"max_age": 10**30}, {"max_age": "\u0661"}, {"acr_values": "a " * 300}])
def test_parameters_that_would_break_every_login_are_refused(params):
    """A mistake in the settings is told at start-up."""
    with pytest.raises(SettingsError) as caught:
        read_settings({**REQUIRED, "authorization_params": params})

    assert caught.value.problems[0].startswith("authorization_params: ")


@pytest.mark.parametrize("scope", ['openid "x', "openid a\\b", "openid é"])
def test_a_scope_that_is_no_scope_is_refused(scope):
    """RFC 6749 §3.3 says what a scope may be."""
    with pytest.raises(SettingsError) as caught:
        read_settings({**REQUIRED, "scope": scope})

    assert "RFC 6749" in caught.value.problems[0]
