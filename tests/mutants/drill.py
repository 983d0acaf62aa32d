"""Deliberate breakages of what the drill guards, and what the drill must say of each.

As in ``mutants.py``, but that ``caught_by`` is a pattern, looked for in all that the drill says.
"""

from __future__ import annotations

from tests.mutants import Mutant

DRILL = {
    "words are sealed to everyone": Mutant(
        "intake/desk/judging.py",
        "book.recipients(assigned, self._day)",
        "book.everyone(self._day)",
        r"FAILED: bob's laptop reads too many: \d",
    ),
    "every case is everybody's": Mutant(
        "intake/desk/casebook.py",
        "return tuple(sorted(names[:ASSIGNED]))",
        "return tuple(sorted(names))",
        r"FAILED: these have not exactly 2 reviewers: 1-",
    ),
    "one reviewer opens a package": Mutant(
        "intake/ceremony/package.py",
        "sealed = nested(identity, [people[name] for name in subset])",
        "sealed = nested(identity, [people[name] for name in subset])\n"
        "            files.write(partial / f'{subset[0]}', nested(identity, [people[subset[0]]]))",
        r"FAILED: alice's laptop reads too many: \d",
    ),
    "the identity of a period lies beside its package": Mutant(
        "intake/ceremony/package.py",
        '        files.write(partial / "package.json", canonical.dump(facts), files.PUBLIC)\n',
        '        files.write(partial / "package.json", canonical.dump(facts), files.PUBLIC)\n'
        '        files.write(partial / ".note", identity.encode().encode())\n',
        r"FAILED: alice's laptop \+ the stick reads too many: \d",
    ),
    "all is sealed to the first period": Mutant(
        "intake/server/inforce.py",
        'spans = (p for p in raw["periods"] if day(p["first"]) <= today <= day(p["last"]))',
        'spans = (p | {"name": q["name"]} for p in raw["periods"] for q in raw["periods"]'
        ' if day(q["first"]) <= today <= day(q["last"]))',
        r"BadFile|FAILED|not the envelope|Incomplete",
    ),
    "the roots before are not asked": Mutant(
        "intake/keyring.py",
        "if len(new.signers & old.roots.keys()) < old.threshold:  # (7)",
        "if False:",
        r"FAILED: .* can forge: keyring",
    ),
    "one signature is enough for a return": Mutant(
        "intake/bundle/reading.py",
        "if len(keyring.active) - len(active) < SIGNERS:",
        "if False:",
        r"FAILED: .* can forge: return",
    ),
    "an event needs no signature": Mutant(
        "intake/desk/chain.py",
        "or not any(verified(k, octets(event.signature, 64), CONTEXT + line) for k in keys)",
        "or not keys",
        r"FAILED: .* can forge: event of alice",
    ),
    "an old keyring comes back": Mutant(
        "intake/keyring.py",
        "if new.version != old.version + 1:  # (6)",
        "if new.version == old.version - 1:\n        return\n    if False:",
        r"FAILED: keyring 3 comes back to the desk",
    ),
    "a removed reviewer's events count": Mutant(
        "intake/desk/chain.py",
        "if reviewer is None or reviewer.removed is None:",
        "if True:",
        r"FAILED: alice's laptop can forge: event of alice",
    ),
    "the first quarter's key reads for ever": Mutant(
        "intake/desk/casebook.py",
        "found = [*(reviewers[name][quarter] for name in names), self.keyring.archive]",
        "first = (min(reviewers[name].items())[1] for name in names)\n"
        "        found = [*first, self.keyring.archive]",
        r"FAILED: bob's laptop reads too many: \d",
    ),
    "a removal keeps the archive": Mutant(
        "intake/ceremony/rotation.py",
        'archive = wish.out / "archive" if wish.removed else None',
        "archive = None",
        r"FAILED: the archive is the one that alice knows a part of",
    ),
    "destroying keeps a copy": Mutant(
        "intake/ceremony/retiring.py",
        "            if path.exists():  # (1)\n",
        "            if path.exists():\n"
        "                (folder.parent / f'.{path.name}').write_bytes(path.read_bytes())\n",
        r"FAILED: a retired period opens: \d",
    ),
    "what is closed is sealed again too": Mutant(
        "intake/desk/resealing.py",
        "return not case.erased and (not case.closed or case.hidden)",
        "return not case.erased",
        r"FAILED: bob's laptop reads too many: \d",
    ),
    "the key of a quarter stays in its folder": Mutant(
        "intake/desk/resealing.py",
        "path.replace(spoiled)",
        "spoiled.write_bytes(path.read_bytes())",
        r"FAILED: bob's laptop: \d",
    ),
}
