"""What stays of letters in memory, behind a real onion, when each has been answered.

Rules:
- No process of the site has a copy, as where tor is played (tests/leaks/test_memory.py).
- tor has carried them decrypted, and empties nothing that it gives back. The most copies that it
  had after any letter is printed, and docs/THREATS.md says it; nobody promises a number.
- That the search finds what is there is seen in this process, which wrote the letters, and in tor,
  which knows the site's socket.
"""

from __future__ import annotations

import os

import pytest

from tests.leaks.memory import Marks, copies, count_all, family
from tests.onion import figures
from tests.onion.chain import DOOR, TOR, until
from tests.onion.host import Host

pytestmark = pytest.mark.onion

LETTERS = 20
ALL = 7  # processes of the site: the first, two workers, a stem and a spare child of each


def test_words_are_in_no_process_of_the_site(host: Host) -> None:
    marks, visitor, tor = Marks.draw(), host.circuit(), host.chain.machine.number(TOR)
    sought, left = [marks.words, marks.latin], []
    for number in range(LETTERS):
        visitor.fresh().letter(f"{marks.words} {number} {marks.latin}")
        left.append(copies(tor, sought))
    first = host.chain.master()
    until(lambda: len(family(first)) == ALL, "the last process of its own ends")
    assert [count for _, count in count_all(first, sought)] == [0] * ALL
    assert copies(os.getpid(), sought)
    assert copies(tor, [DOOR])
    figures.note("copies of letters in the host's tor, most after any", max(left), "")
