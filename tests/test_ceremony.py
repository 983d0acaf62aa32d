"""The key ceremony: packages, cards, drafts, signatures, and the commands around them.

Rules:
- Most of it calls the library, with little work for scrypt; one ceremony runs whole as commands,
  with a demo's passphrases, as the demo and the drill run it.
- "Cannot open" is tried with everything that somebody holds, in every order, not by asking the
  reading half, which would refuse by counting.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import canonical, files, keyring, locked, quorum, sentences
from intake import words as lists
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from intake.ceremony import (
    __main__,
    card,
    holder,
    package,
    proposal,
    rehearsal,
)
from intake.ceremony.card import Card
from intake.ceremony.proposal import Wish
from intake.errors import (
    BadFile,
    BadKeyring,
    MachineTrouble,
    Misuse,
    NoMatchingKey,
    Unsafe,
)
from intake.signatures import signature_line
from tests import makers
from tests.makers import FIRST

WORDS = Passphrase("words for tests", 4)
HERE = Path(__file__).resolve().parent.parent
SECRET = b"AGE-SECRET-KEY"


# Packages.


def cards(count: int) -> tuple[list[Card], dict[str, Identity]]:
    """Return cards of ``count`` reviewers as they would be read, and their quorum identities."""
    people = [makers.make_reviewer(name) for name in makers.NAMES[:count]]
    found = [
        Card(one.name, bytes.fromhex(one.facts()["key"]), False, one.facts()) for one in people
    ]
    return found, {one.name: one.quorum for one in people}


def attack(folder: Path, keys: Sequence[Identity]) -> dict[Path, list[bytes]]:
    """Return all that ``keys`` get out of each file, layer after layer, in any order of the keys.

    Every key is tried on the file, and on whatever any key got out of it before.
    """
    found: dict[Path, list[bytes]] = {}
    for path in sorted(folder.iterdir()):
        layers = [path.read_bytes()]
        for layer in layers:  # which grows while it is read
            for key in keys:
                with contextlib.suppress(NoMatchingKey, BadFile):
                    layers.append(unseal(layer, [key]))
        found[path] = layers[1:]
    return found


@pytest.mark.parametrize(("needed", "count"), [(2, 2), (2, 3), (3, 5), (5, 5)])
@pytest.mark.parametrize("days", [None, (FIRST, FIRST)], ids=["archive", "period"])
def test_every_subset_opens_and_every_smaller_one_fails(
    tmp_path: Path, needed: int, count: int, days: tuple[date, date] | None
) -> None:
    """By attack, with all files at hand; what is inside is looked at layer by layer."""
    people, keys = cards(count)
    folder = tmp_path / "secret"
    made = package.make(folder, card.recipients(people), needed, days)
    names = list(itertools.combinations(keys, needed))
    paths = [folder / f"{'+'.join(subset)}.age" for subset in names]
    assert sorted(folder.iterdir()) == sorted([*paths, folder / "package.json"])
    secrets = set()
    for subset, path in zip(names, paths, strict=True):
        reached = attack(folder, [keys[name] for name in subset])
        *layers, innermost = reached[path]
        assert [len(layer) for layer in layers] == sizes(needed)[1:]
        for layer in (path.read_bytes(), *layers):
            assert len(re.findall(rb"^-> ", layer[: layer.index(b"\n--- ")], re.MULTILINE)) == 1
        assert re.fullmatch(rb"AGE-SECRET-KEY-PQ-1[A-Z0-9]{58}\n", innermost)
        secrets.add(innermost)
        elsewhere = [layers for other, layers in reached.items() if other != path]
        assert all(SECRET not in layer for layers in elsewhere for layer in layers)
        opened = quorum.open_package(folder, {n: keys[n] for n in subset}, made.recipient)
        assert opened.encode().encode() + b"\n" == innermost
    (secret,) = secrets
    seed = Identity.parse(secret.decode().strip()).seed
    for fewer in itertools.combinations(keys, needed - 1):
        reached = attack(folder, [keys[name] for name in fewer])
        for path, layers in reached.items():
            assert len(layers) <= needed - 1
            for layer in (path.read_bytes(), *layers):
                assert SECRET not in layer
                assert seed not in layer
            assert all(layer.startswith(b"age-encryption.org/v1\n") for layer in layers)
        with pytest.raises(NoMatchingKey, match=f"{needed} reviewers open"):
            quorum.open_package(folder, {name: keys[name] for name in fewer})


def sizes(layers: int) -> list[int]:
    """Return the sizes of nested age files around an identity, the outermost first."""
    found = [len("AGE-SECRET-KEY-PQ-1") + 58 + 1]
    for _ in range(layers):
        found.insert(0, makers.sealed_size(found[0], 1))
    return found[:-1]


def test_the_attack_would_find_a_secret_that_fewer_open(tmp_path: Path) -> None:
    """A file sealed to one too few, and one in the other order: it sees both."""
    people, keys = cards(3)
    package.make(tmp_path / "archive", card.recipients(people), 2)
    alice, bob = (str(person.facts["quorum"]) for person in people[:2])
    secret = Identity.generate()
    (tmp_path / "archive" / "alice+bob.age").write_bytes(package.nested(secret, [bob]))
    (tmp_path / "archive" / "alice+carol.age").write_bytes(package.nested(secret, [bob, alice]))
    reached = attack(tmp_path / "archive", [keys["bob"]])
    assert secret.encode().encode() + b"\n" in reached[tmp_path / "archive" / "alice+bob.age"]
    reached = attack(tmp_path / "archive", [keys["alice"], keys["bob"]])
    assert len(reached[tmp_path / "archive" / "alice+carol.age"]) == 2


def test_the_name_is_the_order_of_opening(tmp_path: Path) -> None:
    """Step by step with nothing but age: first name outermost, innermost an identity file."""
    people, keys = cards(3)
    made = package.make(tmp_path / "archive", card.recipients(people), 2)
    data = (tmp_path / "archive" / "alice+carol.age").read_bytes()
    with pytest.raises(NoMatchingKey):
        unseal(data, [keys["carol"]])
    inner = unseal(unseal(data, [keys["alice"]]), [keys["carol"]])
    assert re.fullmatch(rb"AGE-SECRET-KEY-PQ-1[A-Z0-9]{58}\n", inner)
    assert str(Identity.parse(inner.decode().strip()).recipient()) == made.recipient


def test_the_identity_is_written_nowhere_in_the_clear(tmp_path: Path) -> None:
    people, keys = cards(3)
    package.make(tmp_path / "made" / "archive", card.recipients(people), 2)
    opened = quorum.open_package(tmp_path / "made" / "archive", keys)
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert opened.seed not in path.read_bytes()
        assert SECRET not in path.read_bytes()


def test_too_few_keys_say_who_could_help(tmp_path: Path) -> None:
    people, keys = cards(5)
    package.make(tmp_path / "archive", card.recipients(people), 3)
    with pytest.raises(NoMatchingKey) as refusal:
        quorum.open_package(tmp_path / "archive", {"bob": keys["bob"], "zoe": keys["alice"]})
    assert "3 reviewers open" in refusal.value.what
    assert "2 more must come, of: alice, carol, dave, erin." in refusal.value.hint


def test_a_wrong_key_is_named(tmp_path: Path) -> None:
    people, keys = cards(3)
    package.make(tmp_path / "archive", card.recipients(people), 2)
    with pytest.raises(NoMatchingKey, match="key of bob does not open"):
        quorum.open_package(tmp_path / "archive", {"alice": keys["alice"], "bob": keys["carol"]})


def test_a_damaged_file_is_named_and_another_subset_still_opens(tmp_path: Path) -> None:
    people, keys = cards(3)
    made = package.make(tmp_path / "archive", card.recipients(people), 2)
    path = tmp_path / "archive" / "alice+bob.age"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadFile, match=r"alice\+bob.age is damaged"):
        quorum.open_package(tmp_path / "archive", {n: keys[n] for n in ("alice", "bob")})
    assert str(quorum.open_package(tmp_path / "archive", keys).recipient()) == made.recipient


def test_another_secret_than_the_one_named_is_refused(tmp_path: Path) -> None:
    """Whoever hands out packages does not choose the key that is believed."""
    people, keys = cards(3)
    path = tmp_path / "archive"
    made = package.make(path, card.recipients(people), 2)
    recipients = [str(people[0].facts["quorum"]), str(people[1].facts["quorum"])]
    (path / "alice+bob.age").write_bytes(package.nested(Identity.generate(), recipients))
    two = {name: keys[name] for name in ("alice", "bob")}
    with pytest.raises(BadFile, match="not the package that was expected"):
        quorum.open_package(path, two)
    with pytest.raises(BadFile, match="not the package that was expected"):
        quorum.open_package(path, keys, str(Identity.generate().recipient()))
    assert made == quorum.read_package(path)


def test_what_is_no_identity_inside_is_refused(tmp_path: Path) -> None:
    people, keys = cards(2)
    package.make(tmp_path / "archive", card.recipients(people), 2)
    sealed = seal(b"hello\n", [keys["bob"].recipient()])
    path = tmp_path / "archive" / "alice+bob.age"
    path.write_bytes(seal(sealed, [keys["alice"].recipient()]))
    with pytest.raises(BadFile, match="not a post-quantum identity"):
        quorum.open_package(tmp_path / "archive", keys)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "intake package 2"},
        {"secret": "letter"},
        {"secret": "period"},
        {"name": "../archive"},
        {"quorum": 1},
        {"quorum": 4},
        {"quorum": True},
        {"quorum": "2"},
        {"reviewers": ["alice", "bob", "bob"]},
        {"reviewers": ["bob", "alice", "carol"]},
        {"reviewers": ["../alice", "bob", "carol"]},
        {"reviewers": [1, 2, 3]},
        {"reviewers": "alice"},
        {"reviewers": {"alice": 1, "bob": 2, "carol": 3}},
        {"reviewers": "abc"},
        {"reviewers": None},
        {"reviewers": ["a", "b", "c", "d", "e", "f"]},
        {"recipient": "age1"},
        {"recipient": None},
        {"note": ""},
    ],
)
def test_a_foreign_description_is_refused(tmp_path: Path, changes: Mapping[str, object]) -> None:
    people, keys = cards(3)
    package.make(tmp_path / "archive", card.recipients(people), 2)
    path = tmp_path / "archive" / "package.json"
    path.write_bytes(canonical.dump({**json.loads(path.read_bytes()), **changes}))
    with pytest.raises(BadFile):
        quorum.open_package(tmp_path / "archive", keys)


@pytest.mark.parametrize(("needed", "count"), [(1, 3), (4, 3), (0, 0)])
def test_no_quorum_of_one_or_of_more_than_there_are(
    tmp_path: Path, needed: int, count: int
) -> None:
    with pytest.raises(Misuse, match="cannot be a quorum"):
        package.make(tmp_path / "archive", card.recipients(cards(count)[0]), needed)
    assert not list(tmp_path.iterdir())


def test_six_reviewers_are_too_many(tmp_path: Path) -> None:
    people = cards(5)[0]
    people.append(replace(people[0], name="frank"))
    with pytest.raises(Misuse, match="2 of 6 reviewers"):
        package.make(tmp_path / "archive", card.recipients(people), 2)


def test_a_package_that_is_there_stays(tmp_path: Path) -> None:
    people, _ = cards(3)
    made = package.make(tmp_path / "archive", card.recipients(people), 2)
    assert package.make(tmp_path / "archive", card.recipients(people), 2) == made
    with pytest.raises(Misuse, match="already there"):
        package.make(tmp_path / "archive", card.recipients(people), 3)
    with pytest.raises(Misuse, match="already there"):
        package.make(tmp_path / "archive", card.recipients(people[:2]), 2)
    assert quorum.read_package(tmp_path / "archive") == made


@pytest.mark.parametrize("moment", range(4))
def test_nothing_is_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """The disk fails at each of the four files in turn; then the same command works."""
    people, keys = cards(3)
    write, calls = files.write, itertools.count()

    def failing(path: Path, data: bytes, mode: int = files.PRIVATE) -> None:
        if next(calls) == moment:
            raise OSError(28, "No space left on device")
        write(path, data, mode)

    monkeypatch.setattr(files, "write", failing)
    with pytest.raises(MachineTrouble, match="no space left"):
        package.make(tmp_path / "archive", card.recipients(people), 2)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    made = package.make(tmp_path / "archive", card.recipients(people), 2)
    quorum.open_package(tmp_path / "archive", keys, made.recipient)


# Periods.


def test_periods_are_weeks_and_the_first_may_begin_late() -> None:
    found = package.spans(date(2026, 12, 30), 3)
    assert found == {
        "2026-w53": (date(2026, 12, 30), date(2027, 1, 3)),
        "2027-w01": (date(2027, 1, 4), date(2027, 1, 10)),
        "2027-w02": (date(2027, 1, 11), date(2027, 1, 17)),
    }


@pytest.mark.parametrize("weeks", [-1, 0, 14])
def test_periods_are_1_to_13(weeks: int) -> None:
    with pytest.raises(Misuse, match="1 to 13"):
        package.spans(FIRST, weeks)


def test_an_interrupted_row_of_periods_goes_on(tmp_path: Path) -> None:
    people, _ = cards(3)
    first = next(iter(package.periods(tmp_path, FIRST, 3, card.recipients(people), 2)))
    made = list(package.periods(tmp_path, FIRST, 3, card.recipients(people), 2))
    assert [one.name for one in made] == ["2026-w47", "2026-w48", "2026-w49"]
    assert made[0] == first
    assert len({one.recipient for one in made}) == 3


@pytest.mark.parametrize(
    ("day", "quarter"),
    [
        (date(2026, 1, 1), "2026q1"),
        (date(2026, 3, 31), "2026q1"),
        (date(2026, 4, 1), "2026q2"),
        (date(2026, 9, 30), "2026q3"),
        (date(2026, 12, 31), "2026q4"),
    ],
)
def test_quarters(day: date, quarter: str) -> None:
    assert keyring.quarter_of(day) == quarter
    assert keyring.QUARTER.match(quarter)


# Cards.


def test_cards_come_back(tmp_path: Path) -> None:
    holder.make_root(tmp_path / "rosa", WORDS, demo=False)
    holder.make_reviewer(tmp_path / "alice", "Body", ["2026q4", "2027q1"], WORDS, demo=True)
    assert sorted(path.name for path in (tmp_path / "alice").iterdir()) == [
        *("2026q4.age", "2027q1.age", "card.json", "quorum.age", "signing.age")
    ]
    mine = card.read(tmp_path / "alice", card.REVIEWER)
    assert (mine.name, mine.demo, mine.facts["body"]) == ("alice", True, "Body")
    own, key = holder.unlock(tmp_path / "alice", WORDS)
    assert str(own.recipient()) == mine.facts["quorum"]
    assert key.public_key().public_bytes_raw() == mine.key
    quarter = locked.identity(tmp_path / "alice" / "2027q1.age", WORDS)
    assert mine.facts["quarters"]["2027q1"] == str(quarter.recipient())
    other = card.read(tmp_path / "rosa" / "card.json", card.ROOT)
    signer = locked.signing_key(tmp_path / "rosa" / holder.SIGNING, WORDS)
    assert other.key == signer.public_key().public_bytes_raw()


def test_a_card_holds_no_secret_and_the_rest_is_locked(tmp_path: Path) -> None:
    holder.make_reviewer(tmp_path / "alice", "Body", ["2026q4"], WORDS, demo=False)
    for path in (tmp_path / "alice").iterdir():
        if path.name != card.NAME:
            assert path.read_bytes().startswith(b"age-encryption.org/v1\n-> scrypt ")
            assert path.stat().st_mode & 0o077 == 0
    text = (tmp_path / "alice" / card.NAME).read_text()
    assert holder.unlock(tmp_path / "alice", WORDS)[1].private_bytes_raw().hex() not in text


@pytest.mark.parametrize("field", ["name", "body", "key", "quorum", "quarters", "demo", "proof"])
def test_an_altered_card_is_refused(tmp_path: Path, field: str) -> None:
    for name in ("alice", "bob"):
        quarter = "2026q4" if name == "alice" else "2027q1"
        demo = name == "bob"
        holder.make_reviewer(tmp_path / name, f"Body of {name}", [quarter], WORDS, demo=demo)
    path = tmp_path / "alice" / card.NAME
    other = json.loads((tmp_path / "bob" / card.NAME).read_bytes())
    path.write_bytes(canonical.dump({**json.loads(path.read_bytes()), field: other[field]}))
    with pytest.raises(BadFile, match="no reviewer's card"):
        card.read(path, card.REVIEWER)


def test_a_card_of_another_kind_or_version_is_refused(tmp_path: Path) -> None:
    holder.make_root(tmp_path / "rosa", WORDS, demo=False)
    with pytest.raises(BadFile, match="no reviewer's card"):
        card.read(tmp_path / "rosa", card.REVIEWER)
    for name, format_ in (("rosa", "intake root card 2"), ("../rosa", card.ROOT)):
        facts = {"demo": False, "format": format_, "name": name}
        card.write(tmp_path, makers.signing_key("rosa"), facts)
        with pytest.raises(BadFile, match="no root's card"):
            card.read(tmp_path, card.ROOT)


@pytest.mark.parametrize("facts", [{"name": 5, "demo": False}, {"name": "rosa", "demo": "yes"}])
def test_a_card_whose_fields_are_of_another_type_is_refused(
    tmp_path: Path, facts: Mapping[str, object]
) -> None:
    """Its owner signed it, so only its form is wrong: 5 is no name, and "yes" no answer."""
    card.write(tmp_path, makers.signing_key("rosa"), {"format": card.ROOT, **facts})
    with pytest.raises(BadFile, match="no root's card"):
        card.read(tmp_path, card.ROOT)


def test_a_demo_and_a_real_ceremony_never_meet(tmp_path: Path) -> None:
    holder.make_root(tmp_path / "rosa", WORDS, demo=True)
    holder.make_root(tmp_path / "ruth", WORDS, demo=False)
    for names, demo in ((["rosa"], False), (["ruth"], True), (["rosa", "ruth"], True)):
        with pytest.raises(Unsafe, match="never meet"):
            card.read_all([tmp_path / name for name in names], card.ROOT, demo=demo)
    assert card.read_all([tmp_path / "rosa"], card.ROOT, demo=True)


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    holder.make_root(tmp_path / "rosa", WORDS, demo=False)
    with pytest.raises(Misuse, match="same name"):
        card.read_all([tmp_path / "rosa", tmp_path / "rosa"], card.ROOT, demo=False)


def test_keys_that_are_there_are_never_replaced(tmp_path: Path) -> None:
    holder.make_root(tmp_path / "rosa", WORDS, demo=False)
    before = (tmp_path / "rosa" / holder.SIGNING).read_bytes()
    with pytest.raises(Misuse, match="already there"):
        holder.make_root(tmp_path / "rosa", WORDS, demo=False)
    assert (tmp_path / "rosa" / holder.SIGNING).read_bytes() == before


# From packages to a keyring.


@dataclass(frozen=True, slots=True)
class Stage:
    """A ceremony up to the draft: folders on disk, keys unlocked, and what the draft is to say."""

    folder: Path
    wish: Wish
    people: Mapping[str, tuple[Identity, Ed25519PrivateKey]]
    roots: Mapping[str, Ed25519PrivateKey]

    def sign(self, line: bytes, names: Sequence[str]) -> list[Path]:
        """Let the roots of these names sign, each into a file."""
        paths = [self.folder / f"draft.{name}.sig" for name in names]
        for path, name in zip(paths, names, strict=True):
            path.write_bytes(proposal.sign(line, name, self.roots[name]))
        return paths


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    out = tmp_path_factory.mktemp("ceremony")
    for name in ("rosa", "ruth", "rhea"):
        holder.make_root(out / name, WORDS, demo=False)
    for name in ("alice", "bob", "carol"):
        holder.make_reviewer(out / name, f"Body of {name}", ["2026q4"], WORDS, demo=False)
    people = card.read_all(map(out.joinpath, ("alice", "bob", "carol")), card.REVIEWER, demo=False)
    package.make(out / "archive", card.recipients(people), 2)
    names = [made.name for made in package.periods(out, FIRST, 2, card.recipients(people), 2)]
    keys = {one.name: holder.unlock(out / one.name, WORDS) for one in people}
    for name in ("archive", *names):
        package.attest(out / name, {one: keys[one] for one in ("alice", "carol")})
    roots = card.read_all(map(out.joinpath, ("rosa", "ruth")), card.ROOT, demo=False)
    server = makers.public(makers.signing_key("server"))
    days = (FIRST, date(2026, 11, 29))
    wish = Wish(
        roots, 2, people, out / "archive", [out / one for one in names], server, *days, demo=False
    )
    signers = {
        one: locked.signing_key(out / one / holder.SIGNING, WORDS)
        for one in ("rosa", "ruth", "rhea")
    }
    return Stage(out, wish, keys, signers)


@pytest.fixture
def stage(_made: Stage, tmp_path: Path) -> Stage:
    """Return the stage in a folder of the test's own."""
    out = tmp_path / "ceremony"
    shutil.copytree(_made.folder, out)
    moved = [out / path.name for path in _made.wish.periods]
    wish = replace(_made.wish, archive=out / "archive", periods=moved)
    return replace(_made, folder=out, wish=wish)


