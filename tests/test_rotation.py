"""The keyring's refusals, as a table of steps: one keyring, one expected answer.

Rules:
- Each row is offered to a server with keyring 1 in force, as a function and as the command. It
  changes one thing about a keyring 2 that is otherwise right, and signs the result anew unless the
  signature is what is wrong. So a row passes for its own reason and no other.
- The reasons are compared, not only the class: a keyring refused for another reason is a red test.
- After a refusal every byte below ``keys/`` and ``data/`` is as before, and the site goes on with
  what was in force.
- No clock is replaced: all days count from today.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from intake import canonical, days, files, installed, keyring, signatures, terminal
from intake.admin import __main__ as tool
from intake.admin import install, setup
from intake.errors import BadKeyring, Refused, Unsafe
from intake.keyring import Period
from intake.rows import Rows
from intake.server import inforce
from intake.server.site import create_app
from intake.settings import ROOT, Settings
from tests import makers
from tests.fuzz.test_keyring import Remembering
from tests.makers import Deployment, make_deployment
from tests.site_maker import browser, submit

DAY = timedelta(days=1)
TODAY = days.clock()
FIRST = TODAY - timedelta(days=TODAY.weekday())
MADE = make_deployment(first=FIRST, weeks=2, roots=3)  # threshold 2
NEXT = MADE.follow()
NEW_ROOTS = {name: makers.signing_key(f"new {name}") for name in ("ines", "iris")}
STRANGER = makers.signing_key("a stranger")
WEEK = MADE.keyring.periods[0].name
DONE, MISUSE, KEYRING, FILE, UNSAFE, MACHINE = 0, 2, 3, 4, 6, 7
ORDER = 2**252 + 27742317777372353535851937790883648493  # of Ed25519's group (RFC 8032)

UNKNOWN = "not a keyring that this version"
SIGNATURE = "signature on the keyring does not verify"
FEW_ROOTS = "Too few roots signed"
FEW_BEFORE = "Too few of the roots before"
DROPPED = "drops a root without naming it"
QUORUM = "quorum does not fit"
TWICE = "stands in the keyring twice"
OVERLAP = "overlap or are out of order"
FORGED = f"attestation of period {WEEK} does not verify"
FEW_OPENED = f"Too few reviewers opened the package of period {WEEK}"


# What the rows are made of.


def signed(made: Deployment = NEXT, **changes: object) -> bytes:
    """Return the keyring with ``changes``, signed by everyone."""
    return makers.sign(canonical.dump({**made.draft, **changes}), made.roots)


def respelled(old: bytes, new: bytes) -> bytes:
    """Return the keyring whose line 1 has ``new`` for the first ``old``, signed by everyone."""
    assert old in LINE
    return makers.sign(LINE.replace(old, new, 1), MADE.roots)


def signed_by(*names: str, line: bytes | None = None) -> bytes:
    """Return the keyring signed by the roots of these names, in this order, doubles included."""
    line = line or LINE
    keys = {**MADE.roots, **NEW_ROOTS}
    pairs = [(name, keys[name]) for name in names]
    return line + b"\n" + b"".join(makers.signature_lines(pairs, keyring.CONTEXT + line))


def first_period(**changes: object) -> bytes:
    """Return the keyring whose first period has these changes, signed."""
    first, *others = NEXT.draft["periods"]
    return signed(periods=[{**first, **changes}, *others])


def spans(*edges: tuple[int, int], names: str = "abcdef") -> bytes:
    """Return the keyring with periods from and to these days after the first, attested."""
    found = [
        Period(
            name,
            FIRST + timedelta(days=a),
            FIRST + timedelta(days=b),
            str(makers.identity(f"period {number}").recipient()),
            {},
        )
        for number, (name, (a, b)) in enumerate(zip(names, edges, strict=False))
    ]
    return signed(periods=[makers.attested(one, MADE.reviewers) for one in found])


def without(field: str) -> bytes:
    """Return the keyring that lacks a field, signed."""
    draft = {name: value for name, value in NEXT.draft.items() if name != field}
    return makers.sign(canonical.dump(draft), MADE.roots)


def attestations(signer: str) -> dict[str, str]:
    """Return attestations of the first period: those there are, and a stranger's as ``signer``."""
    marks = dict(MADE.draft["periods"][0]["attestations"])
    marks[signer] = STRANGER.sign(MADE.keyring.periods[0].statement()).hex()
    return marks


def attested_otherwise() -> dict[str, str]:
    """Return attestations by the right reviewers, of the same period with one day more."""
    first = MADE.keyring.periods[0]
    longer = replace(first, last=first.last + DAY)
    marks: dict[str, str] = makers.attested(longer, MADE.reviewers)["attestations"]
    return marks


def reviewers(
    count: int, *, removed: int = 0, quarter: str = "2026q4", body: str = "Body"
) -> list[dict[str, Any]]:
    """Return ``count`` reviewers as a keyring has them, the last ``removed`` of them removed."""
    names = [*makers.NAMES, "frank", "grace"][:count]
    found = [makers.make_reviewer(name).facts() for name in names]
    for number, one in enumerate(found, 1):
        other = makers.identity(f"{one['name']} other")
        one["body"], one["quarters"] = body, {quarter: str(other.recipient())}
        if number > count - removed:
            one["removed"] = {f"{one['name']}.desk": [3, "00" * 32]}
    return found


def twins(field: str) -> list[dict[str, Any]]:
    """Return three reviewers, the third with the first one's ``field``."""
    found = [who.facts() for who in MADE.reviewers.values()]
    found[2][field] = found[0][field]
    return found


def people(**changes: Mapping[str, object]) -> list[dict[str, Any]]:
    """Return the reviewers as keyring 1 has them, with changes to those of these names."""
    return [{**who.facts(), **changes.get(who.name, {})} for who in MADE.reviewers.values()]


