"""The end of a period's key: what must be true before, and the destruction.

Rules of :func:`check`; a key that is gone cannot be asked for again:
1. The keyring in force is given last; the package is of a period that one of the keyrings names,
   with this very recipient.
2. The period is over: by the clock, or because the keyring in force does not name it any more.
3. The server signed a bundle that says so: of this period, with no row in it, and none left. It
   signs such a bundle only when the period is over (``admin/exporting.py``).
4. Two active reviewers signed a return that lists this bundle: what came of the period is in two
   copies of a casebook (``desk/acknowledging.py``).

Procedure of :func:`destroy`, which may be stopped anywhere and run again:
1. Overwrite every sealed file with random bytes, sync it, delete it.
2. Delete attestations and ``package.json``, and the folder.

What this is worth: on a magnetic disk the key is gone. Flash (sticks, SSDs, cards) writes elsewhere
and keeps old blocks for a time; there only an encrypted disk whose key is destroyed helps, or the
destruction of the stick. A copy that is not named here lives on.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from intake import files, locked, quorum
from intake.bundle import Entry
from intake.bundle.reading import open_bundle, open_return
from intake.ceremony import package
from intake.errors import BadFile, Misuse
from intake.keyring import Keyring

ON_FLASH = (
    "What this is worth: a magnetic disk forgets it. A stick, SSD or card may keep old blocks;",
    "there only disk encryption helps, or destroying the stick. Copies not named here live on.",
)


def check(
    folders: Sequence[Path], keyrings: Sequence[Keyring], closing: Path, back: Path, day: date
) -> str:
    """Return the name of the period that all ``folders`` hold packages of, and that may die.

    ``keyrings`` are verified, the one in force last; ``closing`` is the server's bundle and
    ``back`` the return. Raises :class:`Misuse` or :class:`BadFile`.
    """
    current = keyrings[-1]
    known = {(p.name, p.recipient): p for one in keyrings for p in one.periods}
    found = {(made.name, made.recipient) for made in map(quorum.read_package, folders)}
    if len(found) != 1 or not found <= known.keys():  # (1)
        what = "These are not packages of one period that the keyring names."
        raise Misuse(
            what, "Name copies of one period's package, and a keyring that has the period."
        )
    period = known[found.pop()]
    if period.last >= day and period in current.periods:  # (2)
        what = f"Period {period.name} is not over: its last day is {period.last}."
        raise Misuse(what, "Wait, or let the next keyring replace it: rotate --from DAY")
    with open_bundle(closing, current.bundle_key, current.deployment) as opened:  # (3)
        header = opened.header
    if (header.period, header.count, header.left) != (period.name, 0, 0):
        what = f"{closing} does not say that nothing of period {period.name} is left."
        hint = f"On the server: python -m intake.admin export FOLDER --period {period.name} --empty"
        raise BadFile(what, hint)
    with open_return(back, current) as returned:  # (4)
        if Entry(header.sha256[:16], header.sha256) not in returned.acknowledged:
            what = f"{back} does not acknowledge {closing}."
            raise BadFile(what, "At the desk: import it, copy, then acknowledge again.")
    return period.name


def destroy(folder: Path) -> None:
    """Destroy the package in ``folder``. Raises :class:`MachineTrouble`."""
    made = quorum.read_package(folder)
    with files.troubled(folder):
        for path in map(folder.joinpath, made.file_names()):
            if path.exists():  # (1)
                locked.destroy(path)
        files.sync_folder(folder)
        for path in [*folder.glob(f"{package.ATTESTATION}*"), folder / "package.json"]:  # (2)
            path.unlink()
        folder.rmdir()
        files.sync_folder(folder.parent)
