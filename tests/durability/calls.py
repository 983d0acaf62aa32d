"""System calls that change files, as strace wrote them down.

Rules:
- Only what touches the watched folder, or shows something to somebody, is returned; in the order
  in which the calls ended. A call that was not over when the trace ended is left out.
- A call that can change a file in a way that the rebuilt disk (``disk.py``) does not know is traced
  too, and refused there. What escapes even that list is found at the end: a disk that was rebuilt
  from all calls must be the folder, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

KNOWN = (
    *("open", "openat", "openat2", "creat", "write", "writev", "pwrite64", "pwritev", "pwritev2"),
    *("ftruncate", "truncate", "fallocate", "rename", "renameat", "renameat2", "unlink", "rmdir"),
    *("unlinkat", "mkdir", "mkdirat", "link", "linkat", "fsync", "fdatasync", "sync", "syncfs"),
    *("lseek", "sendto", "sendmsg", "mmap"),
)
# They change files, or share them, and no part of the project needs them.
REFUSED = (
    *("copy_file_range", "sendfile", "splice", "tee", "vmsplice", "io_submit", "io_uring_setup"),
    *("io_uring_enter", "symlink", "symlinkat", "mknod", "mknodat", "sync_file_range", "msync"),
    *("mount", "umount2", "open_by_handle_at", "process_vm_writev", "ioctl", "remap_file_pages"),
)
STRACE = ("strace", "-D", "-f", "--seccomp-bpf", "-qq", "-yy", "-xx", "-s", "2000000")
_ENDED = re.compile(r"(\d+) +(\w+)\((.*)\) += +(-?\d+|0x[0-9a-f]+)(.*)\Z", re.DOTALL)
_BEGUN = re.compile(r"(\d+) +(\w+\(.*?)(?:, )?<unfinished \.\.\.>\Z", re.DOTALL)
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)\Z", re.DOTALL)
_PART = re.compile(r'"(?:\\x[0-9a-f]{2})*"|\[[^]]*\]|[^,"[]+')
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_PLACE = re.compile(r"(-?\d+|AT_FDCWD)(?:<((?:\\x[0-9a-f]{2})*)(?:<[^>]*>)?>(\(deleted\))?)?")


class Call(NamedTuple):
    """A call that ended: ``arguments`` as strace writes them, ``result`` as a number."""

    pid: int
    name: str
    arguments: list[str]
    result: int
    more: str  # what strace says after the result: the path of a new descriptor, an injected error

    def text(self, place: int) -> bytes:
        """Return the bytes of an argument that is a string, or several in a list."""
        found = _STRING.findall(self.arguments[place])
        assert not any(cut for _, cut in found), f"strace cut what {self.name} had"
        return b"".join(map(_bytes, (hexed for hexed, _ in found)))

    def number(self, place: int) -> int:
        """Return an argument that is a number."""
        return int(self.arguments[place], 0)

    def flags(self, place: int) -> set[str]:
        """Return an argument that is flags."""
        return set(self.arguments[place].split("|"))

    def descriptor(self, place: int = 0) -> tuple[int, str]:
        """Return an argument that is a descriptor: its number, and its path if it has one."""
        return _descriptor(self.arguments[place])

    def path(self, place: int, folder: int | None = None) -> str:
        """Return an argument that is a path, made whole by the one of its folder."""
        named = self.text(place).decode(errors="surrogateescape")
        if named.startswith("/") or folder is None:
            return named
        return f"{self.descriptor(folder)[1]}/{named}"

    @property
    def opened(self) -> tuple[int, str]:
        """Return the descriptor that it gave."""
        return _descriptor(f"{self.result}{self.more}")

    @property
    def stream(self) -> bool:
        """Whether its first argument is a connected socket."""
        return bool(re.match(r"\d+<(TCP|UNIX-STREAM|socket)", self.arguments[0]))


def _descriptor(argument: str) -> tuple[int, str]:
    found = _PLACE.match(argument)
    assert found is not None, argument[:200]
    number = -100 if found[1] == "AT_FDCWD" else int(found[1])
    path = _bytes(found[2]).decode(errors="surrogateescape") if found[2] else ""
    return number, "" if found[3] else path


def _bytes(hexed: str) -> bytes:
    return bytes.fromhex(hexed.replace("\\x", ""))


def option(more: tuple[str, ...] = ()) -> str:
    """Return strace's option that says what to trace."""
    return f"trace={','.join((*KNOWN, *REFUSED, *more))}"


def read(trace: Path, folder: Path) -> Iterator[Call]:
    """Yield the calls that touch ``folder``, sync everything, or show something."""
    mark = "".join(f"\\x{octet:02x}" for octet in bytes(folder))
    begun: dict[str, str] = {}
    with trace.open(encoding="ascii") as file:
        for each in file:
            line = each.rstrip("\n")
            if found := _BEGUN.match(line):
                begun[found[1]] = found[2]
                continue
            if found := _RESUMED.match(line):
                rest = begun.pop(found[1])
                joint = ", " if not (found[2].startswith(")") or rest.endswith("(")) else ""
                line = f"{found[1]} {rest}{joint}{found[2].removeprefix(', ')}"
            if (
                mark in line
                or " sync(" in line
                or " io_uring_setup(" in line
                or re.match(r"\d+ +(?:send(?:to|msg)|write)\((?:1<|\d+<(?:TCP|UNIX))", line)
            ):
                found = _ENDED.match(line)
                if found:
                    yield Call(
                        int(found[1]),
                        found[2],
                        _split(found[3]),
                        int(found[4], 0),
                        found[5],
                    )


def _split(arguments: str) -> list[str]:
    """Return the arguments; commas within strings and lists are theirs."""
    found, part = [], ""
    for piece in re.findall(
        r'"[^"]*"(?:\.\.\.)?|\[(?:"[^"]*"|[^]"])*\]|<[^>]*>|,|[^,"[<]+|.', arguments
    ):
        if piece == ",":
            found.append(part.strip())
            part = ""
        else:
            part += piece
    return [*found, part.strip()]
