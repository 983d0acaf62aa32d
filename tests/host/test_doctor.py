"""Doctor and status on a host that was just installed: as systemd, tor and this kernel show it.

The tests of this file are one story of a copy of the host. What tests/test_doctor_host.py makes up
of files is real here: the processes in their bounds, the units in force, the socket, the timer.

Rules:
- The kernel's own settings cannot be written from inside such a machine, and where this one's
  control groups are of version 1, none bounds its swap. Doctor says both, and nothing else fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.host.booted import Booted
from tests.host.hosts import DOOR, Host

pytestmark = pytest.mark.host

# Of a machine in a folder, with a keyring of a test.
DOUBTS = {"disk", "freed memory", "keyring", "swap", "time", "wording"}
ONLY_SWAP = "The site runs without its bounds: it may be swapped to a disk. ->"
DROPIN = "/etc/systemd/system/intake.service.d/override.conf"


@pytest.fixture(scope="module")
def examined(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Yield a copy of the host that runs, with a keyring in force."""
    with host.running(tmp_path_factory.mktemp("examined") / "host") as copy:
        yield copy


@pytest.fixture
def there(examined: Host) -> Booted:
    return examined.on()


def diagnosis(machine: Booted) -> dict[str, tuple[str, str]]:
    """Return what doctor says: level and line of each check."""
    said = machine.run("intake-admin", "doctor", code=None)
    found = re.findall(r"^(ok|warn|FAIL) +([a-z ]+): (.*)$", said, re.MULTILINE)
    assert len(found) > 20, said
    return {name: (level, line) for level, name, line in found}


def failing(machine: Booted) -> set[str]:
    """Return the checks that fail though this machine could do better."""
    found = diagnosis(machine)
    known = {"kernel"}
    controllers = machine.at("/sys/fs/cgroup/cgroup.controllers").read_text(encoding="utf-8")
    if "memory" not in controllers.split():
        known |= {"processes"} if found["processes"][1].startswith(ONLY_SWAP) else set()
    return {name for name, (level, _) in found.items() if level == "FAIL"} - known


def test_nothing_fails_after_the_installation(there: Booted) -> None:
    there.run("systemctl", "start", "intake-maintain.service")
    found = diagnosis(there)
    assert failing(there) == set(), found
    assert {name for name, (level, _) in found.items() if level == "warn"} <= DOUBTS, found
    assert found["door"][0] == found["units"][0] == found["release"][0] == "ok"


def test_status_is_green_and_asks_the_site(there: Booted) -> None:
    shown = there.run("intake-admin", "status")
    assert shown.startswith("GREEN")
    assert "site     answers" in shown
    assert "tor      runs" in shown
    assert re.search(r"maintenance \d{4}-\d\d-\d\d$", shown, re.MULTILINE)


def test_a_line_that_is_taken_away_is_named_and_so_is_what_it_lets_happen(there: Booted) -> None:
    """Doctor sees both that it is not in force, and the processes that run without it."""
    folder = DROPIN.rpartition("/")[0]
    there.run("mkdir", "-p", folder)
    text = "[Service]\nPrivateNetwork=no\nNoNewPrivileges=no\nSystemCallFilter=\n"
    there.run("tee", DROPIN, given=f"{text}RestrictSUIDSGID=no\nLimitCORE=infinity\n")
    there.run("systemctl", "daemon-reload")
    there.run("systemctl", "restart", "intake.service")
    try:
        found = diagnosis(there)
        assert found["units"][0] == found["processes"][0] == "FAIL"
        assert "PrivateNetwork=yes is not in force" in found["units"][1]
        assert "open no connection" in found["units"][1]
        assert "it may dump core" in found["processes"][1]
    finally:
        there.run("rm", "-r", folder)
        there.run("systemctl", "daemon-reload")
        there.run("systemctl", "restart", "intake.service")
    assert failing(there) == set()


@pytest.mark.parametrize(
    ("spoil", "check", "mend"),
    [
        (f"chmod 0666 {DOOR}", "door", "systemctl restart intake.socket"),
        (f"chown root {DOOR}", "door", "systemctl restart intake.socket"),
        ("echo 'SocksPort 9050' >>/etc/tor/torrc", "torrc", "sed -i /9050/d /etc/tor/torrc"),
        ("systemctl stop tor@default", "tor", "systemctl start tor@default"),
        (
            "systemctl stop intake.socket intake.service",
            "door",
            "systemctl start intake.socket intake.service",
        ),
        (
            "systemctl disable intake-maintain.timer",
            "units",
            "systemctl enable intake-maintain.timer",
        ),
        ("chmod o+w /opt/intake/current/app.py", "release", "chmod o-w /opt/intake/current/app.py"),
        ("usermod --shell /bin/sh intake", "user", "usermod --shell /usr/sbin/nologin intake"),
        (
            "chown root /var/lib/intake/data/intake.db",
            "data folder",
            "chown intake /var/lib/intake/data/intake.db",
        ),
    ],
)
def test_what_is_wrong_is_named_until_it_is_mended(
    there: Booted, spoil: str, check: str, mend: str
) -> None:
    there.run("sh", "-ec", spoil)
    try:
        assert check in failing(there)
    finally:
        there.run("sh", "-ec", f"systemctl reset-failed; {mend}")
    assert failing(there) == set()
