"""Counting: totals by hand, the article's figures, and that nothing is counted twice.

Rule: cases are made by real decisions, two reviewers' where two are needed.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import population
from intake import days, receipt, terminal
from intake.admin import __main__ as admin
from intake.age.passphrase import Passphrase
from intake.ceremony import package
from intake.desk import casebook, charts, deciding, exporting, figures, tally, visible
from intake.desk.caseload import Facts
from intake.desk.cases import DUPLICATE, STATES, VERIFIED, Case
from intake.desk.chain import Event
from intake.desk.deciding import Draft
from intake.desk.present import Present
from intake.desk.tables import Row
from intake.desk.tally import Covers, Tally
from intake.errors import BadFile, Misuse, NoMatchingKey
from intake.form import Answer, Form, Groups, Question
from intake.settings import FORM
from intake.wording import Wording
from tests.desk_maker import PERIOD, Desk, sealed_row
from tests.makers import FIRST
from tests.site_maker import ORIGIN, Site, make_site, receipt_in

HOSTILE = (
    '<script>alert(1)</script><svg onload=alert(2)> \u202egnp.exe\u202c\x1b[31m\r=HYPERLINK("http://x")'
    "a" + "\u0301" * 2000 + "{{7*7}} &amp;\nTally"
)
CDM = Form.load(FORM)
DAY = date(2026, 11, 28)
SOLDIER: Mapping[str, Answer] = {"force": "army", "rank": "PTE", "c_count": "yes"}
# The article's: 1,400 other ranks, 100 officers from lieutenant to major, 500 police.
PEOPLE = (
    *(("army", rank) for rank in ("PTE", "SGT", "other_ranks", "CPL") for _ in range(350)),
    *(("army", rank) for rank in ("LT", "CAPT", "MAJ", "CAPT") for _ in range(25)),
    *(("police", rank) for rank in ("police", "POL_SGT", "SGT", "skip") for _ in range(125)),
)


def tag(number: int) -> bytes:
    return number.to_bytes(16, "big")


class Maker:
    """Cases numbered from 1."""

    def __init__(self) -> None:
        self.made: list[Facts] = []
        self.sequence = itertools.count(1)

    def case(
        self,
        answers: Mapping[str, Answer] = SOLDIER,
        state: str = VERIFIED,
        marks: Sequence[str] = (),
        *,
        of: int | None = None,
        voices: int = 2,
    ) -> Facts:
        """Add a case, decided by alice and bob, who saw what she decided."""
        case = Case(tag(len(self.made) + 1), ("alice", "bob"), {"alice", "bob"})
        for author in ("alice", "bob")[: voices if state == VERIFIED else 1]:
            self.decide(case, author, {"kind": "decided", "state": state})
        for mark in marks:
            self.decide(case, "bob", {"kind": "marked", "mark": mark, "on": True})
        if of is not None:
            what = {"kind": "marked", "mark": DUPLICATE, "on": True, "of": tag(of).hex()}
            self.decide(case, "bob", what)
        self.made.append(Facts(case, answers))
        return self.made[-1]

    def withdraw(self, case: Case) -> None:
        self.decide(case, "alice", {"kind": "withdrawn"})

    def decide(
        self, case: Case, author: str, what: Mapping[str, object], *, blind: bool = False
    ) -> None:
        number = next(self.sequence)
        other = "bob" if author == "alice" else "alice"
        heads = {} if blind else {f"{other}.desk-a": (number - 1, bytes(32))}
        told = {"note": "", **what}
        event = Event(f"{author}.desk-a", bytes(32), number, bytes(32), DAY, case.tag, told, heads)
        case.decide(event)


def counted(maker: Maker, form: Form = CDM, **assumed: object) -> Tally:
    covers = Covers("the caseload of alice", len(maker.made), DAY, "1: abandon ability")
    return tally.count(maker.made, form, covers, tally.assume(**assumed))  # type: ignore[arg-type]


def numbers(found: Tally, key: str) -> dict[str, float]:
    """Return what is not nothing."""
    return {code: number for code, number in found.tables[key].numbers.items() if number}


def article() -> Maker:
    """Make the people of the article, and others who must not change a figure."""
    maker, chance = Maker(), random.Random(5)
    for number, (force, rank) in enumerate(PEOPLE):
        answers = {**SOLDIER, "force": force, "rank": rank}
        maker.case(answers, VERIFIED, ["certify"] * (number < 100))
    for of in chance.sample(range(1, 2000), 30):
        maker.case(maker.made[of - 1].answers, of=of)
    maker.case(voices=1)
    maker.case({"force": "army", "rank": "LT"})
    chance.shuffle(maker.made)
    return maker


def test_the_articles_figures() -> None:
    found = counted(article(), expected=500, note="People's Embrace, over the next month")
    assert numbers(found, "figures") == {
        "counted": 2000,
        "military": 1500,
        "police": 500,
        "officers": 100,
        "battalions": 4.0,
        "battalion": 500,
    }
    assert numbers(found, "certification") == {"process": 100, "neither": 1900, "expected": 500}
    assert numbers(found, "rank") == {"other_ranks": 1400, "LT": 100, "police": 500}
    assert numbers(found, "steps") == {
        "all": 2032,
        "open": 1,
        "consent": 1,
        "duplicate": 30,
        "counted": 2000,
    }
    without = counted(article())
    assert "expected" not in without.tables["certification"].numbers
    assert without.tables["figures"] == found.tables["figures"]


NO = {**SOLDIER, "c_count": ""}
POPULATIONS: Mapping[str, tuple[list[dict[str, Any]], dict[str, float]]] = {
    "nobody": ([], {}),
    "one": ([{}], {"counted": 1}),
    "one voice is too few": ([{"voices": 1}], {"open": 1}),
    "every state": (
        [{"state": state} for state in STATES],
        {"open": 4, "rejected": 1, "suspected": 1, "counted": 1},
    ),
    "no consent": ([{"answers": NO}, {"answers": {**NO, "c_count": ("yes",)}}], {"consent": 2}),
    "words that cannot be read": ([{"answers": {}}], {"unread": 1}),
    "a chain of repeats": ([{}, {"of": 1}, {"of": 2}], {"counted": 1, "duplicate": 2}),
    "a circle of repeats": ([{"of": 3}, {"of": 1}, {"of": 2}], {"counted": 1, "duplicate": 2}),
    "a repeat of itself": ([{"of": 1}], {"counted": 1}),
    "repeats of a case that is closed": ([{"of": 9}, {"of": 9}], {"counted": 1, "duplicate": 1}),
    "two circles that were joined": (
        [{"of": 2}, {"of": 1}, {"of": 4}, {"of": 3}, {"of": 1}, {}],
        {"counted": 3, "duplicate": 3},
    ),
    "a repeat stands for a first that does not count": (
        [{"state": "triaged"}, {"of": 1, "answers": NO}, {"of": 2}, {"of": 1}],
        {"open": 1, "consent": 1, "counted": 1, "duplicate": 1},
    ),
    "who was forced to write twice": ([{"marks": ["coercion"]}, {"of": 1}], {"coercion": 2}),
    "forced, and not verified": ([{"marks": ["coercion"], "state": "triaged"}], {"open": 1}),
    "other marks change nothing": ([{"marks": ["inside", "certify"]}], {"counted": 1}),
}


@pytest.mark.parametrize("name", POPULATIONS)
def test_small_populations(name: str) -> None:
    population, expected = POPULATIONS[name]
    maker = Maker()
    for one in population:
        maker.case(**one)
    found = numbers(counted(maker), "steps")
    assert found == {**({"all": len(population)} if population else {}), **expected}


def test_withdrawn_words_are_not_counted() -> None:
    maker = Maker()
    maker.withdraw(maker.case().case)  # one reviewer's word is enough not to count
    maker.case().case.erased = True
    maker.case({}).case.erased = True
    maker.case(of=1)
    assert numbers(counted(maker), "steps") == {"all": 4, "gone": 3, "counted": 1}


def test_reviewers_who_differ_verify_nothing() -> None:
    maker = Maker()
    case = maker.case(voices=1).case
    maker.decide(case, "bob", {"kind": "decided", "state": "rejected"}, blind=True)
    assert case.conflict
    assert numbers(counted(maker), "steps") == {"all": 1, "open": 1}


def test_cases_that_are_closed_here_are_a_step() -> None:
    maker = Maker()
    maker.case()
    found = tally.count(maker.made, CDM, Covers("keys", 40, DAY, ""), tally.assume())
    assert numbers(found, "steps") == {"all": 40, "closed": 39, "counted": 1}
    assert figures.facts(found)["Cases opened, of all"] == "1 / 40"


@pytest.mark.parametrize(
    ("force", "rank", "group", "side"),
    [
        ("army", "PTE", "other_ranks", "military"),
        ("navy", "2LT", "officer", "military"),
        ("air", "officer", "officer", "military"),
        ("army", "MAJ", "LT", "military"),
        ("army", "officer_senior", "officer_senior", "military"),
        ("army", "", "", "military"),
        ("army", "POL_SGT", "other", "military"),
        ("police", "SGT", "police", "police"),
        ("police", "", "police", "police"),
        ("skip", "POL_LT", "police", "police"),
        ("skip", "skip", "", "neither"),
        ("militia", "CAPT", "LT", "neither"),
        ("policeman", "policeman", "other", "neither"),
    ],
)
def test_sides_and_rank_groups(force: str, rank: str, group: str, side: str) -> None:
    maker = Maker()
    maker.case({"force": force, "rank": rank, "c_count": "yes"})
    found = counted(maker)
    assert numbers(found, "rank") == {group: 1}
    shown = numbers(found, "figures")
    assert {"military", "police", "neither"} & shown.keys() == {side}


def test_regions_by_prefix_and_months_by_day() -> None:
    maker = Maker()
    places: list[Answer] = ["MMR016", "MMR016001", "MMR016999", "MMR005016", "MMR099", "skip"]
    places.append(("MMR001",))
    months = ("2021-01", "2021-02", "2021-02-01", "2026-11-30", "2026-12", "9999-12", "2021-13")
    odd: tuple[Answer, ...] = (
        "",
        ("2021-02",),
        "2021-W1",
        "-",
        "2021-02\n",
        "\u1042\u1040\u1042\u1041-02",
    )
    lefts: list[Answer] = [*months, *odd]
    for place, left in itertools.zip_longest(places, lefts, fillvalue=""):
        maker.case({**SOLDIER, "posted": place, "left": left})
    found = counted(maker)
    assert numbers(found, "posted") == {"MMR016": 3, "MMR005": 1, "": 7, "other": 2}
    assert numbers(found, "left") == {
        "before": 1,
        "2021-02": 3,
        "2026-11": 1,
        "": 1,
        "other": 7,
    }
    codes = [row.code for row in found.tables["left"].rows]
    assert codes[:2] == ["before", "2021-02"]
    assert codes[-3:] == ["2026-11", "", "other"]
    assert len(codes) == 1 + 70 + 2
    assert len(found.tables["posted"].rows) == 18 + 2


def test_provenance_is_one_for_each_person() -> None:
    maker = Maker()
    maker.case()
    maker.case({**SOLDIER, "situation": "eao"})
    maker.case({**SOLDIER, "situation": "eao"}, VERIFIED, ["inside"])
    assert numbers(counted(maker), "origin") == {"wrote": 1, "eao": 1, "inside": 1}


def test_another_form() -> None:
    asked = [question for question in CDM.questions() if question.key == "account"]
    bare = replace(CDM, sections=(replace(CDM.sections[0], questions=tuple(asked)),))
    maker = Maker()
    maker.case({"account": "ရွာ"})
    found = counted(maker, bare)
    assert list(found.tables) == ["steps", "figures", "certification", "origin", "state"]
    assert numbers(found, "figures") == {"counted": 1, "battalion": 500}
    assert "does not ask" in found.tables["steps"].note
    flat = with_groups({None: {"SGT": "Sergeant", "LT": "Lieutenant"}, "None yet": {}})
    maker.case({"rank": "LT", "c_count": "yes"})
    assert numbers(counted(maker, flat), "rank") == {"LT": 1}
    for text in (figures.text, figures.as_csv, figures.as_json, as_page):
        assert text(counted(maker, bare))


def with_groups(groups: Groups) -> Form:
    """Return the form with other choices of a rank."""
    sections = [
        replace(part, questions=tuple(_other(q, groups) for q in part.questions))
        for part in CDM.sections
    ]
    return replace(CDM, sections=tuple(sections))


def _other(question: Question, groups: Groups) -> Question:
    return replace(question, groups=groups) if question.key == "rank" else question


@pytest.mark.parametrize(
    "assumed",
    [
        {"battalion": 0},
        {"expected": -1, "note": "x"},
        {"expected": 5},
        {"expected": 5, "note": " "},
        {"note": "no number"},
    ],
)
def test_what_is_assumed_must_make_sense(assumed: dict[str, Any]) -> None:
    with pytest.raises(Misuse, match="one person or more"):
        tally.assume(**assumed)


def test_battalions_say_their_size() -> None:
    maker = Maker()
    for _ in range(7):
        maker.case()
    found = numbers(counted(maker, battalion=3), "figures")
    assert (found["battalions"], found["battalion"]) == (2.3, 3)


# What is shown.


def as_page(found: Tally) -> str:
    return figures.html(found, Wording.load("my", FORM), demo=False).decode()


FORMULAS = [
    *("=1+1", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1", '=","=1'),
    "-1+1",
]
PLAIN = [
    *("\t=1", "\r=1", "\n=1", "\tx"),  # spelled, and so no formula any more
    "\u200b=1",
    '"=1',
    "1-1",
    "\u1010\u1015\u103a",
    HOSTILE,
]


@pytest.mark.parametrize("hostile", [*FORMULAS, *PLAIN])
def test_no_label_or_note_is_a_formula(hostile: str) -> None:
    form = with_groups({hostile: {hostile: hostile}})
    maker = Maker()
    maker.case({"rank": hostile, "c_count": "yes"})
    found = counted(maker, form, expected=1, note=hostile + "x")
    raw = figures.as_csv(found)
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True))
    assert {len(row) for row in rows} == {4}
    for cell in itertools.chain(*rows):
        assert not re.match(r"[\t\r\n]|\s*[=+\-@\uff1d]", cell)
        assert terminal.visible(cell, keep="") == cell
    (own,) = [row for row in rows if row[:1] == ["rank"] and row[3] == "1"]
    assert own[1] == own[2] == exporting.harmless(visible.line(hostile))
    assert (own[1][0] == "'") == (hostile in FORMULAS)
    assert raw.startswith(b"\xef\xbb\xbf")
    assert "<script" not in as_page(found)
    assert json.loads(figures.as_json(found))["note"] == hostile + "x"
    assert figures.as_json(found).isascii()


def test_a_note_is_shown_as_a_sources_words_are() -> None:
    found = counted(Maker(), expected=1, note=HOSTILE)
    for text in (figures.text(found), as_page(found)):
        assert terminal.visible(text) == text
        assert text.count("\u0301") < 50
        assert "\nTally\n" not in text


def test_nothing_that_a_source_typed_is_shown() -> None:
    maker = Maker()
    answers = dict.fromkeys(("force", "rank", "posted", "left", "situation", "account"), HOSTILE)
    maker.case({**answers, "c_count": "yes", "unknown": HOSTILE})
    found = counted(maker)
    assert numbers(found, "force") == {"other": 1}
    for data in (figures.text(found).encode(), figures.as_csv(found), figures.as_json(found)):
        assert b"alert" not in data
    assert "alert" not in as_page(found)


def test_each_output_says_what_it_is_of() -> None:
    maker = Maker()
    maker.case()
    found = counted(maker, expected=7, note="တပ်ရင်း ၅၂၈ မှ")
    outputs = [figures.text(found), figures.as_csv(found).decode(), as_page(found)]
    outputs.append(json.dumps(json.loads(figures.as_json(found)), ensure_ascii=False))
    for text in outputs:
        for said in (figures.NOTICE, "2026-11-28", "caseload of alice", "abandon ability", "၅၂၈"):
            assert said in text


class Page(HTMLParser):
    """The tags of a page, and the bars in each table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "rect", "line"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"rect", "line"}:
            assert self.open.pop() == tag

    def all(self, wanted: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag == wanted]


