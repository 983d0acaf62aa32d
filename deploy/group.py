"""A server that is measured: its processes are a group of their own, and end with it.

Rules:
- Only what it started is ended, by the group's number.
- What Linux tells in /proc is summed over all living processes of the group; :class:`Watch` adds
  those that have ended meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

GRACE = 15  # seconds to end by itself


class Group:
    """A command and whatever it starts. ``door`` is a socket that it finds as standard input."""

    door: socket.socket | None = None

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
    ) -> None:
        """Start ``command`` in ``folder``. What it prints is kept, in a file without a name."""
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (goes with the object)
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=self.door.fileno() if self.door else subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def members(self) -> list[int]:
        """List the processes of the group."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = entry.read_text().rpartition(")")[2].split()
                if int(fields[2]) == self.process.pid:
                    found.append(int(entry.parent.name))
        return found

    def memory(self, field: str = "VmRSS") -> int:
        """Sum a field of /proc/PID/status, in bytes."""
        return 1024 * self._sum("status", rf"{field}:\s+(\d+) kB")

    def proportional(self) -> int:
        """Sum the memory, what is shared being shared out; 0 where the system does not tell."""
        return 1024 * self._sum("smaps_rollup", r"(?m)^Pss:\s+(\d+) kB")

    def written(self) -> int:
        """Sum the bytes that were handed to the system to be written to files."""
        return sum(self.writes().values())

    def writes(self) -> dict[int, int]:
        """Return those bytes by process."""
        return self._each("io", r"wchar: (\d+)")

    def processor(self) -> float:
        """Sum the processor seconds used."""
        return sum(self.processors().values())

    def processors(self) -> dict[int, float]:
        """Return the processor seconds by process."""
        found = {}
        for pid in self.members():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                found[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return found

    def forget_peak(self) -> None:
        """Set the peak of memory back to what is used now."""
        for pid in self.members():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def held(self) -> Iterator[Path]:
        """Yield the files that are open, those without a name too."""
        for pid in self.members():
            for path in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if path.is_file():
                        yield path

    def said(self) -> str:
        """Return all that was printed."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def stop(self) -> float:
        """End it, by force after a while; return the seconds that it took."""
        start = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)
        return time.monotonic() - start

    def _sum(self, name: str, pattern: str) -> int:
        return sum(self._each(name, pattern).values())

    def _each(self, name: str, pattern: str) -> dict[int, int]:
        found = {}
        for pid in self.members():
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/{name}").read_text()
                found[pid] = sum(map(int, re.findall(pattern, text)))
        return found


class Watch:
    """What a group takes while a block runs, with members that come and go.

    It is looked at every ``STEP`` seconds: what a member that ends does after the last look at it
    is missed, and what it had for less than that. So its sums are lower bounds.
    """

    STEP = 0.02

    def __init__(self, group: Group) -> None:
        """Prepare."""
        self.group = group
        self.memory = 0  # bytes, the most, what is shared being shared out
        self._spent: dict[int, float] = {}
        self._wrote: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        """Begin."""
        self._look()
        self._before = sum(self._spent.values()), sum(self._wrote.values())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look for the last time."""
        self._over.set()
        self._thread.join()
        self._look()

    @property
    def processor(self) -> float:
        """Seconds of processors."""
        return sum(self._spent.values()) - self._before[0]

    @property
    def written(self) -> int:
        """Bytes that were handed to the system to be written to files."""
        return sum(self._wrote.values()) - self._before[1]

    def _run(self) -> None:
        while not self._over.wait(self.STEP):
            self._look()

    def _look(self) -> None:
        self.memory = max(self.memory, self.group.proportional())
        self._spent |= self.group.processors()
        self._wrote |= self.group.writes()
