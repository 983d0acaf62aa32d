"""The app, in whatever trouble a file names, and short of patience: for a real server in tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from app import app
from deploy.door import worker
from intake.errors import BadKeyring, MachineTrouble
from intake.server.inforce import InForce
from intake.server.letterbox import Letterbox
from intake.server.slowly import Busy

__all__ = ["app"]
SILENCE, REQUEST = 1, 3  # seconds
TROUBLES: dict[str, Callable[[], Exception]] = {
    "broken": ZeroDivisionError,
    "busy": Busy,
    "closed": partial(BadKeyring, ""),
    "store": partial(MachineTrouble, ""),
}

_today = Letterbox.today


def today(letterbox: Letterbox) -> InForce:
    """Raise what the file names, if it names anything."""
    name = Path(os.environ["INTAKE_TROUBLE"]).read_text(encoding="utf-8")
    if name:
        trouble = TROUBLES[name]()
        raise trouble
    return _today(letterbox)


Letterbox.today = today  # type: ignore[assignment, method-assign]
worker.SILENCE, worker.REQUEST = SILENCE, REQUEST