def renamed(name: str) -> bytes:
    """Return the keyring that has one period, of another key, under this name."""
    recipient = str(makers.identity("renamed").recipient())
    period = Period(name, FIRST, FIRST + 6 * DAY, recipient, {})
    return signed(periods=[makers.attested(period, MADE.reviewers)])


def attested_by_removed() -> bytes:
    """Return the keyring without bob, whose attestations of the periods there are still count."""
    return signed(reviewers=people(bob=REMOVED))


def classic() -> str:
    """Return an X25519 recipient, which no keyring may hold (age's own example)."""
    return "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def malleable() -> bytes:
    """Return the keyring with another spelling of ruth's signature: the group's order added to S.

    It fulfils the equation that a signature is checked with; RFC 8032 has it refused by its size.
    """
    mark = MADE.roots["ruth"].sign(keyring.CONTEXT + LINE)
    scalar = int.from_bytes(mark[32:], "little") + ORDER
    other = mark[:32] + scalar.to_bytes(32, "little")
    return signed_by("rosa") + signatures.signature_line("ruth", other)


def roots(*names: str) -> dict[str, str]:
    """Return these roots as a keyring has them."""
    keys = {**MADE.roots, **NEW_ROOTS}
    return {name: makers.public(keys[name]) for name in names}


def change(stay: str, leave: str, signers: str, **changes: object) -> bytes:
    """Return the keyring with the roots of ``stay``, ``leave`` leaving, signed by ``signers``."""
    parts = {"roots": roots(*stay.split()), "leaving": roots(*leave.split())}
    line = canonical.dump({**NEXT.draft, **parts, **changes})
    return signed_by(*signers.split(), line=line)


def usurped() -> bytes:
    """Return the keyring that has a stranger's key under a root's name, and signs with it."""
    line = canonical.dump({**NEXT.draft, "roots": {**ROOT_KEYS, "rhea": makers.public(STRANGER)}})
    return makers.sign(line, {**MADE.roots, "rhea": STRANGER})


def demo_next() -> bytes:
    """Return a demo's keyring 2 that the same roots signed."""
    return signed(demo=True)


RAW, LINE = NEXT.raw, canonical.dump(NEXT.draft)
ROOT_KEYS: Mapping[str, str] = NEXT.draft["roots"]
REMOVED = {"removed": {"carol.desk-a": [3, "ab" * 32]}}
OTHER_KEY = {"key": makers.public(makers.signing_key("carol's other"))}
LOST = "drops carol, or undoes the removal"
BURMESE = "မြန်မာနိုင်ငံ အလုပ်သမား သမဂ္ဂ"


class Row(NamedTuple):
    """One keyring and the answer to it: a reason, or None if it is put in force."""

    kind: str
    name: str
    data: bytes
    reason: str | None


