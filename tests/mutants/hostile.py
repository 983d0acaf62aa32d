"""Deliberate breakages of what hostile requests meet, and how the assertion that catches begins."""

from __future__ import annotations

from tests.mutants import Mutant

WORKER = "deploy/door/worker.py"
REQUESTS = "intake/server/requests.py"
HOSTILE = {
    "an error page says what was asked for": Mutant(
        "intake/server/site.py",
        "    return notice(site, language if language in OFFERED else OFFERED[0], code)\n",
        "    answer = notice(site, language if language in OFFERED else OFFERED[0], code)\n"
        "    if code == 404:\n"
        "        answer.set_data(answer.get_data() + request.full_path.encode())\n"
        "    return answer\n",
        "echo: in the page",
    ),
    "the layer below says what was wrong": Mutant(
        WORKER,
        "        if client.begun:  # else",
        "        client.sendall(repr(exc).encode())\n        if client.begun:  # else",
        "length: ",
    ),
    "an address is mended by a redirect": Mutant(
        "intake/server/site.py",
        'app.config["PROVIDE_AUTOMATIC_OPTIONS"] = app.url_map.merge_slashes = False',
        'app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False',
        "echo: in the head",
    ),
    "an error is shorter than a page": Mutant(
        "intake/server/answers.py",
        "fill = -(len(page) + 2) % SIZE",
        "fill = -(len(page) + 2) % (SIZE if response.status_code < 400 else 8192)",
        "length: ",
    ),
    "a body is asked for by an answer of its own": Mutant(
        WORKER,
        "        req._expected_100_continue = False  # noqa: SLF001\n",
        "",
        "length: ",
    ),
    "the version of the client comes back": Mutant(
        "deploy/door/answers.py",
        'first = f"HTTP/1.1 {self.status}\\r\\n"',
        "first = self.default_headers()[0]",
        "constant: b'HTTP/1.0 200 OK'",
    ),
    "chunks are taken": Mutant(
        WORKER,
        'if any(name == "TRANSFER-ENCODING" for name, _ in req.headers):',
        "if False:",
        "answer: ['en stale'",
    ),
    "any number of fields is taken": Mutant(
        REQUESTS, "MOST_FIELDS = 1000", "MOST_FIELDS = 10**9", "echo: in the page"
    ),
    "a body of any length is taken": Mutant(
        REQUESTS,
        "request.max_content_length = limit",
        "request.max_content_length = None",
        "answer: ['en 400'], not ['en 413']",
    ),
    "another kind of body is taken": Mutant(
        REQUESTS,
        '    if (request.mimetype, charset) != (URLENCODED, "utf-8"):',
        "    if not charset:",
        "answer: ['en 413'], not ['en 415']",
    ),
    "another page may post": Mutant(
        REQUESTS, "    if not ours:\n", "    if False:\n", "answer: ['en receipt'], not ['en 403']"
    ),
    "nobody looks who stands between": Mutant(
        REQUESTS,
        "if any(map(_PROXY.fullmatch, sent)) or not",
        "if not",
        "answer: ['en form'], not ['en 421']",
    ),
    "tor's line may be any": Mutant(
        "deploy/door/circuits.py",
        "        return found is not None\n",
        "        return True\n",
        "answer: [",
    ),
}

TURNS = "deploy/door/turns.py"
HELD_BODIES = {
    "nobody counts what waits": Mutant(
        TURNS,
        "            while sum(self._waiting.values()) > self._room:\n",
        "            while False:\n",
        "memory: ",
    ),
    "the smallest is sent away": Mutant(
        TURNS,
        "greatest = max(self._waiting, key=self._waiting.__getitem__)",
        "greatest = min(filter(self._waiting.get, self._waiting), key=self._waiting.get)",
        "lockout: ",
    ),
}
CROWDED = {
    "nobody who waits makes room": Mutant(
        TURNS,
        "        if len(self._circuits) > self._most:\n",
        "        if False:\n",
        "lockout: ",
    ),
    "whoever came first makes room": Mutant(
        TURNS,
        "rank = {one: (of[self._circuits[one]],",
        "rank = {one: (0 * of[self._circuits[one]],",
        "alone: ",
    ),
}
