"""Every system call of the site and of its maintenance, traced, and held to the unit's filter.

The host is switched off, and the units run without systemd: so a call that its filter would refuse
is made, and seen. Beside it, systemd shows that a filter without what is needed stops the site.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.host import booted, units
from tests.host.hosts import Host
from tests.host.roots import Root
from tests.host.services import Door, Service
from tests.host.units import Unit
from tests.host.visitor import Visitor

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed"),
]

# Where another call came between, its line is cut in two: its arguments are in the first half.
CALL = re.compile(r"^\d+ +([a-z_0-9]+)\((.*)", re.MULTILINE)
UPLOAD = 3 << 20  # bytes
WAIT = 60.0  # seconds


@dataclass(frozen=True)
class Trace:
    """What a traced service asked the kernel for, from its program's start on."""

    calls: tuple[tuple[str, str], ...]

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.calls}

    def of(self, *names: str) -> list[str]:
        """Return the arguments of some calls."""
        return [arguments for name, arguments in self.calls if name in names]


def traced(folder: Path) -> tuple[Path, list[str]]:
    """Return a file, and the words that trace a command into it, which goes on as itself."""
    path = folder / f"trace-{secrets.token_hex(4)}"
    return path, ["strace", "-DD", "-f", "-qq", "-s", "0", "-o", str(path)]


def read(path: Path, program: str) -> Trace:
    """Return what a program and its children called; what stands before it is the runner's."""
    until, size = time.monotonic() + WAIT, -1
    while (now := path.stat().st_size) != size and time.monotonic() < until:
        size = now
        time.sleep(0.5)  # the tracer writes a little longer than they live
    text = path.read_text(encoding="utf-8", errors="replace")
    start = re.search(rf'^\d+ +execve\("{program}".* = 0$', text, re.MULTILINE)
    assert start is not None, text[-2000:]
    return Trace(tuple(CALL.findall(text[start.end() :])))


def allowed(root: Root, unit: Unit) -> set[str]:
    """Return the names of the calls that a unit's filter allows, with systemd's own sets."""
    found: set[str] = set()
    for number, value in enumerate(unit.all("SystemCallFilter")):
        taken = value.startswith("~")
        assert taken != (number == 0), "the first one must allow, and the others take away"
        for word in value.removeprefix("~").split():
            found = found - expanded(root, word) if taken else found | expanded(root, word)
    return found


def expanded(root: Root, word: str) -> set[str]:
    """Return the calls of a set, and of the sets in it."""
    if not word.startswith("@"):
        return {word}
    said = root.run("systemd-analyze", "syscall-filter", word)
    words = re.findall(r"^    ([@a-z_0-9-]+)$", said, re.MULTILINE)
    assert words, said
    return {name for each in words for name in expanded(root, each)}


@pytest.fixture(scope="module")
def kept(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Yield a copy of the host, switched off, with a keyring in force."""
    copy = host.copy(tmp_path_factory.mktemp("traced") / "host")
    if copy.desk is None:
        copy.install_keyring()
    yield copy
    copy.remove()


@pytest.fixture(scope="module")
def site(kept: Host, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """Return the site's calls: testimonies, a file, the way back, a worker killed, a restart."""
    folder, root = tmp_path_factory.mktemp("site"), kept.root.path
    unit = units.load(root, "intake.service")
    path, before = traced(folder)
    with Door(root, units.load(root, "intake.socket")) as door:
        with Service(root, unit, folder, [door], before=before) as started:
            visitor = Visitor(door.path)
            receipt = visitor.send()
            visitor.file(receipt, secrets.token_bytes(UPLOAD))
            assert visitor.post({"receipt": receipt}, "/en/back")[0] in {200, 404}
            assert visitor.ask("GET", "/nowhere")[0] == 404
            assert visitor.ask("HEAD", "/")[0] == 200
            assert started.main is not None
            children = Path(f"/proc/{started.main.pid}/task/{started.main.pid}/children")
            os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
            for _ in range(8):
                Visitor(door.path).send()
        first = read(path, unit.lines("ExecStart")[0].words[0])
        again, before = traced(folder)
        with Service(root, unit, folder, [door], before=before):
            Visitor(door.path).send()
        second = read(again, unit.lines("ExecStart")[0].words[0])
    return Trace(first.calls + second.calls)


@pytest.fixture(scope="module")
def maintenance(kept: Host, site: Trace, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """Return the calls of a maintenance, of a store with rows in it."""
    assert site.calls
    folder, root = tmp_path_factory.mktemp("maintenance"), kept.root.path
    unit = units.load(root, "intake-maintain.service")
    path, before = traced(folder)
    Service(root, unit, folder, before=before).start()
    return read(path, unit.lines("ExecStart")[0].words[0])


@pytest.mark.parametrize("name", ["intake.service", "intake-maintain.service"])
class TestCalls:
    @pytest.fixture
    def trace(self, name: str, site: Trace, maintenance: Trace) -> Trace:
        return site if name == "intake.service" else maintenance

    def test_the_filter_allows_every_call(self, name: str, trace: Trace, kept: Host) -> None:
        unit = units.load(kept.root.path, name)
        assert {"openat", "exit_group"} <= trace.names
        assert trace.names & {"fsync", "fdatasync"}  # SQLite takes the one or the other
        assert trace.names - allowed(kept.root, unit) == set()

    def test_only_unix_sockets_are_asked_for(self, name: str, trace: Trace) -> None:
        families = {re.split(r"[,)]", args)[0] for args in trace.of("socket", "socketpair")}
        assert families <= {"AF_UNIX"}, name
        assert ("AF_UNIX" in families) == (name == "intake.service")

    def test_no_memory_is_written_and_executed(self, name: str, trace: Trace) -> None:
        """As MemoryDenyWriteExecute has it: nor is any made executable later."""
        asked = trace.of("mmap", "mprotect", "pkey_mprotect")
        assert any("PROT_EXEC" in args for args in asked), name
        assert not [args for args in asked if "PROT_EXEC" in args and "PROT_WRITE" in args]
        later = trace.of("mprotect", "pkey_mprotect")
        assert not [args for args in later if "PROT_EXEC" in args]

    @pytest.mark.parametrize("group", ["@file-system", "@network-io", "@process", "@sync"])
    def test_a_filter_without_a_group_that_is_needed_is_seen(
        self, name: str, trace: Trace, kept: Host, group: str
    ) -> None:
        if name == "intake-maintain.service" and group in {"@network-io", "@process"}:
            pytest.skip("maintenance speaks to nobody, and starts nothing")
        unit = units.load(kept.root.path, name)
        rest = allowed(kept.root, unit) - expanded(kept.root, group)
        assert trace.names - rest


def test_a_site_whose_filter_lacks_a_group_does_not_start(
    kept: Host, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As systemd executes it; the control is that it starts without the change."""
    if why := booted.cannot():
        pytest.skip(f"systemd's own sandbox was not executed here: {why}")
    copy = kept.copy(tmp_path_factory.mktemp("filter") / "host")
    try:
        machine = copy.on()
        assert machine.show("intake.service", "ActiveState")["ActiveState"] == "active"
        folder = machine.at("/run/systemd/system/intake.service.d")
        folder.mkdir(parents=True)
        (folder / "less.conf").write_text("[Service]\nSystemCallFilter=~@file-system\nRestart=no\n")
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", "intake.service", code=1)
        assert machine.show("intake.service", "ActiveState")["ActiveState"] == "failed"
    finally:
        copy.remove()
