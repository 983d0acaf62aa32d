"""The sentences of a source's pages fit their places, can be broken into lines, and read easily.

A place is what should be seen whole: a button, a link in the bar, what opens a part, a label, a
choice, a title. Its width is counted in clusters of Burmese, a letter with all its signs; a Latin
letter is half of one. In Noto Sans Myanmar a cluster is as wide as the text is high (1.02 of it, on
average over the catalogue; 1.17 or less in 95 of 100 sentences). So a line has as many as it has
ems: seven, on 320 px, with the text and all rem at 200 %, 34 px an em, without the two sides of the
body. Nine lines are a screen of 568 px. What really overflows, tests/browser measures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest

from deploy import messages
from intake.form import Form
from intake.settings import FORM, ROOT
from intake.wording import LANGUAGES

SCREEN, SIDES, EM = 320, 2 * 32, 34  # px, at 200 %
LINE = (SCREEN - SIDES) // EM  # clusters
LINES = {  # a menu shows a chosen option on one line, and its list all of it
    "title": 1,
    "header": 2,  # the bar that stays
    "button": 2,
    "optgroup": 2,
    "option": 3,
    "label": 5,
    "summary": 5,
    "choice": 5,
    "consent": 7,  # which is read whole beside its box
}
UNBROKEN = 10  # clusters: at 100 %, a line of a choice has eleven
GRADE, HARDEST = 6, 10  # years at school: of all sentences together, and of any one
SAID = {
    language: {str(m.id): str(m.string) for m in messages.translated(language) if m.id}
    for language in LANGUAGES  # English has no catalogue
}
MY = SAID["my"]
PAGES = "".join(path.read_text("utf-8") for path in (ROOT / "templates/source").glob("*.html"))
SHOWN = re.compile(r'\b_\("([^"]+)"')
_BASE = (
    "\u1000-\u102a\u103f-\u1049\u104c-\u1055\u105a-\u105d\u1061\u1065\u1066\u106e-\u1070\u1075-\u1081"
    "\u108e\u1090-\u1099"
)  # of the languages with Burmese letters; what is not here is a sign of the letter before it
CLUSTER = re.compile(
    f"(?:\u1004\u103a\u1039)?[{_BASE}](?:\u1039[\u1000-\u1021]|(?![{_BASE}])[\u1000-\u109f])*"
)
WORD = re.compile("[A-Za-z\u2019']+")
SILENT = "(?<=[^aeiouyl])e$|(?<=[^aeiouytd])ed$|(?<=[^aeiouysxzcgh])es$"
BREAKS = re.compile("[^\u1000-\u1049\u104c-\u109f]+")  # a space, U+200B, ၊ and ။, what is Latin


def places() -> Iterator[tuple[str, str]]:
    """Yield each sentence that has a place, with the place: from the templates, and the form."""
    parts = {place: rf"<{place}\b.*?</{place}>" for place in LINES}
    parts |= {"option": r"<option\b.*?\n", "header": "<header.*?<p|block way %}.*?endblock"}
    for place, inside in parts.items():
        for part in re.findall(inside, PAGES, re.DOTALL):
            yield from ((place, msgid) for msgid in SHOWN.findall(part))
    yield from (("label", found) for found in re.findall(r'aria-label="{{ _\("([^"]+)"', PAGES))
    for section in Form.load(FORM).sections:
        yield "summary", section.title
        for question in section.questions:
            yield "consent" if question.kind == "consent" else "label", question.label
            listed = question.kind == "many" or question.show == "radio"
            for heading, group in question.groups.items():
                if heading:
                    yield "optgroup", heading
                yield from (("choice" if listed else "option", label) for label in group.values())


def width(sentence: str) -> float:
    """Return the width of a sentence in clusters."""
    latin = re.findall("[^\u1000-\u109f\u200b]", sentence)
    return len(CLUSTER.findall(sentence)) + len(latin) / 2


def too_long(said: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the sentences that are longer than their places, in a language."""
    return [(p, i) for p, i in places() if width(said.get(i, i)) > LINES[p] * LINE]


def test_no_translation_is_longer_than_its_place() -> None:
    assert LINE == 7
    for said in SAID.values():
        assert too_long(said) == []


@pytest.mark.parametrize(
    ("place", "msgid"),
    [
        ("title", "A form"),
        ("header", "I have a receipt"),
        ("button", "Seal and send"),
        ("summary", "Add words"),
        ("label", "Year"),
        ("label", "The 24 digits of your receipt"),
        ("option", "— not answered —"),
        ("option", "Dawei"),
        ("optgroup", "Sagaing Region"),
        ("choice", "Yes, today"),
        ("consent", "You may count me in published numbers."),
    ],
)
def test_one_cluster_more_than_its_place_has_is_named(place: str, msgid: str) -> None:
    assert (place, msgid) in set(places())
    room = LINES[place] * LINE
    assert (place, msgid) not in too_long(MY | {msgid: "က" * room})
    assert (place, msgid) in too_long(MY | {msgid: "က" * (room + 1)})


def test_every_long_sentence_can_be_broken_into_lines() -> None:
    """What a browser finds in a dictionary is a gift: in Zawgyi there is none."""
    assert [len(CLUSTER.findall(part)) for part in BREAKS.split("တပ်မှ\u200bသိက္ခာ၊ဦး")] == [3, 2, 1]
    parts = {part for said in MY.values() for part in BREAKS.split(said)}
    assert [part for part in parts if len(CLUSTER.findall(part)) > UNBROKEN] == []


def sentences() -> list[str]:
    """Return the English sentences of three words or more that a source is shown."""
    parts = (re.split(r"(?<=[.?!:])\s+(?=[A-Z“{])", msgid) for msgid in messages.found())
    ended = (part for found in parts for part in found if re.search(r"[.?!:]”?\Z", part))
    return [part for part in ended if len(WORD.findall(part)) >= 3]


def grade(said: list[str]) -> float:
    """Return the years at school that it takes to read this: the Flesch-Kincaid grade level.

    Kincaid, Fishburne, Rogers and Chissom, "Derivation of new readability formulas", 1975. Its
    syllables are groups of vowels here, without an "e" that is not said.
    """
    words = [word.lower() for sentence in said for word in WORD.findall(sentence)]
    spoken = (re.sub(SILENT, "", word) for word in words)
    syllables = sum(max(1, len(re.findall("[aeiouy]+", word))) for word in spoken)
    return 0.39 * len(words) / len(said) + 11.8 * syllables / len(words) - 15.59


def test_the_english_reads_at_a_sixth_grade_level() -> None:
    assert round(grade(["The cat sat on the mat."]), 2) == -1.45
    assert grade(["Organisations anonymise identifiable information."]) > 20
    assert len(sentences()) > 200
    assert grade(sentences()) <= GRADE
    assert [said for said in sentences() if grade([said]) > HARDEST] == []
