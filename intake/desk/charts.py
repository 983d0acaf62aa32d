"""Charts: where bars begin and end. The template draws them, as SVG and with no script.

Rules:
- Widths and places are in percent, so that a chart fits a phone and paper alike and its letters
  keep their size. Heights are in pixels.
- A bar is as long as its number, and no number is too small; the number stands beside it.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from intake.desk.tables import Row

HEIGHT = 160  # pixels of a timeline, without the years below it
_LINES = 4  # across a timeline, at most
_YEARS = 8  # written below it, at most


class Timeline(NamedTuple):
    """Columns of one ``width`` are (row, left, top), lines (top, number), years (left, year)."""

    width: float
    columns: Sequence[tuple[Row, float, float]]
    lines: Sequence[tuple[float, int]]
    years: Sequence[tuple[float, str]]
    most: Row


def widths(rows: Sequence[Row]) -> list[float]:
    """Return the length of each row's bar, in percent of the longest."""
    most = max((row.number for row in rows), default=0) or 1
    return [round(100 * row.number / most, 3) for row in rows]


def timeline(rows: Sequence[Row]) -> Timeline | None:
    """Return the chart of the rows that are months: their label is their code, ``YYYY-MM``."""
    months = [row for row in rows if row.code == row.label]
    if not months:
        return None
    most, width = max(months, key=lambda row: row.number), 100 / len(months)
    steps = (figure * 10**zeros for zeros in itertools.count() for figure in (1, 2, 5))
    step: int = next(step for step in steps if step * _LINES >= most.number)
    top = max(step, -(-int(most.number) // step) * step)

    def height(number: float) -> float:
        return round(HEIGHT * (1 - number / top), 2)

    columns = [
        (row, round(place * width, 3), height(row.number)) for place, row in enumerate(months)
    ]
    years = {row.code[:4]: left for row, left, _ in reversed(columns)}
    shown = sorted((left, year) for year, left in years.items())
    lines = [(height(number), number) for number in range(0, top + 1, step)]
    return Timeline(width, columns, lines, shown[:: -(-len(shown) // _YEARS)], most)
