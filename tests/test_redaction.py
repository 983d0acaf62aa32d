"""A redacted case file: what is struck is gone from the bytes, what is not is still there.

Rule: what searches a page here decodes the page, and shares nothing with the code under test, which
encodes the passage.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from intake import days, terminal
from intake.desk import page, passage, redaction, searching, zawgyi
from intake.desk.record import blob_path
from intake.desk.redaction import Redacted
from intake.errors import Incomplete, Misuse, Unsafe
from intake.form import Answer
from tests.case_maker import CASE, MY, NONCE, REPLY, ROW, case, envelope, told
from tests.desk_maker import ANSWERS, Desk, Sealed, sealed_row
from tests.makers import FIRST

NAME = "မောင်ကျော်စွာ"
UNSEEN = re.compile(r'<b class="u">.*?</b>|<i>.*?</i>')  # code points that we name
BAR = '<span class="struck">struck out</span>'
ASKED = ("account", "vet_hint", "rank", "unit_no", "force")


def made(
    answers: Mapping[str, Answer],
    strike: Sequence[str] = (),
    keep: Sequence[str] = ("account",),
    **others: Answer,
) -> Redacted:
    found = [told({**answers, **others})]
    return redaction.redact(case(*found), found, keep, strike, MY)


def written(file: Redacted) -> str:
    return redaction.html(file, MY, demo=False).decode()


def shown(file: Redacted) -> str:
    """Return what stands in the answers of a page, bars as ▇, and no marks of ours."""
    _, _, articles = written(file).partition("<article>")
    typed = re.findall(r'<p class="(?:typed|label)">(.*?)</p>', articles, re.DOTALL)
    plain = [UNSEEN.sub("", one.replace(BAR, "▇")) for one in typed]
    return "\n".join(html.unescape(re.sub("<[^>]*>", "", one)) for one in plain)


def decoded(data: bytes) -> Iterator[str]:
    """Yield all that a page could say to somebody who decodes it."""
    text = data.decode()
    yield from (text, html.unescape(text), unquote(text))
    yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)
    yield from (
        data[n:].decode(name, "ignore") for n in (0, 1) for name in ("utf-16-le", "utf-16-be")
    )
    for run in re.findall(rb"[A-Za-z0-9+/_-]{4,}", data):
        for start in range(4):
            whole = run[start:].translate(bytes.maketrans(b"-_", b"+/"))
            yield base64.b64decode(whole[: len(whole) // 4 * 4]).decode(errors="ignore")
    for run in re.findall(rb"(?:[0-9a-fA-F]{2})+", data):
        yield binascii.unhexlify(run).decode(errors="ignore")
    yield re.sub(r"<[^>]*>", "", UNSEEN.sub("", text))


@cache
def letter(c: str) -> str:
    seen = unicodedata.category(c)[0] in "LMNS" and not 0xFE00 <= ord(c) < 0xFE10
    return str(unicodedata.digit(c, c)) if seen else ""


def letters(text: str) -> str:
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(map(letter, plain))


def holds(data: bytes, words: str) -> bool:
    plain = letters(words)
    return any(words in text or plain in letters(text) for text in decoded(data))


def test_the_search_of_these_tests_finds_what_it_should() -> None:
    for spelled in hidden_in(NAME):
        assert holds(b"<p>x " + spelled + b" y</p>", NAME), spelled
    assert not holds("<p>မောင် နှင့် ကျော်</p>".encode(), NAME)


def hidden_in(words: str) -> list[bytes]:
    """Return ways to carry words in a page of ASCII and UTF-8."""
    raw, upper = words.encode(), json.dumps(words)[1:-1].upper().replace("\\U", "\\u")
    return [
        raw,
        unicodedata.normalize("NFD", words).encode(),
        "".join(f"&#{ord(c)};" for c in words).encode(),
        "".join(f"&#x{ord(c):X};" for c in words).encode(),
        quote(words).encode(),
        quote(words).lower().encode(),
        json.dumps(words)[1:-1].encode(),
        upper.encode(),
        raw.hex().encode(),
        raw.hex().upper().encode(),
        *(base64.b64encode(before + raw + b"after") for before in (b"", b"1", b"12")),
        base64.urlsafe_b64encode(raw),
    ]


SAME = {
    "as typed": (NAME, NAME),
    "decomposed": ("Zoë Ünal", unicodedata.normalize("NFD", "Zoë Ünal")),
    "composed": (unicodedata.normalize("NFD", "Zoë Ünal"), "Zoë Ünal"),
    "letter with its vowel in two": ("ဦးအောင်", "ဥ\u102eးအောင်"),
    "marks in another order": ("နု\u1036\u1037", "နု\u1037\u1036"),
    "asat and dot": ("ဇွင\u1037\u103aကျော်", "ဇွင\u103a\u1037ကျော်"),
    "any case": ("U Kyaw SWAR", "u kyaw swar"),
    "one of two capitals": ("STRASSE", "straße"),
    "full width": ("ＫＹＡＷ", "kyaw"),  # noqa: RUF001
    "no spaces": ("မောင် ကျော်\u00a0စွာ", NAME),
    "spaces": (NAME, "မောင် ကျော် စွာ"),
    "a space before each mark": (" ".join(NAME), NAME),
    "more before each mark": ("\u200b - ".join(NAME), NAME),
    "zero-width between": ("မောင်\u200bကျော်\u200d\ufeffစွာ\u2060", NAME),
    "zero-width in the passage": (NAME, "မောင်\u200bကျော်စွာ"),
    "right-to-left override": ("\u202eမောင်\u202cကျော်စွာ\u200f", NAME),
    "soft hyphen, punctuation": ("Kyaw\u00adSwar-Win, Jr.", "kyaw swarwin jr"),
    "two lines": ("မောင်\nကျော်\n\nစွာ", NAME),
    "Burmese digits": ("ကိုယ်ပိုင်အမှတ် ၁၂၃၄၅၆", "ကိုယ်ပိုင်အမှတ် 123456"),
    "Latin digits": ("BC 123456", "BC ၁၂၃၄၅၆"),
    "Shan digits": ("\u1091\u1092\u1093\u1094", "၁၂၃၄"),
    "wa for zero": ("တပ်ရင်း ၅ဝ၈", "တပ်ရင်း ၅၀၈"),
    "seven for ra": ("ခမ၇ ၅၂၈", "ခမရ ၅၂၈"),
    "letters of another script": ("K\u0443\u0430w Swar", "Kyaw Swar"),
    "family": ("👨\u200d👩\u200d👧\u200d👦", "👨👩👧👦"),
    "family as typed": ("👨\u200d👩\u200d👧\u200d👦", "👨\u200d👩\u200d👧\u200d👦"),
    "coloured heart": ("❤\ufe0f🧡", "❤🧡"),
    "HTML": ("<b onclick='x'>ကျော်</b> & <script>", "<b onclick='x'>ကျော်</b> & <script>"),
    "entities": ("&lt;&#4096;", "&lt;&#4096;"),
    "template": ("{{ file.passages }}", "{{ file.passages }}"),
}


@pytest.mark.parametrize("how", SAME)
def test_a_passage_is_struck_however_it_is_spelled(how: str) -> None:
    typed, strike = SAME[how]
    file = made({"account": f"ရှေ့ {typed} နောက်"}, [strike])
    data = written(file).encode()
    assert shown(file).startswith("ရှေ့ ▇")
    assert shown(file).endswith(" နောက်")
    assert file.strikes == 1
    assert not holds(data, typed)
    assert not holds(data, strike)


def test_every_occurrence_is_struck_in_every_answer() -> None:
    typed = {"account": f"{NAME}။ {NAME}", "vet_hint": f"x{NAME}"}
    file = made(typed, [NAME], ("account", "vet_hint"))
    assert shown(file) == "x▇\n▇။ ▇"
    assert file.strikes == 3
    assert "Passages struck out: 3" in written(file)


@pytest.mark.parametrize(
    "strike", [("abcd", "cdef"), ("cdef", "abcd"), ("bc", "abcdef"), ("abc", "def")]
)
def test_passages_that_overlap_or_touch_are_one_bar(strike: tuple[str, str]) -> None:
    assert shown(made({"account": "xabcdefy"}, strike)) == "x▇y"


def test_a_passage_that_repeats_in_itself_leaves_nothing() -> None:
    assert shown(made({"account": "x" + "ab" * 50 + "ay"}, ["aba"])) == "x▇y"


def test_a_letter_goes_with_all_its_marks() -> None:
    assert shown(made({"account": "ကျွန်ုပ် ကိုကို"}, ["ကျွန", "ကိုက"])) == "▇ပ် ▇"


def test_a_passage_that_ends_within_a_letter_takes_all_of_it() -> None:
    assert shown(made({"account": "x ကကကျာ y"}, ["ကကကျ"])) == "x ▇ y"
    assert shown(made({"account": "x မောင\u200b်ဇ y"}, ["မောင"])) == "x ▇ဇ y"


def test_marks_come_to_the_search_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else 100,000 of them take the square of their number to normalise."""
    monkeypatch.setattr(searching, "key", str)
    letter = passage.searched("a" + "\u0301\u0323\u0327" * 5)
    classes = [unicodedata.combining(mark) for mark in letter]
    assert classes == sorted(classes)
    assert len(letter) == 16