OLD_AND_NEW = "rosa ruth ines iris"
TABLE: dict[str, list[tuple[str, bytes, str | None]]] = {
    "accepted": [
        ("the next version", RAW, None),
        ("two roots of three", signed_by("rosa", "ruth"), None),
        ("two other roots", signed_by("ruth", "rhea"), None),
        ("signatures in another order", signed_by("rhea", "rosa", "ruth"), None),
        ("five reviewers", signed(reviewers=reviewers(5)), None),
        ("seven, two of them removed", signed(reviewers=reviewers(7, removed=2)), None),
        ("a body in Burmese", signed(reviewers=reviewers(3, body=BURMESE)), None),
        ("a body in Zawgyi", signed(reviewers=reviewers(3, body="ျမန္မာ")), None),
        ("a body of emoji", signed(reviewers=reviewers(3, body="🕊️🇲🇲")), None),
        ("a body without a name", signed(reviewers=reviewers(3, body="")), None),
        ("a body that is long", signed(reviewers=reviewers(3, body="က" * 50_000)), None),
        ("no periods", signed(periods=[]), None),
        ("periods with a gap", spans((0, 0), (1, 1), (3, 9)), None),
    ],
    "signatures": [
        ("unsigned", LINE + b"\n", FEW_ROOTS),
        ("below the threshold", signed_by("rosa"), FEW_ROOTS),
        ("one root twice", signed_by("rosa", "rosa"), UNKNOWN),
        ("one root twice, with another", signed_by("rosa", "ruth", "rosa"), UNKNOWN),
        (
            "a stranger in a root's name",
            signed_by("rosa")
            + signatures.signature_line("ruth", STRANGER.sign(keyring.CONTEXT + LINE)),
            SIGNATURE,
        ),
        (
            "a stranger in their own name",
            RAW + signatures.signature_line("zoe", STRANGER.sign(keyring.CONTEXT + LINE)),
            SIGNATURE,
        ),
        (
            "a reviewer in their own name",
            RAW
            + signatures.signature_line(
                "alice", MADE.reviewers["alice"].signing.sign(keyring.CONTEXT + LINE)
            ),
            SIGNATURE,
        ),
        (
            "a surplus bad signature",
            signed_by("rosa", "ruth") + signatures.signature_line("rhea", bytes(64)),
            SIGNATURE,
        ),
        (
            "two roots' signatures swapped",
            RAW.replace(b"rosa ", b"r0sa ").replace(b"ruth ", b"rosa ").replace(b"r0sa ", b"ruth "),
            SIGNATURE,
        ),
        (
            "a signature without the context",
            signed_by("rosa") + signatures.signature_line("ruth", MADE.roots["ruth"].sign(LINE)),
            SIGNATURE,
        ),
        (
            "a signature on keyring 1",
            LINE + b"\n" + MADE.raw.partition(b"\n")[2],
            SIGNATURE,
        ),
        ("a signature with the order added to S", malleable(), SIGNATURE),
        ("a signature in capitals", LINE + RAW[len(LINE) :].upper(), UNKNOWN),
        ("two spaces before a signature", RAW.replace(b"\nruth ", b"\nruth  "), UNKNOWN),
        ("a tab before a signature", RAW.replace(b"\nruth ", b"\nruth\t"), UNKNOWN),
        ("a space after a signature", RAW[:-1] + b" \n", UNKNOWN),
        ("a signature that names its algorithm", RAW.replace(b"ruth ", b"ruth ed25519:"), UNKNOWN),
        (
            "a signature of Ed448's size",
            signed_by("rosa") + b"ruth " + b"ab" * 114 + b"\n",
            UNKNOWN,
        ),
        ("a signature without a root", RAW + b" " + b"ab" * 64 + b"\n", UNKNOWN),
        ("a signature line twice", RAW + RAW.splitlines(keepends=True)[-1], UNKNOWN),
        ("an empty line before a signature", RAW.replace(b"\nruth ", b"\n\nruth "), UNKNOWN),
        ("an empty line at the end", RAW + b"\n", UNKNOWN),
    ],
    "spelling": [
        ("empty", b"", UNKNOWN),
        ("one LF", b"\n", UNKNOWN),
        ("CRLF", RAW.replace(b"\n", b"\r\n"), UNKNOWN),
        ("CR", RAW.replace(b"\n", b"\r"), UNKNOWN),
        ("no LF at the end", RAW[:-1], UNKNOWN),
        ("an empty line at the start", b"\n" + RAW, UNKNOWN),
        ("a byte order mark", b"\xef\xbb\xbf" + RAW, UNKNOWN),
        ("twice", RAW + RAW, UNKNOWN),
        ("armored", b"-----BEGIN KEYRING-----\n" + RAW, UNKNOWN),
        ("not UTF-8", respelled(b"Body", b"B\xffdy"), UNKNOWN),
        ("an overlong form of a letter", respelled(b"Body", b"\xc1\x82ody"), UNKNOWN),
        ("UTF-16", RAW.decode().encode("utf-16"), UNKNOWN),
        ("nested too deep", makers.sign(b"[" * 100_000, MADE.roots), UNKNOWN),
        ("no object", makers.sign(b"[]", MADE.roots), UNKNOWN),
        ("a space in line 1", respelled(b'"version":', b'"version": '), UNKNOWN),
        ("a tab in line 1", respelled(b'"version":', b'"version":\t'), UNKNOWN),
        ("a space at the start of line 1", respelled(b"{", b" {"), UNKNOWN),
        ("a space at the end of line 1", makers.sign(LINE + b" ", MADE.roots), UNKNOWN),
        ("an escaped letter", respelled(b"alice", rb"\u0061lice"), UNKNOWN),
        ("a half of a pair", respelled(b"Body", rb"\ud800ody"), UNKNOWN),
        (
            "Burmese, escaped",
            respelled(b"Body", json.dumps(BURMESE).strip('"').encode()),
            UNKNOWN,
        ),
        ("keys in another order", respelled(b'{"archive"', b'{"version":2,"archive"'), UNKNOWN),
        (
            "the last key first",
            makers.sign(b'{"version":2,' + LINE[1:].replace(b',"version":2', b""), MADE.roots),
            UNKNOWN,
        ),
        ("a key of JSON twice", respelled(b'"version":2', b'"version":2,"version":2'), UNKNOWN),
        (
            "a key of JSON twice, hidden deep",
            respelled(b'"removed":null', b'"removed":null,"removed":null'),
            UNKNOWN,
        ),
        ("a version of 2.0", respelled(b'"version":2', b'"version":2.0'), UNKNOWN),
        ("a version of 2e0", respelled(b'"version":2', b'"version":2e0'), UNKNOWN),
        ("a version of 02", respelled(b'"version":2', b'"version":02'), UNKNOWN),
        ("a quorum of 2.0", respelled(b'"quorum":2', b'"quorum":2.0'), UNKNOWN),
        ("a quorum that is no number", respelled(b'"quorum":2', b'"quorum":NaN'), UNKNOWN),
        ("a hash in capitals", signed(previous=MADE.keyring.sha256.hex().upper()), UNKNOWN),
        (
            "a hash with spaces",
            signed(previous=MADE.keyring.sha256.hex(" ")),
            UNKNOWN,
        ),
        ("a recipient in capitals", signed(archive=NEXT.draft["archive"].upper()), UNKNOWN),
        ("a day of another spelling", signed(issued=FIRST.strftime("%Y%m%d")), UNKNOWN),
        ("a day of a week", signed(issued=FIRST.strftime("%G-W%V-%u")), UNKNOWN),
        ("a day with a time", signed(issued=f"{FIRST}T00:00"), UNKNOWN),
        ("a day that there is not", signed(expires=f"{FIRST.year + 1}-11-31"), UNKNOWN),
    ],
    "fields": [
        ("an unknown field", signed(algorithm="ed25519"), UNKNOWN),
        ("an unknown field in a period", first_period(note=""), UNKNOWN),
        ("another format", signed(format="intake keyring 2"), UNKNOWN),
        *((f"without {field}", without(field), UNKNOWN) for field in sorted(keyring.FIELDS)),
        ("version 0", signed(version=0), UNKNOWN),
        ("version -1", signed(version=-1), UNKNOWN),
        ("version true", signed(version=True), UNKNOWN),
        ("version as text", signed(version="2"), UNKNOWN),
        (
            "a version beyond any number",
            respelled(b'"version":2', b'"version":1%018d' % 0),
            UNKNOWN,
        ),
        ("a first version that follows another", signed(version=1), UNKNOWN),
        ("a second version that follows none", signed(previous="00" * 32), UNKNOWN),
        ("a hash of 31 bytes", signed(previous="11" * 31), UNKNOWN),
        ("expiry before issue", signed(expires=(FIRST - DAY).isoformat()), UNKNOWN),
        ("demo as a number", signed(demo=0), UNKNOWN),
        ("periods that are an object", signed(periods={}), UNKNOWN),
        ("periods that are text", signed(periods=""), UNKNOWN),
        (
            "a root's key of another algorithm",
            signed(roots={**ROOT_KEYS, "zoe": "11" * 57}),
            UNKNOWN,
        ),
        ("a root with a capital", signed(roots={**ROOT_KEYS, "Zoe": "11" * 32}), UNKNOWN),
        ("a root that leaves and stays", signed(leaving={"rosa": ROOT_KEYS["rosa"]}), UNKNOWN),
        ("threshold 0", signed(threshold=0), UNKNOWN),
        ("threshold 1", signed(threshold=1), UNKNOWN),
        ("quorum 1", signed(quorum=1), UNKNOWN),
        ("a reviewer twice", signed(reviewers=[*reviewers(3), *reviewers(1)]), UNKNOWN),
        ("a reviewer's quarter 5", signed(reviewers=reviewers(3, quarter="2026q5")), UNKNOWN),
        ("a classic archive", signed(archive=classic()), UNKNOWN),
        ("a classic period", first_period(recipient=classic()), UNKNOWN),
    ],
    "owners": [
        ("one key under two names", signed(roots={**ROOT_KEYS, "zoe": ROOT_KEYS["rosa"]}), TWICE),
        ("one reviewer under two names", signed(reviewers=twins("key")), TWICE),
        ("one quorum recipient for two", signed(reviewers=twins("quorum")), TWICE),
        ("one recipient of a quarter for two", signed(reviewers=twins("quarters")), TWICE),
        ("the archive is a period", signed(archive=NEXT.draft["periods"][0]["recipient"]), TWICE),
        ("the server's key is a root's", signed(bundle_key=ROOT_KEYS["rosa"]), TWICE),
        ("a quorum above the reviewers", signed(quorum=4), FEW_OPENED),
        ("6 reviewers", signed(reviewers=reviewers(6)), QUORUM),
        ("1 reviewer left", signed(reviewers=reviewers(3, removed=2)), QUORUM),
    ],
    "periods": [
        ("an attestation missing", first_period(attestations={}), FEW_OPENED),
        (
            "one attestation of two",
            first_period(
                attestations=dict([*NEXT.draft["periods"][0]["attestations"].items()][:1])
            ),
            FEW_OPENED,
        ),
        ("an attestation by a stranger", first_period(attestations=attestations("zoe")), FORGED),
        ("an attestation forged", first_period(attestations=attestations("bob")), FORGED),
        ("a surplus attestation forged", first_period(attestations=attestations("carol")), FORGED),
        ("attestations of other days", first_period(attestations=attested_otherwise()), FORGED),
        ("another recipient than attested", first_period(recipient=NEXT.draft["archive"]), FORGED),
        ("another last day than attested", first_period(last=FIRST.isoformat()), FORGED),
        ("periods that overlap", spans((0, 6), (6, 9)), OVERLAP),
        ("one period in another", spans((0, 6), (2, 3)), OVERLAP),
        ("one period twice", spans((0, 6), (0, 6)), OVERLAP),
        ("two periods of one name", spans((0, 6), (7, 9), names="aa"), OVERLAP),
        ("periods out of order", spans((7, 9), (0, 6)), OVERLAP),
        ("a period that ends before it begins", spans((6, 0)), OVERLAP),
    ],
    "people": [
        ("a reviewer dropped", signed(reviewers=people()[:2]), "drops carol"),
        ("a reviewer under another name", signed(reviewers=people(carol={"name": "zoe"})), LOST),
        ("a reviewer removed", signed(reviewers=people(carol=REMOVED)), None),
        ("a reviewer removed, and what they tried stays", attested_by_removed(), None),
        ("a reviewer with another key", signed(reviewers=people(carol=OTHER_KEY)), None),
        ("a period with other days under its name", renamed(WEEK), "gives the name of period"),
        ("the same days under another name", renamed(f"{WEEK}b"), None),
    ],
    "roots": [
        ("a threshold above the roots", signed(threshold=4), FEW_ROOTS),
        ("one root only", change("rosa", "ruth rhea", "rosa ruth", threshold=2), FEW_ROOTS),
        (
            "new roots, signed by old and new",
            change("ines iris", "rosa ruth rhea", OLD_AND_NEW),
            None,
        ),
        (
            "new roots, signed by all",
            change("ines iris", "rosa ruth rhea", f"{OLD_AND_NEW} rhea"),
            None,
        ),
        ("new roots, the new only", change("ines iris", "rosa ruth rhea", "ines iris"), FEW_BEFORE),
        ("new roots, one old", change("ines iris", "rosa ruth rhea", "rosa ines iris"), FEW_BEFORE),
        ("new roots, the old only", change("ines iris", "rosa ruth rhea", "rosa ruth"), FEW_ROOTS),
        ("new roots, one new", change("ines iris", "rosa ruth rhea", "rosa ruth ines"), FEW_ROOTS),
        ("old roots sign and are not named", change("ines iris", "", OLD_AND_NEW), SIGNATURE),
        ("one leaving root not named", change("ines iris", "rosa ruth", OLD_AND_NEW), DROPPED),
        ("a root dropped in silence", change("rosa ruth", "", "rosa ruth"), DROPPED),
        ("one root leaves", change("rosa ruth", "rhea", "rosa ruth"), None),
        ("one root comes", change("rosa ruth rhea ines", "", "rosa ruth"), None),
        ("who comes counts for none", change("rosa ruth rhea ines", "", "rosa ines"), FEW_BEFORE),
        ("who leaves counts for none", change("rosa ruth", "rhea", "rosa rhea"), FEW_ROOTS),
        ("another key under a root's name", usurped(), DROPPED),
    ],
    "steps": [
        (
            "keyring 1 with other content",
            signed(MADE, expires=TODAY.isoformat()),
            "does not follow",
        ),
        ("a gap", signed(version=3), "Keyring 3 does not follow keyring 1"),
        ("the last possible version", signed(version=10**15 - 1), "does not follow keyring 1"),
        ("a wrong previous", signed(previous="11" * 32), "follows another keyring 1"),
        (
            "another deployment",
            make_deployment(first=FIRST, label="other", roots=3).follow().raw,
            "another deployment",
        ),
        ("another deployment's id", signed(deployment="11" * 32), "another deployment"),
        ("a demo after a real one", demo_next(), "never follow each other"),
    ],
    "days": [
        (
            "expired yesterday",
            signed(issued=(TODAY - 9 * DAY).isoformat(), expires=(TODAY - DAY).isoformat()),
            "expired on",
        ),
        ("from the future", signed(issued=(TODAY + 2 * DAY).isoformat()), "still to come"),
    ],
    "server": [("another server's bundle key", signed(bundle_key="11" * 32), "another bundle key")],
}
ROWS = [Row(kind, *row) for kind, found in TABLE.items() for row in found]


