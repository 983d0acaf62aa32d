"""Cases that may be one person's, or from one hand: suggested, with the reason, never decided.

Source: Fellegi and Sunter, A Theory for Record Linkage, 1969. What two cases have in common is
evidence of ``log2(m / u)`` bits: ``m``, how often the same person says the same again; ``u``, how
often anybody says it, counted in the caseload. So a rare unit weighs much, "private" little.

Rules:
- Unit, place and month are weighed together, by how many cases have all that two cases share:
  people of one unit were in one place and left together, and that accuses nobody.
- Evidence must outweigh the number of cases (``MARGIN``): among more people, more are alike.
- Of people who left a unit together, wording tells them apart: who speaks of the same event in
  other words is another person.
- Wording that is near-equal as a whole is one hand's, whatever else is said.
- "I prefer not to say", and a rank by its group only, are no answers. Which questions somebody
  leaves out is a habit, and weighs little.
- ``m`` are judgements (docs/adr/0015-similar-cases.md). A suggestion is a reason to read both.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from intake.desk.caseload import Facts
from intake.desk.pieces import UNSEEN, Pieces, Shared, most
from intake.form import Answer

MARGIN = 2.5  # bits beyond log2 of the number of cases
CLOSE = 64  # cases of the smallest groups that are compared with one
ALIKE = 24  # cases that share most of the rarest answers, and are compared too
SHOWN = 12  # cases, the likeliest first
POLICE = ("POL_", "police_")  # how ranks of the police begin
RANKS = ("rank", "police_rank")  # apart: who is in the police is told by the unit
LEFT_OUT = "left out: "  # not a key of any form
SKIPPED = ("account", "dependants", "family_risk", "device", "return_ok", "needs", "situation")
STABLE, MOVING, HABIT = 0.9, 0.6, 0.85  # m
SAME_ANSWER = {
    **dict.fromkeys(RANKS, STABLE),
    **dict.fromkeys(("dependants", "family_risk", "device", "return_ok"), STABLE),
    **dict.fromkeys(("intent", "needs", "situation", "urgency", "consents", "hint"), MOVING),
    **dict.fromkeys((LEFT_OUT + name for name in SKIPPED), HABIT),
}
CONSENTS = ("c_count", "c_verify", "c_assist", "c_refer", "c_contact_investigator", "c_quote")
NOT_SAID = frozenset({"", "skip", "other_ranks", "officer", "police"})
REGION = len("MMR001")
MONTH = re.compile("([0-9]{4})-([0-9]{2})")
OTHER_UNIT, OTHER_REGION, OTHER_TOWNSHIP, OTHER_MONTH = -4.0, -3.0, -2.0, -4.0  # bits
PARTLY, MOSTLY = 0.45, 0.6  # of the shorter text: below speaks against, above for one person
FOR, AGAINST = 10.0, 5.0  # bits of wording at most
ONE_HAND, ENOUGH = 0.6, 40  # of the longer text, and pieces of it
RARE = 5  # cases that have a hint
GUESS, GUESSED = 6, 20  # what we think before we counted: 6 of 20 give the same answer


Reason = tuple[str, Mapping[str, int]]  # its code, and the numbers in its label
_Served = tuple[str, str, str, str]  # number, kind, place and month; "" is not said
_Group = tuple[str, str, str]  # number or kind, place, month; "" is any


class Likeness(NamedTuple):
    """Another case, why it is suggested, and how much speaks for it, in bits."""

    tag: bytes
    reasons: tuple[Reason, ...]
    bits: float


class Suggestions(NamedTuple):
    """The likeliest of the cases ``found``, and how many others share most of the wording."""

    shown: Sequence[Likeness]
    found: int
    crowd: int


class Similar:
    """All cases, ready to be compared. Build it once for a caseload."""

    def __init__(self, facts: Mapping[bytes, Facts], key: Callable[[str], str]) -> None:
        """Count what all say. ``key`` makes the search copy of a text."""
        self._tags = list(facts)
        self._place = {tag: number for number, tag in enumerate(self._tags)}
        self._every = len(self._tags) + UNSEEN
        self._pieces = Pieces(key(fact.text) for fact in facts.values())
        self._served = [_served(fact.answers) for fact in facts.values()]
        self._said = [_said(fact.answers, key) for fact in facts.values()]
        self._groups: dict[_Group, list[int]] = defaultdict(list)
        self._having: dict[tuple[str, Answer], list[int]] = defaultdict(list)
        for number, (served, given) in enumerate(zip(self._served, self._said, strict=True)):
            for group in _groups(served):
                self._groups[group].append(number)
            for answer in given.items():
                self._having[answer].append(number)
        said: dict[str, Counter[Answer]] = {name: Counter() for name in SAME_ANSWER}
        for (name, value), cases in self._having.items():
            said[name][value] = len(cases)
        self._same = {name: _agreeing(said[name], m) for name, m in SAME_ANSWER.items()}
        self._other = {name: _differing(said[name], m) for name, m in SAME_ANSWER.items()}

    def of(self, tag: bytes, margin: float = MARGIN) -> Suggestions:
        """Return which cases are like one. With a lower margin they are company, no suspects.

        Raises ``KeyError`` for a case that was not given.
        """
        one, least, found = self._place[tag], math.log2(self._every) + margin, []
        near, pieces = set(self._pieces.near(one)), self._pieces.pieces(one)
        for other in self._alike(one) | near:
            bits = self._answers(one, other)
            if other not in near and bits + FOR < least:
                continue
            shared = self._pieces.shared(pieces, one, other)
            bits += _wording(shared)
            if _one_hand(shared):
                bits = max(bits, least)
            if bits >= least:
                found.append(Likeness(self._tags[other], self._reasons(one, other, shared), bits))
        found.sort(key=lambda likeness: -likeness.bits)
        return Suggestions(found[:SHOWN], len(found), self._pieces.crowd(one))

    def _alike(self, one: int) -> set[int]:
        """Return who may be like a case: of its smallest groups, and with its rarest answers."""
        groups, answers = _groups(self._served[one]), self._said[one].items()
        found: set[int] = set()
        for group in sorted((self._groups[g] for g in groups), key=len):
            found.update(group[: CLOSE + 1 - len(found)])
        lists = [self._having[answer] for answer in answers]
        lists += [self._groups[g] for g in groups if g.count("") == len(g) - 1]
        return (found | set(most(lists, ALIKE))) - {one}

    def _answers(self, one: int, other: int) -> float:
        """Return the bits of all that two cases answer."""
        group, bits = _common(self._served[one], self._served[other])
        if any(group):
            bits += math.log2(self._every / (len(self._groups[group]) + 0.5))
        mine = self._said[one]
        for name, value in self._said[other].items():
            if name in mine:
                alike = mine[name] == value
                bits += self._same[name][value] if alike else self._other[name]
        return bits

    def _reasons(self, one: int, other: int, shared: Shared) -> tuple[Reason, ...]:
        (unit, place, month), _ = _common(self._served[one], self._served[other])
        mine, theirs = self._said[one], self._said[other]
        both = {name for name in mine.keys() & theirs.keys() if not name.startswith(LEFT_OUT)}
        same = {name for name in both if mine[name] == theirs[name]}
        numbered = unit.startswith("#")
        few = "hint" in same and len(self._having["hint", mine["hint"]]) <= RARE
        shares = {"wording": shared.of_longer, "passages": shared.of_shorter}
        holds = {
            "unit-month": numbered and month,
            "unit-rank-place": numbered and place and not same.isdisjoint(RANKS),
            "unit": numbered and not month,
            "kind-place": unit and not numbered and place,
            "wording": _one_hand(shared),
            "passages": not _one_hand(shared) and _wording(shared) > 1,
            "hint": few,
            "answers": both,
        }
        numbers = {"same": len(same), "both": len(both)}
        return tuple(
            (code, {"share": round(100 * shares[code])} if code in shares else numbers)
            for code, true in holds.items()
            if true
        )


def _served(answers: Mapping[str, Answer]) -> _Served:
    """Return where somebody served, as far as it is said."""
    number, kind, place, left = (
        answers.get(k, "") for k in ("unit_no", "unit_type", "posted", "left")
    )
    month = MONTH.match(str(left))
    return str(number), str(kind), str(place), month[0] if month else ""


def _groups(served: _Served) -> set[_Group]:
    """Return all groups that somebody is in, by one or more of unit, place and month."""
    number, kind, place, month = served
    units, places = {f"#{number}" if number else "", kind, ""}, {place, place[:REGION], ""}
    return {g for u in units for p in places for m in {month, ""} if any(g := (u, p, m))}


def _common(one: _Served, other: _Served) -> tuple[_Group, float]:
    """Return the smallest group that two are in together, and the bits against them."""
    number, kind, place, month = (a if a == b else "" for a, b in zip(one, other, strict=True))
    apart = [bool(a and b and a != b) for a, b in zip(one, other, strict=True)]
    region = one[2][:REGION] if one[2][:REGION] == other[2][:REGION] else ""
    bits, unit = 0.0, f"#{number}" if number else kind
    if apart[0] or apart[1]:
        bits, unit = OTHER_UNIT, ""
    if apart[2] and not region:
        bits += OTHER_REGION
    elif apart[2] and len(one[2]) == len(other[2]):
        bits += OTHER_TOWNSHIP
    if apart[3] and abs(_months(one[3]) - _months(other[3])) > 1:
        bits += OTHER_MONTH
    return (unit, place or region, month), bits


def _months(month: str) -> int:
    year, _, number = month.partition("-")
    return int(year) * 12 + int(number)


def _said(answers: Mapping[str, Answer], key: Callable[[str], str]) -> dict[str, Answer]:
    """Return what else somebody says, by the names of ``SAME_ANSWER``."""
    hint, rank = key(str(answers.get("vet_hint", ""))), str(answers.get("rank", ""))
    given: dict[str, Answer] = {
        **answers,
        "consents": tuple(code for code in CONSENTS if code in answers),
        "hint": tuple(re.findall("[0-9]+", hint)) or hint,
        **{LEFT_OUT + name: str(name in answers) for name in SKIPPED},
        "rank": "" if rank.startswith(POLICE) else rank,
        "police_rank": rank if rank.startswith(POLICE) else "",
    }
    return {name: given[name] for name in SAME_ANSWER if given.get(name, "") not in NOT_SAID}


def _agreeing(counts: Counter[Answer], same: float) -> dict[Answer, float]:
    """Return the bits for two who give one answer, by the answer."""
    every = counts.total() + GUESSED
    return {answer: math.log2(same * every / (n + GUESS)) for answer, n in counts.items()}


def _differing(counts: Counter[Answer], same: float) -> float:
    """Return the bits against two who give different answers."""
    every = max(1, counts.total())
    return math.log2((1 - same) / (1.01 - sum((n / every) ** 2 for n in counts.values())))


def _wording(shared: Shared) -> float:
    """Return the bits of what two texts have in common, or have not."""
    share = shared.of_shorter
    speaks_for = min(1.0, max(0.0, (share - PARTLY) / (MOSTLY - PARTLY)))
    against = max(0.0, 1 - share / PARTLY) if shared.long else 0.0
    return min(FOR, shared.bits) * speaks_for - AGAINST * against


def _one_hand(shared: Shared) -> bool:
    return shared.of_longer >= ONE_HAND and shared.pieces >= ENOUGH
