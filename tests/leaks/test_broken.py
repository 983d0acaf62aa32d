"""Each breakage of ``tests/mutants/leaks.py`` turns a check red, and the one that it must."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.leaks import cases, checks, day, faults, logs, playing, remains
from tests.leaks.chain import Chain
from tests.leaks.faults import Fault
from tests.mutants import Mutant
from tests.mutants.leaks import CALLS, FAULTS, PRINTED, REMAINS

pytestmark = pytest.mark.slow
STORED = tuple(f"intake/{name}.py" for name in ("store", "server/site", "server/letterbox"))
FEW = {"a letter, burmese, en", "a file, latin", "a file of 600 KiB", "'GET /{} HTTP/1.1', canary"}


def calls(folder: Path, mutant: Mutant | None) -> None:
    """Trace a site that is sent a few things, and look."""
    few = (case for case in cases.every() if case.name in FEW)
    played = playing.play(Chain.make(folder / "site", mutant), folder / "trace", few)
    (folder / "other").mkdir()
    checks.check_core(played, folder / "other")
    checks.check_all(played)


def left(folder: Path, mutant: Mutant | None) -> None:
    """Live through a short day, and look at what remains."""
    site = Chain.make(folder / "site", mutant)
    remains.check_tables(site)
    lived = day.live(site, day.schedule(30, 4, 2, 2), deleted=5, replies=40)
    remains.check_all(lived, day.rebuilt(lived, folder / "other"))


def printed(folder: Path, mutant: Mutant | None) -> None:
    """Compare what is printed for nobody and for many."""
    logs.check(Chain.make(folder / "nobody", mutant), Chain.make(folder / "many", mutant))


def failing(folder: Path, mutant: Mutant | None) -> None:
    """Let lines of ours fail."""

    def choose(of: Iterator[Fault], _: set[str]) -> Iterator[Fault]:
        stored = [one for one in faults.every(of, set()) if one.at.startswith(STORED)]
        disk = (one for one in stored if one.kind == "OSError" and one.at.startswith(STORED[0]))
        return chain((one for one in stored[::5]), disk)

    faults.check(faults.play(Chain.make(folder / "site", mutant), ("letter", "file"), choose), "")


PLAYS: dict[Callable[[Path, Mutant | None], None], dict[str, Mutant]] = {
    calls: CALLS,
    left: REMAINS,
    printed: PRINTED,
    failing: FAULTS,
}
ALL = [
    pytest.param(play, mutant, id=name)
    for play, mutants in PLAYS.items()
    for name, mutant in mutants.items()
]


@pytest.mark.parametrize(("play", "mutant"), ALL)
def test_a_broken_letterbox_is_caught(
    play: Callable[[Path, Mutant | None], None], mutant: Mutant, tmp_path: Path
) -> None:
    """At the check that guards it."""
    with pytest.raises(AssertionError) as caught:
        play(tmp_path, mutant)
    assert str(caught.value).splitlines()[0] == mutant.caught_by
