"""One traced site, all that can be sent to it, and no word of it anywhere but at its client.

The site is started as it is deployed, with both workers, and behind tor's door.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.leaks import cases, checks
from tests.leaks.chain import Chain
from tests.leaks.playing import Played, play

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A site to which everything was sent."""
    folder = tmp_path_factory.mktemp("calls")
    (folder / "site").mkdir()
    return play(Chain.make(folder / "site"), folder / "trace", cases.every())


def test_the_tracer_sees_what_comes_and_what_is_stored(played: Played) -> None:
    checks.check_seen(played)


def test_no_word_goes_anywhere_but_to_its_client(played: Played) -> None:
    checks.check_calls(played)


def test_no_word_lies_anywhere_after(played: Played) -> None:
    checks.check_files(played)


def test_no_answer_tells_a_word_but_the_form_itself(played: Played) -> None:
    checks.check_answers(played)


def test_a_fault_leaves_no_core(played: Played, tmp_path: Path) -> None:
    checks.check_core(played, tmp_path)
