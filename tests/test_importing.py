"""An import on all cores: what it finds, and what is left of it whatever ends it.

Rules:
- The same bundle has some of everything: words, decoys, damage in the middle, foreign envelopes.
- Whatever ended an import, running it again comes to the same casebook as one that nothing ended.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from intake import days
from intake.age.sealing import seal
from intake.bundle import Entry
from intake.desk import casebook, cores, importing, judging, staging
from intake.desk.present import Present, arrive
from intake.desk.record import blob_path
from intake.desk.state import ALTERED, CLOSED, FOREIGN, HERE, MISSING, OK
from intake.envelope import SEALED
from intake.errors import MachineTrouble
from intake.terminal import Passphrases
from tests.desk_maker import ANSWERS, PERIOD, Desk, Sealed, deployment, sealed_row
from tests.makers import FIRST

ROOT = Path(__file__).resolve().parent.parent
ALL = ("alice", "bob", "carol")
ACCOUNTS = ("ရွာကို မီးရှို့ခိုင်းတယ်။", "ဗမာစာ 🙏🏽", "", "က" * 2000, "ေရြးခ်ယ္", "\u202e\x1b[31m")
COUNT = 150  # honest ones
WORDS = [n for n in range(COUNT) if n % 5]
Watch = Callable[[Iterable[importing.Item], int], Iterable[importing.Item]]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    return Desk(tmp_path / "desk")


def honest(period: str = PERIOD) -> list[Sealed]:
    """Return rows of words of every kind, every fifth a decoy: by turns proven, and not empty."""
    return [
        sealed_row(
            f"row {n}",
            {**ANSWERS, "account": ACCOUNTS[n % len(ACCOUNTS)]},
            period=period,
            kind="testimony" if n in WORDS else "decoy",
            body=None if n % 10 else {},
        )
        for n in range(COUNT)
    ]


def bad(desk: Desk) -> list[Sealed]:
    """Return rows that do not open, are no envelopes, or have the id of other words."""
    noise = seal(b"no envelope".ljust(32_768), [desk.made.periods[PERIOD].recipient()])
    other = sealed_row("other words")
    return [
        sealed_row("foreign", made=deployment("other")),
        named(b"\x20" * 16, bytes(SEALED)),
        named(b"\x80" * 16, noise),
        named(b"\x40" * 16, other.sealed),
    ]


def named(row: bytes, sealed: bytes) -> Sealed:
    return Sealed(Entry(row, hashlib.sha256(sealed).digest()), sealed, b"", b"")


def damaged(path: Path, row: Sealed) -> None:
    """Flip a byte of a row in a bundle, and cut off the end of the last one."""
    data = bytearray(path.read_bytes())
    data[data.index(row.sealed) + 20_000] ^= 1
    path.write_bytes(data[:-100])


def present(desk: Desk) -> list[Present]:
    keyring = casebook.load(desk.casebook).keyring
    people = [desk.keys(name) for name in ("alice", "bob")]
    return arrive(people, keyring, Passphrases(desk.root / "demo"))


def bring(desk: Desk, path: Path, watch: Watch = lambda items, _: items) -> importing.Result:
    book = casebook.load(desk.casebook)
    return importing.run(book, path, desk.root / PERIOD, present(desk), watch)


def said(desk: Desk) -> dict[str, object]:
    """Return all that the casebook says, but for what is drawn anew each time: salts and names."""
    state = desk.state(*ALL)
    assert not state.faults
    held = {bytes.fromhex(p.name) for p in (desk.casebook / "blobs").rglob("*") if p.is_file()}
    assert held == {row.blob for row in state.rows.values() if row.blob}
    assert not (desk.casebook / "importing").exists()
    assert not list((desk.casebook / "new").iterdir())
    for case in state.cases.values():
        assert [blob_path(desk.casebook, item.blob).stat().st_size > 0 for item in case.received]
    return {
        "rows": {row.id: (row.sha256, row.verdict, bool(row.blob)) for row in state.rows.values()},
        "cases": {
            tag: (case.assigned, [(item.id, item.kind, item.assigned) for item in case.received])
            for tag, case in state.cases.items()
        },
        "assigned": state.assigned,
        "bundles": state.bundles,
    }


def test_all_cores_find_what_one_finds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    good = sorted(honest(), key=lambda row: row.entry.id)
    path, _ = desk.bundle([*good, *bad(desk)])
    assert path.read_bytes().endswith(good[-1].sealed)
    damaged(path, good[50])
    counts, found = [], []
    for count in (1, 2):
        shutil.rmtree(desk.casebook)
        casebook.create(desk.casebook, desk.made.raw, desk.name)
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        workers: set[int | None] = set()
        result = bring(desk, path, watching(workers))
        assert len(workers) == (count if count > 1 else 0)
        counts.append(result.counts)
        found.append(said(desk))
    assert found[0] == found[1]
    assert counts[0] == counts[1]
    expected = {ALTERED: 1, MISSING: 1, OK: COUNT - 2, CLOSED: 2, FOREIGN: 2}
    assert {name: counts[0][name] for name in expected} == expected
    assert {row.entry.id for row in good} - desk.state(*ALL).rows.keys() == {
        good[n].entry.id for n in (50, -1)
    }


@pytest.mark.parametrize("shift", [1, -1, 40_000])
def test_rows_that_are_not_in_their_places_are_found(desk: Desk, shift: int) -> None:
    """Bytes came in between, or went, in the middle or before all of them."""
    good = sorted(honest(), key=lambda row: row.entry.id)
    path, _ = desk.bundle(good)
    data = path.read_bytes()
    at = data.index(good[100].sealed)
    path.write_bytes(data[:at] + b"x" * shift + data[at - min(shift, 0) :])
    counts = bring(desk, path).counts
    assert counts[OK] == 100
    assert counts[ALTERED] + counts[MISSING] == 50
    path.write_bytes(data[:at] + data[at : at + SEALED] + data[at:])
    counts = bring(desk, path).counts
    assert (counts[OK], counts[HERE], counts["doubled"]) == (50, 100, 1)
    said(desk)


def test_what_is_too_much_in_a_file_is_counted(desk: Desk) -> None:
    good = sorted(honest(), key=lambda row: row.entry.id)
    path, _ = desk.bundle(good)
    data = path.read_bytes()
    path.write_bytes(data + good[3].sealed + b"x" * 7)
    counts = bring(desk, path).counts
    assert (counts[OK], counts["doubled"], counts["stray"]) == (COUNT, 1, 7)
    # Of a row that is here, another one has taken the place.
    path.write_bytes(data.replace(good[4].sealed, good[5].sealed))
    counts = bring(desk, path).counts
    assert (counts[HERE], counts["doubled"], counts["stray"]) == (COUNT, 1, 0)
    said(desk)


def watching(workers: set[int | None]) -> Watch:
    def watch(items: Iterable[importing.Item], _: int) -> Iterator[importing.Item]:
        for item in items:
            workers.update(worker.pid for worker in multiprocessing.active_children())
            yield item

    return watch


def test_what_came_before_is_known_to_every_worker(desk: Desk) -> None:
    """A case keeps its reviewers, and words that came in another period are here already."""
    path, first = desk.bundle(honest())
    bring(desk, path)
    before = said(desk)
    later = honest("2026-w48")
    again = [later[n] for n in WORDS]
    new = [sealed_row(f"row {n}", {**ANSWERS, "unit_no": "25"}, period="2026-w48") for n in WORDS]
    path, _ = desk.bundle([*again, *new], 2, previous=first, period="2026-w48")
    result = importing.run(
        casebook.load(desk.casebook), path, desk.root / "2026-w48", present(desk)
    )
    assert result.counts["here"] == len(again)
    assert result.counts["ok"] == len(new)
    after = said(desk)
    for row in new:
        people, items = after["cases"][row.case]  # type: ignore[index]
        assert len(items) == 2
        assert {for_whom for _, _, for_whom in items} == {people}
        assert people == before["cases"][row.case][0]  # type: ignore[index]


def test_a_worker_that_is_killed_costs_nothing(desk: Desk) -> None:
    path, _ = desk.bundle(honest())

    def watch(items: Iterable[importing.Item], _: int) -> Iterator[importing.Item]:
        for number, item in enumerate(items):
            if number == 140:
                for worker in multiprocessing.active_children():
                    os.kill(worker.pid or 0, signal.SIGKILL)
            yield item

    with pytest.raises(MachineTrouble, match="memory"):
        bring(desk, path, watch)
    assert not list((desk.casebook / "new").iterdir())
    bring(desk, path)
    assert {row.entry.id for row in honest()} == desk.state(*ALL).rows.keys()
    said(desk)


def test_keys_are_in_no_file_and_on_no_command_line(desk: Desk) -> None:
    path, _ = desk.bundle(honest())
    keys = [desk.made.periods[PERIOD]]
    keys += [key for own in desk.made.reviewers.values() for key in own.quarters.values()]
    secrets = [key.encode().encode() for key in keys] + [key.seed for key in keys]
    secrets += [key.seed.hex().encode() for key in keys]
    looked = Counter[str]()

    def watch(items: Iterable[importing.Item], _: int) -> Iterator[importing.Item]:
        for number, item in enumerate(items):
            if number == 130:
                places = [path for path in desk.root.rglob("*") if path.is_file()]
                for worker in multiprocessing.active_children():
                    own = Path(f"/proc/{worker.pid}")
                    places += [own / "cmdline", own / "environ"]
                for place in places:
                    data = place.read_bytes()
                    looked[place.name] += 1
                    assert not any(secret in data for secret in secrets), place
            yield item

    bring(desk, path, watch)
    assert looked["cmdline"] == looked["environ"] == 2


# Killed, stopped, or out of room: in a process of its own.
TOOL = """
import os, signal, sys
from pathlib import Path
from deploy import at_day
from tests.makers import FIRST
at_day.hang(FIRST)
from intake import terminal
from intake.desk import importing
from intake.desk.__main__ import build
os.cpu_count = lambda: 2
importing.BATCH = 32
if __name__ == "__main__":
    kill, rename, count = int(sys.argv.pop(1)), Path.rename, 0
    def killing(path, target):
        global count
        if count == kill:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        return rename(path, target)
    Path.rename = killing
    terminal.run(build)
