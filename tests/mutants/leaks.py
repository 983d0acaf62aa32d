"""Deliberate breakages of the letterbox, and the word of the check that must catch each.

``CALLS`` are caught by what is traced, ``REMAINS`` by what is left of a day, ``PRINTED`` by what
the site prints, and ``FAULTS`` by what it says when a line fails.
"""

from __future__ import annotations

from tests.mutants import Mutant

CALLS = {
    "words are logged": Mutant(
        "intake/server/letterbox.py",
        "        row = self.row(today, source, kind, body)\n",
        "        row = self.row(today, source, kind, body)\n"
        "        import logging\n"
        '        logging.getLogger("site").error("%s", body)\n',
        "calls",
    ),
    "Werkzeug takes the files of an upload, as it does by itself": Mutant(
        "intake/server/returns.py",
        "    letterbox = back.site.letterbox\n    settings = letterbox.settings\n",
        "    letterbox = back.site.letterbox\n    settings = letterbox.settings\n"
        "    _ = request.files\n",
        "calls",
    ),
    "a file is spooled as it came": Mutant(
        "intake/server/spool.py",
        "self._records.write(row + sealed)",
        "self._records.write(row + content.ljust(SEALED))",
        "calls",
    ),
    "a file keeps its name on the disk": Mutant(
        "intake/server/uploads.py",
        "        spool.end(name[:LONGEST_NAME])\n",
        "        spool.end(name[:LONGEST_NAME])\n"
        "        (self.letterbox.settings.data / name).touch()\n",
        "calls",
    ),
    "the nonce of a form is written down": Mutant(
        "intake/server/letterbox.py",
        "        nonce, digits, language = source  # (1)\n",
        "        nonce, digits, language = source\n"
        '        (self.settings.data / "nonces").write_text(nonce.hex())\n',
        "calls",
    ),
    "an error page echoes what it was asked": Mutant(
        "intake/server/site.py",
        '    language = request.path.split("/")[1]\n    code = error',
        "    return Response(f'{request.full_path} {request.headers}', 400)\n"
        '    language = request.path.split("/")[1]\n    code = error',
        "echo",
    ),
    "a worker can be dumped": Mutant(
        "deploy/door/processes.py",
        "_set(PR_SET_DUMPABLE, 0)",
        "_set(PR_SET_DUMPABLE, 1)",
        "core",
    ),
}

_COLUMNS = (
    '    sa.Column("period", sa.String(32), nullable=False),\n'
    '    sa.Column("sealed", sa.LargeBinary, nullable=False),\n'
    "    sqlite_with_rowid=False,\n"
)
REMAINS = {
    "a table with a rowid": Mutant(
        "intake/store.py",
        _COLUMNS,
        _COLUMNS.replace("rowid=False", "rowid=True"),
        "rowid",
    ),
    "a number that counts rows": Mutant(
        "intake/store.py",
        f'    sa.Column("id", sa.LargeBinary(16), primary_key=True),\n{_COLUMNS})\n',
        '    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),\n'
        '    sa.Column("id", sa.LargeBinary(16), unique=True),\n'
        + _COLUMNS.replace("sqlite_with_rowid=False", "sqlite_autoincrement=True")
        + ")\n",
        "counter",
    ),
    "the second in a column": Mutant(
        "intake/store.py",
        _COLUMNS,
        "    sa.Column('at', sa.Integer, server_default=sa.text('(unixepoch())')),\n" + _COLUMNS,
        "columns",
    ),
    "the second in the name of a file": Mutant(
        "intake/server/uploads.py",
        "        spool.end(name[:LONGEST_NAME])\n",
        "        spool.end(name[:LONGEST_NAME])\n"
        "        import time\n"
        '        (self.letterbox.settings.data / f"upload-{time.time()}").touch()\n',
        "times",
    ),
    "the second in a file": Mutant(
        "intake/days.py",
        '    files.write(settings.data / "floor", floor.isoformat().encode())\n',
        '    files.write(settings.data / "floor", floor.isoformat().encode())\n'
        '    (settings.data / "lock").write_text(datetime.now(tz=UTC).isoformat())\n',
        "times",
    ),
    "the second under the seal": Mutant(
        "intake/envelope.py",
        '                "version": VERSION,\n',
        '                "version": int(__import__("time").time()),\n',
        "times",
    ),
    "an envelope is not padded": Mutant(
        "intake/envelope.py",
        "seal_age(envelope.plaintext(), [recipient])\n    if len(sealed) != SEALED:\n",
        "seal_age(envelope.plaintext().rstrip(), [recipient])\n    if not sealed:\n",
        "size",
    ),
    "deleted rows are not overwritten": Mutant(
        "intake/store.py", "secure_delete=ON", "secure_delete=OFF", "deleted"
    ),
    "maintenance leaves the file as it is": Mutant(
        "intake/admin/maintaining.py",
        "def maintain(settings: Settings) -> bool:\n",
        "def maintain(settings: Settings) -> bool:\n    return True\n\n\n"
        "def _maintain(settings: Settings) -> bool:\n",
        "order",
    ),
    "maintenance puts the file back as it came": Mutant(
        "intake/admin/maintaining.py",
        "            second.end(connection)  # (7)\n",
        "            second.end(connection)\n            new.write_bytes(old.read_bytes())\n",
        "order",
    ),
    "a receipt is shown without a row": Mutant(
        "intake/server/letterbox.py",
        "if not self.store.add([row], today.period, follows, kept):",
        "if not (row and follows and kept):",
        "row",
    ),
}

PRINTED = {
    "each request is printed": Mutant(
        "deploy/door/worker.py",
        "        self.waiting.discard(sock)\n        self.pace(sock)\n",
        '        with open(f"/proc/{os.getppid()}/fd/2", "a") as log:\n'
        '            log.write("a request\\n")\n'
        "        self.waiting.discard(sock)\n        self.pace(sock)\n",
        "log",
    ),
}

_ADD = 'connection.execute(statement, {"id": row, "period": period, "sealed": sealed})'
FAULTS = {
    "a receipt is shown where the store failed": Mutant(
        "intake/server/site.py",
        '        shown.trouble = "doubt"\n',
        "        if seed:\n"
        "            digits = receipt.receipt(seed)\n"
        '            return page(site, language, "receipt", digits=digits, groups=receipt.groups)\n'
        '        shown.trouble = "doubt"\n',
        "lies",
    ),
    "a file's rows are stored one by one": Mutant(
        "intake/store.py",
        _ADD,
        f'{_ADD}; connection.exec_driver_sql("COMMIT"); connection.exec_driver_sql("BEGIN")',
        "lies",
    ),
    "an error says what it is": Mutant(
        "intake/server/site.py",
        '    language = request.path.split("/")[1]\n    code = error',
        '    return Response(f"Words are never stored twice. A file may be. {error}", 500)\n'
        '    language = request.path.split("/")[1]\n    code = error',
        "leaks",
    ),
}
