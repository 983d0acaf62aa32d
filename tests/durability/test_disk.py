"""The rebuilt disk itself: what it knows it has byte for byte, and what it does not it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability.cuts import Run, Shown
from tests.durability.scribe import KNOWN, UNKNOWN

pytestmark = pytest.mark.durability


def begin(place: Path) -> Run:
    (place / "disk").mkdir()
    (place / "disk" / "old").write_bytes("ဟောင်း".encode())
    return Run(place / "disk")


@pytest.mark.parametrize("how", KNOWN)
def test_what_a_program_changed_is_rebuilt(how: str, place: Path) -> None:
    """That all of it is there at the end is looked at by every cut."""
    run, seen = begin(place), list[bool]()
    run.command("tests.durability.scribe", how, place / "disk")
    run.cut(lambda folder, _: seen.append((folder / "old").exists()))
    assert seen


@pytest.mark.parametrize("how", UNKNOWN)
def test_a_change_that_is_not_known_is_refused(how: str, place: Path) -> None:
    run = begin(place)
    run.command("tests.durability.scribe", how, place / "disk")
    with pytest.raises(AssertionError, match="not known"):
        run.cut(lambda *_: None)


def test_a_change_that_no_call_explains_is_found(place: Path) -> None:
    run = begin(place)
    run.command("tests.durability.scribe", "end", place / "disk")
    (place / "disk" / "more").touch()
    with pytest.raises(AssertionError, match=r"does not explain: \['more'\]"):
        run.cut(lambda *_: None)


def test_what_was_shown_is_lost_where_a_name_was_not_synced(place: Path) -> None:
    """Of two files whose bytes were synced, one had its folder synced too."""
    run = begin(place)
    run.command("tests.durability.scribe", "synced", place / "disk")
    left: set[tuple[bool, bool]] = set()

    def judge(folder: Path, shown: Shown) -> None:
        if "synced" in shown.text:
            left.add(((folder / "kept").exists(), (folder / "nameless").exists()))

    run.cut(judge)
    assert left == {(True, False), (True, True)}
