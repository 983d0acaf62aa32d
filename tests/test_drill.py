"""The drill, small, and each breakage of what it guards turns it red. ``make drill`` is whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from intake.settings import ROOT
from tests.mutants import Mutant
from tests.mutants.drill import DRILL

SMALL = ("--periods", "2", "--testimonies", "12")
PARTS = ("intake", "templates", "deploy")


def hold(root: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    """Hold the small drill with the checkout at ``root``."""
    return subprocess.run(
        [sys.executable, "deploy/drill.py", *SMALL, *more],
        cwd=root,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def reads(said: str) -> dict[str, tuple[int, str]]:
    """Return a table by thief: how many are read, and what is forged."""
    rows = re.findall(r"^     (\S.*?)  +(\d+)(?:  +\d+)+   (.*)$", said, re.MULTILINE)
    return {thief: (int(count), forges) for thief, count, forges in rows}


@pytest.mark.slow
def test_the_drill(tmp_path: Path) -> None:
    folder = tmp_path / "drill"
    folder.mkdir()
    done = hold(ROOT, "--folder", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout + done.stderr
    assert not list(folder.iterdir()), "something was left behind"
    _, first, second, third = done.stdout.split(" forges\n")
    before, after, turned = reads(first), reads(second), reads(third)
    assert len(before) == len(after) + 1 == 7 + 1 + 21 + 1  # each, both roots, each pair, all
    assert before["alice's laptop + bob's laptop"][0] == before["all of them"][0] == 12
    for nothing in ("server's disk", "desk's casebook", "the stick", "root rosa"):
        assert before[nothing][0] == after[nothing][0] == 0
    assert before["both roots"] == (0, "keyring")
    assert before["server's disk"][1] == "bundle"
    assert before["alice's laptop"][1] == "event of alice"
    assert after["alice's laptop"] == (before["alice's laptop"][0], "bundle")
    assert 12 < after["all of them"][0] < 20  # all but what came after the quarter turned
    assert turned.keys() == {"bob's laptop", "all of them"}
    assert 0 < turned["bob's laptop"][0] < 20  # all that is open, now that alice is gone
    assert turned["bob's laptop"][1] == "event of bob"


@pytest.mark.drill
@pytest.mark.parametrize("mutant", DRILL.values(), ids=DRILL.keys())
def test_a_breakage_turns_the_drill_red(mutant: Mutant, tmp_path: Path) -> None:
    broken = tmp_path / "checkout"
    for part in PARTS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, broken / part, ignore=ignored)
    mutant.apply(broken)
    done = hold(broken)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(mutant.caught_by, done.stdout + done.stderr), done.stdout + done.stderr
