"""One command on a bare Debian: a site that takes testimonies, and nothing that it does not need.

The tests of this file are one story, in order, of one machine that stays on.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.host.booted import Booted
from tests.host.hosts import DOOR, INSTALL, WORDS, Host

pytestmark = pytest.mark.host

CURRENT = "opt/intake/current"
OURS = ("data", "keys")  # below /var/lib/intake
# Folders of a checkout that no server needs, and parts of one that open what is sealed.
NEVER = re.compile(
    r"(^|/)(\.git|\.venv|\.ci|desk|ceremony|tests|docs|node_modules)(/|$)|/test_[^/]*\.py$"
)
WRITABLE = ("var/lib/intake/data", "var/lib/intake/keys", "srv/intake")

Tree = Mapping[str, tuple[object, ...]]


def changes(before: Tree, after: Tree) -> list[str]:
    """Return the paths that are not as they were; what tor writes of its own state is left out."""
    own = {"var/lib/tor/state", "var/lib/tor/lock"}
    return sorted(p for p in {**before, **after} if before.get(p) != after.get(p) and p not in own)


def release(host: Host) -> Path:
    """Return the folder of the release that is in force."""
    link = host.root.at(CURRENT)
    return link.parent / link.readlink()


def test_the_command_says_what_comes_next(host: Host) -> None:
    assert re.search(r"^Address {3}[a-z2-7]{56}\.onion$", host.said, re.MULTILINE), host.said
    assert "it answers 503: closed, for want of a keyring" in host.said
    assert "intake-admin keyring install FILE" in host.said.splitlines()[-1]


def test_its_services_run_and_none_has_failed(machine: Booted) -> None:
    for unit in ("intake.socket", "intake.service", "tor@default.service", "intake-maintain.timer"):
        assert machine.show(unit, "ActiveState", "UnitFileState", "NRestarts")["ActiveState"] == (
            "active"
        ), machine.run("systemctl", "status", "--no-pager", unit, code=None)
    said = machine.run("systemctl", "--failed", "--plain", "--no-legend", "--no-pager")
    # The kernel is another machine's, and its modules are not in this root.
    assert {line.split()[0] for line in said.splitlines()} <= {"systemd-modules-load.service"}


def test_before_a_keyring_the_site_says_that_it_is_closed(host: Host, machine: Booted) -> None:
    status, page = host.visitor.ask("GET", "/en")
    assert status == 503
    assert "We cannot take letters just now" in page
    assert machine.run("intake-admin", "status", code=None)


def test_a_burmese_testimony_opens_at_the_desk(host: Host, machine: Booted) -> None:
    host.install_keyring()
    assert len(host.visitor.send()) == 24
    assert host.read() == [WORDS]
    assert machine.show("intake.service", "NRestarts")["NRestarts"] == "0"


def test_it_comes_back_with_the_machine(host: Host, machine: Booted) -> None:
    """In the order that a machine starts in, by itself."""
    machine.reboot()
    assert host.visitor.ask("GET", "/en")[0] == 200
    assert machine.show("tor@default.service", "ActiveState")["ActiveState"] == "active"


def test_a_power_cut_loses_nothing_of_what_has_a_receipt(host: Host, machine: Booted) -> None:
    host.visitor.send(WORDS * 2)
    machine.crash()
    machine.start()
    assert sorted(host.read()) == sorted([WORDS, WORDS * 2])


def test_maintenance_does_its_work_behind_its_walls(host: Host, machine: Booted) -> None:
    """As its timer starts it: the store has a fresh file, and the site is started anew."""
    path = host.root.at("/var/lib/intake/data/intake.db")
    before, process = path.stat().st_ino, machine.show("intake.service", "MainPID")
    machine.run("systemctl", "start", "intake-maintain.service")
    assert machine.show("intake-maintain.service", "Result")["Result"] == "success"
    assert path.stat().st_ino != before
    assert owner(host, "var/lib/intake/data/intake.db") == "intake:intake"
    assert machine.show("intake.service", "MainPID") != process
    assert host.visitor.ask("GET", "/en")[0] == 200


def test_again_nothing_changes(host: Host, machine: Booted) -> None:
    before = host.root.tree()
    started = machine.show("tor@default.service", "ExecMainStartTimestampMonotonic")
    said = machine.run(*INSTALL)
    assert "Nothing had to be changed" in said
    assert changes(before, host.root.tree()) == []
    assert started == machine.show("tor@default.service", "ExecMainStartTimestampMonotonic")


def test_no_word_and_no_visit_is_in_the_journal(host: Host, machine: Booted) -> None:
    """Nor on the disk: what was typed, and the circuits' numbers. The journal is in memory."""
    visitor = host.visitor
    before, kept = machine.journal().count("\n_COMM=python"), host.root.tree("var/log")
    visitor.send()
    visitor.ask("GET", "/nowhere")
    machine.run("journalctl", "--sync")
    journal = machine.journal()
    assert journal.count("\n_COMM=python") == before
    assert WORDS not in journal
    assert "fc00:dead:beef" not in journal
    assert host.root.tree("var/log") == kept  # the journal of before stays as it was
    assert any(path.suffix == ".journal" for path in machine.at("/run/log/journal").rglob("*"))
    files = [path for path in host.root.paths() if path.is_file() and not path.is_symlink()]
    needle = WORDS[:20].encode()
    found = [path for path in files if needle in path.read_bytes()]
    source = re.compile(r"checkout/|/locale/")
    assert not [path for path in found if not source.search(str(path))]


