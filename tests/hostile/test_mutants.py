"""Each deliberate breakage is caught by the matrix, and by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.served import under_attack
from tests.hostile.test_matrix import MATRIX
from tests.mutants import Mutant
from tests.mutants.hostile import HOSTILE
from tests.site_maker import make_site
from tests.test_end_to_end import checkout

pytestmark = pytest.mark.hostile

SMALL = 200_000  # bytes of a case: what is larger finds none of these, and takes long


def attack(root: Path, folder: Path) -> None:
    """Send the matrix to a checkout. Raises AssertionError at the first case that is not met."""
    with under_attack(make_site(folder), folder, root=root) as attacked:
        for one in MATRIX:
            if len(one.sent) < SMALL:
                attacked.attack(one)


@pytest.mark.parametrize("mutant", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_breakage_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    root = checkout(tmp_path / "checkout")
    mutant.apply(root)
    with pytest.raises(AssertionError) as caught:
        attack(root, tmp_path)
    assert str(caught.value).startswith(mutant.caught_by)
