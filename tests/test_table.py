"""The table holds what it was given, in order, and is printed once."""

from __future__ import annotations

from typing import Any

import pytest

from tests import table


class Reporter:
    """Keeps what it is told to print."""

    def __init__(self) -> None:
        self.printed: list[str] = []

    def section(self, title: str) -> None:
        self.printed.append(title)

    line = section


def test_rows_come_out_once_as_they_were_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_ROWS", [])
    reporter: Any = Reporter()
    table.pytest_terminal_summary(reporter)
    assert reporter.printed == []
    table.record("words survive", 0, "make durability")
    table.record("a | b", "၃ of ၃", "make leaks")
    table.pytest_terminal_summary(reporter)
    table.pytest_terminal_summary(reporter)
    assert reporter.printed == [
        "what was shown",
        "| property | measured | again |",
        "| --- | --- | --- |",
        "| words survive | 0 | make durability |",
        r"| a \| b | ၃ of ၃ | make leaks |",
    ]
