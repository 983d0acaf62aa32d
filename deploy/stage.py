"""The stage of the drill: folders for machines, the tools, the site, and what is true of them.

::

    server/          data and keys of the machine behind the onion
    stick/           what is carried between machines: bundles, returns, keyrings; all of it public
    desk/            the casebook that everybody imports into, and packages
    alice/ bob/ …    a reviewer's laptop: keys/, casebook/ (a copy), packages/
    rosa/ ruth/      a root's machine: keys/
    ceremony/        where packages, drafts and keyrings were made

Rules:
- Everything runs through the tools' own command lines, in this process, and through the site's own
  code. Whoever imports this hangs a calendar first (``at_day.py``).
- :class:`Truth` is kept by hand, from what was done here: what was sent on which day, what was
  exported, imported, acknowledged. It is never asked of the store, a bundle or a casebook; only who
  was assigned is, for that is drawn.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
import itertools
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from flask.testing import FlaskClient
from werkzeug.wrappers import Response

from deploy.thief import CANARY, MARK
from intake import days, files, keyring, receipt, terminal
from intake.admin.__main__ import build as build_admin
from intake.age import bech32
from intake.age.identity import Identity
from intake.ceremony.__main__ import build as build_ceremony
from intake.desk.__main__ import build as build_desk
from intake.desk.present import Present
from intake.errors import Refused
from intake.quorum import open_package
from intake.server.site import create_app
from intake.settings import Settings

ROOTS = ("rosa", "ruth")
REVIEWERS = ("alice", "bob", "carol")
QUORUM = 2
DESK = "desk-a"
_BUILD = {"admin": build_admin, "ceremony": build_ceremony, "desk": build_desk}
_ORIGIN = {"Origin": "http://localhost"}
_SEED = re.compile(r'name="_seed" value="([0-9a-f]{64})"')
_GROUPS = re.compile(r"<li>(\d{4})\b")
_KEY = re.compile(r"\b[0-9a-f]{64}\b")

Answers = Mapping[str, str | Sequence[str]]
LEAST: Answers = {"consent_store": "yes", "intent": ["testify"], "urgency": "skip", "force": "army"}
MUCH: Answers = {
    **LEAST,
    "intent": ["certify", "leave", "assist", "inform", "testify"],
    "needs": ["shelter", "route", "food_money", "medical", "family", "legal", "mental", "contact"],
    "urgency": "days",
    "rank": "SGT",
    "unit_type": "LIB",
    "unit_no": "၅၂၈",
    "posted": "MMR006001",
    "left-year": "2021",
    "left-month": "8",
}
BURMESE = "ရွာကို မီးရှို့ခိုင်းတယ်။ ကျွန်တော် မပစ်ခဲ့ဘူး။\r\nညတွင်း ထွက်ပြေးခဲ့တယ်။ "
ZAWGYI = "ကၽြန္ေတာ္ တပ္ထဲက ထြက္ေျပးခဲ့တယ္။ ရြာကို မီး႐ႈိ႕ခိုင္းတယ္။ "
EMOJI = "😔🔥 ရဲဘော် 👨‍👩‍👧 🇲🇲 "
ACCOUNT, HINT = 2000, 300  # characters that the form has room for


def answers(number: int, canary: str) -> Answers:
    """Return what the source of that number types; the canary stands in one of the answers."""
    kinds: list[Answers] = [
        {**MUCH, "account": f"{BURMESE}{canary}", "vet_hint": "သင်တန်း အပတ်စဉ် ၅၄"},
        {**MUCH, "account": f"{canary} {ZAWGYI}", "vet_hint": ZAWGYI},
        {**LEAST, "account": f"{EMOJI}{canary} {EMOJI}"},
        {**LEAST, "account": " \r\n ", "vet_hint": canary},  # as empty as one with a canary can be
        {**MUCH, "account": canary.ljust(ACCOUNT, "\x01"), "vet_hint": "\x1b" * HINT},
        {**MUCH, "account": f"{canary} {BURMESE * ACCOUNT}"[:ACCOUNT].replace("\r", " ")},
        {**MUCH, "account": canary + "😔" * (ACCOUNT - len(canary)), "vet_hint": "\u202e" * HINT},
    ]
    return kinds[number % len(kinds)]


@dataclass(frozen=True, slots=True)
class Sent:
    """One testimony: its canary, and the recipient of the period that its day falls into."""

    canary: str
    period: str
    recipient: str


@dataclass(slots=True)
class Truth:
    """What was done. Numbers are those of testimonies, from 1 on.

    ``stored`` are on the server now, ``bundled`` in a bundle on the stick, ``recorded`` in the
    casebook. Of each that is recorded, ``assigned`` are the case's reviewers, ``quarter`` is the
    one whose keys of theirs it was sealed to, and ``archive`` the archive.
    """

    sent: dict[int, Sent] = field(default_factory=dict)
    stored: set[int] = field(default_factory=set)
    bundled: set[int] = field(default_factory=set)
    recorded: set[int] = field(default_factory=set)
    assigned: dict[int, frozenset[str]] = field(default_factory=dict)
    quarter: dict[int, str] = field(default_factory=dict)
    archive: dict[int, str] = field(default_factory=dict)


_parsed = functools.cache(keyring.parse)
# A tool is a process of its own and decodes a recipient once; here the same ones come thousands of
# times. Decoding is pure, so remembering it changes nothing but the time.
bech32.decode = functools.cache(bech32.decode)


class Said(NamedTuple):
    """What a tool printed, and what it refused, or None."""

    text: str
    refused: Refused | None


def run(tool: str, *arguments: object) -> Said:
    """Run one of the tools as a person would, in this process."""
    given = _BUILD[tool]().parse_args(list(map(str, arguments)))
    out, refused = io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        try:
            given.do(given)
        except Refused as error:
            refused = error
    return Said(out.getvalue(), refused)


def page_of(answer: Response) -> str:
    """Return the page of an answer, which is always gzip."""
    return gzip.decompress(answer.data).decode()


def quarters_of(first: date, weeks: int) -> list[str]:
    """Return the quarters that some weeks from the day ``first`` on touch."""
    span = (first + timedelta(days=day) for day in range(7 * weeks))
    return list(dict.fromkeys(map(keyring.quarter_of, span)))


@dataclass(slots=True)
class Stage:
    """The machines below ``root``, one deployment, and the truth about it."""

    root: Path
    calendar: Any
    truth: Truth = field(default_factory=Truth)
    words: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Path:
        """Return the folder of a machine."""
        return self.root / name

    @property
    def casebook(self) -> Path:
        """The desk's casebook."""
        return self["desk"] / "casebook"

    @property
    def keyring(self) -> keyring.Keyring:
        """The keyring that is installed on the server."""
        return _parsed((self["server"] / "keys" / "keyring").read_bytes())

    def keys(self, name: str) -> Path:
        """Return the folder of a reviewer's or a root's keys."""
        return self[name] / "keys" / name

    def here(self, *names: str) -> list[object]:
        """Return the options that say which reviewers are present."""
        return [word for name in names for word in ("--reviewer", self.keys(name))]

    def tool(self, tool: str, *arguments: object) -> str:
        """Run a tool; what it refuses is an error."""
        demo = [] if tool == "admin" else ["--demo-passphrases", self.root / "passphrases"]
        said = run(tool, *demo, *arguments)
        if said.refused:
            raise said.refused
        return said.text

    def refused(self, tool: str, *arguments: object) -> Said:
        """Run a tool that may refuse."""
        demo = [] if tool == "admin" else ["--demo-passphrases", self.root / "passphrases"]
        return run(tool, *demo, *arguments)

    def on(self, server: Path) -> None:
        """Let ``admin`` work on this server's folder from here on."""
        os.environ["INTAKE_DATA"] = str(server / "data")
        os.environ["INTAKE_KEYS"] = str(server / "keys")

    def set_up(self, weeks: int) -> None:
        """Hold the ceremony for ``weeks`` periods from today on, install, and make a casebook."""
        for name in ("server", "stick", "desk", "ceremony"):
            self[name].mkdir(mode=0o700)
        self.on(self["server"])
        self.words |= {n: f"{terminal.DEMO}{secrets.token_hex(8)}" for n in (*ROOTS, *REVIEWERS)}
        lines = "".join(f"{name} {word}\n" for name, word in self.words.items())
        files.write(self.root / "passphrases", lines.encode())
        first = self.calendar.day
        for name in ROOTS:
            self.tool("ceremony", "root", name, "--out", self[name] / "keys")
        self.add_reviewers(REVIEWERS, first, weeks)
        cards = [self.keys(name) / "card.json" for name in REVIEWERS]
        made = self["ceremony"] / "made"
        shared = ("--quorum", QUORUM, "--out", made, "--yes", "--reviewers", *cards)
        self.tool("ceremony", "archive", *shared)
        self.tool("ceremony", "periods", "--from", first, "--weeks", weeks, *shared)
        packages = sorted(path.parent for path in made.glob("*/package.json"))
        self.tool("ceremony", "attest", *packages, *self.here(*REVIEWERS[:QUORUM]))
        key = _KEY.findall(self.tool("admin", "init"))[0]
        draft, last = self["ceremony"] / "draft-1", first + timedelta(weeks=weeks, days=-1)
        self.tool(
            *("ceremony", "propose", "--out", draft, "--expires", last, "--threshold", len(ROOTS)),
            *("--roots", *(self.keys(name) / "card.json" for name in ROOTS), "--reviewers", *cards),
            *("--archive", made / "archive", "--bundle-key", key),
            *("--periods", *(path for path in packages if path.name != "archive")),
        )
        self.sign(draft, 1)
        self.tool("admin", "keyring", "install", self["stick"] / "keyring-1", "--demo", "--yes")
        book = ("--casebook", self.casebook, "--keyring", self["stick"] / "keyring-1")
        self.tool("desk", "init", *book, "--desk", DESK, "--yes")
        self.hand_out(packages, *REVIEWERS)

    def add_reviewers(self, names: Sequence[str], first: date, weeks: int) -> None:
        """Make reviewers with a key for every quarter that the weeks from ``first`` on touch."""
        for name in names:
            about = ("--body", f"Body of {name}", "--out", self[name] / "keys")
            quarters = quarters_of(first, weeks)
            self.tool("ceremony", "reviewer", name, *about, "--quarter", *quarters)

    def new_quarters(self, names: Sequence[str], weeks: int) -> list[object]:
        """Make the keys of quarters to come within the weeks; return the option for new cards."""
        cards: list[object] = []
        for name in names:
            card = self.keys(name) / "card.json"
            known = json.loads(card.read_bytes())["quarters"]
            new = [one for one in quarters_of(self.calendar.day, weeks) if one not in known]
            if new:
                self.tool("ceremony", "quarter", self.keys(name), "--quarter", *new)
                cards.append(card)
        return ["--reviewers", *cards] if cards else []

    def sign(self, draft: Path, version: int) -> None:
        """Both roots sign, and the keyring goes onto the stick."""
        out = self["stick"] / f"keyring-{version}"
        before = self["stick"] / f"keyring-{version - 1}"
        follows = ["--previous", before] if version > 1 else []
        for name in ROOTS:
            self.tool("ceremony", "sign", draft, "--root", self.keys(name), "--yes", *follows)
        signatures = [draft.with_name(f"{draft.name}.{name}.sig") for name in ROOTS]
        self.tool("ceremony", "assemble", draft, *signatures, "--out", out, *follows)

    def hand_out(self, packages: Sequence[Path], *names: str) -> None:
        """Copy packages to the desk and to reviewers, who may each keep them: they are sealed."""
        for package in packages:
            for machine in ("desk", *names):
                to = self[machine] / "packages" / package.name
                # An old archive stays: it opens the old cases.
                to = to.with_name(f"{to.name}-{self.keyring.version}") if to.exists() else to
                shutil.copytree(package, to)

    def client(self) -> FlaskClient:
        """Return a browser on the site."""
        settings = Settings(self["server"] / "data", self["server"] / "keys")
        return create_app(settings).test_client(use_cookies=False)

    def send(self, client: FlaskClient, numbers: Sequence[int]) -> None:
        """Let the sources of these numbers fill in the form today."""
        period = self.keyring.period_of(days.clock())
        if period is None:
            raise AssertionError(f"no period on {days.clock()}")
        # The first source of a day is shown the form; for the others its seed is drawn here, as the
        # form draws it, because a page of all townships takes longer than all the rest.
        seeds = itertools.chain(
            _SEED.findall(page_of(client.get("/"))), iter(lambda: receipt.new_seed().hex(), "")
        )
        for number, seed in zip(numbers, seeds, strict=False):
            canary = f"{MARK.decode()}-{number:04}-{secrets.token_hex(8)}"
            data = {"_seed": seed, **answers(number, canary)}
            answer = client.post("/", data=data, headers=_ORIGIN)
            if answer.status_code != 200 or len(_GROUPS.findall(page_of(answer))) != 6:  # noqa: PLR2004
                raise AssertionError(f"testimony {number}: the site answered {answer.status_code}")
            self.truth.sent[number] = Sent(canary, period.name, period.recipient)
            self.truth.stored.add(number)

    def export(self, period: str, *more: str) -> Path:
        """Export a period's rows to the stick; return the bundle."""
        before = set(self["stick"].glob("*.bundle"))
        self.tool("admin", "export", self["stick"], "--period", period, *more)
        (made,) = set(self["stick"].glob("*.bundle")) - before
        self.truth.bundled |= self.stored_of(period)
        return made

    def bring(self, bundle: Path, period: str, *present: str) -> str:
        """Import a bundle of a period with these reviewers; the first of them signs."""
        package = self["desk"] / "packages" / period
        book = ("--casebook", self.casebook, "--package", package)
        said = self.tool("desk", "import", bundle, *book, *self.here(*present))
        for number in self.stored_of(period) - self.truth.recorded:
            self.truth.recorded.add(number)
            self.truth.archive[number] = self.keyring.archive
            self.truth.quarter[number] = keyring.quarter_of(self.calendar.day)
        return said

    def stored_of(self, period: str) -> set[int]:
        """Return which testimonies of a period are on the server."""
        return {n for n in self.truth.stored if self.truth.sent[n].period == period}

    def copy(self, *names: str) -> None:
        """Bring these reviewers' copies of the casebook up to date."""
        for name in names:
            self.tool("desk", "copy", "--casebook", self.casebook, "--to", self[name] / "casebook")

    def acknowledge(self, *signers: str, second: str) -> Path:
        """Two reviewers acknowledge what is in a second copy too; the server deletes it."""
        out = self["stick"] / f"{len(list(self['stick'].glob('*.return'))) + 1:06}.return"
        book = ("--casebook", self.casebook, "--second-copy", self[second] / "casebook")
        self.tool("desk", "acknowledge", *book, "--out", out, *self.here(*signers))
        self.tool("admin", "acknowledge", out)
        self.truth.stored -= self.truth.recorded
        return out

    def rotate(self, command: str, *arguments: object, present: Sequence[str]) -> None:
        """Make the next keyring with ``rotate`` or ``remove``, sign it, and put it in force."""
        version = self.keyring.version + 1
        out = self["ceremony"] / f"made-{version}"
        before = ("--previous", self["stick"] / f"keyring-{version - 1}", "--out", out, "--yes")
        self.tool("ceremony", command, *arguments, *before, *self.here(*present))
        self.put_in_force(out / "draft", version)
        self.hand_out(sorted(path.parent for path in out.glob("*/package.json")), *present)

    def put_in_force(self, draft: Path, version: int) -> None:
        """Have the next keyring signed, and installed on the server and at the desk."""
        self.sign(draft, version)
        ring = self["stick"] / f"keyring-{version}"
        self.tool("admin", "keyring", "install", ring, "--demo", "--yes")
        self.tool("desk", "keyring", ring, "--casebook", self.casebook)

    def new_bundle_key(self) -> None:
        """Give the server another key for bundles, and name it in the next keyring."""
        before = self.keyring
        (self["server"] / "data" / "bundle.key").unlink()
        key = _KEY.findall(self.tool("admin", "init"))[0]
        draft = self["ceremony"] / f"draft-{before.version + 1}"
        follows = ("--previous", self["stick"] / f"keyring-{before.version}", "--bundle-key", key)
        self.tool("ceremony", "propose", "--out", draft, "--expires", before.expires, *follows)
        self.put_in_force(draft, before.version + 1)

    def learn_assigned(self, *names: str) -> dict[str, set[int]]:
        """Learn from each reviewer's export who was assigned to what; return what each exports."""
        numbers = {sent.canary: number for number, sent in self.truth.sent.items()}
        read: dict[str, set[int]] = {}
        for name in names:
            out = self["desk"] / f"{name}.json"
            who = ("--casebook", self.casebook, *self.here(name), "--out", out)
            self.tool("desk", "export", *who)
            cases, read[name] = json.loads(out.read_bytes()), set()
            out.unlink()  # in the clear
            for case in cases:
                (canary,) = CANARY.findall(json.dumps(case["envelopes"]).encode())
                number = numbers[canary.decode()]
                read[name].add(number)
                self.truth.assigned[number] = frozenset(case["assigned"])
        return read

    def learn_numbers(self, *names: str) -> dict[int, str]:
        """Learn from each reviewer's export the case of each testimony that they open."""
        numbers = {sent.canary: number for number, sent in self.truth.sent.items()}
        found: dict[int, str] = {}
        for name in names:
            out = self["desk"] / f"{name}.json"
            who = ("--casebook", self.casebook, *self.here(name), "--out", out)
            self.tool("desk", "export", *who)
            for case in json.loads(out.read_bytes()):
                for canary in CANARY.findall(json.dumps(case["envelopes"]).encode()):
                    found[numbers[canary.decode()]] = case["case"]
            out.unlink()  # in the clear
        return found

    def open_package(self, package: Path, *names: str) -> Identity:
        """Let these reviewers open a package, as an import does; return what is in it."""
        return open_package(package, {name: self.present(name).quorum() for name in names})

    def present(self, name: str) -> Present:
        """Return a reviewer with the passphrase typed."""
        person = self.keyring.reviewer(name)
        if person is None:
            raise AssertionError(f"{name} is no reviewer")
        words = terminal.Passphrases(self.root / "passphrases")
        return Present(self.keys(name), person, words.ask(name, ""))
