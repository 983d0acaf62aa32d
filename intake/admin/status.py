"""One screen: green or red, what is the matter, and the exact next command.

Rules:
- Red means that the site is closed, is about to lose words, or cannot get them out. Rows that wait,
  and a keyring that ends soon, are green with a day by which to act.
- Looking changes nothing: the saved day is read, never raised.
- Which rows were exported is written nowhere. What is in the store was not acknowledged, and that
  is all that counts: an export carries it again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from intake import days, installed
from intake.admin import chain, setup
from intake.errors import BadKeyring, MachineTrouble, Refused
from intake.keyring import Keyring
from intake.rows import Rows
from intake.settings import Settings

WARN = 14  # days before the keyring runs out
SPACE = 1 << 30  # bytes that must be free
EXPORT = "python -m intake.admin export FOLDER"
NEXT_KEYRING = "Hold a key ceremony, then: python -m intake.admin keyring install FILE"

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Action:
    """What to do by ``due``, and how; ``calm`` if it can wait until then."""

    calm: bool
    due: date
    what: str
    how: str


def look(settings: Settings) -> tuple[Facts, list[Action]]:
    """Return facts for machines, and what to do, most urgent first.

    Whatever cannot be read is itself something to do.
    """
    facts: Facts = {}
    actions: list[Action] = []
    for part in (_keyring, _chain, _store):
        try:
            setup.check_folder(settings)
            actions += part(settings, facts)
        except Refused as refused:
            action = Action(False, days.clock(), refused.what, refused.hint)
            actions += [action] if action not in actions else []
    actions.sort()
    facts["actions"] = [
        {"due": a.due.isoformat(), "how": a.how, "red": not a.calm, "what": a.what} for a in actions
    ]
    facts["state"] = "green" if all(action.calm for action in actions) else "red"
    return facts, actions


def standing(settings: Settings) -> tuple[Keyring, date, date]:
    """Return the keyring, today, and the last day up to which every day has a period.

    Raises :class:`BadKeyring` if the site is closed today.
    """
    found = installed.load(settings)
    today = days.acting(days.clock(), days.read_floor(settings))
    installed.check_days(found, today)
    last = today - timedelta(days=1)
    while (period := found.period_of(last + timedelta(days=1))) and last < found.expires:
        last = min(period.last, found.expires)
    if last < today:
        raise BadKeyring(f"Keyring {found.version} has no period for {today}.", NEXT_KEYRING)
    return found, today, last


def free(settings: Settings) -> int:
    """Return the free bytes of the store's disk, or :class:`MachineTrouble` if they are few."""
    left = shutil.disk_usage(settings.data).free
    if left < SPACE:
        what = "Less than 1 GiB is free for the store."
        raise MachineTrouble(what, f"Make room, or {EXPORT} and acknowledge.")
    return left


def _keyring(settings: Settings, facts: Facts) -> Iterator[Action]:
    found = installed.load(settings)
    facts |= {"demo": found.demo, "expires": found.expires.isoformat(), "keyring": found.version}
    setup.signer(settings, found)
    found, today, last = standing(settings)
    period = found.period_of(today)
    facts |= {"covered": last.isoformat(), "period": period and period.name}
    if (last - today).days < WARN:
        yield Action(True, last, f"After {last} the site closes.", NEXT_KEYRING)


def _chain(settings: Settings, facts: Facts) -> Iterator[Action]:
    facts["bundle"] = chain.last(settings, chain.BUNDLES).number
    facts["return"] = chain.last(settings, chain.RETURNS).number
    if (settings.data / chain.PENDING).exists():
        what = "An export was not finished, and acknowledge waits for it."
        yield Action(False, days.clock(), what, EXPORT)


def _store(settings: Settings, facts: Facts) -> Iterator[Action]:
    store = Rows(settings.url, settings.data)
    facts["rows"] = {name: store.count(name) for name in store.periods()}
    if any(facts["rows"].values()):
        ends = {period.name: period.last for period in installed.load(settings).periods}
        due = min(ends.get(name, days.clock()) for name in facts["rows"])
        yield Action(True, due, "Envelopes wait for the desk.", EXPORT)
    facts["free_bytes"] = free(settings)


def lines(facts: Mapping[str, Any], actions: Sequence[Action]) -> Iterator[str]:
    """Yield the screen."""
    rows = facts.get("rows", {})
    yield facts["state"].upper() + " (DEMO)" * facts.get("demo", False)
    yield f"  keyring  {facts.get('keyring', 'none')}, valid to {facts.get('expires', '-')}"
    yield f"  period   {facts.get('period', 'none')}, days covered to {facts.get('covered', '-')}"
    yield f"  rows     {sum(rows.values())} not acknowledged"
    yield from (f"           {count} of {name}" for name, count in rows.items())
    yield f"  last     bundle {facts.get('bundle', '-')}, return {facts.get('return', '-')}"
    yield f"  free     {facts.get('free_bytes', 0) >> 20} MiB"
    for action in actions:
        yield f"{f'by {action.due}' if action.calm else 'NOW'}: {action.what}"
        yield f"  → {action.how}"
    if not actions:
        yield "Nothing to do."
