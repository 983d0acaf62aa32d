"""Small files: cards, packages, drafts, the server's marks, and secrets at rest.

Each is what a tool writes and another machine, or the same one after a bad disk, reads again.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from intake import canonical, days, files, installed, keyring, misplaced, quorum
from intake.admin import chain, setup
from intake.admin.chain import Mark
from intake.ceremony import card, proposal, rotation
from intake.ceremony.card import Card
from intake.desk import passage
from intake.errors import BadFile, BadKeyring, Misuse
from intake.quorum import Package
from intake.server import inforce
from intake.settings import FORM, Settings
from intake.signatures import octets, signature_line
from intake.terminal import Passphrases
from tests.fuzz.mutations import (
    EDITS,
    FEW,
    JUNK,
    VALUES,
    Reader,
    edited,
    inside,
    outside,
    put,
    refusing,
    tiers,
)
from tests.fuzz.test_keyring import MADE, OTHER, Remembering, line, signed

ALICE = MADE.reviewers["alice"]
BOB = MADE.reviewers["bob"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder with an installed keyring."""
    found = Settings(tmp_path / "data", tmp_path / "keys", FORM)
    for folder in (found.data, found.keys):
        folder.mkdir(mode=0o700)
    found.keyring.write_bytes(MADE.raw)
    installed.write_record(found, MADE.raw)
    return found


@pytest.fixture(autouse=True)
def _remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in ``test_keyring``: a recipient that was read once is remembered."""
    monkeypatch.setattr(keyring, "Recipient", Remembering)
    monkeypatch.setattr(quorum, "Recipient", Remembering)


@tiers(FEW)
def test_canonical_json(count: int) -> None:
    value = [*(one for one in JUNK if spelled(one)), MADE.draft["reviewers"][0]]
    data = canonical.dump(value)
    Reader(
        valid=data,
        read=canonical.load,
        same=lambda found, mutant: again(found) == mutant,
        ways=[outside(data, MADE.raw), inside(value), inside(value[-1])],
        reached=["not canonical JSON"],
    ).fuzz(count)


def spelled(value: object) -> bool:
    try:
        return bool(canonical.dump(value))
    except ValueError:
        return False


def again(value: object) -> bytes:
    """Write JSON with the standard library, and nothing that the format leaves out."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert "NaN" not in text.replace('"NaN', "")
    return text.encode()


@tiers(FEW)
@pytest.mark.parametrize("kind", [card.ROOT, card.REVIEWER])
def test_a_card(tmp_path: Path, kind: str, count: int) -> None:
    """Signed again by its owner, who may be anybody."""
    facts: dict[str, Any] = {"demo": False, "format": kind, "name": "alice"}
    if kind == card.REVIEWER:
        own = ALICE.facts()
        facts |= {field: own[field] for field in card.OF_REVIEWER}
    card.write(tmp_path, ALICE.signing, facts)
    valid = (tmp_path / card.NAME).read_bytes()
    whole = {k: v for k, v in json.loads(valid).items() if k != "proof"}

    def proven(data: bytes, _: int = 0) -> bytes:
        """Add the owner's signature over the line, where it ends as an object does."""
        proof = ALICE.signing.sign(b"intake card 1\n" + data).hex()
        at = data.find(b',"quarters"') if kind == card.REVIEWER else len(data) - 1
        return data[:at] + f',"proof":"{proof}"'.encode() + data[at:]

    def right(found: Card, data: bytes) -> bool:
        body = canonical.dump(found.facts)
        typed = (type(found.facts["name"]), type(found.facts["demo"])) == (str, bool)
        names = (found.facts["name"], found.facts["demo"]) == (found.name, found.demo)
        return typed and names and proven(body) == data and found.facts["format"] == kind

    assert proven(canonical.dump(whole)) == valid
    Reader(
        valid=valid,
        read=lambda data: card.read(put(tmp_path / card.NAME, data), kind),
        same=right,
        ways=[outside(valid, MADE.raw), *[inside(whole, proven)] * 2],
        reached=["or it was altered"],
    ).fuzz(count)


@tiers(FEW)
@pytest.mark.parametrize("secret", [quorum.ARCHIVE, quorum.PERIOD])
def test_package_json(tmp_path: Path, secret: str, count: int) -> None:
    facts = {
        "format": quorum.FORMAT,
        "name": "2026-w47",
        "quorum": 2,
        "recipient": str(MADE.archive.recipient()),
        "reviewers": ["alice", "b", "bob"],
        "secret": secret,
    }
    if secret == quorum.PERIOD:
        facts |= {"first": "2026-11-16", "last": "2026-11-22"}

    def written(found: Package) -> bytes:
        own = {field: getattr(found, field) for field in ("name", "quorum", "recipient", "secret")}
        own |= {"format": quorum.FORMAT, "reviewers": list(found.reviewers)}
        if found.days:
            own |= {"first": found.days[0].isoformat(), "last": found.days[1].isoformat()}
        return canonical.dump(own)

    def read(data: bytes) -> Package:
        found = quorum.read_package(put(tmp_path / "package.json", data).parent)
        assert all(len(Path(name).parts) == 1 for name in found.file_names())
        return found

    Reader(
        valid=canonical.dump(facts),
        read=read,
        same=lambda found, data: written(found) == data,
        ways=[outside(canonical.dump(facts), MADE.raw), *[inside(facts)] * 2],
        reached=["is not the package", "not canonical JSON"],
    ).fuzz(count)


