"""docs/RECOVERY.md as a stranger follows it: stock programs, a shell, and none of our code.

Rules:
- A small deployment is played with the project's own tools; then only its folders go on.
- The blocks run as they stand in the document (deploy/recovery.py), and every block runs here.
- What is opened lies in a folder of its own below /dev/shm, because that is what the document
  promises, and is gone afterwards; all else is below ``tmp_path``.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
import shutil
import sqlite3
import tarfile
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy import demo, recovery, steps
from deploy.recovery import Block, blocks
from intake import canonical, envelope, keyring, receipt, rows
from intake.age.passphrase import Passphrase
from intake.age.recipient import Recipient
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from intake.desk import casebook, deciding
from intake.desk.casebook import Casebook
from intake.desk.deciding import Draft
from intake.desk.present import Present
from intake.desk.state import fold
from intake.envelope import Envelope
from intake.form import Form
from intake.settings import FORM

pytestmark = pytest.mark.interop

QUORUM = " ".join(demo.REVIEWERS[:2])
# As a Burmese keyboard and an NFD system may give it; a stranger types it in NFC.
PASSPHRASE = "demo-e\u0301-က\u103a\u1037-ဗိုလ်"
NEW = "six words of the one who carries"
CANARY = "ရဲဘော်canary၇"
HOSTILE = (
    f'{CANARY}",\n"force":"police <U+202E> \\n ☠ \x1b]52;c;ZXZpbA==\x07\x7f\x9b31m \u202eevil\u2066'
    "\u2028 `id` $(id) '; DROP TABLE envelopes; -- \U000e0041 😀 é က့် ေ"
)
BURMESE = "ပြန်ရုပ်သိမ်း"
LEAST = {"consent_store": "yes", "intent": "skip", "urgency": "skip", "force": "skip"}
COMMON = "2 3 4 5"
SESSIONS = {
    "everything": f"{COMMON} 6 7 8 9 10 11a 11c 11d 12 12a 12b 13 14",
    "one reviewer": f"{COMMON} 8 11b 11c 11d 12 12a 12b 14",
    "a plugin": "2 3 15 4 5 6 7 8 9 10 11a 11b 11c 12 12a 12b 14",
}
SHOWN = re.compile(
    "[\n -~\u00c0-\u024f\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\u2010-\u2027\U0001f300-\U0001faff]*"
)


def greatest() -> dict[str, Any]:
    """Return the form filled in to its limits, as a browser sends it."""
    fields: dict[str, Any] = {}
    for question in Form.load(FORM).questions():
        if question.kind == "date":
            fields |= dict(zip(question.names(), ("2021", "2", "1"), strict=True))
        elif question.kind == "consent":
            fields[question.key] = "yes"
        elif question.kind == "text":
            fields[question.key] = "\x1b" * question.limit
        elif question.kind == "number":
            fields[question.key] = "9" * question.limit
        else:
            codes = question.codes()
            fields[question.key] = list(codes) if question.kind == "many" else codes[-1]
    return fields


SOURCES: tuple[dict[str, Any], ...] = (
    {**demo.TESTIMONY},
    {**LEAST, "account": HOSTILE},
    {**LEAST, "account": ""},
    {**greatest(), "urgency": "today"},
)


LATER = "နောက်ထပ် <စကား> \x1b[31m"
NAMED = f'{CANARY} "$(id)\n\\c` \u202egpj.../../\x1b[31m'
CONTENT = bytes(range(256)) * 125 + b"\n\0last"  # of two slices
INNER = b"\0\n" * 100_000  # of four chunks, sealed by its source
ROWS = Counter(decoy=1, foreign=2, slice=11, testimony=4, withdrawal=1, words=2)


@dataclass
class Kit:
    """What a stranger has, in folders, and what the sources had typed."""

    folder: Path
    places: dict[str, object]
    decoy: str
    foreign: list[str]
    later: list[Envelope]

    def copy(self, name: str, to: Path) -> Path:
        """Copy one of the places, to break it."""
        source, target = Path(str(self.places[name])), to / name
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
        return target


@dataclass
class Session:
    """One sitting of a stranger: what each step printed, and what lay in memory before its end."""

    said: dict[str, str] = field(default_factory=dict)
    kept: dict[str, dict[str, bytes]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    ram: Path = Path()
    erased: bool = False

    def answers(self, folder: str) -> list[dict[str, Any]]:
        """Return what the testimonies in that folder answer."""
        kept = [data for name, data in self.kept[folder].items() if name.endswith(".testimony")]
        return [json.loads(data.split(b"\n", 1)[0])["body"]["answers"] for data in kept]


@pytest.fixture(scope="module")
def age() -> Path:
    """Return an age that knows hybrid keys. Without one this fails, and says what to do."""
    return recovery.stock_age()


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """Play a deployment; keep its folders, and the passphrase."""
    folder = tmp_path_factory.mktemp("recovery")
    with pytest.MonkeyPatch.context() as patch:
        machines = {n: folder / n.lower() for n in ("SERVER", "DESK", "CEREMONY", "STICK")}
        machines["CASEBOOK"] = machines["DESK"] / "casebook"
        for name, path in {"PASSPHRASES": folder / "passphrases", **machines}.items():
            patch.setattr(demo, name, path)
        word = PASSPHRASE.removeprefix("demo-")
        patch.setattr(demo, "secrets", SimpleNamespace(token_hex=lambda _: word))
        patch.setenv("PORT", "18700")
        demo.hold_ceremony(steps.Steps())
        with demo.serving() as url:
            for source in SOURCES:
                patch.setattr(demo, "TESTIMONY", source)
                demo.send_testimony(url)
        decoy, foreign, later = plant()
        shutil.copytree(demo.SERVER / "data", folder / "image")
        demo.tool("admin", "export", demo.STICK, "--all")
        (bundle,) = demo.STICK.glob("*.bundle")
        package = demo.DESK / "packages" / period()
        book = ("--casebook", demo.CASEBOOK, "--package", package)
        demo.tool("desk", "import", bundle, *book, *demo.present(*QUORUM.split()), allow=(0, 8))
        shutil.copy(FORM, folder / "cdm.toml")
        (folder / "out").mkdir()
        line = (demo.CEREMONY / "keyring").read_bytes().split(b"\n", 1)[0]
        places = {
            "SERVER": folder / "image",
            "STICK": demo.STICK,
            "CASEBOOK": demo.CASEBOOK,
            "PEOPLE": demo.DESK / "keys",
            "PACKAGES": demo.DESK / "packages",
            "KEYRING": demo.CEREMONY / "keyring",
            "FINGERPRINT": hashlib.sha256(line).hexdigest(),
            "OPENERS": QUORUM,
            "READER": demo.REVIEWERS[0],
            "FORM": folder / "cdm.toml",
            "OUT": folder / "out",
        }
    return Kit(folder, places, decoy, foreign, later)


def period() -> str:
    """Return the period of the rows that the server made."""
    store = rows.Rows(f"sqlite:///{demo.SERVER}/data/intake.db", demo.SERVER / "data")
    (name,) = store.counts()
    return name


def plant() -> tuple[str, list[str], list[Envelope]]:
    """Add a decoy by hand, two rows that are foreign, and what came later; return their names."""
    signed = keyring.parse((demo.CEREMONY / "keyring").read_bytes())
    now = next(one for one in signed.periods if one.name == period())
    to = Recipient.parse(now.recipient)
    store = rows.Rows(f"sqlite:///{demo.SERVER}/data/intake.db", demo.SERVER / "data")
    facts = (now.first, "en", (1, bytes(32)), bytes(16), bytes(32), bytes(32))
    decoy, other, swapped = (bytes([n]) * 16 for n in (1, 2, 3))
    store.add([(decoy, envelope.seal(Envelope("decoy", *facts, {}), to))], now.name)
    store.add([(other, seal(b"\x1b[31m".ljust(envelope.PLAINTEXT), [to]))], now.name)
    later = [*came_later(now.first, to)]
    for one in later:
        store.add([(one.row, envelope.seal(one, to))], now.name)
    words = {"answers": {"account": "under a name of another"}, "form": "cdm", "version": 1}
    store.add([(swapped, envelope.seal(Envelope("testimony", *facts, words), to))], now.name)
    return decoy.hex(), [other.hex(), swapped.hex()], later


def came_later(day: date, to: Recipient) -> Iterator[Envelope]:
    """Yield what sources sent later: words and two files; and words, and the wish that they go."""

    def of(case: int, kind: str, body: object, content: bytes = b"", nonce: int = 0) -> Envelope:
        facts = (day, "my", (1, bytes(32)), bytes([case]) * 16, bytes(32), bytes([nonce]) * 32)
        return Envelope(kind, *facts, body, content)

    yield of(4, envelope.WORDS, {"words": LATER})
    for nonce, content in ((1, CONTENT), (2, seal(INNER, [to]))):
        starts = range(0, len(content), envelope.CONTENT)
        for place, at in enumerate(starts):
            piece = content[at : at + envelope.CONTENT]
            yield of(4, envelope.SLICE, {"number": place}, piece, nonce)
        digest = hashlib.sha256(content).hexdigest()
        end = {"name": NAMED, "number": len(starts), "sha256": digest, "size": len(content)}
        yield of(4, envelope.SLICE, end, nonce=nonce)
    yield of(5, envelope.WORDS, {"words": "what was withdrawn"})
    yield of(5, envelope.WITHDRAWAL, {})


def number(block: Block) -> str:
    """Return the number of the step that a block stands under."""
    return block.title.split(".")[0]


def sit(kit: Kit, age: Path, tmp_path: Path, steps: str, **places: object) -> Session:
    """Follow these steps, with these places instead of the kit's; everything is in its place."""
    document, session = blocks(), Session()
    chosen = [block for step in steps.split() for block in document if number(block) == step]
    first = sum(1 for _ in tmp_path.glob("sitting*"))
    folder = tmp_path / f"sitting{first}"
    folder.mkdir()
    path = tmp_path / f"programs{first}"
    recovery.programs(path, age)
    if "15" in steps.split():
        (path / "age-plugin-pq").symlink_to(recovery.stock_age().parent / "age-plugin-pq")
    with tempfile.TemporaryDirectory(prefix="recovery-", dir="/dev/shm") as memory:
        session.ram = Path(memory) / "ram"
        given = {**kit.places, "RAM": session.ram, **places}
        chosen = [recovery.filled(block, given) for block in chosen]
        for block, said in recovery.play(chosen, folder, path, type_in):
            session.said[number(block)] = session.said.get(number(block), "") + said
            if session.ram.exists():
                remember(session)
        session.erased = not session.ram.exists()
    return session