"""


def tool(
    desk: Desk, path: Path, kill: int = -1, first: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    """Start an import; kill it before its file number ``kill`` gets a name."""
    words = ["--demo-passphrases", desk.root / "demo", "import", path, "--casebook", desk.casebook]
    words += ["--package", desk.root / PERIOD, *desk.here("alice"), *desk.here("bob")]
    return subprocess.Popen(
        [sys.executable, "-c", TOOL, str(kill), *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=first,  # noqa: PLW1509 - it sets a limit, and nothing more
    )


# Of a batch of 32, the note is the first file that gets its name; blobs follow.
@pytest.mark.slow
@pytest.mark.parametrize("kill", [0, 1, 20, 27, 40, 80, 120])
def test_an_import_that_is_killed_goes_on(desk: Desk, kill: int) -> None:
    path, _ = desk.bundle(honest())
    process = tool(desk, path, kill)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    _, text = (again := tool(desk, path)).communicate(timeout=60)
    assert again.returncode == 0, text
    assert {row.entry.id for row in honest()} == desk.state(*ALL).rows.keys()
    whole = said(desk)
    shutil.rmtree(desk.casebook)
    casebook.create(desk.casebook, desk.made.raw, desk.name)
    bring(desk, path)
    assert whole == said(desk)


def test_ctrl_c_ends_it_and_it_goes_on(desk: Desk) -> None:
    path, _ = desk.bundle(honest())
    process = tool(desk, path)
    new, deadline = desk.casebook / "new", time.monotonic() + 60
    while not (new.exists() and any(new.iterdir())):  # workers are at it
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all of them
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130
    assert text == "Stopped. Nothing was half written; run it again.\n"
    assert not list(new.iterdir())
    bring(desk, path)
    assert {row.entry.id for row in honest()} == desk.state(*ALL).rows.keys()
    said(desk)


# Room for the blobs of some rows, or for blobs and not for the chain.
@pytest.mark.parametrize("size", [20_000, 60_000])
def test_a_disk_that_takes_no_more_is_named_and_it_goes_on(desk: Desk, size: int) -> None:
    path, _ = desk.bundle(honest())
    process = tool(
        desk, path, first=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    )
    _, text = process.communicate(timeout=60)
    assert process.returncode == MachineTrouble.exit, text
    assert "file too large" in text
    assert "Nothing was half written; run it again." in text
    assert not list((desk.casebook / "new").iterdir())
    bring(desk, path)
    assert {row.entry.id for row in honest()} == desk.state(*ALL).rows.keys()
    said(desk)


FULL = """
import sys
from pathlib import Path
import os, shutil, pytest
os.cpu_count = lambda: 2
from intake import days
from tests import test_importing as t
from tests.desk_maker import Desk
from tests.makers import FIRST
if __name__ == "__main__":
    days.clock = lambda: FIRST
    t.importing.BATCH = 32
    root = Path(sys.argv[1])
    ballast = root / "ballast"
    made = Desk(root / "desk")
    path, _ = made.bundle(t.honest())
    free = shutil.disk_usage(root).free
    ballast.write_bytes(bytes(free - int(sys.argv[2])))
    with pytest.raises(t.MachineTrouble, match="no space left"):
        t.bring(made, path)
    assert not list((made.casebook / "new").iterdir())
    some = made.state(*t.ALL)
    assert not some.faults
    ballast.unlink()
    t.bring(made, path)
    assert {row.entry.id for row in t.honest()} == made.state(*t.ALL).rows.keys()
    t.said(made)
    print("recorded before it was full:", len(some.rows))
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="root mounts a tmpfs")
@pytest.mark.parametrize("room", [300_000, 4_000_000])
def test_a_disk_that_is_really_full(tmp_path: Path, room: int) -> None:
    script = f'mount -t tmpfs -o size=32m none "$0" && exec "{sys.executable}" -c "$1" "$0" {room}'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, str(tmp_path), FULL],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    recorded = int(done.stdout.split("full:")[1])
    assert recorded % 32 == 0  # whole batches
    assert recorded == 0 or room > 1_000_000


