"""After the response, no process that stays has a source's words: every process is looked into.

The other mode is measured the same way. It shows that who looks would see a copy, and is held to a
bound, so that it does not get worse unseen.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.leaks import memory
from tests.leaks.memory import ROUNDS, Found
from tests.mutants import Mutant
from tests.mutants.memory import MEMORY
from tests.table import record
from tests.test_end_to_end import checkout

HOW = "make leaks ARGS='-k memory'"
BOUND = 50  # copies that a round of sending may leave in a worker that reads words; 16 to 27 seen
STAYS = ["first process", "worker", "stem", "child", "worker", "stem", "child"]

pytestmark = pytest.mark.leaks


def check(found: Found) -> None:
    """Hold what was found to the promise of a process for each request."""
    assert [each for each in found.after if each[1]] == [], "copies in a process that stays"
    assert sorted(name for name, _ in found.after) == sorted(STAYS), "a process too many"
    assert found.most("child", during=True) > 0, "who looks sees nothing"
    for what in ("first process", "worker", "stem"):
        assert found.most(what, during=True) == 0, "copies beside the process that has the words"


def test_words_are_in_no_process_that_stays(tmp_path: Path) -> None:
    """A child that waits is new: it has none either. One that works is the only one that has."""
    found = memory.look(tmp_path)
    record("words in memory after the response", ", ".join(found.lines), HOW)
    check(found)


def test_where_workers_read_words_copies_stay(tmp_path: Path) -> None:
    found = memory.look(tmp_path, INTAKE_DISPOSABLE="0")
    record("the same, where workers read words", ", ".join(found.lines), HOW)
    assert {name for name, _ in found.after} == {"first process", "worker"}
    assert 0 < found.most("worker") <= BOUND * ROUNDS


@pytest.mark.parametrize("mutant", MEMORY.values(), ids=MEMORY.keys())
def test_a_process_that_keeps_words_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    broken = checkout(tmp_path / "checkout")
    mutant.apply(broken)
    with pytest.raises(AssertionError) as caught:
        check(memory.look(tmp_path, broken, 2))
    assert str(caught.value).splitlines()[0] == mutant.caught_by