def type_in(asked: str) -> str:
    """Return the passphrase that a prompt wants, as the stranger types it."""
    if re.search("The passphrase of reviewer-.[:,]", asked):
        return unicodedata.normalize("NFC", PASSPHRASE)
    return NEW


def remember(session: Session) -> None:
    """Note what lies in memory now."""
    session.keys = {path.stem for path in session.ram.glob("*.key") if path.stat().st_size}
    for folder in (path for path in session.ram.iterdir() if path.is_dir()):
        session.kept[folder.name] = {path.name: path.read_bytes() for path in folder.iterdir()}


def typed() -> list[dict[str, Any]]:
    """Return what the sources answered, as their browsers sent it, in some order."""
    wanted = []
    many = {q.key for q in Form.load(FORM).questions() if q.kind == "many"}
    for source in SOURCES:
        sent = {key: value for key, value in source.items() if value and key[-5:] != "-year"}
        for key in [key for key in sent if key.endswith(("-month", "-day"))]:
            stem, _, _ = key.rpartition("-")
            date_of = [source.get(f"{stem}{part}") for part in ("-year", "-month", "-day")]
            sent[stem] = "-".join(part.zfill(2) for part in date_of if part)
            del sent[key]
        for key in many & sent.keys():
            sent[key] = [sent[key]] if isinstance(sent[key], str) else list(sent[key])
        if "unit_no" in sent:
            sent["unit_no"] = str(int(sent["unit_no"]))
        wanted.append(sent)
    return wanted


