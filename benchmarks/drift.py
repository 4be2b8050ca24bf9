"""Has anything become much slower? Ratios to a middleware that does nothing, in one run; CI asks.

Run it as `python -m benchmarks.drift`; it fails where a ratio is far outside of what it was, never by a time.
"""

import sys
from collections.abc import Mapping

from benchmarks.harness import Harness
from benchmarks.requests import in_memory, no_op, not_seen_before, public_path, seen_before

NO_OP = "no-op middleware"
# How many times as long as with the middleware that does nothing: two to three times what is usual, for the noise.
AT_MOST = {
    "session seen before": 8.0,
    "cookie not seen before": 35.0,
    "MemoryStore": 20.0,
    "public path, nobody": 5.0,
}


def too_slow(least: Mapping[str, float]) -> list[str]:
    """Name what is far outside.

    Args:
        least: seconds of a request, by what was asked.
    """
    ratios = {name: least[name] / least[NO_OP] for name in AT_MOST}
    return [
        f"{name}: {it:.1f} times {NO_OP}, at most {AT_MOST[name]}" for name, it in ratios.items() if it > AT_MOST[name]
    ]


def main() -> int:
    """Measure shortly, and judge."""
    harness = Harness("drift", processes=3, values=3)
    harness.request(NO_OP, no_op)
    harness.request("session seen before", seen_before)
    harness.request("cookie not seen before", not_seen_before)
    harness.request("MemoryStore", in_memory)
    harness.request("public path, nobody", public_path)
    if not harness.is_main:
        return 0
    for name in AT_MOST:
        harness.row(name, harness.least[name] / harness.least[NO_OP], f"times {NO_OP}", at_most=AT_MOST[name])
    found = too_slow(harness.least)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
