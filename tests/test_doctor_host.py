"""Doctor on a deployed host: green as it was installed, red for each line that is missing.

Rules:
- The host is a folder, made from the release's own files in ``deploy/host/`` and from what a kernel
  with systemd shows. systemd does not run here, and nothing is loaded into a kernel: what a line
  does is not tested, but that doctor sees it is not in force.
- The tables come from the code and from the files. A new check, or a new line of a unit, has its
  test by being there: one that nothing turns red fails.
"""

from __future__ import annotations

import inspect
import os
import resource
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from intake import days, envelope, files
from intake.admin import doctor, host, install, maintaining, setup
from intake.errors import Refused
from intake.rows import Rows
from intake.settings import ROOT, Settings
from tests import door, test_admin
from tests.makers import make_deployment
from tests.site_maker import Site
from tests.spine import WAIT

OURS = ROOT / "deploy" / "host"
ME, MINE = os.geteuid(), os.getegid()
MADE = make_deployment(first=days.clock() - timedelta(days=days.clock().weekday()), weeks=5)
DEBIAN = """[Unit]
Description=Anonymizing overlay network for TCP

[Service]
Type=notify
ExecStart=/usr/bin/tor --defaults-torrc /usr/share/tor/tor-service-defaults-torrc -f /etc/tor/torrc
Restart=on-failure
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=full
CapabilityBoundingSet=CAP_SETUID CAP_SETGID
"""
STATUS = """Name:\tgunicorn
PPid:\t{parent}
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t0000000000000000
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
"""
NETWORK = "Inter-|   Receive\n face |bytes    packets\n    lo:       0       0\n"
LIMITS = "Limit    Soft Limit  Hard Limit  Units\nMax core file size        0         0     bytes\n"
DROPIN = "etc/systemd/system/{}.d/override.conf"


