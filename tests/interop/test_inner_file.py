"""What a source sealed with stock age, sent as a file: opened at the desk, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from intake import days
from intake.desk import assembling
from intake.settings import ROOT
from tests import desks as at
from tests.file_maker import slices_of
from tests.interop.peers import run
from tests.makers import FIRST
from tests.test_case_files import data_of
from tests.test_inner import MADE, SEED, TO, bring, write

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("size", [0, 65_536, 200_000])
def test_what_stock_age_sealed_is_opened_at_the_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    (desk,) = at.desks(tmp_path, "desk-a")
    sealed = run([ROOT / ".peers/bin/age", "--recipient", str(TO[0])], data_of(size))
    found, file = bring(desk, slices_of(SEED, sealed, "letter.age", made=MADE))
    assert write(found, file, tmp_path) == (data_of(size), assembling.OPENED)
