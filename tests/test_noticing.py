"""What a reviewer should notice is noticed and counted; ordinary Burmese has nothing to notice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.desk import visible
from intake.desk.noticing import SENTENCES, notices
from tests import burmese
from tests.burmese import seconds
from tests.test_visible import TEXT
from tests.test_zawgyi import UNICODE, ZAWGYI


def counts(text: str) -> dict[str, int]:
    return {notice.code: notice.number for notice in notices(text)}


@pytest.mark.parametrize(
    ("text", "noticed"),
    [
        ("", {}),
        (UNICODE, {}),
        ("😀👍🏽 LIB 528, ၂၀၂၁ ၁၀း၃၀ ၇း၁၅။\r\n\tKNUကို", {}),
        ("ၵူၼ်းတႆး ႁူႉၸၵ်း ႑႒႓", {}),
        ("ပှၤကညီအဂီၢ် ကီၢ်စဲၣ်လံာ်", {}),
        ("ဂကူမန် ပ္ဍဲဍုၚ် ဗၠာဲ", {}),
        ("Jinghpaw ga, Lai holh", {}),
        (ZAWGYI, {"zawgyi": 1}),
        (f"{ZAWGYI} ၇ေယာက္", {"zawgyi": 1}),
        (f"{ZAWGYI}\n{UNICODE}\n{ZAWGYI}", {"zawgyi": 2}),
        ("\u1031\u1017\u102c\u1009\u1039\u101f\u102f\u1010\u1039\u1037", {"doubt": 1}),
        ("a\u202eb\u2066\u061c", {"direction": 3}),
        ("a\x1b[2J\x00", {"control": 2}),
        ("a\u00ad\ufeff\u3164\u034f\u2063", {"unseen": 5}),
        ("\U000e0041\ufffe", {"unseen": 2}),
        ("a\ue000\U000f0000", {"private": 2}),
        ("က" + "\u0301" * 40, {"stacked": 40}),
        ("က" + "ိ" * 9, {"stacked": 9}),
        ("က" + "\u20dd" * 9, {"stacked": 9}),
        ("p\u0430\u0430yment", {"stranger": 2}),
        ("ကoန်", {"stranger": 1}),
        ("ဒီမှာhttps://t.me/x ကြည့်", {"link": 1}),
        ("www.x.org a@b.com x.onion/y။ HTTP://1 javascript:x", {"link": 5}),
        ("fb.comကို", {"link": 1}),
        ("\u0410\u0420\u041a \u0440\u043e\u0442\u0430 ကa", {"script": 7}),
        ("ภาษาไทย", {"script": 7}),
        ("ကို\u200bယ်\u200c", {"breaks": 2}),
        ("\u1040န်ကြီး အ\u1040တ် ၇ှိ", {"digits": 3}),
        ("ခမရ ၅၂\u101d ၁ရ", {"digits": 2}),
    ],
)
def test_what_is_noticed(text: str, noticed: dict[str, int]) -> None:
    assert counts(text) == noticed


@pytest.mark.parametrize(
    "text",
    ["5.5.2021", "ဗိုလ်မှူး.ကျော်", "a@b", "e.g. x", "ftp", "swww.x", "metadata:1", "a.comment", "a .me"],
)
def test_what_is_no_address(text: str) -> None:
    assert "link" not in counts(text)


def test_ordinary_burmese_has_nothing_to_notice() -> None:
    # n = 10,000, seed 4, without what syllables are mixed with for the converter's sake.
    plain = [line for line in burmese.syllables(10_000, seed=4) if not set(line) & {*burmese.REST}]
    assert len(plain) > 5_000
    assert [line for line in plain if notices(line)] == []


def test_the_gravest_comes_first_in_our_own_words() -> None:
    text = f"\u200b www.example.com {ZAWGYI} \u202e"
    found = notices(text)
    assert [notice.code for notice in found] == ["direction", "link", "zawgyi", "breaks"]
    assert [notice.sentence for notice in found] == [SENTENCES[n.code] for n in found]


@given(TEXT)
def test_all_that_is_named_is_noticed_and_nothing_repeated(text: str) -> None:
    found = notices(text)
    assert all(notice.number > 0 and notice.sentence == SENTENCES[notice.code] for notice in found)
    characters = {"direction", "control", "unseen", "private", "stacked", "stranger", "breaks"}
    named = sum(often for _, name, often in visible.pieces(text) if name not in {"", "\t", "\r"})
    assert sum(notice.number for notice in found if notice.code in characters) == named


@pytest.mark.parametrize(
    "unit", ["\u0301", "\u0301\u0302", "@", "a.", "a@", "\u0430b ", "\u1040", "ေ"]
)
def test_noticing_takes_linear_time(unit: str) -> None:
    few, many = (seconds(notices, unit * (count // len(unit))) for count in (1_000, 10_000))
    assert many < 40 * max(few, 0.001)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    assert {notice.code for notice in notices(text)} <= SENTENCES.keys()
