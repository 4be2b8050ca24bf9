"""Readers of setting values: each checks a value and converts it.

Each raises `ValueError` with a message that says what is wrong and how to fix it.
"""

import inspect
import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from asgi_oidc.audit.listener import OnEvent
from asgi_oidc.errors import describe_value
from asgi_oidc.policy.patterns import read_pattern
from asgi_oidc.policy.requirements import read_domains
from asgi_oidc.protocol.authorization_endpoint import RESERVED
from asgi_oidc.protocol.client_auth import METHODS
from asgi_oidc.protocol.jarm import SIGNED_MODES
from asgi_oidc.protocol.signature_algorithms import KEY_OF_ALGORITHM, SYMMETRIC_ALGORITHM
from asgi_oidc.provider.http import HttpClient
from asgi_oidc.safe_urls import authorities_of, check_url, origin_of
from asgi_oidc.stores.guarded_store import METHODS as METHODS_OF_STORES
from asgi_oidc.stores.memory import MemoryStore
from asgi_oidc.stores.postgres import PostgresStore
from asgi_oidc.stores.postgres_url import SCHEMES as POSTGRES
from asgi_oidc.stores.redis import RedisStore
from asgi_oidc.stores.store import SessionStore

SECRET_BYTES = 32  # bytes of entropy
HOW_TO_MAKE_ONE = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
# Distinct characters; a random secret of the required length has at least as many, a repeated word has fewer.
MIN_DISTINCT_CHARACTERS = 10
MAX_SECRETS = 8  # each is tried on every cookie that cannot be decrypted
MAX_LEEWAY = 300  # seconds; a clock that differs more has to be corrected
MAX_ACR_VALUES_LENGTH = 512  # characters
MAX_APP_NAME_LENGTH = 80  # characters; it is shown above a heading, also on phones
MAX_HOSTS = 100  # each has objects of its own
MAX_SPAN = 366 * 86_400  # seconds
MIN_RECHECK = 30  # seconds; a provider must not be asked on almost every request

OnLogin = Callable[..., Awaitable[Mapping[str, Any] | None]]
"""Called with the user and the claims, and with `access_token=` if it has a parameter of that name."""
"""Called with the user and a copy of the claims; changes the copy, returns new claims, or raises `LoginRefused`."""

_SCOPE_TOKEN = re.compile(r"[!#-\[\]-~]+")
_WELL_KNOWN = re.compile(r"/\.well-known(/[^/]*|$)")  # at the end (Discovery §4), or before the path (RFC 8414 §3.1)
_BARE_HOST = re.compile(r"([a-z0-9-]+\.)+[a-z]{2,}(:[0-9]{1,5})?")
_BARE_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1)(:[0-9]{1,5})?")
_PLAIN_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")


def read_text(value: object) -> str:
    """Read one line of text."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be text, got {describe_value(value)}")
    if not value.isprintable():
        raise ValueError("must be on one line: remove the line breaks and control characters")
    return value


def read_app_name(value: object) -> str:
    """Read the name of the app on pages."""
    name = read_text(value).strip()
    if len(name) > MAX_APP_NAME_LENGTH:
        raise ValueError(f"must have at most {MAX_APP_NAME_LENGTH} characters, got {len(name)}")
    return name


def read_client_id(value: object) -> str:
    """Read the client id."""
    if value is None:
        raise ValueError("missing; set it to the client id that the provider shows for your app")
    return read_text(value)


def read_client_secret(value: object) -> str:
    """Read the client secret."""
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty: set it to the secret that the provider shows, or leave it out for a public client")
    return read_text(value)


def read_issuer(value: object) -> str:
    """Read the provider's issuer: a URL without a query."""
    if value is None:
        raise ValueError("missing; set it to the provider's issuer URL, such as https://id.example.com")
    url = _url(value)
    if found := _WELL_KNOWN.search(url):
        issuer = url[: found.start()] + url[found.end() :]
        raise ValueError(f"must be the issuer, not the address of its metadata: write {issuer}")
    return url


