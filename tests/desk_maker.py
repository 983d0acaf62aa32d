"""A desk on disk: reviewers' folders, a period's package, bundles, and its commands.

Rules:
- Keys come from :mod:`tests.makers`; what a test wants to break, it breaks in the files.
- Commands run in this process, through the parser of the tool, with a demo's passphrases.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path

from intake import canonical, envelope, files, locked, quorum, receipt
from intake.age.passphrase import Passphrase
from intake.age.recipient import Recipient
from intake.age.sealing import seal
from intake.bundle import BundleHeader, Entry
from intake.bundle.writing import write_bundle
from intake.desk import casebook
from intake.desk.__main__ import build
from intake.desk.chain import Chain
from intake.desk.state import State, fold
from intake.form import Testimony
from tests.makers import FIRST, Deployment, make_deployment

ANSWERS: Mapping[str, str | tuple[str, ...]] = {
    "account": "ရွာကို မီးရှို့ခိုင်းတယ်။\nကျွန်တော် ထွက်ပြေးခဲ့တယ်။",
    "consent_store": "yes",
    "force": "army",
    "intent": ("certify", "testify"),
    "rank": "SGT",
    "unit_no": "528",
    "unit_type": "LIB",
    "urgency": "later",
}
PERIOD = "2026-w47"
_WRITTEN: dict[bytes, dict[Path, bytes]] = {}


@cache
def deployment(label: str = "") -> Deployment:
    """Return the deployment of all desk tests."""
    return make_deployment(label=label)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed row, what its source typed, and its case tag."""

    entry: Entry
    sealed: bytes
    case: bytes
    plaintext: bytes


def sealed_row(  # noqa: PLR0913 - whatever a test wants otherwise
    seed: str,
    answers: Mapping[str, str | tuple[str, ...]] = ANSWERS,
    *,
    made: Deployment | None = None,
    period: str = PERIOD,
    day: date = FIRST,
    kind: str = envelope.TESTIMONY,
    keyring: tuple[int, bytes] | None = None,
    body: object = None,
) -> Sealed:
    """Return the row that the server would store for the form with this ``seed``.

    A ``body`` stands in place of the answers.
    """
    made = made or deployment()
    form = hashlib.sha256(seed.encode()).digest()
    nonce, reply = (
        receipt.nonce(form),
        receipt.reply_secret(made.deployment, receipt.receipt(form)),
    )
    testimony = Testimony("cdm", 1, answers)
    case = receipt.case_tag(reply)
    inside = envelope.Envelope(
        kind=kind,
        day=day,
        language="my",
        keyring=keyring or (made.keyring.version, made.keyring.sha256),
        case=case,
        reply=reply,
        nonce=nonce,
        body=testimony.as_object() if body is None else body,
    )
    sealed = envelope.seal(inside, made.periods[period].recipient())
    entry = Entry(inside.row, hashlib.sha256(sealed).digest())
    return Sealed(entry, sealed, case, inside.plaintext())