def test_how_long_a_passage_was_does_not_show() -> None:
    """Whatever was struck, the page is the same, byte for byte."""
    pages = {
        written(replace(made({"account": f"က {name} ခ"}, [name]), number="0"))
        for name in ("ab", NAME, NAME * 20, "x\ny z", "a\u202eb\u200b", "a\u0301\u0302b")
    }
    assert len(pages) == 1


def test_only_what_is_kept_is_in_the_bytes() -> None:
    typed = {key: f"{key}-ထားဝယ်-words" for key in ASKED}
    for kept in ASKED:
        data = written(made(typed, keep=(kept,))).encode()
        assert [key for key in ASKED if holds(data, f"{key}-ထားဝယ်")] == [kept]


def test_a_choice_is_struck_whole_in_both_languages() -> None:
    typed = {**ANSWERS, "posted": "MMR006001"}
    assert MY("Dawei") == "ထားဝယ်"
    for strike in ("dawei", "ထားဝယ်", "awe"):
        file = made(typed, [strike], ("posted", "rank"))
        assert shown(file).split("\n")[-1] == "▇"
        assert "Sergeant" in shown(file)
        data = written(file).encode()
        assert not holds(data, "Dawei")
        assert not holds(data, "ထားဝယ်")


def test_where_our_labels_may_break_is_not_shown() -> None:
    """A label of ours has U+200B in it, which would be marked as hidden by a source."""
    assert "\u200b" in MY("To be confirmed as someone who left")
    assert "U+200B" not in written(made({"intent": ("certify",)}, keep=("intent",)))


