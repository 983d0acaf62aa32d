"""Where things are: the settings, read once from the environment.

=================== ================================================== ==========================
variable            meaning                                            default
=================== ================================================== ==========================
INTAKE_DATA         folder of the store and of the bundle key          ``data``
INTAKE_KEYS         folder of the installed keyring                    ``keys``
INTAKE_FORM         the form's declaration                             ``intake/forms/cdm.toml``
INTAKE_ABOUT        what a group says of itself (``intake.about``)     none
INTAKE_DATABASE     SQLAlchemy URL of the store                        SQLite in INTAKE_DATA
INTAKE_FILES        files that a source can send at once, 0 for none   5
INTAKE_FILE_MB      MiB that one of them may have                      25
INTAKE_FILL         most bytes of filler in a body of words, 0 for off 16384
INTAKE_DECOYS       decoys that the site makes a day, on average       96
INTAKE_ROOM_MB      MiB that files leave free for words, 0 for no caps 1024
=================== ================================================== ==========================

Rule: no secret is ever a setting.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from intake.errors import Misuse

ROOT = Path(__file__).resolve().parent.parent
FORM = Path(__file__).resolve().parent / "forms" / "cdm.toml"


class Kept(NamedTuple):
    """Bytes that stay free beside tonight's second file of the store, and who may not go below."""

    maintenance: int
    words: int
    files: int
    spools: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Paths, the database URL (``None`` for the default one), limits, decoys a day, room in MiB.

    ``about`` is ``None`` where a group says nothing of itself.
    """

    data: Path
    keys: Path
    form: Path = FORM
    about: Path | None = None
    database: str | None = None
    files: int = 5
    file_mb: int = 25
    fill: int = 16384
    decoys: int = 96
    room_mb: int = 1024

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; relative paths count from the working folder.

        Raises :class:`Misuse` if a number is none.
        """
        about = environment.get("INTAKE_ABOUT")
        return cls(
            data=Path(environment.get("INTAKE_DATA", "data")).absolute(),
            keys=Path(environment.get("INTAKE_KEYS", "keys")).absolute(),
            form=Path(environment.get("INTAKE_FORM", FORM)).absolute(),
            about=Path(about).absolute() if about else None,
            database=environment.get("INTAKE_DATABASE"),
            files=_number(environment, "INTAKE_FILES", range(51), 5),
            file_mb=_number(environment, "INTAKE_FILE_MB", range(1, 1025), 25),
            fill=_number(environment, "INTAKE_FILL", range(65537), 16384),
            decoys=_number(environment, "INTAKE_DECOYS", range(86_401), 96),
            room_mb=_number(environment, "INTAKE_ROOM_MB", range(1 << 20), 1024),
        )

    @property
    def keyring(self) -> Path:
        """The installed keyring."""
        return self.keys / "keyring"

    @property
    def installed(self) -> Path:
        """The record of the installed keyring."""
        return self.data / "installed"

    @property
    def bundle_key(self) -> Path:
        """The one secret that the server keeps; it signs bundles and opens nothing."""
        return self.data / "bundle.key"

    @property
    def kept(self) -> Kept:
        """What stays free for whom: each may go less far than the one before."""
        part = self.room_mb << 16  # a sixteenth
        return Kept(part, 2 * part, 18 * part, 22 * part)

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the store."""
        # Dangerous line: after a bare "?" the rest of a folder's name would be a URL's options.
        path = str(self.data / "intake.db").replace("%", "%25").replace("?", "%3F")
        return self.database or f"sqlite:///{path}"


def _number(environment: Mapping[str, str], name: str, allowed: range, default: int) -> int:
    text = environment.get(name, f"{default}")
    if not text.isdecimal() or int(text) not in allowed:
        what = f"{name} is no number from {allowed[0]} to {allowed[-1]}."
        raise Misuse(what, "Set it to one, or unset it.")
    return int(text)