def _url(value: object) -> str:
    url = read_text(value)
    if _BARE_HOST.fullmatch(url):  # quoted: a domain is no secret
        raise ValueError(f"must start with https://: write https://{url}")
    if _BARE_LOOPBACK.fullmatch(url):
        raise ValueError(f"must start with http:// or https://: write http://{url}")
    if check_url(url).query or url.endswith("?"):
        raise ValueError("must not have a query")
    return url


def read_base_url(value: object) -> str:
    """Read the public URL of the app, mount path included."""
    if value is None:
        raise ValueError(
            "missing; set it to the public URL of the app, mount path included, such as https://app.example.com "
            "(it is never derived from request headers)"
        )
    url = _url(value)
    path = check_url(url).path
    if path not in ("", "/") and not _PLAIN_PATH.fullmatch(path.rstrip("/")):
        raise ValueError("the path must consist of plain segments, such as /admin")
    return url


def read_base_urls(value: object) -> tuple[str, ...]:
    """Read the public URL of the app, or one for each host on which it is served."""
    if value is None or isinstance(value, str):
        return (read_base_url(value),)
    items = _list(value)
    if not 1 <= len(items) <= MAX_HOSTS:
        raise ValueError(f"must be a URL or a list of 1 to {MAX_HOSTS}, got a list of {len(items)}")
    urls = tuple(_base_url_of_list(item, number) for number, item in enumerate(items, 1))
    named: dict[str, int] = {}
    for number, url in enumerate(urls, 1):
        for authority in authorities_of(check_url(url)):
            other = named.setdefault(authority, number)
            if other != number:
                raise ValueError(f"numbers {other} and {number} of the list have the same host: remove one of them")
    if len({check_url(url).path.rstrip("/") for url in urls}) > 1:
        raise ValueError(
            "all URLs of the list must have the same path: for another path, use another OIDCMiddleware, or a redirect"
        )
    return urls


def _base_url_of_list(value: object, number: int) -> str:
    try:
        return read_base_url(read_text(value))
    except ValueError as exc:
        raise ValueError(f"number {number} of the list {exc}") from exc


def read_plain_prefixes(value: object) -> tuple[str, ...]:
    """Read the path prefixes that the app matches as plain text instead of by segments."""
    prefixes = tuple(read_pattern(text) for text in read_texts(value))
    for prefix in prefixes:
        if not prefix.is_exact or not prefix.stem:
            raise ValueError(f"{str(prefix)!r} is not a prefix: write a path such as '/admin', without '*'")
    return tuple(prefix.stem for prefix in prefixes)


def read_post_logout_redirect_uri(value: object) -> str:
    """Read the URL to which the provider sends the browser after a sign-out."""
    url = read_text(value)
    check_url(url)
    return url


def read_embedded_in(value: object) -> tuple[str, ...]:
    """Read the origins of the sites that show the app in a frame."""
    origins = read_texts(value)
    for origin in origins:
        url = _checked_origin(origin)
        if url is None:
            raise ValueError(f"{origin!r} is not an https origin: write 'https://portal.example.com', without a path")
    return origins


def _checked_origin(text: str) -> str | None:
    try:
        origin = origin_of(check_url(text))
    except ValueError:
        return None
    return origin if origin == text and text.startswith("https:") else None


def read_switch(value: object) -> bool:
    """Read a switch."""
    if not isinstance(value, bool):
        raise ValueError(f"must be True or False, got {describe_value(value)}")
    return value


def read_secrets(value: object) -> tuple[bytes, ...]:
    """Read the secrets as bytes; the first one encrypts."""
    if value is None:
        raise ValueError(f"missing; {HOW_TO_MAKE_ONE}")
    items = [value] if isinstance(value, str | bytes) else _list(value)
    if not 1 <= len(items) <= MAX_SECRETS:
        raise ValueError(
            f"expected one secret or a list of 1 to {MAX_SECRETS} (the first encrypts, all decrypt), got {len(items)}"
        )
    return tuple(_secret(item) for item in items)


