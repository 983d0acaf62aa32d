"""A folder that appears whole, or not at all.

Rule: its files are written under a hidden temporary name beside it, and one rename shows them. A
power cut leaves at most a hidden folder with locked or sealed files in it.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from intake import files
from intake.errors import Misuse


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``path`` when the block ends well.

    Raises :class:`Misuse` if ``path`` is taken, :class:`MachineTrouble` if the disk refuses.
    """
    if path.exists():
        raise Misuse(f"{path} is already there.", "It stays as it is. Choose another folder.")
    with files.troubled(path):
        files.make_folder(path.parent)
        with TemporaryDirectory(".partial", f".{path.name}.", path.parent) as partial:  # 0700
            yield Path(partial)
            Path(partial).rename(path)  # then there is nothing left to remove
        files.sync_folder(path.parent)
