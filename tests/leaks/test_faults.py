"""Each line of the way of a letter, of words and of a file fails once: see ``faults``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.leaks import faults
from tests.leaks.canaries import Search
from tests.leaks.chain import Chain

pytestmark = pytest.mark.leaks


def test_a_fault_at_any_line_tells_no_word_and_no_lie(tmp_path: Path) -> None:
    chain = Chain.make(tmp_path)
    faults.check(faults.play(chain, faults.KINDS, faults.every), "a fault at each line")
    look(chain)


def test_no_more_does_one_that_ends_a_worker_or_comes_of_no_memory(tmp_path: Path) -> None:
    chain = Chain.make(tmp_path)
    chosen = faults.some(("MemoryError", "RecursionError", *faults.ENDS), 29)
    faults.check(faults.play(chain, faults.KINDS, chosen), "no memory, or the end of a worker")
    look(chain)


def look(chain: Chain) -> None:
    """Nothing of it was printed, nor lies in any file."""
    for path in chain.folder.rglob("*"):
        if path.is_file() and path.name != "order":
            found = list(Search().within(path.read_bytes()))
            assert not found, (path, found[:3])