# The server that they are offered to.


@dataclass(frozen=True, slots=True)
class Server:
    """A server's folders, and a stick."""

    settings: Settings
    stick: Path

    def everything(self) -> dict[Path, bytes]:
        """Return every byte below ``keys/`` and ``data/``."""
        folders = (self.settings.keys, self.settings.data)
        return {p: p.read_bytes() for f in folders for p in f.rglob("*") if p.is_file()}

    @property
    def environment(self) -> dict[str, str]:
        """The settings, for a process."""
        return {"INTAKE_DATA": str(self.settings.data), "INTAKE_KEYS": str(self.settings.keys)}

    def give(self, chain: Sequence[bytes]) -> list[Path]:
        """Put a chain on the stick."""
        paths = [self.stick / f"{number}.keyring" for number in range(len(chain))]
        for path, data in zip(paths, chain, strict=True):
            path.write_bytes(data)
        return paths

    def install(self, chain: Sequence[bytes], *, demo: bool = False) -> str | None:
        """Install, as a function; return why it was refused, or None."""
        try:
            install.install(self.settings, chain, lambda _: None, demo=demo)
        except Refused as refused:
            return refused.what
        return None

    def command(self, *arguments: object, tool: str = "admin") -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", f"intake.{tool}", *map(str, arguments)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Hold what is in force, its site and every byte, against what the block leaves."""
        now, before = inforce.load(self.settings), self.everything()
        yield
        assert self.everything() == before
        assert inforce.load(self.settings) == now
        assert now.recipient


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folders of a server with keyring 1 in force, to be copied."""
    folder = tmp_path_factory.mktemp("whole")
    settings = Settings(folder / "data", folder / "keys")
    setup.init(settings)
    files.write(settings.bundle_key, MADE.bundle_key.private_bytes_raw().hex().encode())
    install.install(settings, [MADE.raw], lambda _: None)
    inforce.load(settings)  # which saves the day
    return folder


@pytest.fixture
def server(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return a server with keyring 1 in force."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    found = Server(Settings(tmp_path / "data", tmp_path / "keys"), tmp_path / "stick")
    found.stick.mkdir()
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs ``keyring install`` in this process: exit code, and what it said."""

    def command(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["admin", "keyring", "install", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            terminal.run(tool.build)
        shown = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        assert bool(shown.err) == bool(ended.value.code)
        return ended.value.code, shown.err or shown.out

    return command


# One keyring, one answer.


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.kind}: {row.name}" for row in ROWS])
def test_a_step(server: Server, run: Run, row: Row) -> None:
    if row.reason is None:
        assert server.install([row.data]) is None
        assert inforce.load(server.settings).version == 2
        assert server.settings.keyring.read_bytes() == row.data
        return
    with server.unchanged():
        assert row.reason in (server.install([row.data]) or "put in force")
        code, said = run(*server.give([row.data]), "--yes", "--demo")
        assert (code, row.reason in said, "→" in said) == (KEYRING, True, True), said


@pytest.mark.parametrize("kind", TABLE)
def test_a_step_by_command_and_the_site_after_it(server: Server, kind: str) -> None:
    """The first row of each kind, as an admin's process; a source's post before and after."""
    source = browser(create_app(server.settings))
    assert submit(source, account=BURMESE).status_code == 200
    _, data, reason = TABLE[kind][0]
    with contextlib.nullcontext() if reason is None else server.unchanged():
        done = server.command("keyring", "install", *server.give([data]))
        assert done.returncode == (DONE if reason is None else KEYRING), done.stderr
        assert (reason or "Keyring 2, valid to") in done.stdout + done.stderr
    assert submit(source, account=BURMESE).status_code == 200
    store = Rows(server.settings.url, server.settings.data)
    assert store.counts().total() == 2


def test_a_demo_is_never_taken_by_mistake(server: Server, run: Run) -> None:
    """Without --demo a demo's is unsafe even as the first; and nothing real follows it."""
    demo = make_deployment(first=FIRST, demo=True)
    for path in (server.settings.installed, server.settings.keyring):
        path.unlink()
    (path,) = server.give([demo.raw])
    before = server.everything()
    assert run(path, "--yes")[0] == UNSAFE
    assert server.everything() == before
    with pytest.raises(Unsafe):
        install.install(server.settings, [demo.raw], lambda _: None)
    assert run(path, "--yes", "--demo")[0] == DONE
    with server.unchanged():
        assert run(*server.give([demo.follow().raw]))[0] == UNSAFE
        code, said = run(*server.give([demo.follow(demo=False).raw]), "--yes")
        assert (code, "never follow each other" in said) == (KEYRING, True)
    assert run(*server.give([demo.follow().raw]), "--demo")[0] == DONE


def test_a_refused_first_keyring_leaves_a_server_without_one(server: Server, run: Run) -> None:
    """What is wrong with a keyring 1, too; --yes is a person's comparison, and no more."""
    for path in (server.settings.installed, server.settings.keyring):
        path.unlink()
    before = server.everything()
    yesterday = {"issued": (TODAY - 9 * DAY).isoformat(), "expires": (TODAY - DAY).isoformat()}
    table: list[tuple[bytes, str]] = [
        (MADE.raw.partition(b"\n")[0] + b"\n", FEW_ROOTS),
        (signed_by("rosa", line=canonical.dump(MADE.draft)), FEW_ROOTS),
        (make_deployment(first=FIRST, label="foreign").raw, "another bundle key"),
        (signed(MADE, bundle_key="11" * 32), "another bundle key"),
        (signed(MADE, **yesterday), "expired on"),
        (signed(MADE, issued=(TODAY + 2 * DAY).isoformat()), "still to come"),
    ]
    for data, reason in table:
        code, said = run(*server.give([data]), "--yes")
        assert (code, reason in said, "→" in said) == (KEYRING, True, True), said
        assert server.everything() == before
    assert run(*server.give([MADE.raw]), "--yes")[0] == DONE


# Bytes.

SMALL = make_deployment(first=FIRST, weeks=1, reviewers=2)
AFTER = SMALL.follow().raw
END = AFTER.index(b"\n")


@pytest.fixture
def small(server: Server) -> Server:
    """Return the server with a smaller keyring 1, so that there are fewer bytes."""
    for path in (server.settings.installed, server.settings.keyring):
        path.unlink()
    files.write(server.settings.bundle_key, SMALL.bundle_key.private_bytes_raw().hex().encode())
    assert server.install([SMALL.raw]) is None
    return server


def flipped(position: int, change: int) -> bytes:
    """Return the next keyring with one byte changed."""
    altered = bytearray(AFTER)
    altered[position] ^= change
    return bytes(altered)


def test_a_flipped_byte_anywhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """At every position; a recipient that was read once is remembered, or it takes minutes."""
    monkeypatch.setattr(keyring, "Recipient", Remembering)
    assert keyring.follow(SMALL.keyring, [AFTER]).version == 2
    taken = [n for n in range(len(AFTER)) if follows(flipped(n, 1 << n % 8))]
    assert taken == []


@pytest.mark.slow
@pytest.mark.parametrize("change", [0x01, 0x20, 0x80, 0xFF])
def test_a_byte_flipped_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch, change: int) -> None:
    monkeypatch.setattr(keyring, "Recipient", Remembering)
    taken = [n for n in range(len(AFTER)) if follows(flipped(n, change))]
    assert (taken, follows(AFTER)) == ([], True)


