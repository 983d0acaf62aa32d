"""The spine as processes over a real socket, on a server that was not given what opens.

Seven mutants must turn it red: five breakages of the spine, and two of the boundary around it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from intake.settings import ROOT
from tests.boundaries import ABSENT
from tests.mutants import Mutant
from tests.mutants.spine import BOUNDARY, SPINE
from tests.spine import play

PARTS = ("app.py", "intake", "templates", "deploy")


def checkout(folder: Path, without: Iterable[str] = ()) -> Path:
    """Return a copy of the checkout without these modules and their templates."""
    folder.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    for module in without:
        path = folder / module.replace(".", "/")
        path.with_suffix(".py").unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(folder / "templates" / path.name, ignore_errors=True)
    return folder


def test_the_spine(tmp_path: Path) -> None:
    """Form, sealed row, bundle, desk, read: equal, escaped, and refused where it must be.

    The server has neither the offline rooms nor a module that unlocks a secret.
    """
    online = checkout(tmp_path / "online", without=ABSENT)
    for gone in ("intake/desk", "intake/age/armor.py", "intake/locked.py", "templates/desk"):
        assert (ROOT / gone).exists()
        assert not (online / gone).exists()
    play(ROOT, tmp_path / "machines", online)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", SPINE.values(), ids=SPINE.keys())
def test_a_broken_spine_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    """Each breakage turns the play red, at the assertion that guards it."""
    broken = checkout(tmp_path / "checkout")
    mutant.apply(broken)
    with pytest.raises(AssertionError) as caught:
        play(broken, tmp_path / "machines")
    assert str(caught.value).splitlines()[0] == mutant.caught_by


@pytest.mark.slow
@pytest.mark.parametrize("mutant", BOUNDARY.values(), ids=BOUNDARY.keys())
def test_a_server_that_asks_for_what_opens_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    """Whether the module is there, so that all seems well, or not."""
    broken = checkout(tmp_path / "checkout", without=mutant.without)
    mutant.apply(broken)
    with pytest.raises(AssertionError) as caught:
        play(ROOT, tmp_path / "machines", broken)
    assert str(caught.value).splitlines()[0] == mutant.caught_by
