"""How well similar cases are found among made-up people, whose truth is known.

    python -m deploy.suggested 15000 11 12 13      how many people, and seeds

Rules:
- A duplicate is found if its original is among the cases shown beside it; a plant, if another of
  its hand is. An honest person is who wrote once, and was planted by nobody; one is accused if any
  case is shown beside theirs.
- Each share is of all, those included that nobody could tell. Seconds are of one core.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from deploy.population import Person, people
from deploy.zawgyi import zawgyi
from intake.desk import searching
from intake.desk.caseload import Facts
from intake.desk.cases import Case
from intake.desk.similar import Similar
from intake.form import Answer

COLUMNS = "   seed    people  duplicates    plants   accused   made in   a case"


def fact(answers: Mapping[str, Answer], text: str) -> Facts:
    """Return what a desk knows of a case, as far as similar cases need it."""
    return Facts(Case(bytes(16), ()), answers, text)


def told(everybody: list[Person]) -> dict[bytes, Facts]:
    """Return people as the cases of a desk, by tag."""
    typed = ("account", "vet_hint")
    return {
        person.number.to_bytes(16): fact(
            person.answers, "\n".join([str(person.answers.get(key, "")) for key in typed])
        )
        for person in everybody
    }


def table(seed: int, count: int) -> list[str]:
    """Return the lines of a table: the columns, and one seed."""
    everybody = list(people(seed, count, zawgyi=zawgyi))
    start = time.process_time()
    similar = Similar(told(everybody), searching.key)
    made = time.process_time() - start
    start = time.process_time()
    duplicates, plants, accused = shares(everybody, similar)
    each = (time.process_time() - start) / count * 1000
    found = f"{seed:7}{count:10,}{duplicates:12.1%}{plants:10.1%}{accused:10.2%}"
    return [COLUMNS, f"{found}{made:8.1f} s{each:6.1f} ms"]


def shares(everybody: list[Person], similar: Similar) -> tuple[float, float, float]:
    """Return the shares of duplicates found, plants found, and honest people accused."""
    shown = {
        person.number: {
            int.from_bytes(one.tag) for one in similar.of(person.number.to_bytes(16)).shown
        }
        for person in everybody
    }
    group = {person.number: person.group for person in everybody}
    originals = {person.repeats for person in everybody}
    duplicates = [p.repeats in shown[p.number] for p in everybody if p.repeats is not None]
    plants = [
        any(group[other] == p.group for other in shown[p.number])
        for p in everybody
        if p.group is not None
    ]
    honest = [
        bool(shown[p.number])
        for p in everybody
        if p.repeats is None and p.group is None and p.number not in originals
    ]
    return _share(duplicates), _share(plants), _share(honest)


def _share(found: list[bool]) -> float:
    return sum(found) / max(1, len(found))


if __name__ == "__main__":
    for number in sys.argv[2:]:
        print(*table(int(number), int(sys.argv[1])), sep="\n", flush=True)
