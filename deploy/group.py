"""A server that is measured: its processes are a group of their own, and end with it.

Rules:
- Only what it started is ended, by the group's number.
- What Linux tells in /proc is summed over all living processes of the group.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

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
        return self._sum("io", r"wchar: (\d+)")

    def processor(self) -> float:
        """Sum the processor seconds used."""
        total = 0
        for pid in self.members():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

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
        total = 0
        for pid in self.members():
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/{name}").read_text()
                total += sum(map(int, re.findall(pattern, text)))
        return total
