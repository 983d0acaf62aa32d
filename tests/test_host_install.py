"""The installation: idempotent, whole at every step, and the release before stays until it is safe.

What a folder cannot show (users, owners, systemd's own sandbox) is in ``make host``.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.host import release, showing, switching, system
from deploy.host.installing import Install
from deploy.host.machine import FOLDERS, Machine
from intake.errors import MachineTrouble, Misuse, Refused, Unsafe
from intake.settings import ROOT
from tests.boundaries import ABSENT
from tests.host_maker import Manager, checkout, copied, install, tree

FILL = release._python
STEPS = (
    "users",
    "folders",
    "settings",
    "release",
    "init",
    "commands",
    "switch",
    "prune",
    "keyring",
)


SHELL = "/bin/sh"


class Cut(BaseException):
    """The power goes."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three checkouts, of three releases."""
    folder = tmp_path_factory.mktemp("checkouts")
    return {name: checkout(folder / name, note=name) for name in ("one", "two", "three")}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, sources: dict[str, Path]) -> Machine:
    """A server with the first release, to be copied."""
    machine = Machine(tmp_path_factory.mktemp("a") / "root")
    torrc = machine.at("/etc/tor/torrc")
    torrc.parent.mkdir(parents=True)
    torrc.write_text("SocksPort 9050\n")
    install(machine, sources["one"])
    return machine


@pytest.fixture(scope="module")
def second(
    tmp_path_factory: pytest.TempPathFactory, first: Machine, sources: dict[str, Path]
) -> Machine:
    """The same server, upgraded."""
    machine = copied(first, tmp_path_factory.mktemp("b") / "root")
    install(machine, sources["two"])
    return machine


