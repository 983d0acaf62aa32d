"""The declared form: what it accepts, what it refuses, and that this fits one envelope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import FrozenInstanceError
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intake import canonical
from intake.declaration import KINDS, check
from intake.desk import opened
from intake.errors import BadFile, Misuse
from intake.form import READERS, WORST_CASE, Errors, Form, Question, Sentence
from intake.form import Testimony as ATestimony  # pytest would collect a name in Test…
from intake.settings import FORM

TODAY = date(2026, 11, 22)
CDM = Form.load(FORM)
QUESTIONS = {question.key: question for question in CDM.questions()}
NEEDED = {"consent_store": ["yes"], "intent": ["skip"], "urgency": ["skip"], "force": ["skip"]}

UNICODE = "ဗိုလ်ကြီးက ပစ်ဖို့ အမိန့်ပေးတယ်။ ၂၀၂၁ ခုနှစ် ဩဂုတ်လ ၁၉ ရက်။"
ZAWGYI = "ဗိုလ္ႀကီးက ပစ္ဖို႔ အမိန႔္ေပးတယ္။"
SHAN = "ၵူၼ်းတႆး ႑႒႓"
HARD = ["\x01", "\x1f", "\x7f", "\n", "\r\n", "\r", '"', "\\", "\u200b", "\u202e", "\u2028", "🧕🏾"]

Wire = Mapping[str, Sequence[str]]


def validate(answers: Wire, form: Form = CDM, today: date = TODAY) -> ATestimony | Errors:
    return form.validate(answers, today)


def accept(answers: Wire, form: Form = CDM) -> ATestimony:
    testimony = validate(answers, form)
    assert isinstance(testimony, ATestimony), dict(testimony)
    return testimony


def refuse(answers: Wire) -> Errors:
    errors = validate(answers)
    assert isinstance(errors, Errors)
    return errors


def wire(testimony: ATestimony, form: Form = CDM) -> dict[str, list[str]]:
    """Spell a testimony as a browser would send it."""
    sent: dict[str, list[str]] = {}
    for question in form.questions():
        answer = testimony.answers.get(question.key, "")
        if question.kind == "date" and isinstance(answer, str):
            sent |= {n: [p] for n, p in zip(question.names(), answer.split("-"), strict=False)}
        else:
            sent[question.key] = [answer] if isinstance(answer, str) else list(answer)
    return sent


def text(limit: int) -> st.SearchStrategy[str]:
    """Texts up to the limit, and often at it: Burmese, Zawgyi, emoji, controls, anything."""
    any_sign = st.characters(codec="utf-8", exclude_characters="\0")
    parts = st.sampled_from([UNICODE, ZAWGYI, SHAN, "က", *HARD]) | any_sign
    free = st.lists(parts, max_size=40).map("".join)
    full = st.lists(parts, min_size=1, max_size=4).map(lambda p: ("".join(p) * limit)[:limit])
    return st.one_of(st.just(""), free.map(lambda t: t[:limit]), full)


def sendings(question: Question) -> st.SearchStrategy[dict[str, list[str]]]:
    """What a browser could send for a question, and the form should accept."""
    codes = st.sampled_from(question.codes() or ("",))
    values: dict[str, st.SearchStrategy[list[str]]] = {
        "one": codes.map(lambda code: [code]),
        "many": st.lists(codes, unique=True),
        "text": text(question.limit).map(lambda t: [t]),
        "number": st.integers(0, 10**question.limit - 1).map(lambda n: [str(n)]),
        "consent": st.sampled_from([["yes"], ["no"], [""], []]),
    }
    if question.kind == "date":
        days = st.dates(date(question.from_year, 1, 1), TODAY)
        parts = days.map(lambda d: [[str(d.year)], [str(d.month)], [str(d.day)]])
        sent = parts.map(lambda p: dict(zip(question.names(), p, strict=True)))
        months = sent.map(lambda s: {**s, question.names()[2]: [""]})
        return sent | months
    return values[question.kind].map(lambda v: {question.key: v})


def everything() -> st.SearchStrategy[dict[str, list[str]]]:
    """A whole body: each question answered, left out, or, where needed, answered."""
    each = [sendings(q) if not q.required else st.just({}) for q in CDM.questions()]
    merged = st.tuples(*(strategy | st.just({}) for strategy in each))
    return merged.map(lambda parts: {k: v for part in parts for k, v in part.items()} | NEEDED)


GREATEST = {q.key: [q.codes()[0]] for q in CDM.questions() if q.kind == "one"} | {
    **{q.key: list(q.codes()) for q in CDM.questions() if q.kind == "many"},
    **{q.key: ["\x01" * q.limit] for q in CDM.questions() if q.kind == "text"},
    **{q.key: ["9" * q.limit] for q in CDM.questions() if q.kind == "number"},
    **{q.key: ["yes"] for q in CDM.questions() if q.kind == "consent"},
    **{
        n: [v]
        for k in ("left", "happened")
        for n, v in zip(QUESTIONS[k].names(), ("2021", "12", "31"), strict=True)
    },
}


@given(everything())
@example(GREATEST)
@example(dict(NEEDED))
def test_everything_accepted_fits_the_envelope_and_comes_back(answers: Wire) -> None:
    testimony = accept(answers)
    data = testimony.canonical()
    assert len(data) <= CDM.worst_case() <= WORST_CASE
    again = opened.testimony(canonical.load(data))
    assert again == testimony
    assert accept(wire(again)) == testimony


@pytest.mark.parametrize("character", ["က", "🧕", "\x01", '"', "\\", "\u2028", "a"])
def test_texts_of_one_character_fit_at_every_limit(character: str) -> None:
    texts = {q.key: [character * q.limit] for q in CDM.questions() if q.kind == "text"}
    testimony = accept({**GREATEST, **texts})
    assert len(testimony.canonical()) <= CDM.worst_case()


def test_the_worst_case_is_nearly_met() -> None:
    """A bound far above what can happen would let a form be refused for nothing."""
    assert CDM.worst_case() - len(accept(GREATEST).canonical()) < 200


@pytest.mark.parametrize("character", ["\U0001f9d5", "က", "\n"])
def test_a_body_a_quarter_over_every_limit_is_within_the_body_limit(character: str) -> None:
    over = {
        q.key: [character.replace("\n", "\r\n") * (q.limit * 5 // 4)]
        for q in CDM.questions()
        if q.kind in {"text", "number"}
    }
    longest = {q.key: [max(q.codes(), key=len)] for q in CDM.questions() if q.kind == "one"}
    body = urlencode({**GREATEST, **longest, **over}, doseq=True)
    assert len(body) + 2048 <= CDM.body_limit()
    assert CDM.body_limit() <= 64 * 1024


@pytest.mark.parametrize(
    "typed", [UNICODE, ZAWGYI, SHAN, "  က  ", "က\u200bခ", "ဥ\u102e", "\u103a\u1037", "\u1037\u103a"]
)
def test_text_is_kept_exactly_as_typed(typed: str) -> None:
    assert accept({**NEEDED, "account": [typed]}).answers["account"] == typed


def test_only_crlf_changes() -> None:
    answers = accept({**NEEDED, "account": ["က\r\nခ\rဂ\n\r\n"]}).answers
    assert answers["account"] == "က\nခ\rဂ\n\n"


def test_the_limit_counts_characters_after_crlf() -> None:
    limit = QUESTIONS["account"].limit
    full = accept({**NEEDED, "account": ["\r\n" * (limit - 1) + "က"]}).answers["account"]
    assert len(full) == limit
    errors = refuse({**NEEDED, "account": ["က" * (limit + 7)]})
    assert errors["account"] == Sentence.TOO_LONG
    assert errors.numbers["account"] == {"over": 7, "limit": limit}


@pytest.mark.parametrize("typed", ["", " ", "\r\n", "\t \n", "\u3000"])
def test_white_space_is_no_answer(typed: str) -> None:
    assert "account" not in accept({**NEEDED, "account": [typed]}).answers
    assert refuse({**NEEDED, "intent": [""]})["intent"] == Sentence.REQUIRED


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("၅၂၈", "528"),
        ("႕႒႘", "528"),
        ("၅၂ဝ", "520"),
        ("ဝ၂၅", "25"),
        ("025", "25"),
        (" ၂၅ ", "25"),
        ("0", "0"),
        ("\u101d", "0"),
        ("႐", "0"),
        ("5၂႘", "528"),
        ("၁\u101d႐0", "1000"),
        ("၉၉၉၉၉၉", "999999"),
    ],
)
def test_numbers_have_one_spelling(typed: str, stored: str) -> None:
    assert accept({**NEEDED, "unit_no": [typed]}).answers["unit_no"] == stored


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (("2021", "8", "19"), "2021-08-19"),
        (("2021", "8", ""), "2021-08"),
        (("၂၀၂၁", "ဝ၈", "၁၉"), "2021-08-19"),
        (("2024", "2", "29"), "2024-02-29"),
        (("2026", "11", "22"), "2026-11-22"),
        (("2026", "11", "23"), "2026-11-23"),  # where the source is, it is tomorrow already
        (("2026", "11", ""), "2026-11"),
        (("2011", "1", "1"), "2011-01-01"),
        (("", "", ""), None),
    ],
)
def test_dates(sent: tuple[str, str, str], stored: str | None) -> None:
    assert accept({**NEEDED, **date_of("left", sent)}).answers.get("left") == stored


def test_next_month_has_begun_for_the_source_on_the_last_evening() -> None:
    answers = {**NEEDED, **date_of("left", ("2026", "12", ""))}
    assert isinstance(CDM.validate(answers, date(2026, 11, 30)), ATestimony)
    assert isinstance(CDM.validate(answers, date(2026, 11, 29)), Errors)
    assert QUESTIONS["left"].years(date(2026, 12, 31))[0] == 2027


@pytest.mark.parametrize(
    ("answers", "key", "sentence"),
    [
        ({"consent_store": []}, "consent_store", Sentence.NO_CONSENT),
        ({"consent_store": ["no"]}, "consent_store", Sentence.NO_CONSENT),
        ({"consent_store": ["on"]}, "consent_store", Sentence.NOT_A_CHOICE),
        ({"c_count": ["yes", "no"]}, "c_count", Sentence.DOUBLED),
        ({"intent": []}, "intent", Sentence.REQUIRED),
        ({"intent": ["testify", "testify"]}, "intent", Sentence.DOUBLED),
        ({"intent": ["testify", "ထွက်ဆို"]}, "intent", Sentence.NOT_A_CHOICE),
        ({"urgency": [""]}, "urgency", Sentence.REQUIRED),
        ({"urgency": ["today", "later"]}, "urgency", Sentence.DOUBLED),
        ({"force": ["Army"]}, "force", Sentence.NOT_A_CHOICE),
        ({"force": ["army "]}, "force", Sentence.NOT_A_CHOICE),
        ({"posted": ["MMR006"[:3]]}, "posted", Sentence.NOT_A_CHOICE),
        ({"rank": ["ဗိုလ်ကြီး"]}, "rank", Sentence.NOT_A_CHOICE),
        ({"account": ["က", "ခ"]}, "account", Sentence.DOUBLED),
        ({"account": ["", ""]}, "account", Sentence.DOUBLED),
        ({"account": ["က" * 2001]}, "account", Sentence.TOO_LONG),
        ({"vet_hint": ["က" * 301]}, "vet_hint", Sentence.TOO_LONG),
        ({"account": ["a\0b"]}, "account", Sentence.NOT_SHOWN),
        ({"account": ["\0" * 2001]}, "account", Sentence.NOT_SHOWN),
        ({"unit_no": ["၁၂၃၄၅၆၇"]}, "unit_no", Sentence.NOT_A_NUMBER),
        ({"unit_no": ["0000001"]}, "unit_no", Sentence.NOT_A_NUMBER),
        ({"unit_no": ["ခမရ ၂၅"]}, "unit_no", Sentence.NOT_A_NUMBER),
        ({"unit_no": ["-25"]}, "unit_no", Sentence.NOT_A_NUMBER),
        ({"unit_no": ["2.5"]}, "unit_no", Sentence.NOT_A_NUMBER),
        ({"unit_no": ["²"]}, "unit_no", Sentence.NOT_A_NUMBER),
        ({"unit_no": ["25", "26"]}, "unit_no", Sentence.DOUBLED),
        ({"left-day": ["19"]}, "left", Sentence.HALF_A_DATE),
        ({"left-month": ["8"], "left-day": ["19"]}, "left", Sentence.HALF_A_DATE),
        ({"left-year": ["2021"]}, "left", Sentence.HALF_A_DATE),
        ({"left-year": ["2021"], "left-day": ["19"]}, "left", Sentence.HALF_A_DATE),
        ({"left-year": ["2021", "2022"], "left-month": ["8"]}, "left", Sentence.DOUBLED),
        ({"left-year": ["2021"], "left-month": ["13"]}, "left", Sentence.NO_SUCH_DAY),
        ({"left-year": ["2021"], "left-month": ["0"]}, "left", Sentence.NO_SUCH_DAY),
        ({"left-year": ["0"], "left-month": ["8"]}, "left", Sentence.NO_SUCH_DAY),
        ({"left-year": ["20211"], "left-month": ["8"]}, "left", Sentence.NOT_A_CHOICE),
        ({"left-year": ["ခုနှစ်"], "left-month": ["8"]}, "left", Sentence.NOT_A_CHOICE),
        ({"left-year": ["2010"], "left-month": ["12"]}, "left", Sentence.NOT_A_CHOICE),
        ({"left-year": ["2026"], "left-month": ["12"]}, "left", Sentence.FUTURE),
        ({"left-year": ["9999"], "left-month": ["12"]}, "left", Sentence.FUTURE),
        ({"left": ["2021-08"]}, "", Sentence.UNKNOWN_FIELD),
        ({"name": ["မောင်မောင်"]}, "", Sentence.UNKNOWN_FIELD),
        ({"weapon": []}, "", Sentence.UNKNOWN_FIELD),
    ],
)
def test_refusals(answers: Wire, key: str, sentence: Sentence) -> None:
    errors = refuse({**NEEDED, **answers})
    assert errors == {key: sentence}
    assert errors.numbers.keys() == {key}
    assert sentence.format(**errors.numbers[key])  # every brace has its number


@pytest.mark.parametrize("parts", [("2021", "2", "29"), ("2021", "8", "32"), ("2021", "8", "0")])
def test_days_that_do_not_exist(parts: tuple[str, str, str]) -> None:
    assert refuse({**NEEDED, **date_of("left", parts)}) == {"left": Sentence.NO_SUCH_DAY}


def test_tomorrow_but_one_is_the_future() -> None:
    answers = {**NEEDED, **date_of("left", ("2026", "11", "24"))}
    assert refuse(answers) == {"left": Sentence.FUTURE}


def test_every_error_is_told_at_once_in_order() -> None:
    errors = refuse({"account": ["က" * 2001], "left-year": ["2021"], "unit_no": ["က"], "x": ["y"]})
    order = ["", "intent", "urgency", "force", "unit_no", "left", "account", "consent_store"]
    assert list(errors) == order


def test_no_error_repeats_what_was_typed() -> None:
    canary = "လျှို့ဝှက်စကား"
    errors = refuse({name: [canary] for name in CDM.names() if name != "account"} | {canary: ["1"]})
    assert canary not in repr((errors, errors.numbers))
    assert set(errors.values()) <= set(Sentence)


def test_order_of_sending_does_not_matter() -> None:
    one = accept({**NEEDED, "needs": ["route", "shelter"], "rank": ["SGT"]})
    other = accept({"rank": ["SGT"], "needs": ["shelter", "route"], **NEEDED})
    assert one.canonical() == other.canonical()
    assert one.answers["needs"] == ("shelter", "route")


def test_what_was_not_answered_is_absent_and_no_is_not_an_answer() -> None:
    empty = {name: [""] for name in CDM.names()}
    no = {q.key: ["no"] for q in CDM.questions() if q.kind == "consent"}
    testimony = accept({**empty, **no, **NEEDED})
    assert testimony.answers.keys() == NEEDED.keys()
    assert canonical.load(testimony.canonical()) == {
        "form": "cdm",
        "version": 1,
        "answers": {"consent_store": "yes", "intent": ["skip"], "urgency": "skip", "force": "skip"},
    }


def test_a_testimony_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        accept(NEEDED).version = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"form": "cdm", "version": 1},
        {"form": "cdm", "version": 1, "answers": {}, "more": 1},
        {"form": 1, "version": 1, "answers": {}},
        {"form": "cdm", "version": "1", "answers": {}},
        {"form": "cdm", "version": True, "answers": {}},
        {"form": "cdm", "version": 1, "answers": []},
        {"form": "cdm", "version": 1, "answers": {"a": 1}},
        {"form": "cdm", "version": 1, "answers": {"a": None}},
        {"form": "cdm", "version": 1, "answers": {"a": {"b": "c"}}},
        {"form": "cdm", "version": 1, "answers": {"a": ["b", 1]}},
        {"form": "cdm", "version": 1, "answers": {"a": [["b"]]}},
    ],
)
def test_reading_back_refuses_other_shapes(value: object) -> None:
    with pytest.raises(BadFile):
        opened.testimony(value)


def test_reading_back_takes_a_form_this_machine_does_not_know() -> None:
    value = {"form": "other", "version": 7, "answers": {"new": "သစ်", "more": ["a", "b"]}}
    testimony = opened.testimony(value)
    assert testimony.as_object() == value
    assert testimony.answers == {"new": "သစ်", "more": ("a", "b")}


# The form for Myanmar's Civil Disobedience Movement.


def test_what_the_form_needs_and_never_asks() -> None:
    assert {q.key for q in CDM.questions() if q.required} == NEEDED.keys()
    for key in ("intent", "urgency", "force"):
        assert "skip" in QUESTIONS[key].codes()
    asked = " ".join(CDM.names())
    for word in ("name", "phone", "nrc", "card", "religion", "ethnic", "weapon", "photo", "now"):
        assert word not in asked


def test_a_township_cannot_contradict_its_region() -> None:
    groups = QUESTIONS["posted"].groups
    assert len(groups) == 18
    for number, group in enumerate(groups.values(), start=1):
        region, *townships = group
        assert region == f"MMR{number:03}"
        assert all(code.startswith(region) and len(code) == 9 for code in townships)
    assert len(QUESTIONS["posted"].codes()) == 18 + 330


def test_the_articles_people_can_answer() -> None:
    """A captain of the DSA's 54th intake; a sergeant of police in Yinmarbin; LIB 25 in Dawei."""
    labels = {c: label for g in QUESTIONS["posted"].groups.values() for c, label in g.items()}
    assert "Yinmarbin" in labels["MMR005016"]
    assert labels["MMR006001"] == "Dawei"
    assert {"CAPT", "POL_SGT", "other_ranks", "officer_senior"} <= set(QUESTIONS["rank"].codes())
    assert {"LIB", "POL_STATION", "UNKNOWN"} <= set(QUESTIONS["unit_type"].codes())


