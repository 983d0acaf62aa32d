"""What a source wrote, as it is shown: nothing hidden, nothing imitated, nothing that acts."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from intake import terminal
from intake.desk import visible
from tests.burmese import seconds

TRICKS = (
    "<U+202E>",
    "<U+",
    "×",
    "\u0301",
    "\u0301" * 20,
    "\u1039",
    "\x1b",
    "\r\n",
    "p\u0430\u0430y",
    "\u0410\u0411o",
    "က0ါ",
    "<U+0430 \u0430>",
    '<b class="u c">a<i>',
    "&lt;",
)
TEXT = st.lists(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(TRICKS)), max_size=40
).map("".join)
LINKS = ("<a href=//x>", "http://x.onion", "javascript:1", '"', "'", "<", ">", "a@b.mm", "\u0430o")


@given(TEXT)
def test_text_can_be_undone_and_hides_nothing(typed: str) -> None:
    def back(found: re.Match[str]) -> str:
        character = chr(int(found[1], 16))
        assert found[3] in {None, character}
        return character * int(found[2] or 1)

    shown = visible.text(typed)
    assert re.sub(r"<U\+([0-9A-F]{4,6})(?:×([0-9]+))?(?: (.))?>", back, shown) == typed
    assert terminal.visible(shown) == shown
    assert "\n" not in visible.line(typed)


@given(TEXT)
def test_html_can_be_undone_and_hides_nothing(typed: str) -> None:
    shown = str(visible.html(typed))
    assert terminal.visible(shown) == shown
    inner = shown.removeprefix("<bdi>").removesuffix("</bdi>")
    hidden = r'<b class="u">U\+([0-9A-F]{4,6})(?:×([0-9]+))?</b>'
    strange = r'<b class="u c">([^<]+)<i>U\+([0-9A-F]{4,6})</i></b>'
    parts = re.split(f"{hidden}|{strange}", inner)
    undone = unescape(parts[0])
    for code, count, letters, name, plain in zip(*(parts[n::5] for n in range(1, 6)), strict=True):
        assert "<" not in plain
        assert not name or set(unescape(letters)) == {chr(int(name, 16))}
        undone += unescape(letters or "") or chr(int(code, 16)) * int(count or 1)
        undone += unescape(plain)
    assert undone == typed


class Tags(HTMLParser):
    """Every tag of a page, with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))


@given(st.lists(st.one_of(st.sampled_from(LINKS), TEXT), max_size=9).map("".join))
def test_nothing_in_a_page_becomes_a_link(typed: str) -> None:
    tags = Tags()
    tags.feed(str(visible.html(typed)))
    ours = [("bdi", []), ("b", [("class", "u")]), ("b", [("class", "u c")]), ("i", [])]
    assert [tag for tag in tags.found if tag not in ours] == []
    assert tags.found[0] == ours[0]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("p\u0430yment", "p<U+0430 \u0430>yment"),
        ("p\u0430\u0430yment", "p<U+0430×2 \u0430>yment"),
        ("\u043f\u0440vet", "<U+043F \u043f><U+0440 \u0440>vet"),
        ("\u043fve", "<U+043F \u043f>ve"),
        ("\u043f\u0440ve", "<U+043F \u043f><U+0440 \u0440>ve"),  # as many: Latin is the rule
        ("\u043f\u0440\u0438e", "\u043f\u0440\u0438<U+0065 e>"),
        ("\u0410\u0420\u041a \u0440\u043e", "\u0410\u0420\u041a \u0440\u043e"),  # whole words
        ("p\u0301\u0430y", "p\u0301<U+0430 \u0430>y"),
        ("p\u200b\u0430y", "p<U+200B><U+0430 \u0430>y"),
        ("LIB528\u0430", "LIB528<U+0430 \u0430>"),
        ("\u03bf.com", "<U+03BF \u03bf>.com"),
        ("\uff4cogin", "<U+FF4C \uff4c>ogin"),
        ("ကoန်", "က<U+006F o>န်"),
        ("0ါးရင်း", "<U+0030 0>ါးရင်း"),
        ("ကyိန်", "က<U+0079 y>ိန်"),
        ("<U+0430 a>", "<U+003C>U+0430 a>"),
    ],
)
def test_a_letter_in_a_word_of_another_script_is_named(typed: str, shown: str) -> None:
    assert visible.text(typed) == shown


def test_a_named_letter_stays_readable_in_a_page() -> None:
    page = str(visible.html("p\u0430\u0430y"))
    assert page == '<bdi>p<b class="u c">\u0430\u0430<i>U+0430</i></b>y</bdi>'


@pytest.mark.parametrize("marks", ["\u0301", "\u0301\u0302", "\u0430\u0301b"])
def test_marks_take_linear_time(marks: str) -> None:
    few, many = (seconds(visible.html, marks * (count // 3)) for count in (1_500, 15_000))
    assert many < 40 * max(few, 0.001)


def test_a_hundred_thousand_marks_stay_few() -> None:
    shown = visible.text("က" + "\u0301" * 100_000)
    assert shown == "က<U+0301×100000>"
    mixed = visible.text("က" + "\u0301\u0302" * 50_000)
    assert mixed.count("\u0301") + mixed.count("\u0302") == visible.MARKS


@pytest.mark.parametrize(
    "words",
    [
        "",
        "စစ်တပ်က ကျွန်တော့်ကို ရွာကို မီးရှို့ခိုင်းတယ်။ ၂၀၂၁ ၸၢဝ်းတႆး",
        "ခမရ၅၂၈က LIBကို PDFနဲ့ KNLAရဲ့ အုပ်စုAနှင့် 2021ခုနှစ် AK၄၇ M16ကို ၁၀း၃၀ 7း30",
        "LINEနဲ့\u0410\u0420\u041aကို",
        "ပှၤကညီအဂီၢ် ကီၢ်စဲၣ်လံာ်",  # S'gaw Karen
        "ဂကူမန် ပ္ဍဲဍုၚ် ဗၠာဲ",  # Mon
        "ၵူၼ်းတႆး ႁူႉၸၵ်း ႑႒႓ ꩡꩢꧠ",  # Shan, Khamti, Tai Laing
        "ေျပာျပခ်င္တယ္ KNUေျပာ KNLAျပ",  # Zawgyi
        "\ua4e1\ua4f2-\ua4e2\ua4f4 ꤊꤢꤛꤢ꤬ Jinghpaw lam ဗမာ 😀 αβγ ภาษาไทย 中文",  # Lisu, Karenni
    ],
)
def test_what_has_no_tricks_stays_as_it_is(words: str) -> None:
    assert visible.text(words) == words
    assert visible.html(words) == Markup("<bdi>{}</bdi>").format(words)
