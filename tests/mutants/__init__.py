"""Deliberate breakages, each with the words of the check that must catch it.

One module a suite: ``spine`` for the way of a testimony, and so on. When the code changes under a
mutant, its test says so; then mend the mutant, do not drop it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Mutant(NamedTuple):
    """One breakage, in a checkout ``without`` some modules.

    ``old`` is a piece of ``file`` that is there exactly once, ``new`` what stands there instead.
    """

    file: str
    old: str
    new: str
    caught_by: str
    without: tuple[str, ...] = ()

    def apply(self, checkout: Path) -> str:
        """Break a copy of the checkout; return the file's text as it was.

        Raises AssertionError if ``old`` is not there once.
        """
        path = checkout / self.file
        text = path.read_text(encoding="utf-8")
        assert text.count(self.old) == 1, f"mend the mutant: {self.file} changed"
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
        return text
