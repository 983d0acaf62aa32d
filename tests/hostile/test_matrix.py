"""The matrix of hostile requests, on the real socket of the deployed chain.

Of each: the answers are the constant ones that the table names, of the one length; nothing of the
request is in them; no row is stored but those of receipts that were shown; it takes no longer than
so many times a plain request of its size; and the next visitor is served. Over the whole run the
processes take no more than so many times the memory of plain requests, and none of them is lost.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.hostile import bodies, heads, meanings
from tests.hostile.cases import BURMESE, CANARY, CLOSED, Case, renamed
from tests.hostile.served import Attacked, Watch, children, under_attack
from tests.site_maker import make_site

pytestmark = pytest.mark.hostile

AXES: Sequence[Callable[[], list[Case]]] = (
    *(heads.methods, heads.targets, heads.versions, heads.lines, heads.hosts, heads.circuits),
    *(bodies.framing, bodies.kinds, bodies.forms, bodies.parts, meanings.meanings),
)
MATRIX = [one for axis in AXES for one in renamed(axis(), axis.__name__)]
LARGER = 2.0  # times the memory that plain requests take


@pytest.fixture(params=["1", "0"], ids=["disposable processes", "none"])
def attacked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Attacked]:
    """A site that answers what has a body in processes of their own, and one that does not."""
    more = {"INTAKE_DISPOSABLE": request.param}
    with under_attack(make_site(tmp_path), tmp_path, more=more) as found:
        yield found


def test_the_whole_matrix(attacked: Attacked, capsys: pytest.CaptureFixture[str]) -> None:
    before = children(attacked.door.process.pid)
    wrong = []
    with Watch(attacked.door.process.pid).watching() as watch:
        for one in MATRIX:
            try:
                attacked.attack(one)
                attacked.alive()
            except AssertionError as broken:
                wrong.append(f"{one.name}: {str(broken).splitlines()[0]}")
    ratio = watch.peak / attacked.peak
    rows = sum(one.stored == 0 for one in MATRIX)
    silent = sum(one.expects == (CLOSED,) for one in MATRIX)
    (spent, slowest), (times, worst) = attacked.slowest, attacked.worst
    told = [
        f"{len(MATRIX)} cases, {rows} without a row, {silent} without a word",
        f"{len(attacked.seen)} different answers, each constant, and of one length",
        f"memory of all processes: {watch.peak >> 20} MiB at the peak",
        f"{ratio:.2f} times that of plain requests, {attacked.peak >> 20} MiB",
        f"slowest answer: {spent:.3f} s ({slowest}); a plain letter takes {attacked.letter:.3f} s",
        f"slowest for its size: {times:.1f} times a plain one ({worst})",
    ]
    with capsys.disabled():
        sys.stdout.write("\n  " + "\n  ".join(told) + "\n")
    assert not wrong, "\n".join(wrong)
    assert children(attacked.door.process.pid) == before, "a worker was lost"
    assert ratio < LARGER, told[3]


def test_no_two_cases_are_the_same() -> None:
    """Neither their names nor what they send; and there are several hundred of them."""
    for key in ([one.name for one in MATRIX], [(one.sent, one.own) for one in MATRIX]):
        assert [found for found, times in Counter(key).items() if times > 1] == []
    assert len(MATRIX) > 500


def test_every_case_holds_the_canary() -> None:
    spelled = [CANARY.encode(), BURMESE.encode()]
    spelled += ["".join(f"%{byte:02X}" for byte in BURMESE.encode()).encode()]
    without = [one for one in MATRIX if not any(word in one.sent for word in spelled)]
    assert {one.name for one in without} == {one.name for one in MATRIX if one.plain}


def test_every_kind_of_answer_is_met() -> None:
    """A table that expects one answer everywhere would say little."""
    met = set(itertools.chain.from_iterable(one.expects for one in MATRIX))
    for status in (400, 403, 404, 405, 413, 415, 421):
        assert any(name.endswith(f" {status}") for name in met), status
    assert {"below 400", CLOSED, "en form", "en receipt", "my form", "my-Qaag form"} <= met
