"""Prints what `make interop` is run for: the count of public vectors, and the matrix of peers."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.interop.peers import peers


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for the public vectors, and one for each peer, direction and kind."""
    vectors: Counter[str] = Counter()
    cells: dict[tuple[str, str, str], dict[int, str]] = {}
    for verdict in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(verdict, []):
            match dict(report.user_properties):
                case {"cell": (peer, direction, kind, size)}:
                    mark = "ok" if verdict == "passed" else "FAILED"
                    cells.setdefault((peer, direction, kind), {})[size] = mark
                case {"vector": _}:
                    vectors[verdict] += 1
    if vectors:
        terminalreporter.section("public vectors, C2SP/CCTV")
        terminalreporter.line(f"{vectors['passed']} of {vectors.total()} as they should be")
    if cells:
        terminalreporter.section("peers, by bytes of plaintext")
        sizes = sorted({size for row in cells.values() for size in row})
        head = "".join(f"{size:>11,}" for size in sizes)
        terminalreporter.line(f"{'':<38}{head}")
        for (peer, direction, kind), row in sorted(cells.items()):
            marks = "".join(f"{row.get(size, '-'):>11}" for size in sizes)
            terminalreporter.line(f"{peers()[peer].name:<15}{direction:<12}{kind:<11}{marks}")
        terminalreporter.line("Nobody opens ours by X25519: nothing of ours is sealed so.")
