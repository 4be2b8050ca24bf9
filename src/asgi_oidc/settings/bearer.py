"""`Bearer`, the setting that accepts access tokens beside sessions, for APIs (RFC 6750)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, Literal

from asgi_oidc.errors import SettingsError, describe_value
from asgi_oidc.settings.bearer_readers import (
    MAX_INTROSPECTION_CACHE,
    TrustedProxies,
    read_audiences,
    read_header_name,
    read_introspect,
    read_on_token,
    read_proof,
    read_provider_names,
    read_proxies,
    read_token_types,
)
from asgi_oidc.settings.value_checks import number_reader, read_switch

OnToken = Callable[..., Awaitable[Mapping[str, Any] | None]]
"""Called with the user and a copy of the claims; changes the copy, returns new claims, or raises `LoginRefused`."""


@dataclass(frozen=True, slots=True, repr=False)
class Bearer:
    """Which access tokens count beside sessions: the value of the setting `bearer`.

        OIDCMiddleware(app, ..., bearer=Bearer(audience="https://api.example.com"))

    Programs send a token in the header `Authorization: Bearer ...`, and the same rules decide for them as for users
    with a session. The app finds the user in `scope["user"]`; `user.credential` is `"bearer"`.

    Args:
        audience: the API that tokens have to be for: a value that their claim `aud` has to contain, or a list of which
            one is enough. It is the identifier of the API at the provider, and often its URL. If it is the `client_id`,
            as in ID Tokens, only tokens count that have a scope, the type `at+jwt` or another mark of access tokens.
        providers: names of the providers whose tokens count; by default, all OpenID providers.
        token_types: the accepted values of `typ` in the header of a JWT. By default, `at+jwt` (RFC 9068), `JWT` and
            none at all; `["at+jwt"]` accepts the first only.
        allow_missing_audience: accept tokens without `aud`. Any API that gets such a token can then use it at this one;
            a token for another audience is refused even so.
        introspect: opaque tokens are introspected at the provider (RFC 7662) if its metadata has an
            `introspection_endpoint` and the client has a secret; `False` refuses them instead. With several providers,
            the name of the one that is asked; by default, none is.
        introspect_jwt: introspect JWTs as well, so that a revoked token is refused within `introspection_cache`.
        introspection_cache: for how many seconds the answer of the provider counts, from 0 to 60.
        dpop: `"accept"` checks the proof of tokens that are bound to a key (DPoP, RFC 9449); `"require"` refuses all
            others as well.
        dpop_nonce: whether proofs need a nonce that the server has issued (RFC 9449 §8).
        mtls: `"accept"` checks the client certificate of tokens that are bound to one (RFC 8705); `"require"` refuses
            all others as well.
        client_certificate_header: the header in which a proxy passes the client certificate on; by default, the
            certificate is that of the TLS connection to the server.
        client_certificate_proxies: addresses and networks of these proxies, such as `["10.0.0.7", "10.1.0.0/16"]`, or
            `"unix"` for a Unix socket. Without one of them as the peer, the header is ignored.
        on_token: your own async function, called with the user and a copy of the claims when a token is first seen. It
            may change the claims, return new ones, or raise `LoginRefused`; it may not change `iss` or `sub`.

    Raises:
        SettingsError: a setting is invalid; it lists every problem with its fix.
    """

    audience: str | Sequence[str]
    _: KW_ONLY
    providers: Sequence[str] | None = None
    token_types: Sequence[str] | None = None
    allow_missing_audience: bool = False
    introspect: str | Literal[False] | None = None
    introspect_jwt: bool = False
    introspection_cache: int = 30
    dpop: Literal["accept", "require"] = "accept"
    dpop_nonce: bool = False
    mtls: Literal["accept", "require"] = "accept"
    client_certificate_header: str | None = None
    client_certificate_proxies: Sequence[str] = ()
    on_token: OnToken | None = None
    audiences: tuple[str, ...] = field(init=False)
    proxies: TrustedProxies = field(init=False)

    def __post_init__(self) -> None:
        problems: list[str] = []
        for name, (target, read) in READERS.items():
            try:
                object.__setattr__(self, target, read(getattr(self, name)))
            except ValueError as exc:
                problems.append(f"{name}: {exc}")
        problems = problems or self._contradictions()
        if problems:
            raise SettingsError([f"Bearer: {problem}" for problem in problems])

    def __repr__(self) -> str:
        shown = [each for each in fields(self) if each.init and each.name != "on_token"]
        given = [f"{each.name}={getattr(self, each.name)!r}" for each in shown if self._is_set(each.name, each.default)]
        return f"Bearer({', '.join(given)})"

    def _is_set(self, name: str, default: object) -> bool:
        return bool(getattr(self, name) != default)

    def _contradictions(self) -> list[str]:
        problems = []
        if self.dpop == "require" and self.mtls == "require":
            problems.append(
                "dpop: contradicts mtls='require': a provider binds a token to a key or to a certificate, not to both"
            )
        if self.client_certificate_header is not None and not self.client_certificate_proxies:
            problems.append(
                "client_certificate_header: needs client_certificate_proxies, the addresses of the proxies that set "
                "it: otherwise, any client could send it"
            )
        if self.client_certificate_proxies and self.client_certificate_header is None:
            problems.append(
                "client_certificate_proxies: needs client_certificate_header, the header that these proxies set"
            )
        if self.introspect_jwt and self.introspect is False:
            problems.append("introspect_jwt: contradicts introspect=False: remove one of them")
        if self.introspect and self.providers is not None and self.introspect not in self.providers:
            problems.append(not_counted(self.introspect))
        return problems


def not_counted(name: str) -> str:
    """Return the problem of an `introspect` that names a provider whose tokens do not count."""
    return f"introspect: {name} is not one of the providers whose tokens count: add it to providers of Bearer"


# Name of the setting -> the field that gets its value, and the function that checks and converts it.
READERS: Mapping[str, tuple[str, Callable[[Any], object]]] = {
    "audience": ("audiences", read_audiences),
    "providers": ("providers", read_provider_names),
    "token_types": ("token_types", read_token_types),
    "allow_missing_audience": ("allow_missing_audience", read_switch),
    "introspect": ("introspect", read_introspect),
    "introspect_jwt": ("introspect_jwt", read_switch),
    "introspection_cache": ("introspection_cache", number_reader(0, MAX_INTROSPECTION_CACHE, example=30)),
    "dpop": ("dpop", read_proof),
    "dpop_nonce": ("dpop_nonce", read_switch),
    "mtls": ("mtls", read_proof),
    "client_certificate_header": ("client_certificate_header", read_header_name),
    "client_certificate_proxies": ("proxies", read_proxies),
    "on_token": ("on_token", read_on_token),
}


def field_hint(name: str) -> str | None:
    """Return the problem of a setting that is a field of `Bearer`; None if it is not one."""
    field_name = name.removeprefix("bearer_")
    if field_name not in READERS:
        return None
    return f"{name}: unknown setting; did you mean bearer=Bearer({field_name}=...)?"


def read_bearer(value: object) -> Bearer:
    """Check the setting `bearer`."""
    if not isinstance(value, Bearer):
        raise ValueError(f"expected Bearer(audience='https://api.example.com'), got {describe_value(value)}")
    return value
