"""The admins' tool: every command, stopped anywhere, run twice, and given the wrong thing."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from intake import about, canonical, days, files, installed, misplaced, reply, sentences, terminal
from intake.admin import __main__ as tool
from intake.admin import chain, doctor, exporting, install, setup
from intake.age.identity import Identity
from intake.bundle import BundleHeader, Entry, ReturnHeader
from intake.bundle.reading import open_bundle
from intake.bundle.writing import write_manifest, write_return
from intake.envelope import SEALED
from intake.errors import BadFile, BadKeyring, Misuse
from intake.keyring import Keyring
from intake.replies import Replies
from intake.reply import Reply
from intake.rows import Rows
from intake.settings import Settings
from intake.store import envelopes
from tests.boundaries import CLOSED, within
from tests.makers import FIRST, make_deployment, sign
from tests.site_maker import make_site

ROOT = Path(tool.__file__).resolve().parent.parent.parent
NOBODY = 65534  # a user who owns nothing
MADE = make_deployment(weeks=4)
W47, W48, W49, _ = (period.name for period in MADE.keyring.periods)
DAY = timedelta(days=1)
DONE, MISUSE, KEYRING, FILE, UNSAFE, MACHINE, INCOMPLETE = 0, 2, 3, 4, 6, 7, 8


class Crash(BaseException):
    """The power goes."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server's folders, a stick, and the tool that works on them."""

    settings: Settings
    stick: Path
    run: Callable[..., tuple[int, str, str]]

    @property
    def store(self) -> Rows:
        return Rows(self.settings.url, self.settings.data)

    @property
    def data(self) -> Path:
        return self.settings.data

    def fill(self, period: str, count: int, start: int = 0) -> list[Entry]:
        """Store rows of the one size, in one transaction, and return their entries."""
        entries, rows = [], []
        for n in range(start, start + count):
            row = hashlib.sha256(f"{period} {n}".encode()).digest()[:16]
            sealed = hashlib.sha256(row).digest() * (SEALED // 32) + bytes(SEALED % 32)
            rows.append({"id": row, "period": period, "sealed": sealed})
            entries.append(Entry(row, hashlib.sha256(sealed).digest()))
        with self.store.transaction() as connection:
            connection.execute(envelopes.insert(), rows)
        return entries

    def bundles(self, stick: Path | None = None) -> list[Path]:
        return sorted((stick or self.stick).glob("*.bundle"))

    def returned(self, entries: list[Entry], number: int = 1, **changes: object) -> Path:
        """Return a return signed by two."""
        facts: dict[str, Any] = {
            "deployment": MADE.deployment,
            "keyring": (1, MADE.keyring.sha256),
            "number": number,
        }
        path = self.stick / f"{number}.return"
        write_return(path, ReturnHeader(**facts | changes), signers("alice", "bob"), entries)
        return path


def signers(*names: str) -> dict[str, Callable[[bytes], bytes]]:
    return {name: MADE.reviewers[name].signing.sign for name in names}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[date], None]:
    def put(day: date) -> None:
        monkeypatch.setattr(days, "clock", lambda: day)

    put(FIRST)
    return put