def assembled(stage: Stage, wish: Wish, before: bytes | None = None) -> bytes:
    """Draft, sign by rosa and ruth, assemble."""
    line = proposal.draft(wish, before)
    return proposal.assemble(line, stage.sign(line, ["rosa", "ruth"]), before)


def test_a_keyring_comes_out(stage: Stage) -> None:
    found = keyring.parse(assembled(stage, stage.wish))
    assert (found.version, found.threshold, found.quorum, found.demo) == (1, 2, 2, False)
    assert found.signers == {"rosa", "ruth"}
    assert [one.name for one in found.periods] == ["2026-w47", "2026-w48"]
    assert [sorted(one.attestations) for one in found.periods] == [["alice", "carol"]] * 2
    assert found.reviewers[1].body == "Body of bob"
    keys = {name: identity for name, (identity, _) in stage.people.items()}
    for one in found.periods:
        opened = quorum.open_package(stage.folder / one.name, keys, one.recipient)
        assert str(opened.recipient()) == one.recipient
    quorum.open_package(stage.folder / "archive", keys, found.archive)


def test_the_next_keyring_names_only_what_changes(stage: Stage) -> None:
    raw = assembled(stage, stage.wish)
    first = keyring.parse(raw)
    list(
        package.periods(
            stage.folder, date(2026, 11, 30), 1, card.recipients(stage.wish.reviewers), 2
        )
    )
    path = stage.folder / "2026-w49"
    package.attest(path, {name: stage.people[name] for name in ("bob", "carol")})
    empty = Wish([], None, [], None, [path], None, FIRST, date(2026, 12, 6), demo=False)
    second = keyring.parse(assembled(stage, empty, raw))
    assert (second.version, second.previous) == (2, first.sha256)
    assert second.deployment == first.deployment
    assert second.periods[:2] == first.periods
    assert second.periods[2].name == "2026-w49"
    assert (second.archive, second.roots) == (first.archive, first.roots)
    assert keyring.follow(None, [raw, assembled(stage, empty, raw)]).version == 2
    changed = "\n".join(sentences.differences(first, second))
    assert "+ Period 2026-w49" in changed
    assert "2026-w48" not in changed


