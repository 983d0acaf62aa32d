"""Every system call through which a program could put words somewhere, with all its bytes.

Rules:
- The tracer follows each process and thread that the server starts, whatever it is for.
- A call that moves bytes which the tracer cannot show is named, unless it moves them into a pipe or
  into memory: what is written from there to anywhere else would be seen, or named, too.
- What is written in pieces is put together: all that one thread writes to one place is one text.
"""

from __future__ import annotations

import re
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import quote_plus

from tests.leaks.canaries import Hit, Search
from tests.spine import WAIT

LONGEST = 4 << 20  # bytes of one argument that are shown
WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg")
READS = ("recvfrom", "recvmsg", "recvmmsg", "read")
UNSEEN = (  # these move bytes that are not among their arguments
    *("sendfile", "splice", "tee", "vmsplice", "copy_file_range", "process_vm_writev", "io_submit"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "ptrace"),
)
NAMES = (  # "%file" has every call that takes the name of a file
    *("%file", "prctl", "memfd_create", "mmap", "fsetxattr", "connect", "bind", "mq_open"),
    *("mq_timedsend", "msgsnd", "shmget", "add_key", "request_key", "keyctl", "syslog"),
    *("sethostname", "bpf", "openat2", "open_by_handle_at", "ioctl"),
)
_HEX = re.compile(rb"(?:\\x[0-9a-f]{2})+")
_QUOTED = re.compile(rb'"((?:\\x[0-9a-f]{2})*)"')
_CALL = re.compile(rb"(\w+)\((?:-?\w+<(.*?)>(\(deleted\))?[,)])?")
OWN = re.compile(rb"(?:UNIX[-A-Z]*|pipe|socket|anon_inode):?\[|/memfd:")
_INTO = re.compile(rb"splice\(.*?>(?:\(deleted\))?, \w+, -?\w+<(.*?)>")


def tracer(path: Path) -> list[str]:
    """Return the words that start a command traced, into files that begin with ``path``."""
    assert shutil.which("strace"), "Install strace, and run this again."
    calls = ",".join((*WRITES, *READS, *UNSEEN, *NAMES))
    shown = ["-yy", "-xx", "-s", str(LONGEST), "--seccomp-bpf", "-e", f"trace={calls}"]
    return ["strace", "-D", "-ff", "-q", *shown, "-o", str(path)]


@dataclass
class Trace:
    """What all processes of a server called, taken from the tracer's files.

    ``written`` has what went to each place, ``read`` what came from the clients' sockets or from
    memory that has no name, and ``named`` the arguments of all other calls. ``unseen`` names what
    the tracer cannot show, and ``poured`` counts what went unseen into a pipe or into memory.
    """

    door: bytes
    calls: int = 0
    poured: int = 0
    written: dict[tuple[int, bytes], list[bytes]] = field(default_factory=lambda: defaultdict(list))
    read: dict[tuple[int, bytes], list[bytes]] = field(default_factory=lambda: defaultdict(list))
    named: list[bytes] = field(default_factory=list)
    unseen: set[bytes] = field(default_factory=set)

    @classmethod
    def load(cls, path: Path, door: Path) -> Trace:
        """Read the files that begin with ``path``, once each process has ended."""
        made = cls(str(door).encode())
        for number, one in enumerate(_finished(path)):
            with one.open("rb") as lines:
                for line in lines:
                    made._take(number, line)
        return made

    def _take(self, thread: int, line: bytes) -> None:
        found = _CALL.match(line)
        if found is None:
            return
        self.calls += 1
        name, place = found[1].decode(), _plain(found[2] or b"") + (found[3] or b"")
        if name in WRITES:
            # Dangerous line: bytes that are left out would not be searched.
            assert b'"...' not in line, "an argument was cut: raise LONGEST"
            self.written[thread, place].append(_payload(line[found.end() :]))
        elif name in READS:
            if self.door in place or place.startswith(b"/memfd:"):
                self.read[thread, place].append(_payload(line[found.end() :]))
        else:
            if kept := _kept(line):
                self.poured += kept
            elif name in UNSEEN or (name == "mmap" and _shared(line)):
                self.unseen.add(name.encode() + b" " + place)
            self.named.append(_plain(line))

    def hits(self, search: Search) -> Iterator[tuple[str, Hit]]:
        """Yield where a canary went, but for the clients' sockets, and what it was."""
        for (_, place), pieces in self.written.items():
            if self.door not in place:
                for hit in search.within(b"".join(pieces)):
                    yield self._kind(place), hit
        for hit in search.within(b"".join(self.named)):
            yield "the name of a file, a process or a setting", hit

    def _kind(self, place: bytes) -> str:
        return "between its own processes" if OWN.match(place) else place.decode("utf-8", "replace")

    @cached_property
    def _joined(self) -> bytes:
        return b"\n".join(b"".join(pieces) for pieces in self.read.values())

    def volume(self) -> int:
        """Return how many bytes went anywhere but to the clients."""
        return sum(
            len(piece)
            for (_, place), pieces in self.written.items()
            if self.door not in place
            for piece in pieces
        )

    def came(self, text: str) -> bool:
        """Return whether a text came from a client, in UTF-8 or with percents."""
        spelled = text.encode(), quote_plus(text).encode()
        return any(one in self._joined for one in spelled)

    def places(self) -> set[bytes]:
        """Return all places that anything was written to."""
        return {place for _, place in self.written}


def _finished(path: Path) -> Iterable[Path]:
    until = time.monotonic() + WAIT
    while True:
        found = sorted(path.parent.glob(f"{path.name}.*"))
        ends = [one.read_bytes()[-200:] for one in found]
        if found and all(b"\n+++ " in end for end in ends):
            return found
        assert time.monotonic() < until, "the tracer has not ended"
        time.sleep(0.1)


def _plain(shown: bytes) -> bytes:
    return _HEX.sub(lambda found: bytes.fromhex(found[0].replace(b"\\x", b"").decode()), shown)


def _payload(rest: bytes) -> bytes:
    shown = b"".join(found[1] for found in _QUOTED.finditer(rest))
    return bytes.fromhex(shown.replace(b"\\x", b"").decode())


def _kept(line: bytes) -> bool:
    """Return whether bytes are spliced into a pipe, or into memory."""
    found = _INTO.match(line)
    return found is not None and OWN.match(_plain(found[1])) is not None


def _shared(line: bytes) -> bool:
    """Return whether a mapping writes through to a file."""
    return b"MAP_SHARED" in line and b"PROT_WRITE" in line and b"<" in line
