"""What goes wrong on a host: what a source is told, what an admin is told; and nothing is lost.

Each trouble is made on a machine that runs, and cured as the admin is told to. At the end all that
a source has a receipt for opens at the desk.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from intake.settings import ROOT
from tests.host import roots
from tests.host.hosts import DOOR, INSTALL, WORDS, Host
from tests.host.test_upgrade import change, named

pytestmark = pytest.mark.host

STORE = "/var/lib/intake/data/intake.db"
KEPT = "Your words are below: "
KNOCK = "import socket; socket.socket(socket.AF_UNIX).connect('/run/intake/web.sock')"
LOCK = (
    "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); "
    "db.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); input()"
)
APT = ("apt-get", "-qq", "install", "--yes", "--no-install-recommends")
# libfaketime (0.9.10) has each clock_nanosleep(2) fail if it leaves the monotonic clock as it is;
# then the site ended in its first second, and was begun again and again.
AWAKE = "/usr/local/lib/awake"
SLEEP = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds)[3:]\n"
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def troubled(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Yield a copy of the host that runs, with a keyring in force."""
    with host.running(tmp_path_factory.mktemp("troubled") / "host") as copy:
        yield copy


@pytest.fixture(scope="module")
def sent() -> list[str]:
    """Return the words for which a receipt was shown."""
    return []


@pytest.fixture(autouse=True)
def _well_again(troubled: Host, sent: list[str]) -> Iterator[None]:
    """After each trouble the site takes a testimony."""
    yield
    sent.append(f"{WORDS} {next(NUMBERS)}")
    troubled.visitor.send(sent[-1])


def refused(host: Host) -> None:
    """A source is told that nothing was stored; the words are still there, and no receipt."""
    visitor = host.visitor
    fields = visitor.form(f"{WORDS} refused")
    status, page = visitor.post(fields)
    assert status == 503
    assert KEPT in page
    assert fields["account"] in page
    assert not re.search(r"<li>\d{4}</li>", page)


def told(host: Host) -> str:
    """Return what doctor says is wrong."""
    said = host.run("intake-admin", "doctor", code=None)
    return "\n".join(line for line in said.splitlines() if line.startswith(("FAIL", "warn")))


def test_the_door_has_another_owner(troubled: Host) -> None:
    machine = troubled.on()
    tor = ("setpriv", "--reuid=debian-tor", "--regid=debian-tor", "--init-groups", "--")
    knock = (*tor, "python3", "-c", KNOCK)
    machine.run(*knock)
    machine.run("chgrp", "root", DOOR)
    assert "PermissionError" in machine.run(*knock, code=1)
    assert "tor cannot" in told(troubled)
    machine.run("systemctl", "restart", "intake.socket", "intake.service")
    machine.run(*knock)
    machine.run("chmod", "666", DOOR)
    assert "others can" in told(troubled)
    machine.run("systemctl", "restart", "intake.socket", "intake.service")
    assert "come in" not in told(troubled)


def test_tor_is_down(troubled: Host) -> None:
    machine = troubled.on()
    machine.run("systemctl", "stop", "tor@default.service")
    assert "tor does not run" in told(troubled)
    machine.run("systemctl", "start", "tor@default.service")
    assert "tor does not run" not in told(troubled)


def test_the_site_is_down(troubled: Host) -> None:
    """And comes back by itself, with whoever waited at the door."""
    machine = troubled.on()
    machine.run("systemctl", "kill", "--signal=KILL", "intake.service")
    assert troubled.visitor.ask("GET", "/en")[0] == 200
    machine.run("systemctl", "stop", "intake.socket", "intake.service")
    with pytest.raises(OSError, match=r"refused|No such"):
        troubled.visitor.ask("GET", "/en")
    assert "FAIL" in told(troubled)
    machine.run("systemctl", "start", "intake.socket", "intake.service")


def test_the_store_cannot_be_written(troubled: Host) -> None:
    machine = troubled.on()
    machine.run("chmod", "400", STORE)
    try:
        refused(troubled)
    finally:
        machine.run("chmod", "600", STORE)


