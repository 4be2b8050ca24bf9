"""What pairs of measurements say of a difference, on a machine that also does other things.

Cases are measured in short bursts, in turn and back again (A B B A), so that whatever drifts affects all of them alike.
Each such group yields one ratio or one difference. The median of these counts, and an interval around it says how far
it can be trusted: if "no difference" lies within, no difference was seen.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

Z = 1.96  # standard deviations, of the normal distribution, within which 95 % lie
NO_DIFFERENCE = "no difference seen"


@dataclass(frozen=True)
class Spread:
    """A median, and how far it can be trusted.

    Attributes:
        low: and `high`: the 95 % interval of the median.
        quartiles: half of the values lie between them.
        neutral: what the median of equal cases is: 1 for a ratio, 0 for a difference, None for a value by itself.
    """

    median: float
    low: float
    high: float
    quartiles: tuple[float, float]
    neutral: float | None = None

    @property
    def shows_a_difference(self) -> bool:
        """Whether the interval is clear of the neutral value."""
        return self.neutral is None or not self.low <= self.neutral <= self.high

    def times(self, factor: float) -> "Spread":
        """Return it in another unit, which is smaller by that factor."""
        lower, upper = self.quartiles
        return replace(
            self,
            median=self.median * factor,
            low=self.low * factor,
            high=self.high * factor,
            quartiles=(lower * factor, upper * factor),
            neutral=None if self.neutral is None else self.neutral * factor,
        )

    def __str__(self) -> str:
        """Write the median and the interval: `0.61 (0.60 to 0.63)`."""
        median = format_number(self.median) if self.shows_a_difference else NO_DIFFERENCE
        return f"{median} ({format_number(self.low)} to {format_number(self.high)})"


def there_and_back(count: int) -> list[int]:
    """Return the order in which cases have their turns: 0 1 2 2 1 0."""
    return [*range(count), *reversed(range(count))]


def spread_of(runs: Sequence[Sequence[float]], neutral: float | None = None) -> Spread:
    """Return the median of all values with its spread.

    Args:
        runs: the values of each process. How a process lies in memory makes it a little faster or slower for as long as
            it lives, however often it is measured; so the interval reaches over the medians of all processes.
        neutral: what equal cases yield.
    """
    values = sorted(value for run in runs for value in run)
    below = max(math.floor((len(values) - Z * math.sqrt(len(values))) / 2) - 1, 0)
    medians = [statistics.median(run) for run in runs]
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    low, high = min(values[below], *medians), max(values[-1 - below], *medians)
    return Spread(statistics.median(values), low, high, (lower, upper), neutral)


def format_number(value: float) -> str:
    """Write a figure with its significant digits only."""
    return f"{value:,.{0 if abs(value) >= 1000 or value == int(value) else 2}f}"
