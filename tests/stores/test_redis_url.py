"""The URL of a Redis store says where it is; a wrong one says how to fix it, and never the password."""

from typing import Any

import pytest

from asgi_oidc.stores.redis_url import read_url

PASSWORD = "s3cret"

GOOD: dict[str, Any] = {
    "redis://host": ("single", (("host", 6379),), 0, {}, None),
    "redis://host:7000/2": ("single", (("host", 7000),), 2, {}, None),
    "REDIS://host/?db=3": ("single", (("host", 6379),), 3, {}, None),
    "valkey://host": ("single", (("host", 6379),), 0, {}, None),
    "rediss://host": ("single", (("host", 6379),), 0, {}, {}),
    "valkeys://[::1]:7000": ("single", (("::1", 7000),), 0, {}, {}),
    "redis://:s3cret@host": ("single", (("host", 6379),), 0, {"password": PASSWORD}, None),
    "redis://user@host": ("single", (("host", 6379),), 0, {"username": "user"}, None),
    "redis://us%40er:s%233@cret@host": (
        "single",
        (("host", 6379),),
        0,
        {"username": "us@er", "password": "s#3@cret"},
        None,
    ),
    "redis+cluster://h1,h2:7000,[::1]:7001": ("cluster", (("h1", 6379), ("h2", 7000), ("::1", 7001)), 0, {}, None),
    "valkeys+cluster://u:s3cret@h1/0": ("cluster", (("h1", 6379),), 0, {"username": "u", "password": PASSWORD}, {}),
    "redis+sentinel://h1,h2:7000/mymaster?db=1": ("sentinel", (("h1", 26379), ("h2", 7000)), 1, {}, None),
    "rediss+sentinel://:s3cret@h1/my-master": ("sentinel", (("h1", 26379),), 0, {"password": PASSWORD}, {}),
    "unix:///run/redis.sock?db=4": ("single", (), 4, {}, None),
    "unix://user:s3cret@/run/redis.sock": ("single", (), 0, {"username": "user", "password": PASSWORD}, None),
}

BAD = {
    "host:6379": "must be a URL",
    "": "must be a URL",
    "http://:s3cret@host": "must be a URL",
    "redis+magic://:s3cret@host": "must be a URL",
    "unix+cluster:///run/s3cret.sock": "must be a URL",
    "redis://[:s3cret@host": "must be a valid URL",
    "redis://:s3cret@host?db": "must be a valid URL",
    "redis://s3cret#x@host": "write %23",
    "redis://:s3cret@host#": "write %23",
    "redis://:s3cret@": "each host",
    "redis://:s3cret@host:port": "each host",
    "redis://:s3cret@host:0": "each host",
    "redis://:s3cret@host:65536": "each host",
    "redis://host:s3cret": "each host",
    "redis+cluster://h1,,h2": "each host",
    "redis://:s3cret@h1,h2": "for several, write",
    "redis://:s3cret@host/one": "database must be",
    "redis://:s3cret@host/1/2": "database must be",
    "redis://:s3cret@host?db=-1": "database must be",
    "redis://:s3cret@host?db=²": "database must be",
    "redis+cluster://:s3cret@host/1": "a cluster has only database 0",
    "redis+cluster://:s3cret@host?db=1": "a cluster has only database 0",
    "redis://:s3cret@host?timeout=3": "unknown option",
    "redis://:s3cret@host?ssl_ca_certs=x": "unknown option",
    "redis://host?sentinel_password=s3cret": "unknown option",
    "rediss://:s3cret@host?ssl_ca_certs=/nowhere/s3cret.pem": "ssl_ca_certs must be the path of an existing file",
    "redis+sentinel://:s3cret@host": "name the service",
    "redis+sentinel://:s3cret@host/a/b": "name the service",
    "unix://run/redis.sock": "absolute path",
    "unix://": "absolute path",
}


@pytest.mark.parametrize("url", GOOD)
def test_a_url_says_where_the_server_is(url):
    """As redis-py reads it, and more kinds."""
    address = read_url(url)

    assert (address.kind, address.hosts, address.db, address.options, address.tls) == GOOD[url]
    assert PASSWORD not in f"{address} {address!r}"


@pytest.mark.parametrize("url", BAD)
def test_a_wrong_url_says_how_to_fix_it(url):
    """The text ends in the log of a start-up that failed."""
    with pytest.raises(ValueError, match=BAD[url]) as caught:
        read_url(url)

    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_path_of_a_socket_and_the_name_of_a_service_are_read():
    """Escapes are for characters that mean something in a URL."""
    assert read_url("unix:///run/my%20redis.sock").path == "/run/my redis.sock"
    assert read_url("redis+sentinel://host/my%2Fmaster").service == "my/master"


def test_sentinels_have_a_password_of_their_own():
    """They are servers of another kind."""
    address = read_url("redis+sentinel://:s3cret@h/m?sentinel_username=watch&sentinel_password=w0rd")

    assert address.options == {"password": PASSWORD}
    assert address.sentinel_options == {"username": "watch", "password": "w0rd"}
    assert "w0rd" not in f"{address} {address!r}"


def test_files_for_tls_must_be_there(tmp_path):
    """A missing one would be an outage of every request."""
    ca, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    ca.touch()
    key.touch()

    assert read_url(f"rediss://host?ssl_ca_certs={ca}").tls == {"ssl_ca_certs": str(ca)}
    assert read_url(f"rediss://host?ssl_certfile={ca}&ssl_keyfile={key}").tls is not None
    with pytest.raises(ValueError, match="ssl_keyfile needs ssl_certfile"):
        read_url(f"rediss://host?ssl_keyfile={key}")
