"""A disk, rebuilt from system calls: what is in the cache, and what a power cut would leave.

Rules, those of POSIX and no file system's kindness:
- A file's bytes are on the disk when that file was synced, and only as they then were.
- A name (made, moved, removed, linked) is on the disk when its folder was synced. A folder that is
  not on the disk takes with it all that is in it.
- Modes, owners and times are not looked at.
- What was not synced is either gone (``LOST``), or all there (``KEPT``), or torn (``TORN``): of a
  file some of its 4,096-byte pages are new and others old, whatever the order in which they were
  written; of a folder's changes the first few are there, and each folder is cut at another place.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tests.durability.calls import REFUSED, Call

LOST, KEPT, TORN = "lost", "kept", "torn"
PAGE = 4096
Tree = dict[str, bytes | None]  # by path below the root; None is a folder


class File:
    """Bytes in the cache and on the disk, and the pieces written since they were the same."""

    def __init__(self, data: bytes = b"") -> None:
        self.now = bytearray(data)
        self.kept = data
        self.pending: list[tuple[int, bytes | None]] = []  # a place and bytes, or a new size
        self.places: dict[int, int] = {}  # of each descriptor

    def write(self, place: int, data: bytes) -> None:
        _put(self.now, place, data)
        while data:
            piece, data = data[: PAGE - place % PAGE], data[PAGE - place % PAGE :]
            self.pending.append((place, piece))
            place += len(piece)

    def resize(self, size: int) -> None:
        _resize(self.now, size)
        self.pending.append((size, None))

    def sync(self) -> None:
        if self.pending:
            self.kept = bytes(self.now)
            self.pending.clear()

    def torn(self, chance: random.Random) -> bytes:
        made = bytearray(self.kept)
        for place, piece in self.pending:
            if chance.random() < 0.5:
                if piece is None:
                    _resize(made, place)
                else:
                    _put(made, place, piece)
        return bytes(made)


class Folder:
    """Names in the cache and on the disk, and the changes since they were the same."""

    def __init__(self) -> None:
        self.now: dict[str, File | Folder] = {}
        self.kept: dict[str, File | Folder] = {}
        self.pending: list[dict[str, File | Folder | None]] = []

    def change(self, changes: dict[str, File | Folder | None]) -> None:
        _change(self.now, changes)
        self.pending.append(changes)

    def sync(self) -> None:
        self.kept = dict(self.now)
        self.pending.clear()

    def torn(self, chance: random.Random) -> dict[str, File | Folder]:
        made = dict(self.kept)
        for changes in self.pending[: chance.randint(0, len(self.pending))]:
            _change(made, changes)
        return made


class Disk:
    """What lies below ``root``, on the disk when this is made; :meth:`apply` brings it further."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._top = _read(root)

    def apply(self, call: Call) -> bool:
        """Do what a call did; return whether it made anything durable.

        Raises ``AssertionError`` for a call that changes files in a way that is not known here.
        """
        assert call.name not in REFUSED or self._harmless(call), f"not known: {call}"[:400]
        if call.result < 0:
            return False
        work = getattr(self, f"_{call.name}", None)
        assert work is not None, f"not known: {call}"[:400]
        return bool(work(call))

    def tree(self, variant: str, chance: random.Random) -> Tree:
        """Return what is left after a power cut."""
        return dict(_walk(self._top, variant, chance, ""))

    # by name

    def _find(self, path: str) -> File | Folder | None:
        if not (path == self._root or path.startswith(f"{self._root}/")):
            return None
        found: File | Folder | None = self._top
        for part in path[len(self._root) :].split("/"):
            if part and isinstance(found, Folder):
                found = found.now.get(part)
        return found

    def _parent(self, path: str) -> tuple[Folder | None, str]:
        above, _, name = path.rstrip("/").rpartition("/")
        found = self._find(above)
        return (found if isinstance(found, Folder) else None), name

    def _open(self, call: Call, at: int = 0) -> None:
        path = call.path(at, at - 1 if at else None)
        flags = call.flags(at + 1)
        if "O_TMPFILE" in flags:
            return  # it has no name, and a power cut leaves nothing of it
        folder, name = self._parent(path)
        found = self._find(path)
        if "O_CREAT" in flags and found is None and folder:
            found = File()
            folder.change({name: found})
        if isinstance(found, File):
            if "O_TRUNC" in flags and found.now:
                found.resize(0)
            found.places[call.result] = -1 if "O_APPEND" in flags else 0

    def _openat(self, call: Call) -> None:
        self._open(call, 1)

    def _mkdir(self, call: Call, at: int = 0) -> None:
        folder, name = self._parent(call.path(at, at - 1 if at else None))
        if folder:
            folder.change({name: Folder()})

    def _mkdirat(self, call: Call) -> None:
        self._mkdir(call, 1)

    def _unlink(self, call: Call, at: int = 0) -> None:
        folder, name = self._parent(call.path(at, at - 1 if at else None))
        if folder:
            folder.change({name: None})

    _rmdir = _unlink

    def _unlinkat(self, call: Call) -> None:
        self._unlink(call, 1)

    def _rename(self, call: Call, places: tuple[int, int] = (0, 1), at: int | None = None) -> None:
        old, new = (call.path(p, None if at is None else p - 1) for p in places)
        found = self._find(old)
        (source, was), (target, name) = self._parent(old), self._parent(new)
        # Dangerous line: a file that comes from elsewhere would have bytes that were never seen.
        assert found is not None or target is None, f"it comes from outside: {old}"
        if source is target and source:
            source.change({was: None, name: found})  # one step of one folder
        else:
            if target:
                target.change({name: found})
            if source:
                source.change({was: None})

    def _renameat(self, call: Call) -> None:
        self._rename(call, (1, 3), 1)

    def _renameat2(self, call: Call) -> None:
        assert not call.flags(4) & {"RENAME_EXCHANGE", "RENAME_WHITEOUT"}
        self._rename(call, (1, 3), 1)

    def _link(self, call: Call, places: tuple[int, int] = (0, 1), at: int | None = None) -> None:
        old, new = (call.path(p, None if at is None else p - 1) for p in places)
        found, (target, name) = self._find(old), self._parent(new)
        assert found is not None or target is None, f"it comes from outside: {old}"
        if target:
            target.change({name: found})

    def _linkat(self, call: Call) -> None:
        self._link(call, (1, 3), 1)

    # by descriptor

    def _file(self, call: Call) -> tuple[int, File | Folder | None]:
        number, path = call.descriptor()
        return number, self._find(path)

    def _write(self, call: Call) -> None:
        number, file = self._file(call)
        if isinstance(file, File):
            place = file.places.get(number, 0)
            data = call.text(1)[: call.result]
            file.write(len(file.now) if place < 0 else place, data)
            if place >= 0:
                file.places[number] = place + len(data)

    _writev = _write

    def _pwrite64(self, call: Call) -> None:
        _, file = self._file(call)
        if isinstance(file, File):
            file.write(call.number(3), call.text(1)[: call.result])

    _pwritev = _pwrite64
    _pwritev2 = _pwrite64

    def _lseek(self, call: Call) -> None:
        number, file = self._file(call)
        if isinstance(file, File) and file.places.get(number, 0) >= 0:
            file.places[number] = call.result

    def _ftruncate(self, call: Call) -> None:
        _, file = self._file(call)
        if isinstance(file, File):
            file.resize(call.number(1))

    def _truncate(self, call: Call) -> None:
        file = self._find(call.path(0))
        if isinstance(file, File):
            file.resize(call.number(1))

    def _fallocate(self, call: Call) -> None:
        _, file = self._file(call)
        if isinstance(file, File):
            assert call.arguments[1] == "0", f"not known: {call}"[:400]
            end = call.number(2) + call.number(3)
            if end > len(file.now):
                file.resize(end)

    def _fsync(self, call: Call) -> bool:
        _, found = self._file(call)
        if found is not None:
            found.sync()
        return found is not None

    _fdatasync = _fsync

    def _sync(self, _: Call) -> bool:
        for each in _everything(self._top):
            each.sync()
        return True

    _syncfs = _sync

    def _mmap(self, call: Call) -> None:
        shared = {"MAP_SHARED", "MAP_SHARED_VALIDATE"} & call.flags(3)
        writes = "PROT_WRITE" in call.flags(2) and shared
        assert not writes or self._find(call.descriptor(4)[1]) is None, f"not known: {call}"[:400]

    def _sendto(self, _: Call) -> None:
        """Nothing on a disk changes."""

    _sendmsg = _sendto
    _ioctl = _sendto

    @staticmethod
    def _harmless(call: Call) -> bool:
        return call.result < 0 or (call.name == "ioctl" and "FICLONE" not in call.arguments[1])