def test_our_own_words_stay() -> None:
    """The word is struck where the source says it, and a heading of ours tells nothing."""
    file = made(
        {"account": "my rank is what it is; class typed, label"}, ["rank", "typed", "label"]
    )
    assert shown(file) == "my ▇ is what it is; class ▇, ▇"
    assert "Your rank" not in written(file)
    kept = made({**ANSWERS, "account": "Your rank, yes"}, ["your rank", "yes"], ("account", "rank"))
    assert "Your rank" in written(kept)
    assert '<p class="label">Yes' in written(kept)  # a consent is no answer that is struck


def test_no_metadata_is_in_the_page() -> None:
    found = [told({**ANSWERS, "c_refer": "yes"})]
    file = redaction.redact(case(*found), found, list(ANSWERS.keys() - {"consent_store"}), [], MY)
    data = written(file)
    secret = (CASE, ROW, NONCE, REPLY, bytes([0xC3]) * 32)
    for gone in (*(s.hex()[:8] for s in secret), "alice", "bob", "desk-a", "2026-11-19", "keyring"):
        assert gone not in data.split("</style>")[1], gone
    assert "Testimony of 2026-11<" in data
    assert re.fullmatch("[0-9a-f]{8}", file.number)
    assert f"<code>{file.number}</code>" in data
    again = redaction.redact(case(*found), found, ["account"], [], MY)
    assert again.number != file.number


