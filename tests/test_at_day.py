"""``deploy/at_day.py``: a tool runs as if on another day, and nothing but its day is other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from deploy import at_day
from intake import days
from tests.makers import make_deployment

SCRIPT = Path(at_day.__file__)


def run(
    folder: Path, day: str, tool: str, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    places = {"INTAKE_DATA": str(folder / "data"), "INTAKE_KEYS": str(folder / "keys")}
    return subprocess.run(
        [sys.executable, SCRIPT, day, tool, *arguments],
        cwd=folder,
        env=os.environ | places,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("ahead", [-3650, 0, 13, 14])
def test_the_tool_lives_on_that_day(tmp_path: Path, ahead: int) -> None:
    """A keyring of two weeks from next Monday on: it is in force on its own days, and no others."""
    first = days.clock() + timedelta(days=7)
    day = first + timedelta(days=ahead)
    made = make_deployment(first=first, weeks=2, demo=True)
    (tmp_path / "keyring").write_bytes(made.raw)
    seed = made.bundle_key.private_bytes_raw().hex()
    assert run(tmp_path, f"{day}", "intake.admin", "init").returncode == 0
    (tmp_path / "data" / "bundle.key").write_text(f"{seed}\n")
    install = ("keyring", "install", tmp_path / "keyring", "--yes", "--demo")
    done = run(tmp_path, f"{day}", "intake.admin", *install)
    inside = 0 <= ahead < 14
    assert (done.returncode == 0) == inside, done.stderr
    facts = json.loads(run(tmp_path, f"{day}", "intake.admin", "status", "--json").stdout)
    assert (facts["state"] == "green") == inside


def test_the_tool_keeps_its_exit_code_its_name_and_its_arguments(tmp_path: Path) -> None:
    done = run(tmp_path, f"{days.clock()}", "intake.ceremony", "show", "not-there")
    assert done.returncode == 2
    assert "not-there is not there" in done.stderr
    done = run(tmp_path, f"{days.clock()}", "intake.desk", "--help")
    assert done.returncode == 0
    assert "python -m intake.desk" in done.stdout


@pytest.mark.parametrize("line", [[], ["2026-12-07"], ["2026-13-07", "intake.admin"], ["today"]])
def test_a_command_line_without_day_or_tool_is_told_how(tmp_path: Path, line: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, *line], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "at_day.py 2026-12-07 intake.admin status" in done.stderr


def test_a_calendar_comes_before_whoever_takes_the_clock_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, taker = days.clock, ModuleType("intake.taker")
    taker.clock = before  # type: ignore[attr-defined]
    monkeypatch.setattr(at_day, "_MACHINE", before)
    monkeypatch.setitem(sys.modules, "intake.taker", taker)
    with pytest.raises(RuntimeError, match=r"intake\.taker has the machine's clock"):
        at_day.hang(date.max)
    assert days.clock is before
