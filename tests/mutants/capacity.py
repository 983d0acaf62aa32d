"""Deliberate breakages of maintenance beside posts and of the caps, and who must catch each."""

from __future__ import annotations

from tests.mutants import Mutant

_FRESH, _MAINTAINING = "intake/admin/fresh.py", "intake/admin/maintaining.py"
_STORE, _UPLOADS = "intake/store.py", "intake/server/uploads.py"
_EVENTS = '{"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}'
_AS_WITHOUT = "what_comes_changes_or_goes_meanwhile_is_as_it_would_be_without_it"
_ENDS = "each_stops_at_its_own_end"

MAINTENANCE = {
    "the old file is copied as it lies": Mutant(
        _MAINTAINING,
        "            second.end(connection)  # (7)\n",
        "            second.end(connection)\n            new.write_bytes(old.read_bytes())\n",
        "nothing_in_the_file_tells_the_order_in_which_replies_came",
    ),
    "what comes meanwhile is left behind": Mutant(
        _FRESH, _EVENTS, '{"UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}', _AS_WITHOUT
    ),
    "a reply that is deleted meanwhile is there again": Mutant(
        _FRESH, _EVENTS, '{"INSERT": ("NEW",), "DELETE": ("OLD",)}', _AS_WITHOUT
    ),
    "what goes meanwhile comes back": Mutant(
        _FRESH, _EVENTS, '{"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW")}', _AS_WITHOUT
    ),
    "the last that came is left behind": Mutant(
        _FRESH,
        "                self._bring(connection, name, keys)\n        self._connection",
        "                pass\n        self._connection",
        _AS_WITHOUT,
    ),
    "the new file is not read again": Mutant(
        _FRESH,
        "if read.digest() != written.digest():",
        "if not written.digest():",
        "a_new_file_that_differs_is_not_put_in_place",
    ),
    "all rows are looked at while posts wait": Mutant(
        _FRESH,
        '        self._connection.exec_driver_sql("COMMIT")\n',
        '        _rows(connection, "SELECT max(period) FROM envelopes", ())\n'
        '        self._connection.exec_driver_sql("COMMIT")\n',
        "what_a_post_waits_for_is_as_much_in_a_large_store_as_in_a_small_one",
    ),
    "whoever comes goes before who waits to be alone": Mutant(
        _STORE,
        "                fcntl.flock(door, how)",
        "                fcntl.flock(door, fcntl.LOCK_SH)",
        "a_flood_of_posts_does_not_keep_it_out",
    ),
    "acknowledge runs beside it": Mutant(
        "intake/admin/acknowledging.py",
        "chain.alone(settings, *chain.MAINTAINING)",
        'chain.alone(settings, "other")',
        "acknowledge_waits_until_maintenance_is_over",
    ),
    "the new file stays locked when it has its name": Mutant(
        _FRESH,
        "        self._connection.close()",
        "        pass",
        "whoever_is_let_in_again_finds_no_lock_on_the_new_file",
    ),
    "the notes stay when it fails": Mutant(
        _FRESH,
        "            _write(store, _forget())\n        raise\n",
        "            pass\n        raise\n",
        "a_disk_that_does_not_sync_leaves_the_store_as_it_was",
    ),
}
CAPS = {
    "what is written of the second file counts as taken": Mutant(
        _STORE,
        "free += half.stat().st_blocks * 512",
        "pass",
        "the_room_of_a_store_elsewhere_is_the_less_of_both",
    ),
    "files on their way take the room of words": Mutant(
        _UPLOADS, "self.letterbox.settings.kept.spools", "self.letterbox.settings.kept.words", _ENDS
    ),
    "a file is stored whatever is left": Mutant(
        _UPLOADS,
        "self._follows, kept)",
        "self._follows)",
        "a_file_that_was_taken_in_may_still_be_refused_by_the_store",
    ),
    "words are stored whatever is left": Mutant(
        "intake/server/letterbox.py", "self.settings.kept.words", "0", _ENDS
    ),
    "a file that has no room is said to have been lost on its way": Mutant(
        _UPLOADS,
        'trouble = "room"',
        'trouble = "stopped"',
        "files_that_were_stored_before_there_was_no_room_are_said_to_be",
    ),
}
