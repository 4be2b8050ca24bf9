"""Reads the values of the settings of `Bearer`."""

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Literal

from asgi_oidc.errors import describe_value
from asgi_oidc.login.provider_choice import is_provider_name
from asgi_oidc.settings.several_providers import bad_provider_name

MAX_INTROSPECTION_CACHE = 60  # seconds; a revoked token is still accepted for that long
MAX_AUDIENCES = 16
MAX_AUDIENCE_LENGTH = 512  # characters
MAX_PROXIES = 64
UNIX = "unix"  # a value of `client_certificate_proxies`: a peer that is connected by a Unix socket

# The `typ` of JWTs that are never access tokens, of the same provider or of a client.
OTHER_TOKENS = frozenset(
    {
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "oauth-authz-req+jwt",
        "client-authentication+jwt",
    }
)
# Headers that have a meaning of their own, or that a proxy adds for every client.
_OTHER_HEADERS = frozenset({"authorization", "cookie", "host", "dpop", "origin", "content-length", "transfer-encoding"})
# Wider networks trust much of the internet; `fc00::/7` is all of the private addresses of IPv6.
_SHORTEST_PREFIX = {4: 8, 6: 7}
# The IPv4 addresses, as sockets for both versions write them.
_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")

_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+/-]{1,64}")


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies whose `client_certificate_header` counts.

    Attributes:
        networks: of their addresses.
        has_unix: whether a peer that is connected by a Unix socket is one.
    """

    networks: tuple[IPv4Network | IPv6Network, ...]
    has_unix: bool


def read_audiences(value: object) -> tuple[str, ...]:
    """Read the audiences, one of which a token has to have."""
    items = [value] if isinstance(value, str) else _list(value, "text such as 'https://api.example.com', or a list")
    if not 1 <= len(items) <= MAX_AUDIENCES:
        raise ValueError(f"must have 1 to {MAX_AUDIENCES} values, got {len(items)}: without one, any token would do")
    for item in items:
        if not isinstance(item, str) or not item.strip():
            raise ValueError(f"must be text such as 'https://api.example.com', got {describe_value(item)}")
        if not item.isprintable() or any(character.isspace() for character in item):
            raise ValueError("must not contain spaces, line breaks or control characters")
        if len(item) > MAX_AUDIENCE_LENGTH:
            raise ValueError(f"must have at most {MAX_AUDIENCE_LENGTH} characters, got {len(item)}")
        if "*" in item:
            raise ValueError("is compared exactly: '*' is not a wildcard; list the audiences")
    return tuple(dict.fromkeys(str(item) for item in items))


def read_provider_names(value: object) -> tuple[str, ...] | None:
    """Read names of providers; whether they exist is checked together with `providers`."""
    if value is None:
        return None
    names = _list(value, "a list of names of providers, such as ['work']")
    for name in names:
        if not isinstance(name, str) or not is_provider_name(name):
            raise ValueError(bad_provider_name(name))
    if not names:
        raise ValueError("is empty: then no token would count; leave it out for all OpenID providers")
    return tuple(dict.fromkeys(str(name) for name in names))


def read_token_types(value: object) -> tuple[str, ...] | None:
    """Read accepted values of `typ`, in lower case and without `application/` (RFC 7515 §4.1.9)."""
    if value is None:
        return None
    types = _list(value, "a list such as ['at+jwt']")
    for each in types:
        if not isinstance(each, str) or not _TYPE.fullmatch(each):
            raise ValueError(f"must be a list of media types such as 'at+jwt', got {describe_value(each)}")
    if not types:
        raise ValueError("is empty: then no token would count; leave it out for the default")
    names = tuple(dict.fromkeys(str(each).lower().removeprefix("application/") for each in types))
    if others := [name for name in names if name in OTHER_TOKENS]:
        raise ValueError(f"{', '.join(others)}: not a type of access tokens; remove it")
    return names


def read_introspect(value: object) -> str | Literal[False] | None:
    """Read which provider introspects opaque tokens."""
    if value is None or value is False:
        return value
    if value is True:
        raise ValueError(
            "must be False or the name of a provider: leave it out, and opaque tokens are introspected if the provider "
            "offers it"
        )
    if not isinstance(value, str) or not is_provider_name(value):
        raise ValueError(bad_provider_name(value))
    return value


def read_proof(value: object) -> Literal["accept", "require"]:
    """Read whether tokens have to be bound to a key or a certificate."""
    if value == "accept":
        return "accept"
    if value == "require":
        return "require"
    raise ValueError(f"must be 'accept' or 'require', got {describe_value(value)}")


def read_header_name(value: object) -> str | None:
    """Read the name of a header, in lower case."""
    if value is None:
        return None
    if not isinstance(value, str) or not _FIELD_NAME.fullmatch(value):
        raise ValueError(f"must be the name of a header such as 'client-cert', got {describe_value(value)}")
    name = value.lower()
    if name in _OTHER_HEADERS:
        raise ValueError(f"{name} has a meaning of its own: name the header that the proxy sets, such as 'client-cert'")
    return name


def read_proxies(value: object) -> TrustedProxies:
    """Read the addresses and networks of proxies."""
    items = _list(value, "a list of addresses such as ['10.0.0.7', '10.1.0.0/16']")
    if len(items) > MAX_PROXIES:
        raise ValueError(
            f"must have at most {MAX_PROXIES} values, got {len(items)}: list networks instead of addresses"
        )
    networks = tuple(_network(item) for item in items if item != UNIX)
    return TrustedProxies(networks, UNIX in items)


def _network(value: object) -> IPv4Network | IPv6Network:
    text = value if isinstance(value, str) else ""
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            f"must be addresses, networks such as '10.1.0.0/16' without bits after the prefix, or {UNIX!r}, "
            f"got {describe_value(value)}"
        ) from None
    if _is_too_wide(network):
        raise ValueError(f"{network} is most of the internet, so any client could send a certificate: name the proxies")
    return network


def _is_too_wide(network: IPv4Network | IPv6Network) -> bool:
    if isinstance(network, IPv6Network) and network.overlaps(_IPV4_MAPPED):
        return network.prefixlen < _IPV4_MAPPED.prefixlen + _SHORTEST_PREFIX[4]
    return network.prefixlen < _SHORTEST_PREFIX[network.version]


def read_on_token(value: object) -> Any:
    """Accept the app's `on_token` function."""
    if value is None:
        return None
    call = value if inspect.isroutine(value) else getattr(value, "__call__", None)  # noqa: B004  # we need the method
    if inspect.isclass(value) or not inspect.iscoroutinefunction(call):
        raise ValueError(f"must be an async function of the user and the claims, got {describe_value(value)}")
    return value


def _list(value: object, expected: str) -> list[object]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | set | frozenset):
        raise ValueError(f"must be {expected}, got {describe_value(value)}")
    return list(value)
