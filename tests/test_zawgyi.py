"""Zawgyi is told from Unicode, and converted as ICU does; what is not Zawgyi is never changed.

Into Zawgyi goes only what the site shows: its sentences (test_wording.py) and replies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.desk import zawgyi
from intake.settings import ROOT
from intake.zawgyi import to_unicode, to_zawgyi
from tests import burmese
from tests.burmese import seconds

VECTORS = ROOT / "tests" / "vectors" / "zawgyi.json"
TO_ZAWGYI = ROOT / "tests" / "vectors" / "to-zawgyi.json"
ZAWGYI = "ဗိုလ္ႀကီးက ပစ္ဖို႔ အမိန႔္ေပးတယ္။"
UNICODE = "ဗိုလ်ကြီးက ပစ်ဖို့ အမိန့်ပေးတယ်။"
MYANMAR = st.text(st.characters(min_codepoint=0x1000, max_codepoint=0x109F))


def test_every_vector_of_icu() -> None:
    pairs = json.loads(VECTORS.read_text("utf-8"))
    assert len(pairs) == 200
    for typed, converted in pairs:
        assert to_unicode(f"{typed}\n") == f"{converted}\n"


def test_every_vector_of_icu_into_zawgyi() -> None:
    pairs = json.loads(TO_ZAWGYI.read_text("utf-8"))
    assert len(pairs) == 200
    for typed, converted in pairs:
        assert to_zawgyi(f"{typed}\n") == f"{converted}\n"


def test_what_a_reviewer_writes_is_the_same_words_in_zawgyi() -> None:
    assert to_zawgyi(UNICODE) == ZAWGYI
    assert to_zawgyi("Tor ကျပ် 😀 <b>၁၂ 36u</b>\n") == "Tor က်ပ္ 😀 <b>၁၂ 36u</b>\n"
    assert zawgyi.likelihood(to_zawgyi(UNICODE)) > zawgyi.SURE
    for line in burmese.texts():
        if zawgyi.likelihood(line, least=1) == 0.0:
            kept = re.sub("[\u1000-\u109f]", "", line)
            assert re.sub("[\u1000-\u109f]", "", to_zawgyi(line)) == kept


def test_the_said_is_no_four() -> None:
    for said in ("၎င်းကို", "သူ၎င်းကို", "၁၎င်း"):
        assert to_zawgyi(said).replace("\u104e", "၎င်း") == said
        assert to_unicode(to_zawgyi(said)) == said


def test_a_battalions_number_stays_where_it_is() -> None:
    assert to_unicode("တပ္ရင္း36ကို တပ္ရင္းu") == "တပ်ရင်း36ကို တပ်ရင်းu"


@pytest.mark.parametrize(
    ("typed", "converted"),
    [
        ("၄င္း", "၎င်း"),  # the digit four in place of a letter, at the start
        ("အ\u1040", "အ\u101d"),  # the digit zero in place of "wa", at the end
        ("\u1040", "\u101d"),
        ("အ\u1040 ", "အ\u1040 "),
        ("၂\u1040", "၂\u1040"),
        ("$\u1040က", "$\u1040က"),
        ("", ""),
        ("😀 abc\n", "😀 abc\n"),
    ],
)
def test_the_ends_of_a_text(typed: str, converted: str) -> None:
    assert to_unicode(typed) == converted


def test_zawgyi_gets_a_copy_and_nothing_else_is_changed() -> None:
    assert zawgyi.copy(ZAWGYI) == UNICODE
    assert zawgyi.copy(UNICODE) == UNICODE
    for text in burmese.texts():
        if zawgyi.likelihood(text) <= zawgyi.SURE:
            assert zawgyi.copy(text) == text


def test_lines_are_judged_by_themselves_if_they_are_long_enough() -> None:
    both = zawgyi.copy(f"{UNICODE}\n{ZAWGYI}")
    assert both == f"{UNICODE}\n{UNICODE}"
    many = "\n".join([UNICODE] * 40)
    assert zawgyi.copy(f"{many}\n{ZAWGYI}") == f"{many}\n{UNICODE}"
    assert zawgyi.copy(f"{ZAWGYI}\nတပ္ရင္း") == f"{UNICODE}\nတပ်ရင်း"
    assert zawgyi.copy(f"{ZAWGYI}\n{UNICODE}\nပစ္\n{ZAWGYI}").split("\n")[1] == UNICODE
    assert zawgyi.copy("တပ္ရင္း") == "တပ္ရင္း"  # eight letters, nothing to go with
    assert zawgyi.copy(f"{many}\nတပ္ရင္း") == f"{many}\nတပ္ရင္း"


@pytest.mark.parametrize(
    ("words", "least", "most"),
    [
        (ZAWGYI, 0.99, 1.0),
        (UNICODE, 0.0, 0.0),
        ("ခမရ ၅၂၈", 0.0, 0.0),
        ("မဂၤလာပါ", 0.0, 0.0),  # in doubt, and too short
        ("ၵူၼ်းတႆး ႁူႉၸၵ်း ၵႂၢမ်းတႆး", 0.0, 0.01),
        ("ပှၤကညီအဂီၢ် ကီၢ်စဲၣ်လံာ်", 0.0, 0.01),
        ("ဂကူမန် ပ္ဍဲဍုၚ် ဗၠာဲ", 0.0, 0.01),
        ("", 0.0, 0.0),
        ("😀\u202e 123", 0.0, 0.0),
    ],
)
def test_how_likely_it_is(words: str, least: float, most: float) -> None:
    assert least <= zawgyi.likelihood(words) <= most


def test_only_what_is_sure_is_converted() -> None:
    sure = "\u101b\u102d\u102f\u100d\u103a\u103b\u102c\u1015\u1039\u1003\u1036\u102f\u1014\u1039"
    assert 0.95 < zawgyi.likelihood(sure) < 0.97
    assert zawgyi.copy(sure) == to_unicode(sure) != sure
    doubt = "\u1031\u101b\u100b\u102d\u103d\u1015\u1039\u100a\u103a\u1088\u1036\u1038"
    assert 0.93 < zawgyi.likelihood(doubt) < 0.95
    assert zawgyi.copy(doubt) == doubt != to_unicode(doubt)


def test_correct_unicode_is_never_taken_for_zawgyi() -> None:
    # n = 20,000, seed 3: not one of them has a sign of Zawgyi.
    for line in burmese.syllables(20_000, seed=3):
        assert zawgyi.likelihood(line) == 0.0


def test_zawgyi_is_found() -> None:
    pairs = json.loads(VECTORS.read_text("utf-8"))[:70]  # what people wrote
    long = [typed for typed, converted in pairs if typed != converted and len(typed) >= 24]
    assert len(long) >= 15
    assert [typed for typed in long if zawgyi.likelihood(typed) <= zawgyi.SURE] == []


@given(st.one_of(st.text(), MYANMAR, st.lists(st.sampled_from([ZAWGYI, UNICODE])).map("\n".join)))
def test_a_copy_has_the_same_lines_and_nothing_is_too_odd(text: str) -> None:
    copy = zawgyi.copy(text)
    assert copy.count("\n") == text.count("\n")
    assert 0 <= zawgyi.likelihood(text) <= 1
    assert isinstance(to_unicode(text), str)


@pytest.mark.parametrize("convert", [to_unicode, to_zawgyi])
@pytest.mark.parametrize("unit", ["ေ", "\u1031\u103b", "\u200b", " ", "\u1037", "က္", ZAWGYI])
def test_converting_takes_linear_time(unit: str, convert: Callable[[str], str]) -> None:
    few, many = (seconds(convert, unit * (count // len(unit))) for count in (2_000, 20_000))
    assert many < 40 * max(few, 0.001)
