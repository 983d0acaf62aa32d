"""The screen of an operator: the same whoever came, and plain about whatever is wrong.

Rules:
- The site is served by the configuration of the deployment, on a unix socket, and each submission
  is a whole POST through it.
- What is compared are bytes: of ``status``, of its ``--json``, of ``doctor``, and exit codes.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from intake import days, files, store, terminal
from intake.admin import __main__ as tool
from intake.admin import chain, exporting, host, install, maintaining, status
from intake.settings import ROOT
from tests import door
from tests.makers import make_deployment
from tests.site_maker import Site, make_site, submit

DONE, MISUSE, UNSAFE, MACHINE, INCOMPLETE = 0, 2, 6, 7, 8
WORDS = "ဗိုလ်မှူးက ပစ်ခိုင်းတယ်။ ကျွန်တော် မပစ်ခဲ့ဘူး။"
CLOSED = "We cannot take letters just now"
DAY = timedelta(days=1)

Run = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True, slots=True)
class Host:
    """A deployed site in a folder, and the admin's tool on it."""

    site: Site
    root: Path
    run: Run

    @property
    def door(self) -> Path:
        return self.root / host.DOOR

    def tor(self, name: str = "tor") -> None:
        """Let a process of this name run."""
        comm = self.root / "proc/40/comm"
        comm.parent.mkdir(parents=True, exist_ok=True)
        comm.write_text(f"{name}\n")


