"""The spine as four subprocesses over a real socket, and five mutants it catches."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from intake.settings import ROOT
from tests.mutants import SPINE, Mutant
from tests.spine import play

PARTS = ("app.py", "intake", "templates", "deploy")


def test_the_spine(tmp_path: Path) -> None:
    """Form, sealed row, bundle, desk, read: equal, escaped, and refused where it must be."""
    play(ROOT, tmp_path)


@pytest.mark.parametrize("mutant", SPINE.values(), ids=SPINE.keys())
def test_a_broken_spine_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    """Each breakage turns the play red, at the assertion that guards it."""
    broken = tmp_path / "checkout"
    broken.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, broken / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, broken / part)
    file = broken / mutant.file
    text = file.read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1, f"mend the mutant: {mutant.file} changed"
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    with pytest.raises(AssertionError) as caught:
        play(broken, tmp_path / "machines")
    assert str(caught.value).splitlines()[0] == mutant.caught_by