def test_a_change_of_roots_names_who_leaves(stage: Stage) -> None:
    raw = assembled(stage, stage.wish)
    roots = card.read_all(map(stage.folder.joinpath, ("rhea", "ruth")), card.ROOT, demo=False)
    line = proposal.draft(replace(stage.wish, roots=roots), raw)
    assert set(keyring.draft(line).leaving) == {"rosa"}
    with pytest.raises(BadKeyring, match="roots before"):
        proposal.assemble(line, stage.sign(line, ["ruth", "rhea"]), raw)
    data = proposal.assemble(line, stage.sign(line, ["rosa", "ruth", "rhea"]), raw)
    assert set(keyring.follow(keyring.parse(raw), [data]).roots) == {"rhea", "ruth"}


def test_unattested_packages_are_refused(stage: Stage) -> None:
    for name in ("archive", "2026-w48"):
        (stage.folder / name / "attestation-alice").rename(stage.folder / "aside")
        with pytest.raises(Misuse, match=f"1 of 2 reviewers have opened .*{name}"):
            proposal.draft(stage.wish, None)
        (stage.folder / "aside").rename(stage.folder / name / "attestation-alice")
    assert proposal.draft(stage.wish, None)


def test_forged_attestations_are_refused(stage: Stage) -> None:
    path = stage.folder / "2026-w47" / "attestation-bob"
    stranger = makers.signing_key("a stranger")
    statement = package.statement(quorum.read_package(path.parent))
    for line in (
        signature_line("bob", stranger.sign(statement)),
        signature_line("zoe", stranger.sign(statement)),
        signature_line("bob", stage.people["bob"][1].sign(b"other" + statement)),
        b"bob\n",
        b"",
    ):
        path.write_bytes(line)
        with pytest.raises(BadFile, match="attestation-bob is no signature"):
            proposal.draft(stage.wish, None)
    path.write_bytes(signature_line("bob", stage.people["bob"][1].sign(statement)))
    assert proposal.draft(stage.wish, None)


