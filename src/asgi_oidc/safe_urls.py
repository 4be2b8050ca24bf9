"""Checks the URLs that the library calls or redirects to: https, or http on loopback; no unusual characters."""

import re
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

MAX_URL_LENGTH = 2048  # characters

# Printable ASCII without the characters that URL parsers treat differently: space, quotes, <>, \, ^, `, {|}.
_PLAIN = re.compile(r"[!#-;=?-\[\]_a-z~]+")
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")


def check_url(url: str, *, http_hosts: Collection[str] = ()) -> SplitResult:
    """Check and split an absolute URL that we call or send a browser to.

    Args:
        http_hosts: further hosts for which http is allowed; never for URLs that a browser is sent to.

    Raises:
        ValueError: the text tells the developer what is wrong.

    Source: RFC 9700 §2.6 (TLS), RFC 8252 §8.3 (loopback).
    """
    split = split_url(url)
    host = split.hostname or ""
    if split.scheme == "http" and not is_loopback(host) and host not in http_hosts:
        raise ValueError("must use https: http is allowed on loopback only")
    return split


def split_url(url: str) -> SplitResult:
    """Check and split an absolute URL, whether or not http is allowed for its host.

    Raises:
        ValueError: the text tells the developer what is wrong.
    """
    if not isinstance(url, str) or not _PLAIN.fullmatch(url) or len(url) > MAX_URL_LENGTH:
        if isinstance(url, str) and any(char.isspace() for char in url):
            raise ValueError("must not contain white space")
        raise ValueError(f"must be a URL of at most {MAX_URL_LENGTH} plain ASCII characters")
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError as exc:
        raise ValueError("must be a valid URL") from exc
    if split.scheme not in ("http", "https") or not split.hostname or port == 0:
        raise ValueError("must start with https:// and name a host")
    if "@" in split.netloc or split.netloc.endswith(":"):
        raise ValueError("must not contain a user name, a password or an empty port")
    if "#" in url:
        raise ValueError("must not have a fragment")
    if not is_host(split.hostname):
        raise ValueError("must name a host by its DNS name or its address")
    return split


def is_host(host: str) -> bool:
    """Whether this is a DNS name or an IP address that is allowed in a URL."""
    return _HOST.fullmatch(host) is not None or is_address(host)


def is_loopback(host: str) -> bool:
    """Whether a parsed host name is this machine itself (loopback)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return (IPv6Address(host) if ":" in host else IPv4Address(host)).is_loopback
    except ValueError:
        return False


def origin_of(split: SplitResult) -> str:
    """Return the origin as browsers write it: lower case, no default port (RFC 6454 §6.2)."""
    host = split.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    default = {"http": 80, "https": 443}[split.scheme]
    port = f":{split.port}" if split.port not in (None, default) else ""
    return f"{split.scheme}://{host}{port}"


def authorities_of(split: SplitResult) -> tuple[str, ...]:
    """Return how a Host header may name the host of a URL: with its port, or without if that is the default one.

    Source: RFC 9110 §4.2.3, §7.2.
    """
    authority = origin_of(split).partition("://")[2]
    default = {"http": 80, "https": 443}[split.scheme]
    has_default_port = split.port in (None, default)
    return (authority, f"{authority}:{default}") if has_default_port else (authority,)


def without_origin(url: str, origins: Iterable[str]) -> str:
    """Return what follows the origin of a URL if it is one of these; a path stays as it is."""
    # The longest first: one may begin like another one that has a port.
    found = next((origin for origin in sorted(origins, key=len, reverse=True) if url.startswith(origin)), "")
    return url.removeprefix(found)


def host_name(authority: str) -> str | None:
    """Return the host of `host` or `host:port` in lower case; None if it is neither."""
    try:
        host = urlsplit(f"//{authority}").hostname
    except ValueError:
        return None
    return host.removesuffix(".") if host else None


def is_address(host: str) -> bool:
    """Whether a host name is an IP address that is allowed in a URL."""
    try:
        IPv6Address(host) if ":" in host else IPv4Address(host)
    except ValueError:
        return False
    return "%" not in host  # an IPv6 zone is valid on one machine only, and browsers refuse it
