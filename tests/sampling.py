"""Which repetitions of a test are run: on the second runtime, and with further providers, a sample is enough."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.security.sizes import IS_FULL, IS_QUICK

THREE_PROVIDERS = "three providers"
# Of the repetitions of each test function, the first is run, the eighth, and so on; so every function has one. A prime
# is out of step with cross products.
EVERY = 7
EVERY_IN_A_MINUTE = 3  # on asyncio with a single provider, where a minute has to be enough
# Folders whose subject is waiting, cancelling and streaming: there the runtime may matter to every single case.
RUNTIME_MATTERS = ("asgi", "provider", "stores")


def sample(items: Iterable[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Part tests into those to run and those to leave to the full form.

    Every case runs on asyncio with a single provider, unless the run is a quick one. On trio, and with three providers,
    a sample of the cases of each test function runs, and none with three providers on trio.
    """
    parts: tuple[list[pytest.Item], list[pytest.Item]] = ([], [])
    seen: Counter[tuple[str, bool, bool]] = Counter()
    for item in items:
        on_trio, among_three = is_on_trio(item), _is_among_three_providers(item)
        function = (item.nodeid.partition("[")[0], on_trio, among_three)
        is_left_out = not IS_FULL and ((on_trio and among_three) or seen[function] % _one_of(item) > 0)
        seen[function] += 1
        parts[is_left_out].append(item)
    return parts


def _one_of(item: pytest.Item) -> int:
    """Return of how many cases of a test function one runs."""
    if _is_among_three_providers(item) or (is_on_trio(item) and _folder(item) not in RUNTIME_MATTERS):
        return EVERY
    return EVERY_IN_A_MINUTE if IS_QUICK else 1


def is_on_trio(item: pytest.Item) -> bool:
    """Say whether a test is the repetition on the second runtime."""
    return "trio" in str(_parameters(item).get("anyio_backend", ""))


def _is_among_three_providers(item: pytest.Item) -> bool:
    return _parameters(item).get("one_or_three_providers") == THREE_PROVIDERS


def _parameters(item: pytest.Item) -> dict[str, object]:
    return item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}


def _folder(item: pytest.Item) -> str:
    return Path(item.path).parent.name
