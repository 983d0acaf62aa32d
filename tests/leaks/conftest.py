"""What was shown, printed when all is done."""

from tests.table import pytest_terminal_summary as pytest_terminal_summary
