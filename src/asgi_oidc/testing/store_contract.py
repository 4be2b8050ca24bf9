"""The tests that every session store must pass: subclass it, add a `store` fixture, and pytest runs them."""

import secrets
import string
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

LONG = 600.0  # seconds; longer than any test takes
AT_ONCE = 20  # concurrent callers
LARGEST = 1024 * 1024  # bytes of a value
MAX_NAME_LENGTH = 200  # characters
ALPHABET = string.ascii_letters + string.digits + ":_-"


class SessionStoreContract:
    """Tests of a session store, for pytest with anyio or pytest-asyncio.

        class TestMyStore(SessionStoreContract):
            @pytest.fixture
            def store(self):
                return MyStore()

    Every key and index is used by one test only, so all tests can share a server. The `store` fixture of a store on a
    network should enter `store.running()`.

    Attributes:
        short: a lifetime in seconds, short enough for a test to wait for it.
    """

    short = 0.1

    async def let_pass(self, seconds: float) -> None:
        """Wait; override it to move the clock if the store has one of its own."""
        await anyio.sleep(seconds)

    def name(self) -> str:
        """Return a new key, index or member."""
        return f"contract:{secrets.token_urlsafe(16)}"

    async def is_over(self, lifetime: float) -> None:
        """Wait until a lifetime has passed."""
        await self.let_pass(lifetime * 1.2 + 0.02)

    # -- get, add

    async def test_what_was_never_written_is_not_there(self, store: Any) -> None:
        """An unknown session id signs no user in."""
        assert await store.get(self.name()) is None

    async def test_what_was_added_is_read_back(self, store: Any) -> None:
        """Reading a session does not change it."""
        key = self.name()

        assert await store.add(key, b"one", lifetime=LONG) is True
        assert [await store.get(key), await store.get(key)] == [b"one", b"one"]

    async def test_add_leaves_what_is_there(self, store: Any) -> None:
        """The first process to add a lock holds it."""
        key = self.name()
        await store.add(key, b"one", lifetime=LONG)

        assert await store.add(key, b"two", lifetime=LONG) is False
        assert await store.add(key, b"one", lifetime=LONG) is False
        assert await store.get(key) == b"one"

    async def test_keys_do_not_mix(self, store: Any) -> None:
        """Keys are case-sensitive, and a prefix of a key is another key."""
        key = self.name() + "a"
        others = [key[:-1], key[:-1] + "A", key + "a", key[:-1] + ":a"]

        await store.add(key, b"one", lifetime=LONG)

        assert [await store.get(other) for other in others] == [None] * len(others)
        assert await store.get(key) == b"one"

    async def test_of_callers_who_add_at_once_one_wins(self, store: Any) -> None:
        """Two holders of one lock would use a refresh token twice."""
        key = self.name()

        won = await _at_once(lambda number: store.add(key, b"%d" % number, lifetime=LONG))

        assert sorted(won) == [False] * (AT_ONCE - 1) + [True]
        assert await store.get(key) == b"%d" % won.index(True)

    # -- replace

    async def test_replace_writes_where_the_old_value_is(self, store: Any) -> None:
        """A session that was not changed meanwhile can be updated."""
        key = self.name()
        await store.add(key, b"one", lifetime=LONG)

        assert await store.replace(key, b"one", b"two", lifetime=LONG) is True
        assert await store.get(key) == b"two"

    async def test_replace_leaves_another_value(self, store: Any) -> None:
        """A value that another process wrote meanwhile is newer, and must not be overwritten."""
        key = self.name()
        await store.add(key, b"one", lifetime=LONG)

        for other in (b"two", b"on", b"one ", b"ONE", b""):
            assert await store.replace(key, other, b"three", lifetime=LONG) is False
        assert await store.get(key) == b"one"

    async def test_replace_brings_nothing_back(self, store: Any) -> None:
        """A slow request must not revive a session that was signed out or has ended."""
        never, removed, expired = self.name(), self.name(), self.name()
        await store.add(removed, b"one", lifetime=LONG)
        await store.remove(removed)
        await store.add(expired, b"one", lifetime=self.short)
        await self.is_over(self.short)

        for key in (never, removed, expired):
            assert await store.replace(key, b"one", b"two", lifetime=LONG) is False
            assert await store.replace(key, b"", b"two", lifetime=LONG) is False
            assert await store.get(key) is None

    async def test_of_callers_who_replace_at_once_one_wins(self, store: Any) -> None:
        """No concurrent change is lost unnoticed."""
        key = self.name()
        await store.add(key, b"old", lifetime=LONG)

        won = await _at_once(lambda number: store.replace(key, b"old", b"%d" % number, lifetime=LONG))

        assert sorted(won) == [False] * (AT_ONCE - 1) + [True]
        assert await store.get(key) == b"%d" % won.index(True)

    # -- remove

    async def test_remove_says_whether_something_was_there(self, store: Any) -> None:
        """The caller learns whether it was the one that removed the value."""
        key = self.name()
        await store.add(key, b"one", lifetime=LONG)

        assert [await store.remove(key), await store.get(key), await store.remove(key)] == [True, None, False]

    async def test_remove_may_be_for_one_value_only(self, store: Any) -> None:
        """A lock that another process holds meanwhile must stay."""
        key = self.name()
        await store.add(key, b"one", lifetime=LONG)

        assert await store.remove(key, only=b"two") is False
        assert await store.remove(key, only=b"") is False
        assert await store.get(key) == b"one"
        assert await store.remove(key, only=b"one") is True
        assert await store.remove(key, only=b"one") is False
        assert await store.get(key) is None

    async def test_of_callers_who_remove_at_once_one_wins(self, store: Any) -> None:
        """A value that works once must be used by one caller only."""
        plain, compared = self.name(), self.name()
        await store.add(plain, b"one", lifetime=LONG)
        await store.add(compared, b"one", lifetime=LONG)

        won = await _at_once(lambda _: store.remove(plain))
        compared_won = await _at_once(lambda _: store.remove(compared, only=b"one"))

        assert sorted(won) == sorted(compared_won) == [False] * (AT_ONCE - 1) + [True]

    async def test_what_was_removed_can_be_added_again(self, store: Any) -> None:
        """The same lock is taken again and again."""
        key = self.name()
        await store.add(key, b"one", lifetime=LONG)
        await store.remove(key)

        assert await store.add(key, b"two", lifetime=LONG) is True
        assert await store.get(key) == b"two"

    # -- lifetimes of values

    async def test_a_value_is_gone_when_its_lifetime_has_passed(self, store: Any) -> None:
        """The store itself removes expired values."""
        key, other = self.name(), self.name()
        await store.add(key, b"one", lifetime=self.short)
        await store.add(other, b"one", lifetime=LONG)

        await self.is_over(self.short)

        assert await store.get(key) is None
        assert await store.remove(key) is False
        assert await store.remove(key, only=b"one") is False
        assert await store.add(key, b"two", lifetime=LONG) is True
        assert [await store.get(key), await store.get(other)] == [b"two", b"one"]

    async def test_replace_sets_the_lifetime_anew(self, store: Any) -> None:
        """Using a session extends it; a session that must end soon gets a shorter lifetime."""
        lengthened, shortened, lifetime = self.name(), self.name(), 5 * self.short
        await store.add(shortened, b"one", lifetime=LONG)
        began = anyio.current_time()
        await store.add(lengthened, b"one", lifetime=lifetime)

        while await store.replace(lengthened, b"one", b"two", lifetime=LONG) is not True:
            assert anyio.current_time() - began > lifetime  # on a very slow machine it had expired before: try again
            lengthened, lifetime, began = self.name(), 5 * lifetime, anyio.current_time()
            await store.add(lengthened, b"one", lifetime=lifetime)
        assert await store.replace(shortened, b"one", b"two", lifetime=self.short) is True
        await self.is_over(lifetime)

        assert [await store.get(lengthened), await store.get(shortened)] == [b"two", None]

    async def test_what_was_not_written_changes_no_lifetime(self, store: Any) -> None:
        """A process that waits for a lock must not extend it."""
        key = self.name()
        await store.add(key, b"one", lifetime=self.short)

        await store.add(key, b"two", lifetime=LONG)
        await store.replace(key, b"two", b"three", lifetime=LONG)
        await store.get(key)
        await store.remove(key, only=b"two")
        await self.is_over(self.short)

        # On a very slow machine, the value had expired before, and `add` was right to write "two".
        assert await store.get(key) != b"one"

    # -- what values and names may be

    async def test_a_value_may_hold_every_byte(self, store: Any) -> None:
        """Encrypted values are bytes, not text."""
        key, every, other = self.name(), bytes(range(256)), bytes(reversed(range(256)))

        assert await store.add(key, every, lifetime=LONG) is True
        assert await store.get(key) == every
        assert await store.replace(key, every, other, lifetime=LONG) is True
        assert await store.get(key) == other
        assert await store.remove(key, only=other) is True

    async def test_a_value_may_have_a_mebibyte(self, store: Any) -> None:
        """Large values are stored and compared completely, down to the last byte."""
        key, large = self.name(), secrets.token_bytes(LARGEST)
        almost = large[:-1] + bytes([large[-1] ^ 1])

        assert await store.add(key, large, lifetime=LONG) is True
        assert await store.get(key) == large
        assert await store.replace(key, almost, b"no", lifetime=LONG) is False
        assert await store.replace(key, large, almost, lifetime=LONG) is True
        assert await store.get(key) == almost
        assert await store.remove(key, only=large) is False
        assert await store.remove(key, only=almost) is True

    async def test_names_may_have_every_character_and_be_long(self, store: Any) -> None:
        """Long names that differ only at the end are different."""
        name = (self.name() + ALPHABET * 4)[: MAX_NAME_LENGTH - 1]

        for last in "ab":
            await store.add(name + last, last.encode(), lifetime=LONG)
            await store.link(name + last, name + last, lifetime=LONG, most=5)

        for last in "ab":
            assert await store.get(name + last) == last.encode()
            assert list(await store.linked(name + last)) == [name + last]

    # -- indexes

    async def test_an_index_without_members_is_empty(self, store: Any) -> None:
        """A user without sessions has an empty list."""
        index = self.name()

        await store.unlink(index, self.name())

        assert list(await store.linked(index)) == []

    async def test_linked_members_are_listed(self, store: Any) -> None:
        """Each member once, in any order; none is dropped while there are at most `most`."""
        index, members = self.name(), [self.name() for _ in range(3)]

        dropped = [await store.link(index, member, lifetime=LONG, most=3) for member in (*members, members[0])]

        assert [list(each) for each in dropped] == [[], [], [], []]
        assert sorted(await store.linked(index)) == sorted(members)

    async def test_unlink_takes_one_member_out(self, store: Any) -> None:
        """The others stay, and the member can be linked again."""
        index, one, two = self.name(), self.name(), self.name()
        for member in (one, two):
            await store.link(index, member, lifetime=LONG, most=5)

        await store.unlink(index, one)
        await store.unlink(index, one)
        assert list(await store.linked(index)) == [two]
        await store.unlink(index, two)
        assert list(await store.linked(index)) == []
        await store.link(index, one, lifetime=LONG, most=5)
        assert list(await store.linked(index)) == [one]

    async def test_each_member_has_a_lifetime_of_its_own(self, store: Any) -> None:
        """A short session expires without the others, whether it was linked first or last."""
        first, last, only = self.name(), self.name(), self.name()
        await store.link(first, "short", lifetime=self.short, most=5)
        await store.link(first, "long", lifetime=LONG, most=5)
        await store.link(last, "long", lifetime=LONG, most=5)
        await store.link(last, "short", lifetime=self.short, most=5)
        await store.link(only, "short", lifetime=self.short, most=5)

        await self.is_over(self.short)

        assert [list(await store.linked(index)) for index in (first, last, only)] == [["long"], ["long"], []]

    async def test_a_member_that_is_linked_again_has_the_new_lifetime(self, store: Any) -> None:
        """The new lifetime counts, whether it is longer or shorter."""
        index = self.name()
        await store.link(index, "lengthened", lifetime=5 * self.short, most=5)
        await store.link(index, "shortened", lifetime=LONG, most=5)

        await store.link(index, "lengthened", lifetime=LONG, most=5)
        await store.link(index, "shortened", lifetime=self.short, most=5)
        await self.is_over(5 * self.short)

        assert list(await store.linked(index)) == ["lengthened"]

    async def test_the_members_that_would_end_first_are_dropped(self, store: Any) -> None:
        """The order of linking does not matter, and the caller gets the dropped members."""
        index = self.name()
        for member, lifetime in (("b", LONG + 20), ("a", LONG + 10), ("d", LONG + 40), ("c", LONG + 30)):
            await store.link(index, member, lifetime=lifetime, most=5)

        one = await store.link(index, "e", lifetime=LONG + 50, most=4)
        some = await store.link(index, "f", lifetime=LONG + 60, most=2)

        assert (list(one), sorted(some)) == (["a"], ["b", "c", "d"])
        assert sorted(await store.linked(index)) == ["e", "f"]

    async def test_a_new_member_may_be_the_one_that_is_dropped(self, store: Any) -> None:
        """If the new member expires before the others, it is dropped itself."""
        index = self.name()
        await store.link(index, "long", lifetime=LONG, most=1)

        assert list(await store.link(index, "soon", lifetime=LONG / 2, most=1)) == ["soon"]
        assert list(await store.linked(index)) == ["long"]

    async def test_members_that_have_ended_do_not_count(self, store: Any) -> None:
        """Expired members neither count towards `most` nor are returned as dropped."""
        index = self.name()
        await store.link(index, "expired", lifetime=self.short, most=2)
        await self.is_over(self.short)

        assert list(await store.link(index, "a", lifetime=LONG, most=2)) == []
        assert list(await store.link(index, "b", lifetime=LONG, most=2)) == []
        assert sorted(await store.linked(index)) == ["a", "b"]

    async def test_of_members_linked_at_once_no_more_than_most_stay(self, store: Any) -> None:
        """Each of the others is returned as dropped to exactly one caller."""
        index, most = self.name(), 5

        results = await _at_once(lambda number: store.link(index, f"m{number}", lifetime=LONG + number, most=most))

        dropped = [member for result in results for member in result]
        stayed = list(await store.linked(index))
        assert (len(stayed), len(dropped)) == (most, AT_ONCE - most)
        assert {*stayed, *dropped} == {f"m{number}" for number in range(AT_ONCE)}

    async def test_indexes_do_not_mix(self, store: Any) -> None:
        """A member that is dropped or unlinked from one index stays in the other."""
        one, two = self.name(), self.name()
        await store.link(one, "shared", lifetime=LONG, most=1)
        await store.link(two, "shared", lifetime=LONG, most=1)

        await store.link(one, "other", lifetime=LONG + 10, most=1)
        assert [list(await store.linked(index)) for index in (one, two)] == [["other"], ["shared"]]
        await store.unlink(two, "shared")
        assert [list(await store.linked(index)) for index in (one, two)] == [["other"], []]

    async def test_keys_do_not_mix_with_indexes(self, store: Any) -> None:
        """A key and an index may have the same name."""
        name = self.name()
        await store.add(name, b"value", lifetime=LONG)
        await store.link(name, "member", lifetime=LONG, most=1)

        assert [await store.get(name), list(await store.linked(name))] == [b"value", ["member"]]
        assert await store.remove(name) is True
        assert list(await store.linked(name)) == ["member"]
        await store.add(name, b"value", lifetime=LONG)
        await store.unlink(name, "member")
        assert await store.get(name) == b"value"

    # -- running

    async def test_it_works_while_the_app_runs_and_after(self, store: Any) -> None:
        """Several apps may share a store, and an app may be started again."""
        key = self.name()
        async with store.running():
            assert await store.add(key, b"one", lifetime=LONG) is True
            async with store.running():
                assert await store.get(key) == b"one"
            assert await store.get(key) == b"one"

        async with store.running():
            assert await store.remove(key) is True


async def _at_once(call: Callable[[int], Awaitable[Any]]) -> list[Any]:
    """Make concurrent calls; return their results in the order of their numbers."""
    results: dict[int, Any] = {}

    async def work(number: int) -> None:
        results[number] = await call(number)

    async with anyio.create_task_group() as tasks:
        for number in range(AT_ONCE):
            tasks.start_soon(work, number)
    return [results[number] for number in range(AT_ONCE)]
