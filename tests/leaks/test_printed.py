"""Standard output and error of the site, from its start to its end: see ``logs``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.leaks import logs
from tests.leaks.chain import Chain

pytestmark = pytest.mark.leaks


def test_the_log_says_the_same_for_nobody_and_for_fifty(tmp_path: Path) -> None:
    logs.check(*(Chain.make(tmp_path / name) for name in ("nobody", "many")))
