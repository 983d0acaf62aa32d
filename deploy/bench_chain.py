"""Testimonies a second through the deployed chain, beside others, measured in one run.

    python deploy/bench_chain.py [--rounds 5] [--seconds 3] [--posts 10000] [--haproxy] [--trials]
                                 [--json] [--plot FILE] [--folder FOLDER]

The chain is what stands behind tor: its line, a unix socket, two workers, a process for each
submission, Flask, a sealed row on the disk. Beside it stand the same, with words in the workers
(``INTAKE_DISPOSABLE=0``); the same app, which validates and throws away; and OnionShare's receive
mode, which writes a message in the clear and does not wait for the disk; with ``--haproxy`` also
the same site with haproxy in front.

Rules:
- Ratios, not times: in each round every candidate is asked for the same seconds, by one client and
  by 16, in an order that changes. A ratio is the median of the rounds' own. Nothing asserts a rate.
- A submission is 1 KB of Burmese with all that a browser sends. Each answer must show the receipt
  that belongs to it; after each turn the store must hold exactly as many rows as were sent, and
  that of the app that discards none. Else the run ends.
- Memory is that of all processes of a server: what each has for itself, and its share of the rest
  (PSS), where the system tells. Idle is before the first submission; the site then takes
  ``--posts`` in all, the others what the rounds brought, and how many stands beside it.
- Each connection is another circuit's and takes few requests, so that no circuit's pace binds.
- What clients take of a core is printed, and what a write takes that waits for this disk.
- All is in a folder that goes at the end, also when the run is ended early. Only what was started
  here is ended.

Run it as `make bench-quick`; ``--trials`` (deploy/trials.py) is for docs/adr/0020-the-chain.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from deploy import trials
from deploy.chains import HAPROXY, SIZE, Chain, Discarding, Haproxied, Messages, Shared
from deploy.plot import Bar, bars
from deploy.receivers import ONION
from deploy.visitors import Load, load

CLIENTS = (1, 16)
WARM = 20  # submissions, so that every worker has taken one
WRITES = 100  # that are measured, of 4 KiB
MIB = 1 << 20

Server = Chain | Messages
Facts = dict[str, Any]


def durable_write(folder: Path) -> float:
    """Return the seconds, as a median, that a small write takes until it is on the disk."""
    took = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(WRITES):
            before = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            took.append(time.perf_counter() - before)
    return statistics.median(took)


class Bench:
    """All rounds of all candidates; the first is what the others are compared with."""

    def __init__(self, servers: Sequence[Server]) -> None:
        """Prepare; they are started."""
        self.servers = servers
        self.chance = random.Random(1)  # noqa: S311 - an order, no secret
        self.sent = dict.fromkeys(servers, 0)
        self.loads: dict[tuple[Server, int], list[Load]] = {
            (server, clients): [] for server in servers for clients in CLIENTS
        }
        self.idle = {server: memory(server) for server in servers}
        self.full: dict[Server, tuple[int, int]] = {}

    def run(self, rounds: int, seconds: float) -> None:
        """Have each taken in so many rounds."""
        for server in self.servers:
            self.submit(server, 4, most=WARM)
        turns = list(self.loads)
        for _ in range(rounds):
            self.chance.shuffle(turns)
            for server, clients in turns:
                self.loads[server, clients].append(self.submit(server, clients, seconds))

    def fill(self, posts: int) -> None:
        """Submit until the site has taken so many, and look at the memory of each again."""
        site = self.servers[0]
        if posts > self.sent[site]:
            self.submit(site, CLIENTS[-1], most=posts - self.sent[site])
        self.full = {server: memory(server) for server in self.servers}

    def submit(self, server: Server, clients: int, seconds: float = 1e6, most: int = 0) -> Load:
        """Have visitors submit, and count what is stored."""
        found = load(server, clients, seconds, most or 1 << 60)
        self.sent[server] += len(found.took)
        must = self.sent[server] if server.stores else 0
        if (stored := server.stored()) != must:
            raise SystemExit(f"{server.name} holds {stored} rows; {must} were to be stored.")
        return found

    def facts(self) -> list[Facts]:
        """Return what was found out about each."""
        return [self.about(server) for server in self.servers]

    def about(self, server: Server) -> Facts:
        """Return what was found out about one."""
        rates: Facts = {}
        for clients in CLIENTS:
            mine, first = self.loads[server, clients], self.loads[self.servers[0], clients]
            ratios = [ours.rate / other.rate for ours, other in zip(first, mine, strict=True)]
            each = [one.rate for one in mine]
            rates[str(clients)] = {
                "median": statistics.median(each),
                "least": min(each),
                "most": max(each),
                "chain beside it": statistics.median(ratios),
                "answer": statistics.median(took for one in mine for took in one.took),
                "clients' share of a core": max(one.share for one in mine),
            }
        idle, full = self.idle[server], self.full[server]
        return {
            "name": server.name,
            "rates": rates,
            "submissions": self.sent[server],
            "stored": server.stored(),
            "PSS": {"idle": idle[0], "after": full[0]},
            "RSS": {"idle": idle[1], "after": full[1]},
        }


def memory(server: Server) -> tuple[int, int]:
    """Return the bytes of its processes: with what is shared shared out, and without."""
    return server.proportional(), server.memory()


def show(found: Facts) -> None:
    """Print the table."""
    print(
        f"{found['bytes']} bytes of Burmese, {found['rounds']} rounds of {found['seconds']:g} s "
        f"for each, in an order that changes.\n{found['cores']} cores, Python {found['python']}; "
        f"a write of 4 KiB that waits for this disk takes {found['write'] * 1e3:.2f} ms.\n"
    )
    print(
        f"{'submissions a second':<26}" + "".join(f"{n:>9} client(s)" + " " * 18 for n in CLIENTS)
    )
    for each in found["servers"]:
        cells = ""
        for rate in each["rates"].values():
            spread = f"({rate['least']:.0f}-{rate['most']:.0f})"
            cells += (
                f"{rate['median']:8.1f} {spread:<11}{rate['chain beside it']:6.2f} x" + " " * 10
            )
        print(f"{each['name']:<26}{cells.rstrip()}")
    print("x: the chain's submissions beside those of this line, as the median of the rounds' own.")
    kind = "PSS" if found["servers"][0]["PSS"]["idle"] else "RSS"
    print(f"\n{'memory of all processes':<26}{'idle':>9}{'after':>13}   submissions   ({kind})")
    for each in found["servers"]:
        idle, after = each[kind]["idle"] / MIB, each[kind]["after"] / MIB
        print(f"{each['name']:<26}{idle:5.0f} MiB{after:9.0f} MiB{each['submissions']:12}")
    share = max(
        rate["clients' share of a core"]
        for each in found["servers"]
        for rate in each["rates"].values()
    )
    print(f"\nAll clients together took at most {share:.0%} of one core.")
    print(
        "Every answer showed its receipt, and each store holds what was sent, no more and no less."
    )


def picture(found: Facts) -> str:
    """Return the plot."""
    groups = []
    for clients in map(str, CLIENTS):
        rows = []
        for each in found["servers"]:
            rate = each["rates"][clients]
            beside = f"{rate['median']:.0f}"
            if each is not found["servers"][0]:
                beside += f" (chain: {rate['chain beside it']:.2f} ×)"
            rows.append(Bar(each["name"], rate["median"], rate["least"], rate["most"], beside))
        groups.append((f"{clients} client{'s' * (clients != '1')}", rows))
    return bars("Submissions a second, 1 KB of Burmese", groups)


def run(folder: Path, given: argparse.Namespace) -> Facts:
    """Start all, measure, and end them."""
    kinds: list[type[Server]] = [Chain, Shared, Discarding, Messages]
    kinds += [Haproxied] * given.haproxy
    with contextlib.ExitStack() as stack:
        servers: list[Server] = []
        for number, kind in enumerate(kinds):
            servers.append(kind(folder / str(number)))
            stack.callback(servers[-1].stop)
        for server in servers:
            server.begin()
        bench = Bench(servers)
        bench.run(given.rounds, given.seconds)
        bench.fill(given.posts)
        return {
            "bytes": SIZE,
            "cores": os.cpu_count(),
            "python": sys.version.split()[0],
            "rounds": given.rounds,
            "seconds": given.seconds,
            "write": durable_write(folder),
            "servers": bench.facts(),
        }


def main() -> None:
    """Read the options, and measure in a folder that goes at the end."""
    parser = argparse.ArgumentParser(
        description="Testimonies a second through the deployed chain, beside two others.",
        epilog="example: python deploy/bench_chain.py --haproxy --plot chain.svg",
    )
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--seconds", type=float, default=3, help="of each turn; default 3")
    parser.add_argument(
        "--posts",
        type=int,
        default=10_000,
        help="to the site, before its memory is read again; default 10000",
    )
    parser.add_argument("--haproxy", action="store_true", help="also with haproxy in front")
    parser.add_argument("--trials", action="store_true", help="only floods, stalls and restarts")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--plot", type=Path, help="where to write the plot, as SVG")
    parser.add_argument("--folder", type=Path, help="where to work: on the disk that is meant")
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # a job in the background has the first ignored
        signal.signal(number, lambda *_: sys.exit(1))
    if not ONION.exists() or not Path("/proc/self/stat").exists():
        sys.exit("This needs Linux, and OnionShare in .peers. Run: make bench-quick")
    if given.haproxy and not HAPROXY:
        sys.exit("haproxy is not installed. Leave --haproxy out, or install Debian's haproxy.")
    with tempfile.TemporaryDirectory(prefix="chain-", dir=given.folder) as folder:
        if given.trials:
            kinds: list[type[Chain]] = [Chain, Shared, *[Haproxied] * given.haproxy]
            print(json.dumps(trials.run(Path(folder), kinds), indent=1, ensure_ascii=False))
            return
        found = run(Path(folder), given)
    if given.plot:
        given.plot.write_text(picture(found), encoding="utf-8")
    if given.json:
        print(json.dumps(found, indent=1))
    else:
        show(found)


if __name__ == "__main__":
    main()
