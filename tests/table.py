"""The table of what was shown: a row a property, its figure, and how to see it again.

::

    table.record("words survive a power cut", f"{cuts} boundaries, lost: {lost}", "make durability")

Rules:
- A figure is what this run measured. It is recorded before it is asserted, so that the table also
  says what was broken.
- A suite takes the table in its ``conftest.py``::

    from tests.table import pytest_terminal_summary

    __all__ = ["pytest_terminal_summary"]

- It is printed once a run, as Markdown, so that docs/THREATS.md can hold the very same lines.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest


class Row(NamedTuple):
    """A property, what was measured of it, and the command that measures it again."""

    property: str
    figure: str
    how: str


_ROWS: list[Row] = []


def record(property: str, figure: object, how: str) -> None:  # noqa: A002 - it is the word
    """Keep a row for the end of the run."""
    _ROWS.append(Row(property, str(figure), how))


def lines() -> list[str]:
    """Return the table as Markdown, in the order in which its rows came; nothing without rows."""
    if not _ROWS:
        return []
    head = Row("property", "measured", "again")
    rows = [head, Row("---", "---", "---"), *_ROWS]
    return ["| {} | {} | {} |".format(*(cell.replace("|", "\\|") for cell in row)) for row in rows]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table; whichever suite of this run comes first does it."""
    if told := lines():
        terminalreporter.section("what was shown")
        for line in told:
            terminalreporter.line(line)
        _ROWS.clear()
