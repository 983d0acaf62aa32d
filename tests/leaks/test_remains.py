"""A day and a night at the deployed site, and all that is left of it: see ``remains``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.leaks import day, remains
from tests.leaks.chain import Chain
from tests.leaks.day import Lived

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """A site after a day and a night."""
    chain = Chain.make(tmp_path_factory.mktemp("day"))
    return day.live(chain, day.schedule(250, 60, 20, 25), deleted=30, replies=340)


def test_the_tables_hold_nothing_else(lived: Lived) -> None:
    remains.check_tables(lived.chain)


def test_who_is_told_so_has_a_row_and_all_have_one_size(lived: Lived) -> None:
    remains.check_rows(lived)


def test_no_byte_of_what_was_deleted_is_left(lived: Lived) -> None:
    remains.check_deleted(lived)


def test_no_time_and_no_counter_is_kept(lived: Lived) -> None:
    remains.check_times(lived)


def test_no_order_is_left_after_the_night(lived: Lived) -> None:
    remains.check_order(lived)


def test_the_file_is_what_its_rows_make_of_it(lived: Lived, tmp_path: Path) -> None:
    remains.check_counters(lived, day.rebuilt(lived, tmp_path / "other"))
