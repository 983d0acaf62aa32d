"""What must hold of a played site; the first line of each message is the word for what broke.

Each check takes what :func:`playing.play` saw, and keeps its figure before it asserts.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.leaks import tracing
from tests.leaks.canaries import HEADS
from tests.leaks.chain import cores
from tests.leaks.playing import Played
from tests.table import record

HOW = "make leaks"
OURS = {"intake.db", "intake.db-journal", "lock", "floor", "installed", "bundle.key"}


def check_seen(played: Played) -> None:
    """Each canary was seen coming in, and so were sealed rows going out: the tracer sees."""
    missed, cut = (
        sorted(text for text in texts if not played.trace.came(text))
        for texts in (played.sent, played.cut)
    )
    seen = len(played.sent) + len(played.cut) - len(missed) - len(cut)
    figure = (
        f"{seen} in {played.cases} requests; not read by anybody, of lines that broke: {len(cut)}"
    )
    record("canaries seen coming in, at a client's socket", figure, HOW)
    places = played.trace.places()
    assert not missed, f"seen\n{missed}"
    assert not cut or played.trace.poured, f"seen\n{cut}"
    assert any(place.endswith(b"/intake.db") for place in places), "seen\nno row"
    assert any(b"/data/" in place and place.endswith(b"(deleted)") for place in places), (
        "seen\nno spool"
    )


def check_calls(played: Played) -> None:
    """No canary and no source's secret is in a call, but for those to the client's own socket."""
    hits = played.hits()
    between = [hit for where, hit in hits if where.startswith("between") and hit.core in HEADS]
    found = [(where, hit) for where, hit in hits if hit not in between]
    spelled = len(played.search().patterns)
    volume = f"{played.trace.calls:,} calls, {played.trace.volume() >> 20} MiB written"
    figure = f"{len(found)} in {volume}; {spelled} spellings"
    record("words or receipts in a write, a name or a setting of any process", figure, HOW)
    record("heads of requests passed between the site's own processes", len(between), HOW)
    record("calls that move bytes unseen by the tracer", len(played.trace.unseen), HOW)
    assert not found, f"calls\n{found[:5]}"
    assert not played.trace.unseen, f"unseen\n{played.trace.unseen}"


def check_files(played: Played) -> None:
    """Nothing lies in a file, a name or a row, and there is no file that should not be there."""
    found, folder = list(played.left()), played.chain.folder
    temporary = [*(folder / "home").rglob("*"), *(folder / "tmp").rglob("*")]
    names = {path.name for path in played.chain.site.settings.data.iterdir()}
    names -= OURS | {f"place-{number}" for number in range(os.cpu_count() or 1)}
    elsewhere = {place for place in played.trace.places() if not _known(played, place)}
    strays = [*map(str, (*temporary, *elsewhere)), *sorted(names), *played.strays]
    record(
        "words or receipts in files, names of files, rows, log, shared memory after",
        len(found),
        HOW,
    )
    record(
        "files in temporary, home or working folder after, or written elsewhere meanwhile",
        len(strays),
        HOW,
    )
    assert not strays, f"strays\n{strays}"
    assert not found, f"files\n{found[:5]}"


def _known(played: Played, place: bytes) -> bool:
    """Return whether a place is one that the site may write to."""
    chain = played.chain
    ours = str(chain.site.settings.data).encode(), str(chain.folder / "log").encode()
    inside = place.startswith((ours[0] + b"/", b"/dev/null<")) or place == ours[1]
    return inside or played.trace.door in place or tracing.OWN.match(place) is not None


def check_answers(played: Played) -> None:
    """No page but that of the form gives back a word, and each status is as it must be."""
    record("words in an answer that is not the form with what was typed", len(played.echoes), HOW)
    assert not played.echoes, f"echo\n{played.echoes}"
    assert not played.odd, f"odd\n{played.odd}"


def check_core(played: Played, folder: Path) -> None:
    """A process that dies of a fault leaves no core, where another program's leaves one."""
    with cores():
        dies = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
        subprocess.run([sys.executable, "-c", dies], cwd=folder, check=False)
    ours, others = played.cores, list(folder.glob("core*"))
    figure = f"{len(ours)}; another program's: {len(others)}"
    record("cores of the site's processes, killed as by a fault", figure, HOW)
    assert not ours, f"core\n{ours}"


def check_all(played: Played) -> None:
    """Check what holds of any play."""
    for check in (check_calls, check_files, check_answers, check_seen):
        check(played)
