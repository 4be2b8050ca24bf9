"""What a Redis store does before there is a server."""

import subprocess
import sys

import pytest

from asgi_oidc import RedisStore
from asgi_oidc.stores import redis as scripts

HIDE = "import sys; sys.modules.update({name: None for name in sys.argv[1].split(',')}); "
USE = """
import anyio, asgi_oidc
store = asgi_oidc.RedisStore("redis://:s3cret@127.0.0.1:1")
async def main():
    try:
        await store.get("key")
    except Exception as exc:
        print(type(exc).__name__, exc if isinstance(exc, ImportError) else "")
for backend in ("asyncio", "trio"):
    anyio.run(main, backend=backend)
"""


def said(hidden: str) -> list[str]:
    """Use a store on both event loops where some packages are missing; return what was said, line by line."""
    command = [sys.executable, "-c", HIDE + USE, hidden]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    text = done.stdout or done.stderr.splitlines()[-1]
    assert "s3cret" not in text
    return [line.strip() for line in text.splitlines()]


def test_the_repr_of_a_redis_store_never_shows_the_password():
    """It ends in logs and error pages."""
    store = RedisStore("redis+sentinel://user:s3cret@h1,h2:7000/mymaster?sentinel_password=s3cret")

    assert repr(store) == str(store) == "RedisStore(sentinel h1:26379,h2:7000/mymaster)"


def test_a_wrong_url_is_told_at_once():
    """Not at the first request."""
    with pytest.raises(ValueError, match="must be a URL"):
        RedisStore("localhost:6379")


def test_without_a_client_there_is_no_store():
    """It says what to install."""
    assert said("redis,coredis") == [
        "ImportError: RedisStore needs a Redis client: pip install 'asgi-oidc[redis]'; "
        "with trio: pip install 'asgi-oidc[redis-trio]'"
    ]


def test_on_asyncio_it_needs_redis_py_and_no_other():
    """The first use says so; and nobody answers there, but it was asked."""
    missing, asked = said("redis")

    assert missing == "ImportError RedisStore needs redis on this event loop: pip install 'asgi-oidc[redis]'"
    assert asked == "ConnectionError"


def test_on_trio_it_needs_coredis_and_no_other():
    """The first use says so; and nobody answers there, but it was asked."""
    asked, missing = said("coredis")

    assert missing == "ImportError RedisStore needs coredis on this event loop: pip install 'asgi-oidc[redis-trio]'"
    assert asked == "ConnectionError"


def test_every_script_names_one_key_only():
    """A cluster refuses a script whose keys are on several nodes, and one that builds a key escapes its rights."""
    texts = [scripts.REPLACE, scripts.REMOVE_ONLY, scripts.LINK, scripts.LINKED, scripts.UNLINK]

    for text in texts:
        calls = [line.split("redis.call(")[1] for line in text.splitlines() if "redis.call(" in line]
        assert calls
        assert all("KEYS[1]" in call or call.startswith("'TIME'") for call in calls)
        assert "KEYS[2]" not in text
