"""What the desk calls its codes: tables of labels by code, in the order in which they are shown.

Rule: all of it is data, in ``labels.toml``. What a code does is said where it is used.
"""

import tomllib
from pathlib import Path
from typing import Any

LABELS: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("labels.toml").read_text(encoding="utf-8")
)
