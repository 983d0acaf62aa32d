"""People who do not exist, for tests and benches: who they are and what they write.

Rules:
- What is made follows from the seed alone. Nothing here is secret, and nothing is anybody's.
- The truth stands beside: who repeats whom, and who comes from one hand. What looks for it must not
  read it.
- It must be hard. Honest people of one unit leave in one month and speak of one event; some paste
  the same declaration before their own words; who writes twice forgets, mistypes and says it anew;
  plants change the unit, the rank and the place in a text that is good enough.
- Phrases are in ``phrases.toml``; codes are the form's.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from intake.form import Answer, Form
from intake.settings import Settings

PHRASES = tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))
LIMIT = 2000  # letters of an account
EMPTY, ZAWGYI, EMOJI, ENGLISH, DECLARED = 0.10, 0.15, 0.04, 0.04, 0.02  # shares of people
_SKIPPED = ("device", "situation", "family_risk", "dependants", "needs", "told_before", "return_ok")
_CONSENTS = {
    "c_count": 90,
    "c_verify": 92,
    "c_assist": 80,
    "c_refer": 60,
    "c_quote": 50,
    "c_contact_investigator": 35,
}
_LATE = {**dict.fromkeys(_SKIPPED, 0.3), **dict.fromkeys(_CONSENTS, 0.12)}
AGAIN = 0.1  # of the repeats repeat somebody who already repeated
SMALLEST, LARGEST = 5, 30  # plants from one hand
SURGE = "2021-08"

FORCES = {"army": 68, "police": 24, "navy": 3, "air": 2, "militia": 2, "skip": 1}
RANKS = {
    "army": {
        "RCT": 6,
        "PTE": 40,
        "LCPL": 10,
        "CPL": 9,
        "SGT": 24,
        "SSGT": 2,
        "CSM": 1,
        "WO2": 1,
        "WO1": 0.5,
        "2LT": 1,
        "LT": 2,
        "CAPT": 2.5,
        "MAJ": 1,
        "officer_senior": 0.2,
    },
    "police": {
        "POL_PTE": 40,
        "POL_LCPL": 20,
        "POL_CPL": 17,
        "POL_SGT": 12,
        "POL_WO": 2,
        "POL_LT": 5,
        "POL_CAPT": 3,
        "POL_MAJ": 1,
        "police_senior": 0.2,
    },
}
OFFICERS = frozenset({"2LT", "LT", "CAPT", "MAJ", "officer_senior"})
# Kinds of unit: how many of a hundred units, and the numbers that they have.
UNITS = {
    "army": {
        "LIB": (45, range(1, 600)),
        "IB": (33, range(1, 400)),
        "LID": (2, range(11, 100, 11)),
        "ARTY": (5, range(101, 999)),
        "ENG": (3, range(901, 990)),
        "SIG": (3, range(101, 130)),
        "SUP": (3, range(901, 960)),
        "MED": (2, range(1, 30)),
        "ARMOUR": (2, range(4001, 4030)),
        "MOC": (2, range(1, 22)),
    },
    "navy": {"NAVY": (1, range(0))},
    "air": {"AIR": (1, range(0))},
    "militia": {"BGF": (1, range(1001, 1024)), "militia": (1, range(0))},
    "police": {
        "POL_STATION": (75, range(0)),
        "POL_COMBAT": (15, range(1, 40)),
        "POL_OTHER": (10, range(0)),
    },
}
BURMESE = {"unit": {"LIB": "ခမရ", "IB": "ခလရ", "LID": "တမခ", "POL_STATION": "ရဲစခန်း"}}
MONTHS = [f"{n // 12}-{n % 12 + 1:02}" for n in range(2021 * 12 + 1, 2023 * 12 + 9)]
WEIGHTS = [3, 5, 7, 5, 4, 4, 5, 24, 9, 6, 5, 4, *[2.5] * 12, *[1.5] * 8]
NUMERALS = str.maketrans("0123456789", "၀၁၂၃၄၅၆၇၈၉")
_SLOT = re.compile(r"\{(\w+)\}")
_SYNONYMS: Mapping[str, list[str]] = {words[0]: words for words in PHRASES["synonyms"]["any"]}
_MARK = "[\u102b-\u103e]"
_SYNONYM = re.compile(f"({'|'.join(sorted(_SYNONYMS, key=len, reverse=True))})(?!{_MARK})")
_TYPOS = {pair[n]: pair[1 - n] for pair in PHRASES["typos"]["any"] for n in (0, 1)}

Point = tuple[str, int]  # a kind of sentence, and which of its phrases


@dataclass(frozen=True, slots=True)
class Person:
    """One testimony: its answers, and the truth about it.

    ``repeats`` is the number of the testimony that the same person sent before, ``group`` the
    number of the hand that planted it.
    """

    number: int
    answers: Mapping[str, Answer]
    repeats: int | None = None
    group: int | None = None


@dataclass(frozen=True, slots=True)
class _Event:
    kind: str
    month: str
    place: str
    words: Mapping[str, str]


@dataclass(slots=True)
class _Unit:
    force: str
    kind: str
    number: str
    base: str
    events: list[_Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Who writes: what stays the same when they write again."""

    unit: _Unit
    event: _Event | None
    words: Mapping[str, str]
    facts: Mapping[str, str]  # what they mostly put where a phrase leaves it open
    points: tuple[Point, ...]
    spaces: int
    burmese_digits: bool
    declares: int | None = None