# Another group's form.

GOOD = """
id = "harbour"
version = 3
title = "ဆိပ်ကမ်း"
[[section]]
key = "one"
title = "One"
[[section.question]]
key = "what"
kind = "one"
label = "What?"
[section.question.choices]
ship = "Ship"
[section.question.choices."On land"]
cart = "Cart"
[[section.question]]
key = "words"
kind = "text"
limit = 3
label = "Words"
"""


def declared(tmp_path: Path, declaration: str) -> Form:
    path = tmp_path / "other.toml"
    path.write_text(declaration, encoding="utf-8")
    return check(path)


def test_another_group_brings_its_own_file(tmp_path: Path) -> None:
    form = declared(tmp_path, GOOD)
    what = next(form.questions())
    assert list(what.groups) == [None, "On land"]
    assert what.codes() == ("ship", "cart")
    testimony = accept({"what": ["cart"], "words": ["ကခဂ"]}, form)
    assert testimony.as_object() == {
        "form": "harbour",
        "version": 3,
        "answers": {"what": "cart", "words": "ကခဂ"},
    }
    assert len(accept({"what": ["ship"], "words": ["\x03\x01\x02"]}, form).canonical()) <= (
        form.worst_case()
    )


def test_the_bound_holds_for_the_longest_number_and_the_shortest_text(tmp_path: Path) -> None:
    number = '[[section.question]]\nkey = "n{}"\nkind = "number"\nlimit = 15\nlabel = "N"\n'
    form = declared(tmp_path, GOOD + number.format(1) + number.format(2))
    numbers = {"n1": ["9" * 15], "n2": ["9" * 15]}
    sent = {"what": ["cart"], "words": ["\x01\x02\x03"], **numbers}
    assert len(accept(sent, form).canonical()) <= form.worst_case()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('id = "harbour"\n', "", "id"),
        ('id = "harbour"', 'id = "Har bour"', "id"),
        ("version = 3", "version = true", "version"),
        ("version = 3", 'version = "3"', "version"),
        ('title = "ဆိပ်ကမ်း"', 'title = ""', "title"),
        ("version = 3", "version = 3\nversoin = 3", "versoin"),
        ("[[section]]", "[section]", "section"),
        ('kind = "one"', 'kind = "slider"', "kind"),
        ('kind = "one"', 'kind = ["one"]', "kind"),
        ('kind = "one"', 'kind = "many"\nlimit = 3', "limit"),
        ('kind = "one"', 'kind = "one"\nrequired = "yes"', "required"),
        ('kind = "one"', 'kind = "one"\nshow = "slider"', "show"),
        ('key = "words"', 'key = "what"', "what"),
        ('key = "words"', 'key = "one"', "one"),
        ('key = "words"', 'key = "words-day"', "key"),
        ('key = "words"', 'key = "_words"', "key"),
        ('label = "What?"\n', "", "label"),
        ('label = "Words"\n', 'label = " "\nlable = "Words"\n', "lable"),
        ("limit = 3", "", "limit"),
        ("limit = 3", "limit = 0", "limit"),
        ("limit = 3", "limit = 5000", "30000 bytes"),
        ("limit = 3", "limit = 30000", "limit"),
        ('cart = "Cart"', 'ship = "Cart"', "ship"),
        ('cart = "Cart"', '"ca rt" = "Cart"', "ca rt"),
        ('cart = "Cart"', "cart = 3", "cart"),
        ('cart = "Cart"', "", "On land"),
        ('ship = "Ship"', 'ship = "Ship"\nship = "Boat"', "cannot be read"),
        ('kind = "text"\nlimit = 3', 'kind = "date"', "from_year"),
        ('kind = "text"\nlimit = 3', 'kind = "number"\nlimit = 16', "limit"),
        ('kind = "text"\nlimit = 3', 'kind = "one"\nchoices = {}', "choices"),
        ('kind = "text"\nlimit = 3', 'kind = "many"\nchoices = ["a"]', "choices"),
    ],
)
def test_bad_declarations(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert GOOD.count(old) >= 1
    with pytest.raises(Misuse) as refused:
        declared(tmp_path, GOOD.replace(old, new, 1))
    assert said in refused.value.what
    assert "other.toml" in refused.value.what
    assert refused.value.hint


@pytest.mark.parametrize("section", ["section = []", "section = 3", "section = [3]", ""])
def test_a_form_has_sections(tmp_path: Path, section: str) -> None:
    with pytest.raises(Misuse, match="section"):
        declared(tmp_path, f'id = "a"\nversion = 1\ntitle = "A"\n{section}\n')


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(Misuse):
        check(tmp_path / "absent.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(Misuse):
        check(tmp_path / "bytes.toml")


def test_every_kind_that_may_be_declared_can_be_read() -> None:
    assert KINDS.keys() == READERS.keys()


def test_the_site_refuses_what_could_cost_a_testimony(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    for text in (
        "",
        "x = ",
        GOOD.replace("limit = 3", "limit = 5000"),
        "section = [3]",
        "section=3",
    ):
        other.write_text(text, encoding="utf-8")
        with pytest.raises(Misuse, match=r"other\.toml"):
            Form.load(other)
    with pytest.raises(Misuse):
        Form.load(tmp_path / "absent.toml")


def date_of(key: str, parts: tuple[str, str, str]) -> dict[str, list[str]]:
    return {f"{key}-{part}": [v] for part, v in zip(("year", "month", "day"), parts, strict=True)}