@pytest.fixture
def deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Host:
    """Return a host that was installed a moment ago; its site is not served yet."""
    (tmp_path / "s").mkdir()
    site, root = make_site(tmp_path / "s"), tmp_path / "r"
    monday = site.made.keyring.periods[0].first
    site = Site(make_deployment(first=monday, weeks=4), site.settings)
    site.install(site.made)
    files.write(site.settings.bundle_key, site.made.bundle_key.private_bytes_raw().hex().encode())
    monkeypatch.setenv("INTAKE_DATA", str(site.settings.data))
    monkeypatch.setenv("INTAKE_KEYS", str(site.settings.keys))
    monkeypatch.setenv("INTAKE_HOST", str(root))
    (root / host.RELEASE).mkdir(parents=True)
    (root / host.DOOR).parent.mkdir(parents=True)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["admin", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            terminal.run(tool.build)
        shown = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        assert "defect" not in shown.err, shown.err
        return ended.value.code, shown.out, shown.err

    made = Host(site, root, run)
    made.tor()
    maintaining.maintain(site.settings)
    return made


@pytest.fixture
def served(deployed: Host) -> Iterator[Host]:
    """Return a host whose site answers at its socket."""
    with door.behind(deployed.site, deployed.door) as site:
        # Whoever answers this was forked when all was loaded: nothing is at work any more.
        head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n"
        assert site.ask(door.line(1), head, b"x").startswith(b"HTTP/1.1 404 ")
        yield deployed


@pytest.fixture
def alone(deployed: Host) -> Host:
    """Return the same on a machine that is no host, where nobody is asked."""
    shutil.rmtree(deployed.root / "opt")
    return deployed


SCREENS = (["status"], ["status", "--json"], ["doctor"])


def screens(one: Host) -> list[tuple[int, str, str]]:
    return [one.run(*command) for command in SCREENS]


def test_nobody_sees_from_the_screen_that_fifty_came(served: Host) -> None:
    """Whoever looks every minute would learn when each of them came."""
    before = screens(served)
    browser = served.site.client()
    for n in range(50):
        answer = submit(browser, seed=f"{n:064x}", account=f"{WORDS} {n}")
        assert answer.status_code == 200
    assert served.site.store.counts().total() == 50
    assert screens(served) == before
    assert before[0][0] == DONE
    assert "site     answers" in before[0][1]
    assert "tor      runs" in before[0][1]
    _, shown, _ = served.run("status", "--rows")
    assert "rows     50 counted" in shown
    maintaining.maintain(served.site.settings)
    assert screens(served) == before


def test_rows_of_a_period_that_is_over_are_counted(
    deployed: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = deployed.site.made.keyring.periods
    for period, count in ((first, 3), (second, 2)):
        deployed.site.store.add([(os.urandom(16), b"x") for _ in range(count)], period.name)
    assert "rows     0 counted" in deployed.run("status")[1]
    monkeypatch.setattr(days, "clock", lambda: first.last + DAY)
    _, shown, _ = deployed.run("status")
    assert "rows     3 counted" in shown
    due = first.last + timedelta(weeks=1)
    assert f"by {due}: Envelopes of periods that are over wait for the desk." in shown
    assert f"3 of {first.name}" in shown
    assert second.name not in shown.partition("rows")[2]
    _, shown, _ = deployed.run("status", "--rows")
    assert f"2 of {second.name}" in shown


def test_a_clock_set_back_does_not_show_a_period_that_runs(
    deployed: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor hide one that is over: what was acted on already counts."""
    first, second, *_ = deployed.site.made.keyring.periods
    for period in (first, second):
        deployed.site.store.add([(os.urandom(16), b"x")], period.name)
    days.write_floor(deployed.site.settings, second.first)
    monkeypatch.setattr(days, "clock", lambda: first.first)
    assert status.look(deployed.site.settings)["rows"] == {first.name: 1}


def test_asking_the_site_changes_nothing(served: Host) -> None:
    """Not even the saved day, which the first visitor of a day raises."""
    (served.site.settings.data / "floor").unlink()
    before = {path: path.read_bytes() for path in served.site.settings.data.iterdir()}
    assert served.run("status")[0] == DONE
    assert {path: path.read_bytes() for path in served.site.settings.data.iterdir()} == before
    assert not (served.site.settings.data / "floor").exists()


# what is wrong, and what to do


def red(one: Host, what: str, remedy: str) -> None:
    """Assert that status is red, and says this and that remedy."""
    code, shown, _ = one.run("status")
    assert (code, shown.splitlines()[0]) == (INCOMPLETE, "RED")
    lines = shown.splitlines()
    (place,) = [n for n, line in enumerate(lines) if line.startswith("NOW: ") and what in line]
    assert lines[place + 1].startswith("  → ")
    assert remedy in lines[place + 1]


def failed(one: Host, check: str, remedy: str) -> None:
    """Assert that doctor says FAIL for this check, with that remedy."""
    code, shown, _ = one.run("doctor")
    assert code == UNSAFE
    (line,) = [line for line in shown.splitlines() if line.startswith(f"FAIL {check}: ")]
    assert remedy in line.partition(" -> ")[2]


def test_tor_is_down(served: Host) -> None:
    served.tor("tord")
    red(served, "tor does not run", "systemctl restart tor@default")
    assert "tor      does not run" in served.run("status")[1]


def test_the_site_is_down(deployed: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    red(deployed, "The site does not answer", "systemctl restart intake.socket intake.service")
    with ExitStack() as stack:  # systemd holds the socket, and nobody takes a visitor
        listening = stack.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(str(deployed.door))
        listening.listen()
        monkeypatch.setattr(host, "PATIENCE", 0.2)
        red(deployed, "The site does not answer", "systemctl restart intake.socket intake.service")
    assert "site     does not answer" in deployed.run("status")[1]


def test_on_a_machine_that_is_no_host_nothing_is_asked(alone: Host) -> None:
    code, shown, _ = alone.run("status")
    assert code == DONE
    assert "site " not in shown
    assert "tor " not in shown
    assert " units:" not in alone.run("doctor")[1]


def test_maintenance_that_did_not_run_is_said_after_two_nights(
    deployed: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = days.clock()
    path = deployed.site.settings.data / maintaining.MAINTAINED
    assert f"maintenance {ran}" in deployed.run("status")[1]
    for nights, said in ((1, False), (2, False), (3, True), (-30, False)):
        monkeypatch.setattr(days, "clock", lambda nights=nights: ran + nights * DAY)
        found = status.look(deployed.site.settings)["actions"]
        assert any(f"has not run since {ran}" in action["what"] for action in found) == said
        assert ("warn maintenance: " in deployed.run("doctor")[1]) == said
    monkeypatch.undo()
    for damage in (b"", b"2026-13-01", b"\xff" * 99):
        path.write_bytes(damage)
        found = status.look(deployed.site.settings)["actions"]
        assert any("has not run yet" in action["what"] for action in found)


def test_the_disk_is_full(alone: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before files stop, when they do, when words do, and when nothing goes any more."""
    real, settings = shutil.disk_usage(alone.root), alone.site.settings
    kept, store = settings.kept, (settings.data / "intake.db").stat().st_size
    ends = [0, kept.maintenance, kept.words, kept.spools, 2 * kept.spools]
    assert ends == sorted(set(ends))
    for end, said in zip(ends, status.ROOM, strict=True):
        for left in (end + 1, end + (1 << 20)):
            free = left + store
            monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: real._replace(free=free))
            assert alone.run("status")[0] == (DONE if said == "enough" else INCOMPLETE)
            if said != "enough":
                red(alone, f"Little is free for the store: {said}.", "acknowledge")
                failed(alone, "space", "Make room")


def test_the_database_is_locked_by_somebody_who_writes_long(
    alone: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_PRAGMAS", ("busy_timeout=100", *store._PRAGMAS[1:]))
    other = sqlite3.connect(alone.site.settings.data / "intake.db", isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        red(alone, "the file is locked", "doctor")
        failed(alone, "store", "end what else has the database open")
    finally:
        other.close()
    assert alone.run("status")[0] == DONE


def test_the_database_is_read_only(alone: Host) -> None:
    """By its mode, which root does not feel; the site's user does."""
    (alone.site.settings.data / "intake.db").chmod(0o400)
    red(alone, "read-only: ", "chown")
    failed(alone, "data folder", "chown")
    (alone.site.settings.data / "intake.db").chmod(0o600)
    assert alone.run("status")[0] == DONE


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a file that is another user's")
@pytest.mark.parametrize("name", ["intake.db", "lock", "."])
def test_what_root_left_in_the_data_folder_is_found(alone: Host, name: str) -> None:
    """The site could not write it. Commands that would leave more of it are refused."""
    os.chown(alone.site.settings.data / name, 1, 1)
    red(alone, "Not owned by the user who runs this", "chown -R intake:")
    failed(alone, "data folder", "chown -R intake:")
    for command in (["maintain"], ["export", str(alone.root)], ["init"]):
        assert alone.run(*command)[0] == UNSAFE


def test_another_user_is_told_to_be_the_site_s(
    alone: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may not even look into the folder gets a sentence, too."""

    def closed(_: Path) -> Iterator[Path]:
        raise PermissionError

    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(Path, "iterdir", closed)
    red(alone, "Not owned by the user who runs this", "run intake-admin")
    for command in (["maintain"], ["export", str(alone.root)], ["init"]):
        assert alone.run(*command)[0] == UNSAFE


READ_ONLY = """
mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && shift 0
for command in status doctor maintain; do "$1" -m intake.admin $command; echo "=$?="; done
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="root mounts")
def test_the_disk_became_read_only(deployed: Host) -> None:
    """As Linux makes it when the disk fails."""
    inside = ["unshare", "--mount", "sh", "-c", READ_ONLY]
    done = subprocess.run(
        [*inside, deployed.site.settings.data, sys.executable],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"root may not mount here: {done.stderr}")
    shown, diagnosis, tried = done.stdout.split("=\n")[:3]
    assert shown.endswith(f"={INCOMPLETE}")
    assert "NOW: The store cannot be used" in shown
    assert "FAIL store: The store cannot be used" in diagnosis
    assert tried.endswith(f"={MACHINE}")
    assert "defect" not in done.stderr


def test_a_keyring_ends_at_night_and_nothing_that_is_stored_is_lost(
    alone: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status says so fourteen days before; then the page says that it is closed."""
    keyring = alone.site.made.keyring
    browser = alone.site.client()
    assert submit(browser, account=WORDS).status_code == 200
    stick = alone.root / "stick"
    stick.mkdir()

    def on(day: date) -> tuple[int, str]:
        monkeypatch.setattr(days, "clock", lambda: day)
        maintaining.maintain(alone.site.settings)
        return alone.run("status")[:2]

    said = f"by {keyring.expires}: After {keyring.expires} the site closes."
    assert said not in on(keyring.expires - 14 * DAY)[1]
    code, shown = on(keyring.expires - 13 * DAY)
    assert (code, said in shown) == (DONE, True)
    assert on(keyring.expires)[0] == DONE
    assert submit(browser, account=WORDS).status_code == 200
    code, shown = on(keyring.expires + DAY)
    assert (code, f"NOW: Keyring 1 expired on {keyring.expires}." in shown) == (INCOMPLETE, True)
    answer = submit(browser, "/en", seed="0" * 64, account=WORDS)
    assert (answer.status_code, CLOSED in answer.text) == (503, True)
    assert alone.site.store.counts().total() == 2
    made = list(exporting.Export(alone.site.settings, stick, terminal.progress).run(None))
    assert sum(one.header.count for one in made) == 1  # the older of the two periods


def test_two_admins_at_once(alone: Host) -> None:
    """One installs while the other exports or acknowledges: the second is told to wait."""
    settings = alone.site.settings
    files.write(alone.root / "keyring", alone.site.made.follow().raw)
    with chain.alone(settings):
        for command in (["export", alone.root], ["keyring", "install", alone.root / "keyring"]):
            code, _, why = alone.run(*command)
            assert (code, "Wait until it is done" in why) == (MACHINE, True)
        assert alone.run("status")[0] == DONE
    new, what = install.install(settings, [alone.site.made.follow().raw], lambda _: None)
    assert (new.version, what) == (2, "is in force")