def test_the_store_is_locked(troubled: Host) -> None:
    """By a program that knows nothing of ours: while it is, sources wait, and are told."""
    command = ("python3", "-c", LOCK, STORE)
    with troubled.on().running(*command, given=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        refused(troubled)


def test_the_clock_is_more_than_a_year_behind(troubled: Host) -> None:
    """For the site alone, as libfaketime has it: it goes on with the last day that it was sure of.

    What comes is sealed to this week's key: it is opened with it at the end.
    """
    machine = troubled.on()
    machine.run(*APT, "libfaketime", network=True)
    assert troubled.visitor.ask("GET", "/en")[0] == 200  # of today it is sure
    (library,) = troubled.root.at("/usr/lib").glob("*/faketime/libfaketime.so.1")
    name = f"/{library.relative_to(troubled.root.path)}"
    machine.at(AWAKE).mkdir(parents=True)
    (machine.at(AWAKE) / "sitecustomize.py").write_text(SLEEP)
    folder = machine.at("/run/systemd/system/intake.service.d")
    folder.mkdir(parents=True)
    clock = (
        f"LD_PRELOAD={name} FAKETIME=-400d FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DISABLE_SHM=1"
    )
    (folder / "clock.conf").write_text(f"[Service]\nEnvironment={clock} PYTHONPATH={AWAKE}\n")
    try:
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", "intake.service")
        behind = machine.run("env", *clock.split(), "date", "+%Y").strip()
        assert int(behind) < int(machine.run("date", "+%Y"))
        maps = Path(f"/proc/{machine.number('intake.service')}/maps").read_text()
        assert "libfaketime" in maps
        troubled.visitor.send(f"{WORDS} behind")
        first = machine.number("intake.service")
        time.sleep(1)  # in which it had ended
        troubled.visitor.send(f"{WORDS} still behind")
        assert machine.number("intake.service") == first, "it did not go on by itself"
    finally:
        (folder / "clock.conf").unlink()
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", "intake.service")


def test_the_disk_is_full(troubled: Host, sent: list[str]) -> None:
    """Sources are told; the admin is told; and with room it goes on, as if nothing had been."""
    with room(troubled, 1 << 19):
        for _ in range(200):
            visitor = troubled.visitor
            fields = visitor.form(f"{WORDS} {(number := next(NUMBERS))}")
            status, page = visitor.post(fields)
            if status != 200:
                break
            sent.append(f"{WORDS} {number}")
        assert (status, KEPT in page, fields["account"] in page) == (503, True, True)
        assert "room" in told(troubled) or "space" in told(troubled)
        said = troubled.run("systemctl", "start", "intake-maintain.service", code=None)
        assert "failed" in said
    troubled.run("systemctl", "start", "intake-maintain.service")


def test_the_disk_is_full_in_the_middle_of_an_upgrade(troubled: Host) -> None:
    before = named(troubled)
    troubled.root.bring(roots.checkout(), ROOT)
    change(troubled, 0)
    with room(troubled, 6 << 20):
        said = troubled.run(*INSTALL, network=True, code=7)
        assert "No space left" in said or "room" in said
        assert named(troubled) == before
        assert troubled.visitor.ask("GET", "/en")[0] == 200


@contextlib.contextmanager
def room(host: Host, spare: int) -> Iterator[None]:
    """Let a machine's disk have so many bytes left."""
    machine = host.on()
    size = shutil.disk_usage(host.root.path).used + spare
    machine.run("mount", "-o", f"remount,size={size}", "/")
    try:
        yield
    finally:
        machine.run("mount", "-o", f"remount,size={roots.DISK}", "/")


def test_all_that_has_a_receipt_opens_at_the_desk(troubled: Host, sent: list[str]) -> None:
    read = troubled.read()
    assert sent
    assert {*sent, f"{WORDS} behind"} <= set(read)
    assert not [words for words in read if words.endswith("refused")]
