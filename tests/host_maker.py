"""A server in a folder, and a checkout to install on it, for tests of ``deploy/host``.

Rules:
- What installs is the real thing: a real venv, a real pip that checks hashes. Only what pip is to
  fetch is another: one wheel, made here, that names the packages of this checkout's own venv.
- systemd cannot run here. Where a test needs what it does, ``Manager`` stands in: it starts the
  real site of the release that is in force, and stops only what it started.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import shutil
import signal
import sysconfig
import textwrap
import zipfile
from pathlib import Path

import pytest

from deploy.host import release
from deploy.host.installing import Install
from deploy.host.machine import Machine
from intake.settings import ROOT

WHEEL = "intake_packages-1-py3-none-any.whl"


def wheel(folder: Path) -> str:
    """Make a wheel whose only content is where this checkout's packages are; return its hash."""
    info = "intake_packages-1.dist-info"
    content = {
        "intake_packages.pth": sysconfig.get_path("purelib"),
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: intake-packages\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{name},sha256={_digest(text)},{len(text)}" for name, text in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as packed:
        for name, text in content.items():
            packed.writestr(name, text)
    return hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def checkout(folder: Path, *, note: str = "") -> Path:
    """Return a checkout beside its wheels; ``note`` makes another release of it."""
    digest = wheel(folder.with_name(f"{folder.name}-wheels"))
    for name, data in release.shipped(ROOT).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    needs = f"intake-packages==1 --hash=sha256:{digest}\n"
    (folder / "requirements/server.txt").write_text(needs)
    if note:
        with (folder / "app.py").open("a") as file:
            file.write(f"# {note}\n")
    return folder


def install(machine: Machine, source: Path, keyring: Path | None = None) -> Install:
    """Install a checkout; return what was done."""
    run = Install(machine, source, source.with_name(f"{source.name}-wheels"), keyring)
    run.run()
    run.tell()
    return run


def copied(machine: Machine, folder: Path) -> Machine:
    """Return a copy of a server, in another folder."""
    shutil.copytree(machine.root, folder, symlinks=True)
    settings = folder / "etc/intake/site.env"
    status = settings.stat()
    settings.write_text(settings.read_text().replace(str(machine.root), str(folder)))
    os.utime(settings, ns=(status.st_atime_ns, status.st_mtime_ns))
    return Machine(folder)


def tree(machine: Machine) -> dict[str, tuple[object, ...]]:
    """Return all that is on a server: name, kind and mode, times, and content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(machine.root.rglob("*")):
        status = path.lstat()
        content = path.readlink() if path.is_symlink() else path.is_file() and path.read_bytes()
        found[str(path.relative_to(machine.root))] = (status.st_mode, status.st_mtime_ns, content)
    return found


class Manager:
    """A stand-in for systemd: ``systemctl`` in the ``PATH``, and the site that it starts."""

    def __init__(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have the server think that systemd runs."""
        self.folder = machine.root / "systemctl"
        self.folder.mkdir()
        machine.at("/run/systemd/system").mkdir(parents=True)
        machine.at("/run/intake").mkdir(parents=True)
        onion = machine.at("/var/lib/tor/intake")
        onion.mkdir(parents=True)
        (onion / "hostname").write_text(f"{'a' * 56}.onion\n")
        path = self.folder / "systemctl"
        path.write_text(_SYSTEMCTL.format(root=machine.root, folder=self.folder))
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{self.folder}:{os.environ['PATH']}")

    def asked(self) -> list[str]:
        """Return what was asked of it so far."""
        return (self.folder / "asked").read_text().splitlines()

    def end(self) -> None:
        """Stop all that it ever started: what was told to stop may still be about to."""
        started = self.folder / "started"
        for number in started.read_text().split() if started.exists() else []:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(number), signal.SIGKILL)


_SYSTEMCTL = textwrap.dedent("""\
    #!/bin/sh
    # VERB UNIT...: what Intake asks of systemd. A unit runs while its .pid file is there.
    root={root} folder={folder}
    verb=
    units=
    for word in "$@"; do
      case $word in -*) ;; *) if [ "$verb" ]; then units="$units $word"; else verb=$word; fi ;; esac
    done
    echo "$verb$units" >>"$folder/asked"
    for unit in $units; do
      pid=$folder/$unit.pid
      case $verb in
      is-active) [ -e "$pid" ] || exit 3 ;;
      stop | restart | reload-or-restart)
        if [ -s "$pid" ]; then kill -TERM -- "-$(cat "$pid")" 2>/dev/null; fi
        rm -f "$pid"
        ;;
      esac
      case $verb in start | restart)
        : >"$pid"
        [ "$unit" = intake.service ] || continue
        cd "$root/opt/intake/current" || exit 1
        rm -f "$root/run/intake/web.sock"
        set -a
        . "$root/etc/intake/site.env"
        INTAKE_BIND=unix:$root/run/intake/web.sock
        INTAKE_DECOYS=0
        setsid venv/bin/python -m gunicorn --config deploy/gunicorn_conf.py \\
          >"$folder/said" 2>&1 </dev/null &
        echo $! >"$pid"
        echo $! >>"$folder/started"
        until [ -S "$root/run/intake/web.sock" ]; do
          kill -0 "$(cat "$pid")" 2>/dev/null || exit 1
          sleep 0.1
        done
        ;;
      esac
    done
    """)