def _secret(value: object) -> bytes:
    if not isinstance(value, str | bytes):
        raise ValueError(f"must be text or bytes, got {describe_value(value)}")
    if entropy_bound(value) < SECRET_BYTES:
        raise ValueError(f"has less than {SECRET_BYTES} bytes of entropy; {HOW_TO_MAKE_ONE}")
    return value.encode("utf-8") if isinstance(value, str) else value


def entropy_bound(secret: str | bytes) -> float:
    """Return how many bytes of entropy a secret can have at most, from its length and alphabet.

    No program can tell whether a text is random, but it can tell that one is too short or repeats itself.
    """
    if len(set(secret)) < MIN_DISTINCT_CHARACTERS or (secret + secret).find(secret, 1) < len(secret):  # type: ignore[operator, arg-type]  # both are str, or both bytes
        return 0.0
    if isinstance(secret, bytes):
        return float(len(secret))
    if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", secret):
        return len(secret) * 4 / 8
    if re.fullmatch(r"[A-Za-z0-9+/_-]+=*", secret):
        return len(secret.rstrip("=")) * 6 / 8
    return len(secret) * math.log2(95) / 8


def _list(value: object) -> list[object]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | set | frozenset):
        raise ValueError(f"must be a list, got {describe_value(value)}")
    return list(value)


def read_texts(value: object) -> tuple[str, ...]:
    """Read a list of texts."""
    return tuple(read_text(item) for item in _list(value))


def read_trusted_email_domains(value: object) -> frozenset[str]:
    """Read the domains whose addresses count as verified if the provider does not say."""
    return read_domains(value) if _list(value) else frozenset()


def read_scope(value: object) -> str:
    """Read the scopes, as one text with spaces."""
    words = value.split() if isinstance(value, str) else read_texts(value)
    if not all(_SCOPE_TOKEN.fullmatch(word) for word in words):
        raise ValueError("scopes must be plain ASCII words without quotes or backslashes (RFC 6749 §3.3)")
    if "openid" not in words and isinstance(value, str) and "," in value:
        raise ValueError("separate the scopes by spaces, not by commas, such as 'openid email'")
    if "openid" not in words:
        raise ValueError("must contain 'openid': without it the provider sends no ID Token")
    return " ".join(words)


def read_scope_words(value: object) -> str:
    """Read the scopes of a provider without OpenID Connect, as one text with spaces; it may have none."""
    words = value.split() if isinstance(value, str) else read_texts(value)
    if not all(_SCOPE_TOKEN.fullmatch(word) and "," not in word for word in words):
        raise ValueError("separate the scopes by spaces; each is plain ASCII without quotes, backslashes and commas")
    return " ".join(words)


def read_auth_path(value: object) -> str:
    """Read the path of the middleware's own URLs."""
    path = read_text(value)
    if not _PLAIN_PATH.fullmatch(path):
        raise ValueError("must be a path of plain segments without a trailing '/', such as /auth")
    return path


def read_authorization_params(value: object) -> Mapping[str, str | Sequence[str]]:
    """Read the extra parameters of the authorization request; numbers become text."""
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a mapping of names to values, got {describe_value(value)}")
    params = {read_text(name): _param(name, item) for name, item in value.items()}
    if reserved := sorted(RESERVED & params.keys()):
        raise ValueError(f"{', '.join(reserved)}: set by asgi-oidc for each login; leave it out")
    modes = ("query", "form_post", *SIGNED_MODES)
    if (mode := params.get("response_mode", "query")) not in modes:
        raise ValueError(f"response_mode must be one of {', '.join(modes)}, got {describe_value(mode)}")
    max_age = str(params.get("max_age", "0"))
    if not re.fullmatch("[0-9]{1,8}", max_age) or int(max_age) > MAX_SPAN:
        raise ValueError(f"max_age must be a whole number of seconds from 0 to {MAX_SPAN}")
    if len(params.get("acr_values", "")) > MAX_ACR_VALUES_LENGTH:
        raise ValueError(
            f"acr_values must have at most {MAX_ACR_VALUES_LENGTH} characters in all, because a cookie carries them"
        )
    return params


