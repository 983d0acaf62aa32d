"""People who do not exist: the same for the same seed, and as many of each kind as is said."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from deploy.population import LIMIT, MONTHS, SURGE, Person, article, people
from deploy.zawgyi import zawgyi
from intake import form
from intake.form import Answer
from intake.settings import Settings

SEED, COUNT = 7, 2000
TODAY = date(2026, 11, 28)


@pytest.fixture(scope="module")
def everybody() -> list[Person]:
    return list(people(SEED, COUNT, zawgyi=zawgyi))


def test_a_seed_says_all(everybody: list[Person]) -> None:
    assert list(people(SEED, COUNT, zawgyi=zawgyi)) == everybody
    assert list(people(SEED + 1, COUNT, zawgyi=zawgyi)) != everybody
    assert [person.number for person in everybody] == list(range(COUNT))


def test_the_form_accepts_them_as_they_are(everybody: list[Person]) -> None:
    ours = form.Form.load(Settings.from_environment().form)
    for person in everybody:
        found = ours.validate(_fields(person.answers), TODAY)
        assert isinstance(found, form.Testimony), found
        assert found.answers == person.answers


def _fields(answers: dict[str, Answer] | object) -> dict[str, list[str]]:
    assert isinstance(answers, dict)
    fields: dict[str, list[str]] = {}
    for key, answer in answers.items():
        if key in {"left", "happened"}:
            parts = zip(("year", "month", "day"), str(answer).split("-"), strict=False)
            fields |= {f"{key}-{part}": [value] for part, value in parts}
        else:
            fields[key] = [answer] if isinstance(answer, str) else list(answer)
    return fields


def test_there_are_as_many_of_each_as_is_said(everybody: list[Person]) -> None:
    assert sum(person.repeats is not None for person in everybody) == 60
    hands = Counter(person.group for person in everybody if person.group is not None)
    assert sum(hands.values()) == 20
    assert all(5 <= size <= 30 for size in hands.values())
    for person in everybody:
        assert person.repeats is None or person.repeats < person.number
        assert person.repeats is None or person.group is None


def test_accounts_are_as_people_write(everybody: list[Person]) -> None:
    texts = [str(person.answers.get("account", "")) for person in everybody]
    plain = [str(p.answers.get("account", "")) for p in people(SEED, COUNT)]
    assert 0.07 < texts.count("") / COUNT < 0.13
    assert max(map(len, texts)) <= LIMIT
    changed = sum(one != other for one, other in zip(texts, plain, strict=True))
    assert 0.10 < changed / COUNT < 0.17
    assert sum(any(ord(letter) > 0xFFFF for letter in text) for text in texts) > 20


def test_months_surge_and_units_have_long_tails() -> None:
    found = list(people(SEED, 5000))
    months = Counter(str(person.answers.get("left", "")) for person in found)
    assert set(months) <= {"", *MONTHS}
    del months[""]
    assert months.most_common(1)[0][0] in {SURGE, "2021-09"}
    units = Counter(
        (p.answers.get("unit_type"), p.answers["unit_no"]) for p in found if "unit_no" in p.answers
    )
    sizes = sorted(units.values())
    assert sizes[-1] >= 20
    assert sizes[len(sizes) // 2] <= 5


def test_the_people_of_the_article() -> None:
    found = list(article())
    ranks = Counter(str(person.answers["rank"]) for person, _ in found)
    officers = sum(ranks[rank] for rank in ("LT", "CAPT", "MAJ"))
    police = sum(person.answers["force"] == "police" for person, _ in found)
    assert (len(found), officers, police) == (2000, 100, 500)
    assert all(person.answers["c_count"] == "yes" for person, _ in found)
    marked = [person for person, certify in found if certify]
    assert len(marked) == 100
    assert all(person.answers["force"] in {"army", "navy", "air"} for person in marked)


def test_zawgyi_is_what_its_readers_read() -> None:
    """ICU 72 reads these back as they were: ``uconv -x Zawgyi-my``."""
    assert zawgyi("ကျေးဇူး") == "\u1031\u1000\u103a\u1038\u1007\u1030\u1038"
    assert zawgyi("သတ္တိ") == "\u101e\u1010\u1071\u102d"
    assert zawgyi("အင်္ဂါ") == "\u1021\u1002\u1064\u102b"
    assert zawgyi("LIB 528") == "LIB 528"
