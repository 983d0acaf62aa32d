"""What a thief can forge with the signing keys that were stolen, each tried for real, on copies.

Each attempt is the best that the thief can do: where a key is missing, one of the thief's own takes
its place. What comes out goes to the tool that decides, ``admin`` or ``desk``, on a copy of the
machine; so an attempt that succeeds spoils nothing.

Rules:
- A thief may write any file anywhere: the stick, the casebook's folder, a package's folder.
- An attempt returns whether it was believed. Why it was not is the tool's own answer, and one that
  was refused for another reason than the one awaited is a failure of the drill.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.stage import ROOTS, Said, Stage
from intake import canonical, envelope, keyring, receipt, reply
from intake.age.identity import Identity
from intake.age.recipient import Recipient
from intake.bundle import BundleHeader, Entry, ReturnHeader
from intake.bundle.writing import write_bundle, write_return
from intake.desk import casebook, chain, record
from intake.desk.state import FOREIGN
from intake.errors import BadFile, BadKeyring, Incomplete, Refused
from intake.form import Testimony
from intake.rows import Rows
from intake.signatures import signature_line

Keys = Mapping[str, Ed25519PrivateKey]
OWN = ("thief-1", "thief-2")  # names that the thief takes in a keyring


@dataclass(frozen=True, slots=True)
class Stolen:
    """The signing keys of a thief, by whose they are; ``bundle`` is the server's."""

    roots: Keys
    reviewers: Keys
    bundle: Ed25519PrivateKey | None

    @classmethod
    def of(cls, signing: Mapping[bytes, Ed25519PrivateKey], known: keyring.Keyring) -> Stolen:
        """Return which of the keys that ``known`` names are among ``signing``."""
        roots = {name: signing[key] for name, key in known.roots.items() if key in signing}
        people = {who.name: signing[who.key] for who in known.reviewers if who.key in signing}
        return cls(roots, people, signing.get(known.bundle_key))


class UnexpectedError(AssertionError):
    """A forgery was refused, and not for the reason that the design has."""


