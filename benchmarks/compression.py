"""What does compression give, and what does it cost: bytes of a session, time to write it, time to read its claims?

Run it as `python -m benchmarks.compression`. The texts are what a session compresses for the tokens of real providers.
"""

import time
import zlib
from collections.abc import Callable
from functools import partial

from benchmarks.harness import Harness
from benchmarks.token_provider import Jwt, TokenSet
from benchmarks.token_sets import LARGE_SETS, REAL_SETS

from asgi_oidc.sessions.packing.compression import RAW, compress, decompress
from asgi_oidc.sessions.packing.token_texts import END, Texts, pack, unpack
from asgi_oidc.sessions.packing.uuids import take_uuids
from asgi_oidc.sessions.sealing import decode_base64url
from asgi_oidc.sessions.session import write_claims

SETS = {token_set.name: token_set for token_set in (*REAL_SETS, *LARGE_SETS)}
TIMED = ("Keycloak", "Entra ID, 120 groups")


def issued(token_set: TokenSet, token: str | Jwt) -> str:
    """Return a token as the provider issues it."""
    return token if isinstance(token, str) else token.issued(token_set.issuer, int(time.time()))


def texts_of(token_set: TokenSet) -> Texts:
    """Return the claims and tokens of a session."""
    names = ("id_token", "access_token", "refresh_token")
    tokens = {name: issued(token_set, getattr(token_set, name)) for name in names}
    return Texts(written_claims=write_claims({"iss": token_set.issuer, **token_set.id_token.claims}), **tokens)


def stated(texts: Texts) -> bytes:
    """Return what is compressed, before that: the headers and payloads of the JWTs."""
    tokens = (texts.id_token, texts.access_token or "", texts.refresh_token or "")
    segments = [token.split(".")[:2] for token in tokens if token.count(".") == 2 and token.startswith("ey")]
    return END.join(decode_base64url(segment) or b"" for pair in segments for segment in pair)


def sizes(token_set: TokenSet) -> dict[str, int]:
    """Return the bytes that the texts take, one step after the other."""
    text = stated(texts_of(token_set))
    without, table = take_uuids(text)
    plain = zlib.compressobj(9, zlib.DEFLATED, RAW)
    return {
        "deflate": len(plain.compress(text) + plain.flush()),
        "with the dictionary": len(compress(text)),
        "UUIDs as bytes": len(table) + len(compress(without)),
    }


def packing(name: str) -> Callable[[], Callable[[], object]]:
    """Write what a login stores."""
    return lambda: partial(pack, texts_of(SETS[name]))


def unpacking(name: str) -> Callable[[], Callable[[], object]]:
    """Read it, as the first request of a process does that asks for a claim or a token."""
    return lambda: partial(unpack, pack(texts_of(SETS[name])))


def inflating(name: str) -> Callable[[], Callable[[], object]]:
    """Decompress alone."""
    text = stated(texts_of(SETS[name]))
    return lambda: partial(decompress, compress(text), most=len(text))


def main() -> None:
    """Count bytes, and measure times."""
    harness = Harness("compression")
    for name in TIMED:
        harness.work(f"{name}: write", packing(name))
        harness.work(f"{name}: read", unpacking(name))
        harness.work(f"{name}: decompress alone", inflating(name))
    if not harness.is_main:
        return
    for name, token_set in SETS.items():
        harness.row(name, len(stated(texts_of(token_set))), "bytes", **sizes(token_set))
    for name in TIMED:
        for step in ("write", "read", "decompress alone"):
            harness.row(f"{name}: {step}", harness.least[f"{name}: {step}"] * 1e6, "us")
    harness.save()


if __name__ == "__main__":
    main()
