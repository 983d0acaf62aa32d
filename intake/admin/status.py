"""One screen: green or red, what is the matter, and the exact next command.

Rules:
- Red means that the site is closed, is about to lose words, or cannot get them out; and that it
  acts on another day than the clock's. Rows that wait, and a keyring that ends soon, are green with
  a day by which to act.
- The screen is the same, byte for byte, whoever came in the period that runs: who looks twice, or
  over a shoulder, does not learn when somebody came. Rows are counted of periods that are over,
  which nobody can add to; of the one that runs only who asks for it. Free space is enough or not.
- Looking changes nothing: the saved day is read, never raised.
- Which rows were exported is written nowhere. What is in the store was not acknowledged, and that
  is all that counts: an export carries it again.
"""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any

from intake import days, files, installed
from intake.admin import chain, host, maintaining, setup
from intake.errors import BadKeyring, MachineTrouble, Refused
from intake.rows import Rows
from intake.settings import Settings
from intake.store import troubled

WARN = 14  # days before the keyring runs out
ROOM = (  # from the least to enough
    "maintenance cannot run, and no words are taken",
    "no words are taken",
    "no files are taken, only words",
    "soon no files are taken",
    "enough",
)
EXPORT = "python -m intake.admin export FOLDER"
NEXT_KEYRING = (
    "Offline: python -m intake.ceremony rotate, and sign; "
    "then, here: python -m intake.admin keyring install FILE"
)
_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)  # after the last day of a period its rows should be at the desk
_NIGHTS = timedelta(days=2)
_LATEST = timedelta(weeks=2)  # after its last day; by then a period's key should be destroyed

Facts = dict[str, Any]


class Later(Refused):
    """Something to do by the day ``due``; until then all is well."""

    def __init__(self, due: date, what: str, hint: str) -> None:
        """Keep the day and both sentences."""
        super().__init__(what, hint)
        self.due = due


def look(settings: Settings, *, rows: bool = False) -> Facts:
    """Return facts for machines; ``actions`` among them is what to do, most urgent first.

    ``rows`` counts those of the period that runs as well. Whatever cannot be read is itself
    something to do.
    """
    facts: Facts = {}
    actions: list[Facts] = []
    store = partial(_store, everything=rows)
    for part in (keyring, clock, _chain, store, _over, space, maintenance, _site, _tor):
        try:
            setup.check_folder(settings)
            part(settings, facts)
        except Refused as refused:
            due = refused.due if isinstance(refused, Later) else days.clock()
            action: Facts = {"due": due.isoformat(), "how": refused.hint, "what": refused.what}
            action["red"] = not isinstance(refused, Later)
            actions += [action] if action not in actions else []
    actions.sort(key=lambda action: (not action["red"], action["due"]))
    state = "red" if any(action["red"] for action in actions) else "green"
    return {**facts, "actions": actions, "state": state}


def keyring(settings: Settings, facts: Facts) -> str:
    """Say up to which day every day has a period.

    Raises :class:`BadKeyring` if the site is closed today, :class:`Later` if it soon will be.
    """
    found = installed.load(settings)
    facts |= {"demo": found.demo, "expires": found.expires.isoformat(), "keyring": found.version}
    today = max(days.clock(), days.read_floor(settings))
    installed.check_days(found, today)
    last = today - _DAY
    while (period := found.period_of(last + _DAY)) and last < found.expires:
        last = min(period.last, found.expires)
    period = found.period_of(today)
    if period is None:
        raise BadKeyring(f"Keyring {found.version} has no period for {today}.", NEXT_KEYRING)
    facts |= {"covered": last.isoformat(), "ends": f"{period.last}", "period": period.name}
    if (last - today).days < WARN:
        raise Later(last, f"After {last} the site closes.", NEXT_KEYRING)
    return f"number {found.version} covers every day to {last}"


def clock(settings: Settings, _: Facts) -> str:
    """Say what the clock says, or :class:`BadKeyring` if a later day was acted on already."""
    floor, now = days.read_floor(settings), days.clock()
    if floor > now:
        what = f"The clock says {now}, and {floor} was acted on already."
        raise BadKeyring(what, f"Set the clock. If it is right: {NEXT_KEYRING}")
    return f"it says {now}"


