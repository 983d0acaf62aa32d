"""The parser of units, beside systemd's own words and systemd itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.host import services, units
from tests.host.booted import Booted
from tests.host.hosts import Host
from tests.host.units import BadUnit, Line, Unit

pytestmark = pytest.mark.host

OURS = ("intake.service", "intake-maintain.service", "tor@default.service", "intake.socket")
# What systemd shows as it was written, as yes or no, and as words.
PLAIN = {
    *("Backlog", "Group", "KeyringMode", "KillMode", "LimitCORE", "LimitNOFILE", "OOMPolicy"),
    *("ProcSubset", "ProtectProc", "ProtectSystem", "Restart", "SocketGroup", "SocketMode"),
    *("SocketUser", "TasksMax", "Type", "UMask", "User", "WorkingDirectory"),
}
YES_OR_NO = {
    *("LockPersonality", "MemoryDenyWriteExecute", "NoNewPrivileges", "PrivateDevices"),
    *("PrivateNetwork", "PrivateTmp", "ProtectClock", "ProtectControlGroups", "ProtectHome"),
    *("ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "RemoveIPC"),
    *("RestrictRealtime", "RestrictSUIDSGID"),
}
LISTS = {"Environment", "ReadWritePaths", "RestrictAddressFamilies", "TemporaryFileSystem"}


def parsed(text: str, name: str = "x.service") -> Unit:
    """Return a unit of this text."""
    sections: dict[str, dict[str, list[str]]] = {}
    units.read(text, sections, units.specifiers(name))
    return Unit(name, (), sections)


def test_a_line_goes_on_after_a_backslash_and_comments_do_not_count() -> None:
    unit = parsed("[Service]\n# a\nExecStart=/bin/a \\\n# b\n; c\n  d e\\\n\nUser = f \n")
    assert unit.lines("ExecStart") == [Line("", ("/bin/a", "d", "e"))]
    assert unit.get("User") == "f"


def test_a_key_may_come_again_and_nothing_forgets_it() -> None:
    text = "[Service]\nEnvironment=A=1 'B=2 3'\nEnvironment=A=4\nExecStart=/a\nExecStart=\n"
    unit = parsed(f"{text}ExecStart=-+/b\nUser=x\nUser=y\n")
    assert unit.environment(Path("/")) == {"A": "4", "B": "2 3"}
    assert [line.words for line in unit.lines("ExecStart")] == [("/b",)]
    assert unit.lines("ExecStart")[0].may_fail
    assert unit.lines("ExecStart")[0].privileged
    assert unit.get("User") == "y"
    assert parsed("[Service]\nCapabilityBoundingSet=\n").says("CapabilityBoundingSet")


def test_words_are_split_as_systemd_splits_them() -> None:
    assert units.split(r'a "b c" d\x20e \'f \"g\" h"i') == ["a", "b c", "d e", "'f", '"g"', 'h"i']
    with pytest.raises(BadUnit):
        units.split('"a')


def test_variables_are_filled_in() -> None:
    line = units.exec_line("/bin/kill -HUP ${MAINPID} $MORE x$MORE $$Y")
    filled = line.expanded({"MAINPID": "7", "MORE": "a b"})
    assert filled == ["/bin/kill", "-HUP", "7", "a", "b", "x$MORE", "$Y"]


def test_specifiers_are_known_or_refused_and_a_share_is_none() -> None:
    assert parsed("[Service]\nUser=%p-%i-%%\nMemoryMax=60%\n", "a@b.service").get("User") == "a-b-%"
    with pytest.raises(BadUnit):
        parsed("[Service]\nUser=%j\n")


@pytest.mark.parametrize("text", ["User=x\n", "[Service]\nUser\n", "[Service]\nExec Start=/x\n"])
def test_what_is_no_line_of_a_unit_is_refused(text: str) -> None:
    with pytest.raises(BadUnit):
        parsed(text)


def test_drop_ins_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    files = {
        "usr/lib/systemd/system/a@.service": "User=1\nExecStart=/1\n",
        "usr/lib/systemd/system/a@b.service.d/30.conf": "Group=30\nUser=30\n",
        "etc/systemd/system/a@.service.d/20.conf": "User=20\nExecStart=\nExecStart=/20\n",
        "etc/systemd/system/a@b.service.d/10.conf": "User=10\nUMask=0010\n",
        "usr/lib/systemd/system/a@b.service.d/10.conf": "User=hidden\nLimitCORE=1\n",
        "etc/systemd/system/service.d/05.conf": "Type=simple\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"[Service]\n{text}")
    unit = units.load(tmp_path, "a@b.service")
    assert [path.name for path in unit.files[1:]] == ["05.conf", "10.conf", "20.conf", "30.conf"]
    keys = ("Type", "User", "Group", "UMask", "LimitCORE")
    assert [unit.get(key) for key in keys] == ["simple", "30", "30", "0010", ""]
    assert [line.words for line in unit.lines("ExecStart")] == [("/20",)]
    (tmp_path / "etc/systemd/system/a@.service").symlink_to("/dev/null")
    with pytest.raises(BadUnit, match="masked"):
        units.load(tmp_path, "a@b.service")


def test_spans_and_files_of_variables() -> None:
    assert [units.span(text) for text in ("30", "4h", "1min 30s", "100ms")] == [30, 14400, 90, 0.1]
    with pytest.raises(BadUnit):
        units.span("3 parsecs")
    text = '# a\nA=1 2\nB=\'3  4\'\n\n;c\nC="d\\"e"\n'
    assert units.environment_file(text) == {"A": "1 2", "B": "3  4", "C": 'd"e'}


def test_a_key_that_cannot_be_done_here_is_refused() -> None:
    unit = parsed("[Service]\nExecStart=/a\nMemoryMax=1\nRootDirectory=/x\n")
    with pytest.raises(BadUnit, match="RootDirectory"):
        services.left(unit)


@pytest.mark.parametrize("name", OURS)
def test_it_reads_what_systemd_reads(host: Host, machine: Booted, name: str) -> None:
    """Values that systemd shows as they were written, as the machine's systemd has them."""
    unit = units.load(host.root.path, name)
    shown = machine.show(name)
    paths = [f"/{path.relative_to(host.root.path)}" for path in unit.files]
    assert shown["FragmentPath"].removeprefix("/usr") == paths[0].removeprefix("/usr")
    assert shown.get("DropInPaths", "").split() == paths[1:]
    for key in (key for key in unit.keys() if key.startswith("Exec")):  # noqa: SIM118
        said = machine.run("systemctl", "show", name, f"--property={key}")
        told = re.findall(r"argv\[\]=(.*?) ;", said)
        assert told == [" ".join(line.words) for line in unit.lines(key)]
    for key in PLAIN & set(unit.keys()):
        assert shown[key] == unit.get(key), key
    for key in YES_OR_NO & set(unit.keys()):
        assert shown[key] == ("yes" if unit.yes(key) else "no"), key
    for key in LISTS & set(unit.keys()):
        assert sorted(shown[key].split()) == sorted(unit.words(key)), key
    assert len((PLAIN | YES_OR_NO | LISTS) & set(unit.keys())) > 2
