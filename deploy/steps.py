"""Numbered steps, with the seconds that each took; the demo and the drill say them."""

from __future__ import annotations

import time


class Steps:
    """The steps of one run."""

    def __init__(self) -> None:
        """Start."""
        self.start = self.last = time.monotonic()
        self.number = 0

    def step(self, text: str) -> None:
        """Say that a step is done."""
        now = time.monotonic()
        self.number += 1
        print(f"{self.number:>3}. {text}  ({now - self.last:.1f} s)", flush=True)
        self.last = now
