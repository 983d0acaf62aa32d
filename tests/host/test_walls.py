"""What a process can still do that took over one of our services: systemd's own walls, executed.

Each wall is taken away once, and what it keeps out comes in: so the probe can see.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.host import units
from tests.host.booted import Booted
from tests.host.hosts import Host

pytestmark = pytest.mark.host

PROBE = Path(__file__).with_name("probe.py")
SERVICES = ("intake.service", "intake-maintain.service")
MAY = {"write in the data", "speak to a socket of this machine", "start a program"}
DATA = "/var/lib/intake/data"
HARMLESS = {
    *("char", "console", "core", "fd", "full", "hugepages", "log", "mqueue", "null", "ptmx"),
    *("pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"),
}
# A line that is taken away or changed, and what can be done without it.
FALLS = {
    "RestrictAddressFamilies=AF_UNIX AF_INET": {"speak IPv4"},
    "RestrictAddressFamilies=": {"speak IPv4", "speak IPv6", "ask the kernel about networks"},
    "SystemCallFilter=": {"be traced"},
    "RestrictNamespaces=no": {"make a user namespace"},
    "LockPersonality=no": {"be another machine"},
    "MemoryDenyWriteExecute=no": {"write and execute memory"},
    "RestrictSUIDSGID=no": {"make a program suid"},
    "ProcSubset=all": {"read the machine's memory figures"},
    "ProtectProc=default": {"see the first process"},
    "ProtectSystem=no": {"write in keys", "write on the stick"},
    "ReadWritePaths=/var/lib/intake /srv/intake": {"write in keys", "write on the stick"},
    "TemporaryFileSystem=": set(),  # they are read-only with everything else
    "TemporaryFileSystem=\nReadWritePaths=/tmp /var/tmp": {"write in /tmp", "write in /var/tmp"},
    "ProtectHome=no": {"look into /home"},
}


def probed(machine: Booted, unit: str, *changes: str) -> dict[str, Any]:
    """Start the probe in the place of a service, with some of its lines changed."""
    machine.at("/usr/local/lib/probe.py").write_text(PROBE.read_text(encoding="utf-8"))
    machine.at("/usr/local/lib/probe.py").chmod(0o644)
    text = machine.at(f"/etc/systemd/system/{unit}").read_text(encoding="utf-8")
    text = re.sub(r"^(Exec|Restart|Type|Requires|After|Watchdog).*\n", "", text, flags=re.MULTILINE)
    command = f"/opt/intake/current/venv/bin/python /usr/local/lib/probe.py {DATA}"
    own = ["Type=oneshot", f"ExecStart={command}", "StandardOutput=truncate:/run/probe", *changes]
    machine.at("/run/systemd/system").mkdir(exist_ok=True)
    made = machine.at("/run/systemd/system/intake-probe.service")
    made.write_text(text.partition("[Install]")[0] + "\n[Service]\n" + "\n".join(own) + "\n")
    machine.run("systemctl", "daemon-reload")
    try:
        machine.run("systemctl", "start", "intake-probe.service")
    finally:
        made.unlink()
    found: dict[str, Any] = json.loads(machine.at("/run/probe").read_text())
    return found


@pytest.mark.parametrize("unit", SERVICES)
def test_whoever_takes_over_a_service_gets_no_further(
    host: Host, machine: Booted, unit: str
) -> None:
    found = probed(machine, unit)
    assert set(found["could"]) == MAY
    assert set(found["capabilities"]) == {"0" * 16}
    assert found["core"] == [0, 0]
    assert found["mode"] == 0o600
    assert found["new privileges"] is False
    assert len(set(found["groups"])) == 1
    assert found["network"] != Path(f"/proc/{machine.first}/ns/net").stat().st_ino
    assert set(found["devices"]) <= HARMLESS
    wanted = units.load(host.root.path, unit)
    if limit := wanted.get("LimitNOFILE"):
        assert found["files"] == [int(limit)] * 2


@pytest.mark.parametrize("change", FALLS)
def test_each_wall_that_is_taken_away_lets_something_in(machine: Booted, change: str) -> None:
    before = ["ReadWritePaths="] if change.startswith("ReadWritePaths") else []
    found = probed(machine, "intake.service", *before, *change.split("\n"))
    assert set(found["could"]) - MAY == FALLS[change]


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ("PrivateNetwork=no", "network"),
        ("LimitCORE=infinity", "core"),
        ("LimitNOFILE=1024", "files"),
        ("UMask=0000", "mode"),
        ("CapabilityBoundingSet=CAP_CHOWN", "capabilities"),
        ("SupplementaryGroups=debian-tor", "groups"),
    ],
)
def test_each_limit_that_is_lifted_is_seen(machine: Booted, change: str, fact: str) -> None:
    found = probed(machine, "intake.service")
    assert probed(machine, "intake.service", change)[fact] != found[fact]


def test_what_runs_is_as_its_unit_says(host: Host, machine: Booted) -> None:
    """The site and tor themselves, as the kernel has them."""
    for unit, number in (("intake.service", "0" * 16), ("tor@default.service", None)):
        process = machine.number(unit)
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
        lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert lines["NoNewPrivs"] == "1"
        assert int(lines["Seccomp_filters"]) > 0
        assert number in {None, lines["CapBnd"]}
        assert "0" not in lines["Uid"].split()
        limits = Path(f"/proc/{process}/limits").read_text(encoding="ascii")
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
    site = machine.number("intake.service")
    own = Path(f"/proc/{site}/ns/net").readlink()
    assert own != Path(f"/proc/{machine.first}/ns/net").readlink()
    told = units.load(host.root.path, "intake.service")
    assert machine.show("intake.service", "TasksMax") == {"TasksMax": told.get("TasksMax")}
