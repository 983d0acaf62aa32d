"""A backup opens with stock age, goes back to where it was taken, and never over another server.

The passphrases are typed on a terminal, because ``age`` asks there and nowhere else.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy import recovery
from deploy.host import backup, restoring
from deploy.host.machine import FOLDERS, Machine
from deploy.recovery import Block
from intake import days, envelope, files
from intake.admin import chain, exporting
from intake.errors import BadFile, Incomplete, MachineTrouble, Misuse, Refused, Unsafe
from intake.settings import ROOT, Settings
from tests.host_maker import tree
from tests.site_maker import Site, make_site

AGE = shutil.which("age") or ""
WORDS = "စကား ဆယ်လုံး horse battery"
ASKS = re.compile(rb"(Enter|Confirm) passphrase[^\n]*: \Z")
ONION = "var/lib/tor/intake"

pytestmark = pytest.mark.skipif(not AGE, reason="age is not installed (apt install age)")


class Cut(BaseException):
    """The power goes."""


def empty(folder: Path) -> Machine:
    """Return a server as its installation leaves it, without a release."""
    machine = Machine(folder)
    for name, mode, owner in FOLDERS:
        machine.folder(name, mode, owner)
    # As on a server, the settings of both name the same folders.
    here = folder.with_name("here")
    here.unlink(missing_ok=True)
    here.symlink_to(folder)
    both = [f"INTAKE_{name.upper()}={here}/var/lib/intake/{name}\n" for name in ("data", "keys")]
    machine.put("/etc/intake/site.env", "".join(both).encode())
    current = machine.at("/opt/intake/current")
    (current / "venv/bin").mkdir(parents=True)
    python = current / "venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for name in ("intake", "deploy"):
        (current / name).symlink_to(ROOT / name)
    return machine


def settings(machine: Machine) -> Settings:
    return Settings(machine.at("/var/lib/intake/data"), machine.at("/var/lib/intake/keys"))


def watch(_: str, items: object, __: int | None = None) -> object:
    return items


@pytest.fixture
def server(tmp_path: Path) -> Machine:
    """A server in use: a keyring, three rows, a bundle that was exported, an onion, a client."""
    machine = empty(tmp_path / "old")
    site = make_site(tmp_path, install=True)
    for name in ("data", "keys"):
        for path in (tmp_path / name).iterdir():
            path.rename(machine.at(f"/var/lib/intake/{name}/{path.name}"))
    machine.at("/var/lib/intake/data").chmod(0o700)
    own = Site(site.made, settings(machine))
    period = own.made.keyring.periods[0].name
    own.store.add([(bytes([n]) * 16, b"s" * envelope.SEALED) for n in range(3)], period)
    days.today(own.settings, own.made.keyring.expires)
    (tmp_path / "stick").mkdir()
    export(machine, tmp_path / "stick")
    own_file(machine, f"{ONION}/hostname", f"{'b' * 56}.onion\n".encode())
    own_file(machine, f"{ONION}/hs_ed25519_secret_key", os.urandom(96))
    own_file(machine, f"{ONION}/hs_ed25519_public_key", os.urandom(64))
    own_file(machine, f"{ONION}-admin/authorized_clients/laptop.auth", b"descriptor:x25519:A\n")
    own_file(machine, "etc/tor/intake.d/admin.conf", b"# ours\n")
    own_file(machine, "etc/intake/about.toml", '[organisation]\nmy = "အဖွဲ့"\n'.encode())
    return machine


def own_file(machine: Machine, name: str, data: bytes) -> None:
    path = machine.at(name)
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True)
        path.parent.parent.chmod(0o700 if "intake" in path.parent.parent.name else 0o755)
    path.write_bytes(data)
    path.chmod(0o600)


def export(machine: Machine, folder: Path) -> exporting.Exported:
    run = exporting.Export(settings(machine), folder, watch)  # type: ignore[arg-type]
    (made,) = run.run()
    return made


def host(machine: Machine, tmp_path: Path, *words: object, typed: str = WORDS) -> tuple[int, str]:
    """Run a command of ``intake-host`` on a terminal; return how it ended, and what it said."""
    line = [sys.executable, "-P", "-m", "deploy.host", "--root", machine.root, *words]
    text = f"export PYTHONPATH={shlex.quote(str(ROOT))} LC_ALL=C.UTF-8\n"
    text += f'{shlex.join(map(str, line))} || echo "=$?="\n'
    folder = tmp_path / f"terminal-{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    path = f"{Path(AGE).parent}:/usr/bin:/bin"
    ((_, said),) = recovery.play([Block("", text)], folder, path, lambda _: typed, ASKS)
    found = re.search(r"=(\d+)=\n\Z", said)
    return int(found[1]) if found else 0, said


def saved(machine: Machine, tmp_path: Path) -> Path:
    path = tmp_path / "one.age"
    code, said = host(machine, tmp_path, "backup", path)
    assert code == 0, said
    return path


def covered(machine: Machine) -> dict[str, bytes]:
    return backup.here(machine)


def test_a_backup_and_back_on_another_server(server: Machine, tmp_path: Path) -> None:
    path = saved(server, tmp_path)
    other = empty(tmp_path / "new")
    own_file(other, "var/lib/intake/data/bundle.key", b"0" * 64)  # as its installation made it
    own_file(other, f"{ONION}/hostname", b"another\n")
    code, said = host(other, tmp_path, "restore", path)
    assert code == 0, said
    assert covered(other) == covered(server)
    assert len(covered(other)) == 12
    for name in covered(other):
        mode = stat.S_IMODE(other.at(name).stat().st_mode)
        public = name.startswith(("etc/", "var/lib/intake/keys"))
        assert mode == (0o644 if public else 0o600), name
    for name in (ONION, f"{ONION}-admin", f"{ONION}-admin/authorized_clients"):
        assert stat.S_IMODE(other.at(name).stat().st_mode) == 0o700
    aside = other.at("/var/lib/intake/replaced-1")
    assert f"What was here is in {aside}" in said
    assert (aside / "var/lib/intake/data/bundle.key").read_bytes() == b"0" * 64
    assert (aside / ONION / "hostname").read_bytes() == b"another\n"
    assert chain.last(settings(other), chain.BUNDLES).number == 1
    assert "intake-admin resume" in said


def test_rows_are_not_in_it(server: Machine, tmp_path: Path) -> None:
    path = saved(server, tmp_path)
    content = backup.unpack(opened(path, tmp_path))
    assert content == covered(server)
    assert not [name for name in content if "intake.db" in name]
    assert server.at("/var/lib/intake/data/intake.db").exists()


def opened(path: Path, tmp_path: Path) -> bytes:
    """Open a backup with stock age alone."""
    folder = tmp_path / "stock"
    folder.mkdir()
    block = Block("", f"age -d {shlex.quote(str(path))} >tar\ntar tf tar\n")
    list(recovery.play([block], folder, f"{Path(AGE).parent}:/usr/bin:/bin", lambda _: WORDS, ASKS))
    return (folder / "tar").read_bytes()


def test_only_its_owner_reads_it_and_nothing_is_written_over(
    server: Machine, tmp_path: Path
) -> None:
    path = saved(server, tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    assert before.startswith(b"age-encryption.org/v1\n-> scrypt ")
    code, said = host(server, tmp_path, "backup", path)
    assert (code, "exists already" in said) == (2, True)
    assert path.read_bytes() == before
    code, said = host(server, tmp_path, "backup", server.at("/var/lib/intake/data/one.age"))
    assert (code, "does not belong" in said) == (2, True)
    assert not list(tmp_path.rglob("*.partial"))


def test_age_makes_a_passphrase_up(server: Machine, tmp_path: Path) -> None:
    path = tmp_path / "two.age"
    code, said = host(server, tmp_path, "backup", path, typed="")
    assert code == 0, said
    found = re.search(r'autogenerated passphrase "([a-z-]+)"', said)
    assert found is not None
    code, said = host(server, tmp_path, "restore", "--check", path, typed=found[1])
    assert (code, "It is whole" in said) == (0, True)


def test_check_and_a_wrong_passphrase_change_nothing(server: Machine, tmp_path: Path) -> None:
    path = saved(server, tmp_path)
    other = empty(tmp_path / "new")
    before = tree(other)
    code, said = host(other, tmp_path, "restore", "--check", path)
    assert (code, "last     bundle 1" in said) == (0, True)
    assert "b" * 56 in said
    code, said = host(other, tmp_path, "restore", path, typed="another one")
    assert (code, "age did not do it" in said) == (5, True)
    cut = tmp_path / "cut.age"
    cut.write_bytes(path.read_bytes()[:-100])
    code, said = host(other, tmp_path, "restore", cut)
    assert (code, "age did not do it" in said) == (5, True)
    assert tree(other) == before


def test_without_a_terminal_it_says_so(server: Machine, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "deploy.host", "--root", str(server.root), "backup"]
    done = subprocess.run(
        [*words, str(tmp_path / "x.age")],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert (done.returncode, "no terminal" in done.stderr) == (2, True)
    assert not (tmp_path / "x.age").exists()


# Over a server that is in use.


@pytest.fixture
def given(server: Machine, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What a backup has, which restore reads without age, to be quick."""
    content = covered(server)
    monkeypatch.setattr(backup, "read", lambda _: dict(content))
    return content


