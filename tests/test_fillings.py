"""Random fillings of the whole form, as browsers send them: stored as typed, or given back.

Rules:
- A filling is made field by field, and each field says by itself what is to be stored, or that it
  is wrong. The code that decides is never asked what is right.
- It is sent as a browser sends it (HTML 4.10.22 and WHATWG URL 5.2): line breaks are CRLF, a line
  of text holds none, a surrogate without its other half is U+FFFD.
- The page that comes back is read as a browser reads it (HTML 13.2): CR and CRLF are LF, the first
  line break of a textarea is not its own, U+0000 is U+FFFD. Then every control holds what it held.
- U+0000: Firefox ESR drops it, typed or pasted; Chromium sends it, and no page can bring it back.
  So it is refused by name, and what the page holds then is what is sent next.
"""

from __future__ import annotations

import json
import re
import sys
import time
from calendar import monthrange
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intake import days
from intake.age.unsealing import unseal
from intake.form import Form, Question
from intake.settings import FORM
from intake.wording import OFFERED
from tests.site_maker import ORIGIN, Site, make_site, receipt_in

COUNTS = [100, pytest.param(500, marks=pytest.mark.slow)]  # fillings
TODAY = date(2026, 11, 20)
DECLARED = Form.load(FORM)
PATHS = {language: "/" if language == OFFERED[0] else f"/{language}" for language in OFFERED}
URLENCODED = "application/x-www-form-urlencoded"
WORDS = [
    *("တပ်ရင်းမှူးက ပစ်ခိုင်းတယ်။ ", "မပစ်ခဲ့\u200bပါ။ ၂၀၂၁", "ၵူၼ်းတႆး ႑႒႓ ၸဝ်ႈ", "ကညီကျိၥ် အံၤ ဘၣ်တၢ်"),
    *("ဖၠုံ ကၠၫ့ၭ", "ေျပာျပခ်င္တယ္။ ကၽြန္ေတာ္", "plain words", "é e\u0301 ﬁ Å \u212b"),
]
SIGNS = [
    *(
        "👩🏽\u200d⚕\ufe0f",
        "👨\u200d👩\u200d👧\u200d👦",
        "🏳\ufe0f\u200d🌈",
        "🇲🇲",
        "😀",
        "\u200d",
        "\u200c",
    ),
    *("\u202egnp.exe\u202c", "\u2066a\u2069", "\u200e\u200f", "\u061c", "\ufeff", "\u2028\u2029"),
    *("\x01\x08\x0b\x0c\x1f", "\x1b]52;c;eA==\x07", "\x7f\x80\x85\x9f", "\ufdd0\ufffe\uffff"),
    *(
        "\n",
        "\r\n",
        "\r",
        "\n\n\n",
        "\t",
        " ",
        "\u00a0\u3000",
        "\ufffd",
        "\U0010ffff",
        "\U000e0041",
    ),
    *("\ud83d", "\ude00", "\ud83d\ude00\ud83d", "%00%0D+&=;~*", "&amp;&#0;&#13;&nbsp&", "\\0"),
    *("</textarea><script>alert(1)</script>", "\"'><!--", "{{ 7 * 7 }}", "=HYPERLINK(1)"),
]
DIGITS = ["0123456789", "၀၁၂၃၄၅၆၇၈၉", "႐႑႒႓႔႕႖႗႘႙", "ဝ၁၂၃၄၅၆၇၈၉", "٠١٢٣٤٥٦٧٨٩", "০১২৩৪৫৬৭৮৯"]
NOT_DIGITS = [
    *("x", "-1", "1.5", "၁ ၂", "²", "ဦး၁", "1e3", "+1", "①", "1\u200b", "1\x1b", "😀", "1\0", "၁။"),
]
MOST_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Filled:
    """One question: its controls as they stand in a browser; what is to be stored of it."""

    controls: tuple[tuple[str, str], ...]
    answer: str | list[str] | None  # None for nothing
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Filling:
    """The whole form, in a language."""

    language: str
    fields: dict[str, Filled]

    def controls(self) -> list[tuple[str, str]]:
        """Return name and value of every control that a browser sends, in order."""
        return [control for field in self.fields.values() for control in field.controls]

    def wrong(self) -> list[str]:
        """Return the keys of what cannot be stored, in order."""
        return [key for key, field in self.fields.items() if field.wrong]

    def answers(self) -> dict[str, str | list[str]]:
        """Return what is to be stored."""
        return {key: f.answer for key, f in self.fields.items() if f.answer is not None}


