"""All vectors of all kinds, and the folder that holds them."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from functools import cache
from pathlib import Path

from tests.make_vectors import (
    Vector,
    bundles,
    casebooks,
    envelopes,
    events,
    keyrings,
    packages,
    replies,
)

KINDS = ("envelope", "keyring", "bundle", "reply", "package", "event", "casebook")


@cache
def vectors() -> tuple[Vector, ...]:
    """Return every vector; what is sealed is sealed once in a run."""
    modules = (envelopes, keyrings, bundles, replies, packages, events, casebooks)
    return tuple(vector for module in modules for vector in module.vectors())


def write(folder: Path, kinds: Collection[str]) -> None:
    """Write every vector of these kinds below ``folder``, and remove those that were there."""
    for kind in kinds:
        shutil.rmtree(folder / kind, ignore_errors=True)
        (folder / kind).mkdir(parents=True)
    for vector in (one for one in vectors() if one.kind in kinds):
        (folder / vector.kind / vector.name).write_bytes(vector.encode())