@pytest.fixture
def bare(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    clock: Callable[[date], None],
) -> Server:
    """Return a server on which nothing was done."""
    assert callable(clock)
    settings = Settings(tmp_path / "data", tmp_path / "keys")
    monkeypatch.setenv("INTAKE_DATA", str(settings.data))
    monkeypatch.setenv("INTAKE_KEYS", str(settings.keys))
    stick = tmp_path / "stick"
    stick.mkdir()

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["admin", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            terminal.run(tool.build)
        shown = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        assert "defect" not in shown.err, shown.err
        return ended.value.code, shown.out, shown.err

    return Server(settings, stick, run)


@pytest.fixture
def fresh(bare: Server) -> Server:
    """Return a server after init, with the deployment's own bundle key."""
    assert bare.run("init")[0] == DONE
    seed = MADE.bundle_key.private_bytes_raw().hex()
    files.write(bare.settings.bundle_key, f"{seed}\n".encode())
    return bare


def give(server: Server, raw: bytes = MADE.raw, name: str = "keyring") -> Path:
    path = server.stick / name
    path.write_bytes(raw)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folders of a server with the keyring in force, to be copied."""
    folder = tmp_path_factory.mktemp("whole")
    settings = Settings(folder / "data", folder / "keys")
    setup.init(settings)
    files.write(settings.bundle_key, MADE.bundle_key.private_bytes_raw().hex().encode() + b"\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(days, "clock", lambda: FIRST)
        install.install(settings, [MADE.raw], lambda _: None)
    return folder


@pytest.fixture
def server(bare: Server, whole: Path) -> Server:
    """Return a server with the keyring in force."""
    shutil.copytree(whole, bare.data.parent, dirs_exist_ok=True)
    return bare


def read(path: Path) -> tuple[BundleHeader, list[Entry]]:
    with open_bundle(path, MADE.keyring.bundle_key, MADE.deployment) as opened:
        assert all(verdict == "ok" for _, _, verdict in opened)
        assert (opened.doubled, opened.stray) == ([], 0)
        return opened.header, list(opened.entries)


def stop_at(monkeypatch: pytest.MonkeyPatch, nth: int) -> dict[str, int]:
    """Let the power go before the nth step that the disk would see; count the steps."""
    seen = {"steps": 0}

    def guard(name: str) -> None:
        real = getattr(os, name)

        def step(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the real one
            seen["steps"] += 1
            if seen["steps"] >= nth:
                raise Crash
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, step)

    for name in ("fsync", "rename", "unlink"):
        guard(name)
    return seen


def crashes(
    server: Server, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]
) -> Iterator[int]:
    """Yield after each crash of ``act``, one step later each time, until it runs through."""
    kept = server.data.with_name("kept")
    for folder in (server.data, server.settings.keys, server.stick):
        if folder.exists():
            shutil.copytree(folder, kept / folder.name)
    for nth in range(1, 100):
        with monkeypatch.context() as patch:
            stop_at(patch, nth)
            try:
                act()
            except Crash:
                pass
            else:
                assert nth > 4
                return
        yield nth
        for folder in (server.data, server.settings.keys, server.stick):
            shutil.rmtree(folder, ignore_errors=True)
            if (kept / folder.name).exists():
                shutil.copytree(kept / folder.name, folder)
    pytest.fail("it never ran through")


# init


def test_init_makes_what_only_its_owner_can_read(bare: Server) -> None:
    code, out, _ = bare.run("init")
    assert code == DONE
    assert bare.data.stat().st_mode & 0o777 == 0o700
    assert bare.settings.bundle_key.stat().st_mode & 0o777 == 0o600
    seed = bare.settings.bundle_key.read_text()
    assert len(seed) == 65
    assert seed.strip() not in out
    public = setup.public(setup.bundle_key(bare.settings)).hex()
    assert f"--bundle-key {public}" in out
    assert f"Made in {bare.data}: data folder, store, bundle key.\n" in out
    assert "keyring install" in out
    assert bare.store.counts().total() == 0


def test_init_again_changes_nothing(server: Server) -> None:
    server.fill(W47, 1)
    before = {path: path.read_bytes() for path in server.data.iterdir()}
    code, out, _ = server.run("init")
    assert code == DONE
    assert "already" in out
    assert {path: path.read_bytes() for path in server.data.iterdir()} == before


def test_init_after_the_database_was_lost_says_that_it_made_another(server: Server) -> None:
    (server.data / "intake.db").unlink()
    code, out, _ = server.run("init")
    assert code == DONE
    assert f"Made in {server.data}: store.\n" in out
    assert server.store.counts().total() == 0
    assert "already" in server.run("init")[1]


def test_two_servers_have_different_keys(bare: Server) -> None:
    bare.run("init")
    first = bare.settings.bundle_key.read_bytes()
    shutil.rmtree(bare.data)
    bare.run("init")
    assert bare.settings.bundle_key.read_bytes() != first


def test_init_stopped_anywhere_and_run_again_is_whole(
    bare: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in crashes(bare, monkeypatch, lambda: setup.init(bare.settings)):
        assert bare.run("init")[0] == DONE
        assert len(bare.settings.bundle_key.read_text()) == 65


@pytest.mark.parametrize("command", [["init"], ["export", "."], ["status"], ["doctor"]])
def test_a_data_folder_that_others_can_enter_is_refused(server: Server, command: list[str]) -> None:
    server.data.chmod(0o750)
    code, out, err = server.run(*command)
    assert code in {UNSAFE, INCOMPLETE}
    assert "chmod 700" in out + err


@pytest.mark.parametrize("command", [["init"], ["export", "."], ["doctor"]])
def test_a_bundle_key_that_others_can_read_is_refused(server: Server, command: list[str]) -> None:
    server.settings.bundle_key.chmod(0o640)
    code, out, err = server.run(*command)
    assert code == UNSAFE
    assert "chmod 600" in out + err


@pytest.mark.parametrize("data", [b"", b"00", b"g" * 64, b"AB" * 32, b"ab" * 32 + b"\n\n"])
def test_a_damaged_bundle_key_is_refused_and_kept(server: Server, data: bytes) -> None:
    files.write(server.settings.bundle_key, data)
    server.fill(W47, 1)
    assert server.run("export", server.stick)[0] == FILE
    assert server.run("init")[0] == FILE
    assert server.settings.bundle_key.read_bytes() == data
    assert server.bundles() == []


# keyring


def test_the_first_keyring_is_compared_by_a_person(fresh: Server) -> None:
    code, out, err = fresh.run("keyring", "install", give(fresh))
    assert code == MISUSE
    assert "--yes" in err
    assert "\n".join(sentences.fingerprint(MADE.keyring.sha256)) in out
    assert not fresh.settings.keyring.exists()
    assert installed.read_record(fresh.settings) is None


def test_a_keyring_is_installed_once(fresh: Server) -> None:
    code, out, _ = fresh.run("keyring", "install", give(fresh), "--yes")
    assert (code, "is in force" in out) == (DONE, True)
    assert installed.load(fresh.settings) == MADE.keyring
    assert fresh.settings.keyring.stat().st_mode & 0o044
    code, out, _ = fresh.run("keyring", "install", give(fresh))
    assert (code, "already installed" in out) == (DONE, True)


def test_a_demo_keyring_is_installed_on_purpose_only(fresh: Server) -> None:
    path = give(fresh, make_deployment(weeks=4, demo=True).raw)
    assert fresh.run("keyring", "install", path, "--yes")[0] == UNSAFE
    assert installed.read_record(fresh.settings) is None
    assert fresh.run("keyring", "install", path, "--yes", "--demo")[0] == DONE
    assert "DEMO" in fresh.run("status")[1]
    assert "DEMO" in fresh.run("keyring", "show")[1]


def test_a_new_keyring_lowers_a_day_that_a_wrong_clock_saved(
    server: Server, clock: Callable[[date], None]
) -> None:
    clock(FIRST + 3650 * DAY)
    days.today(server.settings, MADE.keyring.expires)
    clock(FIRST + DAY)
    assert days.read_floor(server.settings) == MADE.keyring.expires
    assert server.run("doctor")[0] == UNSAFE
    assert server.run("keyring", "install", give(server))[0] == DONE
    assert days.read_floor(server.settings) == MADE.keyring.expires
    assert server.run("keyring", "install", give(server, MADE.follow().raw))[0] == DONE
    assert days.read_floor(server.settings) == FIRST + DAY


@pytest.mark.parametrize("damage", [b"2026-11", b"\xff", b"x" * 100])
def test_a_damaged_day_says_what_helps(server: Server, damage: bytes) -> None:
    """Installing the keyring again does not help: it is not written then."""
    path = server.data / "floor"
    path.write_bytes(damage)
    with pytest.raises(BadKeyring, match="saved day is damaged") as refused:
        days.today(server.settings, MADE.keyring.expires)
    assert refused.value.hint.endswith(f"move {path} away.")
    path.unlink()
    assert days.today(server.settings, MADE.keyring.expires) == FIRST


def test_a_new_keyring_does_not_raise_the_day(
    server: Server, clock: Callable[[date], None]
) -> None:
    days.today(server.settings, MADE.keyring.expires)
    clock(FIRST + 3 * DAY)
    assert server.run("keyring", "install", give(server, MADE.follow().raw))[0] == DONE
    assert days.read_floor(server.settings) == FIRST


def in_force(server: Server) -> Keyring | None:
    try:
        return installed.load(server.settings)
    except BadKeyring:
        return None


@pytest.mark.parametrize("first", [True, False])
def test_an_install_stopped_anywhere_is_finished_by_running_it_again(
    fresh: Server, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    new = MADE if first else MADE.follow()
    if not first:
        assert fresh.run("keyring", "install", give(fresh), "--yes")[0] == DONE
        days.write_floor(fresh.settings, FIRST + 20 * DAY)
    path = give(fresh, new.raw, "new")

    def act() -> None:
        install.install(fresh.settings, [new.raw], lambda _: None)

    states = set()
    for _ in crashes(fresh, monkeypatch, act):
        found = in_force(fresh)
        assert found in (None, new.keyring) or (not first and found == MADE.keyring)
        states.add(found and found.version)
        assert fresh.run("keyring", "install", path, "--yes")[0] == DONE
        assert in_force(fresh) == new.keyring
        if not first:
            assert days.read_floor(fresh.settings) == FIRST
    assert states == ({None, 1} if first else {None, 1, 2})


def test_the_same_keyring_with_one_more_signature_keeps_the_site_open(fresh: Server) -> None:
    made = make_deployment(weeks=4, roots=3)
    line = made.raw.split(b"\n")[0]
    fewer = sign(line, {name: made.roots[name] for name in ("rosa", "ruth")})
    for raw in (fewer, made.raw, fewer):
        assert fresh.run("keyring", "install", give(fresh, raw), "--yes")[0] == DONE
        record = json.loads((fresh.data / "installed").read_bytes())
        assert record["file"] == hashlib.sha256(fresh.settings.keyring.read_bytes()).hexdigest()
        assert fresh.settings.keyring.read_bytes() == raw


@pytest.mark.parametrize("damage", [b"", b"x" * 100, None])
def test_a_lost_keyring_is_put_back_by_installing_it_again(
    server: Server, damage: bytes | None
) -> None:
    if damage is None:
        shutil.rmtree(server.settings.keys)
    else:
        server.settings.keyring.write_bytes(damage)
    second = MADE.follow()
    assert server.run("keyring", "install", give(server, second.raw))[0] == KEYRING
    code, out, _ = server.run("keyring", "install", give(server))
    assert (code, "put back" in out) == (DONE, True)
    assert installed.load(server.settings) == MADE.keyring
    assert server.run("keyring", "install", give(server, second.raw))[0] == DONE


def test_a_damaged_record_says_how_to_go_on(server: Server) -> None:
    (server.data / "installed").write_bytes(b"{}")
    code, _, err = server.run("keyring", "install", give(server), "--yes")
    assert (code, "compare the fingerprint" in err) == (KEYRING, True)
    (server.data / "installed").unlink()
    assert server.run("keyring", "install", give(server))[0] == MISUSE
    assert server.run("keyring", "install", give(server), "--yes")[0] == DONE


def test_show_reads_the_keyring_aloud(server: Server) -> None:
    code, out, _ = server.run("keyring", "show")
    assert code == DONE
    for words in ("Keyring 1", "2026-11-16", "rosa", "alice", W49, "2026-12-13"):
        assert words in out
    assert "\n".join(sentences.fingerprint(MADE.keyring.sha256)) in out
    assert server.run("keyring", "show", give(server, MADE.follow().raw))[1].startswith("Keyring 2")


def test_words_of_a_keyring_do_not_reach_the_terminal_raw(server: Server) -> None:
    reviewers = [dict(facts) for facts in MADE.draft["reviewers"]]
    reviewers[0]["body"] = "x\x1b[2J\u202egpj"
    out = server.run("keyring", "show", give(server, MADE.follow(reviewers=reviewers).raw))[1]
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "<U+202E>" in out


# export


def test_an_export_carries_every_row_of_the_oldest_period(server: Server) -> None:
    entries = server.fill(W47, 300)
    server.fill(W48, 2)
    code, out, _ = server.run("export", server.stick)
    assert code == DONE
    (path,) = server.bundles()
    header, found = read(path)
    assert found == sorted(entries, key=Entry.line)
    assert (header.period, header.number, header.left, header.count) == (W47, 1, 0, 300)
    assert path.name == f"{MADE.deployment.hex()[:8]}-000001.bundle"
    assert hashlib.sha256(path.read_bytes()).hexdigest() in out
    assert str(path) in out
    assert "intake.desk import" in out
    assert server.store.counts().total() == 302
    assert not (server.data / chain.PENDING).exists()


def test_bundles_are_numbered_and_chained(server: Server) -> None:
    server.fill(W48, 2)
    server.fill(W47, 3)
    assert server.run("export", server.stick, "--all")[0] == DONE
    assert server.run("export", server.stick, "--period", W48)[0] == DONE
    headers = [read(path)[0] for path in server.bundles()]
    assert [(h.number, h.period, h.count) for h in headers] == [
        (1, W47, 3),
        (2, W48, 2),
        (3, W48, 2),
    ]
    assert headers[0].previous == bytes(32)
    assert [h.previous for h in headers[1:]] == [h.sha256 for h in headers[:2]]


def test_periods_that_the_keyring_no_longer_has_leave_first(server: Server) -> None:
    server.fill(W47, 1)
    server.fill("zz-old", 1)
    assert server.run("export", server.stick)[0] == DONE
    assert read(server.bundles()[0])[0].period == "zz-old"


def test_a_period_that_fits_no_single_file_comes_in_parts(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "fits", lambda _: 3)
    entries = server.fill(W47, 8)
    assert server.run("export", server.stick)[0] == DONE
    parts = [read(path) for path in server.bundles()]
    assert [(h.number, h.count, h.left) for h, _ in parts] == [(1, 3, 5), (2, 3, 5), (3, 2, 6)]
    assert [e for _, found in parts for e in found] == sorted(entries, key=Entry.line)


def test_nothing_to_export_is_said_or_signed(server: Server, clock: Callable[[date], None]) -> None:
    assert server.run("export", server.stick)[:2] == (DONE, "Nothing to export.\n")
    assert server.run("export", server.stick, "--period", W47)[1] == "Nothing to export.\n"
    assert server.bundles() == []
    said = server.run("export", server.stick, "--period", W47, "--empty")
    assert (said[0], "is not over" in said[2], server.bundles()) == (MISUSE, True, [])
    clock(date(2026, 11, 22))
    assert server.run("export", server.stick, "--period", W47, "--empty")[0] == MISUSE
    clock(date(2026, 11, 23))
    assert server.run("export", server.stick, "--period", W47, "--empty")[0] == DONE
    header, entries = read(server.bundles()[0])
    assert (header.period, header.count, header.left, entries) == (W47, 0, 0, [])


def test_a_period_that_gave_way_is_said_to_be_empty(server: Server) -> None:
    assert server.run("export", server.stick, "--period", "2026-w46")[0] == MISUSE
    assert server.run("export", server.stick, "--period", "2026-w46", "--empty")[0] == DONE
    assert read(server.bundles()[0])[0].period == "2026-w46"


def test_a_clock_set_back_does_not_make_a_period_that_is_over_one_that_is_not(
    server: Server, clock: Callable[[date], None]
) -> None:
    days.write_floor(server.settings, date(2026, 11, 23))
    clock(date(2016, 11, 16))
    assert server.run("export", server.stick, "--period", W47, "--empty")[0] == DONE


def test_rotate_only_says_where_keys_are_rotated(server: Server) -> None:
    code, said, why = server.run("rotate")
    assert (code, said) == (MISUSE, "")
    assert "python -m intake.ceremony rotate" in why


@pytest.mark.parametrize(
    "arguments", [["none"], [".", "--period", "1999-w01"], [], [".", "--all", "--period", W47]]
)
def test_wrong_arguments_are_a_misuse(server: Server, arguments: list[str]) -> None:
    server.fill(W47, 1)
    assert server.run("export", *arguments)[0] == MISUSE
    assert chain.last(server.settings, chain.BUNDLES) == chain.START


@pytest.mark.parametrize("number", ["3", "1_000", "٣", True, None, [3]])
def test_a_mark_whose_number_is_none_is_damaged(server: Server, number: object) -> None:
    """The same number as text would be a second spelling of it."""
    path = server.data / chain.BUNDLES
    path.write_bytes(canonical.dump({"number": number, "sha256": "ab" * 32}))
    with pytest.raises(BadFile, match="bundles is damaged"):
        chain.last(server.settings, chain.BUNDLES)
    path.write_bytes(canonical.dump({"number": 3, "sha256": "ab" * 32}))
    assert chain.last(server.settings, chain.BUNDLES).number == 3


def test_an_expired_keyring_does_not_keep_rows_in(
    server: Server, clock: Callable[[date], None]
) -> None:
    server.fill(W47, 1)
    clock(FIRST + 1000 * DAY)
    assert server.run("export", server.stick)[0] == DONE


def test_without_a_keyring_nothing_leaves(fresh: Server) -> None:
    fresh.fill(W47, 1)
    assert fresh.run("export", fresh.stick)[0] == KEYRING


def test_posts_during_an_export_wait_for_the_next(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = server.fill(W47, 5)
    real = Rows.page

    def page(self: Rows, period: str, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        found = real(self, period, after, 2)
        server.fill(W47, 1, start=1000 + self.counts().total() + limit)
        return found if len(server.bundles()) < 1 else []

    def listed(*args: Any) -> Any:  # noqa: ANN401 - as the real one
        monkeypatch.setattr(Rows, "page", page)
        return write_manifest(*args)

    monkeypatch.setattr(exporting, "write_manifest", listed)
    assert server.run("export", server.stick)[0] == DONE
    assert read(server.bundles()[0])[1] == sorted(entries, key=Entry.line)
    assert server.store.counts().total() > 5


def test_a_row_of_another_size_stays_and_is_named(server: Server) -> None:
    entries = server.fill(W47, 2)
    server.store.add([(b"odd" + bytes(13), b"short")], W47)
    code, _, err = server.run("export", server.stick)
    assert (code, "another size" in err) == (INCOMPLETE, True)
    header, found = read(server.bundles()[0])
    assert found == sorted(entries, key=Entry.line)
    assert header.left == 1


def test_an_export_stopped_anywhere_is_finished_byte_for_byte(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = server.fill(W47, 3)
    assert server.run("export", server.stick)[0] == DONE
    other = server.stick.with_name("other")
    seen = set()
    for _ in crashes(server, monkeypatch, lambda: list(_export(server, server.stick))):
        lost = {path.name: path.read_bytes() for path in server.bundles()[1:]}
        server.fill(W47, 1, start=50)
        shutil.rmtree(other, ignore_errors=True)
        other.mkdir()
        for _ in range(2):
            assert server.run("export", other)[0] == DONE
        again = {path.name: path.read_bytes() for path in server.bundles(other)}
        assert all(again.get(name, data) == data for name, data in lost.items())
        seen.add((len(lost), next(iter(again)) in lost))
        numbers = [read(path)[0] for path in server.bundles()[:1] + server.bundles(other)]
        if lost and not set(lost) & set(again):
            numbers.insert(1, read(server.bundles()[1])[0])
        assert [h.number for h in numbers] == list(range(1, len(numbers) + 1))
        assert [h.previous for h in numbers[1:]] == [h.sha256 for h in numbers[:-1]]
        assert not (server.data / chain.PENDING).exists()
        assert server.store.counts().total() == len(entries) + 1
    # It was stopped before the file had its name, between name and state, and after the state.
    assert seen == {(0, False), (1, True), (1, False)}


def _export(server: Server, stick: Path) -> Iterator[exporting.Exported]:
    return exporting.Export(server.settings, stick, terminal.progress).run()


def test_a_full_stick_costs_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.fill(W47, 3)
    with monkeypatch.context() as patch:
        real = os.rename

        def full(source: Path, target: Path) -> None:
            if Path(target).suffix == ".bundle":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(source, target)

        patch.setattr(os, "rename", full)
        code, _, err = server.run("export", server.stick)
        assert (code, "no space left" in err) == (MACHINE, True)
    assert list(server.stick.glob("*bundle*")) == []
    assert server.store.counts().total() == 3
    assert server.run("status")[0] == INCOMPLETE
    assert server.run("acknowledge", server.returned([]))[0] == MISUSE
    code, out, _ = server.run("export", server.stick)
    assert (code, "not finished before" in out) == (DONE, True)
    assert read(server.bundles()[0])[0].number == 1
    assert server.run("status")[0] == DONE


def test_rows_that_change_while_they_are_written_make_no_bundle(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = server.fill(W47, 3)

    def listed(*args: Any) -> Any:  # noqa: ANN401 - as the real one
        header = write_manifest(*args)
        server.store.remove([entries[0].id])
        return header

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "write_manifest", listed)
        assert server.run("export", server.stick)[0] == FILE
    code, _, err = server.run("export", server.stick)
    assert (code, "Bundle 1 was not finished" in err) == (INCOMPLETE, True)
    assert server.bundles() == []
    assert server.run("export", server.stick)[0] == DONE
    header, found = read(server.bundles()[0])
    assert header.number == 2
    assert found == sorted(entries[1:], key=Entry.line)


def test_another_bundle_on_the_stick_is_not_overwritten(server: Server) -> None:
    server.fill(W47, 1)
    there = server.stick / f"{MADE.deployment.hex()[:8]}-000001.bundle"
    there.write_bytes(b"of a server before it was put back")
    assert server.run("export", server.stick)[0] == MISUSE
    assert there.read_bytes() == b"of a server before it was put back"
    assert not (server.data / chain.PENDING).exists()


def test_a_damaged_note_or_state_is_named(server: Server) -> None:
    server.fill(W47, 1)
    for name in (chain.PENDING, chain.BUNDLES):
        (server.data / name).write_bytes(b"{}")
        code, _, err = server.run("export", server.stick)
        assert (code, name in err) == (FILE, True)
        (server.data / name).unlink()
    assert server.run("export", server.stick)[0] == DONE


def test_export_and_acknowledge_exclude_one_another(server: Server) -> None:
    entries = server.fill(W47, 1)
    path = server.returned(entries)
    with chain.alone(server.settings):
        for command in (["export", server.stick], ["acknowledge", path]):
            code, _, err = server.run(*command)
            assert (code, "Wait" in err) == (MACHINE, True)
    assert server.run("acknowledge", path)[0] == DONE


# acknowledge


def test_exactly_what_was_signed_for_is_deleted(server: Server) -> None:
    entries = server.fill(W47, 300)
    other = server.fill(W48, 1)[0]
    gone = Entry(b"never was there!", bytes(32))
    changed = replace(entries[1], sha256=bytes(32))
    signed = [*entries[2:], gone, changed]
    path = server.returned(signed)
    code, out, err = server.run("acknowledge", path)
    assert code == INCOMPLETE
    assert "298 deleted, 1 already gone" in out
    assert "kept: 1" in err
    kept = {row for p in (W47, W48) for row, _ in server.store.page(p, b"", 1000)}
    assert kept == {entries[0].id, entries[1].id, other.id}
    code, out, _ = server.run("acknowledge", path)
    assert (code, "already done" in out) == (DONE, True)


def test_an_older_return_is_refused(server: Server) -> None:
    entries = server.fill(W47, 3)
    assert server.run("acknowledge", server.returned(entries[:1], 5))[0] == DONE
    for number in (4, 5):
        code, _, err = server.run("acknowledge", server.returned(entries[1:], number))
        assert (code, "older" in err) == (FILE, True)
    assert server.store.counts().total() == 2
    assert server.run("acknowledge", server.returned(entries[1:], 9))[0] == DONE
    assert server.store.counts().total() == 0


def test_a_return_far_ahead_is_refused(server: Server) -> None:
    entries = server.fill(W47, 2)
    code, _, err = server.run("acknowledge", server.returned(entries, 1001))
    assert (code, "far ahead" in err) == (FILE, True)
    assert server.store.counts().total() == 2
    assert server.run("acknowledge", server.returned(entries, 1000))[0] == DONE


def test_returns_that_are_not_for_this_server_delete_nothing(server: Server) -> None:
    entries = server.fill(W47, 2)
    path = server.returned(entries)
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    assert server.run("acknowledge", path)[0] == FILE
    path.write_bytes(good.replace(b"alice", b"carol"))
    assert server.run("acknowledge", path)[0] == FILE
    code, _, err = server.run("acknowledge", server.returned(entries, keyring=(2, bytes(32))))
    assert (code, "keyring install" in err) == (KEYRING, True)
    assert server.run("acknowledge", server.returned(entries, keyring=(1, bytes(32))))[0] == KEYRING
    assert server.run("acknowledge", server.returned(entries, deployment=bytes(32)))[0] == FILE
    assert server.run("acknowledge", server.stick / "none")[0] == MISUSE
    assert server.run("acknowledge", give(server))[0] == FILE
    assert server.store.counts().total() == 2
    assert chain.last(server.settings, chain.RETURNS) == chain.START


def answered(
    server: Server,
    replies: list[tuple[Entry, bytes]],
    number: int = 1,
    *,
    names: tuple[str, ...] = ("alice", "carol"),
    size: int = reply.SEALED,
) -> Path:
    """Return a return with these replies, and no rows."""
    header = ReturnHeader(
        deployment=MADE.deployment, number=number, keyring=(1, MADE.keyring.sha256), size=size
    )
    listed = sorted(replies, key=lambda one: one[0].line())
    path = server.stick / f"{number}.return"
    given = ([entry for entry, _ in listed], [body for _, body in listed])
    write_return(path, header, signers(*names), [], given)
    return path


def waiting(server: Server, *boxes: bytes) -> dict[bytes, dict[bytes, bytes]]:
    """Return what waits in these mailboxes."""
    found = Replies(server.settings.url, server.settings.data)
    return {box: dict(found.waiting(box)) for box in boxes}


def some_replies(count: int, start: int = 0) -> list[tuple[Entry, bytes]]:
    """Return sealed replies to mailboxes that nobody has, two to each."""
    found = []
    for n in range(start, start + count):
        key = Identity.from_seed(n.to_bytes(32)).recipient()
        body = reply.seal(Reply(reply.REPLY, FIRST, n + 1, "ဖြေကြားချက်"), key)
        name, box = n.to_bytes(16), (n // 2).to_bytes(16)
        found.append((Entry(name, hashlib.sha256(body).digest(), mailbox=box), body))
    return found


def test_replies_are_put_into_mailboxes_once(server: Server) -> None:
    """Also into mailboxes that nobody has; twice, and in two returns, they are there once (7)."""
    made = some_replies(5)
    path = answered(server, made)
    code, out, _ = server.run("replies", "install", path)
    assert (code, "5 replies put into mailboxes" in out) == (DONE, True)
    boxes = [n.to_bytes(16) for n in range(3)]
    before = waiting(server, *boxes)
    assert [len(before[box]) for box in boxes] == [2, 2, 1]
    assert before[boxes[0]][made[1][0].id] == made[1][1]
    for command in (("acknowledge",), ("replies", "install")):
        code, out, _ = server.run(*command, path)
        assert (code, "already done" in out) == (DONE, True)
    store = Replies(server.settings.url, server.settings.data)
    deleted = made[0][0]
    store.overwrite(deleted.mailbox, deleted.id, b"x" * reply.SEALED)
    again = [(replace(e, sha256=hashlib.sha256(b).digest()), b) for e, b in made]
    assert server.run("acknowledge", answered(server, again, 2))[0] == DONE
    after = waiting(server, *boxes)
    assert after[boxes[0]].pop(deleted.id) == b"x" * reply.SEALED
    del before[boxes[0]][deleted.id]
    assert after == before


def test_a_return_with_rows_and_replies_does_both(server: Server) -> None:
    entries, made = server.fill(W47, 3), some_replies(2)
    header = ReturnHeader(
        deployment=MADE.deployment, number=1, keyring=(1, MADE.keyring.sha256), size=reply.SEALED
    )
    path = server.stick / "both.return"
    given = ([entry for entry, _ in made], [body for _, body in made])
    write_return(path, header, signers("alice", "bob"), entries, given)
    code, out, _ = server.run("acknowledge", path)
    assert code == DONE
    assert "3 deleted, 0 already gone, 2 replies put into mailboxes" in out
    assert server.store.counts().total() == 0


def test_replies_that_are_not_for_this_server_are_not_put(server: Server) -> None:
    """One signature, an older number, another size, a changed head: nothing is put."""
    made, box = some_replies(2), bytes(16)
    with pytest.raises(Misuse):
        answered(server, made, names=("alice",))
    path = answered(server, made)
    whole = path.read_bytes()
    one = re.sub(rb"\ncarol [0-9a-f]{128}", b"", whole, count=1)
    for spoilt in (
        one,
        whole.replace(b"carol", b"bob"),
        whole.replace(b'"number":1', b'"number":2'),
    ):
        path.write_bytes(spoilt)
        assert server.run("replies", "install", path)[0] == FILE
    for size in (3, reply.SEALED - 1, reply.SEALED + 1, SEALED):
        body = b"y" * size
        entry = Entry(bytes(16), hashlib.sha256(body).digest(), mailbox=box)
        code, _, err = server.run(
            "replies", "install", answered(server, [(entry, body)], size=size)
        )
        assert (code, "another size" in err) == (FILE, True)
    assert server.run("acknowledge", server.returned([], 7))[0] == DONE
    code, _, err = server.run("replies", "install", answered(server, made, 6))
    assert (code, "older" in err) == (FILE, True)
    assert waiting(server, box) == {box: {}}


def test_replies_that_were_spoilt_on_their_way_are_counted_and_the_rest_is_put(
    server: Server,
) -> None:
    made, boxes = some_replies(6), [n.to_bytes(16) for n in range(3)]
    path = answered(server, made, 4)
    data = bytearray(path.read_bytes())
    data[-reply.SEALED - 100] ^= 1  # in the one before the last
    path.write_bytes(data[:-10])  # and the last one cut
    code, out, err = server.run("acknowledge", path)
    assert code == INCOMPLETE
    assert "4 replies put into mailboxes" in out
    assert "were not put: 2" in err
    assert "--after 3" in err
    assert sum(len(found) for found in waiting(server, *boxes).values()) == 4
    assert server.run("acknowledge", answered(server, made, 5))[0] == DONE
    assert sum(len(found) for found in waiting(server, *boxes).values()) == 6


def test_an_acknowledge_stopped_anywhere_is_finished_by_running_it_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = server.fill(W47, 600)
    path = server.returned(entries[:590])
    real = Rows.remove
    for batches in range(4):
        with monkeypatch.context() as patch:
            calls = iter(range(batches))

            def remove(self: Rows, rows: list[bytes], calls: Iterator[int] = calls) -> int:
                if next(calls, None) is None:
                    raise Crash
                return real(self, rows)

            patch.setattr(Rows, "remove", remove)
            if batches < 3:
                with pytest.raises(Crash):
                    server.run("acknowledge", path)
            else:
                assert server.run("acknowledge", path)[0] == DONE
    assert server.store.counts().total() == 10


# status and doctor


def facts(server: Server) -> tuple[int, dict[str, Any]]:
    code, out, _ = server.run("status", "--json")
    return code, json.loads(out)


def test_status_of_a_server_from_nothing_to_the_next_keyring(
    bare: Server, clock: Callable[[date], None]
) -> None:
    code, found = facts(bare)
    assert (code, found["state"]) == (INCOMPLETE, "red")
    assert found["actions"][0]["how"].startswith("Make it with: python -m intake.admin init")
    assert len(found["actions"]) == 1
    bare.run("init")
    code, found = facts(bare)
    assert (code, "keyring install" in found["actions"][0]["how"]) == (INCOMPLETE, True)
    seed = MADE.bundle_key.private_bytes_raw().hex()
    files.write(bare.settings.bundle_key, seed.encode())
    bare.run("keyring", "install", give(bare), "--yes")
    code, found = facts(bare)
    assert (code, found["state"]) == (DONE, "green")
    assert "maintenance has not run yet" in found["actions"][0]["what"]
    bare.run("maintain")
    code, found = facts(bare)
    assert (code, found["state"], found["actions"]) == (DONE, "green", [])
    assert [found[n] for n in ("period", "ends", "covered")] == [W47, "2026-11-22", "2026-12-13"]
    bare.fill(W47, 2)
    bare.fill(W48, 1)
    assert facts(bare) == (DONE, found)
    clock(date(2026, 12, 1))
    bare.run("maintain")
    code, found = facts(bare)
    assert (code, found["state"], found["rows"]) == (DONE, "green", {W47: 2, W48: 1})
    assert [action["due"] for action in found["actions"]] == ["2026-11-29", "2026-12-13"]
    assert "intake.ceremony rotate" in found["actions"][1]["how"]
    clock(date(2026, 12, 14))
    code, found = facts(bare)
    assert (code, found["state"]) == (INCOMPLETE, "red")
    assert "expired" in found["actions"][0]["what"]


def test_status_says_now_or_by_when(server: Server, clock: Callable[[date], None]) -> None:
    server.fill(W47, 2)
    clock(date(2026, 11, 23))
    code, out, _ = server.run("status")
    assert code == DONE
    assert out.startswith("GREEN\n")
    assert "by 2026-11-29: Envelopes of periods that are over wait for the desk." in out
    assert "→ python -m intake.admin export FOLDER" in out
    shutil.rmtree(server.settings.keys)
    code, out, err = server.run("status")
    assert code == INCOMPLETE
    assert out.startswith("RED\n")
    assert "NOW: " in out
    assert "NOW" in err


def test_days_without_a_period_are_seen(server: Server, clock: Callable[[date], None]) -> None:
    draft = {**MADE.draft, "periods": [MADE.draft["periods"][n] for n in (0, 2)]}
    second = MADE.follow(periods=draft["periods"])
    assert server.run("keyring", "install", give(server, second.raw))[0] == DONE
    assert facts(server)[1]["covered"] == "2026-11-22"
    clock(date(2026, 11, 23))
    code, found = facts(server)
    assert (code, "no period" in found["actions"][0]["what"]) == (INCOMPLETE, True)


def test_looking_changes_nothing(server: Server, clock: Callable[[date], None]) -> None:
    server.fill(W47, 1)
    clock(FIRST + 3 * DAY)
    before = {path: path.read_bytes() for path in server.data.iterdir()}
    for command in (["status"], ["status", "--json"], ["doctor"], ["keyring", "show"]):
        server.run(*command)
    assert {path: path.read_bytes() for path in server.data.iterdir()} == before


def test_little_room_is_red(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTAKE_ROOM_MB", f"{(1 << 20) - 1}")
    assert facts(server)[0] == INCOMPLETE
    assert "FAIL space" in server.run("doctor")[1]


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the machine of whoever runs the test be a good one."""
    monkeypatch.setattr(doctor, "_SWAPS", tmp_path / "swaps")
    monkeypatch.setattr(doctor, "signed_off", lambda _: "Somebody")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (0, 0))