def test_the_page_is_drawn_without_script_style_or_request() -> None:
    page = Page(as_page(counted(article(), expected=1, note="x")))
    assert page.open == []
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "a", "link", "object", "iframe", "use", "image"}
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert not {name for name in attributes if name.startswith("on")}
    assert not attributes & {"style", "href", "src"}  # the desk pages allow none of them
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    named = [
        str(attrs["aria-labelledby"]).split()
        for _, attrs in page.tags
        if "aria-labelledby" in attrs
    ]
    assert {name for names in named for name in names} <= set(ids)
    assert {"title", "desc"} <= tags


def test_bars_are_as_long_as_their_numbers() -> None:
    found = counted(article())
    for table in found.tables.values():
        lengths = charts.widths(table.rows)
        most = max(row.number for row in table.rows)
        for row, length in zip(table.rows, lengths, strict=True):
            assert length == pytest.approx(100 * row.number / most, abs=0.001)
    bars = [str(rect["width"]) for rect in Page(as_page(found)).all("rect")]
    assert "71.429%" not in bars
    assert bars.count("100.0%") == sum(
        1 for t in found.tables if t not in {"figures", "certification", "left"}
    )
    assert charts.widths([]) == []
    assert charts.widths([Row("", "", 0)]) == [0]


@pytest.mark.parametrize("most", [0, 1, 3, 4, 5, 9, 10, 400, 15_000, 123_456])
def test_a_timeline_fits_its_frame(most: int) -> None:
    rows = [
        Row(f"{year}-{m:02}", f"{year}-{m:02}", most * (m == 8))
        for year in range(2021, 2033)
        for m in range(1, 13)
    ]
    chart = charts.timeline([Row("before", "Before", 10**9), *rows[1:], Row("", "Not said", 10**9)])
    assert chart
    assert len(chart.columns) == len(rows) - 1
    ends = [left + chart.width for _, left, _ in chart.columns]
    assert ends[-1] == pytest.approx(100, abs=0.01)
    assert [left for _, left, _ in chart.columns[1:]] == pytest.approx(ends[:-1], abs=0.01)
    assert all(0 <= top <= charts.HEIGHT for _, _, top in chart.columns)
    top = chart.lines[-1][1]
    assert max(most, 1) <= top < max(2.5 * most, 2)
    assert 2 <= len(chart.lines) <= 5
    drawn = sum(charts.HEIGHT - upper for _, _, upper in chart.columns) / charts.HEIGHT * top
    assert drawn == pytest.approx(12 * most, rel=0.001)
    assert chart.years[0] == (0.0, "2021")
    assert len(chart.years) <= 8
    assert chart.most.number == most


