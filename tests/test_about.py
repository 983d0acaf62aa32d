"""What a group says of itself is shown as it wrote it, or the site does not start."""

from __future__ import annotations

import html
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from intake import about
from intake.errors import Misuse
from intake.server.answers import SIZE
from intake.server.returns import create_app
from intake.settings import ROOT, Settings
from intake.wording import ZAWGYI
from tests.site_maker import browser, make_site, submit

EXAMPLE = ROOT / "deploy" / "about.example.toml"
PATHS = {"my": "/", "en": "/en", ZAWGYI: f"/{ZAWGYI}"}
NEEDED = """
[organisation]
my = "အဖွဲ့"
en = "A <b>group</b> & {{ 7 * 7 }}"
[contact]
en = "Ask in the house with the green door. https://group.example/"
[welcome]
my = '''
ပထမ
\u200bဒုတိယ

တတိယ'''
my-Qaag = "ဇော်ဂျီ"
"""


def site(tmp_path: Path, text: str = NEEDED) -> FlaskClient:
    """Return a browser on a site with these words of a group."""
    path = tmp_path / "about.toml"
    path.write_text(text, encoding="utf-8")
    settings = replace(make_site(tmp_path).settings, about=path)
    return browser(create_app(settings))


def shown(page: str) -> list[tuple[str, str]]:
    """Return language and text of each line of the group's on a page, as a browser has them."""
    found = re.findall(r'<p class="g" lang="([^"]+)">(.*?)</p>', page, re.DOTALL)
    return [(language, html.unescape(text)) for language, text in found]


ORGANISATION = ("en", "A <b>group</b> & {{ 7 * 7 }}")
CONTACT = ("en", "Ask in the house with the green door. https://group.example/")
WELCOME = [("my", "ပထမ"), ("my", "\u200bဒုတိယ"), ("my", "တတိယ")]
EXPECTED = {
    "my": [("my", "အဖွဲ့"), *WELCOME, CONTACT],
    "en": [ORGANISATION, *WELCOME, CONTACT],
    ZAWGYI: [ORGANISATION, (ZAWGYI, "ဇော်ဂျီ"), CONTACT],
}


@pytest.mark.parametrize("language", EXPECTED)
def test_each_language_has_its_own_words_or_the_next_best(tmp_path: Path, language: str) -> None:
    """Around the form's title, and how to reach the group also where the receipt is."""
    client, path = site(tmp_path), PATHS[language]
    pages = [client.get(path).text, submit(client, path, account="x" * 2001).text]
    for page in pages:
        assert shown(page) == EXPECTED[language]
        above, _, below = page.partition("<main>")[2].partition("<h1>")
        assert shown(above) == EXPECTED[language][:1]
        assert shown(below.partition("<form")[0]) == EXPECTED[language][1:-1]
    assert shown(submit(client, path).text) == [CONTACT]


def test_it_is_text_and_never_a_link(tmp_path: Path) -> None:
    client = site(tmp_path)
    for page in (client.get("/en").text, submit(client, "/en").text):
        assert "<b>" not in page
        assert 'href="http' not in page


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    client = make_site(tmp_path).client()
    assert shown(client.get("/").text + submit(client).text) == []
    assert Settings.from_environment({}).about is None
    assert Settings.from_environment({"INTAKE_ABOUT": "a"}).about == Path("a").absolute()


def test_the_longest_words_still_fit_the_page(tmp_path: Path) -> None:
    """Of letters drawn at random, which no compression makes short."""
    letters = [chr(letter) for letter in range(0x1000, 0x1040)]
    draw = random.Random(7)
    words = {name: "".join(draw.choices(letters, k=n)) for name, n in about.LIMITS.items()}
    text = "".join(f'[{name}]\nmy = "{word}"\n' for name, word in words.items())
    client = site(tmp_path, text)
    for path in PATHS.values():
        assert client.get(path).content_length == SIZE


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("organisation", "cannot be read"),
        ('[organisation]\nen = "a\\u0000b', "cannot be read"),
        ('[colour]\nen = "red"', "[colour]"),
        ("[colour]", "[colour]"),
        ('organisation = "x"', "[organisation]"),
        ('[[contact]]\nen = "x"', "[contact]"),
        ('[contact]\nxx = "x"', "[contact] xx"),
        ("[contact]\nen = 7", "[contact] en"),
        ('[contact]\nen = ["x"]', "[contact] en"),
        ("[contact.en]", "[contact] en"),
        *(
            (f'[{name}]\nmy = "{"က" * (n + 1)}"', f"[{name}] my")
            for name, n in about.LIMITS.items()
        ),
        *(
            (f'[welcome]\nen = "a{sign}b"', "[welcome] en")
            for sign in ("\\u001b", "\\u202e", "\\t")
        ),
        *((f'[welcome]\nen = "a{sign}b"', "[welcome] en") for sign in ("\u2066", "\u200f", "\x85")),
    ],
)
def test_what_cannot_be_shown_stops_the_site(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(Misuse) as refused:
        site(tmp_path, text)
    assert place in refused.value.what
    assert "about.toml" in refused.value.what
    assert EXAMPLE.name in refused.value.hint


def test_a_file_that_is_not_there_stops_the_site(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match=r"about\.toml cannot be read"):
        about.load(tmp_path / "about.toml")


def test_the_greatest_texts_are_taken(tmp_path: Path) -> None:
    for name, length in about.LIMITS.items():
        path = tmp_path / "about.toml"
        path.write_text(f'[{name}]\nmy = "{"က" * length}"', encoding="utf-8")
        assert about.load(path)["my"] == {name: ("my", ["က" * length])}


def test_the_example_can_be_used() -> None:
    said = about.load(EXAMPLE)
    for own, other in {"my": "my", "en": "en", ZAWGYI: "en"}.items():
        assert said[own].keys() == about.LIMITS.keys()
        assert {text[0] for text in said[own].values() if text} == {other}
