"""A proof is used once, in all processes; the memory for it is bounded, and no user pays for another."""

import anyio
import pytest

from asgi_oidc import MemoryStore
from asgi_oidc.bearer.used_proofs import MAX_FORGOTTEN_AT_ONCE, SeenProofs, UsedProofs
from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.protocol.dpop.check_proof import PROOF_LIFETIME, DPoPProof
from asgi_oidc.sessions.lifetimes import MAX_SKEW
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.sessions.session import UserId
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.stores.store import SessionStore
from tests.scripted_store import ScriptedStore

NOW = 1_800_000_000
LEEWAY = 30
LIFETIME = PROOF_LIFETIME + 2 * LEEWAY + 1
ALICE, BOB = UserId("https://id.example.com", "alice"), UserId("https://id.example.com", "bob")
NAMES = RecordNames([b"s" * 32], context=["https://id.example.com", "web"], default_issuer=None)


class Process:
    """One process, with a clock of its own."""

    def __init__(self, store: SessionStore | None = None, seen: SeenProofs | None = None) -> None:
        self.time = NOW
        self.seen = seen or SeenProofs()
        shared = None if store is None else GuardedStore(store)
        self.proofs = UsedProofs(shared, NAMES, self.seen, leeway=LEEWAY, now=lambda: self.time)

    async def add(self, jti: str = "a", *, jkt: str = "key", user: UserId = ALICE) -> bool:
        return await self.proofs.add(DPoPProof(jkt, jti, None), user)


@pytest.mark.parametrize("is_shared", [False, True])
async def test_a_proof_is_used_once(is_shared):
    """Whoever overhears a request must not be able to repeat it."""
    process = Process(MemoryStore() if is_shared else None)

    assert [await process.add() for _ in range(3)] == [True, False, False]


async def test_ids_of_different_keys_do_not_collide():
    """A client chooses its ids, and must not be able to use up those of another."""
    process = Process(MemoryStore())

    added = [
        await process.add(jti, jkt=jkt) for jti, jkt in [("a", "x"), ("a", "y"), ("b", "x"), ("xa", ""), ("", "xa")]
    ]

    assert added == [True] * 5


async def test_a_proof_is_used_once_in_all_processes_that_share_a_store():
    """The balancer may send the replay elsewhere."""
    store = MemoryStore()

    assert (await Process(store).add(), await Process(store).add()) == (True, False)


async def test_two_uses_at_once_are_one():
    """The second one arrives while the first still waits for the store."""
    store, replays = ScriptedStore(), []
    process = Process(store)

    async def replay() -> None:
        replays.append(await process.add())

    store.before["add"].append(replay)

    assert (await process.add(), replays, store.calls) == (True, [False], ["add"])


async def test_a_proof_is_used_once_even_if_the_store_forgets():
    """A store may lose its content."""
    process = Process(ScriptedStore())
    await process.add()

    process.proofs = UsedProofs(GuardedStore(ScriptedStore()), NAMES, process.seen, leeway=LEEWAY, now=lambda: NOW)

    assert not await process.add()


async def test_a_proof_is_remembered_for_as_long_as_it_would_be_accepted():
    """It may have been made LEEWAY seconds in the future."""
    process = Process()
    await process.add()

    process.time = NOW + LIFETIME - 1
    assert not await process.add()

    process.time = NOW + LIFETIME
    assert await process.add()


async def test_the_store_remembers_a_proof_for_processes_whose_clock_is_behind():
    """They would accept it for longer."""
    now = [0.0]
    store = MemoryStore(clock=lambda: now[0])
    await Process(store).add()

    now[0] = LIFETIME + MAX_SKEW - 1
    assert not await Process(store).add()

    now[0] = LIFETIME + MAX_SKEW
    assert await Process(store).add()


@pytest.mark.parametrize("fault", ["broken", "wrong type"])
async def test_without_the_store_no_proof_is_accepted(fault):
    """Whether it was used before cannot be told; the client may try the same one again afterwards."""
    store = ScriptedStore()
    process = Process(store)
    store.broken, store.answers = ({"add"}, {}) if fault == "broken" else (set(), {"add": 1})

    with pytest.raises(StoreUnavailable):
        await process.add()

    store.broken, store.answers = set(), {}
    assert await process.add("a" if fault == "broken" else "b")
    assert len(process.seen) == 1


async def test_a_cancelled_request_has_not_used_its_proof():
    """The client went away before anything was decided."""
    store = ScriptedStore()
    process = Process(store)
    store.before["add"].append(anyio.sleep_forever)
    with anyio.move_on_after(0):
        await process.add()

    assert (len(process.seen), await process.add()) == (0, True)


def fill(seen: SeenProofs, user: UserId, count: int, *, now: int = NOW, start: int = 0) -> list[bool]:
    return [seen.add(f"{user.sub} {number}", user, now=now, lifetime=100) for number in range(start, start + count)]


def code_of(seen: SeenProofs, user: UserId, *, now: int = NOW) -> str:
    with pytest.raises(StoreUnavailable) as caught:
        seen.add("one more", user, now=now, lifetime=100)
    return caught.value.code


def test_a_user_who_sends_too_many_proofs_has_to_wait():
    """None of them is forgotten to make room: it could be replayed then."""
    seen = SeenProofs(max_per_user=3)
    fill(seen, ALICE, 3)

    assert code_of(seen, ALICE) == "dpop_too_many_proofs"
    assert fill(seen, ALICE, 3) == [False] * 3
    assert fill(seen, BOB, 3) == [True] * 3
    assert seen.add("later", ALICE, now=NOW + 100, lifetime=100)


def test_users_who_have_sent_few_proofs_are_accepted_when_others_have_filled_the_memory():
    """One user never pays for another."""
    seen = SeenProofs(max_proofs=4, max_per_user=4, always_accepted=2)
    fill(seen, ALICE, 4)

    assert fill(seen, BOB, 2) == [True] * 2
    assert code_of(seen, BOB) == "dpop_too_many_proofs"
    assert len(seen) == 6


def test_the_last_proof_that_fits_is_accepted():
    """The limits are counted before it."""
    seen = SeenProofs(max_proofs=4, max_per_user=4, always_accepted=0)

    assert fill(seen, ALICE, 3) + fill(seen, BOB, 1) == [True] * 4
    assert code_of(seen, BOB) == "dpop_too_many_proofs"


def test_nothing_is_kept_of_users_whose_proofs_have_expired():
    """Nor of their number."""
    seen = SeenProofs(max_per_user=3)
    fill(seen, ALICE, 3)

    fill(seen, BOB, 1, now=NOW + 100)

    assert (len(seen), fill(seen, ALICE, 3, now=NOW + 100, start=10)) == (1, [True] * 3)


def test_a_request_forgets_a_bounded_number_of_expired_proofs():
    """One request does not pay for an earlier burst; but each forgets more proofs than it adds."""
    seen = SeenProofs()
    fill(seen, ALICE, 3 * MAX_FORGOTTEN_AT_ONCE)

    sizes = [seen.add(f"later {number}", BOB, now=NOW + 100, lifetime=100) and len(seen) for number in range(4)]

    assert sizes == [2 * MAX_FORGOTTEN_AT_ONCE + 1, MAX_FORGOTTEN_AT_ONCE + 2, 3, 4]