def test_months_without_anybody_are_only_in_the_files() -> None:
    maker = Maker()
    maker.case({**SOLDIER, "left": "2021-08"})
    found = counted(maker)
    for text in (figures.text(found), as_page(found).partition("<tbody>")[2]):
        assert "2021-08" in text
        assert "2021-09" not in text
    assert b"2021-09" in figures.as_csv(found)
    assert b"2021-09" in figures.as_json(found)


def test_no_months_no_timeline() -> None:
    assert charts.timeline([Row("", "Not said", 3)]) is None
    maker = Maker()
    maker.case()
    early = tally.count(maker.made, CDM, Covers("k", 1, date(2020, 1, 1), "1"), tally.assume())
    assert "timeline" in as_page(early)


# Whatever the population.

ANSWERS = st.sampled_from(
    [SOLDIER, NO, {}, {**SOLDIER, "force": "police"}, {**SOLDIER, "rank": "LT"}]
)
CASES = st.lists(
    st.tuples(
        ANSWERS,
        st.sampled_from([VERIFIED] * 4 + list(STATES)),
        st.sets(st.sampled_from(["coercion", "inside", "certify"]), max_size=2),
        st.none() | st.integers(1, 12),
        st.integers(1, 2),
        st.sampled_from([False] * 5 + [True]),
    ),
    max_size=12,
)


