"""The keyring in force, as the site sees it: the very bytes that the admin verified.

``admin keyring install`` verified the keyring's signatures and every step since the first, and
wrote down the SHA-256 of its file. The site compares that hash and takes the few fields that it
needs. A second verification here would rest on the roots inside the same file, and so decide
nothing (docs/adr/0008-keyring-in-force.md).

Rule: a file with any other hash is not in force, whoever signed it, and the site is closed.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date
from typing import Any

from intake import canonical, days, files
from intake.days import day
from intake.errors import BadKeyring, Refused
from intake.settings import Settings

_LIMIT = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class InForce:
    """What the site needs of the keyring today; ``sha256`` is that of line 1, also in ``words``.

    ``period`` and ``recipient`` are empty if the keyring has no period for this ``day``.
    """

    version: int
    sha256: bytes
    words: str
    deployment: bytes
    demo: bool
    day: date
    period: str
    recipient: str


def load(settings: Settings) -> InForce:
    """Return the keyring in force, as it is today. Raises :class:`BadKeyring` without one."""
    try:
        record: Any = canonical.load(files.read(settings.installed, _LIMIT))
        data = files.read(settings.keyring, _LIMIT)
        if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), record["file"]):
            raise BadKeyring("The keyring in keys/ is not the one that was installed.")
        words = str(record["words"])
        line = data.partition(b"\n")[0]
        raw: Any = canonical.load(line)
    except (Refused, LookupError, TypeError):
        raise BadKeyring("No keyring is in force.") from None
    today, period = days.today(settings, day(raw["expires"])), {"name": "", "recipient": ""}
    if day(raw["issued"]) <= today <= day(raw["expires"]):
        spans = (p for p in raw["periods"] if day(p["first"]) <= today <= day(p["last"]))
        period = next(spans, period)
    return InForce(
        version=raw["version"],
        sha256=hashlib.sha256(line).digest(),
        words=words,
        deployment=bytes.fromhex(raw["deployment"]),
        demo=raw["demo"],
        day=today,
        period=period["name"],
        recipient=period["recipient"],
    )