def test_attesting_opens_what_is_there(stage: Stage) -> None:
    """One damaged file, and nobody attests: bob is not written though carol's subset is whole."""
    path = stage.folder / "2026-w47"
    damaged = path / "alice+bob.age"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    (path / "attestation-alice").unlink()
    with pytest.raises(BadFile, match="damaged"):
        package.attest(path, stage.people)
    assert not (path / "attestation-alice").exists()
    assert not (path / "attestation-bob").exists()
    damaged.unlink()
    with pytest.raises(BadFile, match="not exactly one sealed file"):
        package.attest(path, {name: stage.people[name] for name in ("bob", "carol")})


def test_attesting_needs_a_quorum_of_its_reviewers(stage: Stage) -> None:
    with pytest.raises(NoMatchingKey, match="2 reviewers open"):
        package.attest(stage.folder / "archive", {"bob": stage.people["bob"]})
    with pytest.raises(Misuse, match="zoe is no reviewer"):
        package.attest(stage.folder / "archive", {**stage.people, "zoe": stage.people["bob"]})
    assert not (stage.folder / "archive" / "attestation-bob").exists()


def test_a_draft_that_nobody_could_use_is_refused(stage: Stage) -> None:
    wish, stranger = stage.wish, makers.make_reviewer("zoe")
    people = [*wish.reviewers[:2], replace(wish.reviewers[2], name="zoe", facts=stranger.facts())]
    for other, reason in (
        (replace(wish, threshold=1), "1 of 2 roots"),
        (replace(wish, threshold=3), "3 of 2 roots"),
        (replace(wish, roots=[]), "2 of 0 roots"),
        (replace(wish, expires=date(2026, 11, 15)), "expire before"),
        (replace(wish, archive=None), "--archive"),
        (replace(wish, periods=[]), "--periods"),
        (replace(wish, bundle_key=None), "--bundle-key"),
        (replace(wish, reviewers=people), "other reviewers"),
        (replace(wish, reviewers=[]), "other reviewers"),
        (replace(wish, archive=wish.periods[0], periods=[]), "another kind of secret"),
        (replace(wish, periods=[stage.folder / "archive"]), "another kind of secret"),
    ):
        with pytest.raises(Misuse, match=reason):
            proposal.draft(other, None)


