"""A flood on a small disk: files stop first, then words; what was accepted stays, and gets out.

Rules:
- The disk is a real one, small and filled: a tmpfs that root mounts where nobody else sees it.
- A source is told the truth: what was not stored is called so, and what was is there and opens.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from intake.admin import exporting, maintaining, status
from intake.admin.fresh import Fresh
from intake.age.unsealing import unseal
from intake.bundle.reading import open_bundle
from intake.envelope import CONTENT, SEALED
from intake.errors import Misuse, NoRoom
from intake.rows import Rows
from intake.server.spool import Spool
from intake.settings import ROOT, Settings
from intake.store import Store
from intake.terminal import progress
from intake.wording import OFFERED, Wording
from tests.leaks.test_decoys import copy, hold
from tests.mutants import Mutant
from tests.mutants.capacity import CAPS, MAINTENANCE
from tests.site_maker import ORIGIN, Site, make_site, submit
from tests.upload_maker import DIGITS, KIND, body, file, files, first

ROOM = 8  # MiB that files leave to words, on a disk of DISK
DISK = 48  # MiB
WORDS = "ရှေ့တန်းက ထွက်ခဲ့တာ"  # each with a number behind it
FULL = "There is no room for files just now. This one was not stored, nor what came after it. "
FULL += "Words are still taken."
NOT_NOW = "It could not be stored just now. Nothing was stored."


def small(folder: Path) -> Site:
    """Return a site that leaves little to words."""
    site = make_site(folder)
    return replace(site, settings=replace(site.settings, room_mb=ROOM))


def write(client: FlaskClient, number: int) -> tuple[int, str]:
    """Send words; return the status, and the page."""
    answer = submit(client, "/en", account=f"{WORDS} {number}")
    return answer.status_code, answer.text


def upload(client: FlaskClient, language: str, *sizes: int) -> tuple[int, str]:
    """Send files of these sizes; return the status, and the page."""
    start = "" if language == OFFERED[0] else f"/{language}"
    parts = [file(f"ဓာတ်ပုံ {n}", os.urandom(size)) for n, size in enumerate(sizes)]
    answer = client.post(
        f"{start}/file", data=body(first(), *parts), content_type=KIND, headers=ORIGIN
    )
    return answer.status_code, answer.text


def accounts(site: Site, sealed: list[bytes]) -> set[str]:
    """Open rows as the desk does; return the words in them."""
    identities = list(site.made.periods.values())
    opened = [json.loads(unseal(each, identities).partition(b"\n")[0]) for each in sealed]
    return {one["body"]["answers"]["account"] for one in opened if one["kind"] == "testimony"}


def carried(site: Site, stick: Path) -> list[bytes]:
    """Export all; return the envelopes in the bundles."""
    found: list[bytes] = []
    for made in exporting.Export(site.settings, stick, progress).run(everything=True):
        with open_bundle(made.path, site.made.keyring.bundle_key, site.made.deployment) as opened:
            found += [sealed for _, sealed, verdict in opened if sealed and verdict == "ok"]
    return found


@contextmanager
def stalled(site: Site, many: int = 4) -> Iterator[int]:
    """Hold spools that take all that spools may, by turns; yield how many bytes that is."""
    check = partial(site.store.check_room, site.settings.kept.spools)
    row = bytes(16), bytes(SEALED)
    with ExitStack() as stack:
        spools = [
            stack.enter_context(Spool.within(site.settings.data, lambda *_: row, check))
            for _ in range(many)
        ]
        try:
            while True:
                for each in spools:
                    each.take(bytes(CONTENT))
        except NoRoom:
            yield sum(each.size for each in spools)


def flood(folder: Path, stick: Path) -> None:
    """Fill the small disk that is mounted at ``folder``; assert what is promised of it."""
    site = small(folder)
    settings, store, client = site.settings, site.store, site.client()
    kept, free = settings.kept, store.left()
    sent = {f"{WORDS} {n}" for n in range(5)}
    assert {write(client, n)[0] for n in range(5)} == {200}

    # Whoever stalls with a file on its way takes nothing from words, however many they are.
    with stalled(site) as spooled:
        assert spooled > (free - kept.spools) / 2
        assert kept.files < store.left() <= kept.spools
        assert upload(client, "en", 1 << 10)[0] == 503
        assert write(client, 5)[0] == 200
    sent.add(f"{WORDS} 5")

    # Files, until they are refused: by a sentence in each language, and nothing of them is stored.
    stored = 0
    while (answer := upload(client, "en", 1 << 20))[0] == 200:
        stored += 1
    assert stored > 3
    assert (answer[0], FULL in answer[1]) == (503, True)
    before = store.counts().total()
    for language in OFFERED:
        code, page = upload(client, language, 1 << 20)
        assert (code, Wording.load(language).text(FULL) in page) == (503, True)
    assert (store.counts().total(), len(files(site))) == (before, stored)
    assert kept.files < store.left() < kept.spools + (4 << 20)

    # Words, until they are refused: they come back in the form. A mailbox opens all the same.
    number, refused = until_refused(client, sent, 6)
    assert number > 60
    assert (NOT_NOW in refused, f"{WORDS} {number}" in refused) == (True, True)
    assert kept.maintenance < store.left() <= kept.words
    assert store.counts().total() == before + number - 6
    assert status.look(settings)["room"] == status.ROOM[1]
    assert client.post("/en/back", data={"receipt": DIGITS}, headers=ORIGIN).status_code == 200

    # Maintenance has its room, and so has an export: all that was accepted gets out, and opens.
    assert maintaining.maintain(settings)
    found = carried(site, stick)
    assert len(found) == store.counts().total()
    assert accounts(site, found) == sent
    assert len(files(site)) == stored

    # What maintenance has written of its second file counts as its own: words are still taken.
    follow, meanwhile = Fresh.follow, list[int]()
    for period in store.counts():
        store.remove([row for row, _ in store.page(period, b"", 10_000)][:8])
    assert maintaining.maintain(settings)

    def following(second: Fresh, rows: Rows) -> None:
        meanwhile.append(write(client, 1000)[0])
        follow(second, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fresh, "follow", following)
        assert maintaining.maintain(settings)
    assert meanwhile == [200]

    # What is deleted gives its room back when maintenance has run, and not before.
    number, _ = until_refused(client, sent, 2000)
    for period in store.counts():
        store.remove([row for row, _ in store.page(period, b"", 10_000)][:500])
    assert write(client, number)[0] == 503
    assert maintaining.maintain(settings)
    assert write(client, number)[0] == 200
    assert upload(client, "en", 1 << 20)[0] == 200


def until_refused(client: FlaskClient, sent: set[str], number: int) -> tuple[int, str]:
    """Send words until they are refused; return the number of those, and the page."""
    while (answer := write(client, number))[0] == 200:
        sent.add(f"{WORDS} {number}")
        number += 1
    assert answer[0] == 503
    return number, answer[1]


SCRIPT = "import sys; from pathlib import Path; from tests.test_capacity import flood; "
SCRIPT += "flood(*map(Path, sys.argv[1:]))"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="root mounts a tmpfs")
def test_a_flood_takes_no_room_from_words_nor_from_maintenance(tmp_path: Path) -> None:
    disk, stick = tmp_path / "disk", tmp_path / "stick"
    disk.mkdir()
    stick.mkdir()
    mount = f'mount -t tmpfs -o size={DISK}m none "$1" && exec "$0" -c "$3" "$1" "$2"'
    shell = ["unshare", "--mount", "sh", "-c", mount]
    command = [*shell, sys.executable, str(disk), str(stick), SCRIPT]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"root may not mount here: {done.stderr}")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that leaves little to words."""
    return small(tmp_path)