@pytest.mark.usefixtures("quiet")
def test_a_healthy_server_passes_every_check(server: Server) -> None:
    server.run("maintain")
    code, out, _ = server.run("doctor")
    assert code == DONE
    assert len(out.splitlines()) == len(doctor.CHECKS)
    assert all(line.startswith("ok ") for line in out.splitlines()), out


def identity_in_keys(server: Server) -> None:
    (server.settings.keys / "old").write_text(MADE.archive.encode())


def package_in_keys(server: Server) -> None:
    (server.settings.keys / "archive").mkdir()
    (server.settings.keys / "archive" / "a+b.age").write_bytes(b"age-encryption.org/v1\n-> x")


def bundle_key_in_keys(server: Server) -> None:
    shutil.copy(server.settings.bundle_key, server.settings.keys)


def seed_in_data(server: Server) -> None:
    (server.data / "spool").mkdir()
    (server.data / "spool" / "root").write_text("ab" * 32)


def open_folder(server: Server) -> None:
    server.data.chmod(0o755)


def other_bundle_key(server: Server) -> None:
    files.write(server.settings.bundle_key, b"12" * 32)


def clock_behind(server: Server) -> None:
    days.write_floor(server.settings, FIRST + DAY)


def rowid(server: Server) -> None:
    with server.store.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE more (a, b)")


