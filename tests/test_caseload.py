"""What a reviewer's keys open of all cases, on one core and on all.

Rule: what is found does not depend on how many cores there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from intake import days
from intake.desk import casebook, caseload
from intake.desk.caseload import Caseload, Facts
from intake.desk.cases import Case
from intake.desk.record import blob_path
from intake.form import Form
from intake.settings import Settings
from tests.desk_maker import ANSWERS, Desk, sealed_row
from tests.makers import FIRST

ACCOUNTS = ("ရွာကို မီးရှို့ခိုင်းတယ်။", "ဗမာစာ 🙏🏽", "", "က" * 2000, "ေရြးခ်ယ္", "\u202e\x1b[31m")
COUNT = 140


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return a desk with many cases; those of ``ACCOUNTS`` said more, and one withdraws."""
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    made = Desk(tmp_path / "desk")
    texts = [{**ANSWERS, "account": f"{n} {ACCOUNTS[n % len(ACCOUNTS)]}"} for n in range(COUNT)]
    rows = [sealed_row(f"row {n}", text) for n, text in enumerate(texts)]
    rows += [
        sealed_row(f"row {n}", {**ANSWERS, "account": f"again {text}"})
        for n, text in enumerate(ACCOUNTS)
    ]
    rows.append(sealed_row("row 10", {**ANSWERS, "unit_no": "9"}, kind="withdrawal"))
    made.bring(made.bundle(rows)[0])
    return made


def load(
    desk: Desk,
    *names: str,
    watch: caseload.Watch = lambda cases, _: cases,
    before: Mapping[bytes, Facts] | None = None,
) -> Caseload:
    keys = [key for name in names for key in desk.made.reviewers[name].quarters.values()]
    form = Form.load(Settings.from_environment().form)
    return caseload.load(casebook.load(desk.casebook), keys, form, watch, before)


def test_all_cores_find_what_one_finds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = desk.state("alice", "bob").cases[sealed_row("row 20").case].received[0].blob
    blob_path(desk.casebook, lost).write_bytes(b"damaged")
    found = []
    for count in (1, 2):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        found.append(load(desk, "alice", "bob"))
    one, two = (
        {tag: (facts.answers, facts.text, facts.faults) for tag, facts in loaded.facts.items()}
        for loaded in found
    )
    assert one == two
    assert list(one) == list(two) == list(found[0].state.cases)
    assert found[1].total == COUNT
    for n in (*range(10), *range(11, 20)):
        answers, text, faults = two[sealed_row(f"row {n}").case]
        account = f"{n} {ACCOUNTS[n % len(ACCOUNTS)]}"
        more = f"again {ACCOUNTS[n]}" if n < len(ACCOUNTS) else ""
        assert account in text
        assert more in text
        assert answers["force"] == "army"
        assert answers["account"] in {account, more}
        assert not faults
    assert two[sealed_row("row 10").case] == ({}, "", ())
    answers, text, (fault,) = two[sealed_row("row 20").case]
    assert (answers, text) == ({}, "")
    assert "missing or damaged" in fault


def test_what_is_as_it_was_is_not_opened_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    lost = desk.state("alice", "bob").cases[sealed_row("row 20").case].received[0].blob
    words = blob_path(desk.casebook, lost).read_bytes()
    blob_path(desk.casebook, lost).write_bytes(b"damaged")
    before = load(desk, "alice", "bob")
    blob_path(desk.casebook, lost).write_bytes(words)
    more = [
        sealed_row("row 30", {**ANSWERS, "account": "ထပ်ပြောမယ်"}),
        sealed_row("row 31", {**ANSWERS, "unit_no": "9"}, kind="withdrawal"),
        sealed_row("another"),
    ]
    desk.bring(desk.bundle(more, 2, previous=next(iter(desk.state("alice").bundles)))[0])
    opened: list[bytes] = []

    def watch(cases: Iterable[Case], total: int) -> Iterator[Case]:
        for case in cases:
            opened.append(case.tag)
            yield case
        assert total == len(opened)

    after = load(desk, "alice", "bob", watch=watch, before=before.facts)
    assert set(opened) == {sealed_row("row 20").case, *(row.case for row in more)}
    fresh = load(desk, "alice", "bob")
    assert after.facts == fresh.facts
    assert list(after.facts) == list(fresh.facts)
    assert all(facts.case is after.state.cases[tag] for tag, facts in after.facts.items())


def test_what_was_hidden_since_is_not_kept(desk: Desk) -> None:
    case, facts = next((facts.case, facts) for facts in load(desk, "alice").facts.values())
    assert caseload._same(case, facts)
    assert not caseload._same(replace(case, erased=True), facts)


def test_a_caseload_is_what_the_keys_open(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    seen: list[int] = []

    def watch(cases: Iterable[Case], total: int) -> Iterator[Case]:
        for case in cases:
            seen.append(total)
            yield case

    mine = load(desk, "carol", watch=watch)
    assert all("carol" in facts.case.assigned for facts in mine.facts.values())
    assert 64 < len(mine.facts) < COUNT
    assert seen == [len(mine.facts)] * len(mine.facts)
    assert mine.total == COUNT
    some = next(facts for facts in mine.facts.values() if not facts.case.hidden)
    assert len(mine.opened(some.case)) == len(some.case.received)