def test_a_draft_that_no_keyring_may_be_is_refused(stage: Stage) -> None:
    """Found by the reading half itself."""
    twin = replace(stage.wish.roots[0], name="twin")
    with pytest.raises(BadKeyring):
        proposal.draft(replace(stage.wish, roots=[*stage.wish.roots, twin]), None)
    folded = stage.folder / "folded"
    days = (date(2026, 11, 20), date(2026, 11, 25))
    package.make(folded, card.recipients(stage.wish.reviewers), 2, days)
    package.attest(folded, {name: stage.people[name] for name in ("alice", "bob")})
    with pytest.raises(BadKeyring, match="overlap"):
        proposal.draft(replace(stage.wish, periods=[*stage.wish.periods, folded]), None)


def test_a_new_key_takes_a_new_name(stage: Stage) -> None:
    raw = assembled(stage, stage.wish)
    other = makers.make_reviewer("bob")
    mine = replace(
        stage.wish.reviewers[1], key=bytes.fromhex(other.facts()["key"]), facts=other.facts()
    )
    for wish in (
        replace(stage.wish, reviewers=[mine]),
        replace(stage.wish, roots=[replace(stage.wish.roots[0], key=bytes(32))]),
    ):
        with pytest.raises(Misuse, match="has another key"):
            proposal.draft(wish, raw)


