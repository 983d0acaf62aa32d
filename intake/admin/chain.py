"""Which bundle left last and which return came last, and one of them at a time.

Small files in the data folder: ``bundles`` and ``returns`` hold the last number and the SHA-256 of
its line 1, ``bundles.pending`` is the head of a bundle that may not have got its name yet, and
``exporting`` is a lock: export, acknowledge and install exclude one another, or rows that are being
written to a stick could be deleted meanwhile, and an older keyring put over a newer one.
Maintenance has another, ``maintaining``: it may come while an export runs, and excludes acknowledge
only, which takes both.

A server that was put back from a backup knows older numbers than it has used. :func:`resume` goes
on after a bundle that it signed, or a return that two reviewers signed; a number never falls.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from intake import canonical, files, installed
from intake.admin import setup
from intake.bundle.reading import open_bundle, open_return
from intake.errors import BadFile, MachineTrouble
from intake.settings import Settings
from intake.signatures import octets

BUNDLES = "bundles"
RETURNS = "returns"
PENDING = "bundles.pending"  # the head of an unfinished bundle
MAINTAINING = "maintaining", "maintenance or acknowledge"  # a lock, and who holds it
_LIMIT = 4096  # bytes

T = TypeVar("T")


class Watch(Protocol):
    """Something that lets a person see how far the work is; ``terminal.progress``."""

    def __call__(self, label: str, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        """Yield ``items``."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The last number, and the SHA-256 of line 1 of that file."""

    number: int
    sha256: bytes


START = Mark(0, bytes(32))


def last(settings: Settings, what: str) -> Mark:
    """Return the last bundle or return; :data:`START` if there was none."""
    path = settings.data / what
    if not os.path.lexists(path):
        return START
    try:
        raw = canonical.load_object(files.read(path, _LIMIT), {"number", "sha256"})
        # A number alone: the same digits as text would be a second spelling.
        return Mark(int(canonical.dump(raw["number"])), octets(str(raw["sha256"]), 32))
    except (BadFile, ValueError):
        hint = "Take it from the backup; the desk's log has the same numbers."
        raise BadFile(f"{path} is damaged.", hint) from None


def save(settings: Settings, what: str, mark: Mark) -> None:
    """Remember the last bundle or return, durably."""
    files.write(settings.data / what, canonical.dump(asdict(mark)))


def resume(settings: Settings, bundle: Path | None, back: Path | None) -> list[Mark]:
    """Go on after this bundle and this return, where later than the last; return both marks."""
    keyring = installed.load(settings)
    with alone(settings):
        if bundle:
            with open_bundle(bundle, keyring.bundle_key, keyring.deployment) as made:
                _rise(settings, BUNDLES, Mark(made.header.number, made.header.sha256))
        if back:
            with open_return(back, keyring) as done:
                _rise(settings, RETURNS, Mark(done.header.number, done.header.sha256))
    return [last(settings, BUNDLES), last(settings, RETURNS)]


def _rise(settings: Settings, what: str, mark: Mark) -> None:
    if mark.number > last(settings, what).number:
        save(settings, what, mark)


@contextlib.contextmanager
def alone(
    settings: Settings, lock: str = "exporting", who: str = "export, acknowledge or install"
) -> Iterator[None]:
    """Hold the lock. Raises :class:`MachineTrouble` if another command has it."""
    setup.check_folder(settings)
    path = settings.data / lock
    with files.troubled(path):
        path.touch(files.PRIVATE)
    with path.open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "Wait until it is done, then run it again."
            raise MachineTrouble(f"Another {who} is running.", hint) from None
        yield