def follows(data: bytes) -> bool:
    """Return whether the keyring is believed."""
    try:
        keyring.follow(SMALL.keyring, [data])
    except BadKeyring:
        return False
    return True


def test_a_flipped_byte_changes_nothing_on_a_server(small: Server) -> None:
    """Every 101st byte of line 1, and every 17th of the signatures."""
    with small.unchanged():
        for position in [*range(0, END, 101), *range(END, len(AFTER), 17)]:
            assert small.install([flipped(position, 1 << position % 8)]), position
    assert small.install([AFTER]) is None


def test_a_cut_anywhere_is_refused(small: Server) -> None:
    """Everywhere; at every line and a hundred places, on a server."""
    assert not any(follows(AFTER[:length]) for length in range(len(AFTER)))
    lines = [END + 1, *(END + 1 + n for n in range(1, len(AFTER) - END) if AFTER[END + n] == 10)]
    with small.unchanged():
        for length in {*lines, *range(0, len(AFTER), len(AFTER) // 100)} - {len(AFTER)}:
            assert small.install([AFTER[:length]]), length
    assert len(lines) == 3


@pytest.mark.parametrize("size", [keyring.MAX_SIZE + 1, 100_000_000, 1 << 40])
def test_a_large_file_is_refused_before_it_is_read(server: Server, run: Run, size: int) -> None:
    """A good keyring, and then nothing but zeros: 100 MB, and a terabyte."""
    path = server.stick / "large"
    path.write_bytes(RAW)
    os.truncate(path, size)
    tracemalloc.start()
    with server.unchanged():
        code, said = run(path, "--yes")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (code, "larger than any file of its kind" in said) == (FILE, True)
    assert peak < 4 * keyring.MAX_SIZE


def test_large_bytes_are_refused(server: Server) -> None:
    """100 MB that begin well, and a keyring that is right but for its size."""
    large = signed(reviewers=reviewers(3, body="B" * keyring.MAX_SIZE))
    with server.unchanged():
        for data in (RAW.ljust(100_000_000, b"\0"), b"a" * 100_000_000 + b"\n", large):
            assert UNKNOWN in (server.install([data]) or "put in force")


def test_what_is_no_file_is_refused(server: Server, run: Run) -> None:
    with server.unchanged():
        for path in (server.stick, server.stick / "none", Path("/dev/null"), Path("/dev/zero")):
            code, said = run(path, "--yes")
            assert code in {MISUSE, KEYRING, FILE}, path
            assert "→" in said


# Chains, and old sticks.

K1, K2 = MADE, NEXT
K3 = K2.follow()
K4 = K3.follow()
OTHER2 = K1.follow(expires=(FIRST + 12 * DAY).isoformat())  # by the same roots
OTHER3 = OTHER2.follow()
OLD2 = K1.follow(issued=(TODAY - 9 * DAY).isoformat(), expires=(TODAY - DAY).isoformat())
FROM_OLD2 = OLD2.follow(issued=FIRST.isoformat(), expires=K1.draft["expires"])
OUTCOMES: list[tuple[int, list[Deployment], int | str]] = [
    # In force before, the chain, and the version then or the reason.
    (1, [K1, K2, K3, K4], 4),
    (1, [K2, K3, K4], 4),
    (1, [K2, K4], "Keyring 4 does not follow keyring 2"),
    (1, [K1, K2, K4], "Keyring 4 does not follow keyring 2"),
    (1, [K3, K4], "Keyring 3 does not follow keyring 1"),
    (1, [K3, K2], "Keyring 3 does not follow keyring 1"),
    (1, [K2, K2], "Keyring 2 does not follow keyring 2"),
    (1, [K2, OTHER3], "follows another keyring 2"),
    (1, [K1], 1),
    (1, [OLD2], "expired on"),
    (1, [OLD2, FROM_OLD2], 3),
    (2, [K1], "Keyring 1 does not follow keyring 2"),
    (2, [K1, K2], 2),
    (2, [K2], 2),
    (2, [K2, K1], "Keyring 1 does not follow keyring 2"),
    (2, [K1, K2, K1], "Keyring 1 does not follow keyring 2"),
    (2, [K1, K2, K3], 3),
    (2, [K3, K4], 4),
    (2, [K3, K2], 2),
    (2, [OTHER2], "Keyring 2 does not follow keyring 2"),
    (2, [K1, OTHER2], "Keyring 1 does not follow keyring 2"),
    (2, [K1, OTHER2, OTHER3], "Keyring 1 does not follow keyring 2"),
    (2, [OTHER3], "follows another keyring 2"),
    (2, [K2, OTHER3], "follows another keyring 2"),
    (4, [K1, K2, K3], "Keyring 1 does not follow keyring 4"),
    (4, [K1, K2, K3, K4], 4),
]


@pytest.mark.parametrize(
    ("before", "chain", "answer"),
    OUTCOMES,
    ids=[
        f"{before}: {' '.join(str(k.keyring.version) for k in chain)} gives {answer}"
        for before, chain, answer in OUTCOMES
    ],
)
def test_a_chain(
    server: Server, run: Run, before: int, chain: Sequence[Deployment], answer: int | str
) -> None:
    line = [K1, K2, K3, K4]
    if before > 1:
        assert server.install([one.raw for one in line[1:before]]) is None
    data = [one.raw for one in chain]
    if isinstance(answer, str):
        with server.unchanged():
            assert answer in (server.install(data) or "put in force")
            code, said = run(*server.give(data), "--yes")
            assert (code, answer in said) == (KEYRING, True)
        return
    with server.unchanged() if answer == before else contextlib.nullcontext():
        assert run(*server.give(data))[0] == DONE
    assert inforce.load(server.settings).version == answer
    assert installed.load(server.settings) == chain[-1].keyring
    assert "already installed" in run(*server.give(data))[1]


def test_a_chain_for_a_server_that_has_none(server: Server, run: Run) -> None:
    """One missing is refused; whole, the person compares the last, and it is in force."""
    for path in (server.settings.installed, server.settings.keyring):
        path.unlink()
    before = server.everything()
    line = [one.raw for one in (K1, K2, K3, K4)]
    for missing in (1, 2):
        chain = [data for number, data in enumerate(line) if number != missing]
        assert run(*server.give(chain), "--yes")[0] == KEYRING
        assert server.everything() == before
    code, said = run(*server.give(line))
    assert (code, "--yes" in said, server.everything()) == (MISUSE, True, before)
    assert run(*server.give(line), "--yes")[0] == DONE
    assert installed.load(server.settings) == K4.keyring


def test_other_signatures_are_the_same_keyring(server: Server, run: Run) -> None:
    """Two roots instead of three: other bytes, and no step."""
    two = makers.sign(canonical.dump(MADE.draft), {n: MADE.roots[n] for n in ("ruth", "rhea")})
    code, said = run(*server.give([two]))
    assert (code, "Keyring 1" in said) == (DONE, True)
    assert installed.load(server.settings).signers == {"ruth", "rhea"}
    with server.unchanged():
        assert run(*server.give([signed_by("rosa", line=canonical.dump(MADE.draft))]))[0] == KEYRING


def test_an_old_file_that_was_copied_over_is_not_in_force(server: Server, run: Run) -> None:
    """A stale checkout or stick brings keyring 1 back as a file; the site closes, and says so."""
    assert server.install([K2.raw]) is None
    server.settings.keyring.write_bytes(K1.raw)
    with pytest.raises(BadKeyring):
        inforce.load(server.settings)
    assert create_app(server.settings).test_client().get("/en").status_code == 503
    said = server.command("status").stdout
    assert ("RED" in said, "keyring install" in said) == (True, True)
    assert run(*server.give([K1.raw]))[0] == KEYRING
    assert run(*server.give([K2.raw]))[0] == DONE
    assert inforce.load(server.settings).version == 2


def test_two_installs_at_once_never_put_the_older_keyring_in_force(
    server: Server, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is checked; before it writes, somebody installs two steps."""
    paths = server.give([K2.raw, K3.raw])
    check, codes = install._check, []

    def slow(*arguments: Any, **options: Any) -> None:  # noqa: ANN401
        check(*arguments, **options)
        monkeypatch.setattr(install, "_check", check)
        codes.append(run(*paths)[0])

    monkeypatch.setattr(install, "_check", slow)
    assert server.install([K2.raw]) is None
    assert codes == [MACHINE]
    assert run(*paths)[0] == DONE
    assert inforce.load(server.settings).version == 3


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_admins_at_once(server: Server, order: Sequence[int]) -> None:
    """Three processes with chains of other lengths: the longest that was taken is in force."""
    paths = server.give([K2.raw, K3.raw, K4.raw])
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "intake.admin", "keyring", "install", *paths[: n + 1]],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **server.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for n in order
    ]
    codes = {n: process.wait(60) for n, process in zip(order, running, strict=True)}
    assert set(codes.values()) <= {DONE, KEYRING, MACHINE}
    best = max((n + 2 for n, code in codes.items() if code == DONE), default=1)
    assert inforce.load(server.settings).version == best
    assert server.command("keyring", "install", *paths).returncode == DONE
    assert inforce.load(server.settings).version == 4


# Who was removed stays removed.

GONE2 = K1.follow(reviewers=people(carol=REMOVED))


def tried_by(*names: str) -> list[dict[str, Any]]:
    """Return a new period that these reviewers attest."""
    recipient = str(makers.identity("new").recipient())
    period = Period("new", FIRST, FIRST + 6 * DAY, recipient, {})
    return [makers.attested(period, {name: MADE.reviewers[name] for name in names}, len(names))]


REMOVALS: dict[str, tuple[dict[str, object], str | None]] = {
    "nothing changes": ({}, None),
    "carol is back": ({"reviewers": people()}, LOST),
    "carol is left out": ({"reviewers": people()[:2]}, LOST),
    "carol has another key": ({"reviewers": people(carol={**REMOVED, **OTHER_KEY})}, LOST),
    "carol's chain ends elsewhere": ({"reviewers": people(carol={"removed": {}})}, LOST),
    "who is left tried a period": ({"periods": tried_by("alice", "bob")}, None),
    "carol tried it too": ({"periods": tried_by("alice", "bob", "carol")}, None),
    "carol tried it instead": ({"periods": tried_by("alice", "carol")}, "Too few active"),
}


@pytest.mark.parametrize(("changes", "reason"), REMOVALS.values(), ids=REMOVALS.keys())
def test_a_step_after_a_removal(
    server: Server, run: Run, changes: Mapping[str, object], reason: str | None
) -> None:
    assert server.install([GONE2.raw]) is None
    new = GONE2.follow(**changes)
    with server.unchanged() if reason else contextlib.nullcontext():
        code, said = run(*server.give([new.raw]))
        assert code == (KEYRING if reason else DONE)
        assert (reason or "Keyring 3, valid to") in said


# A change of roots, in steps.


@dataclass(frozen=True, slots=True)
class Step:
    """One change: who are the roots then, who leave, the threshold, and who must have signed."""

    roots: str
    leaving: str
    threshold: int
    enough: Sequence[str]
    reasons: Mapping[str, str]


STEPS = [
    Step(
        "rosa ruth rhea",
        "",
        3,
        ["rosa ruth rhea"],
        {"rosa ruth": FEW_ROOTS, "ruth rhea": FEW_ROOTS, "rosa": FEW_ROOTS},
    ),
    Step(  # down again: the old threshold holds once more
        "rosa ruth rhea",
        "",
        2,
        ["rosa ruth rhea"],
        {"rosa ruth": FEW_BEFORE, "rosa rhea": FEW_BEFORE, "ruth": FEW_ROOTS},
    ),
    Step(
        "rosa ruth iris",
        "rhea",
        2,
        ["rosa ruth", "rosa iris rhea", "rosa ruth rhea iris"],
        {
            "rosa iris": FEW_BEFORE,
            "rosa rhea": FEW_ROOTS,
            "iris rhea": FEW_ROOTS,
            "rosa ines ruth": SIGNATURE,
        },
    ),
    Step(  # one leaves, one comes, and the threshold rises
        "rosa iris ines",
        "ruth",
        3,
        ["rosa iris ines", "rosa ruth iris ines"],
        {
            "rosa ruth iris": FEW_ROOTS,
            "iris ines": FEW_ROOTS,
            "ruth iris ines": FEW_ROOTS,
            "rosa rhea iris ines": SIGNATURE,
        },
    ),
    Step(  # back to the first ones, and down
        "rosa ruth rhea",
        "iris ines",
        2,
        ["rosa iris ines ruth", "rosa iris ines rhea ruth"],
        {
            "rosa ruth": FEW_BEFORE,
            "rosa iris ruth rhea": FEW_BEFORE,
            "rosa iris ines": FEW_ROOTS,
        },
    ),
]


def test_roots_and_threshold_change_in_steps(server: Server, run: Run) -> None:
    """Each step needs the old threshold of the old roots, and the new of the new."""
    now = MADE
    for step in STEPS:
        draft = {
            **now.draft,
            "version": now.keyring.version + 1,
            "previous": now.keyring.sha256.hex(),
            "roots": roots(*step.roots.split()),
            "leaving": roots(*step.leaving.split()),
            "threshold": step.threshold,
        }
        line = canonical.dump(draft)
        for names, reason in step.reasons.items():
            data = signed_by(*names.split(), line=line)
            with server.unchanged():
                code, said = run(*server.give([data]), "--yes")
                assert (code, reason in said) == (KEYRING, True), (names, said)
        for names in step.enough:
            data = signed_by(*names.split(), line=line)
            assert keyring.follow(now.keyring, [data]).signers == set(names.split())
        assert run(*server.give([signed_by(*step.enough[0].split(), line=line)]))[0] == DONE
        now = replace(now, draft=draft, keyring=installed.load(server.settings))
        assert now.keyring.version == draft["version"]