def test_a_demo_does_not_follow_a_real_keyring(stage: Stage) -> None:
    raw = assembled(stage, stage.wish)
    with pytest.raises(Unsafe, match="never meet"):
        proposal.draft(replace(stage.wish, demo=True), raw)


def test_signatures_that_do_not_belong_are_refused(stage: Stage) -> None:
    line = proposal.draft(stage.wish, None)
    paths = stage.sign(line, ["rosa", "ruth"])
    with pytest.raises(Misuse, match="2 roots must sign; 1 did") as refusal:
        proposal.assemble(line, paths[:1], None)
    assert refusal.value.hint == "Still to sign: ruth."
    with pytest.raises(Misuse, match="1 did"):
        proposal.assemble(line, [paths[0], paths[0]], None)
    with pytest.raises(Misuse, match="does not name rhea"):
        proposal.sign(line, "rhea", stage.roots["rhea"])
    with pytest.raises(Misuse, match="does not name rosa"):
        proposal.sign(line, "rosa", stage.roots["rhea"])
    other = proposal.draft(stage.wish, None)  # another deployment
    with pytest.raises(BadFile, match=r"rosa.sig is no signature"):
        proposal.assemble(other, paths, None)


def test_a_later_keyring_is_assembled_only_after_the_one_before(stage: Stage) -> None:
    raw = assembled(stage, stage.wish)
    line = proposal.draft(stage.wish, raw)
    paths = stage.sign(line, ["rosa", "ruth"])
    with pytest.raises(Misuse, match="follows another one"):
        proposal.assemble(line, paths, None)
    with pytest.raises(BadKeyring, match="another deployment"):
        proposal.assemble(line, paths, makers.make_deployment().raw)


def test_what_is_no_draft_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "draft"
    for data in (b"", b"{}", b"{}\n\n", b"\n{}", makers.make_deployment().raw):
        path.write_bytes(data)
        with pytest.raises(BadFile, match="not a draft"):
            proposal.read_draft(path)
    for line in (b"", b"{}", b"[]", b"\xff"):
        with pytest.raises(BadKeyring, match="not a keyring that this version"):
            keyring.draft(line)


