"""Periods: the weeks to come, each with its own key, which dies when it is over.

Rules:
- A period is a week, Monday to Sunday, named by ISO 8601, ``2026-w47``. The first one may begin in
  the middle of its week.
- At most 13 weeks at once: what is made today should not outlive the trust in who made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

from intake.ceremony import package
from intake.ceremony.card import Card
from intake.errors import Misuse
from intake.quorum import Package

MAX_WEEKS = 13


def make(
    out: Path, first: date, weeks: int, reviewers: Sequence[Card], needed: int
) -> Iterator[Package]:
    """Make the package of each week in ``out``, in order, and yield it when it is there."""
    for name, days in spans(first, weeks).items():
        yield package.make(out / name, reviewers, needed, days)


def spans(first: date, weeks: int) -> dict[str, tuple[date, date]]:
    """Return names and days, first and last, of ``weeks`` periods from the day ``first``."""
    if not 1 <= weeks <= MAX_WEEKS:
        raise Misuse(f"{weeks} weeks are not 1 to {MAX_WEEKS}.", "Make the others later.")
    monday = first - timedelta(days=first.weekday())
    found = {}
    for start in (monday + timedelta(weeks=week) for week in range(weeks)):
        year, week, _ = start.isocalendar()
        found[f"{year}-w{week:02}"] = (max(start, first), start + timedelta(days=6))
    return found