@dataclass(slots=True)
class Desk:
    """A folder with everything that lies on a desk."""

    root: Path
    made: Deployment = field(default_factory=deployment)
    name: str = "desk-a"

    def __post_init__(self) -> None:
        """Write keys and packages, the same for each desk of a deployment, and a casebook."""
        if self.made.deployment not in _WRITTEN:
            self._write()
            paths = [path for path in self.root.rglob("*") if path.is_file()]
            _WRITTEN[self.made.deployment] = {
                path.relative_to(self.root): path.read_bytes() for path in paths
            }
        for path, data in _WRITTEN[self.made.deployment].items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(data)
            (self.root / path).chmod(files.PRIVATE)
        self.run("init", "--keyring", self.root / "keyring", "--desk", self.name, "--yes")

    def _write(self) -> None:
        secrets = []
        for name, keys in self.made.reviewers.items():
            folder = self.keys(name)
            folder.mkdir(parents=True)
            words = Passphrase(f"demo-{name}", 10)
            secrets.append(f"{name} {words.text}\n")
            locked.lock(folder / "signing.age", keys.signing.private_bytes_raw().hex(), words)
            locked.lock(folder / "quorum.age", keys.quorum.encode(), words)
            for quarter, identity in keys.quarters.items():
                locked.lock(folder / f"{quarter}.age", identity.encode(), words)
        files.write(self.root / "demo", "".join(secrets).encode())
        files.write(self.root / "keyring", self.made.raw)
        for period in self.made.periods:
            self._package(period)

    @property
    def casebook(self) -> Path:
        return self.root / "casebook"

    def keys(self, name: str) -> Path:
        return self.root / "keys" / name

    def run(self, command: str, *arguments: object) -> None:
        """Run a command on the casebook; raises what the tool would print."""
        words = [command, *arguments, "--casebook", self.casebook]
        given = build().parse_args(["--demo-passphrases", *map(str, [self.root / "demo", *words])])
        given.do(given)

    def bundle(
        self,
        rows: Sequence[Sealed],
        number: int = 1,
        *,
        previous: bytes = bytes(32),
        left: int = 0,
        period: str = PERIOD,
    ) -> tuple[Path, bytes]:
        """Write a bundle; return its path and the hash that the next one names."""
        rows = sorted(rows, key=lambda row: row.entry.id)
        keyring = self.made.keyring
        header = BundleHeader(
            deployment=self.made.deployment,
            number=number,
            previous=previous,
            period=period,
            keyring=(keyring.version, keyring.sha256),
            size=envelope.SEALED,
            left=left,
        )
        path = self.root / f"{number}.bundle"
        entries = [row.entry for row in rows]
        write_bundle(path, header, entries, [r.sealed for r in rows], self.made.bundle_key.sign)
        return path, hashlib.sha256(path.read_bytes().split(b"\n", 1)[0]).digest()

    def bring(self, path: Path, *reviewers: str, period: str = PERIOD) -> None:
        """Import a bundle with these reviewers present; alice and bob if none is named."""
        people = [a for name in reviewers or ("alice", "bob") for a in self.here(name)]
        self.run("import", path, "--package", self.root / period, *people)

    def here(self, name: str) -> tuple[str, Path]:
        """Return the option that says that a reviewer is present."""
        return "--reviewer", self.keys(name)

    def bundle_for(
        self, name: str, wanted: bool, *rows: Sealed, others: Sequence[Sealed] = ()
    ) -> Path:
        """Write a bundle whose ``rows`` are all assigned to that reviewer, or none of them."""
        book = casebook.load(self.casebook)
        for left in range(100):
            path, manifest = self.bundle([*rows, *others], left=left)
            if all((name in book.assign(row.case, manifest)) == wanted for row in rows):
                return path
        raise AssertionError

    def acknowledge(self, out: Path, *reviewers: str) -> None:
        """Acknowledge with these signers; bob and carol, for alice imports, if none is named."""
        people = [a for name in reviewers or ("bob", "carol") for a in self.here(name)]
        self.run("acknowledge", "--second-copy", self.root / "second", "--out", out, *people)

    def chains(self, *names: str) -> dict[str, Chain]:
        """Return the chains as these reviewers see them."""
        identities = [i for n in names for i in self.made.reviewers[n].quarters.values()]
        return casebook.load(self.casebook).chains(identities)

    def state(self, *names: str) -> State:
        """Return what the casebook says to these reviewers."""
        return fold(self.chains(*names))

    def chain(self, author: str = "alice") -> Path:
        return self.casebook / "chains" / f"{author}.{self.name}"

    def _package(self, period: str) -> None:
        folder, names = self.root / period, sorted(self.made.reviewers)
        folder.mkdir()
        days = next(p for p in self.made.keyring.periods if p.name == period).facts()
        facts = {"format": quorum.FORMAT, "quorum": 2, "reviewers": names, "secret": quorum.PERIOD}
        files.write(folder / "package.json", canonical.dump({**facts, **days}))
        for subset in itertools.combinations(names, 2):
            data = self.made.periods[period].encode().encode() + b"\n"
            for name in reversed(subset):
                recipient = str(self.made.reviewers[name].quorum.recipient())
                data = seal(data, [Recipient.parse(recipient)])
            files.write(folder / f"{'+'.join(subset)}.age", data)
