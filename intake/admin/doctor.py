"""What is wrong with this machine, check by check.

Rules:
- Each check is one function. It returns a sentence, or refuses with what is wrong and the remedy;
  a check that cannot be made says why, and the others go on.
- As on the screen of ``status``, nothing here tells whether somebody came lately.
- FAIL is what costs a source or stops the site; warn is what will, or what only a person can judge.
"""

import hashlib
import json
import platform
import resource
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from sqlalchemy import text

from intake import about, declaration, envelope, installed, misplaced, wording
from intake.admin import host, setup, status
from intake.age.recipient import Recipient
from intake.errors import MachineTrouble, Refused, Unsafe
from intake.rows import Rows
from intake.settings import Settings
from intake.store import metadata
from intake.zawgyi import to_zawgyi

_SWAPS = Path("/proc/swaps")
_PRAGMAS = {"journal_mode": "truncate", "synchronous": "2", "secure_delete": "1"}


def examine(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield, for each check, its level (``ok``, ``warn``, ``FAIL``) and its line.

    Those of ``host`` are made where the site is deployed.
    """
    place = host.root()
    checks: list[Callable[[Settings], str]] = [*CHECKS]
    if place:
        checks += [partial(check, place=place) for check in host.CHECKS]
    for check, name in zip(checks, NAMES, strict=False):
        try:
            yield "ok", f"{name}: {check(settings)}"
        except Refused as refused:
            level = "warn" if isinstance(refused, host.Doubt | status.Later) else "FAIL"
            yield level, f"{name}: {refused.what} -> {refused.hint}"
        except OSError as error:
            yield "warn", f"{name}: not checked, {error.filename}: {error.strerror}"


def _sealing(settings: Settings) -> str:
    envelope.self_check(Recipient.parse(installed.load(settings).archive))
    return f"Python {platform.python_version()} has ML-KEM, an envelope has its size"


def _data_folder(settings: Settings) -> str:
    setup.check_folder(settings)
    return "only its owner can enter it"


def _bundle_key(settings: Settings) -> str:
    setup.signer(settings, installed.load(settings))
    return "the keyring names it, and only its owner can read it"


def _store(settings: Settings) -> str:
    setup.check_folder(settings)
    store = Rows(settings.url, settings.data)
    try:
        wrong = _not_as_made(store) if settings.url.startswith("sqlite") else []
        store.counts()
    except MachineTrouble as trouble:  # whose own remedy is to come here
        hint = "Make room, end what else has the database open, look who may write to it."
        raise MachineTrouble(trouble.what, f"{hint} Then restart the site.") from None
    if wrong:
        what = f"These are not as they must be: {' '.join(wrong)}."
        raise MachineTrouble(what, "Export and acknowledge, move the database away, run init.")
    return "its tables number nothing; what is deleted is overwritten"


def _not_as_made(store: Rows) -> list[str]:
    """Return the pragmas of SQLite that are not as they must be, and the tables with a rowid."""
    with store.transaction() as connection:
        found = {name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in _PRAGMAS}
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
        tables = connection.execute(text(query)).all()
    if lacking := metadata.tables.keys() - {name for name, _ in tables}:
        what = f"The database has no {', '.join(sorted(lacking))}: it is new, or another one."
        hint = "Is it in its place? If it is lost, so is what the desk has not. Then make an empty"
        raise Unsafe(what, f"{hint} one: python -m intake.admin init")
    rowids = [name for name, sql in tables if "WITHOUT ROWID" not in sql]
    return rowids + [name for name, value in _PRAGMAS.items() if str(found[name]) != value]


def _keyring(settings: Settings) -> str:
    return status.keyring(settings, {})


def _clock(settings: Settings) -> str:
    return status.clock(settings, {})


def _secrets(settings: Settings) -> str:
    if found := misplaced.find([settings.keys, settings.data]):
        what = f"A secret lies where none belongs: {', '.join(map(str, found))}."
        raise Unsafe(what, "Move it off this machine, treat it as stolen, rotate what it opens.")
    return "none in the folders of keys and data"


def _leftovers(settings: Settings) -> str:
    found = [path for f in (settings.keys, settings.data) for path in sorted(f.glob(".*.partial*"))]
    if found:
        what = f"Half a file, as a power cut leaves it: {', '.join(map(str, found))}."
        raise host.Doubt(what, "If no other command is running, delete it. It is part of nothing.")
    return "none in the folders of keys and data"


def _swap(_: Settings) -> str:
    if _SWAPS.exists() and len(_SWAPS.read_text("ascii", "replace").splitlines()) > 1:
        raise host.Doubt("What is typed may be written to disk.", "swapoff -a, and edit /etc/fstab")
    return "off"


def _core_dumps(_: Settings) -> str:
    if resource.getrlimit(resource.RLIMIT_CORE)[0] != 0:
        raise host.Doubt("A crash may write memory to disk.", "ulimit -c 0; a service: LimitCORE=0")
    return "off"


def _space(settings: Settings) -> str:
    setup.check_folder(settings)
    return status.space(settings, {})


def _maintenance(settings: Settings) -> str:
    return status.maintenance(settings, {})


def _wording(_: Settings) -> str:
    if unsigned := [name for name in wording.LANGUAGES if name != "en" and not signed_off(name)]:
        what = f"Nobody has signed off this catalogue as it is now: {' '.join(unsigned)}."
        raise host.Doubt(what, "Let somebody who reads it well sign (docs/LANGUAGES.md says how).")
    return "every catalogue is signed off"


def signed_off(language: str, locale: Path = wording.LOCALE) -> str | None:
    """Return who signed off the catalogue as it is now, or None.

    ``SIGNOFF``, in the language's folder, holds one line: the SHA-256 of ``intake.po`` in hex, a
    name, and the day. Change the catalogue, and it is not signed off any more (docs/LANGUAGES.md).
    """
    folder = locale / language
    try:
        signed, *name, _day = (folder / "SIGNOFF").read_text(encoding="utf-8").split()
        catalogue = (folder / "LC_MESSAGES" / "intake.po").read_bytes()
    except (OSError, ValueError):
        return None
    return " ".join(name) or None if signed == hashlib.sha256(catalogue).hexdigest() else None


def _form(settings: Settings) -> str:
    form = declaration.check(settings.form)
    return f"{form.id} {form.version}, {form.worst_case()} bytes at most, fits one envelope"


def _about(settings: Settings) -> str:
    if settings.about is None:
        return "no page says who is behind it"
    said = about.load(settings.about)
    texts = [(name, own, text) for own in said for name, text in said[own].items()]
    missing = [f"[{name}] {own}" for name, own, text in texts if not text or text[0] != own]
    if missing:
        what = f"In {settings.about} there is no {', '.join(missing)}."
        raise host.Doubt(what, "\n".join(["Write it there.", *_in_zawgyi(said)]))
    return f"{len(texts)} texts, in every language"


def _in_zawgyi(said: Mapping[str, Mapping[str, about.Text | None]]) -> Iterator[str]:
    """Yield what to paste into the file where it says something in Burmese only in Unicode."""
    for name, burmese in said["my"].items():
        own = said[wording.ZAWGYI][name]
        if burmese and burmese[0] == "my" and own and own[0] != wording.ZAWGYI:
            line = json.dumps(to_zawgyi("\n".join(burmese[1])), ensure_ascii=False)
            yield f"[{name}] {wording.ZAWGYI} = {line}".replace("\u200b", "\\u200b")


def _decoys(settings: Settings) -> str:
    if not settings.decoys:
        what = "The site makes none: who copies its disk twice counts the letters in between."
        raise host.Doubt(what, "Unset INTAKE_DECOYS, and start the site again.")
    return f"{settings.decoys} a day, on average"


CHECKS = (
    *(_sealing, _data_folder, _bundle_key, _store, _keyring, _clock, _secrets),
    *(_leftovers, _swap, _core_dumps, _space, _maintenance, _decoys, _wording, _form, _about),
)
NAMES = [check.__name__.strip("_").replace("_", " ") for check in (*CHECKS, *host.CHECKS)]