def _param(name: str, value: object) -> str | Sequence[str]:
    if isinstance(value, bool) or not isinstance(value, str | int | Sequence):
        raise ValueError(f"{name}: must be text, a number or a list of text, got {describe_value(value)}")
    if isinstance(value, str | int):
        return str(value)
    items = read_texts(value)
    # Some lists are sent as one parameter with spaces (acr_values, OIDC Core §3.1.2.1), others as a repeated parameter
    # (resource, RFC 8707 §2).
    return " ".join(items) if name in ("acr_values", "prompt", "ui_locales", "claims_locales") else items


def read_client_auth(value: object) -> str:
    """Read the client authentication method."""
    return read_one_of(value, tuple(METHODS))


def read_userinfo(value: object) -> str:
    """Read when to call userinfo."""
    return read_one_of(value, ("auto", "always", "never"))


def read_one_of(value: object, known: Sequence[str]) -> str:
    """Read one of a few words."""
    if value not in known:
        raise ValueError(f"must be one of {', '.join(known)}, got {describe_value(value)}")
    return str(value)


def read_algorithms(value: object) -> tuple[str, ...]:
    """Read the accepted signature algorithms."""
    names, known = read_texts(value), (*KEY_OF_ALGORITHM, SYMMETRIC_ALGORITHM)
    if not names or any(name not in known for name in names):
        raise ValueError(f"must be a list of one or more of {', '.join(known)}")
    return names


def read_metadata(value: object) -> Mapping[str, Any]:
    """Read the setting `metadata`; its members are checked later, together with the issuer."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"must be a mapping such as {{'token_endpoint': 'https://...'}}, got {describe_value(value)}")
    return dict(value)


def read_store(value: object) -> SessionStore:
    """Accept an object with the methods of a session store, or make a store from a URL."""
    if isinstance(value, str):
        return MemoryStore() if value == "memory:" else _store_of_url(value)
    missing = [name for name in METHODS_OF_STORES if not inspect.iscoroutinefunction(getattr(value, name, None))]
    if inspect.isclass(value):
        raise ValueError(f"must be an instance, got {describe_value(value)}: write {value.__name__}(...)")
    if missing:
        raise ValueError(
            "must be MemoryStore(), RedisStore(url), PostgresStore(url), a URL such as redis://localhost:6379, or an "
            f"object with the async methods of SessionStore; {describe_value(value)} lacks {', '.join(missing)}"
        )
    return value  # type: ignore[return-value]  # its methods were checked


def _store_of_url(url: str) -> SessionStore:
    scheme = url.partition("://")[0].partition("+")[0].lower()
    try:
        return PostgresStore(url) if scheme in POSTGRES else RedisStore(url)
    except ImportError as exc:
        raise ValueError(str(exc)) from exc


def read_http_client(value: object) -> HttpClient:
    """Accept an object with the methods of an HTTP client."""
    send = getattr(value, "send", None)
    builds = callable(getattr(value, "build_request", None)) and not inspect.isclass(value)
    if not builds or not inspect.iscoroutinefunction(send):
        raise ValueError(
            f"must be an httpx.AsyncClient, an httpx2.AsyncClient or an object like them, got {describe_value(value)}"
        )
    return value  # type: ignore[return-value]  # its methods were checked


def read_on_login(value: object) -> OnLogin:
    """Accept the app's `on_login` function."""
    call = value if inspect.isroutine(value) else getattr(value, "__call__", None)  # noqa: B004  # we need the method
    if inspect.isclass(value) or not inspect.iscoroutinefunction(call):
        raise ValueError(f"must be an async function of the user and the claims, got {describe_value(value)}")
    return value  # type: ignore[return-value]  # a signature cannot be checked


def read_on_event(value: object) -> OnEvent:
    """Accept the app's `on_event` function."""
    if inspect.isclass(value) or not callable(value):
        raise ValueError(f"must be a function of one audit event, got {describe_value(value)}")
    return value  # a signature cannot be checked


def number_reader(least: int, most: int, *, unit: str = "seconds", example: int) -> Callable[[object], int]:
    """Make a reader of whole numbers of a unit, between two limits."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(
                f"must be a whole number of {unit} such as {example}, from {least} to {most}, "
                f"got {describe_value(value)}"
            )
        return value

    return read
