"""Has anything become much slower? Measures ratios to a middleware that does nothing, in turn with it; CI runs this.

Run it as `python -m benchmarks.drift`. It fails if a ratio is far outside its former range; absolute times do not
matter.
"""

import sys
import time
from collections.abc import Mapping

from benchmarks.harness import Harness
from benchmarks.peers import no_op
from benchmarks.requests import asked_the_same, in_memory, not_seen_before, public_path, seen_before

CASES = {
    "session seen before": seen_before,
    "cookie not seen before": not_seen_before,
    "MemoryStore": in_memory,
    "public path, nobody": public_path,
}
# How many times as long as with the middleware that does nothing: about twice what is usual, for the noise.
AT_MOST = {
    "session seen before": 6.5,
    "cookie not seen before": 32.0,
    "MemoryStore": 24.0,
    "public path, nobody": 4.0,
}


def too_slow(ratios: Mapping[str, float]) -> list[str]:
    """Return the names of the requests that are far too slow.

    Args:
        ratios: by name, how many times as long a request takes as with a middleware that does nothing.
    """
    return [
        f"{name}: {ratios[name]:.1f} times a middleware that does nothing, at most {at_most}"
        for name, at_most in AT_MOST.items()
        if ratios[name] > at_most
    ]


def main() -> int:
    """Measure briefly, and fail if anything is too slow."""
    harness = Harness("drift", processes=1, values=3, clock=time.process_time)
    for name, make in CASES.items():
        harness.ratio(name, make, asked_the_same(make, no_op))
    if not harness.is_main:
        return 0
    for name, at_most in AT_MOST.items():
        harness.row(name, harness.middle[name], "times", at_most=at_most)
    found = too_slow(harness.middle)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
