"""What all of this folder share; what was shown is printed when all is done."""

from __future__ import annotations

import pytest

from tests.table import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]


@pytest.fixture(autouse=True)
def _quick_mailboxes() -> None:
    """Leave the slow step as it is: the site's own processes take it as it is, too."""
