"""Deliberate breakages of the rule that words end with their process, and what must catch each."""

from __future__ import annotations

from tests.mutants import Mutant

MEMORY = {
    "a worker looks at what follows a head": Mutant(
        "deploy/door/circuits.py",
        "        data: bytes = super().recv(*size)\n",
        "        super().recv(1 << 16, socket.MSG_PEEK)\n"
        "        data: bytes = super().recv(*size)\n",
        "copies in a process that stays",
    ),
    "a worker reads what it pours": Mutant(
        "deploy/door/pouring.py",
        "left -= os.splice(leave, sink, left)",
        "left -= os.write(sink, os.read(leave, left))",
        "copies in a process that stays",
    ),
    "a child does not end": Mutant(
        "deploy/door/disposable.py",
        "    os.write(said, SAID.pack(kept, source.left))  # (5)\n",
        "    os.write(said, SAID.pack(kept, source.left))\n"
        "    source.line.close()\n"
        "    os.close(said)\n"
        "    signal.alarm(0)\n"
        "    select.select([], [], [])\n",
        "copies in a process that stays",
    ),
    "a worker answers": Mutant(
        "deploy/door/worker.py",
        "            self.stem = Stem(self.seclude, self.alone, self.crowd)\n",
        "            self.idle = Stem(self.seclude, self.alone, self.crowd)\n",
        "copies in a process that stays",
    ),
}
