"""Each breakage of what survives a power cut is caught, by name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from intake.settings import ROOT
from tests.durability import test_admin, test_carried, test_desk, test_site
from tests.mutants import Mutant
from tests.mutants.durability import DURABILITY

pytestmark = [pytest.mark.durability, pytest.mark.usefixtures("slow_step")]
PARTS = ("app.py", "intake", "templates", "deploy")
PLAYS = {
    play.__name__: play
    for play in (
        *(test_site.letters, test_site.uploads, test_site.deletions),
        *(test_admin.installations, test_admin.exports, test_admin.nights),
        *(test_desk.days_work, test_carried.put_back),
    )
}


@pytest.mark.parametrize(("part", "mutant"), DURABILITY.values(), ids=DURABILITY.keys())
def test_a_breakage_is_caught(part: str, mutant: Mutant, place: Path) -> None:
    broken = place / "checkout"
    for each in PARTS:
        source = ROOT / each
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, broken / each, ignore=ignored)
        else:
            broken.mkdir(exist_ok=True)
            shutil.copy(source, broken / each)
    mutant.apply(broken)
    run, judge = PLAYS[part](place, broken)
    said = "\n".join(run.cut(judge).broken)
    assert re.search(mutant.caught_by, said), said or "nothing was lost, and nothing half"
