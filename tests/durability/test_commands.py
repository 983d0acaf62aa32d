"""Commands on a disk that is full or fails, and commands that are killed, at any call that writes.

Rules:
- The calls are those of a run that went well: the nth of its name is let fail, or ends the process.
- What was said before holds, and so does what was said by the command that failed; the same command
  again ends well. The judges are those of the power cut.
- A command that fails says so in a sentence, with the exit code of a refusal, and not as a defect.
- Of the calls each `STRIDE`-th is taken, or more where there are few, beginning at a place that the
  part's name fixes; all of them where it is marked slow.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import table
from tests.durability import test_admin, test_carried, test_desk
from tests.durability.cuts import Judge, Played, Run, Shown, Step

pytestmark = pytest.mark.durability
PARTS: dict[str, Callable[[Path], Played]] = {
    **test_admin.PARTS,
    **test_desk.PARTS,
    "keys that a ceremony made": test_carried.keys,
}
STRIDE = 12
LEAST = 16  # calls of a part, if it has so many
KILLS = 8  # for each part
WRITES = ("write", "pwrite64")
SYNCS = ("fsync", "fdatasync", "ftruncate", "rename", "unlink", "mkdir")


class Place(NamedTuple):
    """The nth call of a name, in a step."""

    step: Step
    name: str
    nth: int


def places(run: Run, names: tuple[str, ...]) -> list[Place]:
    """Return where these calls touched the folder, each place once."""
    found: dict[Place, None] = {}
    for step in run.steps:
        counted: Counter[tuple[str, str]] = Counter()
        for line in step.trace.read_text(encoding="ascii").splitlines():
            pid, _, rest = line.partition(" ")
            name = rest.strip().partition("(")[0]
            counted[pid, name] += 1
            if name in names and _touches(line, run.folder):
                found[Place(step, name, counted[pid, name])] = None
    return list(found)


def _touches(line: str, folder: Path) -> bool:
    """Return whether a call is about the folder: by its descriptor, or by a name."""
    mark = "".join(f"\\x{octet:02x}" for octet in bytes(folder))
    named = any(f" {name}(" in line for name in ("rename", "unlink", "mkdir"))
    return mark in (line if named else line.partition(", ")[0])


def attempt(run: Run, place: Place, how: str, judge: Judge) -> bool:
    """Run the step again, with this fault; judge what is left. Return whether the fault came."""
    run.put_back(place.step)
    trace = run.folder.with_name("attempt")
    inject = f"inject={place.name}:{how}:when={place.nth}"
    # Dangerous word: with it, strace 6.1 sends no signal.
    tracer = [word for word in run.tracer(trace, "-e", inject) if word != "--seccomp-bpf"]
    done = run.run(tracer, place.step.command)
    lines = trace.read_text(encoding="ascii", errors="replace").splitlines()
    came = any("INJECTED" in line and _touches(line, run.folder) for line in lines)
    killed = any("killed by SIGKILL" in line for line in lines) or done.returncode < 0
    said = done.stdout + done.stderr
    assert "defect" not in said, said
    assert "Traceback" not in said, said
    assert killed or 0 <= done.returncode <= 8, done
    judge(run.folder, Shown(place.step.text + done.stdout, anew=True))
    return came or killed


def fail(name: str, played: Played, stride: int) -> None:
    """Let writes and syncs fail."""
    run, judge = played
    faults = [(place, "error=ENOSPC") for place in places(run, WRITES)]
    faults += [(place, "error=EIO") for place in places(run, (*WRITES, *SYNCS))]
    stride = min(stride, max(1, len(faults) // LEAST))
    begin = random.Random(name).randrange(stride)
    said = f"{{}} of {len(faults)} calls failed"
    each(run, judge, faults[begin::stride], f"full or failing disk: {name}", said)


def kill(name: str, played: Played, times: int) -> None:
    """End the process at calls drawn by chance."""
    run, judge = played
    every = [(place, "signal=KILL") for place in places(run, (*WRITES, *SYNCS))]
    chosen = random.Random(name).sample(every, min(times, len(every)))
    each(run, judge, chosen, f"SIGKILL: {name}", f"killed at {{}} of {len(every)} calls")


def each(run: Run, judge: Judge, faults: Sequence[tuple[Place, str]], row: str, said: str) -> None:
    """Try each fault; record a row that says how many came and what they broke."""
    came, first, broken = 0, "", 0
    for place, how in faults:
        try:
            came += attempt(run, place, how, judge)
        except AssertionError as error:
            broken += 1
            first = first or f"{place.name} {place.nth} {how}: {error}"
    table.record(row, f"{said.format(came)}; lost or half: {broken}", "`make durability`")
    assert not broken, first
    assert came >= len(faults) * 0.8, "too many faults did not come"


def cases() -> Iterator[object]:
    """Yield each part quickly, and whole where there is time."""
    for name in PARTS:
        yield pytest.param(name, False, id=name)
        yield pytest.param(name, True, id=f"{name}, every call", marks=pytest.mark.slow)


@pytest.mark.parametrize(("name", "every"), list(cases()))
def test_a_command_that_fails_or_is_killed(name: str, every: bool, place: Path) -> None:
    played = PARTS[name](place)
    fail(name, played, 1 if every else STRIDE)
    kill(name, played, KILLS * 5 if every else KILLS)
