"""The tracer sees a word, whichever way a program puts it somewhere, and names what it cannot see.

The word is in the program's file, and not among its arguments, where it would always be seen.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.leaks.canaries import ASCII, BURMESE, Search
from tests.leaks.tracing import Trace, tracer

pytestmark = pytest.mark.leaks

BEGIN = f"""
import ctypes, mmap, os, socket, sys, tempfile, threading
words = {BURMESE!r}.encode()
os.chdir(sys.argv[1])
file = os.open("file", os.O_RDWR | os.O_CREAT)
one, other = socket.socketpair()
"""
WAYS = {
    "write": "os.write(file, words)",
    "in two pieces": "os.write(file, words[:20]); os.write(file, words[20:])",
    "pwrite": "os.pwrite(file, words, 7)",
    "writev": "os.writev(file, [words[:9], words[9:]])",
    "pwritev": "os.pwritev(file, [words[:9], words[9:]], 5)",
    "a temporary file": "f = tempfile.TemporaryFile(); f.write(words); f.flush()",
    "memory with a name": "os.write(os.memfd_create(''), words)",
    "its name": f"os.memfd_create({ASCII!r})",
    "a folder": "os.mkdir(words)",
    "a file that is not there": f"os.path.exists({ASCII!r})",
    "a new name": "os.rename('file', words)",
    "a link": "os.symlink('x', words)",
    "an attribute": "\ntry: os.setxattr('file', 'user.x', words)\nexcept OSError: pass",
    "a process's name": f"ctypes.CDLL(None).prctl(15, {ASCII!r}[:15].encode(), 0, 0, 0)",
    "an argument": f"os.spawnv(os.P_WAIT, '/bin/true', ['true', {ASCII!r}])",
    "a thread": "t = threading.Thread(target=os.write, args=(file, words)); t.start(); t.join()",
    "a child": "os.fork() or (os.write(file, words), os._exit(0)); os.wait()",
    "a socket": "one.sendmsg([words[:9], words[9:]])",
    "nowhere": "os.write(os.open(os.devnull, os.O_WRONLY), words)",
}
UNSEEN = {
    "splice": "r, w = os.pipe(); os.write(w, b'x'); os.splice(r, file, 1)",
    "sendfile": "os.sendfile(one.fileno(), file, 0, 1)",
    "copy_file_range": "os.copy_file_range(file, os.open('b', os.O_RDWR | os.O_CREAT), 1)",
    "mmap": "os.ftruncate(file, 9); mmap.mmap(file, 9)",
}


def traced(script: str, folder: Path) -> Trace:
    """Return what a program called."""
    program = folder / "program"
    program.write_text(BEGIN + script, "utf-8")
    command = [*tracer(folder / "trace"), sys.executable, str(program), str(folder)]
    subprocess.run(command, check=True)
    return Trace.load(folder / "trace", folder / "no door")


@pytest.mark.parametrize("script", WAYS.values(), ids=WAYS.keys())
def test_a_word_is_seen(script: str, tmp_path: Path) -> None:
    assert {hit.core for _, hit in traced(script, tmp_path).hits(Search())} & {ASCII, BURMESE}


def test_a_word_that_goes_nowhere_is_not_seen(tmp_path: Path) -> None:
    assert not list(traced("", tmp_path).hits(Search()))


@pytest.mark.parametrize("script", UNSEEN.values(), ids=UNSEEN.keys())
def test_what_cannot_be_seen_is_named(script: str, tmp_path: Path) -> None:
    assert traced(script, tmp_path).unseen


def test_what_goes_into_a_pipe_or_memory_is_seen_when_it_is_read(tmp_path: Path) -> None:
    script = (
        "one.sendall(words); memory = os.memfd_create(''); r, w = os.pipe()\n"
        "os.splice(other.fileno(), w, 999); os.splice(r, memory, 999)\n"
        "os.lseek(memory, 0, 0); os.read(memory, 999)"
    )
    found = traced(script, tmp_path)
    assert not found.unseen
    assert found.came(BURMESE)
