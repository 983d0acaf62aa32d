"""Run one of Intake's tools as if on another day, to rehearse what weeks would take.

    python deploy/at_day.py 2026-12-07 intake.admin status
    python deploy/at_day.py 2027-01-04 intake.ceremony show keyring

Rules:
- Only ``intake.days.clock`` changes, before any module takes it by name. The machine's own clock,
  every time of a file and every other process stay as they are.
- It is for rehearsals, the drill and tests. No tool imports it, and a server that is deployed has
  no ``deploy/`` on its path.
"""

from __future__ import annotations

import runpy
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from intake import days  # noqa: E402 - after the path is set

_MACHINE = days.clock


class Calendar:
    """A clock that shows one day until somebody turns the leaf: set ``day``."""

    def __init__(self, day: date) -> None:
        """Show ``day``."""
        self.day = day

    def __call__(self) -> date:
        """Return the day that is shown, as ``intake.days.clock`` does."""
        return self.day


def hang(day: date) -> Calendar:
    """Put a calendar in the place of the machine's clock, for the whole of this process.

    Raises ``RuntimeError`` if a module already took the machine's clock by name: it would go on
    living today, and half of a rehearsal would be on one day and half on another.
    """
    for name, module in list(sys.modules.items()):
        if module is not days and name.startswith("intake.") and _MACHINE in vars(module).values():
            raise RuntimeError(f"{name} has the machine's clock already. Hang the calendar first.")
    days.clock = calendar = Calendar(day)
    return calendar


def main() -> None:
    """Run the tool that the command line names, on the day that it names."""
    try:
        day = days.day(sys.argv[1])
        tool = sys.argv[2]
    except (IndexError, ValueError):
        sys.exit(__doc__)
    hang(day)
    del sys.argv[1:3]
    runpy.run_module(tool, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