def held(text: str, *, area: bool = True) -> str:
    """Return what a control holds of a text that was put into it."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return re.sub("\r\n?|\n", "\n" if area else "", whole)


def body(controls: list[tuple[str, str]]) -> bytes:
    """Return the body that a browser makes of them."""
    pairs = ((name, re.sub("\r\n?|\n", "\r\n", value)) for name, value in controls)
    escaped = (f"{name}={quote_plus(value, safe='*')}" for name, value in pairs)
    return "&".join(escaped).replace("~", "%7E").encode("ascii")


class Page(HTMLParser):
    """A page as a browser has it: its form's controls, what it names as wrong, and how."""

    def __init__(self, page: str) -> None:
        """Parse ``page``."""
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.controls: list[tuple[str, str]] = []
        self.named: list[str] = []
        self.invalid: set[str] = set()
        self.said: dict[str, str] = {}
        self._select: list[str] | None = None
        self._area: tuple[str, list[str]] | None = None
        self._box = 0
        self._id = ""
        self.feed(held(page))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a control or a place of an error."""
        given = {name: (value or "").replace("\0", "\ufffd") for name, value in attrs}
        name, value, self._id = given.get("name", ""), given.get("value", ""), given.get("id", "")
        if given.get("aria-invalid") == "true":
            self.invalid.add(self._id)
        if tag == "div" and (self._box or self._id == "errors"):
            self._box += 1
        elif tag == "a" and self._box:
            self.named.append(given["href"])
        elif tag == "textarea":
            self._area = (name, [])
        elif tag == "select":
            self._select = []
            self.controls.append((name, ""))
        elif tag == "option" and self._select is not None:
            if not self._select or "selected" in given:
                self.controls[-1] = (self.controls[-1][0], value)
            self._select.append(value)
        elif tag == "input" and given["type"] == "hidden":
            self.hidden[name] = value
        elif tag == "input" and (given["type"] == "text" or "checked" in given):
            assert given["type"] in {"text", "checkbox", "radio"}
            self.controls.append((name, held(value, area=False)))

    def handle_endtag(self, tag: str) -> None:
        """Note that a control ends."""
        self._id = ""
        if tag == "div" and self._box:
            self._box -= 1
        elif tag == "textarea" and self._area is not None:
            name, parts = self._area
            self.controls.append((name, "".join(parts).removeprefix("\n")))
            self._area = None

    def handle_data(self, data: str) -> None:
        """Take the text of a textarea, and of a sentence beside a field."""
        if self._area is not None:
            self._area[1].append(data.replace("\0", "\ufffd"))
        elif self._id.endswith("-e"):
            self.said[self._id] = data.strip()


# What somebody may put into each kind of field.


def texts(question: Question, *, right: bool) -> st.SearchStrategy[Filled]:
    """From nothing to a quarter more than there is room for, and often just at the limit."""
    area = question.lines > 1
    part = st.sampled_from(WORDS) | st.sampled_from(SIGNS) | st.text(max_size=8)
    some = st.lists(part if right else part | st.just("\0"), max_size=6)
    lengths = [0, 1, question.limit - 1, question.limit]
    lengths += [] if right else [question.limit + 1, question.limit * 5 // 4]

    def make(parts: list[str], length: int | None) -> Filled:
        text = held("".join(parts), area=area)
        if length is not None:
            text = (text * length)[:length]
        if right:
            text = text.replace("\0", "")[: question.limit]
        wrong = "\0" in text or len(text) > question.limit
        if not text.strip():
            return Filled(((question.key, text),), None, question.required)
        return Filled(((question.key, text),), text, wrong)

    return st.builds(make, some, st.none() | st.sampled_from(lengths))


def numbers(question: Question, *, right: bool) -> st.SearchStrategy[Filled]:
    """Digits of any script, with spaces around; too many; and what is no number."""
    most = question.limit if right else MOST_DIGITS
    places = st.lists(st.tuples(st.sampled_from(DIGITS), st.integers(0, 9)), max_size=most)

    def digits(places: list[tuple[str, int]], around: str) -> Filled:
        typed = around + "".join(script[n] for script, n in places) + around
        answer = str(int("".join(str(n) for _, n in places))) if places else None
        wrong = len(places) > question.limit or (answer is None and question.required)
        return Filled(((question.key, typed),), answer, wrong)

    good = st.builds(digits, places, st.sampled_from(["", " ", "\u3000"]))
    bad = st.sampled_from(NOT_DIGITS).map(lambda typed: Filled(((question.key, typed),), "", True))
    return good if right else good | bad


def dates(question: Question, *, right: bool) -> st.SearchStrategy[Filled]:
    """Any choice in three menus."""
    last = TODAY + timedelta(days=1)
    years = st.sampled_from(["", *map(str, range(question.from_year, last.year + 1))])
    months, monthdays = (st.sampled_from(["", *map(str, range(1, n + 1))]) for n in (12, 31))

    def make(year: str, month: str, day: str) -> Filled:
        controls = tuple(zip(question.names(), (year, month, day), strict=True))
        if not (year and month):
            wrong = bool(year or month or day) or question.required
            return Filled(controls, None, wrong)
        if int(day or 1) > monthrange(int(year), int(month))[1]:
            return Filled(controls, None, True)
        wrong = date(int(year), int(month), int(day or 1)) > last
        answer = f"{year}-{int(month):02}" + (f"-{int(day):02}" if day else "")
        return Filled(controls, answer, wrong)

    made = st.builds(make, years, months, monthdays)
    return made.filter(lambda filled: not filled.wrong) if right else made


def ones(question: Question, *, right: bool) -> st.SearchStrategy[Filled]:
    """A choice or none; a menu sends also its line for none."""
    codes = list(question.codes())

    def make(code: str) -> Filled:
        sent = ((question.key, code),) if code or question.show != "radio" else ()
        return Filled(sent, code or None, not code and question.required)

    return st.sampled_from(codes if right and question.required else ["", *codes]).map(make)


def many(question: Question, *, right: bool) -> st.SearchStrategy[Filled]:
    """Any of the boxes, in the page's order."""
    codes = list(question.codes())

    def make(ticked: set[str]) -> Filled:
        answer = [code for code in codes if code in ticked]
        sent = tuple((question.key, code) for code in answer)
        return Filled(sent, answer or None, not answer and question.required)

    return st.sets(st.sampled_from(codes), min_size=right and question.required).map(make)


