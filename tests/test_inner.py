"""A file that its source sealed with age: opened when the period's key is gone, and no row with it.

The attack is the point: rows are sealed to the same recipient as such a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from intake import days
from intake.age.sealing import seal
from intake.desk import assembling, casebook, caseload, inner
from intake.desk.caseload import Caseload
from intake.desk.slices import File
from intake.envelope import CONTENT, PLAINTEXT, SEALED, Envelope
from tests import desks as at
from tests.case_maker import FORM_HERE
from tests.desk_maker import PERIOD, Desk, Sealed, sealed_row
from tests.file_maker import sealed, slices_of, without
from tests.makers import FIRST
from tests.test_case_files import data_of

SEED = "one"
NEXT_QUARTER = date(2027, 1, 4)
MADE = at.people()
TO = [MADE.periods[PERIOD].recipient()]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    (made,) = at.desks(tmp_path, "desk-a")
    return made


def bring(desk: Desk, envelopes: Sequence[Envelope], *more: Sealed) -> tuple[Caseload, File]:
    rows = [sealed_row(SEED, made=MADE), *sealed(*envelopes, made=MADE), *more]
    desk.bring(at.bundle_of(desk, ("alice", "bob"), *rows))
    return load(desk)


def load(desk: Desk) -> tuple[Caseload, File]:
    book = casebook.load(desk.casebook)
    found = caseload.load(book, at.keys(desk, "alice"), FORM_HERE)
    files = [i.file for case in found.state.cases.values() for i in found.opened(case) if i.file]
    return found, files[0]


def write(found: Caseload, file: File, folder: Path) -> tuple[bytes, str]:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    path, note = assembling.write(found.book.folder, file, found.identities, out)
    data = path.read_bytes()
    path.unlink()
    assert not list(out.iterdir())
    return data, note


def key_of(file: File) -> bytes:
    part = file.parts[0].part
    assert part is not None
    return part.key


@pytest.mark.parametrize("size", [0, 1, 5_000, PLAINTEXT, 65_536, 65_537, 200_000])
def test_what_a_source_sealed_is_opened_without_the_period(
    desk: Desk, tmp_path: Path, size: int
) -> None:
    found, file = bring(desk, slices_of(SEED, seal(data_of(size), TO), "f.age", made=MADE))
    assert len(key_of(file)) == 16
    assert write(found, file, tmp_path) == (data_of(size), assembling.OPENED)


def test_a_stolen_row_is_not_opened_for_whoever_sends_it_again(desk: Desk, tmp_path: Path) -> None:
    victim = sealed_row("victim", made=MADE)
    assert len(victim.sealed) == SEALED
    found, file = bring(desk, slices_of(SEED, victim.sealed, "mine.age", made=MADE))
    assert key_of(file) == b""
    assert write(found, file, tmp_path) == (victim.sealed, assembling.STAYS)


@pytest.mark.parametrize("more", [b"", b"x", bytes(65_536), bytes(200_000)])
def test_nor_is_its_header_before_other_bytes(desk: Desk, tmp_path: Path, more: bytes) -> None:
    victim = sealed_row("victim", made=MADE)
    begun = victim.sealed[: victim.sealed.index(b"\n--- ") + 1 + 4 + 43 + 1]
    data = begun + victim.sealed[len(begun) : len(begun) + 16] + more
    found, file = bring(desk, slices_of(SEED, data, made=MADE), victim)
    assert key_of(file) == b""
    assert write(found, file, tmp_path) == (data, assembling.STAYS)


@pytest.mark.parametrize("place", [100, -1, CONTENT])
def test_what_is_damaged_inside_stays_as_it_came(desk: Desk, tmp_path: Path, place: int) -> None:
    data = bytearray(seal(data_of(200_000), TO))
    data[place] ^= 1
    found, file = bring(desk, slices_of(SEED, bytes(data), made=MADE))
    note = assembling.SPOILED if place == -1 else assembling.STAYS
    assert write(found, file, tmp_path) == (bytes(data), note)


def test_what_is_sealed_to_others_or_only_looks_so_stays_as_it_came(
    desk: Desk, tmp_path: Path
) -> None:
    data = seal(b"x", [MADE.archive.recipient()])
    found, file = bring(desk, slices_of(SEED, data, made=MADE))
    assert write(found, file, tmp_path) == (data, assembling.STAYS)


def test_a_beginning_in_two_bundles_is_kept_and_not_opened(desk: Desk, tmp_path: Path) -> None:
    data = seal(data_of(200_000), TO)
    every = slices_of(SEED, data, made=MADE)
    bring(desk, without(every, 1))
    line, _, _ = (desk.root / "1.bundle").read_bytes().partition(b"\n")
    previous = hashlib.sha256(line).digest()
    desk.bring(desk.bundle(sealed(*every, made=MADE), 2, previous=previous)[0])
    found, file = load(desk)
    assert write(found, file, tmp_path) == (data, assembling.STAYS)


def test_a_batch_that_is_full_is_written_before_and_after(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intake.desk.importing.BATCH", 2)
    found, file = bring(desk, slices_of(SEED, seal(data_of(200_000), TO), made=MADE))
    assert write(found, file, tmp_path) == (data_of(200_000), assembling.OPENED)


def test_the_key_outlives_a_quarter(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, file = bring(desk, slices_of(SEED, seal(data_of(CONTENT * 3), TO), made=MADE))
    before = {number: item.part for number, item in file.parts.items()}
    monkeypatch.setattr(days, "clock", lambda: NEXT_QUARTER)
    for name in ("alice", "bob"):
        at.reseal(desk, name)
    found, file = load(desk)
    assert {item.event.what["kind"] for item in file.parts.values()} == {"resealed"}
    assert {number: item.part for number, item in file.parts.items()} == before
    assert write(found, file, tmp_path) == (data_of(CONTENT * 3), assembling.OPENED)


def test_a_key_that_a_planted_author_made_up_opens_nothing(desk: Desk, tmp_path: Path) -> None:
    data = seal(data_of(5), TO)
    found, file = bring(desk, slices_of(SEED, data, made=MADE))
    told = file.parts[0]
    assert told.part is not None
    file.parts = {0: told._replace(part=told.part._replace(key=bytes(16)))}
    assert write(found, file, tmp_path) == (data, assembling.SPOILED)


def test_only_age_is_looked_at() -> None:
    (first, *_) = slices_of(SEED, b"age-encryption.org/v1 and more")
    assert not inner.is_sealed(first)
    assert inner.key_of(b"age-encryption.org/v1\n", [MADE.periods[PERIOD]]) is None