def test_a_row_that_is_here_is_not_opened_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = honest()[:10]
    bring(desk, desk.bundle(rows)[0])
    monkeypatch.setattr(judging, "unseal", lambda *_: pytest.fail("opened"))
    words = [row for row in rows if desk.state(*ALL).rows[row.entry.id].blob]
    path, _ = desk.bundle(words, left=1)
    assert bring(desk, path).counts["here"] == len(words)


def test_a_blob_is_written_whole_however_little_the_system_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = [(bytes([n]) * 32, os.urandom(38_000)) for n in range(3)]
    staging.clear(tmp_path)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:1000]))
    staging.stage(tmp_path, blobs)
    for name, sealed in blobs:
        assert (tmp_path / "new" / name.hex()).read_bytes() == sealed


def test_bytes_are_on_the_disk_before_they_have_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the names, before anything is said of them."""
    blobs = [(hashlib.sha256(bytes([n])).digest(), os.urandom(38_000)) for n in range(3)]
    names = {name.hex() for name, _ in blobs}
    (tmp_path / "blobs").mkdir()
    staging.clear(tmp_path)
    trace: list[tuple[str, str]] = []
    sync, rename = os.fsync, Path.rename

    def synced(file: int) -> None:
        trace.append(("sync", Path(f"/proc/self/fd/{file}").readlink().name))
        sync(file)

    def renamed(path: Path, target: Path) -> Path:
        trace.append(("name", target.name))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    staging.stage(tmp_path, blobs)
    assert set(trace) == {("sync", name) for name in names}
    trace.clear()
    staging.settle(tmp_path, [name for name, _ in blobs])
    assert set(trace[:3]) == {("name", name) for name in names}
    assert set(trace[3:]) == {("sync", name) for name in {"blobs", *(n[:2] for n in names)}}


def test_a_piece_is_smaller_than_a_batch() -> None:
    """Else what is written waits for what is judged."""
    assert 2 * cores.PIECE <= importing.BATCH
