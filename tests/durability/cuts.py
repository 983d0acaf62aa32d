"""The power is cut at every sync: a run is traced, its disks are rebuilt, each is judged.

::

    run = Run(folder)                             # all below it is on the disk now
    run.command("intake.admin", "export", stick)  # traced; or: with run.site() as address
    figures = run.cut(judge)
    figures.hold("bundles")

Rules:
- A cut comes just before each call that syncs, just after it, and just after anything was shown;
  at each, the disk is rebuilt with what was not synced gone, there, and torn (``disk.py``). The
  same disk after the same was shown is judged once.
- What was shown is in the trace itself: what went to a client's socket, or to standard output.
- ``judge`` is given a folder and what had been shown. It asserts, with words that begin with
  "lost" (what was confirmed does not hold) or "half" (something is neither whole nor absent).
- A rebuilt disk that has everything in it must be the folder itself, or the trace missed a call.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from intake.settings import ROOT
from tests import spine, table
from tests.durability import calls, disk
from tests.durability.calls import Call

WAIT = 120  # seconds
TORN = 2  # torn disks for each cut


@dataclass(slots=True)
class Shown:
    """What somebody has been shown so far: on a terminal, and as answers of the site."""

    text: str = ""
    answers: list[tuple[int, str]] = field(default_factory=list)  # status, and page
    terminal: bool = False
    anew: bool = False  # the last step ran again, so what it draws is not what it drew

    def add(self, call: Call) -> bool:
        """Take a call that may show something; return whether it did."""
        number, path = call.descriptor() if call.name == "write" else (0, "")
        if number == 1 and not path.startswith("/dev/shm"):  # noqa: S108 - there it is no terminal
            on_terminal = path.startswith("/dev/pts")
            if self.terminal and not on_terminal:
                return False  # what stands for the terminal passes it on
            self.terminal = on_terminal
            said = call.text(1)[: call.result].decode(errors="replace")
            self.text += said
            return bool(said.strip())  # a line's end comes by itself
        data = call.text(1) if call.name in {"sendto", "sendmsg", "write"} and call.stream else b""
        if not data.startswith(b"HTTP/1.1 "):
            return False
        assert call.result == len(data), "an answer left in two pieces"
        page = gzip.decompress(data.partition(b"\r\n\r\n")[2]).decode()
        self.answers.append((int(data[9:12]), page))
        return True


Judge = Callable[[Path, Shown], None]


@dataclass(slots=True)
class Figures:
    """What came of a run: how many syncs, disks, and things shown; how many judgements failed."""

    syncs: int = 0
    disks: int = 0
    shown: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    first: str = ""

    def hold(self, name: str) -> None:
        """Record a row of the table; raise if anything was lost or half."""
        lost = sum(n for what, n in self.broken.items() if what.startswith("lost"))
        half = sum(n for what, n in self.broken.items() if not what.startswith("lost"))
        figure = f"{self.syncs} syncs, {self.disks} disks, {self.shown} shown; "
        figure += f"lost: {lost}, half: {half}"
        table.record(f"power cut: {name}", figure, "`make durability`")
        assert not self.broken, f"{self.first}\n{dict(self.broken)}"
        assert self.syncs, "nothing was synced"
        assert self.shown, "nothing was shown"


def scratch() -> Path:
    """Return a new folder on a disk in memory, where there is one."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp's are the owner's alone
    where = memory if os.access(memory, os.W_OK) else None
    return Path(tempfile.mkdtemp(prefix="intake-durability-", dir=where)).resolve()


class Step(NamedTuple):
    """A command of a run: how it is called, what lay in the folder before, and what was shown."""

    command: tuple[str, ...]
    before: Path
    text: str
    trace: Path