def same(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> bool:
    """Return whether both lists have the same testimonies, in any order."""
    spelled = [sorted(json.dumps(one, sort_keys=True) for one in many) for many in (left, right)]
    return spelled[0] == spelled[1]


def good(session: Session) -> bool:
    """Return whether no step said that somebody should stop."""
    return not [step for step, said in session.said.items() if step != "4" and "STOP" in said]


@pytest.fixture(scope="module")
def whole(kit: Kit, age: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Return the sitting with everything at hand."""
    return sit(kit, age, tmp_path_factory.mktemp("whole"), SESSIONS["everything"])


def test_every_block_is_run() -> None:
    run = set(" ".join(SESSIONS.values()).split())
    assert {number(block) for block in blocks()} == run
    fences = recovery.DOCUMENT.read_text(encoding="utf-8").count("```sh\n")
    assert len(blocks()) == fences > 15


def test_what_asks_for_a_passphrase_is_one_command() -> None:
    """So that the lines after it, pasted with it, are not taken as the passphrase."""
    asking = [b for b in blocks() if re.search(r"age -(p|d [^-])", b.text)]
    assert [number(block) for block in asking] == ["6", "11b", "13"]
    for block in asking:
        assert len(re.findall(r"^[^ ]", block.text, re.MULTILINE)) == 2, block


@pytest.mark.parametrize("folder", ["server", "stick", "casebook"])
def test_every_testimony_is_what_was_typed(whole: Session, folder: str) -> None:
    assert good(whole), whole.said
    assert same(whole.answers(folder), typed())


def test_each_step_says_what_the_page_promises(whole: Session, kit: Kit) -> None:
    said = whole.said
    assert "good: age " in said["3"]
    swaps = len(Path("/proc/swaps").read_text(encoding="ascii").splitlines()) - 1
    assert ["is in memory" in said["4"], "no swap" in said["4"]] == [True, not swaps]
    assert [line[:4] for line in said["5"].splitlines()] == ["good"] * 3 + ["Need"]
    assert "2 roots" in said["5"]
    assert [said["6"].count(f"good: {name}") for name in QUORUM.split()] == [1, 1]
    assert said["7"].count("good") == demo.WEEKS + 1
    assert said["8"] == ""
    assert said["9"].startswith(f"ok\n{ROWS.total()} rows in the database\n")
    for step in ("9", "10", "11c"):
        told = re.findall(r"^ +(\d+) (\w+)$", said[step], re.MULTILINE)
        without = {"decoy", "foreign"} if step == "11c" else set()
        assert {kind: int(n) for n, kind in told} == {
            kind: n for kind, n in ROWS.items() if kind not in without
        }
    recorded = re.findall(r"^[0-9a-f]{32} reviewer-[abc]$", said["11d"], re.MULTILINE)
    assert len(recorded) == ROWS["testimony"] + ROWS["words"]
    assert said["13"].splitlines()[-1] == "12"  # four, from three places
    assert said["14"] == f"good: {whole.ram} is gone\n"
    assert whole.erased
    for place in ("server", "stick"):
        kept = whole.kept[place]
        assert f"{kit.decoy}.decoy" in kept
        assert {f"{name}.foreign" for name in kit.foreign} <= kept.keys()


def test_the_words_are_shown_and_can_do_nothing(whole: Session) -> None:
    """All of it is there, in Burmese too, and no character of it acts on a terminal."""
    shown = whole.said["12"]
    assert SHOWN.fullmatch(shown)
    assert str(demo.TESTIMONY["account"])[:40] in shown
    assert "<U+003C>U+202E>" in shown
    assert len(re.findall("^=== ", shown, re.MULTILINE)) == len(SOURCES) + 1
    server = {name.partition(".")[0]: data for name, data in whole.kept["server"].items()}
    for name, data in whole.kept["text"].items():
        line = server[name[:-4]].split(b"\n", 1)[0]
        assert unspelled(data.decode()) == line.decode()


@pytest.mark.parametrize("folder", ["server", "stick", "casebook"])
def test_what_its_source_asked_to_be_deleted_is_removed(whole: Session, folder: str) -> None:
    left = [
        json.loads(data.split(b"\n", 1)[0])
        for name, data in whole.kept[folder].items()
        if name.endswith((".words", ".withdrawal"))
    ]
    assert [(one["case"], one["body"]) for one in left] == [("04" * 16, {"words": LATER})]
    assert re.findall("^withdrawn: .* case ([0-9a-f]*) ", whole.said["12"], re.MULTILINE) == [
        "05" * 16
    ]


def test_files_are_the_bytes_that_were_sent(whole: Session) -> None:
    """Also what a source sealed themselves; and its name is shown, and can do nothing."""
    shown = whole.said["12a"]
    assert SHOWN.fullmatch(shown)
    assert shown.count("good: ") == shown.count(f"{CANARY} ") == 2
    assert sorted(map(len, whole.kept["files"].values())) == [len(CONTENT), 201_707]
    assert CONTENT in whole.kept["files"].values()
    assert [*whole.kept["opened"].values()] == [INNER]
    assert "opens with a key of step 7" in whole.said["12b"]


def test_a_file_with_its_own_key_when_the_period_is_gone(
    kit: Kit, age: Path, tmp_path: Path
) -> None:
    """The casebook alone, and the archive: the desk kept the file's key in an event."""
    packages = tmp_path / "packages"
    packages.mkdir()
    shutil.copytree(Path(str(kit.places["PACKAGES"])) / "archive", packages / "archive")
    steps = f"{COMMON} 6 7 8 11a 11c 11d 12 12a 12b"
    session = sit(kit, age, tmp_path, steps, PACKAGES=packages)
    assert good(session), session.said
    assert "opens with its own key" in session.said["12b"]
    assert [*session.kept["opened"].values()] == [INNER]
    steps = steps.replace("11d ", "")
    session = sit(kit, age, tmp_path, steps, PACKAGES=packages)
    assert "STOP: " in session.said["12b"]
    assert not session.kept["opened"]


def test_a_slice_that_is_missing_is_named(kit: Kit, age: Path, tmp_path: Path) -> None:
    image = kit.copy("SERVER", tmp_path)
    gone = next(one for one in kit.later if one.content == CONTENT[: envelope.CONTENT])
    with closing(sqlite3.connect(image / "intake.db")) as database, database:
        database.execute("DELETE FROM envelopes WHERE id = ?", (gone.row,))
    session = sit(kit, age, tmp_path, f"{COMMON} 6 7 8 9 12 12a", SERVER=image)
    assert re.findall("STOP: .* slice (\\d+ of \\d+) is missing", session.said["12a"]) == ["0 of 2"]
    assert [len(data) for data in session.kept["files"].values()] == [201_707]


def unspelled(text: str) -> str:
    """Return the line that was shown, from how it was shown."""
    text = text.rstrip("\n").replace("\n    | ", "\\n").replace("\n", "")
    return re.sub(r"<U\+([0-9A-F]{4,6})>", lambda found: chr(int(found[1], 16)), text)


def test_what_is_carried_away_is_sealed_and_has_no_key(whole: Session, kit: Kit) -> None:
    carried = (Path(str(kit.places["OUT"])) / "testimonies.tar.age").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(unseal(carried, [Passphrase(NEW)]))) as inside:
        names = [name for name in inside.getnames() if "/" in name]
    wanted = [f"{folder}/{name}" for folder, kept in whole.kept.items() for name in kept]
    assert sorted(names) == sorted(wanted)
    kinds = {".testimony", ".words", ".slice", ".decoy", ".foreign"}
    assert {Path(name).suffix for name in names} == {*kinds, ".txt", ""}


def test_codes_have_words(whole: Session) -> None:
    assert 'label = "Where was your last posting?"' in whole.said["12"]
    assert 'MMR006001 = "Dawei"' in whole.said["12"]


def test_one_reviewer_reads_what_is_theirs(kit: Kit, age: Path, tmp_path: Path) -> None:
    """Each case has two of three reviewers; without a quorum, each opens those and no other."""
    opened = []
    for reader in demo.REVIEWERS:
        session = sit(kit, age, tmp_path, SESSIONS["one reviewer"], READER=reader)
        assert good(session), session.said
        assert session.keys == {"reading"}
        assert session.said["11b"].count("good") == 1
        opened.append(session.answers("casebook") if "casebook" in session.kept else [])
    assert same(list(itertools.chain(*opened)), typed() * 2)


def test_an_older_age_with_the_plugin(kit: Kit, tmp_path: Path) -> None:
    """The age on PATH, older than 1.3 on Debian 12, with the plugin and step 15."""
    found = shutil.which("age")
    old = Path(found) if found else recovery.stock_age()
    session = sit(kit, old, tmp_path, SESSIONS["a plugin"])
    session.said["3"] = ""
    assert good(session), session.said
    assert all(same(session.answers(folder), typed()) for folder in ("server", "stick", "casebook"))


def test_one_less_than_a_quorum_opens_nothing(kit: Kit, age: Path, tmp_path: Path) -> None:
    """Not even if the file is there under the one reviewer's name."""
    packages = kit.copy("PACKAGES", tmp_path)
    for package in packages.iterdir():
        shutil.copy(package / f"{QUORUM.replace(' ', '+')}.age", package / "reviewer-a.age")
    places = {"PACKAGES": packages, "OPENERS": "reviewer-a"}
    session = sit(kit, age, tmp_path, f"{COMMON} 6 7 8 9 10 12", **places)
    assert session.said["7"].count("STOP") == demo.WEEKS + 1
    assert "good" not in session.said["7"]
    assert session.keys == {"reviewer-a"}
    assert f"{ROWS.total()} closed" in session.said["9"]
    assert f"{ROWS.total()} closed" in session.said["10"]
    assert not any(session.kept.values())


@pytest.mark.parametrize("place", ["line 1", "signature", "list", "envelope", "end"])
def test_an_altered_bundle_is_found(kit: Kit, age: Path, tmp_path: Path, place: str) -> None:
    stick = kit.copy("STICK", tmp_path)
    (bundle,) = stick.glob("*.bundle")
    data = bytearray(bundle.read_bytes())
    lines = data.split(b"\n", 2)
    starts = {
        "line 1": data.index(b'"left":') + 7,
        "signature": len(lines[0]) + 1,
        "list": len(lines[0]) + len(lines[1]) + 2,
        "envelope": len(data) - 3 * envelope.SEALED + 2000,
        "end": len(data) - 1,
    }
    at = starts[place]
    data[at] = ord("7") if data[at] != ord("7") else ord("8")
    bundle.write_bytes(data)
    session = sit(kit, age, tmp_path, f"{COMMON} 6 7 8 10", STICK=stick)
    if place in {"envelope", "end"}:
        assert re.search(r"^altered: [0-9a-f]{32}$", session.said["10"], re.MULTILINE)
        assert "1 altered" in session.said["10"]
        assert len(session.kept["stick"]) == ROWS.total() - 1
    else:
        assert "STOP: " in session.said["10"]
        assert session.kept["stick"] == {}


def test_a_keyring_of_a_stranger_is_found(kit: Kit, age: Path, tmp_path: Path) -> None:
    """Another line 1 has another fingerprint and no signature; one bad signature is named."""
    theirs = kit.copy("KEYRING", tmp_path)
    data = theirs.read_bytes()
    theirs.write_bytes(data.replace(b'"demo":true', b'"demo":false', 1))
    said = sit(kit, age, tmp_path, COMMON, KEYRING=theirs).said["5"]
    assert re.findall("^(good|STOP)", said, re.MULTILINE) == ["STOP"] * 3
    last = data.rstrip(b"\n")[-1:]
    theirs.write_bytes(data.rstrip(b"\n")[:-1] + (b"0" if last != b"0" else b"1") + b"\n")
    said = sit(kit, age, tmp_path, COMMON, KEYRING=theirs).said["5"]
    assert re.findall("^(good|STOP)", said, re.MULTILINE) == ["good", "good", "STOP"]


def test_a_package_with_another_key_is_found(kit: Kit, age: Path, tmp_path: Path) -> None:
    packages = kit.copy("PACKAGES", tmp_path)
    first, second, *_ = sorted(packages.glob("2*"))
    shutil.rmtree(second)
    shutil.copytree(first, second)
    session = sit(kit, age, tmp_path, f"{COMMON} 6 7", PACKAGES=packages)
    assert re.findall("STOP: (\\S+) does not open", session.said["7"]) == [second.name]
    assert second.name not in session.keys


def test_words_that_no_reviewer_recorded_are_found(kit: Kit, age: Path, tmp_path: Path) -> None:
    """Anyone can seal to the archive, a blob and an event; nobody but a reviewer signs it."""
    casebook = kit.copy("CASEBOOK", tmp_path)
    (line, *_) = Path(str(kit.places["KEYRING"])).read_bytes().split(b"\n", 1)
    to = Recipient.parse(json.loads(line)["archive"])
    body: dict[str, Any] = {"answers": {"account": "planted"}, "form": "cdm", "version": 1}
    row = receipt.submission_id(bytes(32), canonical.dump(body)).hex()
    facts = (date.min, "en", (1, bytes(32)), bytes(16), bytes(32), bytes(32))
    words = Envelope("testimony", *facts, body).plaintext()
    name = hashlib.sha256(bytes(32) + words).hexdigest()
    blob = casebook / "blobs" / name[:2] / name
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(seal(words, [to]))
    event = canonical.dump({"what": {"blob": name, "id": row, "salt": bytes(32).hex()}})
    sealed = seal(event + b"\n" + b"0" * 128 + b"\n", [to])
    with (casebook / "chains" / "reviewer-a.desk-a").open("ab") as chain:
        chain.write(f"{len(sealed):08x}\n".encode() + sealed + b"\n")
    session = sit(kit, age, tmp_path, f"{COMMON} 6 7 8 11a 11c 11d", CASEBOOK=casebook)
    assert same(session.answers("casebook"), [*typed(), body["answers"]])
    assert re.findall("STOP: .* for (.*)", session.said["11d"]) == [row]


def test_words_that_were_recorded_otherwise_are_found(
    kit: Kit, age: Path, tmp_path: Path, whole: Session
) -> None:
    """True answers and their name, but of another case: the name does not tell, the event does."""
    casebook = kit.copy("CASEBOOK", tmp_path)
    keyring_line = Path(str(kit.places["KEYRING"])).read_bytes().split(b"\n", 1)[0]
    name, data = first_testimony(whole)
    case = json.loads(data.split(b"\n", 1)[0])["case"].encode()
    blob = casebook / "blobs" / "ff" / ("f" * 64)  # the last one, which is kept
    blob.parent.mkdir(exist_ok=True)
    to = Recipient.parse(json.loads(keyring_line)["archive"])
    blob.write_bytes(seal(data.replace(case, b"0" * 32), [to]))
    said = sit(kit, age, tmp_path, f"{COMMON} 6 7 8 11a 11c 11d", CASEBOOK=casebook).said["11d"]
    assert re.findall("STOP: .* for (.*)", said) == [name.removesuffix(".testimony")]


def test_words_that_were_withdrawn_are_named_and_then_gone(
    kit: Kit, age: Path, tmp_path: Path, whole: Session
) -> None:
    """One reviewer says so: they are not shown. Two: they are not there. Sealed again: once."""
    folder = kit.copy("CASEBOOK", tmp_path)
    row, data = first_testimony(whole)
    tag = bytes.fromhex(json.loads(data.split(b"\n", 1)[0])["case"])
    book = casebook.load(folder)
    people = {name: reviewer(kit, book, name) for name in demo.REVIEWERS}
    states = {name: fold(book.chains(who.quarters())) for name, who in people.items()}
    both = {name for name, state in states.items() if tag in state.cases}
    # Which two of three have a case is drawn: of these two, one at least has another.
    first, other = next(
        (name, one.tag)
        for name in sorted(both)
        for one in states[name].cases.values()
        if one.received[0].kind == "testimony" and one.tag != tag
    )
    (second,) = both - {first}
    others = tuple(sorted(demo.REVIEWERS[1:]))
    deciding.write(book, [Draft(tag, "withdrawn", {"note": BURMESE})], people[first])
    deciding.write(book, [Draft(other, "assigned", {"assigned": others})], people[first])
    said, kept = read_again(kit, age, tmp_path, folder)
    assert "5 testimony" in said["11c"]
    assert re.findall("the source of (\\w+) withdrew", said["11d"]) == [row[:32]]
    assert of_testimonies(kept) == of_testimonies(whole.kept["casebook"]) - {row}
    deciding.write(book, [Draft(tag, "withdrawn", {"note": ""})], people[second])
    said, kept = read_again(kit, age, tmp_path, folder)
    assert "1 emptied" in said["11c"]
    assert "STOP" not in said["11d"]
    assert of_testimonies(kept) == of_testimonies(whole.kept["casebook"]) - {row}


def test_what_reviewers_answered_is_shown(kit: Kit, age: Path, tmp_path: Path) -> None:
    folder = kit.copy("CASEBOOK", tmp_path)
    book, tag = casebook.load(folder), bytes([4]) * 16
    people = [reviewer(kit, book, name) for name in demo.REVIEWERS]
    who = next(one for one in people if tag in fold(book.chains(one.quarters())).cases)
    for number, note in enumerate((BURMESE, 'a "kind":"withdrawn" \u202e\nb')):
        answer = {"id": bytes([number] * 16).hex(), "note": note}
        deciding.write(book, [Draft(tag, "replied", answer)], who)
    steps = f"{COMMON} 6 7 8 11a 11c 11d 12"
    session = sit(kit, age, tmp_path, steps, CASEBOOK=folder)
    assert good(session), session.said
    told = session.kept["text"]["answers.txt"].decode()
    assert SHOWN.fullmatch(told)
    assert re.findall('"case":"(.*)"', told) == [tag.hex()] * 2
    assert BURMESE in told
    assert r'"note":"a \"kind\":\"withdrawn\" <U+202E>' + '\n    | b"' in told


def test_a_file_that_was_withdrawn_is_removed(kit: Kit, age: Path, tmp_path: Path) -> None:
    folder = kit.copy("CASEBOOK", tmp_path)
    book, tag = casebook.load(folder), bytes([4]) * 16
    people = [reviewer(kit, book, name) for name in demo.REVIEWERS]
    who = next(one for one in people if tag in fold(book.chains(one.quarters())).cases)
    deciding.write(book, [Draft(tag, "withdrawn", {"note": ""})], who)
    said, kept = read_again(kit, age, tmp_path, folder)
    (words,) = (one.row.hex() for one in kit.later if one.case == tag and one.kind == "words")
    assert re.findall("the source of (\\w+) withdrew", said["11d"]) == [words]
    assert {Path(name).suffix for name in kept} == {".testimony", ".words", ".withdrawal"}
    assert f"{words}.words" not in kept


def first_testimony(session: Session) -> tuple[str, bytes]:
    """Return name and bytes of one of the casebook."""
    kept = session.kept["casebook"]
    name = min(of_testimonies(kept))
    return name, kept[name]


def of_testimonies(kept: dict[str, bytes]) -> set[str]:
    """Return the names of the testimonies."""
    return {name for name in kept if name.endswith(".testimony")}


def reviewer(kit: Kit, book: Casebook, name: str) -> Present:
    """Return a reviewer of the kit, with keys and passphrase."""
    found = book.keyring.reviewer(name)
    assert found is not None
    return Present(Path(str(kit.places["PEOPLE"])) / name, found, Passphrase(PASSPHRASE))


def read_again(
    kit: Kit, age: Path, tmp_path: Path, folder: Path
) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return what a sitting over a changed casebook says, and which words it has."""
    session = sit(kit, age, tmp_path, f"{COMMON} 6 7 8 11a 11c 11d", CASEBOOK=folder)
    return session.said, session.kept["casebook"]


def test_what_stands_in_a_database_is_no_command(kit: Kit, age: Path, tmp_path: Path) -> None:
    """Whoever took the server wrote into it; a hostile name of a period reaches no shell or SQL."""
    image = kit.copy("SERVER", tmp_path)
    attack = f"00';SELECT/**/writefile('{tmp_path}/hit','x');--"
    hostile = f"{attack}\n{attack} $(echo>{tmp_path}/hit)\n{attack}"
    with closing(sqlite3.connect(image / "intake.db")) as database, database:
        database.execute("INSERT INTO envelopes VALUES (?, ?, ?)", (b"'; x" * 4, hostile, b"x"))
    session = sit(kit, age, tmp_path, f"{COMMON} 6 7 8 9", SERVER=image)
    assert f"{ROWS.total() + 1} rows in the database" in session.said["9"]
    assert "4 testimony" in session.said["9"]
    assert not (tmp_path / "hit").exists()


def test_an_image_from_the_middle_of_a_write_is_whole(kit: Kit, age: Path, tmp_path: Path) -> None:
    """What the journal undoes is undone on the copy; the image stays as it was taken."""
    live = kit.copy("SERVER", tmp_path)
    image = tmp_path / "taken"
    with closing(sqlite3.connect(live / "intake.db", isolation_level=None)) as database:
        for line in ("PRAGMA journal_mode=TRUNCATE", "PRAGMA cache_size=1", "BEGIN"):
            database.execute(line)
        database.execute("UPDATE envelopes SET sealed = zeroblob(34427)")
        shutil.copytree(live, image)
    assert (image / "intake.db-journal").stat().st_size > envelope.SEALED
    before = {path: path.read_bytes() for path in image.iterdir()}
    session = sit(kit, age, tmp_path, f"{COMMON} 6 7 8 9", SERVER=image)
    assert same(session.answers("server"), typed())
    assert {path: path.read_bytes() for path in image.iterdir()} == before


def test_an_age_that_is_too_old_is_named(
    kit: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "age"
    old.write_text("#!/bin/sh\necho 1.1.1\n")
    old.chmod(0o755)
    said = sit(kit, old, tmp_path, "2 3").said["3"]
    assert "STOP: age 1.1.1 is too old. Take 1.3 or later, or see step 15." in said
    monkeypatch.setenv("STOCK_AGE", str(old))
    with pytest.raises(recovery.NoAge, match="make peers"):
        recovery.stock_age()


def test_no_program_of_ours_is_at_hand(age: Path, tmp_path: Path) -> None:
    """The programs are those that step 3 asks for: neither Python nor Node, and no way to us."""
    path = recovery.programs(tmp_path / "programs", age)
    names = {program.name for program in path.iterdir()}
    assert {"age", "sqlite3", "openssl", "awk"} <= names
    assert not {name for name in names if re.match("python|node|perl|sh$", name)}
    probe = Block("probe", "python3 -c 1; command -v python3 node intake; printf '%s\\n' *\n")
    (tmp_path / "empty").mkdir()
    ((_, said),) = recovery.play([probe], tmp_path / "empty", path, type_in)
    assert "python3: not found" in said
    assert said.splitlines()[1:] == ["0.sh", "all.sh"]
    assert not [
        block for block in blocks() if re.search(r"python|intake\.[^d]|\bmake\b", block.text)
    ]
