"""Deliberate breakages of what survives a power cut, and what must be said of each.

As in ``__init__``, but that ``caught_by`` is a pattern, looked for in the words of the judges; each
stands under the name of the part that is played (tests/durability/test_mutants.py).
"""

from __future__ import annotations

from tests.mutants import Mutant

LETTERS, UPLOADS, DELETIONS = "letters", "uploads", "deletions"
INSTALLATIONS, NIGHTS, EXPORTS = "installations", "nights", "exports"
DESK, RESTORE = "days_work", "put_back"
_FULL = '"synchronous=FULL", "secure_delete=ON"'
_RECEIPT = r"lost: a testimony whose receipt was shown"

DURABILITY = {
    "synchronous=NORMAL": (
        LETTERS,
        Mutant("intake/store.py", _FULL, _FULL.replace("FULL", "NORMAL"), _RECEIPT),
    ),
    "journal_mode=DELETE": (
        LETTERS,
        Mutant("intake/store.py", "journal_mode=TRUNCATE", "journal_mode=DELETE", _RECEIPT),
    ),
    "a receipt is shown before the row is stored": (
        LETTERS,
        Mutant(
            "intake/server/site.py",
            "            site.letterbox.post(today, source, TESTIMONY, testimony.as_object())\n",
            "            import threading\n"
            "            given = (today, source, TESTIMONY, testimony.as_object())\n"
            "            threading.Timer(0.1, site.letterbox.post, given).start()\n",
            _RECEIPT,
        ),
    ),
    "the rows of a file in two transactions": (
        UPLOADS,
        Mutant(
            "intake/server/uploads.py",
            "        return self.letterbox.store.add(spool.rows(), self.today.period, "
            "self._follows, kept)",
            "        rows, add = list(spool.rows()), self.letterbox.store.add\n"
            "        add(rows[:1], self.today.period, self._follows, kept)\n"
            "        return add(rows[1:], self.today.period, self._follows, kept)",
            r"half: a file is not whole",
        ),
    ),
    "a deleted reply is synced later": (
        DELETIONS,
        Mutant(
            "intake/store.py",
            _FULL,
            _FULL.replace("FULL", "OFF"),
            r"lost: a reply that was deleted",
        ),
    ),
    "a name is not synced": (
        INSTALLATIONS,
        Mutant(
            "intake/files.py",
            "        sync_folder(path.parent)\n",
            "",
            r"lost: a keyring that was said to be in force",
        ),
    ),
    "a new folder is not synced": (
        INSTALLATIONS,
        Mutant(
            "intake/files.py",
            "            sync_folder(folder.parent)  # or a power cut takes the folder, "
            "and all in it\n",
            "",
            r"lost: a keyring that was said to be in force",
        ),
    ),
    "a file is not synced before it gets its name": (
        EXPORTS,
        Mutant(
            "intake/files.py",
            "                os.fsync(file.fileno())\n",
            "",
            r"lost|half",
        ),
    ),
    "a casebook is not synced": (
        DESK,
        Mutant(
            "intake/desk/record.py",
            "                os.fsync(descriptor)\n",
            "",
            r"lost: .* that the desk had said",
        ),
    ),
    "a restore syncs nothing that goes": (
        RESTORE,
        Mutant(
            "deploy/host/restoring.py",
            "            os.sync()  # or a power cut brings back what the backup has not\n",
            "",
            r"lost: what was put back",
        ),
    ),
    # Last, for maintenance: what it holds is looked at from outside.
    "maintenance renames what is not synced": (
        NIGHTS,
        Mutant(
            "intake/admin/maintaining.py",
            "sync = partial(os.fsync, descriptor)",
            "sync = int",
            r"lost: a row, by maintenance|half: ",
        ),
    ),
}