@given(CASES, st.randoms(use_true_random=False), st.integers(-2, 9))
def test_every_case_has_its_place(
    cases: list[tuple[Any, ...]], chance: random.Random, closed: int
) -> None:
    maker = Maker()
    for answers, state, marks, of, voices, gone in cases:
        made = maker.case(answers, state, sorted(marks), of=of, voices=voices)
        made.case.erased = gone
    covers = Covers("keys", len(cases) + closed, DAY, "")
    found = tally.count(maker.made, CDM, covers, tally.assume())
    first, *steps = found.tables["steps"].rows
    assert first.number == sum(row.number for row in steps) == len(cases) + max(closed, 0)
    people = found.tables["figures"].numbers["counted"]
    for key in ("force", "rank", "posted", "left", "origin"):
        assert sum(found.tables[key].numbers.values()) == people
    sides = found.tables["figures"].numbers
    assert sides["military"] + sides["police"] + sides["neither"] == people
    assert people == by_hand(maker.made)
    chance.shuffle(maker.made)
    again = tally.count(maker.made, CDM, covers, tally.assume())
    assert again.tables["steps"] == found.tables["steps"]


def by_hand(facts: list[Facts]) -> int:
    """Return how many groups have a case to count, found by joining sets until nothing moves."""
    groups = [{one.case.tag, one.case.duplicate_of or one.case.tag} for one in facts]
    while pair := next((p for p in itertools.combinations(groups, 2) if p[0] & p[1]), None):
        groups = [group for group in groups if group not in pair] + [pair[0] | pair[1]]
    good = {
        one.case.tag
        for one in facts
        if one.case.state == VERIFIED
        and not one.case.hidden
        and one.answers.get("c_count") == "yes"
    }
    forced = {one.case.tag for one in facts if "coercion" in one.case.marks}
    return sum(1 for group in groups if group & good and not group & forced)


