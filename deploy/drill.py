"""The drill: steal what can be stolen, say exactly what each thief reads and forges, then cure it.

    python deploy/drill.py                                  as `make drill`: 300 over 4 periods
    python deploy/drill.py --periods 2 --testimonies 12     the same story, small

A real key ceremony, the real site, the real tools, with folders for machines and a calendar for the
weeks (``stage.py``, ``at_day.py``). Only the passphrases are a demo's.

Rules:
- What a thief must read is computed here, from what the design says and from what was sent, when
  and to whom: which period a day falls into, who was assigned, what lay in whose folder. What a
  thief does read is found by ``thief.py``, which knows none of that. Both must be the same set.
- What a thief can forge is tried for real (``forger.py``), and must be what the design says.
- A failure names the thief and the numbers of testimonies, never words. All are named, then the
  exit code is 1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial, reduce
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from deploy import at_day  # noqa: E402 - after the path is set
from intake import days  # noqa: E402

_TODAY = days.clock()
CALENDAR = at_day.hang(_TODAY)  # before the tools come

from deploy.forger import Forger, Stolen, UnexpectedError  # noqa: E402 - after the calendar hangs
from deploy.stage import QUORUM, REVIEWERS, ROOTS, Stage  # noqa: E402
from deploy.steps import Steps  # noqa: E402
from deploy.thief import Found, ransack, steal  # noqa: E402
from intake import keyring  # noqa: E402
from intake.errors import BadKeyring, Misuse  # noqa: E402
from intake.keyring import QUARTER  # noqa: E402

TUESDAY, THURSDAY, FRIDAY = (timedelta(days=n) for n in (1, 3, 4))
WEEK = timedelta(weeks=1)
ASSIGNED = 2  # reviewers of a case
LINE = 100  # columns
MEMORY = Path("/dev/shm")  # noqa: S108 - nothing in it is a secret of anybody's
ROOM = 1 << 30  # bytes

Package = tuple[str, frozenset[str], int]  # recipient, reviewers, how many of them open it


@dataclass(frozen=True, slots=True)
class Thief:
    """What was stolen together: the bytes, and what the drill knows that they are.

    ``people`` and ``roots`` are those whose keys were stolen *with* their passphrases, ``quarters``
    names and quarters of the keys with which those people read cases, ``kept`` the recipients of
    identities that somebody kept in the clear, ``sealed`` and ``blobs`` the testimonies whose
    envelopes, or whose words in a casebook, are in the bytes.
    """

    name: str
    heap: tuple[bytes, ...] = field(repr=False)
    words: frozenset[str] = field(default=frozenset(), repr=False)
    people: frozenset[str] = frozenset()
    quarters: frozenset[tuple[str, str]] = frozenset()
    roots: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    sealed: frozenset[int] = frozenset()
    blobs: frozenset[int] = frozenset()
    packages: frozenset[Package] = frozenset()
    bundle_key: bool = False

    def __add__(self, other: Thief) -> Thief:
        """Return both thieves together."""
        return Thief(
            f"{self.name} + {other.name}",
            self.heap + other.heap,
            self.words | other.words,
            self.people | other.people,
            self.quarters | other.quarters,
            self.roots | other.roots,
            self.kept | other.kept,
            self.sealed | other.sealed,
            self.blobs | other.blobs,
            self.packages | other.packages,
            self.bundle_key or other.bundle_key,
        )


class Drill(Steps):
    """One drill: the stage, what failed, and the steps that it says."""

    def __init__(self, root: Path) -> None:
        """Prepare; nothing is made yet."""
        self.stage = Stage(root, CALENDAR)
        self.truth = self.stage.truth
        self.failures: list[str] = []
        self.ended: list[str] = []  # the periods that are over when the thieves are found out
        super().__init__()

    def check(self, right: object, sentence: str) -> None:
        """Note a failure."""
        if not right:
            self.failures.append(sentence)
            print(f"     FAILED: {sentence}", flush=True)

    # What the design says.

    def should_read(self, thief: Thief) -> set[int]:
        """Return which testimonies the design lets a thief read.

        A period's identity opens the envelopes of that period and nothing else. It comes from a
        quorum of those for whom its package was made, or from somebody who kept it. A reviewer
        opens the cases assigned to them, with the key of the quarter in which a case was recorded.
        The archive, a quorum too, opens every case sealed to it.
        """
        opened = set(thief.kept)
        for recipient, reviewers, needed in thief.packages:
            if len(reviewers & thief.people) >= needed:
                opened.add(recipient)
        truth = self.truth
        rows = {n for n in thief.sealed if truth.sent[n].recipient in opened}
        cases = {
            n
            for n in thief.blobs
            if truth.archive[n] in opened
            or any((name, truth.quarter[n]) in thief.quarters for name in truth.assigned[n])
        }
        return rows | cases

    def reads(self, thief: Thief, found: Found) -> set[int]:
        """Return which testimonies a thief reads, and see that it is what the design says."""
        numbers = {sent.canary: number for number, sent in self.truth.sent.items()}
        read = {numbers[canary] for canary in found.canaries}
        should = self.should_read(thief)
        self.check(read <= should, f"{thief.name} reads too many: {ranges(read - should)}")
        self.check(read >= should, f"{thief.name} reads too few: {ranges(should - read)}")
        return read

    # The weeks.

    def weeks(self, testimonies: int) -> list[Thief]:
        """Let the testimonies come, be carried and be recorded; return what was stolen meanwhile.

        In the week before the last, on a Thursday, somebody copies the server's disk, and somebody
        who is at the import keeps the period's identity.
        """
        stage, names = self.stage, self.ended
        client, monday, stolen = stage.client(), CALENDAR.day, []
        struck, keeper = names[-2], REVIEWERS[1]
        authors = itertools.cycle(itertools.permutations(REVIEWERS))
        shares = split(range(1, testimonies + 1), len(names) * 2)
        for name, first, second in zip(names, shares[::2], shares[1::2], strict=True):
            CALENDAR.day = monday + TUESDAY
            stage.send(client, first)
            if name == struck:
                CALENDAR.day = monday + THURSDAY
                stolen.append(self.steal_server("server's disk", self.stage["taken"]))
                author, other, _ = present = next(authors)
                stage.bring(stage.export(name), name, author, other)
                kept = stage.open_package(stage["desk"] / "packages" / name, author, other)
                text = kept.encode().encode()
                recipients = frozenset({str(kept.recipient())})
                stolen.append(Thief(f"key of {name}", (text,), kept=recipients))
                stage.copy(keeper)
                stage.acknowledge(*present[1:], second=keeper)
            CALENDAR.day = monday + FRIDAY
            stage.send(client, second)
            monday += WEEK
            CALENDAR.day = monday
            author, other, third = next(authors)
            said = stage.bring(stage.export(name), name, author, other)
            self.check(" 0 missing" in said, f"the import of {name} lacks rows")
            stage.copy(keeper)
            stage.acknowledge(other, third, second=keeper)
        stage.copy(*REVIEWERS[:2])
        self.check(not stage.truth.stored, "rows are left on the server")
        return stolen

    def check_assigned(self, *names: str) -> None:
        """See that every case has two reviewers, and that each of them exports it, and no other."""
        read, assigned = self.stage.learn_assigned(*names), self.truth.assigned
        for name in names:
            told = {n for n, people in assigned.items() if name in people}
            more, less = read[name] - told, told - read[name]
            self.check(not more, f"{name} exports cases of others: {ranges(more)}")
            self.check(not less, f"{name} does not export: {ranges(less)}")
        odd = {n for n, people in assigned.items() if len(people) != ASSIGNED}
        self.check(not odd, f"these have not exactly {ASSIGNED} reviewers: {ranges(odd)}")
        lost = self.truth.sent.keys() - assigned.keys()
        self.check(not lost, f"these are nobody's: {ranges(lost)}")
        for number in lost:
            assigned[number] = frozenset()

    # What is stolen.

    def steal_server(self, name: str, taken: Path) -> Thief:
        """Copy the server's disk, as it is now, into the new folder ``taken``."""
        shutil.copytree(self.stage["server"], taken)
        stored = frozenset(self.truth.stored)
        return Thief(name, tuple(steal(taken)), sealed=stored, bundle_key=True)

    def steal_laptop(self, name: str) -> Thief:
        """Take a reviewer's laptop, with the passphrase."""
        folder = self.stage[name]
        return Thief(
            f"{name}'s laptop",
            tuple(steal(folder)),
            frozenset({self.stage.words[name]}),
            people=frozenset({name}),
            quarters=quarters(self.stage, name),
            blobs=frozenset(self.truth.recorded),
            packages=packages(folder),
        )

    def steal_root(self, name: str) -> Thief:
        """Take a root's machine, with the passphrase."""
        word = frozenset({self.stage.words[name]})
        return Thief(f"root {name}", tuple(steal(self.stage[name])), word, roots=frozenset({name}))

    def steal_casebook(self) -> Thief:
        """Copy the desk's whole casebook, without anybody's secrets."""
        heap = tuple(steal(self.stage.casebook))
        return Thief("desk's casebook", heap, blobs=frozenset(self.truth.recorded))

    def steal_stick(self) -> Thief:
        """Copy everything that was ever carried: bundles, returns and keyrings."""
        heap = tuple(steal(self.stage["stick"]))
        return Thief("the stick", heap, sealed=frozenset(self.truth.bundled))

    # The table.

    def table(
        self, singles: Sequence[Thief], others: Sequence[Thief], server: Path, public: Thief | None
    ) -> None:
        """Print and check what each thief reads and forges: in turn, in pairs, and all together.

        ``others`` stand alone. ``server`` is what forgeries are tried on. ``public`` is what each
        of them steals besides, from then on.
        """
        pairs = [one + other for one, other in itertools.combinations(singles, 2)]
        everyone = replace(reduce(Thief.__add__, singles), name="all of them")
        forged = Forgeries(self, server)
        periods = dict.fromkeys(sent.period for sent in self.truth.sent.values())
        widths = {name: max(4, len(label(name))) for name in periods}
        names = " ".join(f"{label(name):>{width}}" for name, width in widths.items())
        head = f"reads of {len(self.truth.sent)}"
        print(f"\n     {'thief':<33} {head:>12}   {names}   forges")
        for thief in [*singles, *others, *pairs, everyone]:
            has = replace(thief + public, name=thief.name) if public else thief
            found = ransack(has.heap, has.words)
            read = self.reads(has, found)
            each = Counter(self.truth.sent[n].period for n in read)
            counts = " ".join(f"{each[name]:>{width}}" for name, width in widths.items())
            powers = ", ".join(forged.by(has, found)) or "nothing"
            print(f"     {has.name:<33} {len(read):>12}   {counts}   {powers}", flush=True)
        print()

    # The cure.

    def remove(self, name: str) -> None:
        """Remove a reviewer: from today on, periods and archive are new to them.

        The period that they know gives way in its middle, and what waits of it is recorded still.
        """
        stage, rest = self.stage, [other for other in REVIEWERS if other != name]
        archive = stage.keyring.archive
        ends = stage["stick"] / "ends"
        stage.tool("desk", "ends", name, "--casebook", stage.casebook, "--out", ends)
        cards = stage.new_quarters(rest, 5)
        stage.rotate("remove", name, "--ends", ends, "--weeks", 2, *cards, present=rest)
        kept = stage.keyring.archive == archive
        self.check(not kept, f"the archive is the one that {name} knows a part of")

    def retire(self, *names: str) -> None:
        """Close periods that are over, and destroy their packages wherever a copy lies.

        The server signs that nothing of them is left; two reviewers acknowledge that it did.
        """
        stage = self.stage
        closing = {name: stage.export(name, "--empty") for name in names}
        for name, bundle in closing.items():
            stage.bring(bundle, name, "bob", "carol")
        stage.copy("carol")
        back = stage.acknowledge("bob", "carol", second="carol")
        rings = [stage["stick"] / f"keyring-{n + 1}" for n in range(stage.keyring.version)]
        for name, bundle in closing.items():
            copies = [path.parent for path in stage.root.rglob(f"{name}/package.json")]
            self.check(len(copies) == len(REVIEWERS) + 2, f"{name} lay in {len(copies)} folders")
            papers = ("--keyring", *rings, "--closing", bundle, "--return", back, "--yes")
            stage.tool("ceremony", "retire", *copies, *papers)
            left = [path for path in copies if path.exists()]
            self.check(not left, f"{name} was retired, and {len(left)} packages are left")

    def later(self, count: int) -> Thief:
        """Let new testimonies come over the new periods; return what is public of it all.

        In the last of them, on a Thursday, the server's disk is copied again.
        """
        stage, client, monday = self.stage, self.stage.client(), monday_of(CALENDAR.day)
        names = [one.name for one in stage.keyring.periods if one.last >= CALENDAR.day]
        first = len(self.truth.sent) + 1
        for name, share in zip(names, split(range(first, first + count), len(names)), strict=True):
            CALENDAR.day = monday + TUESDAY
            stage.send(client, share)
            CALENDAR.day = monday + THURSDAY
            if name == names[-1]:
                server = self.steal_server("server", stage["taken-again"])
            self.record(name)
            monday += WEEK
        return replace(server + self.steal_casebook() + self.steal_stick(), name="public")

    def record(self, name: str) -> None:
        """Let those who remain record what waits of a period, and the server delete it."""
        stage = self.stage
        said = stage.bring(stage.export(name), name, "bob", "carol")
        self.check(" 0 missing" in said, f"the import of {name} lacks rows")
        stage.copy("carol")
        stage.acknowledge("bob", "carol", second="carol")

    def check_cured(self, new: set[int], server: Thief) -> None:
        """See that nothing is undone: who was removed, what was retired, what was replaced.

        ``server`` is what the first thief of the server's disk had.
        """
        stage, forger = self.stage, Forger(self.stage, self.stage["taken-again"])
        rings = [stage["stick"] / f"keyring-{n + 1}" for n in range(stage.keyring.version)]
        old = keyring.parse(rings[0].read_bytes())
        key = ransack(server.heap).signing[old.bundle_key]
        believed = forger.bundle(key, "bob", "carol")
        self.check(not believed, "the server's old key still signs bundles")
        # This is more than the design promises. Who has the old key says that the bundle was made
        # under the keyring that still named it, and the desk believes that for as long as a period
        # of that keyring lives. It brings in nothing that the form would not take from anybody.
        believed = forger.bundle(key, "bob", "carol", under=keyring.parse(rings[-2].read_bytes()))
        self.check(believed, "the server's old key signs nothing under the keyring before: say so")
        now = stage.keyring.version
        for version, ring in enumerate(rings[:-1], 1):
            said = stage.refused("admin", "keyring", "install", ring, "--demo", "--yes")
            back = not isinstance(said.refused, BadKeyring) or stage.keyring.version != now
            self.check(not back, f"keyring {version} comes back to the server")
            said = stage.refused("desk", "keyring", ring, "--casebook", stage.casebook)
            self.check(
                isinstance(said.refused, BadKeyring), f"keyring {version} comes back to the desk"
            )
        state = json.loads(stage.tool("admin", "status", "--json"))["state"]
        self.check(state == "green", f"after the cure the server is {state}")
        said = stage.refused("desk", "list", "--casebook", stage.casebook, *stage.here("alice"))
        self.check(isinstance(said.refused, Misuse), "alice, who was removed, still works here")
        # Property 21, with every secret that still exists in any folder, and all passphrases.
        everything = Thief(
            "everybody, without the casebooks",
            tuple(steal(*self._folders(casebooks=False))),
            frozenset(stage.words.values()),
            people=frozenset(REVIEWERS),
            sealed=frozenset(self.truth.sent),
            packages=packages(stage.root),
        )
        read = self.reads(everything, ransack(everything.heap, everything.words))
        self.check(read == new, f"a retired period opens: {ranges(read - new)}")
        casebooks = Thief(
            "everybody",
            tuple(steal(*self._folders(casebooks=True))),
            everything.words,
            people=everything.people,
            quarters=quarters(stage, *REVIEWERS),
            sealed=everything.sealed,
            blobs=frozenset(self.truth.recorded),
            packages=everything.packages,
        )
        read = self.reads(casebooks, ransack(casebooks.heap, casebooks.words))
        lost = self.truth.sent.keys() - read
        self.check(not lost, f"the cure lost: {ranges(lost)}")

    def check_fresh(self, singles: Sequence[Thief], public: Thief, new: set[int]) -> None:
        """See, apart from who should read what, that nothing new is read without bob.

        Bob was robbed and not removed here, so his old laptop goes on reading what he reads: until
        the quarter turns, whose key was made after the theft.
        """
        robbed = [one for one in singles if "bob" not in one.people]
        together = replace(reduce(Thief.__add__, [*robbed, public]), name="all but bob's laptop")
        read = self.reads(together, ransack(together.heap, together.words)) & new
        self.check(not read, f"{together.name} reads what came after the cure: {ranges(read)}")
        everyone = replace(reduce(Thief.__add__, [*singles, public]), name="all of them")
        turned = {n for n in new if self.truth.quarter[n] != self.truth.quarter[1]}
        self.check(turned, "the quarter did not turn")
        read = self.reads(everyone, ransack(everyone.heap, everyone.words)) & turned
        self.check(not read, f"{everyone.name} read what came after the quarter: {ranges(read)}")

    def turn(self, *names: str) -> tuple[Thief, set[int]]:
        """Reject some old cases, seal the open ones again, and destroy the old quarter's keys.

        Return the first one's laptop, stolen anew, and which cases were closed: by both. Where one
        of a case's two was removed before, one voice is left, and the case stays open.
        """
        stage, truth, book = self.stage, self.truth, self.stage.casebook
        now = keyring.quarter_of(CALENDAR.day)
        numbers = stage.learn_numbers(*names)
        old = sorted(n for n in numbers if truth.quarter[n] < now)
        closed = {*[n for n in old if truth.assigned[n] == {*names}][::2]}
        rejected = closed | {*[n for n in old if truth.assigned[n] != {*names}][::3]}
        for name in names:
            mine = [numbers[n] for n in sorted(rejected) if name in truth.assigned[n]]
            if mine:
                why = ("--as", "rejected", "--ground", "contradicts")
                stage.tool("desk", "decide", *mine, *why, "--casebook", book, *stage.here(name))
        for name in (*names, *names):  # once to seal, once to agree
            stage.tool("desk", "reseal", "--casebook", book, *stage.here(name))
        for n in truth.recorded - closed:
            truth.assigned[n] = frozenset(self._people(truth.assigned[n]))
            truth.quarter[n], truth.archive[n] = now, stage.keyring.archive
        for name in names:
            for quarter in sorted(one for _, one in quarters(stage, name) if one < now):
                gone = ("--casebook", book, *stage.here(name), "--yes")
                stage.tool("desk", "forget", quarter, *gone)
        stage.copy(*names)
        return self.steal_laptop(names[0]), closed

    def _people(self, assigned: frozenset[str]) -> set[str]:
        """Return a case's reviewers once those who were removed gave way, where two are left."""
        active = {who.name for who in self.stage.keyring.active}
        self.check(len(active) == ASSIGNED, "more than two reviewers are left: say who follows")
        return active if assigned - active or len(active) == ASSIGNED else set(assigned)

    def check_turned(self, laptop: Thief, closed: set[int]) -> None:
        """See that the laptop opens its open cases and no closed one, and that the desk knows."""
        read = self.reads(laptop, ransack(laptop.heap, laptop.words))
        opens = {n for n, people in self.truth.assigned.items() if "bob" in people} - closed
        self.check(read == opens, f"bob's laptop: {ranges(read ^ opens)}")
        self.check(closed and opens, "nothing was closed, or nothing is open")
        told = self.stage.learn_numbers("bob")
        self.check(set(told) == opens, f"the desk shows bob other cases: {ranges({*told} ^ opens)}")

    def _folders(self, *, casebooks: bool) -> list[Path]:
        """Return every folder of every machine, and the stick; with or without casebooks."""
        every = [
            path
            for machine in self.stage.root.iterdir()
            if machine.is_dir()
            for path in machine.iterdir()
        ]
        return [path for path in every if casebooks or path.name != "casebook"]


