"""``make bench-files``, small: the servers are real, and whoever looks for plaintext finds it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from intake.settings import ROOT

pytestmark = pytest.mark.interop
SCRIPT: tuple[str | Path, ...] = (sys.executable, ROOT / "deploy" / "bench_files.py")


def left_running(folder: Path) -> list[Path]:
    """Return the processes that were started with a setting in ``folder``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # somebody else's, or gone
            if os.fsencode(folder) in path.read_bytes():
                found.append(path.parent)
    return found


def test_all_store_the_file_and_only_one_in_the_clear(tmp_path: Path) -> None:
    """OnionShare is the control: what is found there would be found in Intake's files too."""
    done = subprocess.run(
        [*SCRIPT, "--size", "2", "--rounds", "1", "--folder", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 MB, 2 times, and each time all stored it whole." in done.stdout
    rows = {line[:20].strip(): line for line in done.stdout.splitlines()}
    assert rows["OnionShare, receive"].endswith("while it came and afterwards")
    assert rows["Intake"].endswith("never")
    assert rows["words in workers"].endswith("never")
    assert "MISSED" not in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert not left_running(tmp_path)


def test_it_says_what_it_takes() -> None:
    for wrong in (["--size", "0"], ["--size", "1001"], ["--rounds", "x"]):
        done = subprocess.run([*SCRIPT, *wrong], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "usage:" in done.stderr