# From bundle to tally.


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    made = Desk(tmp_path / "desk")
    recipients = {name: str(keys.quorum.recipient()) for name, keys in made.made.reviewers.items()}
    package._write(made.root / "archive", made.made.archive, recipients, 2, None)
    return made


def everyone_verifies(desk: Desk, marks: Mapping[bytes, Sequence[dict[str, Any]]]) -> None:
    """Let all reviewers verify what is theirs; ``marks`` are set by the first of a case's."""
    book = casebook.load(desk.casebook)
    for reviewer in book.keyring.active:
        who = Present(desk.keys(reviewer.name), reviewer, Passphrase(f"demo-{reviewer.name}", 10))
        drafts = []
        for tag, case in desk.state(reviewer.name).cases.items():
            what = {"note": "", "state": VERIFIED}
            drafts.append(Draft(tag, "decided", what, ("unit_fits",)))
            if case.assigned[0] == reviewer.name:
                told = [{"note": "", "on": True, **mark} for mark in marks.get(tag, ())]
                drafts += [Draft(tag, "marked", mark) for mark in told]
        deciding.write(book, drafts, who)


def written(desk: Desk, *arguments: object) -> dict[str, Any]:
    """Run ``tally`` and return what it wrote as JSON."""
    out = desk.root / "tally.json"
    out.unlink(missing_ok=True)
    desk.run("tally", "--json", out, *arguments)
    found: dict[str, Any] = json.loads(out.read_text("ascii"))
    return found