def test_only_the_server_s_files_are_there(host: Host) -> None:
    """No desk, no ceremony, no test, no history; and the site runs without them, as seen above."""
    names = [
        str(p.relative_to(release(host))) for p in host.root.paths(str_of(release(host), host))
    ]
    ours = [name for name in names if not name.startswith("venv/")]
    assert "intake/server/site.py" in ours
    assert [name for name in ours if NEVER.search(name)] == []
    assert not [name for name in names if re.match(r"venv/.*/(pytest|pip|setuptools)(/|$)", name)]


def str_of(path: Path, host: Host) -> str:
    """Return a path of this machine as one of the host."""
    return str(path.relative_to(host.root.path))


def test_the_site_s_user_can_write_its_data_and_nothing_else(host: Host) -> None:
    """Whoever may write a file, may: its owner, its group, or all."""
    users = host.root.at("etc/passwd").read_text()
    number = int(re.findall(r"^intake:x:(\d+):", users, re.MULTILINE)[0])
    assert re.search(r"^intake:.*:/nonexistent:/usr/sbin/nologin$", users, re.MULTILINE)
    groups = host.root.at("etc/group").read_text()
    own = {int(n) for n in re.findall(r"^intake:x:(\d+):", groups, re.MULTILINE)}
    others = re.findall(r"^(?!intake:)\w.*[:,]intake\b.*$", groups, re.MULTILINE)
    assert others == []
    outside = []
    for path in host.root.paths():
        seen, name = path.lstat(), str_of(path, host)
        can = (
            (seen.st_uid == number and seen.st_mode & stat.S_IWUSR)
            or (seen.st_gid in own and seen.st_mode & stat.S_IWGRP)
            or (seen.st_mode & stat.S_IWOTH and not seen.st_mode & stat.S_ISVTX)
        )
        if can and not path.is_symlink() and not name.startswith(WRITABLE):
            outside.append(name)
    assert outside == []


def test_nobody_else_can_write_or_read_what_is_the_site_s(host: Host) -> None:
    modes = {
        name: (stat.filemode(host.root.at(name).stat().st_mode), owner(host, name))
        for name in (*WRITABLE, "opt/intake/releases", "etc/intake/site.env", "etc/tor/torrc")
    }
    assert modes == {
        "var/lib/intake/data": ("drwx------", "intake:intake"),
        "var/lib/intake/keys": ("drwxr-xr-x", "intake:intake"),
        "srv/intake": ("drwxr-x---", "intake:intake"),
        "opt/intake/releases": ("drwxr-xr-x", "root:root"),
        "etc/intake/site.env": ("-rw-r--r--", "root:root"),
        "etc/tor/torrc": ("-rw-r--r--", "root:root"),
    }
    wrong = [
        str_of(path, host)
        for path in host.root.paths("opt/intake")
        if owner(host, str_of(path, host)) != "root:root"
        or (not path.is_symlink() and path.lstat().st_mode & 0o022)
    ]
    assert wrong == []


def test_the_door_is_open_to_tor_alone(machine: Booted) -> None:
    """Its group and mode are what systemd made, on the machine that runs."""
    said = machine.run("stat", "--format=%U:%G %a", DOOR).strip()
    assert said == "intake:debian-tor 660"


def test_nothing_suid_was_added(host: Host) -> None:
    after = host.root.tree()
    kinds = re.compile(r"^-..[sS]|^-.....[sS]")
    bits = {n: seen[0] for n, seen in after.items() if kinds.match(str(seen[0]))}
    new = {name for name in bits if name not in host.before}
    assert new == set()
    assert {n: host.before[n][0] for n in bits} == bits


def owner(host: Host, name: str) -> str:
    """Return the names of a file's user and group, as the host knows them."""
    seen = host.root.at(name).lstat()
    names = []
    for number, file in ((seen.st_uid, "passwd"), (seen.st_gid, "group")):
        lines = host.root.at(f"etc/{file}").read_text()
        names += re.findall(rf"^([^:]+):[^:]*:{number}:", lines, re.MULTILINE)[:1]
    return ":".join(names)