@dataclass(slots=True)
class Forger:
    """Forges against the deployment of ``stage``, with ``server`` as the server's folder."""

    stage: Stage
    server: Path
    known: keyring.Keyring = field(init=False)

    def __post_init__(self) -> None:
        """Read the keyring, which is public."""
        self.known = keyring.parse((self.server / "keys" / "keyring").read_bytes())

    def redirect(self, roots: Keys) -> bool:
        """Install a keyring that sends the next testimony to the thief.

        With roots of the thief's own in the place of the old ones; with the roots as they are, and
        the signatures that there are; with one of them twice; with a threshold of one.
        """
        own = {name: Ed25519PrivateKey.generate() for name in OWN}
        data = (self.server / "keys" / "keyring").read_bytes()
        raw: Any = canonical.load(data.split(b"\n", 1)[0])
        raw |= self._stolen_days()
        raw |= {"previous": self.known.sha256.hex(), "version": self.known.version + 1}
        mine = {"roots": {name: _public(key) for name, key in own.items()}}
        signed, twice = list(roots.items()), [*roots.items(), *roots.items()]
        return any(
            [
                self._install(
                    {**raw, **mine, "leaving": raw["roots"]},
                    [*own.items(), *signed],
                    "Too few of the roots before",
                ),
                self._install(raw, signed, "Too few roots signed"),
                self._install(raw, twice, "not a keyring that|Too few roots signed"),
                self._install({**raw, "threshold": 1}, signed, "not a keyring that"),
            ]
        )

    def _stolen_days(self) -> dict[str, object]:
        """Return what a keyring must say so that all to come is sealed to the thief."""
        day, people = self.stage.calendar.day, {n: Ed25519PrivateKey.generate() for n in OWN}
        recipient = str(Identity.generate().recipient())
        period = keyring.Period("stolen", day, day + timedelta(days=6), recipient, {})
        marks = {name: key.sign(period.statement()) for name, key in people.items()}
        data = (self.server / "keys" / "keyring").read_bytes()
        old: Any = canonical.load(data.split(b"\n", 1)[0])
        gone = [{**who, "removed": who["removed"] or {}} for who in old["reviewers"]]
        return {
            "expires": period.last.isoformat(),
            "issued": day.isoformat(),
            "periods": [{**period.facts(), "attestations": marks}],
            "reviewers": gone + [_person(name, key) for name, key in people.items()],
        }

    def _install(
        self, raw: Mapping[str, object], signers: Sequence[tuple[str, Ed25519PrivateKey]], why: str
    ) -> bool:
        line = canonical.dump(raw)
        marks = (signature_line(name, key.sign(keyring.CONTEXT + line)) for name, key in signers)
        with self._server() as folder:
            path = folder / "forged"
            path.write_bytes(line + b"\n" + b"".join(marks))
            said = self.stage.refused("admin", "keyring", "install", path, "--demo", "--yes")
            return _believed(said, BadKeyring, why)

    def bundle(
        self, key: Ed25519PrivateKey | None, *present: str, under: keyring.Keyring | None = None
    ) -> bool:
        """Have the desk import a bundle with a testimony of the thief's, and with a foreign row.

        It follows the last bundle on the stick, and says that it was made ``under`` a keyring, the
        last one if none is given. Believed or not: a row that does not follow from its words must
        be named as foreign.
        """
        under = under or self.known
        period, before = under.periods[-1], max(self.stage["stick"].glob("*.bundle"))
        rows = [self._row(period, bound=True), self._row(period, bound=False)]
        rows.sort(key=lambda row: row[0].id)
        with self._casebook() as book:
            header = BundleHeader(
                deployment=self.known.deployment,
                number=int(before.stem.rpartition("-")[2]) + 1,
                previous=_hash(before),
                period=period.name,
                keyring=(under.version, under.sha256),
                size=envelope.SEALED,
                left=0,
            )
            path = book.folder.parent / "forged.bundle"
            signer = key or Ed25519PrivateKey.generate()
            entries = [entry for entry, _ in rows]
            write_bundle(path, header, entries, [sealed for _, sealed in rows], signer.sign)
            folder = self.stage["desk"] / "packages" / period.name
            where = ("--casebook", book.folder, "--package", folder)
            said = self.stage.refused("desk", "import", path, *where, *self.stage.here(*present))
            if isinstance(said.refused, Incomplete):
                made = casebook.load(book.folder)
                counted = [
                    row[2]
                    for own in made.chains(self._quarters(present[0])).values()
                    for event in own.events.values()
                    if event.what.get("manifest") == _hash(path).hex()
                    for row in event.what["rows"]
                ]
                if sorted(counted) != sorted([FOREIGN, "ok"]):
                    raise UnexpectedError(f"the desk said of the forged bundle's rows: {counted}")
                return True
            return _believed(said, BadFile, "signature")

    def acknowledgement(self, reviewers: Keys) -> bool:
        """Have the server delete a row that no desk has acknowledged."""
        store = Rows(f"sqlite:///{self.server}/data/intake.db", self.server / "data")
        period = min(store.counts())
        ((number, sealed),) = store.page(period, b"", 1)
        row = Entry(number, hashlib.sha256(sealed).digest())
        believed = False
        for said in self._returns(reviewers, [row], ([], [])):
            if said.refused is None and "1 deleted" not in said.text:
                raise UnexpectedError("a forged return was believed, and deleted nothing")
            believed |= _believed(said, BadFile, "signature")
        return believed

    def reply(self, reviewers: Keys) -> bool:
        """Have the server deliver an answer in the reviewers' name."""
        body = secrets.token_bytes(reply.SEALED)
        entry = Entry(secrets.token_bytes(16), hashlib.sha256(body).digest(), bytes(16))
        believed = False
        for said in self._returns(reviewers, [], ([entry], [body])):
            if said.refused is None and "1 replies put" not in said.text:
                raise UnexpectedError("a forged answer was believed, and was not put")
            believed |= _believed(said, BadFile, "signature")
        return believed

    def event(self, name: str, key: Ed25519PrivateKey | None, reader: str) -> bool:
        """Write an event under a reviewer's name, and let another reviewer read the casebook."""
        with self._casebook() as book:
            path = book.folder / "chains" / f"{name}.{book.desk}"
            before = chain.read(path, [], book.keyrings)
            pen = record.Pen(
                path,
                key or Ed25519PrivateKey.generate(),
                book.keyring.deployment,
                self.stage.calendar.day,
                {},
                *before.head,
            )
            everyone = [
                Recipient.parse(recipient)
                for who in book.keyring.active
                for recipient in who.quarters.values()
            ]
            pen.append([record.Draft({"kind": "acknowledged", "number": 1, "rows": []}, everyone)])
            last = before.last + 1
            read = chain.read(path, self._quarters(reader), casebook.load(book.folder).keyrings)
            believed = last in read.events
            named = any(f"event {last} is" in f or "refused" in f for f in read.faults)
            if believed == named:
                raise UnexpectedError(
                    f"an event that was forged for {name} is neither used nor named"
                )
            return believed

    def attestation(self, reviewers: Keys) -> bool:
        """Attest a period of the thief's own, and let roots who trust their reviewers sign it."""
        before = self.server / "keys" / "keyring"
        raw: Any = canonical.load(before.read_bytes().split(b"\n", 1)[0])
        day = date.fromisoformat(raw["expires"]) + timedelta(days=1)
        recipient = str(Identity.generate().recipient())
        period = keyring.Period("stolen", day, day, recipient, {})
        marks = {name: key.sign(period.statement()) for name, key in reviewers.items()}
        raw["periods"] += [{**period.facts(), "attestations": marks}]
        raw |= {"previous": self.known.sha256.hex(), "version": self.known.version + 1}
        with self._copies() as folder:
            draft, follows = folder / "draft", ("--previous", before)
            draft.write_bytes(canonical.dump(raw) + b"\n")
            for name in ROOTS:
                root = ("--root", self.stage.keys(name), "--yes")
                self.stage.refused("ceremony", "sign", draft, *root, *follows)
            signatures = sorted(folder.glob("draft.*.sig")) or [draft]
            out = ("--out", folder / "keyring")
            said = self.stage.refused("ceremony", "assemble", draft, *signatures, *out, *follows)
            return _believed(said, BadKeyring, "Too few .*reviewers opened the package")

    def _row(self, period: keyring.Period, *, bound: bool) -> tuple[Entry, bytes]:
        seed = secrets.token_bytes(32)
        nonce = receipt.nonce(seed)
        reply = receipt.reply_secret(self.known.deployment, receipt.receipt(seed))
        testimony = Testimony("cdm", 1, {"account": "လိမ်ညာချက်", "consent_store": "yes"})
        inside = envelope.Envelope(
            kind=envelope.TESTIMONY,
            day=period.first,
            language="my",
            keyring=(self.known.version, self.known.sha256),
            case=receipt.case_tag(reply),
            reply=reply,
            nonce=nonce,
            body=testimony.as_object(),
        )
        sealed = envelope.seal(inside, Recipient.parse(period.recipient))
        row = receipt.submission_id(nonce, testimony.canonical())
        row = row if bound else secrets.token_bytes(16)
        return Entry(row, hashlib.sha256(sealed).digest()), sealed

    def _returns(
        self,
        reviewers: Keys,
        rows: Sequence[Entry],
        replies: tuple[Sequence[Entry], Sequence[bytes]],
    ) -> Iterator[Said]:
        """Yield what the server says of a return, signed in each of three ways.

        With the thief's own signature in the place of each that is missing; with the signatures
        that there are; with those twice.
        """
        names = _padded(reviewers, self.known)[:2]
        keys = {name: reviewers.get(name) or Ed25519PrivateKey.generate() for name in names}
        for copies in (None, 1, 2):
            with self._server() as folder:
                marks = folder / "data" / "returns"
                raw: Any = canonical.load(marks.read_bytes()) if marks.exists() else {"number": 0}
                header = ReturnHeader(
                    deployment=self.known.deployment,
                    number=raw["number"] + 1,
                    keyring=(self.known.version, self.known.sha256),
                    size=reply.SEALED if replies[0] else 0,
                )
                path = folder / "forged.return"
                signers = {name: key.sign for name, key in keys.items()}
                header = write_return(path, header, signers, rows, replies)
                if copies is not None:
                    _, _, lists = path.read_bytes().partition(b"\n\n")
                    signed = (
                        signature_line(name, key.sign(header.statement()))
                        for name, key in reviewers.items()
                    )
                    head = header.line() + b"\n" + b"".join(line * copies for line in signed)
                    path.write_bytes(head + b"\n" + lists)
                yield self.stage.refused("admin", "acknowledge", path)

    def _quarters(self, name: str) -> list[Identity]:
        return self.stage.present(name).quarters()

    @contextlib.contextmanager
    def _copies(self) -> Iterator[Path]:
        with TemporaryDirectory(dir=self.stage.root) as name:
            yield Path(name)

    @contextlib.contextmanager
    def _server(self) -> Iterator[Path]:
        """Give the tools a copy of the server."""
        with self._copies() as folder:
            shutil.copytree(self.server, folder / "server")
            self.stage.on(folder / "server")
            try:
                yield folder / "server"
            finally:
                self.stage.on(self.stage["server"])

    @contextlib.contextmanager
    def _casebook(self) -> Iterator[casebook.Casebook]:
        """Give a copy of the desk's casebook, without the words in it."""
        with self._copies() as folder:
            to, blobs = folder / "casebook", shutil.ignore_patterns("blobs")
            shutil.copytree(self.stage.casebook, to, ignore=blobs)
            (to / "blobs").mkdir()
            yield casebook.load(to)


def _believed(said: Said, kind: type[Refused], why: str) -> bool:
    """Return whether nothing was refused; what was, must be so for the reason awaited."""
    if said.refused is None:
        return True
    if not isinstance(said.refused, kind) or not re.search(why, said.refused.what):
        raise UnexpectedError(f"refused, but for another reason: {said.refused.what}")
    return False


def _padded(reviewers: Keys, known: keyring.Keyring) -> list[str]:
    """Return the names to sign with: whose keys are here, then others of the keyring."""
    others = [who.name for who in known.active if who.name not in reviewers]
    return [*reviewers, *others]


def _person(name: str, key: Ed25519PrivateKey) -> dict[str, object]:
    recipient = str(Identity.generate().recipient())
    return {
        "body": "",
        "key": _public(key),
        "name": name,
        "quarters": {},
        "quorum": recipient,
        "removed": None,
    }


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def _hash(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes().split(b"\n", 1)[0]).digest()