def test_a_caseload_and_the_archive(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [sealed_row(f"{n}", {**SOLDIER, "account": HOSTILE}) for n in range(5)]
    rows.append(sealed_row("police", {"force": "police", "c_count": "yes"}))
    desk.bring(desk.bundle_for("alice", False, rows[-1], others=rows[:-1]))
    repeat = {"mark": DUPLICATE, "of": rows[1].case.hex()}
    everyone_verifies(desk, {rows[0].case: [repeat], rows[2].case: [{"mark": "certify"}]})
    capsys.readouterr()

    both = [*desk.here("alice"), *desk.here("bob")]
    found = written(desk, "--archive", desk.root / "archive", *both)
    assert found["keys"] == "the archive, which alice and bob unlocked"
    assert (found["opened"], found["total"]) == (6, 6)
    assert found["tables"]["figures"]["counted"] == 5
    assert found["tables"]["figures"]["police"] == 1
    assert found["tables"]["steps"]["duplicate"] == 1
    assert found["tables"]["certification"]["process"] == 1
    out = capsys.readouterr().out
    assert "alert" not in out
    assert re.search(r"People counted +5\n", out)

    mine = len(desk.state("alice").cases)
    own = written(desk, *desk.here("alice"), "--battalion", 2)
    assert own["keys"] == "the caseload of alice"
    assert (own["opened"], own["total"]) == (mine, 6)
    assert own["tables"]["steps"]["closed"] == 6 - mine > 0
    assert own["tables"]["figures"]["police"] == 0
    assert own["tables"]["figures"]["battalion"] == 2
    assert written(desk, *both, *desk.here("carol"))["opened"] == 6


def test_files_are_for_their_writer_alone(desk: Desk) -> None:
    page, table = desk.root / "tally.html", desk.root / "tally.csv"
    note = ("--expected", 3, "--expected-note", "until May")
    desk.run("tally", *desk.here("alice"), *note, "--html", page, "--csv", table)
    for path in (page, table):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "until May" in path.read_text("utf-8")
    with pytest.raises(Misuse, match="exists already"):
        desk.run("tally", *desk.here("alice"), "--csv", table)


def test_what_does_not_open_the_archive(desk: Desk) -> None:
    archive = desk.root / "archive"
    with pytest.raises(NoMatchingKey, match="1 of them are here"):
        desk.run("tally", "--archive", archive, *desk.here("alice"))
    both = [*desk.here("alice"), *desk.here("bob")]
    with pytest.raises(BadFile, match="not the package"):
        desk.run("tally", "--archive", desk.root / PERIOD, *both)
    with pytest.raises(Misuse, match="one person or more"):
        desk.run("tally", "--expected", 3, *both)


def typed(answers: Mapping[str, Answer]) -> dict[str, str | list[str]]:
    """Return the fields that a browser sends for these answers."""
    fields = {key: a if isinstance(a, str) else list(a) for key, a in answers.items()}
    for key in ("left", "happened"):
        if key in fields:
            parts = zip(("year", "month", "day"), str(fields.pop(key)).split("-"), strict=False)
            fields |= {f"{key}-{part}": str(int(number)) for part, number in parts}
    return fields


def sent(site: Site, people: Iterable[tuple[population.Person, bool]]) -> set[bytes]:
    """Let everybody fill in the form; return the tags of the cases that are to be certified."""
    client, marked = site.client(), set()
    for person, certify in people:
        seed = receipt.new_seed()
        data = {"_seed": seed.hex(), **typed(person.answers)}
        assert receipt_in(client.post("/en", data=data, headers=ORIGIN).text)
        if certify:
            reply = receipt.reply_secret(site.made.deployment, receipt.receipt(seed))
            marked.add(receipt.case_tag(reply))
    return marked


@pytest.mark.slow
def test_the_articles_people_from_form_to_tally(
    desk: Desk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """2,000 forms filled in, exported, imported, verified by two, and counted by a quorum."""
    site = make_site(tmp_path)
    assert site.made.raw == desk.made.raw
    certify = sent(site, population.article())
    monkeypatch.setenv("INTAKE_DATA", str(site.settings.data))
    monkeypatch.setenv("INTAKE_KEYS", str(site.settings.keys))
    given = admin.build().parse_args(["export", str(tmp_path)])
    given.do(given)
    (bundle,) = tmp_path.glob("*.bundle")
    desk.bring(bundle)
    everyone_verifies(desk, {tag: [{"mark": "certify"}] for tag in certify})
    both = [*desk.here("alice"), *desk.here("bob")]
    expected = ("--expected", 500, "--expected-note", "over the next month")
    found = written(desk, "--archive", desk.root / "archive", *both, *expected)["tables"]
    assert found["figures"] == {
        "counted": 2000,
        "military": 1500,
        "police": 500,
        "neither": 0,
        "officers": 100,
        "battalions": 4.0,
        "battalion": 500,
    }
    assert found["certification"] == {
        "certified": 0,
        "process": 100,
        "neither": 1900,
        "expected": 500,
    }
    said = capsys.readouterr().out
    for line in (r"People counted +2,000", r"Military: .* +1,500", r"Police +500"):
        assert re.search(rf"^  {line}$", said, re.MULTILINE)
    assert re.search(r"Battalion equivalents +4\.0\n", said)