def no_store(server: Server) -> None:
    (server.data / "intake.db").unlink()


def bad_form(server: Server) -> None:
    (server.stick / "form.toml").write_text("id = 1")
    os.environ["INTAKE_FORM"] = str(server.stick / "form.toml")


def form_that_serves_and_is_wrong(server: Server) -> None:
    text = server.settings.form.read_text(encoding="utf-8").replace(
        "version = 1", "version = -5", 1
    )
    (server.stick / "form.toml").write_text(text, encoding="utf-8")
    os.environ["INTAKE_FORM"] = str(server.stick / "form.toml")


def words_of_a_group_that_are_too_many(server: Server) -> None:
    (server.stick / "about.toml").write_text(f'[organisation]\nen = "{"x" * 81}"')
    os.environ["INTAKE_ABOUT"] = str(server.stick / "about.toml")


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (identity_in_keys, "FAIL secrets"),
        (seed_in_data, "FAIL secrets"),
        (package_in_keys, "FAIL secrets"),
        (bundle_key_in_keys, "FAIL secrets"),
        (open_folder, "FAIL data folder"),
        (other_bundle_key, "FAIL bundle key"),
        (clock_behind, "FAIL clock"),
        (rowid, "FAIL store"),
        (no_store, "FAIL store"),
        (bad_form, "FAIL form"),
        (form_that_serves_and_is_wrong, "FAIL form: The form is wrong. In form.toml"),
        (words_of_a_group_that_are_too_many, "FAIL about: "),
    ],
)
def test_doctor_fails_with_a_remedy(
    server: Server, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Server], None], line: str
) -> None:
    monkeypatch.setenv("INTAKE_FORM", str(server.settings.form))
    monkeypatch.setenv("INTAKE_ABOUT", "")
    spoil(server)
    code, out, err = server.run("doctor")
    assert code == UNSAFE
    assert "FAIL" in err
    (said,) = [found for found in out.splitlines() if found.startswith(line)]
    assert len(said.partition(" -> ")[2]) > 10
    assert MADE.archive.encode() not in out


