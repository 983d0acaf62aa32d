"""What was measured, to be printed when all is done."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

_FIGURES: dict[str, list[float]] = defaultdict(list)
_UNITS: dict[str, str] = {}


def note(name: str, value: float, unit: str = "s") -> None:
    """Keep a figure; of several with one name the median is said."""
    _FIGURES[name].append(value)
    _UNITS[name] = unit


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Keep the seconds that the block takes."""
    start = time.monotonic()
    yield
    note(name, time.monotonic() - start)


def lines() -> Iterator[str]:
    """Yield a line for each name, in the order in which they came."""
    for name, values in _FIGURES.items():
        said = f"{statistics.median(values):8.2f} {_UNITS[name]}".rstrip()
        if len(values) > 1:
            said += f"   median of {len(values)}, {min(values):.2f} to {max(values):.2f}"
        yield f"{name:<58}{said}"