def test_days_are_months_unless_they_are_kept() -> None:
    assert shown(made({"left": "2021-04-03"}, keep=("left",))) == "2021-04"
    exact = made({"left": "2021-04-03"}, keep=("left", "day"))
    assert shown(exact) == "2021-04-03"
    assert "Testimony of 2026-11-19<" in written(exact)


@pytest.mark.parametrize("given_for", ["c_assist", "c_refer", "c_quote"])
def test_the_page_says_what_the_source_allowed(given_for: str) -> None:
    refusal = '<p class="fault">The source did not agree'
    none = made(ANSWERS)
    assert not none.may_pass
    assert written(none).index(refusal) < written(none).index("<h1>")
    some = made(ANSWERS, **{given_for: "yes"})
    assert some.may_pass
    assert refusal not in written(some)
    assert len(some.consents) == 7
    assert written(some).count('<div class="row consent">') == 7
    assert written(some).count('<p class="label">Yes') == 2
    assert written(some).count('<p class="label no">No') == 5


def test_counting_or_checking_is_no_passing_on() -> None:
    other = dict.fromkeys(("c_count", "c_verify", "c_contact_investigator"), "yes")
    assert not made({**ANSWERS, **other}).may_pass
    assert not made({**ANSWERS, "c_refer": "Yes"}).may_pass
    assert not made({**ANSWERS, "c_refer": ("yes", "no")}).may_pass


def test_the_last_consent_counts_and_later_words_are_in_the_file() -> None:
    first, more = told({**ANSWERS, "c_refer": "yes"}), told({"account": "နောက်ထပ်"}, kind="words")
    file = redaction.redact(case(first, more), [first, more], ["account"], ["နောက်"], MY)
    assert file.may_pass  # more words ask for no consent
    assert shown(file).endswith("\n▇ထပ်")
    assert "More words of 2026-11<" in written(file)
    again = [first, told(ANSWERS), more]
    assert not redaction.redact(case(*again), again, ["account"], [], MY).may_pass
    assert not redaction.redact(case(more), [more], ["account"], [], MY).consents


def test_a_withdrawn_case_is_never_written() -> None:
    found = [told(ANSWERS), envelope({}, kind="withdrawal")]
    with pytest.raises(Unsafe, match="withdrawn"):
        redaction.redact(case(*found), found, ["account"], [], MY)


@pytest.mark.parametrize("strike", ["", " ", "a", "က", "။ ၊ \u200b", "-,.", "\u0301", "👍"])
def test_what_is_too_short_is_refused(strike: str) -> None:
    """One letter would strike half the page, and nothing strikes nothing."""
    with pytest.raises(Misuse, match="Passage 2 is empty, or too short"):
        made({"account": f"{NAME} {strike}"}, [NAME, strike])


def test_a_slip_of_the_pen_is_refused_and_not_repeated() -> None:
    with pytest.raises(Misuse, match=r"Passage 2 is nowhere in this case\.") as refused:
        made({"account": NAME}, [NAME, "ကျော်ဇွာ"])
    assert "ဇွာ" not in str(refused.value.what + refused.value.hint)


