"""The folder of a run, in memory where that can be, and the table at the end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability import cuts
from tests.table import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]


@pytest.fixture
def place() -> Iterator[Path]:
    """Yield a new folder whose path has no links in it; a run's folder lies below it."""
    made = cuts.scratch()
    yield made
    shutil.rmtree(made, ignore_errors=True)