def consents(question: Question, *, right: bool) -> st.SearchStrategy[Filled]:
    """Ticked or not."""
    yes = Filled(((question.key, "yes"),), "yes")
    no = Filled((), None, question.required)
    return st.just(yes) if right and question.required else st.sampled_from([yes, no])


KINDS = {
    "text": texts,
    "number": numbers,
    "date": dates,
    "one": ones,
    "many": many,
    "consent": consents,
}


def fillings(*, right: bool) -> st.SearchStrategy[Filling]:
    """The whole form, with nothing wrong or with anything."""
    questions = list(DECLARED.questions())
    fields = st.tuples(*(KINDS[q.kind](q, right=right) for q in questions))
    named = fields.map(lambda found: dict(zip((q.key for q in questions), found, strict=True)))
    return st.builds(Filling, st.sampled_from(OFFERED), named)


# Sending them.


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site that is open, on a day that does not turn."""
    monkeypatch.setattr(days, "clock", lambda: TODAY)
    return make_site(tmp_path)


def seeds() -> Iterator[str]:
    """Yield a seed for each form, as a page would hide it."""
    number = 0
    while True:
        number += 1
        yield number.to_bytes(32, "big").hex()


def rows(site: Site) -> list[tuple[bytes, bytes]]:
    """Return what is stored."""
    return [row for period in site.store.counts() for row in site.store.page(period, b"", 9)]


def send(site: Site, client: FlaskClient, filling: Filling, hidden: dict[str, str]) -> bool:
    """Send it, check what comes back and what is stored; return whether it was stored."""
    sent = [*hidden.items(), *filling.controls()]
    path = PATHS[filling.language]
    answer = client.post(path, data=body(sent), content_type=URLENCODED, headers=ORIGIN)
    stored, wrong = rows(site), filling.wrong()
    if not wrong:
        assert answer.status_code == 200
        assert receipt_in(answer.text)
        ((row, sealed),) = stored
        opened = json.loads(unseal(sealed, list(site.made.periods.values())))
        assert opened["body"]["answers"] == filling.answers()
        assert opened["language"] == filling.language
        site.store.remove([row])
        return True
    page = Page(answer.text)
    assert answer.status_code == 400
    assert stored == []
    assert page.hidden["_seed"] == hidden["_seed"]
    assert page.controls == [(k, v.replace("\0", "\ufffd")) for k, v in filling.controls()]
    assert page.named == [f"#{key}" for key in wrong]
    assert page.invalid == set(wrong)
    assert page.said.keys() == {f"{key}-e" for key in wrong}
    assert all(page.said.values())
    return False


@pytest.mark.parametrize("count", COUNTS)
def test_fillings_are_stored_as_typed_or_given_back(
    site: Site, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    client, fresh, seen, start = site.client(), seeds(), Counter[str](), time.process_time()
    hidden = {language: Page(client.get(path).text).hidden for language, path in PATHS.items()}

    @settings(max_examples=count, suppress_health_check=list(HealthCheck))
    @given(fillings(right=True) | fillings(right=False))
    def check(filling: Filling) -> None:
        own = hidden[filling.language] | {"_seed": next(fresh)}
        stored = send(site, client, filling, own)
        seen.update(["stored" if stored else "back", filling.language, *filling.wrong()])
        seen.update(f"{key} stored" for key in filling.answers() if stored)

    check()
    with capsys.disabled():
        told = f"{seen['stored']} stored as typed, {seen['back']} given back"
        sys.stdout.write(f"\n  fillings: {told}, {time.process_time() - start:.1f} s of work\n")
    assert seen["stored"] + seen["back"] == count
    assert min(seen[name] for name in ("stored", "back", *OFFERED)) > count // 6
    can_be_wrong = [q.key for q in DECLARED.questions() if q.required or q.limit or q.from_year]
    assert all(seen[key] > count // 50 for key in can_be_wrong), seen
    assert all(seen[f"{q.key} stored"] > count // 50 for q in DECLARED.questions()), seen


def test_an_empty_page_holds_nothing(site: Site) -> None:
    """So that whatever stands in a page that came back was put there by the source."""
    client = site.client()
    for path in PATHS.values():
        page = Page(client.get(path).text)
        assert {value for _, value in page.controls} == {""}
        assert (page.named, page.invalid, page.said) == ([], set(), {})
