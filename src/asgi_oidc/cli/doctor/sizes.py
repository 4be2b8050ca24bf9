"""Checks the size of cookies against what proxies and servers accept by default.

nginx accepts a header line of 8 kB (`large_client_header_buffers`), and response headers of 4 or 8 kB in all
(`proxy_buffer_size`); Apache and gunicorn accept a line of 8,190 bytes.
"""

import re
from collections.abc import Iterator

from asgi_oidc.cli.doctor.examined_app import ExaminedApp, name_setting
from asgi_oidc.cli.doctor.finding import Finding

SERVER_DEFAULT = 8190  # bytes of a header line, that of Apache and gunicorn; nginx accepts two more
_FIELD_SIZE = re.compile(r"--limit-request-field[_-]size[= ](\d{1,9})")


def check_sizes(site: ExaminedApp) -> Iterator[Finding]:
    """Look for cookies that add up, and for servers that accept less than they may need."""
    if site.settings.store is not None:
        return
    sharing = [other for other in site.others if other.settings.store is None and _shares_host(site, other)]
    if sharing and site.settings.base_url == min(each.settings.base_url for each in (site, *sharing)):
        total = sum(each.settings.max_cookie_header for each in (site, *sharing))
        problem = (
            f"{len(sharing) + 1} middlewares on this host keep sessions in cookies, which may add up to {total} bytes: "
            "nginx and most other proxies accept a header line of 8 kB"
        )
        fix = "set store for them, lower max_cookie_header, or use one middleware around the whole site"
        yield Finding("cookies_add_up", problem, fix, where=site.settings.origin)
    most = site.settings.max_cookie_header
    limit = _FIELD_SIZE.search(site.environ.get("GUNICORN_CMD_ARGS", ""))
    if limit is not None and 0 < int(limit[1]) < most + len("Cookie: "):
        problem = f"the server accepts header lines of {limit[1]} bytes; cookies may need {most}"
        enough = max(most + len("Cookie: "), SERVER_DEFAULT)
        fix = f"set --limit-request-field_size to {enough} or more, lower max_cookie_header, or set store"
        yield Finding("header_limit_small", problem, fix, where="GUNICORN_CMD_ARGS")
    buffer, lines = "16k", ""
    if most + len("Cookie: ") > SERVER_DEFAULT:
        buffer, lines = "32k", ", and large_client_header_buffers 4 16k"
    problem = (
        f"sessions are in cookies of up to {most} bytes. A proxy has to accept them: at nginx, set "
        f"proxy_buffer_size {buffer} and proxy_buffers 8 {buffer}{lines}"
    )
    yield Finding("proxy_buffers", problem, where=name_setting("store"))


def _shares_host(site: ExaminedApp, other: ExaminedApp) -> bool:
    return bool(set(site.settings.origins) & set(other.settings.origins))
