"""What does it cost a request to check that its session was not ended, and how often is a shared store called?

Run it as `python -m benchmarks.logout`.
"""

import asyncio
import itertools
import secrets
from collections.abc import Callable

import msgspec
from benchmarks.harness import Harness
from benchmarks.sites import OurSite
from benchmarks.stores import Counting

from asgi_oidc import MemoryStore
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.sessions.revocations import MAX_REVOCATIONS, NamingScheme, Revocations, plain_names
from asgi_oidc.sessions.session import Login

SESSIONS = 20_000
REQUESTS = 2_000
NOW = 1_800_000_000
LOGIN = Login(
    id=secrets.token_urlsafe(32),
    issuer="https://id.example.com",
    sub="alice",
    sid="s-1",
    first={},
    created_at=NOW,
    began=NOW * 1000,
)


def look(name: NamingScheme, marks: int, *, sessions: int = 1) -> Callable[[], Callable[[], object]]:
    """Check sessions that are still active, but not cached as checked, as the first request of each session does.

    Args:
        sessions: how many sessions are checked in turn.
    """

    def make() -> Callable[[], object]:
        ended = Revocations(name, lifetime=1000, needed_for=1000)
        for _ in range(marks):
            ended.end(secrets.token_urlsafe(32), now=NOW)
        data = itertools.cycle([msgspec.json.encode(each) for each in some_logins(sessions)])
        decode = msgspec.json.Decoder(Login).decode
        return lambda: ended.effective_at(decode(next(data)))

    return make


def some_logins(count: int) -> list[Login]:
    """Return the logins of that many users."""
    return [
        msgspec.structs.replace(LOGIN, id=secrets.token_urlsafe(32), sub=f"user-{number}", sid=f"s-{number}")
        for number in range(count)
    ]


async def round_trips() -> float:
    """Count the store calls of requests with encrypted cookies, if processes share sign-outs through the store."""
    store = Counting(MemoryStore())
    ask = (await OurSite(logout_store=store).signed_in()).request()
    store.calls = 0
    for _ in range(REQUESTS):
        await ask()
    return store.calls / REQUESTS


def main() -> None:
    """Measure with many and with few revocations in memory, then count store calls."""
    harness = Harness("logout", processes=3)
    context = ("issuer", "client", "url")
    shared = RecordNames([secrets.token_bytes(32)], context=context, default_issuer="issuer").revocation_names
    one, many = look(plain_names, 0), look(plain_names, 0, sessions=SESSIONS)
    cases = {
        f"{MAX_REVOCATIONS:,} marks in memory": (look(plain_names, MAX_REVOCATIONS), one),
        f"the same, {SESSIONS:,} sessions in turn": (look(plain_names, MAX_REVOCATIONS, sessions=SESSIONS), many),
        "10,000 marks that are shared, their names keyed": (look(shared, 10_000), one),
        f"the same, {SESSIONS:,} sessions in turn, keyed": (look(shared, 10_000, sessions=SESSIONS), many),
    }
    for name, (make, make_under) in cases.items():
        harness.work(f"nothing has ended: {name}", make_under)
        harness.work(name, make)
    if not harness.is_main:
        return
    for name in cases:
        harness.row(name, harness.more(name, f"nothing has ended: {name}") * 1e6, "us")
    harness.row("store calls of a request where marks are shared", asyncio.run(round_trips()), "calls")
    harness.save()


if __name__ == "__main__":
    main()