def test_every_fact_of_a_keyring_is_read_aloud() -> None:
    """Each leaf of line 1, changed, changes the sentences (a signature or a format is none)."""
    base, one = makers.make_deployment(roots=3).keyring, b"\1" * 32
    of_all: list[dict[str, Any]] = [
        {"version": 2},
        {"previous": one},
        {"issued": date(2026, 1, 1)},
        {"expires": date(2027, 1, 1)},
        {"deployment": one},
        {"demo": True},
        {"roots": {**base.roots, "rosa": one}},
        {"leaving": {"zoe": one}},
        {"threshold": 3},
        {"quorum": 3},
        {"archive": "other"},
        {"bundle_key": one},
        {"signers": frozenset({"rosa"})},
    ]
    of_reviewer: list[dict[str, Any]] = [
        {"name": "zoe"},
        {"body": "other"},
        {"key": one},
        {"quorum": "other"},
        {"quarters": {"2026q4": "other"}},
        {"removed": {}},
        {"removed": {"alice.desk": (3, one)}},
    ]
    of_period: list[dict[str, Any]] = [
        {"name": "other"},
        {"first": date(2026, 1, 1)},
        {"last": date(2027, 1, 1)},
        {"recipient": "other"},
        {"attestations": {"carol": b""}},
    ]
    alice, *others = base.reviewers
    first, *later = base.periods
    changed = [replace(base, **change) for change in of_all]
    changed += [
        replace(base, reviewers=(replace(alice, **change), *others)) for change in of_reviewer
    ]
    changed += [replace(base, periods=(replace(first, **change), *later)) for change in of_period]
    said = {tuple(sentences.describe(each)) for each in (base, *changed)}
    assert len(said) == 1 + len(changed)


def test_a_sentence_of_a_keyring_is_one_line() -> None:
    """A body's name must not write a line that roots and admins take for ours."""
    base = makers.make_deployment().keyring
    alice, *others = base.reviewers
    body = (
        "X\nFingerprint in words: abandon ability\nFingerprint in hex: 0000 0000\u2028\x1b[2K\u202e"
    )
    said = sentences.describe(replace(base, reviewers=(replace(alice, body=body), *others)))
    assert len(said) == len(sentences.describe(base))
    assert [line for line in said if line.startswith("Fingerprint")] == said[-2:]
    assert all(line.isprintable() for line in said)


def test_cards_are_compared_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = Passphrase("demo-words", 10)
    for name in ("alice", "bob"):
        body = "X: 0000\nbob, sent by us: 0000"
        holder.make_reviewer(tmp_path / name, body, ["2026q4"], words, demo=True)
    files.write(tmp_path / "words", b"")
    arguments = ["--demo-passphrases", tmp_path / "words", "archive", "--quorum", "2", "--yes"]
    arguments += ["--out", tmp_path, "--reviewers", tmp_path / "alice", tmp_path / "bob"]
    given = __main__.build().parse_args(list(map(str, arguments)))
    given.do(given)
    said = capsys.readouterr().out
    assert said.count("\nbob, sent by") == 1
    for name in ("alice", "bob"):
        key = card.read(tmp_path / name, card.REVIEWER).key
        in_words = lists.fingerprint(hashlib.sha256(key).digest())
        assert f": {in_words} ({sentences.grouped(key)})\n" in said


def test_a_fingerprint_is_said_in_words_and_in_hex() -> None:
    made = makers.make_deployment(weeks=1, reviewers=2).keyring
    in_words, in_hex = sentences.fingerprint(made.sha256)
    assert in_words == f"Fingerprint in words: {lists.fingerprint(made.sha256)}"
    assert in_hex.partition(": ")[2].replace(" ", "") == made.sha256.hex()
    assert sentences.describe(made)[-2:] == [in_words, in_hex]


def test_rehearsal_finds_a_package_that_opens_with_too_few(tmp_path: Path) -> None:
    people, keys = cards(3)
    package.make(tmp_path / "archive", card.recipients(people), 2)
    assert rehearsal.try_subsets(tmp_path / "archive", keys) == 3 + 3 * 3
    short = package.nested(Identity.generate(), [str(people[2].facts["quorum"])])
    (tmp_path / "archive" / "extra.age").write_bytes(short)
    with pytest.raises(MachineTrouble, match="opens with only carol"):
        rehearsal.try_subsets(tmp_path / "archive", keys)


def test_rehearsal(tmp_path: Path) -> None:
    steps = list(rehearsal.play(tmp_path, date(2026, 11, 18)))
    first, second = ((tmp_path / f"keyring-{n}").read_bytes() for n in (1, 2))
    found = keyring.follow(keyring.parse(first), [second])
    assert found.demo
    assert found.periods[0].first == date(2026, 11, 18)
    assert len(found.periods) == 4
    assert steps[-1].startswith("Keyring 2 is assembled")


def test_put_never_replaces(tmp_path: Path) -> None:
    proposal.put(tmp_path / "draft", b"one")
    proposal.put(tmp_path / "draft", b"one")
    with pytest.raises(Misuse, match="already there"):
        proposal.put(tmp_path / "draft", b"two")
    assert (tmp_path / "draft").read_bytes() == b"one"


# The commands.


