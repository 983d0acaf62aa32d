"""What systemd says of our units: that it can read them, and how exposed each service is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.host.hosts import Host

pytestmark = pytest.mark.host

UNITS = ("intake.socket", "intake.service", "intake-maintain.service", "intake-maintain.timer")
TOR = "tor@default.service"
# Most exposure, as systemd counts it: 0 is none, 10 is all. Tor speaks to the network.
MOST = {"intake.service": 1.0, "intake-maintain.service": 1.0, TOR: 4.5}


def overall(said: str, unit: str) -> float:
    """Return the exposure of a unit, which stands at the end of what systemd says."""
    found = re.search(rf"Overall exposure level for {re.escape(unit)}: ([0-9.]+) ", said)
    assert found is not None, said
    return float(found[1])


def test_systemd_finds_nothing_wrong_with_our_units(host: Host) -> None:
    said = host.run("systemd-analyze", "verify", "--man=no", *UNITS, TOR)
    assert [line for line in said.splitlines() if re.search(r"intake|tor@", line)] == []


def test_a_unit_with_a_wrong_line_is_found(host: Host) -> None:
    """The control: the check above can fail."""
    path = host.root.at("/etc/systemd/system/intake-wrong.service")
    path.write_text("[Service]\nExecStart=/usr/bin/true\nPrivateNetwrok=yes\n")
    try:
        assert "PrivateNetwrok" in host.run("systemd-analyze", "verify", "--man=no", path.name)
    finally:
        path.unlink()


def test_no_service_is_more_exposed_than_it_was(
    host: Host, record_property: Callable[[str, object], None]
) -> None:
    lines = []
    for unit, most in MOST.items():
        said = host.run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
        found = overall(said, unit)
        lines.append(f"{found:>4} of at most {most}  {unit}")
        bad = re.findall(r"^✗ (\S+) +(.*?) +([0-9.]+)\s*$", said, re.MULTILINE)
        lines += [f"       {cost}  {name}  {what}" for name, what, cost in bad]
        assert found <= most, "\n".join(lines)
    version = host.run("systemctl", "--version").split()[1]
    record_property(f"Exposure as systemd {version} counts it, {host.suite}", "\n".join(lines))


def test_a_unit_without_its_walls_is_more_exposed(host: Host) -> None:
    """The control: a unit that may speak to the network and gain rights is over the limit."""
    path = host.root.at("/etc/systemd/system/intake-open.service")
    text = host.root.at("/etc/systemd/system/intake.service").read_text(encoding="utf-8")
    path.write_text(re.sub(r"(?m)^(RestrictAddress|PrivateNet|CapabilityB|NoNew).*\n", "", text))
    try:
        said = host.run("systemd-analyze", "security", "--offline=true", "--no-pager", path.name)
        assert overall(said, path.name) > MOST["intake.service"]
    finally:
        path.unlink()