def test_a_passage_may_stand_in_an_answer_that_is_not_kept() -> None:
    file = made({"account": "က ခ", "vet_hint": NAME}, [NAME])
    assert (shown(file), file.strikes) == ("က ခ", 0)


def test_a_key_that_no_answer_has_is_refused() -> None:
    with pytest.raises(Misuse, match="has the key acount") as refused:
        made(ANSWERS, keep=("acount",))
    assert "account" in refused.value.hint
    with pytest.raises(Misuse, match="has the key c_refer"):  # consents are always there
        made({**ANSWERS, "c_refer": "yes"}, keep=("c_refer",))


def test_what_our_form_does_not_ask_is_struck_too() -> None:
    key = "\x1b[0m<b>\u202e" + NAME
    file = made({key: f"က {NAME}"}, [NAME], (key,))
    assert shown(file) == "က ▇"
    assert "Not asked by this form" in written(file)
    assert not holds(written(file).encode(), NAME)


def test_hostile_words_stay_words() -> None:
    typed = (
        "</bdi><script>alert(1)</script><bdi><img src=x> \u202egnp.exe\u202c\x1b[31m\x07 {{7*7}} "
        f'<b class="u">{NAME}</b> <!-- {NAME} --> </p><p class="typed">'
    )
    data = written(made({"account": typed, "rank": typed}, [NAME], ("account", "rank")))
    assert terminal.visible(data) == data
    for tag in ("<script", "<img", "<!--", "49 "):
        assert tag not in data.split("</style>")[1]
    assert "default-src 'none'" in data
    assert not holds(data.encode(), NAME)
    assert data.count(BAR) == 4 + 1  # one more is the sample


