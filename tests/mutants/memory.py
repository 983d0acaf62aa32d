"""Deliberate breakages of the rule that words end with their process, and what must catch each."""

from __future__ import annotations

from tests.mutants import Mutant

MEMORY = {
    "a worker reads on after the head": Mutant(
        "deploy/pouring.py",
        "more = receive(min(len(end) - held, room))",
        "more = receive(room)",
        "copies in a process that stays",
    ),
    "a worker reads what it pours": Mutant(
        "deploy/pouring.py",
        "left -= os.splice(leave, sink, left)",
        "left -= os.write(sink, os.read(leave, left))",
        "copies in a process that stays",
    ),
    "a child does not end": Mutant(
        "deploy/disposable.py",
        "                _serve(channel, taken, crowded, serve)\n",
        "                _serve(channel, taken, crowded, serve)\n"
        "                select.select([], [], [])\n",
        "copies in a process that stays",
    ),
    "a worker answers": Mutant(
        "deploy/gunicorn_conf.py",
        "if self.stem and length:",
        "if False:",
        "copies in a process that stays",
    ),
}
