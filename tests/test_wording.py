"""Wording: lookups never fail, and the Burmese catalogue is whole."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from hypothesis import given
from hypothesis import strategies as st

from deploy import messages
from intake.admin.doctor import signed_off
from intake.form import Form, Sentence
from intake.settings import FORM
from intake.wording import LANGUAGES, LOCALE, OFFERED, ZAWGYI, Wording
from intake.zawgyi import to_unicode, to_zawgyi

FOUND = messages.found()
MY = {str(m.id): str(m.string) for m in messages.translated("my") if m.id}
CATALOGUES = [language for language in LANGUAGES if language != "en"]
DESK = {str(m.id): str(m.string) for m in messages.translated("my", domain=messages.DESK) if m.id}


READ_BACK_OTHERWISE = {"ဆေ့ချ်": "ဆေ့ခ်ျ"}  # looks the same


def test_burmese_comes_first_and_its_copy_last() -> None:
    assert LANGUAGES[:2] == ("my", "en")
    assert OFFERED[:-1] == LANGUAGES
    assert OFFERED[-1] == ZAWGYI == "my-Qaag"
    assert "my" in CATALOGUES


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_catalogue_is_complete_and_compiled(language: str) -> None:
    assert messages.problems(language) == []
    po = LOCALE / language / "LC_MESSAGES" / "intake.po"
    assert po.read_bytes() == messages.updated(language)  # nothing is left for `update` to do


def test_the_desks_catalogue_is_burmese() -> None:
    assert messages.domains("my") == [messages.INTAKE, messages.DESK]
    assert messages.domains("xx") == [messages.INTAKE]


def test_the_zawgyi_catalogue_says_what_the_burmese_one_says() -> None:
    """Nothing is missing, stale, edited by hand or lost on the way; it takes no ICU to know."""
    shown = {msgid: Wording.load(ZAWGYI).text(msgid) for msgid in MY}
    assert shown == {msgid: to_zawgyi(said) for msgid, said in MY.items()}
    others = {found for said in MY.values() for found in READ_BACK_OTHERWISE if found in said}
    assert others == READ_BACK_OTHERWISE.keys()
    for msgid, said in MY.items():
        back = to_unicode(shown[msgid])
        for burmese, other in READ_BACK_OTHERWISE.items():
            back = back.replace(other, burmese)
        assert back == said
        not_burmese = "[\u1000-\u109f]"
        assert re.sub(not_burmese, "", shown[msgid]) == re.sub(not_burmese, "", said)


@pytest.mark.parametrize(
    "change",
    [lambda mo: mo[:-2] + b"x\0", lambda _: b"", None],
    ids=["edited", "empty", "absent"],
)
def test_a_zawgyi_catalogue_that_is_no_copy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes] | None
) -> None:
    shutil.copytree(LOCALE, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(messages, "LOCALE", tmp_path)
    assert messages.problems("my") == []
    copy = tmp_path / ZAWGYI / "LC_MESSAGES" / "intake.mo"
    copy.write_bytes(change(copy.read_bytes())) if change else copy.unlink()
    assert messages.problems("my") == ["the Zawgyi copy is not one of the Burmese .mo"]


def test_every_place_is_searched() -> None:
    """Were a place skipped, its sentences would be missing without a word."""
    form = Form.load(FORM)
    assert {form.title, "Dawei", "Your rank", "Other ranks", "Nobody"} <= FOUND.keys()
    assert set(Sentence) <= FOUND.keys()
    places = {place for files in FOUND.values() for place in files}
    assert {"intake/forms/cdm.toml", "intake/form.py", "templates/source/form.html"} <= places
    helps = [line for section in form.sections for line in section.help.splitlines()]
    assert helps
    assert set(helps) <= FOUND.keys()


@pytest.mark.parametrize(
    ("source", "sentences"),
    [
        ('"""Rules."""\nSHUT = "Shut."\nshut = "Not this."', ["Shut."]),
        ('SHUT: dict = {400: "Shut.", 404: "— no —"}\nPATH = "/path"', ["Shut.", "— no —"]),
        ('def f(w):\n    """Return."""\n    return [w.text(p) for p in ("Day", "x")]', ["Day"]),
        ('def f(w):\n    raise ValueError("Not shown.")', []),
    ],
)
def test_what_counts_as_shown_in_the_server(source: str, sentences: list[str]) -> None:
    assert list(messages._of_python(source)) == sentences


NOT_BURMESE = {  # what is wrong: where it shows in a translation
    "no Burmese letter": r"\A[^\u1000-\u109f]*\Z",
    "Zawgyi: the vowel e before its consonant": r"(?:\A|[\s\u200b(“])\u1031",
    "Zawgyi: a letter from its own range": r"[\u1060-\u108f]",
    "the digit zero for the letter wa": r"[\u1000-\u103f]\u1040|\u1040[\u102b-\u103e]",
    "the letter wa for the digit zero": r"[\u1041-\u1049]\u101d|\u101d[\u1041-\u1049]",
    "an invisible character": r"[\x00-\x1f\u200c-\u200f\u2028-\u202f\ufeff]",
    "a space at an end, or two in a row": r"\A[ \u200b]|[ \u200b]\Z|[ \u200b]{2}",
    "a word that says whether the speaker is a man": r"ကျွန်တော်|ကျွန်မ",
}
NAMES = {"Tor", "Browser", "onion", "New", "Identity", "BGF", "TOC", "IIMM"}
DESK_NAMES = {"Ctrl", "C", "Dangerzone", "Intake", "desk", "a"}  # desk-a, too
DESK_NAMES |= {"exports", "battalion", "expected", "note", "age"}  # options, and a format


@pytest.mark.parametrize("wrong", NOT_BURMESE)
def test_burmese_is_unicode_burmese(wrong: str) -> None:
    both = [*MY.values(), *DESK.values()]
    assert [said for said in both if re.search(NOT_BURMESE[wrong], said)] == []


def test_latin_letters_are_only_in_names() -> None:
    for catalogue, names in ((MY, NAMES), (DESK, DESK_NAMES)):
        said = " ".join(re.sub(r"\{\w+\}", "", msgstr) for msgstr in catalogue.values())
        assert set(re.findall(r"[A-Za-z]+", said)) == names


def test_two_townships_never_look_alike_in_burmese() -> None:
    posted = next(q for q in Form.load(FORM).questions() if q.key == "posted")
    for group in posted.groups.values():
        names = [unicodedata.normalize("NFC", MY[label]) for label in group.values()]
        assert len(set(names)) == len(names)
    assert MY["Dawei"] == "ထားဝယ်"
    assert MY["Yinmabin (Yinmarbin)"] == "ယင်းမာပင်"
    assert MY["Captain"] == "ဗိုလ်ကြီး"


def test_numbers_are_shown_in_the_languages_numerals() -> None:
    numbers = {"over": 12, "limit": 2000}
    burmese = Wording.load("my").text(Sentence.TOO_LONG, **numbers)
    assert "၁၂" in burmese
    assert "၂၀၀၀" in burmese
    english = Wording.load("en").text(Sentence.TOO_LONG, **numbers)
    assert english == "There is room for 2000 characters; this is 12 too long. Please shorten it."
    assert Wording.load("my").numerals("2026-11") == "၂၀၂၆-၁၁"
    assert Wording.load("en").numerals("2026-11") == "2026-11"


@pytest.mark.parametrize("language", [*LANGUAGES, "xx", "../my", ""])
def test_a_lookup_never_fails(language: str) -> None:
    wording = Wording.load(language)
    assert wording.language == language
    assert wording.text("") == ""
    assert wording.text("No such sentence {x}.", x=1)
    assert wording.text("A {brace} without its number.") == "A {brace} without its number."
    assert wording.text("Half a {brace", x=1) == "Half a {brace"
    assert wording.text("{0} {} {x!r:>9}", x=1)


@given(st.text(), st.integers())
def test_a_lookup_never_fails_for_any_text(msgid: str, number: int) -> None:
    for language in LANGUAGES:
        assert isinstance(Wording.load(language).text(msgid, over=number), str)


def test_a_form_brings_its_own_catalogue(tmp_path: Path) -> None:
    catalogue = messages.Words(locale="my", fuzzy=False)
    catalogue.add("Ship", "သင်္ဘော")
    catalogue.add("Captain", "သင်္ဘောမှူး")
    catalogue.add("Long: {over}", "ရှည် {ovre}")
    folder = tmp_path / "locale" / "my" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    file = io.BytesIO()
    write_mo(file, catalogue)
    (folder / "intake.mo").write_bytes(file.getvalue())
    wording = Wording.load("my", tmp_path / "form.toml")
    assert wording.text("Ship") == "သင်္ဘော"
    assert wording.text("Captain") == "သင်္ဘောမှူး"
    assert wording.text("Yes, today") == MY["Yes, today"]
    assert wording.text("Long: {over}", over=3) == "Long: ၃"  # a broken brace gives way
    assert Wording.load("my").text("Captain") == MY["Captain"]
    # On the page in Zawgyi its sentences are English, until it has a Zawgyi copy, too.
    assert Wording.load(ZAWGYI, tmp_path / "form.toml").text("Ship") == "Ship"
    assert messages.main(["zawgyi", str(tmp_path / "locale")]) == 0
    zawgyi = Wording.load(ZAWGYI, tmp_path / "form.toml")
    assert zawgyi.text("Ship") == to_zawgyi("သင်္ဘော")
    assert zawgyi.text("Yes, today") == to_zawgyi(MY["Yes, today"])


def test_a_damaged_catalogue_costs_its_words_only(tmp_path: Path) -> None:
    folder = tmp_path / "locale" / "my" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "intake.mo").write_bytes(b"not a catalogue")
    assert Wording.load("my", tmp_path / "form.toml").text("Captain") == MY["Captain"]


def test_signing_off_names_one_exact_text(tmp_path: Path) -> None:
    folder = tmp_path / "my"
    (folder / "LC_MESSAGES").mkdir(parents=True)
    po, signoff = folder / "LC_MESSAGES" / "intake.po", folder / "SIGNOFF"
    assert signed_off("my", tmp_path) is None
    po.write_bytes(b"words")
    digest = hashlib.sha256(b"words").hexdigest()
    for line, name in [
        (f"{digest} ဒေါ်အေး 2026-11-22\n", "ဒေါ်အေး"),
        (f"{digest} Daw Aye 2026-11-22\n", "Daw Aye"),
        (f"{digest} 2026-11-22\n", None),
        (f"{digest}\n", None),
        (f"{digest[:-1]}g Daw Aye 2026-11-22\n", None),
        ("", None),
    ]:
        signoff.write_text(line, encoding="utf-8")
        assert signed_off("my", tmp_path) == name
    signoff.write_text(f"{digest} Daw Aye 2026-11-22\n", encoding="utf-8")
    po.write_bytes(b"other words")
    assert signed_off("my", tmp_path) is None
