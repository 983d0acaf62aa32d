"""The reviewers who are here, with their folders and passphrases.

Rules:
- A folder is named after its reviewer, who must be an active one of the keyring, and holds the keys
  that the keyring names.
- A passphrase is asked once for each person, and a secret is unlocked only where it is needed.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import locked
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.errors import BadKeyring, Misuse
from intake.keyring import QUARTER, Keyring, Reviewer
from intake.terminal import Passphrases


@dataclass(frozen=True, slots=True)
class Present:
    """A reviewer who typed their passphrase."""

    folder: Path
    reviewer: Reviewer
    passphrase: Passphrase

    @property
    def name(self) -> str:
        """The reviewer's name."""
        return self.reviewer.name

    def signing(self) -> Ed25519PrivateKey:
        """Return what signs events and returns. Raises :class:`BadKeyring` if it is another."""
        key = locked.signing_key(self.folder / "signing.age", self.passphrase)
        if key.public_key().public_bytes_raw() != self.reviewer.key:
            raise BadKeyring(
                f"The signing key in {self.folder} is not the one that the keyring names.",
                "Check the folder, or bring this casebook the newest keyring: keyring FILE",
            )
        return key

    def quorum(self) -> Identity:
        """Return what opens packages, together with others."""
        return locked.identity(self.folder / "quorum.age", self.passphrase)

    def quarters(self) -> list[Identity]:
        """Return what opens cases, the latest quarter first. Raises :class:`Misuse` if none."""
        paths = [path for path in self.folder.glob("*.age") if QUARTER.match(path.stem)]
        if not paths:
            hint = "Check the folder: a key such as 2026q4.age opens the cases of a quarter."
            raise Misuse(f"{self.folder} has no key of any quarter.", hint)
        return [locked.identity(path, self.passphrase) for path in sorted(paths, reverse=True)]


def arrive(folders: list[Path], keyring: Keyring, passphrases: Passphrases) -> list[Present]:
    """Ask everyone's passphrase. Raises :class:`Misuse` for a doubled or unknown reviewer."""
    active = {reviewer.name: reviewer for reviewer in keyring.active}
    people = {folder.resolve().name: folder for folder in folders}
    if len(people) != len(folders):
        raise Misuse("One reviewer is named twice.", "Two different reviewers are needed.")
    if unknown := people.keys() - active.keys():
        raise Misuse(
            f"{min(unknown)} is not an active reviewer of keyring {keyring.version}.",
            f"Name a folder of one of {', '.join(active)}; it has the reviewer's name.",
        )
    return [
        Present(folder, active[name], passphrases.ask(name, "to use the reviewer's keys"))
        for name, folder in people.items()
    ]