@pytest.fixture(autouse=True)
def _one_venv_for_all(first: Machine, second: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy the venv that pip made for the first release, and for the second: it is no other."""
    made = first.at("/opt/intake/current/venv")
    assert second.at("/opt/intake/current/venv/bin/python").exists()

    def copy(_: Machine, staging: Path, __: Path | None) -> None:
        shutil.copytree(made, staging / "venv", symlinks=True)

    monkeypatch.setattr(release, "_python", copy)


@pytest.fixture
def server(first: Machine, tmp_path: Path) -> Machine:
    return copied(first, tmp_path / "root")


@pytest.fixture
def upgraded(second: Machine, tmp_path: Path) -> Machine:
    return copied(second, tmp_path / "root")


@pytest.fixture
def ready(upgraded: Machine, sources: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A server at the first release, with the second built already, whose programs are not run.

    So an upgrade takes a moment, and can be cut off at each of its steps.
    """
    upgraded.at("/opt/intake/previous").unlink()
    name = release.name_of(release.shipped(sources["one"]))
    switching.switch(upgraded, name)
    upgraded.at("/opt/intake/previous").unlink()
    said = "All is there already.\n"
    monkeypatch.setattr(Machine, "as_site", lambda *_: said)
    return upgraded


def named(machine: Machine) -> tuple[str | None, str | None]:
    return switching.named(machine, "current"), switching.named(machine, "previous")


def ids(sources: dict[str, Path]) -> list[str]:
    return [release.name_of(release.shipped(source)) for source in sources.values()]


def data(machine: Machine) -> dict[str, tuple[object, ...]]:
    return {k: v for k, v in tree(machine).items() if k.startswith(("var/", "etc/intake", "srv/"))}


# The first installation.


def test_every_folder_has_its_mode(first: Machine) -> None:
    for name, mode, _ in FOLDERS:
        assert stat.S_IMODE(first.at(name).stat().st_mode) == mode, name
    assert {mode for _, mode, _ in FOLDERS} == {0o700, 0o750, 0o755}
    for path in first.at("/var/lib/intake/data").iterdir():
        assert not path.stat().st_mode & 0o077, path


def test_nothing_that_opens_is_in_a_release(first: Machine) -> None:
    made = first.at("/opt/intake/current")
    for module in ABSENT:
        path = module.replace(".", "/")
        assert (ROOT / path).exists() or (ROOT / f"{path}.py").exists()
        assert not (made / path).exists()
        assert not (made / f"{path}.py").exists()
    for name in ("tests", "docs", "templates/desk", "deploy/drill.py", "venv/bin/pip"):
        assert not (made / name).exists()
    assert (made / "intake/server/site.py").is_file()
    assert not (first.at("/opt/intake/previous")).exists()


def test_the_systems_files_are_those_of_the_release(first: Machine) -> None:
    for name, where in system.PLACES.items():
        assert first.at(where).read_bytes() == (ROOT / "deploy/host" / name).read_bytes()
    others = {"__init__.py", "site.env", "system_tor"}
    here = {path.name for path in (ROOT / "deploy/host").iterdir() if path.suffix != ".py"}
    assert {*system.PLACES, *others} >= here - {"__pycache__"}
    for name in system.ENABLED:
        folders = first.at("/etc/systemd/system").glob("*.target.wants")
        wants = [folder / name for folder in folders if (folder / name).is_symlink()]
        assert len(wants) == 1
        unit = first.at(f"/etc/systemd/system/{name}").read_text()
        assert f"WantedBy={wants[0].parent.name.removesuffix('.wants')}\n" in unit


def test_what_was_in_torrc_is_kept_once(first: Machine, server: Machine) -> None:
    kept = first.at("/etc/tor/torrc.before-intake")
    assert kept.read_text() == "SocksPort 9050\n"
    server.at("/etc/tor/torrc").write_text("SocksPort 9999\n")
    system.place(server, server.at("/opt/intake/current").resolve())
    assert server.at("/etc/tor/torrc.before-intake").read_text() == "SocksPort 9050\n"
    assert b"HiddenServiceDir" in server.at("/etc/tor/torrc").read_bytes()


def test_other_lines_for_tors_profile_stay(server: Machine) -> None:
    path = server.at(system.APPARMOR)
    ours = path.read_text()
    path.write_text("  /srv/other rw,")
    system.place(server, server.at("/opt/intake/current").resolve())
    assert path.read_text() == "  /srv/other rw,\n" + ours


def test_both_commands_run(first: Machine, tmp_path: Path) -> None:
    """From any folder: the names of files count from where the caller is."""
    for command, code, said in (
        ("sbin/intake-host", 0, f"release   {switching.named(first, 'current')}"),
        ("bin/intake-admin", 8, "RED"),
    ):
        path = first.at(f"/usr/local/{command}")
        words = [str(path), "status" if "admin" in command else "show"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.splitlines()[0]) == (code, said), done.stderr
    words = [str(first.at("/usr/local/bin/intake-admin")), "keyring", "show", "no-such-file"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "no-such-file" in done.stderr) == (2, True)


@pytest.mark.parametrize("command", ["sbin/intake-host", "bin/intake-admin"])
def test_without_a_release_a_command_says_what_to_do(
    server: Machine, sources: dict[str, Path], command: str
) -> None:
    """As after an installation that was cut off before its first switch."""
    install(server, sources["one"])  # the copy's commands name the copy
    path = server.at(f"/usr/local/{command}")
    assert subprocess.run([str(path), "--help"], capture_output=True, check=False).returncode == 0
    server.at("/opt/intake/current").unlink()
    done = subprocess.run([str(path), "show"], capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert done.stderr == "No release of Intake is in force here.\n  → sh deploy/install.sh\n"


@pytest.mark.parametrize("words", [["--help"], ["export", "--help"], ["export", "/"], ["status"]])
def test_what_is_said_can_be_typed_here(first: Machine, words: list[str]) -> None:
    """Hints and examples name the command of this machine."""
    command = [str(first.at("/usr/local/bin/intake-admin")), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert "intake-admin " in said
    assert "python -m intake.admin" not in said


# Again, and the next one.


def test_again_changes_nothing_and_says_so(
    server: Machine, sources: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    install(server, sources["one"])  # the copy's commands name the copy
    capsys.readouterr()
    before = tree(server)
    assert not install(server, sources["one"]).changed
    assert tree(server) == before
    assert "Nothing had to be changed" in capsys.readouterr().out


def test_an_upgrade_keeps_data_and_the_release_before(
    first: Machine, second: Machine, sources: dict[str, Path]
) -> None:
    one, two, _ = ids(sources)
    assert named(second) == (two, one)
    assert not switching.interrupted(second)
    before, after = data(first), data(second)
    assert {k: v[2] for k, v in before.items() if k != "etc/intake/site.env"} == {
        k: v[2] for k, v in after.items() if k != "etc/intake/site.env"
    }


def test_only_what_is_older_than_the_one_before_goes(
    upgraded: Machine, sources: dict[str, Path]
) -> None:
    one, two, three = ids(sources)
    install(upgraded, sources["three"])
    assert named(upgraded) == (three, two)
    there = {path.name for path in upgraded.at(release.RELEASES).iterdir()}
    assert there == {two, three}
    assert one not in there


def test_settings_are_never_written_over(server: Machine, sources: dict[str, Path]) -> None:
    path = server.at("/etc/intake/site.env")
    own = f"{path.read_text()}# ours\nINTAKE_FILES=3\n"
    path.write_text(own)
    install(server, sources["one"])
    assert path.read_text() == own
    assert server.settings()["INTAKE_FILES"] == "3"


def test_a_release_that_somebody_changed_is_made_anew(
    server: Machine, sources: dict[str, Path]
) -> None:
    path = server.at("/opt/intake/current/intake/server/site.py")
    good = path.read_bytes()
    for other in (path, path.with_name("mine.py")):
        other.write_bytes(good + b"\n# mine\n")
        assert any("CHANGED" in line for line in showing.lines(server))
        assert install(server, sources["one"]).changed
        assert path.read_bytes() == good
        assert not path.with_name("mine.py").exists()
        assert not any("CHANGED" in line for line in showing.lines(server))


# What is refused.


def test_a_data_folder_that_others_can_enter_is_refused(
    server: Machine, sources: dict[str, Path]
) -> None:
    folder = server.at("/var/lib/intake/data")
    folder.chmod(0o755)
    with pytest.raises(Unsafe, match="can enter"):
        install(server, sources["one"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755  # not repaired in silence
    folder.chmod(0o700)
    install(server, sources["one"])


@pytest.mark.parametrize("name", ["data", "keys"])
def test_a_link_in_place_of_a_folder_is_refused(
    server: Machine, sources: dict[str, Path], name: str
) -> None:
    folder = server.at(f"/var/lib/intake/{name}")
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")
    with pytest.raises(Misuse, match="no folder"):
        install(server, sources["one"])


def test_two_at_once(server: Machine, sources: dict[str, Path]) -> None:
    with server.alone(), pytest.raises(MachineTrouble, match="Somebody else"):
        install(server, sources["two"])
    assert named(server)[0] == ids(sources)[0]


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("app.py", "raise SystemExit('broken')", "broken"),
        ("app.py", "import intake.desk", "No module named 'intake.desk'"),
        ("deploy/gunicorn_conf.py", "no_such_name", "no_such_name"),
    ],
)
def test_a_release_that_does_not_load_is_never_in_force(
    server: Machine, tmp_path: Path, file: str, line: str, said: str
) -> None:
    broken = checkout(tmp_path / "broken")
    with (broken / file).open("a") as written:
        written.write(f"\n{line}\n")
    before = named(server), system_files(server)
    with pytest.raises(MachineTrouble, match=re.escape(said)):
        install(server, broken)
    assert (named(server), system_files(server)) == before
    assert release.sound(server, server.at("/opt/intake/current").resolve())


def test_a_package_with_another_hash_is_refused(
    server: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "_python", FILL)
    broken = checkout(tmp_path / "broken", note="hash")
    needs = broken / "requirements/server.txt"
    needs.write_text(re.sub("[0-9a-f]{64}", "0" * 64, needs.read_text()))
    before = named(server)
    with pytest.raises(MachineTrouble, match="HASHES"):
        install(server, broken)
    assert named(server) == before


def test_a_link_in_a_checkout_is_refused(server: Machine, tmp_path: Path) -> None:
    broken = checkout(tmp_path / "broken")
    (broken / "intake/mine.py").symlink_to("/etc/passwd")
    with pytest.raises(Misuse, match="is a link"):
        install(server, broken)


def system_files(machine: Machine) -> dict[str, bytes]:
    return {name: machine.at(where).read_bytes() for name, where in system.PLACES.items()}


# The power goes.


@pytest.mark.parametrize("step", STEPS)
def test_an_upgrade_that_is_cut_off_before_a_step_ends_well(
    ready: Machine, sources: dict[str, Path], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, _ = ids(sources)

    def cut(_: Install) -> None:
        raise Cut

    before = data(ready)
    with monkeypatch.context() as patched:
        patched.setattr(Install, f"_{step}", cut)
        with pytest.raises(Cut):
            install(ready, sources["two"])
    assert named(ready)[0] == (two if step in {"prune", "keyring"} else one)
    assert ready.at(f"{release.RELEASES}/{one}/app.py").is_file()
    install(ready, sources["two"])
    assert named(ready) == (two, one)
    assert {name: one[2] for name, one in data(ready).items()} == {
        name: one[2] for name, one in before.items()
    }
    assert not list(ready.root.rglob("*.partial"))


@pytest.mark.slow
def test_a_first_installation_that_is_cut_off_before_a_step_ends_well(
    first: Machine, tmp_path: Path, sources: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One server, cut off before each step in turn."""
    machine = Machine(tmp_path / "root")
    for name in STEPS:
        with monkeypatch.context() as patched:
            patched.setattr(Install, f"_{name}", lambda _: (_ for _ in ()).throw(Cut))
            with pytest.raises(Cut):
                install(machine, sources["one"])
    install(machine, sources["one"])
    assert named(machine) == named(first)
    there = {name for name in tree(machine) if not name.endswith(".pyc")}
    missing = {name for name in tree(first) if not name.endswith(".pyc")} - there
    assert missing == {"etc/tor/torrc.before-intake"}


def test_a_switch_that_is_cut_off_at_any_rename_ends_well(
    ready: Machine, tmp_path: Path, sources: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each cut the release in force is whole; then the upgrade, or the way back, is done."""
    one, two, _ = ids(sources)
    cuts = 0
    while True:
        machine = copied(ready, tmp_path / f"cut-{cuts}")
        with monkeypatch.context() as patched:
            cut_at(patched, cuts)
            try:
                switching.switch(machine, two)
            except Cut:
                pass
            else:
                break
        assert named(machine)[0] in {one, two}
        assert machine.at("/opt/intake/current/app.py").is_file()
        if cuts % 2:
            install(machine, sources["two"])
            assert named(machine) == (two, one)
        else:
            install(machine, sources["one"])
            assert named(machine)[0] == one
        assert not switching.interrupted(machine)
        assert system_files(machine)["torrc"] == (ROOT / "deploy/host/torrc").read_bytes()
        cuts += 1
    assert cuts > 2


def cut_at(patched: pytest.MonkeyPatch, number: int) -> None:
    """Have the power go before the rename of this number."""
    left = [number]
    rename = Path.rename

    def counted(path: Path, target: str | os.PathLike[str]) -> Path:
        if not left[0]:
            raise Cut
        left[0] -= 1
        return rename(path, target)

    patched.setattr(Path, "rename", counted)


def test_a_way_back_that_is_cut_off_at_any_rename_goes_back(
    upgraded: Machine, tmp_path: Path, sources: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, _ = ids(sources)
    cuts = 0
    while True:
        machine = copied(upgraded, tmp_path / f"cut-{cuts}")
        with monkeypatch.context() as patched:
            cut_at(patched, cuts)
            try:
                switching.rollback(machine)
            except Cut:
                pass
            else:
                break
        assert switching.rollback(machine) == one
        assert named(machine) == (one, two)
        cuts += 1
    assert cuts > 2
    assert named(machine) == (one, two)
    assert switching.rollback(machine) == two  # and forward again
    with pytest.raises(Misuse, match="no release before"):
        switching.rollback(copied_without_previous(machine))


def copied_without_previous(machine: Machine) -> Machine:
    machine.at("/opt/intake/previous").unlink()
    return machine


def test_a_build_that_is_cut_off_leaves_nothing_after_the_next(
    server: Machine, sources: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(release, "_python", lambda *_: (_ for _ in ()).throw(Cut))
        with pytest.raises(Cut):
            install(server, sources["two"])
    assert named(server)[0] == ids(sources)[0]
    assert list(server.at(release.RELEASES).glob(".*.new"))
    install(server, sources["two"])
    assert not list(server.at(release.RELEASES).glob(".*"))


# A site that runs.


@pytest.fixture
def manager(server: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    made = Manager(server, monkeypatch)
    yield made
    made.end()


def test_the_site_is_started_and_asked(
    server: Machine,
    manager: Manager,
    sources: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    install(server, sources["one"])
    assert "it answers 503: closed, for want of a keyring" in capsys.readouterr().out
    assert {f"restart {name}" for name in ("intake.service", "tor@default.service")} <= set(
        manager.asked()
    )
    asked = len(manager.asked())
    install(server, sources["one"])
    later = manager.asked()[asked:]
    assert not [each for each in later if each.startswith(("restart", "start", "stop"))]


def test_a_release_that_gives_no_page_is_taken_back(
    server: Machine,
    manager: Manager,
    sources: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It loads, and starts; but whoever asks for the page gets an error. Also after a power cut."""
    install(server, sources["one"])
    before = named(server), system_files(server)
    broken = checkout(tmp_path / "broken")
    with (broken / "app.py").open("a") as file:
        file.write("\napp.before_request(lambda: ('no page', 404))\n")
    with (broken / "deploy/host/intake.service").open("a") as file:
        file.write("# other\n")
    with monkeypatch.context() as patched:
        patched.setattr(system, "start", lambda *_, **__: (_ for _ in ()).throw(Cut))
        with pytest.raises(Cut):
            install(server, broken)
    assert named(server)[0] != before[0][0]  # the power went, and it was in force already
    with pytest.raises(MachineTrouble, match="is in force again"):
        install(server, broken)
    assert (named(server), system_files(server)) == before
    assert not switching.interrupted(server)
    assert switching.ask(server, 20) == "503"
    assert manager.asked()[-1] != "restart tor@default.service"


def test_what_was_placed_and_not_started_is_started_by_the_next(
    server: Machine, manager: Manager, sources: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes when tor's settings are there, and tor still has the old ones."""
    install(server, sources["one"])
    server.at("/etc/tor/torrc").write_text("SocksPort 9050\n")
    with monkeypatch.context() as patched:
        patched.setattr(system, "start", lambda *_, **__: (_ for _ in ()).throw(Cut))
        with pytest.raises(Cut):
            install(server, sources["one"])
    asked = len(manager.asked())
    install(server, sources["one"])
    assert {"daemon-reload", "restart tor@default.service"} <= set(manager.asked()[asked:])


def test_show_says_what_runs_and_no_time(server: Machine, manager: Manager) -> None:
    lines = "\n".join(showing.lines(server))
    assert "intake.service does NOT run" in lines
    switching.switch(server, switching.named(server, "current") or "")
    lines = "\n".join(showing.lines(server))
    assert "intake.service runs" in lines
    assert not re.search(r"\d\d:\d\d|20\d\d-", lines)
    assert manager.asked()


def test_a_page_that_is_not_ours_does_not_count(server: Machine) -> None:
    """Nor does nobody at all, and both end in time."""
    assert switching.ask(server, 0.5) == ""


# The script.


def test_the_script_says_what_it_does_and_refuses_others(tmp_path: Path) -> None:
    script = tmp_path / "deploy/install.sh"
    script.parent.mkdir()
    shutil.copy(ROOT / "deploy/install.sh", script)
    tmp_path.chmod(0o755)
    helped = subprocess.run(
        [SHELL, str(script), "--help"], capture_output=True, text=True, check=False
    )
    assert helped.returncode == 0
    assert "newer checkout" in helped.stdout
    assert "set -eu" not in helped.stdout
    nobody = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
    text = script.read_text()
    done = subprocess.run(  # type: ignore[call-overload]
        [SHELL, "-c", text], capture_output=True, text=True, check=False, **nobody
    )
    assert (done.returncode, "Only root" in done.stderr) == (2, True)
    other = tmp_path / "os-release"
    other.write_text('ID=ubuntu\nVERSION_ID="24.04"\n')
    told = text.replace("/etc/os-release", str(other)).replace('$(id -u)" -eq 0', '0" -eq 0')
    done = subprocess.run([SHELL, "-c", told], capture_output=True, text=True, check=False)
    assert (done.returncode, "ubuntu 24.04" in done.stderr) == (2, True)


def test_every_refusal_has_a_next_step() -> None:
    for kind in (MachineTrouble, Misuse, Unsafe):
        assert issubclass(kind, Refused)
