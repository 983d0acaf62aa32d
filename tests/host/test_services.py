"""Each command of each unit, run for real without systemd: under setpriv, and without a network.

The host is switched off. What a unit's lines say is done here by other programs (services.py), and
what only systemd does is printed; so this holds on a machine where systemd cannot be executed too.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.host import units
from tests.host.hosts import DOOR, Host
from tests.host.roots import Root
from tests.host.services import Door, Failed, Service
from tests.host.test_install import changes
from tests.host.visitor import WORDS, Visitor

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def kept(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Yield a copy of the host, switched off, with a keyring in force."""
    copy = host.copy(tmp_path_factory.mktemp("kept") / "host")
    if copy.desk is None:
        copy.install_keyring()
    yield copy
    copy.remove()


@contextlib.contextmanager
def site(host: Host, folder: Path, *before: str) -> Iterator[Service]:
    """Yield the site, started at its door, with words that the command is put behind."""
    root = host.root.path
    with Door(root, units.load(root, "intake.socket")) as door:
        unit = units.load(root, "intake.service")
        with Service(root, unit, folder, [door], before=before) as started:
            yield started


def test_what_is_left_to_systemd_is_said(
    still: Root, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    names = ("intake.service", "intake-maintain.service", "tor@default.service")
    lefts = {n: Service(still.path, units.load(still.path, n), tmp_path).left for n in names}
    assert all(lefts.values())
    text = "\n".join(f"{name}: {' '.join(left)}" for name, left in lefts.items())
    record_property("Of these lines systemd's own sandbox is the only one that could do them", text)


def test_the_site_runs_as_its_unit_says(kept: Host, tmp_path: Path) -> None:
    """Before systemd has a word in it: user, groups, rights, limits, network, what it can write."""
    with site(kept, tmp_path) as started:
        assert started.main is not None
        process = Path(f"/proc/{started.main.pid}")
        lines = dict(
            line.split(":\t", 1)
            for line in (process / "status").read_text(encoding="ascii").splitlines()
            if ":\t" in line
        )
        assert {lines[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
        assert lines["NoNewPrivs"] == "1"
        assert len({*lines["Uid"].split(), "0"}) == 2
        assert lines["Groups"].split() == lines["Gid"].split()[:1]
        assert (process / "ns/net").readlink() != Path("/proc/self/ns/net").readlink()
        mounted = (process / "mountinfo").read_text().splitlines()
        writable = {line.split()[4] for line in mounted if line.split()[5].startswith("rw")}
        assert {path for path in writable if not path.startswith(("/dev", "/proc"))} == {
            "/var/lib/intake/data"
        }
        assert Visitor(started.doors[0].path).ask("GET", "/en")[0] == 200
        mode = started.doors[0].path.stat().st_mode & 0o777
        assert mode == 0o660


def test_a_testimony_that_came_so_opens_at_the_desk(kept: Host, tmp_path: Path) -> None:
    before = kept.root.tree()
    words = f"{WORDS} unit"
    with site(kept, tmp_path) as started:
        Visitor(started.doors[0].path).send(words)
        assert started.alive()
    assert "Traceback" not in started.said()
    assert words not in started.said()
    assert changes(before, kept.root.tree()) == ["var/lib/intake/data/intake.db"]
    assert words in kept.read()


def test_who_comes_while_the_site_restarts_waits_at_the_door(kept: Host, tmp_path: Path) -> None:
    with site(kept, tmp_path) as started:
        started.stop()
        visitor = Visitor(started.doors[0].path)
        with visitor.line() as line:
            line.request("GET", "/en")
            started.start()
            assert line.getresponse().status == 200


def test_tor_begins_and_makes_the_address_without_a_network(
    still: Root, host: Host, tmp_path: Path
) -> None:
    """Its two commands before and its own; no address of the host reaches another."""
    unit = units.load(still.path, "tor@default.service")
    assert [len(unit.lines(key)) for key in ("ExecStartPre", "ExecStart")] == [2, 1]
    for name in ("hostname", "hs_ed25519_secret_key", "hs_ed25519_public_key"):
        still.at(f"/var/lib/tor/intake/{name}").unlink(missing_ok=True)
    with Service(still.path, unit, tmp_path, network=False) as tor:
        address = still.at("/var/lib/tor/intake/hostname").read_text()
        assert tor.main is not None
        net = Path(f"/proc/{tor.main.pid}/ns/net").readlink()
        assert net != Path("/proc/self/ns/net").readlink()
    assert re.fullmatch(r"[a-z2-7]{56}\.onion\n", address)
    assert host.said.count(address.strip()) == 0


def test_maintenance_does_its_work(kept: Host, tmp_path: Path) -> None:
    """And then restarts the site: which systemctl, in a folder, says that it leaves."""
    unit = units.load(kept.root.path, "intake-maintain.service")
    if "maintain" not in kept.run("intake-admin", "--help"):
        pytest.skip("this release has no `admin maintain`")
    before = kept.root.at("/var/lib/intake/data/intake.db").stat().st_ino
    Service(kept.root.path, unit, tmp_path).start()
    assert kept.root.at("/var/lib/intake/data/intake.db").stat().st_ino != before
    post = unit.lines("ExecStartPost")
    assert [line.words[0] for line in post] == ["/usr/bin/systemctl"]
    assert all(line.privileged for line in post)


def test_systemd_s_own_hand_over_is_taken(kept: Host, tmp_path: Path) -> None:
    """systemd-socket-activate holds the socket, and hands it over at the first visitor."""
    root = kept.root
    path = root.at(DOOR)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    unit = units.load(root.path, "intake.service")
    (line,) = unit.lines("ExecStart")
    given = unit.environment(root.path)
    words = [f"--setenv={name}={value}" for name, value in given.items()]
    command = ["systemd-socket-activate", f"--listen={DOOR}", *words, *line.words]
    script = f"cd {unit.get('WorkingDirectory')}; umask 0117; exec {' '.join(command)}"
    wrapped = replace(unit, sections={"Service": {"ExecStart": [f"/bin/sh -c '{script}'"]}})
    with Service(root.path, wrapped, tmp_path, more={"HOME": "/root"}) as started:
        for _ in range(200):
            with contextlib.suppress(OSError), contextlib.closing(socket.socket(socket.AF_UNIX)):
                if path.is_socket():
                    break
            assert started.alive()
            started.wait(0.05)
        assert Visitor(path).ask("GET", "/en")[0] == 200


def test_a_unit_that_cannot_start_says_why(kept: Host, tmp_path: Path) -> None:
    unit = units.load(kept.root.path, "intake.service")
    own = {**unit.sections["Service"], "ReadWritePaths": ["/var/lib/intake/nowhere"]}
    broken = replace(unit, sections={**unit.sections, "Service": own})
    root = kept.root.path
    with Door(root, units.load(root, "intake.socket")) as door, pytest.raises(Failed) as failed:
        Service(root, broken, tmp_path, [door]).start()
    assert "nowhere" in str(failed.value)
