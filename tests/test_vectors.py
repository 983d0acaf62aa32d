"""Our own reader gives every verdict of ``tests/vectors/``, each for its own reason.

Rules:
- What is judged is the committed file, not what a table would make now.
- A refusal is one of ``intake.errors`` (or a named fault, in a chain) and says what the table's
  row says: a vector that is refused for another reason than its own is a red test.
- Every file has a row and every row a file; what is not sealed is the same, byte by byte.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from intake import canonical, keyring, quorum
from intake.age.identity import Identity
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from intake.bundle.reading import open_bundle, open_return
from intake.desk import chain, opened, slices
from intake.desk.cases import Case
from intake.desk.chain import Chain
from intake.desk.state import fold
from intake.errors import Refused
from intake.server import mailbox
from intake.settings import ROOT
from tests.make_vectors import VECTORS, Vector, decode, envelopes
from tests.make_vectors.every import KINDS, vectors
from tests.makers import identity

FORMAT = (ROOT / "docs" / "FORMAT.md").read_text(encoding="utf-8")
README = (VECTORS / "README.md").read_text(encoding="utf-8")
BUDGET = 2_000_000  # bytes of all of them
Told = dict[str, str]


@dataclass(frozen=True, slots=True)
class File:
    """A committed vector, and a folder to lay files in."""

    headers: list[tuple[str, str]]
    body: bytes
    folder: Path

    def __getitem__(self, key: str) -> str:
        return dict(self.headers)[key]

    def get(self, key: str) -> str | None:
        return dict(self.headers).get(key)

    def lay(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path


def committed(vector: Vector, folder: Path) -> File:
    return File(*decode((VECTORS / vector.kind / vector.name).read_bytes()), folder)


@cache
def keyrings(name: str) -> tuple[bytes, ...]:
    """Return the keyring vector of that name, after those that it stands after."""
    headers, body = decode((VECTORS / "keyring" / name).read_bytes())
    before = dict(headers).get("after")
    return (*(keyrings(before) if before else ()), body)


def read_envelope(file: File) -> tuple[Told, list[str]]:
    plaintext, key = file.body, file.get("identity")
    if key:
        plaintext = unseal(plaintext, [Identity.parse(key)])
    found = opened.parse(plaintext)
    if found.kind != "decoy" and not opened.is_bound(bytes.fromhex(file["row"]), found):
        return {}, [envelopes.UNBOUND]
    digest = hashlib.sha256(canonical.dump(found.body)).hexdigest()
    told = {"kind": found.kind, "day": found.day.isoformat(), "case": found.case.hex()}
    if found.kind == "slice":
        part = slices.part_of(found)
        of = part and {"end": part.end, "file": part.file.hex(), "number": part.number}
        told["slice"] = canonical.dump(of).decode() if of else "-"
    return {**told, "body-sha256": digest}, []


def read_keyring(file: File) -> tuple[Told, list[str]]:
    before = file.get("after")
    found = keyring.follow(None, [*(keyrings(before) if before else ()), file.body])
    told = {"version": str(found.version), "fingerprint": found.sha256.hex()}
    return {**told, "signers": " ".join(sorted(found.signers))}, []


def read_bundle(file: File) -> tuple[Told, list[str]]:
    path = file.lay("file", file.body)
    if file["type"] == "return":
        with open_return(path, keyring.parse(keyrings(file["keyring"])[-1])) as back:
            told = {"acknowledged": str(len(back.acknowledged))}
            verdicts = {entry: verdict for entry, _, verdict in back}
            listed, doubled, stray = back.entries, len(back.doubled), back.stray
    else:
        keys = bytes.fromhex(file["bundle-key"]), bytes.fromhex(file["deployment"])
        with open_bundle(path, *keys) as bundle:
            told = {}
            verdicts = {entry: verdict for entry, _, verdict in bundle}
            listed, doubled, stray = bundle.entries, len(bundle.doubled), bundle.stray
    told |= {"verdicts": " ".join(verdicts[entry] for entry in listed) or "-"}
    return {**told, "doubled": str(doubled), "stray": str(stray)}, []


def read_reply(file: File) -> tuple[Told, list[str]]:
    plaintext, key = file.body, file.get("identity")
    if key:
        plaintext = unseal(plaintext, [Identity.parse(key)])
    found = mailbox.parse(plaintext)
    told = {"kind": found.kind, "day": found.day.isoformat(), "number": str(found.number)}
    return {**told, "text-sha256": hashlib.sha256(found.text.encode()).hexdigest()}, []


def read_package(file: File) -> tuple[Told, list[str]]:
    for name, data in json.loads(file.body).items():
        file.lay(f"{file['name']}/{name}", base64.b64decode(data, validate=True))
    keys = {
        key.removeprefix("key-"): Identity.parse(value)
        for key, value in file.headers
        if key.startswith("key-")
    }
    found = quorum.open_package(file.folder / file["name"], keys, file.get("expected-recipient"))
    return {"identity-sha256": hashlib.sha256(found.encode().encode()).hexdigest()}, []


def read_event(file: File) -> tuple[Told, list[str]]:
    known = [keyring.parse(data) for data in keyrings(file["keyring"])]
    if file["layer"] == "plaintext":
        key = identity("reader")
        sealed = seal(file.body, [key.recipient()])
        frame = b"%08x\n%b\n" % (len(sealed), sealed)
        found = chain.read(file.lay(file["chain"], frame), [key], known)
        return {}, [] if found.events else found.faults
    keys = [Identity.parse(value) for key, value in file.headers if key == "identity"]
    found = chain.read(file.lay(file["chain"], file.body), keys, known)
    read = " ".join(map(str, sorted(found.events))) or "-"
    return {"events": read, "closed": str(found.closed)}, found.faults


def read_casebook(file: File) -> tuple[Told, list[str]]:
    known = [keyring.parse(data) for data in keyrings(file["keyring"])]
    versions: dict[str, list[chain.Chain]] = {}
    for name, frames in json.loads(file.body).items():
        one = laid(name, frames, known)
        versions.setdefault(one.name, []).append(one)
    chains = {name: chain.choose(files) for name, files in versions.items()}
    chain.carry(chains, known)
    state = fold(chains)
    values: dict[str, object] = {
        "cases": {tag.hex(): shown(one) for tag, one in state.cases.items()},
        "assigned": {key.hex(): names for key, (_, names) in state.assigned.items()},
        "gone": sorted(state.erased()),
        "heard": {key.hex(): number for key, number in state.heard.items()},
        "sent": {reply.hex(): number for reply, number in state.sent.items()},
    }
    told = {key: canonical.dump(value).decode() for key, value in values.items()}
    told |= {key: " ".join(named(said, state.faults)) or "-" for key, said in NAMED.items()}
    return told, state.faults


def laid(file: str, frames: list[tuple[str, str | None]], known: list[keyring.Keyring]) -> Chain:
    """Return the chain that a file of these frames would be: hashes, and lines of what opens."""
    one = chain.Chain(file.partition("~")[0], file, last=len(frames))
    for number, (digest, text) in enumerate(frames, 1):
        one.hashes[number] = bytes.fromhex(digest)
        if text is None:
            one.shut.add(number)
        else:
            one.events[number] = chain._event(one.name, text.encode(), known)
    return one


def named(said: str, faults: list[str]) -> list[str]:
    """Return the chains or events of which the faults say so."""
    found = [re.match(said, fault) for fault in faults]
    return sorted(":".join(filter(None, match.groups())) for match in found if match)


NAMED = {
    "left-out": r"(\S+): event (\d+) makes no sense",
    "carrying": r"(\S+): event (\d+) carries",
    "lost": r"(\S+): event -?\d+, which \S+ has seen, is",
    "parted": r"(\S+): two versions part",
}


def shown(case: Case) -> dict[str, object]:
    """Return what a vector says of a case."""
    return {
        "assigned": case.assigned,
        "conflict": sorted(f"{one.chain}:{one.sequence}" for one in case.conflict),
        "decisions": len(case.decisions),
        "duplicate": case.duplicate_of,
        "erased": case.erased,
        "hidden": case.hidden,
        "marks": sorted(case.marks),
        "received": [(item.id, item.blob) for item in case.received],
        "replies": [(name, one.author, case.sent_in(one)) for name, one in case.replies.items()],
        "slices": [
            (item.id, part.file, part.number, part.end, part.key or None)
            for item in case.received
            if (part := item.part)
        ],
        "state": case.state,
        "voices": sorted(case.voices),
        "withdrawing": sorted(case.withdrawing),
    }


READERS: Mapping[str, Callable[[File], tuple[Told, list[str]]]] = {
    "envelope": read_envelope,
    "keyring": read_keyring,
    "bundle": read_bundle,
    "reply": read_reply,
    "package": read_package,
    "event": read_event,
    "casebook": read_casebook,
}
# What a reader is given; what else stands in a header must come out of it.
GIVEN = {"expect", "rule", "comment", "compressed", "layer", "identity", "row", "after", "type"}
GIVEN |= {"bundle-key", "deployment", "keyring", "name", "expected-recipient", "chain"}


@pytest.mark.parametrize("vector", vectors(), ids=lambda one: f"{one.kind}/{one.name}")
def test_our_reader_gives_the_verdict(vector: Vector, tmp_path: Path) -> None:
    file = committed(vector, tmp_path)
    wanted = {k: v for k, v in file.headers if k not in GIVEN and not k.startswith("key-")}
    told: Told = {}
    try:
        told, faults = READERS[vector.kind](file)
    except Refused as refused:
        faults = [str(refused)]
    assert file["expect"] == ("refused" if faults else "accepted"), faults
    assert told == wanted
    assert any(vector.says in fault for fault in faults) or not vector.rule, faults


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_has_a_row_and_every_row_a_file(kind: str) -> None:
    rows = [vector.name for vector in vectors() if vector.kind == kind]
    assert len(rows) == len(set(rows))
    assert {path.name for path in (VECTORS / kind).iterdir()} == set(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_those_that_the_tables_make(kind: str, tmp_path: Path) -> None:
    for vector in (one for one in vectors() if one.kind == kind):
        file = committed(vector, tmp_path)
        assert file.headers == vector.headers(), vector.name
        same = sizes if vector.sealed else bytes  # sealing draws its own chance
        assert same(file.body) == same(vector.body), vector.name


def sizes(body: bytes) -> object:
    """Return how long a sealed body is; of a package, how long each file is."""
    if body.startswith(b"{"):
        return {name: len(data) for name, data in json.loads(body).items()}
    return len(body)


def test_each_refused_vector_differs_from_an_accepted_one_of_its_kind() -> None:
    known = {(vector.kind, vector.name): vector for vector in vectors()}
    for vector in vectors():
        if vector.rule:
            assert vector.says, vector.name
            base = known[vector.kind, vector.base]
            assert not base.rule, vector.name
            assert given(base) != given(vector), vector.name


def given(vector: Vector) -> object:
    """Return what a reader is given of a vector."""
    facts = {k: v for k, v in vector.facts.items() if k in GIVEN or k.startswith("key-")}
    return facts, vector.body


def test_no_two_vectors_are_the_same() -> None:
    seen: dict[str, str] = {}
    for vector in vectors():
        same = f"{vector.kind} {given(vector)}"
        assert seen.setdefault(same, vector.name) == vector.name


def test_each_rule_is_one_of_the_documents_and_has_a_vector() -> None:
    sections = set(re.findall(r"^###? (\d+(?:\.\d)?)[. ]", FORMAT, re.MULTILINE))
    keyring_rules = FORMAT.split("\n## 7. ")[1].split("\n## 8. ")[0]
    rules = {f"7.{number}" for number in re.findall(r"^(\d)\. ", keyring_rules, re.MULTILINE)}
    named = {vector.rule for vector in vectors() if vector.rule}
    assert named <= sections | rules
    assert rules | {"1", "2", "5", "9", "10", "11", "11.1", "12.1", "12.2", "12.3"} <= named


def test_the_readme_names_every_header() -> None:
    named = {re.sub("^key-.*", "key-<reviewer>", k) for one in vectors() for k, _ in one.headers()}
    assert {key for key in named if not re.search(rf"\b{re.escape(key)}(?!\w)", README)} == set()


def test_all_of_them_are_small() -> None:
    files = [path for kind in KINDS for path in (VECTORS / kind).iterdir()]
    assert sum(path.stat().st_size for path in files) < BUDGET
