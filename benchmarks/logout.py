"""What a request pays to know that its session was not ended: time in memory, and round trips with a shared store.

Run it as `python -m benchmarks.logout`.
"""

import asyncio
import secrets
import timeit
from collections.abc import Callable

import msgspec
from benchmarks.sessions import REQUESTS, ROUNDS, Counting, Measured, seconds_per_request

from asgi_oidc import MemoryStore
from asgi_oidc.sessions.ended import MOST, Ended, Name, plain_name
from asgi_oidc.sessions.records import Records
from asgi_oidc.sessions.session import Login

LOOKS = 100_000
SESSIONS = 20_000
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


def microseconds(name: Name, marks: int, *, sessions: int = 1) -> float:
    """Time one look at a session that lives, as each request makes it: the cookie was opened anew.

    Args:
        sessions: how many take turns; each has been seen before.
    """
    ended = Ended(name, lifetime=1000, needed=1000)
    for _ in range(marks):
        ended.end(secrets.token_urlsafe(32), now=NOW)
    all_data = [msgspec.json.encode(each) for each in some_logins(sessions)]
    logins = [msgspec.json.decode(all_data[number % sessions], type=Login) for number in range(LOOKS)]
    for login in logins[:sessions]:
        ended.is_dead(login, now=NOW)

    def look() -> None:
        for login in logins:
            ended.is_dead(login, now=NOW)

    def nothing() -> None:
        for _ in logins:
            pass

    return (best(look) - best(nothing)) / LOOKS * 1e6


def some_logins(count: int) -> list[Login]:
    """Sign so many people in."""
    return [
        msgspec.structs.replace(LOGIN, id=secrets.token_urlsafe(32), sub=f"user-{number}", sid=f"s-{number}")
        for number in range(count)
    ]


def best(work: Callable[[], None]) -> float:
    """Time some rounds, and keep the best."""
    return min(timeit.repeat(work, number=1, repeat=ROUNDS))


async def round_trips() -> float:
    """Count what requests with sealed cookies ask of the store where processes tell each other what has ended."""
    measured = Measured("sealed cookies", None, logout_store=Counting(MemoryStore()))
    await measured.sign_in()
    store = measured.logout_store
    assert store is not None
    store.calls = 0
    await seconds_per_request(measured.app, measured.cookie)
    return store.calls / REQUESTS


def main() -> None:
    """Measure in memory, with many marks and with few, then count."""
    shared = Records([secrets.token_bytes(32)], context=("issuer", "client", "url")).ended_names
    print(f"nothing ended yet: {microseconds(plain_name, 0):.2f} us a request")
    print(f"{MOST} marks in memory: {microseconds(plain_name, MOST):.2f} us a request")
    print(
        f"the same, {SESSIONS} sessions in turn: {microseconds(plain_name, MOST, sessions=SESSIONS):.2f} us a request"
    )
    print(f"marks shared, their names keyed: {microseconds(shared, 10_000):.2f} us a request")
    print(f"the same, {SESSIONS} sessions in turn: {microseconds(shared, 10_000, sessions=SESSIONS):.2f} us a request")
    print(f"store calls a request where marks are shared: {asyncio.run(round_trips()):.4f}")


if __name__ == "__main__":
    main()