@pytest.mark.parametrize("marks", ["\u0301", "\u0301\u0323", "\u1037\u0323\u103a"])
def test_100_000_marks_upon_one_letter(marks: str) -> None:
    typed = "a" + marks * (100_000 // len(marks))
    pieces = passage.struck(f"{typed} {NAME} {typed}b", [NAME])
    assert pieces == (f"{typed} ", "", f" {typed}b")
    fits = typed[:4_000]  # each mark is named on the page, which takes longer
    assert written(made({"account": f"{fits} {NAME} {fits}b"}, [NAME])).count(BAR) == 2
    assert shown(made({"account": f"က {fits}b ခ"}, [f"{fits}b"])) == "က ▇ ခ"


@pytest.mark.parametrize("number", range(len(hidden_in(NAME))))
def test_a_passage_in_other_clothes_is_found_and_nothing_is_written(number: int) -> None:
    """What the source spelled in code is not struck, but the page is refused."""
    coded = hidden_in(NAME)[number].decode()
    if passage.searched(coded) == passage.searched(NAME):
        assert shown(made({"account": coded}, [NAME])) == "▇"
        return
    file = made({"account": f"{NAME} က {coded} ခ"}, [NAME])
    assert file.strikes == 1
    with pytest.raises(Unsafe, match="Passage 1 is still in the page") as refused:
        written(file)
    assert NAME not in refused.value.what + refused.value.hint


def test_utf_16_in_the_bytes_is_found() -> None:
    for name in ("utf-16-le", "utf-16-be"):
        typed = NAME.encode(name).decode("latin-1")
        assert NAME.encode(name).lower() in set(passage.spellings(NAME)), typed


def test_a_strike_that_fails_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is searched for what was to be struck, whatever struck it."""
    monkeypatch.setattr(redaction, "struck", lambda text, _: (text,))
    for typed, strike in SAME.values():
        with pytest.raises(Unsafe, match="still in the page"):
            written(made({"account": f"ရှေ့ {typed} နောက်"}, [strike]))


def test_words_outside_the_answers_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template that puts an answer into a comment, a title or an attribute writes no page."""
    render = page.render

    def leaky(template: str, *, veiled: bool, file: Redacted, **shown: object) -> str:
        said = "x" if veiled else "".join(p for a in file.answers for p in a.pieces)
        return render(template, veiled=veiled, file=file, **shown) + f"<!-- {said} -->"

    monkeypatch.setattr(page, "render", leaky)
    with pytest.raises(Unsafe, match="only our words"):
        written(made({"account": "nothing struck"}))


# What ICU's my-Zawgyi makes of the Unicode beside it.
OLD_NAME = "\u1031\u1019\u102c\u1004\u1039\u1031\u1000\u103a\u102c\u1039\u1005\u103c\u102c"
OLD_PART = "\u1031\u1000\u103a\u102c\u1039"  # ကျော်, too short to be judged
OLD = (
    "\u1000\u103c\u107d\u1014\u1039\u1031\u1010\u102c\u1039 \u101b\u103c\u102c\u1000\u102d\u102f "
    "\u1011\u103c\u1000\u1039\u1031\u103b\u1015\u1038\u1001\u1032\u1037\u1010\u101a\u1039\u104b "
    f"{OLD_NAME} \u1014\u1032\u1094\u1021\u1010\u1030"
)
NEW = f"ကျွန်တော် ရွာကို ထွက်ပြေးခဲ့တယ်။ {NAME} နဲ့အတူ"


@pytest.mark.parametrize("strike", [NAME, OLD_NAME], ids=["Unicode", "Zawgyi"])
@pytest.mark.parametrize("typed", [NEW, OLD], ids=["in Unicode", "in Zawgyi"])
def test_zawgyi_and_unicode_strike_each_other(typed: str, strike: str) -> None:
    file = made({"account": typed}, [strike])
    data = written(file)
    assert shown(file) == NEW.replace(NAME, "▇")
    assert ("Typed in Zawgyi" in data) == (typed == OLD)
    assert not holds(data.encode(), NAME)
    assert not holds(data.encode(), OLD_NAME)


@pytest.mark.parametrize("strike", ["ကျော်", OLD_PART], ids=["Unicode", "Zawgyi"])
def test_what_is_too_short_to_be_judged_is_read_both_ways(strike: str) -> None:
    """Which letters of Zawgyi a Unicode passage is, nobody can say: then all of it goes."""
    file = made({"account": "က", "vet_hint": f"x {OLD_PART}"}, [strike], ("vet_hint",))
    assert shown(file) == "▇"
    assert not holds(written(file).encode(), OLD_PART)


SYLLABLES = st.lists(
    st.builds(
        "".join,
        st.tuples(
            st.sampled_from([*"ကခဂငစညတထနပဖဗမယရလဝသဟအဥဩ", "န္တ", "က္က", "ၸ"]),
            st.sampled_from(["", "ျ", "ြွ", "ှ"]),
            st.sampled_from(["", "ာ", "ို", "ေ", "ု့", "င်း", "ံ", "\u102e"]),
            st.sampled_from(["", "", "", " ", "\n", "။", "\u200b", "၅", "7"]),
        ),
    ),
    min_size=3,
    max_size=40,
)


@given(SYLLABLES, st.data())
def test_nothing_of_a_struck_passage_is_in_the_bytes(typed: list[str], data: st.DataObject) -> None:
    text = "".join(typed)
    assume(zawgyi.copy(text) == text)
    struck = []
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text) - 1))
        piece = text[start : start + data.draw(st.integers(4, 40))]
        if len(letters(piece)) >= 4:
            composed = data.draw(st.booleans())
            struck.append(unicodedata.normalize("NFC" if composed else "NFD", piece))
    found = [told({"account": text, "vet_hint": text[::-1]})]
    struck = [one for one in struck if passage.stands(one, text)]  # not half a syllable, reordered
    file = redaction.redact(case(*found), found, ["account"], struck, str)
    made_page = redaction.html(file, str, demo=True)
    for one in struck:
        assert not holds(made_page, one)
    assert bool(struck) == bool(file.strikes)


