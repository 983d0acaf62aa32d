"""All vectors of all kinds, and the folder that holds them."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from tests.make_vectors import Vector, bundles, envelopes, events, keyrings, packages

KINDS = ("envelope", "keyring", "bundle", "package", "event")


@cache
def vectors() -> tuple[Vector, ...]:
    """Return every vector; what is sealed is sealed once in a run."""
    modules = (envelopes, keyrings, bundles, packages, events)
    return tuple(vector for module in modules for vector in module.vectors())


def write(folder: Path) -> None:
    """Write every vector below ``folder``, and remove those that were there."""
    for kind in KINDS:
        shutil.rmtree(folder / kind, ignore_errors=True)
        (folder / kind).mkdir(parents=True)
    for vector in vectors():
        (folder / vector.kind / vector.name).write_bytes(vector.encode())