class Forgeries:
    """What the thieves can forge; what the same keys were tried for is not tried again."""

    def __init__(self, drill: Drill, server: Path) -> None:
        """Prepare to forge against ``server``, a copy of the server's folder."""
        self.drill, self.forger = drill, Forger(drill.stage, server)
        self.tried: dict[tuple[str, frozenset[str]], bool] = {}

    def by(self, thief: Thief, found: Found) -> Iterator[str]:
        """Yield what a thief can forge; each must be what the design says."""
        check, forger = self.drill.check, self.forger
        keys = Stolen.of(found.signing, forger.known)
        check(set(keys.roots) == thief.roots, f"{thief.name} has other roots' keys")
        check(set(keys.reviewers) == thief.people, f"{thief.name} has other reviewers' keys")
        check((keys.bundle is not None) == thief.bundle_key, f"{thief.name}: the bundle key")
        active = {who.name for who in forger.known.active}
        roots, people = thief.roots, thief.people
        server = frozenset({"server"} if thief.bundle_key else ())
        # What is forged, with whose keys, whether the design lets it be believed, and the attempt.
        attempts: list[tuple[str, frozenset[str], bool, Callable[[], bool]]] = [
            ("keyring", roots, len(roots) > 1, lambda: forger.redirect(keys.roots)),
            ("bundle", server, bool(server), lambda: forger.bundle(keys.bundle, "bob", "carol")),
            (
                "return",
                people,
                len(people & active) > 1,
                lambda: forger.acknowledgement(keys.reviewers),
            ),
            (
                "answer",
                people,
                len(people & active) > 1,
                lambda: forger.reply(keys.reviewers),
            ),
            (
                "attested period",
                people,
                len(people & active) > 1,
                lambda: forger.attestation(keys.reviewers),
            ),
        ]
        for name in sorted(active | people):
            key, should = keys.reviewers.get(name), name in people & active
            event = partial(forger.event, name, key, min(active - {name}))
            attempts.append((f"event of {name}", people & {name}, should, event))
        for what, whose, should, attempt in attempts:
            if (what, whose) not in self.tried:
                try:
                    self.tried[what, whose] = attempt()
                except UnexpectedError as error:
                    check(False, f"{thief.name} forges a {what}: {error}")
                    self.tried[what, whose] = should
            believed = self.tried[what, whose]
            verb = "can" if believed else "cannot"
            check(believed == should, f"{thief.name} {verb} forge: {what}")
            if believed:
                yield what