class _World:
    """Units, their events, and how people speak of them."""

    def __init__(self, random: Random, count: int, zawgyi: Callable[[str], str] | None) -> None:
        form = Form.load(Settings.from_environment().form)
        self.random, self.zawgyi = random, zawgyi
        self.posted = next(q for q in form.questions() if q.key == "posted")
        self.codes = {q.key: q.codes() for q in form.questions()}
        self.names = self.posted.labels
        self.towns = [code for code in self.posted.codes() if len(code) > len("MMR001")]
        self.units = {force: self._units(force, share, count) for force, share in FORCES.items()}

    def _units(self, force: str, share: float, count: int) -> tuple[list[_Unit], list[float]]:
        """Return a force's units and their weights: a few have forty people, most one to five."""
        kinds, random = UNITS.get(force, UNITS["army"]), self.random
        found: dict[tuple[str, str, str], _Unit] = {}
        for _ in range(max(8, int(count * share / 100 / 4))):
            kind = _pick(random, {kind: weight for kind, (weight, _) in kinds.items()})
            numbers, base = kinds[kind][1], random.choice(self.towns)
            number = str(random.choice(numbers)) if numbers else ""
            found.setdefault(
                (kind, number, "" if number else base), _Unit(force, kind, number, base)
            )
        weights = [min(40.0, random.paretovariate(0.9)) for _ in found]
        for unit, weight in zip(found.values(), weights, strict=True):
            unit.events = [self._event(unit) for _ in range(1 + int(weight > 3) + int(weight > 12))]
        return list(found.values()), weights

    def _event(self, unit: _Unit) -> _Event:
        random, said = self.random, PHRASES["event"]
        words = {
            "village": random.choice(said["first"]) + random.choice(said["last"]),
            "hour": random.choice(said["hour"]),
            "chief": random.choice(said["chief"]),
            "killed": str(random.choice([1, 2, 2, 3, 3, 4, 5, 6, 7, 9, 11, 14])),
            "houses": str(random.randrange(5, 200)),
            "guns": str(random.randrange(2, 60)),
        }
        place = unit.base if random.random() < 0.6 else random.choice(self.towns)
        month = random.choices(MONTHS, WEIGHTS)[0]
        return _Event(random.choice(list(PHRASES["events"])), month, place, words)

    # Who writes.

    def person(self) -> tuple[_Writer, dict[str, Answer]]:
        """Return somebody new, and what they answer."""
        random = self.random
        force = _pick(random, FORCES)
        units, weights = self.units[force]
        unit = random.choices(units, weights)[0]
        event = random.choice(unit.events) if random.random() < 0.6 else self._event(unit)
        rank = _pick(random, RANKS.get(force, RANKS["army"]))
        writer = self.writer(unit, event if random.random() < 0.9 else None, rank)
        return writer, self.answers(writer, event, rank)

    def writer(self, unit: _Unit, event: _Event | None, rank: str) -> _Writer:
        """Return the habits of somebody, and what they will speak of."""
        random, habits = self.random, PHRASES["habits"]
        me = random.randrange(len(habits["me"]))
        words = {
            "me": habits["me"][me],
            "mine": habits["mine"][me],
            "e": random.choice(habits["e"]),
            "n": random.choice(habits["n"]),
            "end": random.choice(habits["end"]),
            "unit": f"{BURMESE['unit'].get(unit.kind, unit.kind)} {unit.number}".strip(),
            "place": self.names[unit.base],
            "rank": rank_in_burmese(rank),
            "age": str(random.randrange(19, 52)),
            "years": str(random.randrange(1, 28)),
            "months": str(random.randrange(2, 9)),
            "number": str(random.randrange(1, 130)),
            "year": str(random.randrange(1998, 2021)),
            "few": str(random.randrange(2, 9)),
        }
        facts = {name: random.choice(words) for name, words in PHRASES["slots"].items()}
        declares = random.randrange(4) if random.random() < DECLARED else None
        digits, spaces = random.random() < 0.8, random.choice([0, 1, 1, 1, 2])
        return _Writer(unit, event, words, facts, self._points(event), spaces, digits, declares)

    def _points(self, event: _Event | None) -> tuple[Point, ...]:
        """Return what somebody says, in order: some say two things, some thirty."""
        random, said = self.random, PHRASES["points"]
        wanted = min(34, max(1, round(random.lognormvariate(1.8, 0.7))))
        found: list[Point] = []
        for kind in ("greet", "who", "why", "event", "feeling", "leave", "now", "ask", "close"):
            phrases = PHRASES["events"][event.kind] if event and kind == "event" else said.get(kind)
            if phrases is None:
                continue
            share = 0.4 if kind == "event" else 0.04 if kind in {"greet", "close"} else 0.1
            most = min(len(phrases), max(1, round(wanted * share * random.uniform(0.5, 1.6))))
            if random.random() < min(1.0, wanted * share * 1.4):
                found += [(kind, n) for n in random.sample(range(len(phrases)), most)]
        return tuple(found) or (("why", random.randrange(len(said["why"]))),)

    def answers(self, writer: _Writer, event: _Event, rank: str) -> dict[str, Answer]:
        """Return what somebody answers, each with its chance to be left out."""
        random, unit = self.random, writer.unit
        place = random.choices([unit.base, event.place], [65, 35])[0]
        given: dict[str, Answer] = {
            "device": _pick(random, {"mine": 80, "shared": 14, "issued": 1, "shop": 3, "skip": 2}),
            "intent": self._many("intent", [55, 15, 40, 30, 25, 3]),
            "urgency": _pick(random, {"today": 6, "days": 22, "later": 62, "skip": 10}),
            "situation": _pick(
                random, {"serving": 12, "hiding": 38, "eao": 33, "abroad": 10, "skip": 7}
            ),
            "family_risk": _pick(random, {"yes": 60, "no": 25, "skip": 15}),
            "dependants": _pick(random, {"0": 15, "1_2": 30, "3_5": 40, "6_up": 15}),
            "needs": self._many("needs", [35, 20, 60, 20, 35, 10, 15, 20]),
            "force": unit.force,
            "rank": rank,
            "unit_type": unit.kind,
            "unit_no": unit.number,
            "vet_hint": self._say(random.choice(PHRASES["hints"]["any"]), writer),
            "posted": place if random.random() < 0.7 else place[: len("MMR001")],
            "left": event.month if random.random() < 0.75 else random.choices(MONTHS, WEIGHTS)[0],
            "happened": event.month if random.random() < 0.8 else f"{event.month}-15",
            "told_before": _pick(random, {"yes": 20, "no": 65, "skip": 15}),
            "return_ok": _pick(random, {"can": 50, "once": 35, "unsafe": 15}),
            "consent_store": "yes",
            **self._consents(),
            "account": "" if random.random() < EMPTY else self.account(writer),
        }
        if given["situation"] == "serving":
            del given["left"]
        if random.random() < 0.07:
            given["rank"] = _group(rank)
        return self._left_out(given)

    def _consents(self) -> dict[str, Answer]:
        """Return the consents: half say yes to all, the others to most."""
        every = self.random.random() < 0.5
        return {
            k: "yes"
            for k, share in _CONSENTS.items()
            if every or self.random.random() < share / 100
        }

    def _many(self, key: str, shares: Sequence[float]) -> tuple[str, ...]:
        codes = self.codes[key]
        found = tuple(
            code
            for code, share in zip(codes, shares, strict=True)
            if self.random.random() < share / 100
        )
        return found or (codes[0],)

    def _left_out(self, given: dict[str, Answer]) -> dict[str, Answer]:
        gaps = {
            "device": 0.3,
            "situation": 0.1,
            "family_risk": 0.2,
            "dependants": 0.2,
            "rank": 0.08,
            "needs": 0.15,
            "unit_type": 0.08,
            "unit_no": 0.2,
            "vet_hint": 0.6,
            "posted": 0.1,
            "left": 0.08,
            "happened": 0.6,
            "told_before": 0.4,
            "return_ok": 0.15,
        }
        return {k: a for k, a in given.items() if a and self.random.random() >= gaps.get(k, 0)}

    # What they write.

    def account(self, writer: _Writer, points: Sequence[Point] | None = None) -> str:
        """Return an account in the writer's way, at most ``LIMIT`` letters."""
        random = self.random
        said = [self.sentence(writer, p) for p in (writer.points if points is None else points)]
        if writer.declares is not None:
            said.insert(0, PHRASES["declarations"]["any"][writer.declares])
        if random.random() < ENGLISH:
            said.insert(
                random.randrange(len(said) + 1), random.choice(PHRASES["points"]["english"])
            )
        text = writer.words["end"].join(said) + writer.words["end"]
        if random.random() < EMOJI:
            text += random.choice(["🙏", "😭😭", "✊", "🙏🏽🙏🏽", "💔", "👨‍👩‍👧‍👦"])
        return text.strip()[:LIMIT]

    def sentence(self, writer: _Writer, point: Point) -> str:
        """Return one thing said in the writer's way; said again, it has other words."""
        kind, number = point
        phrases = (
            PHRASES["events"][writer.event.kind]
            if writer.event and kind == "event"
            else (PHRASES["points"][kind])
        )
        return self._say(phrases[number], writer)

    def _say(self, phrase: str, writer: _Writer) -> str:
        random, slots = self.random, PHRASES["slots"]
        known = {**(writer.event.words if writer.event else {}), **writer.words}

        def fill(found: re.Match[str]) -> str:
            name = found[1]
            if name in known:
                return known[name]
            return writer.facts[name] if random.random() < 0.6 else random.choice(slots[name])

        said = _SLOT.sub(fill, phrase)
        said = _SYNONYM.sub(lambda found: self._synonym(found[0], writer), said)
        if random.random() < 0.25:
            said = f"{random.choice(PHRASES['synonyms']['filler'])} {said}"
        if writer.burmese_digits:
            said = said.translate(NUMERALS)
        return _spaced(said, writer.spaces, random)

    def _synonym(self, word: str, writer: _Writer) -> str:
        """Return a word of the same meaning: mostly the one that this writer is used to."""
        words = _SYNONYMS[word]
        habit = int(writer.words["age"]) * 7 + len(word) + int(writer.words["number"])
        used_to: str = words[habit % len(words)]
        return used_to if self.random.random() < 0.7 else self.random.choice(words)

    # Who writes again, and who plants.

    def repeat(self, writer: _Writer, before: Mapping[str, Answer]) -> dict[str, Answer]:
        """Return what somebody answers who wrote before, weeks later."""
        random = self.random
        _, other = self.person()
        given: dict[str, Answer] = {}
        for key in self.codes:
            if key in before:
                moving = key in {
                    "intent",
                    "urgency",
                    "situation",
                    "needs",
                    "happened",
                    "told_before",
                }
                change, drop = (0.3, 0.15) if moving else (0.05, 0.1)
                if key in {"force", "consent_store"}:
                    change = drop = 0
                elif key in {"intent", "urgency"}:  # the form wants an answer
                    drop = 0
                chance = random.random()
                if key in {"unit_no", "unit_type", "posted", "rank", "left", "vet_hint", "account"}:
                    change = 0
                if chance < change and key in other:
                    given[key] = other[key]
                elif chance >= change + drop:
                    given[key] = before[key]
            elif key in other and random.random() < _LATE.get(key, 0):
                given[key] = other[key]  # they answer now what they left out
        self._blur(given)
        if "vet_hint" in given and random.random() < 0.5:
            given["vet_hint"] = self._say(random.choice(PHRASES["hints"]["any"]), writer)
        text = self._again(writer, str(before.get("account", "")))
        given = {key: answer for key, answer in given.items() if key != "account"}
        return {**given, "account": text} if text else given

    def _blur(self, given: dict[str, Answer]) -> None:
        """Change what people say otherwise a second time: a month off, the rank not said."""
        random = self.random
        if "left" in given and random.random() < 0.15:
            at = MONTHS.index(str(given["left"])) + random.choice([-1, 1])
            given["left"] = MONTHS[max(0, min(at, len(MONTHS) - 1))]
        if "rank" in given and random.random() < 0.12:
            given["rank"] = _group(str(given["rank"]))
        if "posted" in given and random.random() < 0.2:
            given["posted"] = str(given["posted"])[: len("MMR001")]
        if "unit_no" in given and random.random() < 0.03:
            digits = list(str(given["unit_no"]))
            digits[random.randrange(len(digits))] = random.choice("123456789")
            given["unit_no"] = "".join(digits)

    def _again(self, writer: _Writer, before: str) -> str:
        """Return the account of somebody who wrote ``before``: it is typed again, not copied."""
        random, points = self.random, list(writer.points)
        if not before:
            return self.account(writer) if random.random() < 0.4 else ""
        if random.random() < 0.08:
            return ""
        if random.random() < 0.15:
            writer = replace(writer, spaces=random.choice([0, 1, 2]))
        way = random.choices(["typed", "retold", "short", "new"], [45, 27, 18, 10])[0]
        if way == "typed":  # from memory or a draft: sentences as they were, some said anew
            end = writer.words["end"]
            said = [part for part in re.split(r"[။\n]+", before) if part.strip()]
            said = [_slipped(part, random, 0.015) for part in said if random.random() > 0.1]
            if random.random() < 0.35:
                random.shuffle(said)
            said += [self.sentence(writer, p) for p in points if random.random() < 0.12]
            return end.join(said).strip()[:LIMIT]
        if way == "short":
            points = random.sample(points, max(1, len(points) // 3))
        if way == "new":
            points = [p for p in points if p[0] == "event" and random.random() < 0.6]
            points += [p for p in self._points(writer.event) if p[0] != "event"]
        else:
            points = [p for p in points if random.random() > 0.1] or points[:1]
        if random.random() < 0.4:
            random.shuffle(points)
        return _slipped(self.account(writer, points), random, 0.008)

    def plants(self, size: int) -> Iterator[dict[str, Answer]]:
        """Yield the answers of one hand: a template, each with another unit, rank and place."""
        random = self.random
        model, first = self.person()
        while len(model.points) < 4:
            model, first = self.person()
        said = [self.sentence(model, point) for point in model.points]
        for _ in range(size):
            writer, given = self.person()
            same = {
                key: a for key, a in first.items() if key not in SERVED and random.random() < 0.7
            }
            told = replace(
                model, words={**model.words, **{k: writer.words[k] for k in SERVED_WORDS}}
            )
            parts = [
                self.sentence(told, point)
                if point[0] == "who" or random.random() < 0.12
                else _exchanged(part, random)
                for point, part in zip(model.points, said, strict=True)
            ]
            if random.random() < 0.2 and len(parts) > 4:
                parts.pop(random.randrange(len(parts)))
            account = model.words["end"].join(parts)[:LIMIT]
            yield {**given, **same, "intent": ("certify",), "c_verify": "yes", "account": account}


SERVED = ("force", "rank", "unit_type", "unit_no", "posted", "left", "happened", "vet_hint")
SERVED_WORDS = ("unit", "place", "rank", "age", "years", "number", "year")


def people(
    seed: int,
    count: int,
    duplicates: float = 0.03,
    plants: float = 0.01,
    zawgyi: Callable[[str], str] | None = None,
) -> Iterator[Person]:
    """Yield ``count`` testimonies in the order of their arrival, the same for the same seed.

    ``duplicates`` and ``plants`` are shares of all. ``zawgyi`` writes Unicode in Zawgyi; with it,
    ``ZAWGYI`` of the accounts and hints are.
    """
    random = Random(seed)  # noqa: S311 - people made up for a test
    world = _World(random, count, zawgyi)
    kinds = _kinds(random, count, round(count * duplicates), round(count * plants))
    hands: dict[int, Iterator[dict[str, Answer]]] = {}
    sizes = {group: sum(kind == group for kind in kinds) for group in {k for k in kinds if k >= 0}}
    known: list[tuple[int, _Writer, dict[str, Answer]]] = []
    repeaters: list[tuple[int, _Writer, dict[str, Answer]]] = []
    for number, kind in enumerate(kinds):
        repeats = group = None
        if kind >= 0:
            group, hand = kind, hands.setdefault(kind, world.plants(sizes[kind]))
            answers = next(hand)
        elif kind == REPEATS and known:
            again = repeaters if repeaters and random.random() < AGAIN else known
            repeats, writer, before = random.choice(again)
            answers = world.repeat(writer, before)
            repeaters.append((number, writer, answers))
        else:
            writer, answers = world.person()
            known.append((number, writer, answers))
        shown = answers
        if random.random() < ZAWGYI and zawgyi:
            typed = {key: zawgyi(str(answers[key])) for key in TYPED if key in answers}
            shown = {**answers, **typed}
        yield Person(number, shown, repeats, group)


TYPED = ("account", "vet_hint")
NEW, REPEATS = -1, -2


def _kinds(random: Random, count: int, repeats: int, planted: int) -> list[int]:
    """Return what each of ``count`` is: ``NEW``, ``REPEATS``, or the number of a hand."""
    kinds: list[int] = []
    for group in itertools.count():
        left = planted - len(kinds)
        if left < SMALLEST:
            break
        size = min(left, random.randint(SMALLEST, LARGEST))
        kinds += [group] * (left if left - size < SMALLEST else size)
    kinds += [REPEATS] * repeats
    kinds += [NEW] * (count - len(kinds))
    random.shuffle(kinds)
    first = kinds.index(NEW)  # somebody must be there who can be repeated
    kinds[0], kinds[first] = kinds[first], kinds[0]
    return kinds


def article(seed: int = 1) -> Iterator[tuple[Person, bool]]:
    """Yield the 2,000 people of the article, and whether each is to be marked ``certify``.

    1,400 other ranks, 100 officers from lieutenant to major, 500 police; all consent. 100 of the
    1,500 military are to be certified: what was reported in August 2021.
    """
    random = Random(seed)  # noqa: S311 - people made up for a test
    world = _World(random, 2000, None)
    wanted = {"other": 1400, "officer": 100, "police": 500}
    found: list[dict[str, Answer]] = []
    other = [r for r in RANKS["army"] if r not in OFFICERS]
    for kind, many in wanted.items():
        for _ in range(many):
            force = (
                "police" if kind == "police" else _pick(random, {"army": 92, "navy": 5, "air": 3})
            )
            ranks = {"other": other, "officer": ["LT", "CAPT", "MAJ"], "police": [*RANKS["police"]]}
            weights = RANKS["police" if kind == "police" else "army"]
            rank = _pick(random, {rank: weights[rank] for rank in ranks[kind]})
            units, shares = world.units[force]
            unit = random.choices(units, shares)[0]
            event = random.choice(unit.events)
            given = world.answers(world.writer(unit, event, rank), event, rank)
            given = {**given, "force": force, "rank": rank, "c_count": "yes", "c_verify": "yes"}
            found.append(given)
    marked = set(random.sample(range(1500), 100))
    order = random.sample(range(len(found)), len(found))
    for number, which in enumerate(order):
        yield Person(number, found[which]), which in marked


def rank_in_burmese(rank: str) -> str:
    """Return how people call a rank."""
    return _CALLED.get(rank, "တပ်သား")


_CALLED = {
    "RCT": "တပ်သားသစ်",
    "PTE": "တပ်သား",
    "LCPL": "ဒုတိယတပ်ကြပ်",
    "CPL": "တပ်ကြပ်",
    "SGT": "တပ်ကြပ်ကြီး",
    "SSGT": "အုပ်ခွဲတပ်ကြပ်ကြီး",
    "CSM": "တပ်ခွဲတပ်ကြပ်ကြီး",
    "WO2": "ဒုအရာခံဗိုလ်",
    "WO1": "အရာခံဗိုလ်",
    "2LT": "ဒုဗိုလ်",
    "LT": "ဗိုလ်",
    "CAPT": "ဗိုလ်ကြီး",
    "MAJ": "ဗိုလ်မှူး",
    "officer_senior": "အရာရှိကြီး",
    "POL_PTE": "ရဲတပ်သား",
    "POL_LCPL": "ဒုရဲတပ်ကြပ်",
    "POL_CPL": "ရဲတပ်ကြပ်",
    "POL_SGT": "ရဲတပ်ကြပ်ကြီး",
    "POL_WO": "ရဲအရာခံဗိုလ်",
    "POL_LT": "ဒုရဲအုပ်",
    "POL_CAPT": "ရဲအုပ်",
    "POL_MAJ": "ရဲမှူး",
    "police_senior": "ရဲမှူးကြီး",
}


def _group(rank: str) -> str:
    if rank.startswith("POL") or rank == "police":
        return "police"
    return "officer" if rank in OFFICERS or rank == "officer" else "other_ranks"


def _pick(random: Random, shares: Mapping[str, float]) -> str:
    return random.choices(list(shares), list(shares.values()))[0]


def _spaced(text: str, spaces: int, random: Random) -> str:
    """Return ``text`` without its spaces (0), as it is (1), or with more of them (2)."""
    if spaces == 1:
        return text
    if spaces == 0:
        return text.replace(" ", "")
    return re.sub(
        "(တယ်|တွေ|မှာ|ပြီး|တော့|များ|ကို)(?![\u102b-\u103e])",
        lambda m: m[0] + " " * (random.random() < 0.7),
        text,
    )


def _slipped(text: str, random: Random, share: float) -> str:
    """Return ``text`` as it is typed again: slips of fingers, lost marks, other spaces."""
    typed: list[str] = []
    for letter in text:
        chance = random.random() / share
        if letter == " " and random.random() < 0.2:
            continue
        if chance < 0.4:
            typed.append(_TYPOS.get(letter, letter))
        elif chance < 0.6 and "\u102b" <= letter <= "\u103e":
            continue
        elif chance < 0.7:
            typed += [letter, letter]
        else:
            typed.append(letter)
        if random.random() < 0.01 and not "\u102b" <= letter <= "\u103e":
            typed.insert(-1, random.choice([" ", " ", "\u200b", "၊"]))
    return "".join(typed)


def _exchanged(text: str, random: Random) -> str:
    """Return a planted sentence with small changes: a word, a number."""
    text = re.sub(
        "[0-9\u1040-\u1049]+",
        lambda m: (
            str(random.randrange(2, 60)).translate(NUMERALS) if random.random() < 0.5 else m[0]
        ),
        text,
    )
    return _SYNONYM.sub(
        lambda m: random.choice(_SYNONYMS[m[0]]) if random.random() < 0.15 else m[0], text
    )
