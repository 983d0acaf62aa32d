"""A keyring, verified and put in force.

Procedure of :func:`install`, which takes one file or a chain of them, under the lock of ``chain``:
without it, two admins at once could put back the older of two keyrings.
1. Where the chain holds the installed keyring, begin after it; so a whole chain may be given again,
   and so may the installed keyring, when its file was lost. Otherwise follow what is installed.
2. Follow the chain (``intake.keyring``); on a first install a person compares the fingerprint.
3. Refuse a keyring that names another bundle key, one out of its days by the clock, and a demo's.
4. Lower the saved day to the clock's, if it stood later: a clock that was once set far ahead.
5. Write the record: version and hash.
6. Write the keyring.
7. Wait until every post that followed the keyring before is stored, or begins again.

What a crash leaves: after (4), the old keyring in force and a saved day that is no earlier than the
new keyring's day of issue. After (5), a record without its keyring: the site is closed and says so,
and the same command again ends at (6), because the record's hash says which bytes were approved. In
the other order the old keyring, which the new one must follow, would be lost with the crash.
"""

import contextlib
from collections.abc import Callable, Sequence

from intake import days, files, installed, keyring
from intake.admin import chain as chains
from intake.admin import setup
from intake.errors import Refused, Unsafe
from intake.keyring import Keyring
from intake.settings import Settings
from intake.store import Store

Compare = Callable[[Keyring], None]


def install(
    settings: Settings, chain: Sequence[bytes], compare: Compare, *, demo: bool = False
) -> tuple[Keyring, str]:
    """Put the last keyring of ``chain`` in force; return it, and what was done in words.

    ``compare`` is asked on a first install, and raises to stop. Raises :class:`BadKeyring`,
    :class:`Unsafe` for a demo's keyring without ``demo``, :class:`MachineTrouble` if the lock is
    held, or what ``compare`` raises.
    """
    with chains.alone(settings):
        record = installed.read_record(settings)
        old: Keyring | None
        hashes = [keyring.parse(data).sha256.hex() for data in chain]
        if record is not None and record["sha256"] in hashes:  # (1)
            place = hashes.index(record["sha256"])
            old, rest = keyring.parse(chain[place]), chain[place + 1 :]
            if not rest:
                # The record names bytes: other signatures on the same line 1 are other bytes.
                installed.write_record(settings, chain[place])
                return old, _put(settings, chain[place])
        else:
            old, rest = installed.load(settings) if record else None, chain
        new = keyring.follow(old, rest)  # (2)
        _check(settings, new, demo=demo)  # (3)
        if old is None:
            compare(new)
        if days.read_floor(settings) > days.clock():
            days.write_floor(settings, days.clock())  # (4)
        installed.write_record(settings, rest[-1])  # (5)
        _put(settings, rest[-1])  # (6)
        return new, "is in force"


def _check(settings: Settings, new: Keyring, *, demo: bool) -> None:
    setup.signer(settings, new)
    installed.check_days(new, days.clock())
    if new.demo and not demo:
        what = "This keyring was made with a demo's passphrases, which anyone can read."
        hint = "Install one from a real key ceremony. For a demo that nobody trusts: --demo"
        raise Unsafe(what, hint)


def _put(settings: Settings, data: bytes) -> str:
    """Write the keyring unless it is there already; return what was done in words."""
    there = b""
    with contextlib.suppress(Refused):  # absent or damaged: that is what is put right here
        there = files.read(settings.keyring, keyring.MAX_SIZE)
    if there != data:
        files.make_folder(settings.keys, 0o755)
        files.write(settings.keyring, data, files.PUBLIC)
    Store(settings.url, settings.data).settle()  # (7)
    return "is already installed" if there == data else "was installed, and its file is put back"