class Run:
    """Processes that are traced, one after the other, and the folder that they change."""

    def __init__(self, folder: Path, checkout: Path = ROOT) -> None:
        self.folder = folder
        self.checkout = checkout
        self.steps: list[Step] = []
        self.traces: list[Path] = []
        self.text = ""
        self._before = disk.Disk(folder)

    @property
    def environment(self) -> dict[str, str]:
        """What the processes are told; they show each line as soon as it is said."""
        own = {"INTAKE_DATA": f"{self.folder}/data", "INTAKE_KEYS": f"{self.folder}/keys"}
        own["INTAKE_DECOYS"] = "0"  # one by chance would be a row of nobody
        quiet = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}
        path = f"{self.folder.parent}/bin:{os.environ['PATH']}"
        return {"PATH": path, **quiet, **own}

    def tracer(self, trace: Path, *more: str) -> tuple[str, ...]:
        """Return the command that traces another."""
        assert shutil.which("strace"), "Install strace, and run this test again."
        return (*calls.STRACE, "-o", str(trace), "-e", calls.option(), *more)

    def command(self, module: str, *words: object, terminal: bool = False) -> str:
        """Trace a command to its end, on a terminal of its own if it wants one.

        Return what it said. ``bin`` beside the folder has programs that stand in for others.
        """
        command = [sys.executable, "-m", module, *map(str, words)]
        if terminal:
            command = ["script", "-qec", shlex.join(command), "/dev/null"]
        before = self.folder.with_name(f"before-{len(self.steps)}")
        shutil.copytree(self.folder, before)
        step = Step(tuple(command), before, self.text, self._trace())
        self.steps.append(step)
        done = self.run(self.tracer(step.trace), command)
        assert done.returncode == 0, done.stdout + done.stderr
        self.text += done.stdout
        return done.stdout

    def run(
        self, tracer: Sequence[str], command: Sequence[str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command under a tracer, to its end."""
        return subprocess.run(
            [*tracer, *command],
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WAIT,
            check=False,
        )

    @contextmanager
    def site(self) -> Iterator[str]:
        """Trace the site with one worker; yield ``host:port``."""
        tracer = self.tracer(self._trace())
        with spine.serve(self.checkout, self.environment, *tracer, options=("-w", "1")) as address:
            yield address

    def put_back(self, step: Step) -> None:
        """Have the folder as it was before a step."""
        shutil.rmtree(self.folder)
        shutil.copytree(step.before, self.folder)

    def _trace(self) -> Path:
        self.traces.append(self.folder.with_name(f"trace-{len(self.traces)}"))
        return self.traces[-1]

    def cut(self, judge: Judge, seed: int = 9, stride: int = 1) -> Figures:
        """Judge the disk after every cut; ``stride`` takes each nth sync only."""
        figures, shown, seen = Figures(), Shown(), set[bytes]()
        now, chance = self._before, random.Random(seed)
        place = scratch()
        try:
            for call in (c for trace in self.traces for c in calls.read(trace, self.folder)):
                syncs = call.name in {"fsync", "fdatasync", "sync", "syncfs"} and call.result >= 0
                if syncs and figures.syncs % stride == 0:
                    self._judge(now, judge, shown, chance, place, seen, figures)
                synced = now.apply(call)
                told = shown.add(call)
                figures.shown += told
                if told or (synced and figures.syncs % stride == 0):
                    self._judge(now, judge, shown, chance, place, seen, figures)
                figures.syncs += synced
            self._judge(now, judge, shown, chance, place, seen, figures)
            missed = self._missed(now)
        finally:
            shutil.rmtree(place)
        assert not missed, f"the trace does not explain: {missed}"
        return figures

    def _missed(self, now: disk.Disk) -> list[str]:
        made = now.tree(disk.KEPT, random.Random(0))
        real = {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else None
            for path in self.folder.rglob("*")
        }
        return sorted(name for name in {*made, *real} if made.get(name, 0) != real.get(name, 0))

    @staticmethod
    def _judge(  # noqa: PLR0913, PLR0917 - what a run carries along
        now: disk.Disk,
        judge: Judge,
        shown: Shown,
        chance: random.Random,
        place: Path,
        seen: set[bytes],
        figures: Figures,
    ) -> None:
        for variant in (disk.LOST, disk.KEPT, *(disk.TORN,) * TORN):
            tree = now.tree(variant, chance)
            digest = hashlib.sha256(repr((len(shown.answers), len(shown.text))).encode())
            for name, data in tree.items():
                digest.update(name.encode() + b"\0" + (b"/" if data is None else data) + b"\0")
            if digest.digest() in seen:
                continue
            seen.add(digest.digest())
            made = place / str(figures.disks)
            made.mkdir(mode=0o700)
            disk.write(tree, made)
            figures.disks += 1
            try:
                judge(made, shown)
            except Exception as broken:  # noqa: BLE001 - whatever a judge stumbles over is counted
                lines = str(broken).splitlines() or [""]
                what = lines[0] if isinstance(broken, AssertionError) else f"half: {broken!r}"
                figures.broken[what[:120]] += 1
                when = f"{variant}, after {len(shown.answers)} answers and {shown.text[-200:]!r}"
                figures.first = figures.first or f"{when}: {what}"
            shutil.rmtree(made)


Played = tuple[Run, Judge]
