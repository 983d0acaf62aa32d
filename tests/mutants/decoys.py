"""Deliberate breakages of the decoys, and the test that must catch each."""

from __future__ import annotations

from tests.mutants import Mutant

_POST = "    letterbox.post(letterbox.today(), source, DECOY, {})\n"
_OWN = "    today = letterbox.today()\n    row, sealed = letterbox.row(today, source, DECOY, {})\n"
_GAP = "CHANCE.expovariate(settings.decoys / workers / DAY)"
_STORED = "a_decoy_is_an_envelope_of_the_one_size_under_the_id_that_it_must_have"
_SEEN = "of_a_row_nothing_says_whether_it_is_a_decoy_nor_of_a_week_how_many_letters_came"

ON_THE_SERVER = {
    "decoys on a clock": Mutant(
        "intake/server/decoys.py", _GAP, "DAY * workers / settings.decoys", _SEEN
    ),
    "gaps of whole quarters of an hour": Mutant(
        "intake/server/decoys.py",
        _GAP,
        "CHANCE.randrange(1, 2 * workers) * DAY / settings.decoys",
        "gaps_are_drawn_from_the_exponential_distribution",
    ),
    "gaps of which half is waited twice": Mutant(
        "intake/server/decoys.py",
        _GAP,
        "CHANCE.gammavariate(2, DAY * workers / settings.decoys / 2)",
        "weeks_have_as_many_as_chance_would_have",
    ),
    "each worker makes them all": Mutant(
        "intake/server/decoys.py",
        _GAP,
        "CHANCE.expovariate(settings.decoys / DAY)",
        "weeks_have_as_many_as_chance_would_have",
    ),
    "one comes when a worker starts": Mutant(
        "intake/server/decoys.py",
        "    while settings.decoys:\n",
        "    post(letterbox)\n    while settings.decoys:\n",
        "a_restart_changes_nothing",
    ),
    "chance that can be computed again": Mutant(
        "intake/server/decoys.py",
        "CHANCE = secrets.SystemRandom()",
        "import random\n\nCHANCE = random.Random()",
        "what_is_drawn_cannot_be_foreseen",
    ),
    "decoys of another size": Mutant(
        "intake/server/decoys.py",
        _POST,
        f'{_OWN}    letterbox.store.add([(row, sealed + b"x")], today.period, lambda: True)\n',
        _SEEN,
    ),
    "decoys of another period": Mutant(
        "intake/server/decoys.py",
        _POST,
        f'{_OWN}    letterbox.store.add([(row, sealed)], "2026-w01", lambda: True)\n',
        _SEEN,
    ),
    "decoys with ids of their own": Mutant(
        "intake/server/decoys.py",
        _POST,
        f"{_OWN}    row = bytes([row[0] | 128, *row[1:]])\n"
        "    letterbox.store.add([(row, sealed)], today.period, lambda: True)\n",
        _STORED,
    ),
    "decoys whose ids are drawn": Mutant(
        "intake/server/decoys.py",
        _POST,
        f"{_OWN}    row = secrets.token_bytes(16)\n"
        "    letterbox.store.add([(row, sealed)], today.period, lambda: True)\n",
        _STORED,
    ),
    "decoys are counted in a file": Mutant(
        "intake/server/decoys.py",
        _POST,
        f"{_POST}    (letterbox.settings.data / 'decoys').open('a').write('x')\n",
        "a_decoy_leaves_what_a_letter_leaves",
    ),
    "a decoy is logged": Mutant(
        "deploy/door/worker.py",
        "gevent.spawn(decoys, self.cfg.workers, gevent.sleep)",
        "gevent.spawn(decoys, self.cfg.workers, "
        "lambda wait: self.log.info('decoy') or gevent.sleep(wait))",
        "workers_of_a_real_server_make_them_and_the_log_says_nothing",
    ),
    "no worker makes any": Mutant(
        "app.py",
        'app.extensions["decoys"] = partial(decoys.run, settings)',
        "partial(decoys.run, settings)",
        "workers_of_a_real_server_make_them_and_the_log_says_nothing",
    ),
    "the first that fails is the last": Mutant(
        "intake/server/decoys.py",
        "contextlib.suppress(Exception)",
        "contextlib.suppress(KeyError)",
        "what_fails_is_passed_over_in_silence_and_does_not_end_it",
    ),
}

AT_THE_DESK = {
    "whoever records a row says whether it is a decoy": Mutant(
        "intake/desk/opened.py",
        'return row == receipt.submission_id(nonce, b"decoy\\n{}")',
        "return bool(row and nonce)",
        "no_planted_author_gets_a_letter_forgotten_as_a_decoy",
    ),
    "of a decoy only its kind is looked at": Mutant(
        "intake/desk/judging.py",
        "nonce = envelope.nonce if decoy and opened.is_decoy(entry.id, envelope.nonce) else None",
        "nonce = envelope.nonce",
        "nothing_else_than_decoys_has_a_nonce_in_an_event",
    ),
    "an id does not say of what kind a row is": Mutant(
        "intake/envelope.py",
        'kind = b"" if self.kind == TESTIMONY else f"{self.kind}\\n".encode()',
        'kind = b"decoy\\n"',
        "no_other_envelope_has_the_id_of_a_decoy",
    ),
    "decoys stay on the server": Mutant(
        "intake/desk/acknowledging.py",
        "may_go = state.gone | state.decoys",
        "may_go = state.gone",
        "decoys_leave_the_server_as_letters_do",
    ),
    "a return fills mailboxes for letters only": Mutant(
        "intake/desk/acknowledging.py",
        "going, decoys + empty, watch",
        "going, decoys, watch",
        "decoys_leave_the_server_as_letters_do",
    ),
    "a decoy that is here is not proven again": Mutant(
        "intake/desk/judging.py",
        "return Judged(here, nonce=nonce)",
        "return Judged(here)",
        "a_decoy_that_somebody_withheld_is_proven_by_the_next_import",
    ),
    "a decoy passes for a letter": Mutant(
        "intake/desk/reading.py",
        " and envelope.kind != DECOY\n",
        "\n",
        "a_decoy_is_no_letter_whoever_records_it_so",
    ),
}
