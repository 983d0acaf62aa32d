"""Exports: the table has every case and no formula."""

from __future__ import annotations

import csv
import io
import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake import days
from intake.desk import exporting, visible
from intake.desk.reading import Opened
from intake.errors import Misuse
from intake.form import Answer
from tests.case_maker import CASE, FORM_HERE, case, envelope, received, told
from tests.desk_maker import ANSWERS, Desk, sealed_row
from tests.makers import FIRST

SIGNS = "=+-@＝＋－＠"  # noqa: RUF001 - the full-width ones are the point
FORMULAS = [
    "=cmd|'/c calc'!A1",
    '=HYPERLINK("http://x","y")',
    "+1+1",
    "-2+3",
    "@SUM(1,2)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "＝1",  # noqa: RUF001
    'a","=1',
    "a',=1",
    "a;=1;b",
    "'=1",
    '"=1"',
]


def formulas(data: str) -> list[str]:
    """Return the cells that calculate, for readers that split elsewhere or know no quotes."""
    cells = [
        cell
        for delimiter in ",;|\t"
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE)
        for row in csv.reader(io.StringIO(data, newline=""), delimiter=delimiter, quoting=quoting)
        for cell in row
    ]
    return [cell for cell in cells if cell.lstrip()[:1] in {*SIGNS}]


def table(*rows: tuple[str, list[Opened]]) -> list[dict[str, str]]:
    """Return the table of these cases, as a strict reader of RFC 4180 sees it."""
    data = exporting.as_csv({tag: (case(*found), found) for tag, found in rows}, FORM_HERE)
    assert data.startswith(b"\xef\xbb\xbf")
    text = data.decode("utf-8-sig")
    assert formulas(text) == []
    assert text.startswith('"case","day",')  # every cell is quoted
    assert text.endswith("\r\n")
    assert len(re.findall("[\r\n]", text)) == 2 * (len(rows) + 1)  # nothing typed breaks a line
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def row(answers: Mapping[str, Answer]) -> dict[str, str]:
    (only,) = table((CASE.hex(), [told(answers)]))
    return only


def test_a_row_has_codes_labels_and_words() -> None:
    got = row({**ANSWERS, "c_refer": "yes", "posted": "MMR006001"})
    assert got["case"] == CASE.hex()
    assert (got["day"], got["state"], got["assigned"]) == ("2026-11-19", "received", "alice bob")
    assert (got["rank"], got["rank: label"]) == ("SGT", "Sergeant")
    assert (got["posted"], got["posted: label"]) == ("MMR006001", "Dawei")
    assert got["intent"] == "certify, testify"
    assert got["intent: label"].count(",") == 1
    assert (got["c_refer"], got["c_quote"]) == ("yes", "")
    assert got["account"] == str(ANSWERS["account"]).replace("\n", " ⏎ ")
    assert got["other"] == ""


def test_every_question_of_the_form_has_its_column() -> None:
    columns = row({}).keys()
    assert {question.key for question in FORM_HERE.questions()} <= columns
    assert "rank: label" in columns
    assert "account: label" not in columns


@pytest.mark.parametrize("typed", FORMULAS)
def test_nothing_typed_is_a_formula(typed: str) -> None:
    answers = dict.fromkeys(("account", "vet_hint", "rank", "unit_no", "=key"), typed)
    got = row({**answers, "intent": (typed, typed)})
    for name in ("account", "rank", "rank: label", "intent", "other"):
        assert got[name].lstrip()[0] not in SIGNS


@given(st.text(alphabet=st.sampled_from([*SIGNS, *" ,;|\"'\t\n\raက၁"]), max_size=12))
def test_a_cell_is_harmless_however_it_is_split(typed: str) -> None:
    spelled = visible.line(typed)
    cell = exporting.harmless(spelled)
    quoted = cell.replace('"', '""')
    assert formulas(f'"x","{quoted}"\r\n') == []
    assert cell.replace("'", "") == spelled.replace("'", "")


def test_burmese_and_plain_numbers_stay_as_they_are() -> None:
    for words in ("တပ်ရင်း ၅၂၈ - ထားဝယ်", "528", "2021-08", "a - b = c", ""):
        assert exporting.harmless(words) == words


def test_what_hides_or_acts_is_spelled() -> None:
    got = row({"account": "\u202egnp.exe\x1b[31m\x00\u200b", "k\u202e": "v\x07"})
    assert got["account"] == "<U+202E>gnp.exe<U+001B>[31m<U+0000><U+200B>"
    assert got["other"] == "k<U+202E>: v<U+0007>"


def test_the_first_testimony_speaks_and_damage_is_counted() -> None:
    damaged = Opened(received(), None, fault="The words are missing.")
    more = told({"rank": "MAJ"}, kind="words")
    found = [damaged, more, told({"rank": "CPL"}), told({"rank": "SGT"})]
    (got,) = table(("aa", found))
    assert (got["rank"], got["envelopes"], got["unreadable"]) == ("CPL", "4", "1")


def test_a_case_of_another_shape_or_without_words_has_its_row() -> None:
    odd, none = table(("aa", [envelope(["no", "testimony"])]), ("bb", []))
    assert (odd["case"], odd["account"], odd["envelopes"]) == ("aa", "", "1")
    assert (none["case"], none["day"], none["envelopes"]) == ("bb", "2026-11-19", "0")


def test_the_longest_testimony_fits_a_row() -> None:
    greatest = {question.key: question.greatest() for question in FORM_HERE.questions()}
    got = row(greatest)
    assert got["account"] == "<U+0001×2000>"


def test_export_writes_both_formats_for_their_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    desk = Desk(tmp_path / "desk")
    first = sealed_row("one", {**ANSWERS, "account": "=1+1"})
    desk.bring(desk.bundle_for("alice", True, first))
    here = desk.here("alice")
    with pytest.raises(Misuse, match="into a file"):
        desk.run("export", "--format", "csv", *here)
    desk.run("export", "--format", "csv", "--out", desk.root / "t.csv", *here)
    desk.run("export", "--out", desk.root / "t.json", *here)
    text = (desk.root / "t.csv").read_text("utf-8-sig")
    (got,) = csv.DictReader(io.StringIO(text))
    assert (got["case"], got["account"]) == (first.case.hex(), "'=1+1")
    (exact,) = json.loads((desk.root / "t.json").read_bytes())
    assert exact["envelopes"][0]["body"]["answers"]["account"] == "=1+1"
    assert (exact["marks"], exact["withdrawn"], exact["decisions"]) == ([], False, [])
    for name in ("t.csv", "t.json"):
        assert stat.S_IMODE((desk.root / name).stat().st_mode) == 0o600


def test_words_that_the_source_withdraws_are_in_no_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    desk = Desk(tmp_path / "desk")
    words, wish = sealed_row("one"), sealed_row("one", {}, kind="withdrawal")
    desk.bring(desk.bundle_for("alice", True, words, wish))
    for form in ("json", "csv"):
        out = desk.root / form
        desk.run("export", "--format", form, "--out", out, *desk.here("alice"))
        data = out.read_bytes()
        assert words.case.hex().encode() in data
        assert str(ANSWERS["account"])[:10] not in data.decode("utf-8-sig")
        assert "SGT" not in data.decode("utf-8-sig")
        assert b"\\u101b" not in data
