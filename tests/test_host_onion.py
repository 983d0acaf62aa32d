"""The admin's onion: never open to everybody, and both lines of a key are one key's.

That tor lets in nobody else is tried in ``make onion``.
"""

from __future__ import annotations

import base64
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from deploy.host import onion, showing
from deploy.host.machine import Machine
from intake.errors import Misuse, Unsafe
from intake.settings import ROOT
from tests.host_maker import tree

KEYS = [base64.b32encode(bytes([n]) * 32).decode().rstrip("=") for n in range(1, 4)]
CONF = "/etc/tor/intake.d/admin.conf"


@pytest.fixture
def server(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "root")
    for name in ("/etc/tor/intake.d", "/var/lib/tor", "/opt/intake"):
        machine.at(name).mkdir(parents=True)
    return machine


def auth(machine: Machine) -> dict[str, str]:
    return {path.name: path.read_text() for path in machine.at(onion.CLIENTS).glob("*")}


def test_clients_come_and_go(server: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert onion.admit(server, [f"laptop={KEYS[0]}", f"b={KEYS[1]}"], [])
    assert auth(server) == {
        "laptop.auth": f"descriptor:x25519:{KEYS[0]}\n",
        "b.auth": f"descriptor:x25519:{KEYS[1]}\n",
    }
    for name, mode in ((onion.ADMIN, 0o700), (onion.CLIENTS, 0o700), (CONF, 0o644)):
        assert stat.S_IMODE(server.at(name).stat().st_mode) == mode
    assert stat.S_IMODE((server.at(onion.CLIENTS) / "b.auth").stat().st_mode) == 0o600
    before = tree(server)
    assert not onion.admit(server, [f"laptop={KEYS[0]}"], [])
    after = tree(server)
    assert {k: v for k, v in after.items() if k != "opt/intake"} == {
        k: v for k, v in before.items() if k != "opt/intake"
    }
    assert onion.admit(server, [f"laptop={KEYS[2]}"], ["b"])
    assert auth(server) == {"laptop.auth": f"descriptor:x25519:{KEYS[2]}\n"}
    assert "for laptop" in "\n".join(showing.lines(server))
    onion.tell(server)
    assert "Let in    laptop" in capsys.readouterr().out


def test_it_is_never_open_to_everybody(server: Machine) -> None:
    with pytest.raises(Misuse, match="everybody"):
        onion.admit(server, [], [])
    assert not server.at(CONF).exists()
    onion.admit(server, [f"a={KEYS[0]}"], [])
    keys = server.at(onion.ADMIN) / "hs_ed25519_secret_key"
    keys.write_bytes(b"k")
    onion.admit(server, [], ["a"])
    assert not server.at(CONF).exists()
    assert auth(server) == {}
    assert keys.read_bytes() == b"k"  # the address stays ours
    with pytest.raises(Misuse, match="no client a"):
        onion.admit(server, [], ["a"])


def test_while_the_last_one_goes_it_is_not_open(
    server: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes at each file that is removed; there are lines only while there are clients."""
    onion.admit(server, [f"a={KEYS[0]}"], [])
    unlink = Path.unlink

    def cut(path: Path, *, missing_ok: bool = False) -> None:
        unlink(path, missing_ok=missing_ok)
        if path.suffix in {".auth", ".conf"}:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", cut)
        with pytest.raises(KeyboardInterrupt):
            onion.admit(server, [], ["a"])
    assert auth(server) or not server.at(CONF).exists()
    assert onion.admit(server, [], ["a"])
    assert not server.at(CONF).exists()


@pytest.mark.parametrize(
    "client",
    [
        "laptop",
        f"laptop={KEYS[0][:-1]}",
        f"laptop={KEYS[0]}A",
        f"laptop={KEYS[0].lower()}",
        f"../x={KEYS[0]}",
        f"a b={KEYS[0]}",
        f"={KEYS[0]}",
        f"laptop={KEYS[0]}\nHiddenServicePort 80",
    ],
)
def test_what_is_no_key_is_refused(server: Machine, client: str) -> None:
    with pytest.raises(Misuse, match="NAME=KEY"):
        onion.admit(server, [client], [])
    assert not server.at(CONF).exists()
    assert not list(server.at("/var/lib/tor").iterdir())


def test_a_link_in_place_of_tors_folder_is_refused(server: Machine, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    server.at(onion.ADMIN).symlink_to(tmp_path / "elsewhere")
    with pytest.raises((Misuse, Unsafe)):
        onion.admit(server, [f"a={KEYS[0]}"], [])
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_both_lines_of_a_key_are_one_keys(server: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "laptop"
    folder.mkdir()
    script = [sys.executable, str(ROOT / "deploy/onion_client.py"), "laptop", "--in", str(folder)]
    lines = set()
    for _ in range(2):  # the key is made once
        done = subprocess.run(script, capture_output=True, text=True, check=True)
        found = re.search(r"^intake-host admin-onion --client (\S+)$", done.stdout, re.MULTILINE)
        assert found is not None
        lines.add(found[1])
    (line,) = lines
    onion.admit(server, [line], [])
    address = "a" * 56
    subprocess.run([*script, "--address", f"{address}.onion"], capture_output=True, check=True)
    path = folder / "laptop.auth_private"
    for each in (path, folder / "laptop.key"):
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
    own, kind, algorithm, secret = path.read_text().strip().split(":")
    assert (own, kind, algorithm) == (address, "descriptor", "x25519")
    key = X25519PrivateKey.from_private_bytes(base64.b32decode(secret + "===="))
    public = base64.b32encode(key.public_key().public_bytes_raw()).decode().rstrip("=")
    assert auth(server)["laptop.auth"] == f"descriptor:x25519:{public}\n"


@pytest.mark.skipif(not shutil.which("tor"), reason="tor is not installed (apt install tor)")
def test_tor_takes_the_lines(server: Machine, tmp_path: Path) -> None:
    """Ours, and the settings that include them; it makes the address in its own folder."""
    onion.admit(server, [f"a={KEYS[0]}"], [])
    for name in (CONF, "/etc/tor/torrc"):
        text = (server.at(name) if name == CONF else ROOT / "deploy/host/torrc").read_text()
        text = text.replace("/var/lib/tor", str(tmp_path / "tor"))
        server.at(name).write_text(text.replace("/etc/tor/", f"{server.root}/etc/tor/"))
    shutil.copytree(server.at("/var/lib/tor"), tmp_path / "tor")
    (tmp_path / "tor").chmod(0o700)
    words = ["tor", "--defaults-torrc", "/dev/null", "-f", str(server.at("/etc/tor/torrc"))]
    words += ["--DataDirectory", str(tmp_path / "tor"), "--verify-config"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, "Configuration was valid" in done.stdout) == (0, True), done.stdout