def write(tree: Tree, folder: Path) -> None:
    """Put a disk into an empty folder: files for their owner alone, folders likewise."""
    for name, data in tree.items():
        if data is None:
            (folder / name).mkdir(mode=0o700)
        else:
            (folder / name).write_bytes(data)
            (folder / name).chmod(0o600)


def _read(path: Path) -> Folder:
    made = Folder()
    for each in path.iterdir():
        assert not each.is_symlink(), f"no links below a watched folder: {each}"
        made.now[each.name] = _read(each) if each.is_dir() else File(each.read_bytes())
    made.sync()
    return made


def _walk(
    folder: Folder, variant: str, chance: random.Random, above: str
) -> Iterator[tuple[str, bytes | None]]:
    names = {LOST: folder.kept, KEPT: folder.now}.get(variant)
    for name, found in sorted((folder.torn(chance) if names is None else names).items()):
        if isinstance(found, Folder):
            yield f"{above}{name}", None
            yield from _walk(found, variant, chance, f"{above}{name}/")
        else:
            data = {LOST: found.kept, KEPT: bytes(found.now)}.get(variant)
            yield f"{above}{name}", found.torn(chance) if data is None else data


def _everything(folder: Folder) -> Iterator[File | Folder]:
    yield folder
    for each in folder.now.values():
        if isinstance(each, Folder):
            yield from _everything(each)
        else:
            yield each


def _put(data: bytearray, place: int, piece: bytes) -> None:
    if len(data) < place:
        data.extend(bytes(place - len(data)))
    data[place : place + len(piece)] = piece


def _resize(data: bytearray, size: int) -> None:
    del data[size:]
    data.extend(bytes(size - len(data)))


def _change(names: dict[str, File | Folder], changes: dict[str, File | Folder | None]) -> None:
    for name, found in changes.items():
        if found is None:
            names.pop(name, None)
        else:
            names[name] = found