def packages(*folders: Path) -> frozenset[Package]:
    """Return what the packages in these folders say of themselves: whose they are, and for whom."""
    found = set()
    for path in (path for folder in folders for path in folder.rglob("package.json")):
        facts = json.loads(path.read_bytes())
        found.add((facts["recipient"], frozenset(facts["reviewers"]), facts["quorum"]))
    return frozenset(found)


def quarters(stage: Stage, *names: str) -> frozenset[tuple[str, str]]:
    """Return which quarters' keys lie in these reviewers' folders."""
    return frozenset(
        (name, path.stem)
        for name in names
        for path in stage.keys(name).glob("*.age")
        if QUARTER.match(path.stem)
    )


def label(period: str) -> str:
    """Return the name of a period without its year."""
    return period.partition("-")[2]


def first_monday(periods: int) -> date:
    """Return a Monday so that the quarter turns soon after those periods and the next one."""
    quarter = (_TODAY.month - 1) // 3
    following = date(_TODAY.year + quarter // 3, (quarter + 1) % 4 * 3 + 1, 1)
    return monday_of(following - timedelta(days=1)) - (periods + 1) * WEEK


def monday_of(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def split(numbers: Sequence[int], parts: int) -> list[Sequence[int]]:
    """Return ``numbers`` in as many parts, of about the same length."""
    edges = [len(numbers) * part // parts for part in range(parts + 1)]
    return [numbers[first:last] for first, last in itertools.pairwise(edges)]


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers as people write them: ``1-3, 7``."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans) or "none"


def wrapped(text: str) -> str:
    """Return a line in the width of a terminal."""
    return textwrap.fill(text, LINE, initial_indent=" " * 7, subsequent_indent=" " * 9)


def memory() -> Path | None:
    """Return a folder in memory with room for the drill, which syncs ten thousand times, if any."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    return MEMORY if roomy else None


def play(root: Path, periods: int, testimonies: int) -> list[str]:
    """Hold the drill in ``root``; return what failed."""
    drill = Drill(root)
    stage, count = drill.stage, max(testimonies // 6, 6)
    CALENDAR.day = first_monday(periods)
    stage.set_up(periods + 1)
    who = f"{len(REVIEWERS)} reviewers, any {QUORUM} of whom open, and {len(ROOTS)} roots"
    drill.step(f"ceremony: {who}; {periods + 1} periods; keyring installed")
    *drill.ended, current = (period.name for period in stage.keyring.periods)
    server, kept = drill.weeks(testimonies)
    drill.step(f"{testimonies} testimonies over {periods} periods, recorded and acknowledged")
    drill.check_assigned(*REVIEWERS)
    laptops = [drill.steal_laptop(name) for name in REVIEWERS[:2]]
    roots = [drill.steal_root(name) for name in ROOTS]
    rest = [drill.steal_casebook(), drill.steal_stick()]
    singles = [kept, *laptops, server, *rest, roots[0]]
    both = replace(roots[0] + roots[1], name="both roots")
    drill.step("thefts: " + ", ".join(thief.name for thief in singles))
    drill.table(singles, [both], stage["taken"], None)
    print("     Which, by number:")
    for thief in singles:
        print(wrapped(f"{thief.name}: {ranges(drill.should_read(thief))}"))
    if drill.failures:
        return drill.failures  # a cure is no use on broken ground
    drill.step("each thief reads and forges what the design says, and no more")

    waits = range(testimonies + 1, testimonies + count // 3 + 1)
    stage.send(stage.client(), waits)  # sealed to a period that alice knows a part of
    CALENDAR.day += TUESDAY
    drill.remove("alice")
    drill.record(current)
    drill.step(f"alice removed, keyring 2; {len(waits)} that waited for {current} are recorded")
    drill.retire(*drill.ended, current)
    over = f"{periods + 1} periods are closed, acknowledged, and destroyed in every folder"
    stage.rotate("rotate", "--drop", *drill.ended, "--weeks", 1, present=REVIEWERS[1:])
    drill.step(f"{over}; keyring 3 without them")
    stage.new_bundle_key()
    drill.step("the server signs with a new key; keyring 4 names it")
    public = drill.later(count)
    new = set(range(waits.stop, waits.stop + count))
    drill.check_assigned("bob", "carol")
    drill.step(f"{count} new testimonies; casebook, stick and the server with its new key copied")
    drill.table(singles, [], stage["taken-again"], public)
    drill.check_fresh(singles, public, new)
    drill.step("each thief, with all that was stolen before and now, reads what the design says")
    drill.check_cured(new, server)
    drill.step("nothing is undone, no retired period opens, and nothing was lost")
    laptop, closed = drill.turn("bob", "carol")
    drill.step(f"quarter's key destroyed at both desks; {len(closed)} closed cases go with it")
    drill.table([laptop], [], stage["taken-again"], None)
    drill.check_turned(laptop, closed)
    drill.step("bob's laptop, with his passphrase, opens his cases of the quarter that lives")
    print(f"     All of it took {time.monotonic() - drill.start:.1f} s.")
    return drill.failures


def main() -> None:
    """Hold the drill in a temporary folder, which is erased."""
    parser = argparse.ArgumentParser(
        description="Steal, say who reads what, cure it, say it again."
    )
    parser.add_argument("--periods", type=int, default=4, help="4, if not given; 2 at least")
    parser.add_argument("--testimonies", type=int, default=300, help="300, if not given")
    parser.add_argument("--folder", type=Path, help="where; in memory, if not given and it fits")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drill-", dir=given.folder or memory()) as name:
        failures = play(Path(name), given.periods, given.testimonies)
    for sentence in failures:
        print(f"FAILED: {sentence}", file=sys.stderr)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