@dataclass(frozen=True, slots=True)
class Tool:
    """The ceremony's command line, run in ``folder`` with its own demo's passphrases."""

    folder: Path

    def run(self, *arguments: str, demo: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with no terminal to ask on."""
        option = ["--demo-passphrases", "words"] if demo else []
        return subprocess.run(
            [sys.executable, "-m", "intake.ceremony", *option, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(HERE)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def done(self, *arguments: str) -> str:
        """Run a command that must succeed; return what it says."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr == ""
        return ended.stdout


def test_a_whole_ceremony_as_commands(tmp_path: Path) -> None:
    tool, names = Tool(tmp_path), ("rosa", "ruth", "alice", "bob", "carol")
    words = "".join(f"{name} demo-{name}-its-words\n" for name in names)
    files.write(tmp_path / "words", words.encode())
    people = [f"{name}/card.json" for name in ("alice", "bob", "carol")]
    made = ["--reviewers", *people, "--quorum", "2", "--out", "made", "--yes"]
    week = ["made/2026-w48", "made/2026-w49"]

    said = tool.done("root", "rosa", "--out", ".")
    assert tool.done("root", "rosa", "--out", ".") == said  # already there
    tool.done("root", "ruth", "--out", ".")
    for name in ("alice", "bob", "carol"):
        tool.done("reviewer", name, "--body", f"Body \x1b[2J{name}", "--out", ".")
    said = tool.done("archive", *made)
    archive = quorum.read_package(tmp_path / "made" / "archive")
    assert sentences.of_recipient(archive.recipient) in said
    assert archive.recipient not in said
    tool.done("periods", "--from", "2026-11-25", "--weeks", "2", *made)
    opened = tool.done("attest", "made/archive", *week, "--reviewer", "alice", "--reviewer", "bob")
    assert opened.count("opened and attested by alice, bob") == 3

    key = makers.public(makers.signing_key("server"))
    draft = ["propose", "--out", "draft", "--roots", "rosa", "ruth", "--threshold", "2"]
    draft += ["--reviewers", *people, "--archive", "made/archive", "--periods", *week]
    draft += ["--bundle-key", key, "--expires", "2026-12-06", "--issued", "2026-11-25"]
    said = tool.done(*draft)
    assert "DEMO" in said
    assert "\x1b" not in said
    assert "Body <U+001B>[2Jalice" in said
    assert tool.done(*draft) == said  # already there, and not another deployment
    assert tool.run("sign", "draft", "--root", "rosa").returncode == 2  # nobody said yes
    honest = (tmp_path / "draft").read_bytes()
    (tmp_path / "false").write_bytes(honest.replace(b'"demo":true', b'"demo":false'))
    assert tool.run("sign", "false", "--root", "rosa", "--yes").returncode == 6
    tool.done("sign", "draft", "--root", "rosa", "--yes")
    early = tool.run("assemble", "draft", "draft.rosa.sig", "--out", "keyring")
    assert (early.returncode, "Still to sign: ruth" in early.stderr) == (2, True)
    assert not (tmp_path / "keyring").exists()
    tool.done("sign", "draft", "--root", "ruth", "--yes")
    final = ["assemble", "draft", "draft.rosa.sig", "draft.ruth.sig", "--out", "keyring"]
    said = tool.done(*final)
    assert tool.done(*final) == said
    assert "python -m intake.admin keyring install keyring" in said
    signed = keyring.parse((tmp_path / "keyring").read_bytes())
    assert "\n".join(sentences.fingerprint(signed.sha256)) in said
    assert "Signed by: rosa, ruth." in tool.done("show", "keyring")

    # A real ceremony takes nothing of it.
    real = ["archive", *made[:-2], "other", "--yes"]
    for command in (real, ["root", "rosa", "--out", "."], ["sign", "draft", "--root", "rosa"]):
        assert tool.run(*command, demo=False).returncode == 6
    # And no secret of it is anywhere but under a lock.
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert SECRET not in path.read_bytes()
        assert path.name == "words" or b"its-words" not in path.read_bytes()
    assert not list(tmp_path.rglob(".*.partial"))


def test_rehearse_as_a_command_erases_its_folder(tmp_path: Path) -> None:
    ended = Tool(tmp_path).run("rehearse", "--folder", ".", demo=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"^ 1\. +[0-9.]+ s  rosa made a root\.$", ended.stdout, re.MULTILINE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", sorted(__main__._COMMANDS))
def test_every_command_has_help_with_an_example_that_parses(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.build().parse_args([command, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "passphrases" not in said
    examples = re.split(r"Examples?:\n", said)[1].replace("\\\n", " ").replace("3f2a...", "11" * 32)
    for example in examples.strip().splitlines():
        words = re.findall(r'"[^"]*"|\S+', example)
        assert words[:3] == ["python", "-m", "intake.ceremony"]
        assert __main__.build().parse_args(words[3:]).do


@pytest.mark.parametrize(
    "arguments",
    [
        ["root", "Rosa", "--out", "."],
        ["root", "../rosa", "--out", "."],
        ["root", "rosa"],
        ["reviewer", "alice", "--out", ".", "--body", "B", "--quarter", "2026q5"],
        ["periods", "--from", "20261116", "--weeks", "1", "--reviewers", "a", "--quorum", "2"],
        ["propose", "--out", "draft", "--expires", "2026-12-06", "--bundle-key", "AB" * 32],
        ["root", "rosa", "--ou", "."],
        [],
    ],
)
def test_wrong_arguments_end_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.build().parse_args(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err
