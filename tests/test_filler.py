"""The hidden filler: what it hides, and that nothing but the length on the line depends on it."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from deploy import bench_filler
from intake import receipt
from intake.form import Form
from intake.server import answers
from intake.settings import FORM, Settings
from intake.wording import OFFERED
from tests.site_maker import LEAST, ORIGIN, Site, make_site, receipt_in, seed_in
from tests.way_back import letter, post

URLENCODED = "application/x-www-form-urlencoded"
HIDDEN = 0.15  # of the entropy of the class, that the default may leave
WORDS = "တပ်ရင်းမှူးက ပစ်ခိုင်းတယ်။"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that is open."""
    return make_site(tmp_path)


def fillers(page: str) -> list[int]:
    """Return the length of each filler of a page, which is a run of one letter."""
    found: list[str] = re.findall(r'<input type="hidden" name="_fill" value="(o*)">', page)
    assert page.count('name="_fill"') == len(found)
    return [len(one) for one in found]


def pages(site: Site) -> list[Any]:
    """Return one of each page with a form that carries words, in every language."""
    client, found = site.client(), []
    digits = letter(client)
    for language in OFFERED:
        start = "" if language == OFFERED[0] else f"/{language}"
        found += [client.get(start or "/"), client.get(f"{start}/back")]
        found += [post(client, f"{start}/back", receipt=digits)]
    return found


def test_little_of_the_length_is_left_at_the_default() -> None:
    """Of 1,000 made-up testimonies; the seed is fixed, and nothing is drawn but them."""
    found = bench_filler.lengths(seed=1, count=1000)
    bits = [
        bench_filler.information(found, lambda length, most=most: bench_filler.seen(length, most))  # type: ignore[misc]
        for most in (0, bench_filler.DEFAULT, 65536)
    ]
    classes = Counter(bench_filler.cells(length) for length in found.elements())  # type: ignore[attr-defined]
    assert bits[0] == pytest.approx(bench_filler.entropy(n / 1000 for n in classes.values()))
    assert 0 < bits[2] < bits[1] < HIDDEN * bits[0]


@pytest.mark.parametrize(("length", "most"), [(400, 0), (498, 700), (997, 2000)])
def test_the_distributions_are_those_of_every_draw_counted(length: int, most: int) -> None:
    draws = [bench_filler.cells(length + drawn) for drawn in range(most + 1)]
    counted = {cell: n / len(draws) for cell, n in Counter(draws).items()}
    assert bench_filler.seen(length, most) == pytest.approx(counted)
    pairs = Counter((min(a, b), max(a, b)) for a in draws for b in draws)
    twice = bench_filler.seen_again(length, most, 2)
    assert {pair: share for pair, share in twice.items() if share > 1e-12} == pytest.approx(
        {pair: n / len(draws) ** 2 for pair, n in pairs.items()}
    )


def test_each_form_with_words_has_one_and_the_page_keeps_its_size(site: Site) -> None:
    """Also the longest that can be set; a form that takes files has none."""
    for most in (0, 16384, 65536):
        filled = replace(site, settings=replace(site.settings, fill=most))
        for answer in pages(filled):
            forms = re.findall(r'<form method="post"[^>]*>.*?</form>', answer.text, re.DOTALL)
            assert forms
            for form in forms:
                lengths = fillers(form)
                assert len(lengths) == ("multipart" not in form)
                assert all(0 <= length <= most for length in lengths)
            assert answer.content_length == answers.SIZE


def test_each_page_draws_evenly_from_none_to_the_most(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, asked = site.client(), []

    def draw(below: int) -> int:
        asked.append(below)
        return [0, below - 1, 7][len(asked) % 3]

    monkeypatch.setattr(secrets, "randbelow", draw)
    seen = [fillers(client.get("/").text) for _ in range(3)]
    assert seen == [[16384], [7], [0]]
    assert asked == [16385] * 3


def test_a_row_does_not_depend_on_it(site: Site) -> None:
    """The same form again, with another, without, and with any text in it: one row."""
    client = site.client()
    seed = seed_in(client.get("/").text)
    sent = {"_seed": seed, **LEAST, "account": WORDS}
    more = [{}, *({"_fill": text} for text in ("", "o", "o" * 16384, WORDS, "\x00<"))]
    found = [client.post("/", data=sent | one, headers=ORIGIN) for one in more]
    (digits,) = {receipt_in(answer.text) for answer in found}
    assert site.store.counts().total() == 1
    added = {"receipt": digits, "_seed": receipt.new_seed().hex(), "words": WORDS}
    assert {post(client, "/en/words", **added, **one).status_code for one in more} == {200}
    assert site.store.counts().total() == 2


@pytest.mark.parametrize("path", ["", "/back", "/words", "/withdraw"])
def test_two_are_refused(site: Site, path: str) -> None:
    sent = {"_seed": "ab" * 32, **LEAST, "_fill": ["o", "o"]}
    answer = site.client().post(f"/en{path}", data=sent, headers=ORIGIN)
    assert answer.status_code == 400
    assert "cannot be read" in answer.text
    assert site.store.counts().total() == 0


@pytest.mark.parametrize("most", [0, 16384])
def test_there_is_room_for_the_longest_beside_the_greatest_body(site: Site, most: int) -> None:
    """At the limit what was typed comes back; one byte more is too large."""
    client = replace(site, settings=replace(site.settings, fill=most)).client()
    limit = Form.load(FORM).body_limit() + most
    body = urlencode({"_seed": "ab" * 32, "account": WORDS, "_fill": "o" * most}) + "&vet_hint="
    for size, status in ((limit, 400), (limit + 1, 413)):
        data = body + "x" * (size - len(body))
        answer = client.post("/", data=data, content_type=URLENCODED, headers=ORIGIN)
        assert (answer.status_code, WORDS in answer.text) == (status, status == 400)


def test_the_default_is_what_the_environment_gives() -> None:
    assert Settings.from_environment({}).fill == bench_filler.DEFAULT == 16384