def _chain(settings: Settings, facts: Facts) -> None:
    facts["bundle"] = chain.last(settings, chain.BUNDLES).number
    facts["return"] = chain.last(settings, chain.RETURNS).number
    setup.signer(settings, installed.load(settings))
    if (settings.data / chain.PENDING).exists():
        what = "An export was not finished, and acknowledge waits for it."
        raise MachineTrouble(what, EXPORT)


def _store(settings: Settings, facts: Facts, *, everything: bool) -> None:
    found = Rows(settings.url, settings.data).counts()
    today = max(days.clock(), days.read_floor(settings))
    ends = {period.name: period.last for period in installed.load(settings).periods}
    over = {name: n for name, n in found.items() if ends.get(name, date.min) < today}
    facts["rows"] = dict(found) if everything else over
    if over:
        due = min(ends[name] + _WEEK if name in ends else days.clock() for name in over)
        raise Later(due, "Envelopes of periods that are over wait for the desk.", EXPORT)


def _over(settings: Settings, facts: Facts) -> None:
    today = max(days.clock(), days.read_floor(settings))
    for period in installed.load(settings).periods:
        if period.last < today and period.name not in facts.get("rows", {}):
            what = f"Period {period.name} is over and empty, and its key lives."
            how = f"{EXPORT} --period {period.name} --empty; offline: retire it, rotate --drop it."
            raise Later(period.last + _LATEST, what, how)


def space(settings: Settings, facts: Facts) -> str:
    """Say that there is room for files and words, and tonight's second file beside them.

    Raises :class:`MachineTrouble` if not for all, and before that: with as little left again.
    """
    with troubled():
        left = Rows(settings.url, settings.data).left()
    kept = settings.kept
    ends = (kept.maintenance, kept.words, kept.spools, 2 * kept.spools)
    facts["room"] = room = ROOM[sum(left > end for end in ends)]
    if room != ROOM[-1]:
        hint = f"Make room; or {EXPORT}, acknowledge, and: python -m intake.admin maintain"
        raise MachineTrouble(f"Little is free for the store: {room}.", hint)
    return room


def maintenance(settings: Settings, facts: Facts) -> str:
    """Say on which day it ran last, or :class:`Later` if that is longer ago than two nights."""
    path, ran = settings.data / maintaining.MAINTAINED, date.min
    with contextlib.suppress(Refused, ValueError):
        ran = days.day(files.read(path, 64).decode("ascii"))
        facts["maintained"] = ran.isoformat()
    if days.clock() - ran > _NIGHTS:
        last = f"since {ran}" if ran > date.min else "yet"
        how = "python -m intake.admin maintain; a host does it by itself: doctor says what is amiss"
        raise Later(days.clock(), f"Nightly maintenance has not run {last}.", how)
    return f"it ran last on {ran}"


def _site(_: Settings, facts: Facts) -> None:
    if place := host.root():
        facts["site"] = False
        host.ask(place)
        facts["site"] = True


def _tor(_: Settings, facts: Facts) -> None:
    if place := host.root():
        facts["tor"] = False
        host.check_tor(place)
        facts["tor"] = True


def lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the screen."""
    rows = facts.get("rows", {})
    yield facts["state"].upper() + " (DEMO)" * facts.get("demo", False)
    yield f"  keyring  {facts.get('keyring', 'none')}, valid to {facts.get('expires', '-')}"
    yield f"  period   {facts.get('period', 'none')}, over after {facts.get('ends', '-')}"
    yield f"  covered  every day to {facts.get('covered', '-')}"
    yield f"  rows     {sum(rows.values())} counted, not acknowledged"
    yield from (f"           {count} of {name}" for name, count in rows.items())
    yield f"  last     bundle {facts.get('bundle', '-')}, return {facts.get('return', '-')}"
    yield f"           maintenance {facts.get('maintained', '-')}"
    yield f"  room     {facts.get('room', '-')}"
    if "site" in facts:
        yield f"  site     {'answers' if facts['site'] else 'does not answer'}"
        yield f"  tor      {'runs' if facts.get('tor') else 'does not run'}"
    for action in facts["actions"]:
        yield f"{'NOW' if action['red'] else 'by ' + action['due']}: {action['what']}"
        yield f"  → {action['how']}"
    if not facts["actions"]:
        yield "Nothing to do."