def test_a_server_in_use_is_not_made_another_one(
    server: Machine, given: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert given
    before = tree(server)
    restoring.restore(server, Path())
    assert "nothing changed" in capsys.readouterr().out
    assert tree(server) == before
    chain.save(settings(server), chain.BUNDLES, chain.Mark(9, bytes(32)))
    own_file(server, "etc/intake/form.toml", b"x")
    before = tree(server)
    with pytest.raises(Unsafe, match="differ") as refused:
        restoring.restore(server, Path())
    assert "var/lib/intake/data/bundles" in refused.value.what
    assert "etc/intake/form.toml" in refused.value.what
    assert "bundle.key" not in refused.value.what
    assert tree(server) == before


def test_replace_moves_aside_and_says_where(
    server: Machine, given: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    own_file(server, "etc/intake/form.toml", b"x")
    for number, key in enumerate((b"1" * 64, b"2" * 64), 1):
        own_file(server, "var/lib/intake/data/bundle.key", key)
        restoring.restore(server, Path(), replace=True)
        assert covered(server) == given
        aside = server.at(f"/var/lib/intake/replaced-{number}")
        assert str(aside) in capsys.readouterr().out
        assert (aside / "var/lib/intake/data/bundle.key").read_bytes() == key
        assert not aside.stat().st_mode & 0o077
    first = server.at("/var/lib/intake/replaced-1")
    assert (first / "etc/intake/form.toml").read_bytes() == b"x"
    assert not server.at("/etc/intake/form.toml").exists()
    assert len(Site.store.fget(Site(None, settings(server))).counts()) == 1  # type: ignore[attr-defined,arg-type]


def test_a_restore_that_is_cut_off_at_any_file_ends_well(
    given: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is done the site is closed, or the old one: never half of each."""
    put, at = Machine.put, 0
    while True:
        other = empty(tmp_path / f"new-{at}")
        own_file(other, "var/lib/intake/data/bundle.key", b"0" * 64)
        left = at

        def cut(machine: Machine, *words: object) -> bool:
            nonlocal left
            if not left:
                raise Cut
            left -= 1
            return put(machine, *words)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(Machine, "put", cut)
            try:
                restoring.restore(other, Path())
            except Cut:
                assert not settings(other).installed.exists()
            else:
                break
        restoring.restore(other, Path())
        assert covered(other) == given
        kept = other.at("/var/lib/intake/replaced-1/var/lib/intake/data/bundle.key")
        assert kept.read_bytes() == b"0" * 64
        at += 1
    assert at == len(given)


def test_a_full_disk_changes_nothing(
    server: Machine, given: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert given
    own_file(server, "var/lib/intake/data/bundle.key", b"1" * 64)
    before = covered(server)

    def full(*_: object, **__: object) -> None:
        raise files.trouble(OSError(28, "No space left on device"), Path("/x"))

    monkeypatch.setattr(files, "write", full)
    with pytest.raises(MachineTrouble, match="no space"):
        restoring.restore(server, Path(), replace=True)
    assert covered(server) == before


def test_while_somebody_exports_nothing_is_taken_or_put_back(
    server: Machine, given: dict[str, bytes], tmp_path: Path
) -> None:
    assert given
    with chain.alone(settings(server)):
        with pytest.raises(MachineTrouble, match="running"):
            restoring.restore(server, Path(), replace=True)
        with pytest.raises(MachineTrouble, match="running"):
            backup.save(server, tmp_path / "x.age")


# Files that somebody else made.


def member(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"x", link: str = "") -> bytes:
    """Return a backup with one member more."""
    packed = io.BytesIO(backup.pack({"var/lib/intake/data/bundle.key": b"k"}))
    with tarfile.open(fileobj=packed, mode="a") as tar:
        made = tarfile.TarInfo(name)
        made.type, made.linkname = kind, link
        made.size = len(data) if kind == tarfile.REGTYPE else 0
        tar.addfile(made, io.BytesIO(data))
    return packed.getvalue()


@pytest.mark.parametrize(
    "packed",
    [
        member("etc/shadow"),
        member("/etc/intake/site.env"),
        member("etc/intake/../shadow"),
        member("etc/intake/.hidden"),
        member("etc/intake/a/b"),
        member("etc/intake"),
        member("var/lib/intake/data/intake.db"),
        member("var/lib/intake/data/bundle.key"),  # twice
        member("var/lib/intake/keys/keyring", tarfile.SYMTYPE, link="/etc/shadow"),
        member("var/lib/intake/keys/keyring", tarfile.LNKTYPE, link="etc/shadow"),
        member("var/lib/intake/keys/keyring", tarfile.FIFOTYPE),
        member("var/lib/intake/keys/keyring", tarfile.CHRTYPE),
        member("var/lib/intake/keys", tarfile.DIRTYPE),
        member("etc/tor/intake.d/x.conf\n"),
        member("etc/intake/large", data=bytes((1 << 20) + 1)),
        backup.pack({}),
        backup.pack({"var/lib/intake/data/bundle.key": b"k"}).replace(b"backup 1", b"backup 2"),
        b"",
        b"no tar" * 200,
    ],
)
def test_what_is_no_backup_of_ours_is_refused_whole(packed: bytes) -> None:
    with pytest.raises(BadFile, match="no backup of ours"):
        backup.unpack(packed)


def test_the_plain_one_is_taken() -> None:
    assert set(backup.unpack(member("etc/intake/about.toml"))) == {
        "var/lib/intake/data/bundle.key",
        "etc/intake/about.toml",
    }


@pytest.mark.parametrize("name", ["var/lib/intake/keys", "etc/intake", ONION])
def test_a_link_on_the_server_is_not_followed(
    server: Machine, given: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    assert given
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.rmtree(server.at(name))
    server.at(name).symlink_to(elsewhere)
    with pytest.raises(Refused, match="no folder"):
        restoring.restore(server, Path(), replace=True)
    assert not list(elsewhere.iterdir())


def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(
    server: Machine, given: dict[str, bytes], tmp_path: Path
) -> None:
    """The site's user owns the folder of keys; root must not write where a link there points."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"v")
    victim.chmod(0o600)
    path = server.at("/var/lib/intake/keys/keyring")
    path.unlink()
    path.symlink_to(victim)
    restoring.restore(server, Path(), replace=True)
    assert (victim.read_bytes(), stat.S_IMODE(victim.stat().st_mode)) == (b"v", 0o600)
    assert not path.is_symlink()
    assert covered(server) == given


# The last numbers.


def test_after_a_restore_no_number_is_used_twice(server: Machine, tmp_path: Path) -> None:
    """Bundle 2 was exported after the backup; the stick knows it, and then the server does."""
    path = saved(server, tmp_path)
    second = export(server, tmp_path / "stick")
    assert second.header.number == 2
    other = empty(tmp_path / "new")
    code, said = host(other, tmp_path, "restore", path, "--last-bundle", second.path)
    assert (code, "The last bundle is 2, the last return 0." in said) == (0, True), said
    mark = json.loads((settings(other).data / "bundles").read_bytes())
    assert mark == {"number": 2, "sha256": second.header.sha256.hex()}


def test_a_number_never_falls_and_strangers_set_none(server: Machine, tmp_path: Path) -> None:
    own = settings(server)
    (first,) = (tmp_path / "stick").glob("*-000001.bundle")
    second = export(server, tmp_path / "stick")
    bundles = [mark.number for mark in chain.resume(own, first, None)]
    assert bundles == [2, 0]
    chain.save(own, chain.BUNDLES, chain.START)
    assert chain.resume(own, second.path, None)[0] == chain.Mark(2, second.header.sha256)
    stranger = Ed25519PrivateKey.generate()
    forged = tmp_path / "forged"
    data = second.path.read_bytes().split(b"\n", 2)
    signature = stranger.sign(b"intake bundle 1\n" + data[0]).hex().encode()
    forged.write_bytes(b"\n".join([data[0], signature, data[2]]))
    chain.save(own, chain.BUNDLES, chain.START)
    with pytest.raises(BadFile):
        chain.resume(own, forged, None)
    with pytest.raises(BadFile):
        chain.resume(own, None, second.path)
    assert chain.last(own, chain.BUNDLES) == chain.START


def test_an_unfinished_bundle_keeps_its_number(
    server: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its note is in the backup; its rows are not: the number is given up, and said to be."""
    with monkeypatch.context() as patched:
        patched.setattr(exporting, "write_bundle", lambda *_: (_ for _ in ()).throw(Cut))
        with pytest.raises(Cut):
            export(server, tmp_path / "stick")
    path = saved(server, tmp_path)
    other = empty(tmp_path / "new")
    assert host(other, tmp_path, "restore", path)[0] == 0
    Site(None, settings(other)).store.create()  # type: ignore[arg-type]
    with pytest.raises(Incomplete, match="Bundle 2 was not finished"):
        export(other, tmp_path / "stick")
    assert chain.last(settings(other), chain.BUNDLES).number == 2


def test_a_missing_file_is_a_sentence(server: Machine, tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="no file"):
        restoring.restore(server, tmp_path / "nothing")
