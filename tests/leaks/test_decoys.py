"""Property 8: of two images of the disk, a week apart, and what they say of the letters between.

Rule: each breakage of tests/mutants/decoys.py turns the test red that it names, on a copy.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from intake.settings import ROOT
from tests.mutants import Mutant
from tests.mutants.decoys import AT_THE_DESK, ON_THE_SERVER
from tests.two_images import Town, watch

pytestmark = pytest.mark.leaks

WEEKS = 120  # half of them to learn from
PARTS = ("app.py", "intake", "templates", "deploy", "tests", "docs", "pyproject.toml")


def test_two_images_a_week_apart_say_no_more_than_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """28 decoys a week on average, and up to 40 letters."""
    town = Town(tmp_path, 4, 40, random.Random(8))
    report = watch(town, town.live(WEEKS, monkeypatch.setattr))
    print(f"\ndecoys: {report}")  # noqa: T201 - the figure of the property
    assert report.off < 0.06
    assert report.blind, report
    assert report.ignorant, report


@pytest.mark.parametrize("file", ["tests/test_decoys.py", "tests/test_desk_decoys.py"])
def test_the_copy_is_whole(file: str, tmp_path: Path) -> None:
    """Else what a breakage turns red would have been red before."""
    done = hold(copy(tmp_path), file)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("mutant", ON_THE_SERVER.values(), ids=ON_THE_SERVER.keys())
def test_a_breakage_on_the_server_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    caught(mutant, "tests/test_decoys.py", tmp_path)


@pytest.mark.parametrize("mutant", AT_THE_DESK.values(), ids=AT_THE_DESK.keys())
def test_a_breakage_at_the_desk_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    caught(mutant, "tests/test_desk_decoys.py", tmp_path)


def caught(mutant: Mutant, file: str, folder: Path) -> None:
    """Break a copy, and hold the test that must catch it."""
    broken = copy(folder)
    mutant.apply(broken)
    done = hold(broken, f"{file}::test_{mutant.caught_by}")
    assert done.returncode == 1, done.stdout
    assert f"FAILED {file}::test_{mutant.caught_by}" in done.stdout, done.stdout


def copy(folder: Path) -> Path:
    """Return a copy of the checkout."""
    made = folder / "checkout"
    made.mkdir()
    for part in PARTS:
        if (source := ROOT / part).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "vectors", "pictures")
            shutil.copytree(source, made / part, ignore=ignored)
        else:
            shutil.copy(source, made / part)
    return made


def hold(checkout: Path, what: str) -> subprocess.CompletedProcess[str]:
    """Run tests of a checkout."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", what],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
