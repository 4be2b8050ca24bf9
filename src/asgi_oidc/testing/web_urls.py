"""URLs as browsers treat them: how they are resolved, their origin and their site."""

import ipaddress
import re
import urllib.parse


def join(base: str, url: str) -> str:
    r"""Resolve a URL as browsers do (WHATWG URL): remove tabs and newlines, treat `\` as `/`, merge slashes."""
    url = re.sub(r"[\t\r\n]", "", url.strip("".join(map(chr, range(33)))))
    end = min((url.find(delimiter) for delimiter in "?#" if delimiter in url), default=len(url))
    before, after = url[:end].replace("\\", "/"), url[end:]
    before = re.sub(r"^(https?):/*", r"\1://", before, flags=re.IGNORECASE)
    before = re.sub(r"^/{2,}", "//", before)
    joined = urllib.parse.urljoin(base, before + after)
    split = urllib.parse.urlsplit(joined)
    path = urllib.parse.quote(split.path or "/", safe="%/:@!$&'()*+,;=~|[]^")
    query = urllib.parse.quote(split.query, safe="%/:@!$&()*+,;=~?|[]^{}`\\")
    return urllib.parse.urlunsplit((split.scheme, split.netloc, path, query, split.fragment))


def origin_of(url: str) -> str:
    """Return the origin of a URL, without the default port."""
    split = urllib.parse.urlsplit(url)
    port = {"https": 443, "http": 80}.get(split.scheme)
    host = f"[{split.hostname}]" if ":" in (split.hostname or "") else split.hostname
    return f"{split.scheme}://{host}" + ("" if split.port in (None, port) else f":{split.port}")


def site_of(url: str) -> str:
    """Return the site of a URL: scheme and registrable domain, here the last two labels of the host."""
    split = urllib.parse.urlsplit(url)
    host = split.hostname or ""
    domain = host if is_ip_address(host) else ".".join(host.split(".")[-2:])
    return f"{split.scheme}://{domain}"


def is_trustworthy(url: str) -> bool:
    """Whether browsers send Fetch Metadata to this URL: with https, or on loopback."""
    split = urllib.parse.urlsplit(url)
    host = split.hostname or ""
    is_loopback = host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")
    return split.scheme == "https" or is_loopback


def is_ip_address(host: str) -> bool:
    """Whether a host is an IP address, not a name."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
