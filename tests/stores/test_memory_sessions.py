"""Sessions in memory: bounded, found by user, small, and safe for threads."""

import gc
import threading
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc import MemoryStore
from asgi_oidc.stores.memory_sessions import MAX_INDEXES, SessionTable
from asgi_oidc.stores.memory_values import BoundedValues
from tests.stores.test_memory import Clock

MANY = 1000  # of sessions that an index may lead to
KEYS = [b"a", b"b", b"c", b"d", b"e"]
# What happens to a store: a write with a lifetime in seconds, a read, a removal, or time that passes.
EVENTS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(KEYS), st.sampled_from([1, 30, 64, 65, 200, 5000])),
    st.tuples(st.just("get"), st.sampled_from(KEYS), st.just(0)),
    st.tuples(st.just("drop"), st.sampled_from(KEYS), st.just(0)),
    st.tuples(st.just("pass"), st.just(b""), st.sampled_from([1, 29, 64, 700])),
)


def table_of(**bounds: int) -> SessionTable:
    """Make a table with some bounds and a clock that stands still."""
    return SessionTable(**{"max_sessions": 100, "max_bytes": 100_000, **bounds}, clock=Clock())


def add(table: SessionTable, key: bytes, *indexes: bytes, most: int = MANY) -> bool:
    """Add a session."""
    return table.add(key, b"record of " + key, lifetime=60, indexes=indexes, most=most)


@given(st.lists(EVENTS, max_size=60))
def test_expired_values_go_before_unused_ones_whatever_happened(events):
    """The queue files by the minute, and moves what is used lazily: no order of events may show."""
    clock = Clock()
    values = BoundedValues(max_entries=3, max_bytes=1000, clock=clock)
    expected: dict[bytes, float] = {}  # expiries, those unused for the longest time first

    for event, key, seconds in events:
        if event == "pass":
            clock.now += seconds
        elif event == "drop":
            values.drop(key)
            expected.pop(key, None)
        elif event == "get":
            values.get(key)
            expires_at = expected.pop(key, 0)
            expected |= {key: expires_at} if expires_at > clock.now else {}
        else:
            values.put(key, b"value", lifetime=seconds)
            expected.pop(key, None)
            expected[key] = clock.now + seconds
            if len(expected) > 3:
                del expected[next((each for each, at in expected.items() if at <= clock.now), next(iter(expected)))]
        valid = {each for each, at in expected.items() if at > clock.now}
        assert {each for each in KEYS if values.is_valid(each)} == valid
        assert len(values._queue) <= 2 * len(values) + 17


def test_an_index_has_a_session_for_as_long_as_the_table_has_it():
    """However it goes: removed, expired, or pushed out."""
    table = table_of(max_sessions=3)
    for key in KEYS[:3]:
        add(table, key, b"alice", key)

    table.remove(b"a")
    removed = table.linked(b"alice"), table.linked(b"a")
    add(table, b"d", b"bob")
    add(table, b"e", b"bob")

    assert removed == ([b"b", b"c"], [])
    assert (table.linked(b"alice"), table.linked(b"bob"), table.linked(b"b")) == ([b"c"], [b"d", b"e"], [])
    assert sorted(table._indexes) == [b"alice", b"bob", b"c"]


def test_expired_sessions_are_in_no_list():
    """Whether or not anybody has cleaned up."""
    clock = Clock()
    table = SessionTable(max_sessions=9, max_bytes=1000, clock=clock)
    table.add(b"a", b"record", lifetime=10, indexes=[b"alice"], most=MANY)
    table.add(b"b", b"record", lifetime=20, indexes=[b"alice"], most=MANY)

    clock.now += 10

    assert (table.linked(b"alice"), table.get(b"a"), table.remove(b"a")) == ([b"b"], None, False)


def test_the_oldest_session_of_a_user_with_too_many_is_removed():
    """One user must not fill the store."""
    table = table_of()

    for key in KEYS:
        add(table, key, b"alice", most=2)

    assert (table.linked(b"alice"), [table.get(key) is not None for key in KEYS]) == (
        [b"d", b"e"],
        [False, False, False, True, True],
    )


def test_a_record_is_replaced_only_if_it_is_still_there_and_the_same():
    """A change never brings a session back, nor does it undo another one."""
    table = table_of()
    add(table, b"a", b"alice")

    replaced = [
        table.replace(b"a", old, new, lifetime=60)
        for old, new in [(b"other", b"new"), (b"record of a", b"new"), (b"record of a", b"newer")]
    ]
    table.remove(b"a")

    assert (replaced, table.replace(b"a", b"new", b"newest", lifetime=60), table.get(b"a")) == (
        [False, True, False],
        False,
        None,
    )
    assert add(table, b"b") is True
    assert add(table, b"b") is False


def test_a_session_is_in_a_bounded_number_of_indexes():
    """It gets new ones with each change of the secret; the oldest are forgotten."""
    table = table_of()
    add(table, b"a", b"0")

    for number in range(1, 20):
        record = table.get(b"a") or b""
        table.replace(b"a", record, record, lifetime=60, indexes=[b"%d" % number, b"%d" % (number - 1)], most=MANY)

    assert [number for number in range(20) if table.linked(b"%d" % number)] == list(range(20 - MAX_INDEXES, 20))


def test_names_of_indexes_count_as_well():
    """Else a store would be larger than it may be."""
    table = table_of(max_bytes=200)

    added = [table.add(key, bytes(50), lifetime=60, indexes=[bytes(24)], most=MANY) for key in KEYS]

    assert added == [True] * 5
    assert [table.get(key) is not None for key in KEYS] == [False] * 3 + [True] * 2
    assert table.values.bytes == 2 * (1 + 50 + 24)


def test_a_session_takes_little_memory_beside_its_record():
    """100,000 of them have to fit; what Python needs for each object counts."""
    store = MemoryStore()
    table, record, count = store._sessions, bytes(1000), 4000
    gc.collect()
    tracemalloc.start()

    for number in range(count):
        key = number.to_bytes(44)
        table.add(key, bytes(bytearray(record)), lifetime=60, indexes=[b"u" + key[-14:], b"s" + key[-14:]], most=MANY)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] / count
    tracemalloc.stop()

    assert taken - len(record) < 700


def test_threads_may_share_a_table():
    """One middleware may serve several event loops."""
    table, added = table_of(max_sessions=10_000, max_bytes=10**7), []

    def work() -> None:
        for number in range(400):
            key = b"%d" % number
            if add(table, key, b"alice", most=100):
                added.append(key)
            old = table.get(key)
            if old is not None:
                table.replace(key, old, old + b".", lifetime=60)
            table.linked(b"alice")
            table.remove(b"%d" % (number - 50))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    left = table.linked(b"alice")
    assert set(added) == {b"%d" % number for number in range(400)}
    assert sorted(left) == sorted(key for key in set(added) if table.get(key) is not None)
    assert len(left) <= 100
