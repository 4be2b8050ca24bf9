"""What browsers make of URLs: resolving, origins, sites."""

import ipaddress
import re
import urllib.parse


def join(base: str, url: str) -> str:
    r"""Resolve a URL as browsers do (WHATWG URL): tabs and newlines go, `\` is `/`, slashes may repeat."""
    url = re.sub(r"[\t\r\n]", "", url.strip("".join(map(chr, range(33)))))
    end = min((url.find(question_mark) for question_mark in "?#" if question_mark in url), default=len(url))
    before, after = url[:end].replace("\\", "/"), url[end:]
    before = re.sub(r"^(https?):/*", r"\1://", before, flags=re.IGNORECASE)
    before = re.sub(r"^/{2,}", "//", before)
    joined = urllib.parse.urljoin(base, before + after)
    split = urllib.parse.urlsplit(joined)
    path = urllib.parse.quote(split.path or "/", safe="%/:@!$&'()*+,;=~|[]^")
    query = urllib.parse.quote(split.query, safe="%/:@!$&()*+,;=~?|[]^{}`\\")
    return urllib.parse.urlunsplit((split.scheme, split.netloc, path, query, split.fragment))


def origin_of(url: str) -> str:
    """Say the origin of a URL, without the port that goes without saying."""
    split = urllib.parse.urlsplit(url)
    port = {"https": 443, "http": 80}.get(split.scheme)
    host = f"[{split.hostname}]" if ":" in (split.hostname or "") else split.hostname
    return f"{split.scheme}://{host}" + ("" if split.port in (None, port) else f":{split.port}")


def site_of(url: str) -> str:
    """Say the site: scheme and registrable domain, taken as the last two labels."""
    split = urllib.parse.urlsplit(url)
    host = split.hostname or ""
    domain = host if is_ip_address(host) else ".".join(host.split(".")[-2:])
    return f"{split.scheme}://{domain}"


def is_trustworthy(url: str) -> bool:
    """Say whether browsers send Fetch Metadata there: https, or this very machine."""
    split = urllib.parse.urlsplit(url)
    host = split.hostname or ""
    is_loopback = host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")
    return split.scheme == "https" or is_loopback


def is_ip_address(host: str) -> bool:
    """Say whether a host is an address and no name."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
