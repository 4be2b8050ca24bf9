"""Bounds the values of attributes: each new combination of values is one more time series in every metric."""

OTHER = "other"  # stands for all values beyond the bound


class BoundedValues:
    """Lets the first values through; later ones become `other`."""

    __slots__ = ("_most", "_values")

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: set[str] = set()

    def add(self, value: str) -> str:
        """Return the value if it is one of the first, else `other`."""
        if value not in self._values:
            if len(self._values) >= self._most:
                return OTHER
            self._values.add(value)
        return value

    def get(self, value: str) -> str:
        """Return the value if it was added before, else `other`."""
        return value if value in self._values else OTHER

    def clear(self) -> None:
        """Forget all values, for tests: a process has only one set of each, however many sites it makes."""
        self._values.clear()
