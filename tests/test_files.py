"""Whole files: under a name stands the old file or the new one, whatever the disk does."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from intake import files
from intake.errors import BadFile, MachineTrouble, Misuse, Unsafe

OLD, NEW = b"the old file", b"the new file"


def fail(code: int) -> Callable[..., NoReturn]:
    """Return a call that fails as a disk does."""

    def call(*_: object, **__: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return call


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file that is there already, alone in its folder."""
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced, renamed, linked and unlinked, in order."""
    calls: list[str] = []

    def spy(owner: Any, name: str, describe: Callable[..., str]) -> None:  # noqa: ANN401
        real = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            calls.append(describe(*args))
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    def synced(descriptor: int) -> str:
        state = os.fstat(descriptor)
        return "sync folder" if stat.S_ISDIR(state.st_mode) else f"sync {state.st_size} bytes"

    spy(os, "fsync", synced)
    spy(os, "rename", lambda *_: "rename")
    spy(os, "link", lambda *_: "link")
    spy(os, "unlink", lambda *_: "unlink")
    return calls


def test_the_name_comes_after_the_bytes_are_on_the_disk(old: Path, trace: list[str]) -> None:
    with files.whole(old) as file:
        file.write(NEW)
        assert old.read_bytes() == OLD
    # Everything written is in the file when it is synced, and the folder is synced last.
    steps = [step for step in trace if step != "unlink"]
    assert steps == [f"sync {len(NEW)} bytes", "rename", "sync folder"]
    assert old.read_bytes() == NEW
    assert names(old.parent) == ["file"]


def test_a_new_name_comes_after_the_bytes_are_on_the_disk(old: Path, trace: list[str]) -> None:
    files.write(old.with_name("new"), NEW, replace=False)
    assert trace == [f"sync {len(NEW)} bytes", "rename", "unlink", "sync folder"]
    assert names(old.parent) == ["file", "new"]


def test_a_taken_name_is_refused_before_anything_is_written(old: Path, trace: list[str]) -> None:
    with pytest.raises(Misuse, match="exists already"):
        files.write(old, NEW, replace=False)
    assert old.read_bytes() == OLD
    assert trace == []
    assert names(old.parent) == ["file"]


def test_a_folder_that_is_missing_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(MachineTrouble) as refused:
        files.write(tmp_path / "no" / "such", NEW)
    assert f"Make the folder {tmp_path / 'no'} first" in refused.value.hint


def test_a_name_taken_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def race() -> None:
        with files.whole(path, replace=False) as file:
            file.write(NEW)
            path.write_bytes(OLD)

    with pytest.raises(Misuse, match="exists already"):
        race()
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("call", ["os.fsync", "os.rename", "os.open", "os.fdopen"])
def test_a_disk_that_fails_leaves_the_old_file(
    old: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(call, fail(code))
        with pytest.raises(MachineTrouble) as caught:
            files.write(old, NEW)
    assert os.strerror(code).lower() in caught.value.what
    assert "run it again" in caught.value.hint
    assert old.read_bytes() == OLD
    assert names(old.parent) == ["file"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_write_that_fails_leaves_the_old_file(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def full(path: Path, flags: int, mode: int = 0o777) -> int:
        if str(path).endswith(".partial"):
            os.close(real(path, flags, mode))
            return real("/dev/full", os.O_WRONLY)
        return real(path, flags, mode)

    with monkeypatch.context() as broken:
        broken.setattr(os, "open", full)
        with pytest.raises(MachineTrouble, match="no space left"):
            files.write(old, bytes(1 << 20))
    assert old.read_bytes() == OLD
    assert names(old.parent) == ["file"]


def test_a_block_that_fails_leaves_the_old_file(old: Path) -> None:
    def stop(error: BaseException) -> None:
        with files.whole(old) as file:
            file.write(NEW)
            file.flush()
            assert len(names(old.parent)) == 2
            raise error

    for error in (KeyboardInterrupt(), ValueError("ours"), BadFile("a", "b")):
        with pytest.raises(type(error)):
            stop(error)
        assert old.read_bytes() == OLD
        assert names(old.parent) == ["file"]


def test_the_folder_that_cannot_be_synced_is_reported(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "sync_folder", fail(errno.EIO))
    with pytest.raises(MachineTrouble):
        files.write(old, NEW)
    assert old.read_bytes() in {OLD, NEW}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MachineTrouble, match="no such file or directory"):
        files.write(tmp_path / "none" / "file", NEW)


def test_a_secret_is_private_from_its_first_moment(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        with files.whole(tmp_path / "secret") as file:
            assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
        files.write(tmp_path / "open", NEW, files.PUBLIC)
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o644


@pytest.mark.parametrize("mode", [0o601, 0o602, 0o604, 0o610, 0o620, 0o640, 0o644, 0o660, 0o777])
def test_a_secret_that_others_can_touch_is_refused(old: Path, mode: int) -> None:
    old.chmod(mode)
    with pytest.raises(Unsafe, match="Other users"):
        files.read(old, 100, private=True)
    assert stat.S_IMODE(old.stat().st_mode) == mode  # refused, not repaired
    assert files.read(old, 100) == OLD


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_secret_that_only_its_owner_can_touch_is_read(old: Path, mode: int) -> None:
    old.chmod(mode)
    assert files.read(old, 100, private=True) == OLD


def test_the_limit_is_the_last_size_that_is_read(old: Path) -> None:
    assert files.read(old, len(OLD)) == OLD
    with pytest.raises(BadFile, match="larger"):
        files.read(old, len(OLD) - 1)
    with pytest.raises(BadFile, match="larger"):
        files.read(Path("/dev/zero"), 1000)  # never read whole


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="is not there"):
        files.read(tmp_path / "none", 1)
    with pytest.raises(Misuse, match="is a folder"):
        files.read(tmp_path, 1)


def test_a_folder_and_those_above_it_are_synced_into_the_folder_that_holds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    files.make_folder(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    files.make_folder(tmp_path / "a" / "b")
    assert len(synced) == 2
    (tmp_path / "file").touch()
    with pytest.raises(MachineTrouble, match="file"):
        files.make_folder(tmp_path / "file")
