"""A store that a user writes passes the contract by subclassing, and one that is wrong does not."""

import time
from collections.abc import Awaitable, Callable, Sequence

import pytest
from anyio.lowlevel import checkpoint

from asgi_oidc import SessionStore
from asgi_oidc.testing import SessionStoreContract


class DictStore(SessionStore):
    """The shortest store that is right; a user would write it like this."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[bytes, float]] = {}
        self.indexes: dict[str, dict[str, float]] = {}

    async def get(self, key: str) -> bytes | None:
        value, ends_at = self.values.get(key, (None, 0.0))
        return value if ends_at > time.monotonic() else None

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        if await self.get(key) is not None:
            return False
        self.values[key] = value, time.monotonic() + lifetime
        return True

    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        if await self.get(key) != old:
            return False
        self.values[key] = new, time.monotonic() + lifetime
        return True

    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        value = await self.get(key)
        if value is None or only not in (None, value):
            return False
        del self.values[key]
        return True

    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        self.indexes.setdefault(index, {})[member] = time.monotonic() + lifetime
        members = sorted(await self.linked(index), key=self.indexes[index].__getitem__)
        dropped = members[: max(0, len(members) - most)]
        for name in dropped:
            del self.indexes[index][name]
        return dropped

    async def linked(self, index: str) -> Sequence[str]:
        return [member for member, ends_at in self.indexes.get(index, {}).items() if ends_at > time.monotonic()]

    async def unlink(self, index: str, member: str) -> None:
        self.indexes.get(index, {}).pop(member, None)


class TestDictStore(SessionStoreContract):
    """Time really passes."""

    @pytest.fixture
    def store(self) -> DictStore:
        return DictStore()


class Overwrites(DictStore):
    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        self.values.pop(key, None)
        return await super().add(key, value, lifetime=lifetime)


class AddsAfterALook(DictStore):
    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        if await self.get(key) is not None:
            return False
        await checkpoint()
        self.values[key] = value, time.monotonic() + lifetime
        return True


class ReplacesAfterALook(DictStore):
    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        if await self.get(key) != old:
            return False
        await checkpoint()
        self.values[key] = new, time.monotonic() + lifetime
        return True


class BringsBack(DictStore):
    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        if await self.get(key) is None:
            return await self.add(key, new, lifetime=lifetime)
        return await super().replace(key, old, new, lifetime=lifetime)


class RemovesAnything(DictStore):
    async def remove(self, key: str, *, only: bytes | None = None) -> bool:
        return await super().remove(key)


class KeepsForEver(DictStore):
    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        return await super().add(key, value, lifetime=1e9)


class KeepsTheFirstLifetime(DictStore):
    async def replace(self, key: str, old: bytes, new: bytes, *, lifetime: float) -> bool:
        ends_at = self.values.get(key, (b"", 0.0))[1]
        return await super().replace(key, old, new, lifetime=ends_at - time.monotonic())


class ReadsText(DictStore):
    async def get(self, key: str) -> bytes | None:
        value = await super().get(key)
        return None if value is None else value.decode("utf-8", "replace").encode()


class CutsLongValues(DictStore):
    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        return await super().add(key, value[:65536], lifetime=lifetime)


class LinksForTheLongest(DictStore):
    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        dropped = await super().link(index, member, lifetime=lifetime, most=most)
        members = self.indexes[index]
        members.update(dict.fromkeys(members, max(members.values(), default=0.0)))
        return dropped


class DropsNoMember(DictStore):
    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        return await super().link(index, member, lifetime=lifetime, most=1000)


class DropsInSilence(DictStore):
    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        await super().link(index, member, lifetime=lifetime, most=most)
        return []


class MixesIndexes(DictStore):
    async def link(self, index: str, member: str, *, lifetime: float, most: int) -> Sequence[str]:
        return await super().link("one", member, lifetime=lifetime, most=most)

    async def linked(self, index: str) -> Sequence[str]:
        return await super().linked("one")


class IgnoresCase(DictStore):
    async def get(self, key: str) -> bytes | None:
        return await super().get(key.lower())

    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        return await super().add(key.lower(), value, lifetime=lifetime)


class CutsLongNames(DictStore):
    async def add(self, key: str, value: bytes, *, lifetime: float) -> bool:
        return await super().add(key[:128], value, lifetime=lifetime)

    async def get(self, key: str) -> bytes | None:
        return await super().get(key[:128])


contract = SessionStoreContract
BROKEN: list[tuple[type[DictStore], Callable[[SessionStoreContract, DictStore], Awaitable[None]]]] = [
    (Overwrites, contract.test_add_leaves_what_is_there),
    (AddsAfterALook, contract.test_of_callers_who_add_at_once_one_wins),
    (ReplacesAfterALook, contract.test_of_callers_who_replace_at_once_one_wins),
    (BringsBack, contract.test_replace_brings_nothing_back),
    (RemovesAnything, contract.test_remove_may_be_for_one_value_only),
    (KeepsForEver, contract.test_a_value_is_gone_when_its_lifetime_has_passed),
    (KeepsTheFirstLifetime, contract.test_replace_sets_the_lifetime_anew),
    (ReadsText, contract.test_a_value_may_hold_every_byte),
    (CutsLongValues, contract.test_a_value_may_have_a_mebibyte),
    (LinksForTheLongest, contract.test_each_member_has_a_lifetime_of_its_own),
    (DropsNoMember, contract.test_the_members_that_would_end_first_are_dropped),
    (DropsInSilence, contract.test_the_members_that_would_end_first_are_dropped),
    (MixesIndexes, contract.test_indexes_do_not_mix),
    (IgnoresCase, contract.test_keys_do_not_mix),
    (CutsLongNames, contract.test_names_may_have_every_character_and_be_long),
]


@pytest.mark.parametrize(("broken", "test"), BROKEN, ids=[each.__name__ for each, _ in BROKEN])
async def test_a_store_that_is_wrong_does_not_pass(broken, test):
    """A contract that lets everything pass says nothing."""
    with pytest.raises(AssertionError):
        await test(SessionStoreContract(), broken())