@given(SYLLABLES)
def test_what_is_not_struck_is_still_there(typed: list[str]) -> None:
    text = "".join(typed)
    assert "".join(passage.struck(text, ["zz"])) == text
    pieces = passage.struck(f"{text}zz{text}zz", ["zz"])
    assert pieces[1] == pieces[3] == ""
    assert pieces[0] == pieces[2] == text


def desk_with(tmp_path: Path, answers: Mapping[str, Answer], *more: Sealed) -> tuple[Desk, str]:
    desk = Desk(tmp_path / "desk")
    row = sealed_row("mine", answers)
    desk.bring(desk.bundle_for("alice", True, row, *more))
    return desk, row.case.hex()


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "clock", lambda: FIRST)


def test_redact_writes_the_page_and_says_no_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk, tag = desk_with(tmp_path, {**ANSWERS, "account": f"{NAME} က {NAME}\nU Kyaw"})
    strike, out = desk.root / "strike.txt", desk.root / "page.html"
    strike.write_bytes(b"\xef\xbb\xbf" + NAME.encode() + b"\r\nU KYAW\r\n")
    desk.run(
        *("redact", tag[:8], *desk.here("alice"), "--keep", "account,rank"),
        *("--strike", strike, "--out", out),
    )
    said = capsys.readouterr().out
    assert "2 answers, 3 bars" in said
    assert "did not agree" in said
    assert f"delete {strike}" in said
    assert NAME not in said
    data = out.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert not holds(data, NAME)
    assert not holds(data, "kyaw")
    assert "DEMO" in data.decode() or not desk.made.keyring.demo
    with pytest.raises(Misuse, match="exists already"):
        desk.run("redact", tag, *desk.here("alice"), "--keep", "rank", "--out", out)


def test_a_file_of_passages_may_come_from_another_system() -> None:
    assert passage.read("\ufeffက ခ\r\n- ab -\r\n".encode()) == ["က ခ", "- ab -"]
    assert passage.read(b"ab\x0b\x1c\xe2\x80\xa8cd") == ["ab\x0b\x1c\u2028cd"]


@pytest.mark.parametrize(
    ("passages", "match"),
    [
        (b"", "Passage 1 is empty"),
        (f"{NAME}\n\n".encode(), "Passage 2 is empty"),
        (f"\n{NAME}\n".encode(), "Passage 1 is empty"),
        (b"nowhere\n", "Passage 1 is nowhere"),
        (NAME.encode("utf-16"), "not UTF-8"),
        (NAME.encode()[:-1], "not UTF-8"),
    ],
)
def test_a_file_of_passages_with_a_slip_writes_nothing(
    tmp_path: Path, passages: bytes, match: str
) -> None:
    desk, tag = desk_with(tmp_path, {**ANSWERS, "account": NAME})
    strike, out = desk.root / "strike.txt", desk.root / "page.html"
    strike.write_bytes(passages)
    given_for = ("--keep", "account", "--strike", strike, "--out", out)
    with pytest.raises(Misuse, match=match):
        desk.run("redact", tag, *desk.here("alice"), *given_for)
    assert not out.exists()


def test_a_part_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    more = sealed_row("mine", {"account": "more"}, kind="words")
    desk, tag = desk_with(tmp_path, ANSWERS, more)
    found = desk.state("alice").cases[bytes.fromhex(tag)]
    assert len(found.received) == 2
    (lost,) = (item for item in found.received if item.kind == "words")
    blob_path(desk.casebook, lost.blob).unlink()
    out = desk.root / "page.html"
    with pytest.raises(Incomplete, match="cannot be read"):
        desk.run("redact", tag, *desk.here("alice"), "--keep", "account", "--out", out)
    data = out.read_bytes()
    assert str(ANSWERS["account"])[:10] in data.decode()
    assert b"blobs" not in data