def test_doctor_warns_of_what_will_come(
    server: Server,
    clock: Callable[[date], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "swaps").write_text("Filename\n/swapfile\n")
    (server.data / ".floor.0a0a0a0a.partial").write_bytes(b"2026-")
    monkeypatch.setattr(doctor, "_SWAPS", tmp_path / "swaps")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (-1, -1))
    monkeypatch.setattr(doctor, "signed_off", lambda _: None)
    clock(date(2026, 11, 29))
    code, out, _ = server.run("doctor")
    assert "warn keyring" not in out
    clock(date(2026, 11, 30))
    code, out, _ = server.run("doctor")
    assert code == DONE
    for name in ("keyring", "leftovers", "swap", "core dumps", "wording"):
        assert f"warn {name}:" in out
    assert str(server.data / ".floor.0a0a0a0a.partial") in out


@pytest.mark.usefixtures("quiet")
def test_doctor_says_what_a_group_has_not_said_in_a_language(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how it is in Zawgyi: what is pasted into the file is right at once."""
    path = server.stick / "about.toml"
    monkeypatch.setenv("INTAKE_ABOUT", str(path))
    text = '[contact]\nmy = "မေး\u200bပါ \\"၁\\""\n[welcome]\nen = "b"\n'
    path.write_text(text, encoding="utf-8")
    out = server.run("doctor")[1]
    said = out.partition("warn about: ")[2]
    assert said.startswith(f"In {path} there is no [")
    missing = {"[contact] en", "[contact] my-Qaag", "[welcome] my", "[welcome] my-Qaag"}
    assert set(re.findall(r"\[\w+\] [\w-]+", said)) == missing
    table, _, line = said.splitlines()[1].partition(" ")
    assert (table, len(said.splitlines())) == ("[contact]", 2)
    path.write_text(text.replace("[welcome]", f"{line}\n[welcome]"), encoding="utf-8")
    pasted = about.load(path)["my-Qaag"]["contact"]
    assert pasted == ("my-Qaag", ['ေမး\u200bပါ "၁"'])
    path.write_text('[contact]\nmy = "က"\nen = "a"\nmy-Qaag = "က"', encoding="utf-8")
    assert "ok   about: 3 texts, in every language" in server.run("doctor")[1]


# secrets in the wrong place

PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("a", b"# made\nAGE-SECRET-KEY-PQ-1QQQ", True),
        ("a", b"AGE-SECRET-KEY-1QQQ", True),
        ("a", b"age-encryption.org/v1\n-> scrypt c2FsdA 18\n", True),
        ("a", b"-----BEGIN AGE ENCRYPTED FILE-----\n", True),
        ("a", PEM.encode(), True),
        ("a", PEM.replace("OPENSSH ", "").encode(), True),
        ("a", b"ab" * 32, True),
        ("a", b"root rosa\r\n" + b"AB" * 32 + b"\r\n", True),
        ("deep/er/a", b"ab" * 32, True),
        ("deep/bundle.key", b"ab" * 32, True),
        ("bundle.key", b"ab" * 32 + b"\n", False),
        ("bundle.key", b"AGE-SECRET-KEY-1QQQ", True),
        ("a", b"age-encryption.org/v1\n-> mlkem768x25519 c2FsdA\n", False),
        ("keyring", MADE.raw, False),
        ("a", b"ab" * 31, False),
        ("a", b'{"sha256":"' + b"ab" * 32 + b'"}', False),
        ("a", b"", False),
    ],
)
def test_a_secret_is_known_by_its_looks(
    tmp_path: Path, name: str, data: bytes, found: bool
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    assert misplaced.find([tmp_path]) == [path] * found
    assert misplaced.find([tmp_path / "none"]) == []


def test_in_keys_any_age_file_is_a_secret_and_so_is_the_bundle_key(tmp_path: Path) -> None:
    keys, data = tmp_path / "keys", tmp_path / "data"
    for folder in (keys, data):
        folder.mkdir()
        (folder / "bundle.key").write_bytes(b"ab" * 32 + b"\n")
        (folder / "sealed").write_bytes(b"age-encryption.org/v1\n-> mlkem768x25519 c2FsdA\n")
        (folder / "keyring").write_bytes(MADE.raw)
    assert misplaced.find([keys, data]) == [keys / "bundle.key", keys / "sealed"]


# the command line


def commands() -> list[list[str]]:
    single = ["init", "export", "acknowledge", "maintain", "status", "doctor"]
    return [[name] for name in single] + [["keyring", "install"], ["keyring", "show"]]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_help_with_examples(bare: Server, command: list[str]) -> None:
    code, out, _ = bare.run(*command, "--help")
    assert code == DONE
    _, examples = re.split("Examples?:\n", out)
    assert all(f"intake.admin {' '.join(command)}" in line for line in examples.splitlines())
    assert not bare.data.exists()


def test_help_names_every_command_and_exit_code(bare: Server) -> None:
    out = bare.run("--help")[1]
    _, examples = out.split("examples:\n")  # each command's own, gathered
    assert all(f"intake.admin {' '.join(command)}" in examples for command in commands())
    assert "exit codes" in out


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["keyring"], ["export"], ["stat"]])
def test_a_wrong_command_line_is_a_misuse(bare: Server, arguments: list[str]) -> None:
    assert bare.run(*arguments)[0] == MISUSE


def test_the_tool_holds_nothing_that_opens() -> None:
    script = "import sys, intake.admin.__main__; print(*sorted(sys.modules), sep='\\n')"
    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    )
    loaded = set(shown.stdout.split())
    assert "intake.admin.doctor" in loaded
    assert not [name for name in loaded if within(name, (*CLOSED, "intake.server"))]


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    environment = {"INTAKE_DATA": str(tmp_path / "data"), "INTAKE_KEYS": str(tmp_path / "keys")}
    ended = subprocess.run(
        [sys.executable, "-m", "intake.admin", "status"],
        cwd=ROOT,
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == INCOMPLETE
    assert ended.stdout.startswith("RED")
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    "words",
    [
        *(["export"], ["acknowledge"], ["keyring", "install"], ["keyring", "show"]),
        ["resume", "--bundle"],
    ],
)
def test_a_place_that_the_site_s_user_cannot_enter_is_said(
    tmp_path: Path, words: list[str]
) -> None:
    """As root types it on a host, where the tool runs as another user: no defect, and a way on."""
    site = make_site(tmp_path)
    closed = tmp_path / "closed"
    (closed / "stick").mkdir(parents=True)
    closed.chmod(0o700)
    for folder in (site.settings.data, site.settings.keys):
        for path in (folder, *folder.iterdir()):
            os.chown(path, NOBODY, NOBODY)
    for above in (tmp_path, *list(tmp_path.parents)[:2]):
        above.chmod(0o711)
    own = {"INTAKE_DATA": str(site.settings.data), "INTAKE_KEYS": str(site.settings.keys)}
    code = "; ".join(
        [
            "import os, sqlite3, sqlalchemy.dialects.sqlite",
            "from intake import terminal",
            "from intake.admin import __main__ as tool",
            f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})",
            "terminal.run(tool.build)",
        ]
    )
    command = [sys.executable, "-c", code, *words, str(closed / "stick")]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 7, done.stderr
    assert "permission denied" in done.stderr
    assert "/srv/intake" in done.stderr
