"""Similar cases: duplicates are shown beside their originals, honest people beside nobody.

Rule: seeds 21 and 22 were never used to choose a number of ``intake.desk.similar``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from deploy.population import people
from deploy.suggested import COLUMNS, fact, shares, table, told
from deploy.zawgyi import zawgyi
from intake.desk import pieces
from intake.desk.caseload import Facts
from intake.desk.labels import LABELS
from intake.desk.pieces import NEAR, Pieces
from intake.desk.searching import key
from intake.desk.similar import SHOWN, Similar
from intake.form import Answer

ACCOUNT = (
    "ကျွန်တော် တပ်ထဲရောက်တာ ၁၂ နှစ်ကျော်ပြီ၊ ထားဝယ်မှာ နောက်ဆုံးတာဝန်ကျပါတယ်။ ညောင်ပင်သာ ရွာကို "
    "မနက် ၄ နာရီမှာ မီးရှို့ခိုင်းပါတယ်။ အိမ် ၈၇ လုံးကျော် ပြာဖြစ်သွားပါတယ်၊ စပါးကျီတွေပါ မကျန်ခဲ့ပါဘူး။"
)
OTHER = (
    "ဆေးရုံကို ညဦးပိုင်းမှာ ဝင်စီးကြတယ်။ လူနာတွေကို ကုတင်ပေါ်က ဆွဲချတာ မြင်ခဲ့ရလို့ စိတ်မကောင်းပါ။ "
    "အမေနဲ့ ညီမလေးကို ရဲတွေ လိုက်မေးနေပါတယ်။ အလုပ်တခုခုရရင် လုပ်နိုင်ပါတယ်၊ စာပြန်ပေးပါ။"
)
SERVED: dict[str, Answer] = {
    "force": "army",
    "rank": "SGT",
    "unit_type": "LIB",
    "unit_no": "25",
    "posted": "MMR006001",
    "left": "2021-08",
    "dependants": "3_5",
    "family_risk": "yes",
    "intent": ("certify", "assist"),
    "needs": ("shelter", "medical", "legal"),
    "consent_store": "yes",
    "c_count": "yes",
    "vet_hint": "DSA ၅၄",
}


@dataclass
class Made:
    """Strangers by the hundred, and cases of our own among them."""

    facts: dict[bytes, Facts] = field(
        default_factory=lambda: dict(told(list(people(9, 300, 0, 0))))
    )

    def add(self, text: str, **answers: Answer) -> bytes:
        tag = (1000 + len(self.facts)).to_bytes(16)
        self.facts[tag] = fact({**answers, "account": text}, text)
        return tag

    def similar(self) -> Similar:
        return Similar(self.facts, key)


@pytest.mark.parametrize("seed", [21, pytest.param(22, marks=pytest.mark.slow)])
def test_duplicates_are_found_and_honest_people_are_not_accused(seed: int) -> None:
    """Of 60 duplicates at least 54 are found, of about 1,870 honest people at most 18 accused.

    The seed is fixed, so this fails when the code changes for the worse, and never by chance. What
    a fresh seed would do: the accused come in pairs, so about 4.5 pairs are expected where 9.4 are
    allowed (0.48 % of 1,870); a Poisson of 4.5 exceeds that with 2 %. Hence the fixed seed, and the
    table of docs/adr/0015-similar-cases.md for the rest.
    """
    everybody = list(people(seed, 2000, zawgyi=zawgyi))
    duplicates, plants, accused = shares(everybody, Similar(told(everybody), key))
    assert duplicates >= 0.9
    assert accused <= 0.01
    assert plants >= 0.8


def test_a_retyped_account_is_shown_with_its_reasons() -> None:
    made = Made()
    one = made.add(ACCOUNT, **SERVED)
    again = made.add(ACCOUNT.replace(" ", "").replace("။", " ။\n"), **SERVED)
    (shown,) = made.similar().of(again).shown
    assert shown.tag == one
    codes = dict(shown.reasons)
    assert codes["wording"] == {"share": 100}
    assert {"unit-month", "unit-rank-place", "hint"} <= codes.keys() <= LABELS["reasons"].keys()
    assert codes["answers"]["same"] == codes["answers"]["both"]
    for code, numbers in shown.reasons:
        assert "{" not in LABELS["reasons"][code].format(**numbers)


def test_comrades_with_words_of_their_own_are_not_accused() -> None:
    made = Made()
    differs: dict[str, Answer] = {
        "dependants": "0",
        "intent": ("assist",),
        "needs": ("route",),
        "vet_hint": "၂၀၁၂ တောင်ငူ",
    }
    one = made.add(ACCOUNT, **SERVED)
    made.add(OTHER, **{**SERVED, **differs})
    assert made.similar().of(one).shown == []
    company = made.similar().of(one, margin=-8).shown
    assert company[0].reasons[0][0] == "unit-month"


def test_one_hand_is_found_whatever_it_says_of_unit_and_place() -> None:
    made = Made()
    one = made.add(ACCOUNT, **SERVED)
    other = made.add(
        ACCOUNT.replace("၁၂", "၇"), force="navy", rank="PTE", unit_type="NAVY", posted="MMR012001"
    )
    (shown,) = made.similar().of(other).shown
    assert shown.tag == one
    assert dict(shown.reasons)["wording"]["share"] > 80


def test_a_form_without_these_questions_still_works() -> None:
    facts = {
        bytes([n]) * 16: fact({"question": "a"}, ACCOUNT if n < 2 else OTHER) for n in range(3)
    }
    similar = Similar(facts, key)
    assert [shown.tag for shown in similar.of(bytes(16)).shown] == [b"\1" * 16]
    assert similar.of(b"\2" * 16).shown == []


def test_nobody_and_one_alone() -> None:
    with pytest.raises(KeyError):
        Similar({}, key).of(b"a")
    assert Similar({b"a": fact({}, "")}, key).of(b"a").shown == []


def test_hostile_answers_and_texts_are_no_trouble() -> None:
    hostile = {
        "marks": fact({"left": "2021-99", "unit_no": "\u202e"}, "က" + "\u0301" * 100_000),
        "empty": fact({}, ""),
        "lists": fact(
            {"left": ("2021-08",), "unit_no": ("1", "2"), "rank": ("SGT",)}, "\x00\ud800"
        ),
        "long": fact({"posted": "M" * 100_000, "needs": "shelter"}, ACCOUNT * 200),
        "digits": fact({"vet_hint": "9" * 100_000, "left": "0000-00"}, "9" * 100_000),
    }
    facts = {name.encode(): fact for name, fact in hostile.items()}
    similar = Similar(facts, key)
    assert all(len(similar.of(tag).shown) < len(facts) for tag in facts)


def test_a_flood_of_equal_texts_is_counted_and_costs_no_square() -> None:
    """Ten times as many equal cases cost about ten times as much, by far not a hundred times."""
    assert _seconds(2000) < 40 * max(_seconds(200), 0.01)
    flood = {n.to_bytes(16): fact(SERVED, ACCOUNT) for n in range(5000)}
    found = Similar(flood, key).of(bytes(16))
    assert found.crowd == 4999
    assert SHOWN == len(found.shown) < found.found < 200


def test_what_is_read_for_one_case_is_bounded() -> None:
    class Read(list[int]):
        taken = 0

        def __getitem__(self, which: object) -> list[int]:  # type: ignore[override]
            assert isinstance(which, slice)
            part = list(self)[which]
            Read.taken += len(part)
            return part

    assert pieces.most([Read([7, *range(3000)]) for _ in range(9)], 1) == [7]
    assert Read.taken == pieces.REACH


def test_another_unit_speaks_against_and_a_large_unit_says_little() -> None:
    def bits(comrades: int, unit: str) -> float:
        made = Made()
        for _ in range(comrades):
            made.add("", unit_type="LIB", unit_no="25", posted="MMR006001")
        one, other = made.add("", **SERVED), made.add("", **{**SERVED, "unit_no": unit, "left": ""})
        company = made.similar().of(other, margin=-40).shown
        return next(like.bits for like in company if like.tag == one)

    assert bits(200, "25") + 2 < bits(0, "25")
    assert bits(0, "26") + 3 < bits(0, "25")


def _seconds(count: int) -> float:
    flood = {n.to_bytes(16): fact(SERVED, ACCOUNT) for n in range(count)}
    start = time.process_time()
    similar = Similar(flood, key)
    for tag in flood:
        similar.of(tag)
    return time.process_time() - start


def test_who_floods_a_text_does_not_hide_its_copies() -> None:
    made = Made()
    one = made.add(ACCOUNT, **SERVED)
    for number in range(500):
        made.add(f"{ACCOUNT} {number}", unit_no=str(number), unit_type="IB", rank="PTE")
    alone = made.add(ACCOUNT[:60] + OTHER)
    changed = made.add(f"{OTHER[:20]} {ACCOUNT}")
    similar = made.similar()
    found = similar.of(one)
    assert found.crowd >= 500
    assert similar.of(changed).crowd >= 500
    assert similar.of(alone).crowd < 50
    assert found.found >= NEAR


def test_rare_pieces_weigh_more_than_common_ones() -> None:
    texts = [ACCOUNT, ACCOUNT, *([OTHER] * 100)]
    index = Pieces(map(key, texts))
    rare = index.shared(index.pieces(0), 0, 1)
    common = index.shared(index.pieces(2), 2, 3)
    assert rare.bits > 10 * common.bits
    assert rare.of_shorter == rare.of_longer == pytest.approx(1)
    assert index.shared(index.pieces(0), 0, 2).of_shorter < 0.1
    assert index.near(0)[0] == 1


def test_no_piece_begins_with_a_mark() -> None:
    cut = pieces._cut("ကြီးမြတ်ခြင်း")
    assert cut
    assert all(not "\u102b" <= piece[0] <= "\u103e" for piece in cut)


def test_the_table_has_a_line_for_its_seed() -> None:
    columns, line = table(3, 200)
    assert columns == COLUMNS
    assert line.split()[:2] == ["3", "200"]