@dataclass(frozen=True, slots=True)
class Host:
    """A host in a folder."""

    root: Path

    @property
    def settings(self) -> Settings:
        return Settings(self.root / "data", self.root / "keys")

    @property
    def data(self) -> Path:
        return self.settings.data

    @property
    def store(self) -> Rows:
        return Rows(self.settings.url, self.data)

    def write(self, name: str, text: str) -> None:
        """Write a file of the host."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file of the host."""
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def link(self, name: str, to: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(to)

    def say(self, check: str) -> tuple[str, str]:
        """Return level and line of one check."""
        ((level, line),) = (
            found for found in doctor.examine(self.settings) if found[1].startswith(f"{check}: ")
        )
        return level, line


def answer(listening: socket.socket) -> None:
    """Answer as the site does, until the socket is closed."""
    while True:
        try:
            visitor, _ = listening.accept()
        except OSError:
            return
        with visitor:
            visitor.recv(1 << 12)
            visitor.sendall(b"HTTP/1.1 404 NOT FOUND\r\nX-Padding: x\r\n\r\n")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the host's folders as the installation leaves them, to be copied."""
    root = tmp_path_factory.mktemp("host")
    one = Host(root)
    setup.init(one.settings)
    files.write(one.settings.bundle_key, MADE.bundle_key.private_bytes_raw().hex().encode())
    install.install(one.settings, [MADE.raw], lambda _: None)
    release = "opt/intake/releases/0123456789ab"
    shutil.copytree(OURS, root / release / "deploy/host", ignore=shutil.ignore_patterns("*.py*"))
    one.write(f"{release}/app.py", "")
    one.write(f"{release}/intake/admin/host.py", "")
    one.link("opt/intake/current", "releases/0123456789ab")
    for path in [root / "opt", *(root / "opt").rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755)
    for unit in host.UNITS:
        shutil.copyfile(OURS / unit, put(root / "etc/systemd/system" / unit))
    shutil.copyfile(OURS / "tor.conf", put(root / f"etc/systemd/system/{host.TOR}.d/intake.conf"))
    for target, unit in (
        ("sockets", "intake.socket"),
        ("multi-user", "intake.service"),
        ("timers", "intake-maintain.timer"),
    ):
        one.link(f"etc/systemd/system/{target}.target.wants/{unit}", f"../{unit}")
    one.write(f"usr/lib/systemd/system/{host.TOR}", DEBIAN)
    shutil.copyfile(OURS / "torrc", put(root / "etc/tor/torrc"))
    one.write(
        "etc/tor/intake.d/admin.conf",
        "HiddenServiceDir /var/lib/tor/admin\nHiddenServicePort 22 127.0.0.1:22\n",
    )
    shutil.copyfile(OURS / "journald.conf", put(root / "etc/systemd/journald.conf.d/intake.conf"))
    shutil.copyfile(OURS / "system_tor", put(root / "etc/apparmor.d/local/system_tor"))
    one.write("usr/sbin/tor", "\x7fELF … Verification of EquiX solution in PoW failed.")
    one.write(
        "var/lib/dpkg/status",
        "Package: torsocks\nVersion: 0.1.2\n\nPackage: tor\nStatus: install ok installed\n"
        "Version: 0.4.9.11-0+deb12u1\n\nPackage: zsh\nVersion: 5.9\n",
    )
    one.write(
        "etc/passwd",
        f"root:x:{ME}:0:root:/root:/bin/bash\nintake:x:{ME}:{MINE}::/nonexistent:/usr/sbin/nologin\n",
    )
    one.write("etc/group", f"root:x:0:\ndebian-tor:x:{MINE}:\n")
    one.write("proc/1/comm", "systemd\n")
    one.write("proc/meminfo", "MemTotal:        2014344 kB\nMemFree:          112344 kB\n")
    one.write("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/dm-1 ro init_on_free=1 quiet\n")
    one.write("proc/40/comm", "tor\n")
    one.write("proc/40/cgroup", "0::/system.slice/system-tor.slice/tor@default.service\n")
    for number, parent in ((50, 1), (51, 50)):
        one.write(f"proc/{number}/comm", "python\n")
        one.write(f"proc/{number}/cgroup", "0::/system.slice/intake.service\n")
        one.write(f"proc/{number}/status", STATUS.format(parent=parent))
        one.write(f"proc/{number}/limits", LIMITS)
        one.write(f"proc/{number}/net/dev", NETWORK)
    one.write("sys/fs/cgroup/system.slice/intake.service/memory.swap.max", "0\n")
    for line in settings_of("sysctl.conf"):
        name, _, value = line.partition(" = ")
        one.write(f"proc/sys/{name.replace('.', '/')}", f"{value}\n")
    one.write(
        "proc/self/mountinfo", "24 1 0:5 / /proc rw - proc proc rw\n25 1 254:1 / / rw - ext4\n"
    )
    one.write("sys/dev/block/254:1/partition", "1")
    one.write("sys/dev/block/254:1/slaves/dm-0/dm/uuid", "LVM-abc")
    one.write("sys/dev/block/254:1/slaves/dm-0/slaves/dm-1/dm/uuid", "CRYPT-LUKS2-abc")
    one.write("run/systemd/timesync/synchronized", "")
    (root / "run/intake").mkdir()
    maintaining.maintain(one.settings)
    return root


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def lines_of(installed: Path) -> Iterator[Host]:
    """Return the host itself, for tests that change a file or add one; then it is as it was."""
    etc = [path for path in (installed / "etc").rglob("*") if path.is_file()]
    kept = [*etc, *(path for path in (installed / "proc/sys").rglob("*") if path.is_file())]
    before = {path: path.read_bytes() for path in kept}
    yield Host(installed)
    for path in {*(installed / "etc").rglob("*"), *before}:
        if path not in before and path.is_file() and not path.is_symlink():
            path.unlink()
    for path, data in before.items():
        path.write_bytes(data)


def settings_of(name: str) -> list[str]:
    """Return the lines of one of our files that set something."""
    lines = (OURS / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.lstrip().startswith(("#", "["))]


@pytest.fixture
def machine(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Return a host on which everything is as it should be."""
    root = tmp_path / "r"
    shutil.copytree(installed, root, symlinks=True)
    made = Host(root)
    for name, value in (
        ("INTAKE_HOST", root),
        ("INTAKE_DATA", made.settings.data),
        ("INTAKE_KEYS", made.settings.keys),
    ):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(doctor, "_SWAPS", tmp_path / "swaps")
    monkeypatch.setattr(doctor, "signed_off", lambda _: "Somebody")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (0, 0))
    monkeypatch.setattr(host, "SETTLE", 0)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / host.DOOR))
        (root / host.DOOR).chmod(0o660)
        listening.listen()
        server = threading.Thread(target=answer, args=(listening,))
        server.start()
        try:
            yield made
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            server.join()


def test_a_host_as_it_was_installed_is_green(machine: Host) -> None:
    found = list(doctor.examine(machine.settings))
    assert len(found) == len(doctor.NAMES)
    assert [line for level, line in found if level != "ok"] == []


# each check of the table, turned red


def about_without_a_language(one: Host, patch: pytest.MonkeyPatch) -> None:
    one.write("about.toml", '[organisation]\nen = "a"')
    patch.setenv("INTAKE_ABOUT", str(one.root / "about.toml"))


def damaged_store(one: Host) -> None:
    (one.data / "intake.db").write_bytes(b"no database" * 1000)


def no_room(_: Host, patch: pytest.MonkeyPatch) -> None:
    real = shutil.disk_usage("/")
    patch.setattr(shutil, "disk_usage", lambda _: real._replace(free=0))


def cores(_: Host, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(resource, "getrlimit", lambda _: (-1, -1))


def swap(one: Host, patch: pytest.MonkeyPatch) -> None:
    one.write("swaps", "Filename\n/swapfile\n")
    patch.setattr(doctor, "_SWAPS", one.root / "swaps")


def unsigned(_: Host, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(doctor, "signed_off", lambda _: None)


def without_a_primitive(_: Host, patch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise Refused("This Python has no ML-KEM.", "Install cryptography 50 or later.")

    patch.setattr(envelope, "self_check", fail)


def other_root(one: Host) -> None:
    one.edit("etc/passwd", f"root:x:{ME}:", f"root:x:{ME + 1}:")


def door_is_gone(one: Host) -> None:
    (one.root / host.DOOR).unlink()


def door_is_no_socket(one: Host) -> None:
    door_is_gone(one)
    one.write(str(host.DOOR), "")


def door_is_open(one: Host) -> None:
    (one.root / host.DOOR).chmod(0o666)


def door_of_others(one: Host) -> None:
    one.edit("etc/group", f"debian-tor:x:{MINE}:", f"debian-tor:x:{MINE + 1}:")


def nobody_answers(one: Host, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(host, "PATIENCE", 0.2)
    door_is_gone(one)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(one.root / host.DOOR))
    (one.root / host.DOOR).chmod(0o660)
    listening.close()


def no_processes(one: Host) -> None:
    for number in ("50", "51"):
        shutil.rmtree(one.root / "proc" / number)


def written(name: str, text: str) -> Callable[[Host], None]:
    return lambda one: one.write(name, text)


def edited(name: str, old: str, new: str) -> Callable[[Host], None]:
    return lambda one: one.edit(name, old, new)


def gone(name: str) -> Callable[[Host], None]:
    return lambda one: (one.root / name).unlink()


def shown(old: str, new: str, name: str = "status") -> Callable[[Host], None]:
    """Change what the kernel shows of a worker."""
    return edited(f"proc/51/{name}", old, new)


Spoil = Callable[..., object]
CODE = "opt/intake/releases/0123456789ab"
BREAKS: dict[str, list[tuple[Spoil, str, str]]] = {
    "sealing": [(without_a_primitive, "FAIL", "ML-KEM")],
    "data folder": [(test_admin.open_folder, "FAIL", "chmod 700")],
    "bundle key": [(test_admin.other_bundle_key, "FAIL", "another bundle key")],
    "store": [
        (test_admin.rowid, "FAIL", "more"),
        (test_admin.no_store, "FAIL", "no envelopes, replies"),
        (test_admin.no_store, "FAIL", "admin init"),
        (damaged_store, "FAIL", "cannot be used"),
        (damaged_store, "FAIL", "Then restart the site"),
    ],
    "keyring": [(lambda one: one.settings.keyring.unlink(), "FAIL", "keyring install")],
    "clock": [(lambda one: files.write(one.data / "floor", b"9999-01-01"), "FAIL", "clock")],
    "secrets": [(test_admin.seed_in_data, "FAIL", "rotate")],
    "leftovers": [(lambda one: (one.data / ".a.b.partial").touch(), "warn", "delete it")],
    "swap": [(swap, "warn", "swapoff")],
    "core dumps": [(cores, "warn", "LimitCORE=0")],
    "space": [(no_room, "FAIL", "Make room")],
    "maintenance": [(lambda one: (one.data / "maintained").unlink(), "warn", "not run yet")],
    "decoys": [
        (lambda _one, patch: patch.setenv("INTAKE_DECOYS", "0"), "warn", "Unset INTAKE_DECOYS")
    ],
    "wording": [(unsigned, "warn", "sign")],
    "form": [(lambda one, patch: patch.setenv("INTAKE_FORM", str(one.root)), "FAIL", "form")],
    "about": [(about_without_a_language, "warn", "Write it there")],
    "release": [
        (written(f"{CODE}/intake/desk/__init__.py", ""), "FAIL", "belong on no server"),
        (written(f"{CODE}/intake/ceremony/card.py", ""), "FAIL", "belong on no server"),
        (written(f"{CODE}/templates/desk/a.html", ""), "FAIL", "belong on no server"),
        (written(f"{CODE}/tests/a.py", ""), "FAIL", "belong on no server"),
        (other_root, "FAIL", "Others than root"),
        (lambda one: (one.root / CODE / "app.py").chmod(0o664), "FAIL", "app.py"),
        (lambda one: (one.root / "opt/intake/releases").chmod(0o777), "FAIL", "releases."),
        (lambda one: (one.root / "opt/intake").chmod(0o757), "FAIL", "opt/intake."),
    ],
    "user": [
        (edited("etc/passwd", "/usr/sbin/nologin", "/bin/sh"), "FAIL", "can log in"),
        (edited("etc/passwd", "intake:", "other:"), "FAIL", "no user intake"),
    ],
    "units": [
        (gone("etc/systemd/system/intake.service"), "FAIL", "intake.service: User=intake"),
        (
            gone("etc/systemd/system/timers.target.wants/intake-maintain.timer"),
            "FAIL",
            "intake-maintain.timer does not start with the machine",
        ),
        (
            edited("etc/systemd/system/intake.service", "[Install]", "# More.\n[Install]"),
            "FAIL",
            "another than the release's",
        ),
        (
            written(DROPIN.format("intake.service"), "[Service]\nNice=5\n"),
            "warn",
            "Somebody has added",
        ),
        (
            written("run/systemd/system/service.d/all.conf", "[Service]\nNoNewPrivileges=no\n"),
            "FAIL",
            "A break-in must gain no rights.",
        ),
        (
            written("etc/systemd/system/intake-.service.d/a.conf", "[Service]\nUser=root\n"),
            "FAIL",
            "User=intake",
        ),
        (
            written(
                "etc/systemd/system.control/intake.service.d/50-MemoryMax.conf",
                "[Service]\nMemoryMax=infinity\n",
            ),
            "FAIL",
            "A flood must not take the whole machine.",
        ),
        (
            written("usr/lib/systemd/system/tor@.service.d/a.conf", "[Service]\nProtectSystem=no"),
            "FAIL",
            "ProtectSystem=full",
        ),
    ],
    "door": [
        (door_is_gone, "FAIL", "There is no socket"),
        (door_is_no_socket, "FAIL", "There is no socket"),
        (door_is_open, "FAIL", "restart intake.socket"),
        (door_of_others, "FAIL", "restart intake.socket"),
        (nobody_answers, "FAIL", "does not answer"),
    ],
    "torrc": [
        (gone("etc/tor/torrc"), "FAIL", "SocksPort 0 is not in force"),
        (
            edited("etc/tor/torrc", "Log warn syslog", "Log info file /var/log/tor/log"),
            "FAIL",
            "Log info file /var/log/tor/log is not Intake's",
        ),
        (
            edited(
                "etc/tor/torrc",
                "SocksPort 0",
                "SocksPort 0\nHiddenServiceNonAnonymousMode 1\nHiddenServiceSingleHopMode 1",
            ),
            "FAIL",
            "HiddenServiceSingleHopMode 1 is not Intake's",
        ),
        (
            edited(
                "etc/tor/torrc",
                "HiddenServicePort 80 unix:/run/intake/web.sock\n"
                "HiddenServiceExportCircuitID haproxy\n",
                "HiddenServiceExportCircuitID haproxy\n"
                "HiddenServicePort 80 unix:/run/intake/web.sock\n",
            ),
            "FAIL",
            "another order",
        ),
        *[
            (written("etc/tor/intake.d/x.conf", f"{line}\n"), "FAIL", line)
            for line in (
                "SocksPort 9050",
                "Log debug file /tmp/log",
                "HiddenServiceDir /var/lib/tor/intake",
                "HiddenServiceDir /var/lib/tor/intake/",
                "HiddenServicePort 22 192.0.2.7:22",
                "HiddenServiceSingleHopMode 1",
                "ControlPort 9051",
            )
        ],
    ],
    "tor": [
        (edited("var/lib/dpkg/status", "0.4.9.11", "0.4.7.16"), "FAIL", "0.4.8 or later"),
        (written("var/lib/dpkg/status", ""), "FAIL", "0.4.8 or later"),
        (written("usr/sbin/tor", "\x7fELF"), "FAIL", "proof of work"),
        (gone("usr/sbin/tor"), "warn", "not checked"),
        (gone("proc/40/comm"), "FAIL", "tor does not run"),
    ],
    "processes": [
        (written("proc/1/comm", "init\n"), "warn", "Not checked: systemd does not run here."),
        (shown("NoNewPrivs:\t1", "NoNewPrivs:\t0"), "FAIL", "NoNewPrivs"),
        (shown("CapEff:\t0000000000000000", "CapEff:\t0000000000000400"), "FAIL", "CapEff"),
        (shown("CapBnd:\t0000000000000000", "CapBnd:\t000001ffffffffff"), "FAIL", "CapBnd"),
        (shown("Seccomp:\t2", "Seccomp:\t0"), "FAIL", "Seccomp"),
        (shown("0         0     bytes", "0         unlimited bytes", "limits"), "FAIL", "core"),
        (shown("    lo:", "  eth0:       0       0\n    lo:", "net/dev"), "FAIL", "a network"),
        (gone("proc/51/net/dev"), "FAIL", "a network"),
        (other_root, "FAIL", "read its memory"),
        (
            written("sys/fs/cgroup/system.slice/intake.service/memory.swap.max", "max\n"),
            "FAIL",
            "swapped",
        ),
        (
            gone("sys/fs/cgroup/system.slice/intake.service/memory.swap.max"),
            "FAIL",
            "swapped",
        ),
        (
            no_processes,
            "FAIL",
            "The site does not run",
        ),
    ],
    "kernel": [(gone("proc/sys/vm/swappiness"), "FAIL", "vm.swappiness=0")],
    "memory": [
        (gone("proc/meminfo"), "warn", "0 MiB"),
        (written("proc/meminfo", "MemTotal:         994344 kB\n"), "warn", "Rent 2 GiB"),
    ],
    "freed memory": [
        (gone("proc/cmdline"), "warn", "init_on_free=1"),
        (written("proc/cmdline", "init_on_free=0 quiet\n"), "warn", "may lie in free memory"),
    ],
    "journal": [
        (gone("etc/systemd/journald.conf.d/intake.conf"), "FAIL", "Storage=volatile"),
        (
            written("etc/systemd/journald.conf.d/keep.conf", "[Journal]\nStorage=persistent\n"),
            "FAIL",
            "Storage=volatile",
        ),
    ],
    "apparmor": [(gone("etc/apparmor.d/local/system_tor"), "FAIL", "AppArmor")],
    "disk": [
        (
            written("sys/dev/block/254:1/slaves/dm-0/slaves/dm-1/dm/uuid", "LVM-def"),
            "warn",
            "encrypted",
        ),
        (
            written("proc/self/mountinfo", "25 1 0:40 / / rw - tmpfs x\n"),
            "warn",
            "encrypted",
        ),
        (written("proc/self/mountinfo", ""), "warn", "encrypted"),
    ],
    "time": [(gone("run/systemd/timesync/synchronized"), "warn", "timedatectl")],
}
CASES = [
    pytest.param(name, one, id=f"{name} {n}")
    for name in [*BREAKS, *(name for name in doctor.NAMES if name not in BREAKS)]
    for n, one in enumerate(BREAKS.get(name, [(lambda _: None, "FAIL", "nothing breaks it")]))
]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_each_check_is_turned_red(
    machine: Host, monkeypatch: pytest.MonkeyPatch, name: str, case: tuple[Spoil, str, str]
) -> None:
    spoil, level, words = case
    wants = len(inspect.signature(spoil).parameters)
    spoil(*(machine, monkeypatch)[:wants])
    settings = Settings.from_environment()
    ((found, line),) = (f for f in doctor.examine(settings) if f[1].startswith(f"{name}: "))
    assert (found, words in line) == (level, True), line
    assert "not checked" in line or len(line.partition(" -> ")[2]) > 10


def test_the_table_names_checks_that_there_are() -> None:
    assert sorted(BREAKS) == sorted(doctor.NAMES)


# each line of the files


def lines() -> Iterator[tuple[str, str, str]]:
    """Yield our file, where it lies on a host, and each line of it that sets something."""
    places = {name: f"etc/systemd/system/{name}" for name in host.UNITS}
    places["tor.conf"] = f"etc/systemd/system/{host.TOR}.d/intake.conf"
    places |= {"torrc": "etc/tor/torrc", "system_tor": "etc/apparmor.d/local/system_tor"}
    places["journald.conf"] = "etc/systemd/journald.conf.d/intake.conf"
    for name, place in places.items():
        for line in settings_of(name):
            yield name, place, line


@pytest.mark.parametrize(("name", "place", "line"), [*lines()])
def test_each_line_that_is_missing_is_named(
    lines_of: Host, name: str, place: str, line: str
) -> None:
    """With what it is for, where the file says so."""
    check = {"torrc": host._torrc, "system_tor": host._apparmor, "journald.conf": host._journal}
    run = check.get(name, host._units)
    run(lines_of.settings, lines_of.root)
    text = (lines_of.root / place).read_text(encoding="utf-8").splitlines()
    text.remove(line)
    lines_of.write(place, "\n".join(text) + "\n")
    with pytest.raises(Refused) as refused:
        run(lines_of.settings, lines_of.root)
    if name != "system_tor":
        setting = line if name == "torrc" else line.partition("=")[0]
        assert f": {setting}" in refused.value.what
    assert "sh deploy/install.sh" in refused.value.hint


UNIT_LINES = [
    (host.TOR if name == "tor.conf" else name, line)
    for name, _, line in lines()
    if name in {*host.UNITS, "tor.conf"}
]


@pytest.mark.parametrize(("unit", "line"), UNIT_LINES)
def test_each_line_that_is_taken_away_beside_the_unit_is_named(
    lines_of: Host, unit: str, line: str
) -> None:
    """By ``systemctl edit``: the unit itself is as it was."""
    setting = line.partition("=")[0]
    lines_of.write(DROPIN.format(unit), f"[Service]\n{setting} = \n{setting}=other\n")
    with pytest.raises(Refused) as refused:
        host._units(lines_of.settings, lines_of.root)
    assert f"{unit}: {setting}=" in refused.value.what


@pytest.mark.parametrize("line", settings_of("sysctl.conf"))
def test_each_setting_of_the_kernel_is_named(lines_of: Host, line: str) -> None:
    name = line.partition(" ")[0]
    lines_of.write(f"proc/sys/{name.replace('.', '/')}", "60\n")
    with pytest.raises(Refused, match=f"The kernel: {name}=") as refused:
        host._kernel(lines_of.settings, lines_of.root)
    assert "stays in memory" in refused.value.what


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("intake.service", "# Hardening"),
        ("intake-maintain.service", "# Hardening"),
        ("tor.conf", ""),
        ("torrc", "# Intake's"),
        ("sysctl.conf", ""),
        ("journald.conf", ""),
    ],
)
def test_each_line_of_hardening_says_what_it_is_for(name: str, start: str) -> None:
    text = (OURS / name).read_text(encoding="utf-8")
    sign = "\n" if name == "torrc" else "="
    below = text.partition(start)[2].partition("\n\n")[2] if "#" in start else text
    reasons = host._reasons(below.partition("[Install]")[0], sign)
    reasons = {setting: why for setting, why in reasons.items() if not setting.startswith("[")}
    assert len(reasons) > 1
    assert [setting for setting, why in reasons.items() if len(why) < 20] == []


def test_what_this_user_cannot_read_is_said(machine: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_text

    def closed(self: Path, *args: str, **kwargs: str) -> str:
        if self.name == "torrc":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", closed)
    level, line = machine.say("torrc")
    assert (level, "not checked" in line, "Permission denied" in line) == ("warn", True, True)


def test_a_process_that_is_just_being_started_is_looked_at_again(
    machine: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is forked before it is not dumpable; one that ends has nothing to read."""
    name, waited = "proc/51/status", []
    bounded = (machine.root / name).read_text(encoding="utf-8")

    def settle(seconds: float) -> None:
        waited.append(seconds)
        machine.write(name, bounded)

    machine.write(name, "")
    monkeypatch.setattr(host, "SETTLE", 1)
    monkeypatch.setattr(time, "sleep", settle)
    assert machine.say("processes")[0] == "ok"
    assert waited == [1]


# the site as it is served


def test_of_a_site_that_runs_without_systemd_all_its_bounds_are_missed(
    machine: Host, tmp_path: Path
) -> None:
    """What systemd bounds is not bounded here, and is said; what the kernel shows can be read."""
    path = tmp_path / "s"
    with door.behind(Site(MADE, machine.settings), path) as served:
        master, children = Path("/proc") / str(served.process.pid), ""
        deadline = time.monotonic() + WAIT
        while not children and time.monotonic() < deadline:
            children = (master / "task" / master.name / "children").read_text()
        pids = [master.name, *children.split()]
        ours = {Path("/proc") / pid: "0::/intake.service\n" for pid in pids}
        assert len(ours) == 2
        found = {each.name: set(host._loose(machine.root, each, ours)) for each in ours}
    for said in found.values():
        assert {"NoNewPrivs is not 1", "Seccomp is not 2", "it has a network"} <= said