@tiers(FEW)
def test_a_draft_in_its_file(tmp_path: Path, count: int) -> None:
    valid = canonical.dump(MADE.draft) + b"\n"

    def read(data: bytes) -> keyring.Keyring:
        return keyring.draft(proposal.read_draft(put(tmp_path / "draft", data)))

    Reader(
        valid=valid,
        read=read,
        same=lambda found, data: line(found) + b"\n" == data,
        ways=[
            outside(valid, OTHER.raw),
            inside(MADE.draft, lambda data, n: data + b"\n" * (n % 4 > 0)),
        ],
        reached=["is not a draft", "not a keyring"],
    ).fuzz(count)


@tiers(FEW)
def test_a_signature_in_its_file(tmp_path: Path, count: int) -> None:
    message, keys = b"message", {"alice": MADE.keyring.reviewers[0].key, "bob": b""}
    valid = signature_line("alice", ALICE.signing.sign(message))

    def read(data: bytes) -> tuple[str, bytes]:
        return card.read_signature(put(tmp_path / "attestation-alice", data), keys, message)

    Reader(
        valid=valid,
        read=read,
        same=lambda found, data: signature_line(*found) == data,
        ways=[outside(valid, signature_line("bob", BOB.signing.sign(message)))],
        reached=["is no signature of this"],
    ).fuzz(count)


@tiers(FEW)
@pytest.mark.parametrize("what", [chain.BUNDLES, chain.RETURNS])
def test_the_mark_of_the_last_bundle_or_return(settings: Settings, what: str, count: int) -> None:
    facts = {"number": 12, "sha256": "ab" * 32}

    def read(data: bytes) -> Mark:
        put(settings.data / what, data)
        return chain.last(settings, what)

    def again(found: Mark, data: bytes) -> bool:
        chain.save(settings, what, found)
        return (settings.data / what).read_bytes() == data

    Reader(
        valid=canonical.dump(facts),
        read=read,
        same=again,
        ways=[outside(canonical.dump(facts), MADE.raw), *[inside(facts)] * 2],
        reached=["is damaged"],
    ).fuzz(count)


@tiers(FEW)
def test_where_chains_end(tmp_path: Path, count: int) -> None:
    facts = {"alice.desk-a": [12, "ab" * 32], "alice.desk-b": [0, "00" * 32]}
    valid = canonical.dump(facts)
    Reader(
        valid=valid,
        read=lambda data: rotation.read_ends(put(tmp_path / "ends", data), "alice"),
        same=lambda found, data: canonical.dump(found) == data,
        ways=[outside(valid, MADE.raw), *[inside(facts)] * 2],
        reached=["does not say where the chains of alice end"],
    ).fuzz(count)


@tiers(FEW)
def test_the_record_of_the_installed_keyring(settings: Settings, count: int) -> None:
    """By the admin's tools and by the site, which both close at the slightest doubt."""
    valid = settings.installed.read_bytes()
    facts = json.loads(valid)

    def read(data: bytes) -> tuple[keyring.Keyring, inforce.InForce]:
        put(settings.installed, data)
        site = inforce.load(settings)
        return installed.load(settings), site

    Reader(
        valid=valid,
        read=read,
        same=lambda *_: False,
        ways=[outside(valid, MADE.raw), *[inside(facts)] * 2],
        refused=(BadKeyring,),
        reached=["No keyring is in force", "not the one that was installed", "is damaged"],
        accepts=False,
    ).fuzz(count)


@tiers(FEW)
def test_the_keyring_that_lies_on_the_server(settings: Settings, count: int) -> None:
    """Well signed or not: another file than the installed one is not in force."""

    def read(data: bytes) -> object:
        put(settings.keyring, data)
        try:
            return inforce.load(settings)
        except BadKeyring:
            return installed.load(settings)

    Reader(
        valid=MADE.raw,
        read=read,
        same=lambda *_: False,
        ways=[
            outside(MADE.raw, OTHER.raw),
            inside(MADE.draft, signed),
        ],
        refused=(BadKeyring,),
        accepts=False,
    ).fuzz(count)


@tiers(FEW)
def test_the_floor(settings: Settings, count: int) -> None:
    def read(data: bytes) -> date | None:
        put(settings.data / "floor", data)
        return days.read_floor(settings)

    texts = st.tuples(st.dates().map(str) | VALUES.map(str), st.integers(0, 10**6))

    def text(recipe: tuple[str, int], step: int) -> bytes:
        found, number = recipe[0], recipe[1] + step
        year = 1000 + number % 9001
        day = f"{year}-{number % 14:02}-{number % 33:02}"
        return (found if number % 3 else day).encode("utf-8", "surrogatepass")

    Reader(
        valid=b"2026-11-20",
        read=read,
        same=lambda found, data: str(found).encode() == data,
        ways=[outside(b"2026-11-20", b"2027-02-29"), (texts, text)],
        reached=["The saved day is damaged"],
    ).fuzz(count)


