"""Texts are found however they are typed: order, spaces, digits, Zawgyi, letters that look so."""

from __future__ import annotations

import json
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.desk.searching import Index, key
from tests import burmese
from tests.burmese import seconds
from tests.test_zawgyi import UNICODE, VECTORS, ZAWGYI

BURMESE = st.text(st.characters(min_codepoint=0x1000, max_codepoint=0x109F))
ACCOUNT = "စစ်တပ်က ကျွန်တော့်ကို ရွာကို မီးရှို့ခိုင်းတယ်။\nခမရ ၅၂၈၊ ၂၀၂၁ ခုနှစ်။ Burned 12 houses."


def found(text: str, query: str) -> bool:
    return Index({b"a": text}).find(query) == [b"a"]


@pytest.mark.parametrize(
    "query",
    [
        "ရွာကိုမီးရှို့ခိုင်း",
        "မီးရှို့ ရွာ",
        "ရှို့",
        "ခမရ 528",
        "ခမရ၅၂၈",
        "528",
        "BURNED 12",
        "burned၁၂",
        "ကျွန်တော\u1037\u103aကို",
        "ကျွန်တော\u103a\u1037ကို",
        "ရွာ\u200bကို",
        "(ရွာ)",
        "ခိုင်းတယ်။ ခမရ",
    ],
)
def test_what_is_there_is_found(query: str) -> None:
    assert found(ACCOUNT, query)


@pytest.mark.parametrize("query", ["ခလရ", "529", "မီးရှို့ ခလရ", "", " ", "။ ၊", "\u200b", "x"])
def test_what_is_not_there_is_not_found(query: str) -> None:
    assert not found(ACCOUNT, query)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ရှို့", "ရှ\u102f\u102d\u1037"),
        ("မြို့", "မ\u102d\u103c\u102f\u1037"),
        ("ကြွေး", "က\u103d\u103c\u1031\u1038"),
        ("ကြွေး", "က\u1031\u103d\u103c\u1038"),
        ("သင်္ဘော", "သင\u103a\u1039ဘ\u102c\u1031"),
        ("ကိ", "ကိိ"),
        ("\u101dန်ကြီး", "\u1040န်ကြီး"),
        ("၅\u1040\u1040", "၅\u101d\u101d"),
        ("ရှေ့", "၇ှေ့"),
        ("ခမရ ၅", "ခမ၇ ၅"),
        ("၁၇", "၁ရ"),
        ("\u1025ပဒေ", "\u1009ပဒေ"),
        ("\u1026း", "\u1025\u102eး"),
        ("\u1026း", "\u1009\u102eး"),
        ("ပါ", "ပာ"),
        ("ဈေး", "စျေး"),
        ("ဩဂုတ်", "သြဂုတ်"),
        ("ဩော်", "သြော်"),
        ("ဪ", "သြော်"),
        ("ပြဿနာ", "ပြသ္သနာ"),
        ("၎င်း", "၄င်း"),
        ("၅၂၈", "႕႒႘"),  # Shan
        ("528", "\uff15\uff12\uff18"),
        ("12", "\u0e51\u0e52"),  # Thai
        ("payment", "p\u0430yment"),
        ("kia", "\u039aI\u0391"),
        ("kia", "KI\u0410"),
        ("burned", "b\u200du\u0335r\ufe0fn\u00aded"),
        ("burned", "bur\u3164ned"),
        ("Jose", "JOSÉ"),
        ("ရွာကို", "ရွာ ကို"),
    ],
)
def test_what_reads_alike_is_alike(one: str, other: str) -> None:
    assert key(one) == key(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("၇", "ရ"),
        ("၇း၃၀", "ရး၃၀"),
        ("၅ ရက်", "၅ ၇က်"),
        ("၅ရက်", "၅၇က်"),
        ("ကုန်", "ကန်"),
        ("ခမရ", "ခလရ"),
        ("က္က", "ကက်"),
        ("528", "529"),
        ("😀", "😁"),
    ],
)
def test_what_reads_otherwise_is_not(one: str, other: str) -> None:
    assert key(one) != key(other)


def test_zawgyi_and_unicode_find_each_other() -> None:
    assert key(ZAWGYI) == key(UNICODE)
    for text in (ZAWGYI, UNICODE):
        for query in ("ပစ်ဖို့", "ပစ္ဖို႔", "ဗိုလ်ကြီး အမိန့်", "ဗိုလ္ႀကီး အမိန႔္"):
            assert found(text, query)
        assert not found(text, "ခမရ")
    assert found("တပ္ရင္း", "တပ်ရင်း")  # too short to be judged
    assert found("တပ်ရင်း", "တပ္ရင္း")


def test_people_who_wrote_zawgyi_are_found_by_their_unicode() -> None:
    pairs = json.loads(VECTORS.read_text("utf-8"))[:70]
    index = Index({bytes([number]): typed for number, (typed, _) in enumerate(pairs)})
    lost = [number for number, (_, u) in enumerate(pairs) if bytes([number]) not in index.find(u)]
    assert lost == []


def test_marks_in_any_order_are_found() -> None:
    chance = random.Random(7)

    def shuffled(marks: re.Match[str]) -> str:
        return "".join(chance.sample(marks[0], len(marks[0])))

    lines = burmese.syllables(2_000, seed=8)
    mixed = [re.sub("[\u102b-\u1038\u103a-\u103e]{2,}", shuffled, line) for line in lines]
    assert sum(map(str.__ne__, lines, mixed)) > 1_000
    pairs = zip(lines, mixed, strict=True)
    assert [line for line, other in pairs if key(line) and not found(other, line)] == []


def test_tags_come_in_the_order_of_their_texts() -> None:
    index = Index({b"b": "ရွာ တစ်", b"a": "ရွာ နှစ်", b"c": ""})
    assert index.find("ရွာ") == [b"b", b"a"]
    assert index.find("ရွာ တစ်") == [b"b"]


@given(st.lists(st.one_of(st.text(), BURMESE, st.sampled_from(burmese.texts()))).map("\n".join))
def test_every_text_is_found_by_its_words(text: str) -> None:
    assert not any(character.isspace() for character in key(text))
    for word in text.split():
        assert found(text, word) or not key(word)


@pytest.mark.parametrize("unit", ["\u0301\u0327", "\u1037\u103a", "\u05b0\u05b1", " ", "၇", "ေ"])
def test_a_key_takes_linear_time(unit: str) -> None:
    few, many = (seconds(key, unit * (count // len(unit))) for count in (1_500, 15_000))
    assert many < 40 * max(few, 0.001)


def test_an_index_is_filled_on_all_cores_as_on_one() -> None:
    texts = {n.to_bytes(16): f"{n} ရွာကို မီးရှို့ခိုင်းတယ်။ ခမရ ၅၂၈" for n in range(200)}
    alone, many = [Index({tag: text}) for tag, text in texts.items()], Index(texts)
    for query in ("မီးရှို့", "528", "199", "17"):
        assert many.find(query) == [tag for one in alone for tag in one.find(query)] != []
