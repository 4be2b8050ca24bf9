"""Reads the URL of Redis or Valkey: of one server, a cluster, or servers that sentinels watch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

SCHEMES = {"redis": False, "rediss": True, "valkey": False, "valkeys": True, "unix": False}  # name -> TLS
SINGLE, CLUSTER, SENTINEL = "single", "cluster", "sentinel"
PORTS = {SINGLE: 6379, CLUSTER: 6379, SENTINEL: 26379}
TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
SENTINEL_OPTIONS = ("username", "password")
EXAMPLES = "redis://host:6379, rediss://user:password@host:6379/0, redis+cluster://host1:6379,host2:6379, "
EXAMPLES += "redis+sentinel://host1:26379,host2:26379/mymaster, or unix:///run/redis.sock"


@dataclass(frozen=True, slots=True)
class Address:
    """The address of the server, and the credentials for it.

    Attributes:
        kind: `SINGLE`, `CLUSTER` or `SENTINEL`.
        hosts: host names and ports; for `SENTINEL`, those of the sentinels.
        path: of a Unix socket.
        service: the name under which the sentinels know the server.
        options: `username` and `password`, if the URL has them.
        sentinel_options: the same for the sentinels themselves.
        tls: paths of files, by the names in `TLS_OPTIONS`; None means no TLS.
    """

    kind: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    db: int = 0
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    sentinel_options: dict[str, Any] = field(default_factory=dict, repr=False)
    tls: dict[str, str] | None = None

    def __str__(self) -> str:
        location = self.path or ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{self.kind} {location}{'/' + self.service if self.service else ''}"


def read_url(url: str) -> Address:
    """Read the URL of a store.

    Raises:
        ValueError: the text has the fix, and never the password.
    """
    scheme, _, kind = url.partition("://")[0].lower().partition("+")
    kind = kind or SINGLE
    if scheme not in SCHEMES or kind not in PORTS or "://" not in url or (scheme == "unix" and kind != SINGLE):
        raise ValueError(f"must be a URL such as {EXAMPLES}")
    try:
        split = urlsplit(url)
        query = dict(parse_qsl(split.query, strict_parsing=bool(split.query)))
    except ValueError:  # its text contains the URL, perhaps with a password
        raise ValueError(f"must be a valid URL such as {EXAMPLES}") from None
    if split.fragment or "#" in url:
        raise ValueError("must not contain '#': write %23 for it in a user name or password")
    userinfo, _, netloc = split.netloc.rpartition("@")
    tls = _tls(query) if SCHEMES[scheme] else None
    sentinel = _options(query, "sentinel_", SENTINEL_OPTIONS) if kind == SENTINEL else {}
    db = _db(split, query, kind)
    if query:
        raise ValueError(
            f"unknown option in the query; allowed are db, {', '.join(TLS_OPTIONS)} (with TLS: rediss, valkeys), "
            "sentinel_username and sentinel_password (with sentinels)"
        )
    return Address(
        kind,
        hosts=() if scheme == "unix" else _hosts(netloc, kind),
        path=_path(split.path, netloc) if scheme == "unix" else "",
        service=_service(split.path) if kind == SENTINEL else "",
        db=db,
        options=_credentials(userinfo),
        sentinel_options=sentinel,
        tls=tls,
    )


def _tls(query: dict[str, str]) -> dict[str, str]:
    files = _options(query, "", TLS_OPTIONS)
    for name, path in files.items():
        if not Path(path).is_file():
            raise ValueError(f"{name} must be the path of an existing file")
    if "ssl_keyfile" in files and "ssl_certfile" not in files:
        raise ValueError("ssl_keyfile needs ssl_certfile")
    return files


def _options(query: dict[str, str], prefix: str, names: tuple[str, ...]) -> dict[str, str]:
    return {name: query.pop(prefix + name) for name in names if prefix + name in query}


def _db(split: SplitResult, query: dict[str, str], kind: str) -> int:
    in_path = split.path.strip("/") if kind != SENTINEL and split.scheme != "unix" else ""
    db = query.pop("db", "") or in_path or "0"
    if not db.isascii() or not db.isdigit() or (kind == CLUSTER and db != "0"):
        raise ValueError("the database must be a number, as in redis://host:6379/1; a cluster has only database 0")
    return int(db)


def _credentials(userinfo: str) -> dict[str, Any]:
    name, _, password = userinfo.partition(":")
    found = {"username": unquote(name), "password": unquote(password)}
    return {key: value for key, value in found.items() if value}


def _hosts(netloc: str, kind: str) -> tuple[tuple[str, int], ...]:
    hosts = tuple(_host(text, PORTS[kind]) for text in netloc.split(","))
    if kind == SINGLE and len(hosts) > 1:
        raise ValueError("must name one host; for several, write redis+cluster:// or redis+sentinel://")
    return hosts


def _host(text: str, default_port: int) -> tuple[str, int]:
    try:
        split = urlsplit(f"//{text}")
        host, port = split.hostname, split.port
    except ValueError:
        host, port = None, None
    if not host or port == 0:
        raise ValueError("each host must be a name or an address with a port, such as host:6379 or [::1]:6379")
    return host, port or default_port


def _path(path: str, netloc: str) -> str:
    if netloc or not path.strip("/"):
        raise ValueError("must contain the absolute path of the socket: unix:///run/redis.sock")
    return unquote(path)


def _service(path: str) -> str:
    name = path.strip("/")
    if not name or "/" in name:
        raise ValueError("must name the service that the sentinels watch: redis+sentinel://host:26379/mymaster")
    return unquote(name)