def free(site: Site, patch: pytest.MonkeyPatch, left: int) -> None:
    """Let the disk have so much left that this stays beside a second file."""
    real = shutil.disk_usage(site.settings.data)
    size = (site.settings.data / "intake.db").stat().st_size
    patch.setattr(shutil, "disk_usage", lambda _: real._replace(free=left + size))


def test_each_stops_at_its_own_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, client = site.settings.kept, site.client()
    assert write(client, 0)[0] == 200
    for left, words, spools in (
        (kept.words, 503, 503),
        (kept.words + 1, 200, 503),
        (kept.spools, 200, 503),
        (kept.spools + 1, 200, 200),
    ):
        free(site, monkeypatch, left)
        assert write(client, left)[0] == words
        free(site, monkeypatch, left)
        assert upload(client, "en", 9)[0] == spools


def test_a_file_that_was_taken_in_may_still_be_refused_by_the_store(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of its rows, too: then none of them is there."""
    rows, check = iter(range(1 << 20)), Store.check_room

    def fill(store: Store, kept: int) -> None:
        if kept == site.settings.kept.files and next(rows) == 2:
            free(site, monkeypatch, kept)
        check(store, kept)

    monkeypatch.setattr(Store, "check_room", fill)
    code, page = upload(site.client(), "en", 5 * CONTENT)
    assert (code, FULL in page) == (503, True)
    assert next(rows) == 3
    assert site.store.counts().total() == 0


def test_files_that_were_stored_before_there_was_no_room_are_said_to_be(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, check = iter(range(1 << 20)), Store.check_room

    def fill(store: Store, kept: int) -> None:
        if kept == site.settings.kept.files and next(rows) == 1:  # the last row of the first file
            check(store, kept)
            free(site, monkeypatch, site.settings.kept.spools)
        else:
            check(store, kept)

    monkeypatch.setattr(Store, "check_room", fill)
    code, page = upload(site.client(), "en", 9, 10, 11)
    assert (code, FULL in page) == (503, True)
    assert "Files that are sealed and stored: 1" in page
    assert [len(data) for _, data in files(site)] == [9]


def test_without_caps_a_disk_may_be_filled_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(tmp_path)
    site = replace(site, settings=replace(site.settings, room_mb=0))
    free(site, monkeypatch, -(1 << 40))
    client = site.client()
    assert (write(client, 0)[0], upload(client, "en", 9)[0]) == (200, 200)


def test_the_room_of_a_store_elsewhere_is_the_less_of_both(tmp_path: Path) -> None:
    """And of one that is no file of ours, what the folder has."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    store = Rows(f"sqlite:///{elsewhere / 'intake.db'}", tmp_path)
    store.create()
    size = (elsewhere / "intake.db").stat().st_size
    places = {tmp_path: 300_000, elsewhere: 200_000}
    real = shutil.disk_usage(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: real._replace(free=places[Path(path)]))
        assert store.left() == 200_000 - size
        places[tmp_path] = 100_000
        assert store.left() == 100_000 - size
        half = elsewhere / ".intake.db.0a0a0a0a.partial"
        half.write_bytes(bytes(1 << 16))
        assert store.left() == 100_000 - size + (1 << 16)
        other = SimpleNamespace(name="postgresql")
        patch.setattr(store, "_engine", SimpleNamespace(dialect=other))
        assert store.left() == 100_000


@pytest.mark.parametrize("typed", ["", "-1", "1.5", "1048576"])
def test_the_setting_is_a_number(typed: str) -> None:
    with pytest.raises(Misuse, match="INTAKE_ROOM_MB"):
        Settings.from_environment({"INTAKE_ROOM_MB": typed})


def test_each_leaves_more_than_the_one_before() -> None:
    kept = Settings.from_environment({}).kept
    assert 0 < kept.maintenance < kept.words < kept.files < kept.spools
    assert kept.files - kept.words == 1 << 30
    most = 25 << 20  # bytes of a file, twice: in the store, and in tonight's second file
    assert kept.spools - kept.files > 2 * most * 1.2
    assert set(Settings.from_environment({"INTAKE_ROOM_MB": "0"}).kept) == {0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "mutant"),
    [
        *(pytest.param("test_maintaining", each, id=name) for name, each in MAINTENANCE.items()),
        *(pytest.param("test_capacity", each, id=name) for name, each in CAPS.items()),
    ],
)
def test_a_breakage_is_caught(module: str, mutant: Mutant, tmp_path: Path) -> None:
    mutant.apply(broken := copy(tmp_path))
    name = f"tests/{module}.py::test_{mutant.caught_by}"
    done = hold(broken, name)
    assert done.returncode == 1, done.stdout
    assert f"FAILED {name}" in done.stdout, done.stdout


@pytest.mark.slow
def test_the_bench_of_the_store_holds_its_bounds(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "deploy/bench_store.py", "--rows", "10000", "--folder", tmp_path],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("holds") == 3
    assert list(tmp_path.iterdir()) == []