@tiers(FEW)
def test_the_bundle_key(settings: Settings, count: int) -> None:
    valid = bytes(range(32)).hex().encode() + b"\n"
    texts = st.tuples(st.binary(min_size=31, max_size=33), st.integers(0, 8))

    def read(data: bytes) -> str:
        put(settings.bundle_key, data)
        return setup.bundle_key(settings).private_bytes_raw().hex()

    def text(recipe: tuple[bytes, int], step: int) -> bytes:
        seed = bytes([recipe[0][0] ^ step, *recipe[0][1:]]).hex()
        return [seed, seed + "\n", seed.upper(), seed + "\n\n", " " + seed][recipe[1] % 5].encode()

    Reader(
        valid=valid,
        read=read,
        same=lambda found, data: data in {found.encode(), found.encode() + b"\n"},
        ways=[outside(valid, b"00" * 32), (texts, text)],
        reached=["bundle.key is damaged", "larger than any"],
    ).fuzz(count)


@tiers(FEW)
def test_a_demo_s_passphrases(tmp_path: Path, count: int) -> None:
    valid = "alice demo-one\nbob demo-ဗိုလ်\n".encode()

    def read(data: bytes) -> dict[str, str]:
        return Passphrases(put(tmp_path / "demo", data))._known

    def same(found: dict[str, str], data: bytes) -> bool:
        lines = [one.partition(" ") for one in data.decode().splitlines()]
        return found == {name: text for name, _, text in lines}

    Reader(
        valid=valid,
        read=read,
        same=same,
        ways=[outside(valid, MADE.raw)],
        refused=(Misuse, BadFile),
        reached=["is not a demo's"],
    ).fuzz(count)


@tiers(FEW)
def test_the_search_for_misplaced_secrets(tmp_path: Path, count: int) -> None:
    """It refuses nothing; it finds a secret or does not, by what a second search says."""
    valid = (
        b"notes\n"
        + bytes(range(32)).hex().encode()
        + b"\nAGE-SECRET-KEY-1 -----BEGIN RSA PRIVATE KEY"
    )

    def plain(data: bytes) -> bool:
        start = data[: 1 << 16]
        lines = [one.strip(b" \t\r") for one in start.split(b"\n")]
        seeds = any(len(one) == 64 and set(one) <= set(b"0123456789abcdefABCDEF") for one in lines)
        marks = (b"AGE-SECRET-KEY-", b"-----BEGIN AGE ENCRYPTED FILE", b"PRIVATE KEY")
        return seeds or any(mark in start for mark in marks)

    def read(data: bytes) -> bool:
        put(tmp_path / "notes", data)
        return bool(misplaced.find([tmp_path]))

    Reader(
        valid=valid,
        read=read,
        same=lambda found, data: not found and plain(data) in {False, b"PRIVATE KEY" in data},
        ways=[outside(valid, MADE.raw), outside(b"-----BEGIN " + b"A " * 5000, b" " * 9000)],
    ).fuzz(count)


@tiers(FEW)
def test_hex(count: int) -> None:
    valid = bytes(range(32)).hex().encode()
    Reader(
        valid=valid,
        read=lambda data: refusing(lambda: octets(data.decode(), 32)),
        same=lambda found, data: found.hex().encode() == data,
        ways=[(EDITS, lambda edits, step: edited(valid, edits, step, 64))],
    ).fuzz(count)


@tiers(FEW)
def test_a_day(count: int) -> None:
    texts = st.tuples(st.dates().map(str) | VALUES.map(str), EDITS)

    def text(recipe: Any, step: int) -> bytes:  # noqa: ANN401 - a recipe
        return edited(recipe[0].encode("utf-8", "replace"), recipe[1], step, 10)

    Reader(
        valid=b"2026-11-20",
        read=lambda data: refusing(lambda: days.day(data.decode())),
        same=lambda found, data: str(found).encode() == data,
        ways=[(texts, text)],
    ).fuzz(count)


def test_a_file_is_read_up_to_its_limit_and_no_further(tmp_path: Path) -> None:
    """Whatever lies there: a gigabyte of nothing costs no more than the limit."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(BadFile):
        files.read(path, 4096)


@tiers(FEW)
def test_passages_to_strike(count: int) -> None:
    """A line is a passage, and no line is lost: what is lost would stay readable."""
    valid = "မောင်ကျော်စွာ\r\n၅၂၈\n😀 x\n".encode()

    def whole(found: list[str], data: bytes) -> bool:
        ends = data.endswith(b"\n")
        text = "\n".join(found) + "\n" * ends
        return not any("\n" in line for line in found) and text.encode() == data.replace(
            b"\r\n", b"\n"
        ).removeprefix(b"\xef\xbb\xbf")

    Reader(
        valid=valid,
        read=passage.read,
        same=whole,
        ways=[outside(valid, b"\xef\xbb\xbf")],
        refused=(Misuse,),
        reached=["are not UTF-8"],
    ).fuzz(count)
