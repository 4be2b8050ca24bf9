"""What browsers make of URLs: resolving, origins, sites."""

import ipaddress
import re
import urllib.parse


def join(base: str, url: str) -> str:
    r"""Resolve a URL as browsers do (WHATWG URL): tabs and newlines go, `\` is `/`, slashes may repeat."""
    url = re.sub(r"[\t\r\n]", "", url.strip("".join(map(chr, range(33)))))
    end = min((url.find(mark) for mark in "?#" if mark in url), default=len(url))
    before, after = url[:end].replace("\\", "/"), url[end:]
    before = re.sub(r"^(https?):/*", r"\1://", before, flags=re.IGNORECASE)
    before = re.sub(r"^/{2,}", "//", before)
    joined = urllib.parse.urljoin(base, before + after)
    parts = urllib.parse.urlsplit(joined)
    path = urllib.parse.quote(parts.path or "/", safe="%/:@!$&'()*+,;=~|[]^")
    query = urllib.parse.quote(parts.query, safe="%/:@!$&()*+,;=~?|[]^{}`\\")
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, query, parts.fragment))


def origin_of(url: str) -> str:
    """Say the origin of a URL, without the port that goes without saying."""
    parts = urllib.parse.urlsplit(url)
    port = {"https": 443, "http": 80}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if parts.port in (None, port) else f":{parts.port}")


def site_of(url: str) -> str:
    """Say the site: scheme and registrable domain, taken as the last two labels."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    domain = host if is_ip_address(host) else ".".join(host.split(".")[-2:])
    return f"{parts.scheme}://{domain}"


def is_trustworthy(url: str) -> bool:
    """Say whether browsers send Fetch Metadata there: https, or this very machine."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    is_loopback = host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")
    return parts.scheme == "https" or is_loopback


def is_ip_address(host: str) -> bool:
    """Say whether a host is an address and no name."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
