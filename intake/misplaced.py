"""Secrets where none belongs: looked for before the server starts, and by ``admin doctor``.

Only the bundle key may lie on the server: ``bundle.key`` at the top of the data folder. Anything
else that opens or signs is a mistake of a tired person, and this finds it by what it looks like:

- an age identity (``AGE-SECRET-KEY-…``), or a PEM private key,
- an age file under a passphrase (stanza ``scrypt``) or in armor: identities at rest,
- in the folder of keys any age file at all: quorum packages are sealed as envelopes are,
- a line of 64 hex digits and nothing else: the seed of a signing key.

Rules: symbolic links to folders are not followed; of a large file the first 64 KiB are read, which
a database or a spool never fails by. The secret itself is never returned, only where it lies.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from intake import files

BUNDLE_KEY = "bundle.key"
_READ = 1 << 16  # bytes
_SEED = re.compile(rb"^[ \t]*[0-9a-fA-F]{64}[ \t\r]*$", re.MULTILINE)
_SECRET = re.compile(rb"AGE-SECRET-KEY-|-----BEGIN ([A-Z0-9 ]*PRIVATE KEY|AGE ENCRYPTED FILE)")
_AGE = re.compile(rb"age-encryption\.org/v1\n(-> scrypt )?")


def find(folders: Sequence[Path]) -> list[Path]:
    """Return the files that hold a secret, below ``folders``: that of keys, and last that of data.

    Raises :class:`MachineTrouble`.
    """
    return [path for folder in folders for path in _below(folder, data=folder == folders[-1])]


def _below(folder: Path, *, data: bool) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        try:
            if not path.is_file():
                continue
            with path.open("rb") as file:
                start = file.read(_READ)
        except FileNotFoundError:  # a journal that came and went
            continue
        except OSError as error:
            raise files.trouble(error, path) from None
        age, own = _AGE.match(start), data and path == folder / BUNDLE_KEY
        sealed = age and (age[1] or not data)
        if _SECRET.search(start) or sealed or (_SEED.search(start) and not own):
            yield path
