"""A private Tor network on loopback: three authorities, three relays, and clients.

Rules:
- Every process is a real tor of Debian's package, and speaks to loopback only. No other network is
  ever asked for: each has the three authorities, and no others.
- The authorities' keys take seconds to make, so they are kept in a folder, with the ports that are
  written in them. Everything else of a run is in a folder of its own.
- Clients start when there is a consensus that names every relay: one that asks too early waits ever
  longer until it asks again. What has not started after `START` seconds is stopped, and tried once
  more.
- A port in use kills tor before it logs, so every process is looked at while it is waited for.
- What was started is stopped, also if this process dies: each has a death signal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.onion.control import control

START = 150  # seconds
STOP = 20  # seconds
AUTHORITIES = ("a0", "a1", "a2")
RELAYS = ("r0", "r1", "r2")
PORTS = 2 * len(AUTHORITIES) + len(RELAYS)
LOWEST, HIGHEST = 11_000, 31_000  # below the ports that a kernel gives away by itself
OLD = 180 * 86_400  # seconds; an authority's certificate is good for a year
LONGEST = 107  # bytes of a unix socket's path
TIED = ("setpriv", "--pdeathsig", "KILL")  # whose parent dies, dies

# TestingTorNetwork permits private addresses and the like by itself.
ANYBODY = (
    "TestingTorNetwork 1",
    "AssumeReachable 1",
    "PathsNeededToBuildCircuits 0.25",
    "V3AuthNIntervalsValid 3",
)
EVERYONE = (
    *ANYBODY,
    "CookieAuthentication 0",
    "GeoIPFile /dev/null",
    "GeoIPv6File /dev/null",
    "RunAsDaemon 0",
    "ShutdownWaitLength 0",
    "TestingDirAuthVoteExit *",
    "TestingDirAuthVoteGuard *",
    "TestingDirAuthVoteHSDir *",
    "TestingMinExitFlagThreshold 0",
    "MinUptimeHidServDirectoryV2 0",
)
RELAY = ("Address 127.0.0.1", "SocksPort 0", "ExitRelay 0", "ExitPolicy reject *:*")
AUTHORITY = (
    *RELAY,
    "AuthoritativeDirectory 1",
    "V3AuthoritativeDirectory 1",
    "ContactInfo test@invalid",
    "TestingV3AuthInitialVotingInterval 5",
    "TestingV3AuthInitialVoteDelay 2",
    "TestingV3AuthInitialDistDelay 2",
    "V3AuthVotingInterval 20",
    "V3AuthVoteDelay 2",
    "V3AuthDistDelay 2",
)


class NotStartedError(Exception):
    """The network, or one process of it, did not start."""


@dataclasses.dataclass(frozen=True, slots=True)
class Keys:
    """The authorities' keys in a folder, the first of the ports, and what names them in a torrc."""

    folder: Path
    port: int
    lines: tuple[str, ...]

    def options(self) -> list[str]:
        """Return the lines that make any tor one of this network."""
        return [*ANYBODY, *self.lines]

    @classmethod
    def load(cls, folder: Path) -> Keys:
        """Return the kept keys if they are there, young, and their ports are free; else new."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            kept = json.loads((folder / "network.json").read_text())
            young = time.time() - (folder / "network.json").stat().st_mtime < OLD
            if young and free(kept["port"]):
                return cls(folder, kept["port"], tuple(kept["lines"]))
        return cls.make(folder)

    @classmethod
    def make(cls, folder: Path) -> Keys:
        """Make new keys, in the place of old ones."""
        for name in AUTHORITIES:
            shutil.rmtree(folder / name, ignore_errors=True)
        starts = range(LOWEST, HIGHEST, PORTS)
        port = next(port for port in random.sample(starts, len(starts)) if free(port))
        lines = tuple(_authority(folder / n, port + 2 * i) for i, n in enumerate(AUTHORITIES))
        (folder / "network.json").write_text(json.dumps({"port": port, "lines": lines}))
        return cls(folder, port, lines)


def _authority(folder: Path, port: int) -> str:
    """Make the keys of one authority; return what names it in a torrc."""
    keys = folder / "keys"
    folder.mkdir(0o700)
    keys.mkdir(0o700)
    files = {
        "-i": "authority_identity_key",
        "-s": "authority_signing_key",
        "-c": "authority_certificate",
    }
    made = [part for flag, name in files.items() for part in (flag, str(keys / name))]
    words = ["tor-gencert", "--create-identity-key", "--passphrase-fd", "0", "-m", "12"]
    words += ["-a", f"127.0.0.1:{port + 1}", *made]
    subprocess.run(words, input=b"of a test, thrown away\n", check=True, capture_output=True)
    identity = re.search(r"^fingerprint (\w+)$", (keys / files["-c"]).read_text(), re.MULTILINE)
    assert identity is not None
    # No torrc and no address of a network: it only writes its keys and says their fingerprint.
    words = [
        "tor",
        "--quiet",
        "--ignore-missing-torrc",
        "-f",
        str(folder / "none"),
        "--DataDirectory",
        str(folder),
    ]
    words += ["--ORPort", f"127.0.0.1:{port}", "--Address", "127.0.0.1", "--Nickname", folder.name]
    said = subprocess.run(
        [*words, "--list-fingerprint"], check=True, capture_output=True, text=True
    ).stdout
    fingerprint = said.split(folder.name, 1)[1].replace(" ", "").strip()
    where = f"orport={port} no-v2 v3ident={identity[1]} 127.0.0.1:{port + 1}"
    return f"DirAuthority {folder.name} {where} {fingerprint}"


def free(first: int) -> bool:
    """Return whether a network's ports, from the first on, are free."""
    with contextlib.ExitStack() as held, contextlib.suppress(OSError):
        for port in range(first, first + PORTS):
            held.enter_context(socket.create_server(("127.0.0.1", port)))
        return True
    return False


class Tor:
    """One process of the network, with its folder."""

    def __init__(self, folder: Path, lines: Sequence[str]) -> None:
        """Start it."""
        self.folder = folder
        self.socket = folder / "control"
        assert len(str(self.socket)) <= LONGEST, f"too long for a socket: {self.socket}"
        folder.mkdir(0o700, exist_ok=True)
        own = (f"DataDirectory {folder}", f"ControlSocket {self.socket}")
        log = (f"Log notice file {folder / 'log'}", f"Nickname {folder.name}")
        (folder / "torrc").write_text("\n".join([*EVERYONE, *own, *log, *lines]) + "\n")
        self._said = (folder / "said").open("wb")
        self.process = subprocess.Popen(
            [*TIED, "tor", "-f", folder / "torrc"], stdout=self._said, stderr=subprocess.STDOUT
        )

    def look(self) -> None:
        """Raise :class:`NotStartedError` if it has ended."""
        if self.process.poll() is not None:
            told = (self.folder / "said").read_text(errors="replace")[-1000:]
            raise NotStartedError(
                f"{self.folder.name} ended with {self.process.returncode}: {told}"
            )

    def knows(self) -> int:
        """Return how many relays are in the consensus that it has."""
        with contextlib.suppress(OSError), control(self.socket) as asked:
            return len(re.findall(r"^r ", asked.ask("GETINFO ns/all"), re.MULTILINE))
        return 0

    def ready(self) -> bool:
        """Return whether it has all that it needs for circuits."""
        with contextlib.suppress(OSError), control(self.socket) as asked:
            return "PROGRESS=100 " in asked.ask("GETINFO status/bootstrap-phase")
        return False

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._said.close()


class Client(Tor):
    """A visitor's tor."""

    port = 0

    def listening(self) -> int:
        """Return the port to which programs that want a circuit speak SOCKS."""
        if not self.port:
            with control(self.socket) as asked:
                found = re.search(r'"127\.0\.0\.1:(\d+)"', asked.ask("GETINFO net/listeners/socks"))
            assert found is not None
            self.port = int(found[1])
        return self.port

    def reload(self) -> None:
        """Read the keys of onions again."""
        with control(self.socket) as asked:
            asked.ask("SIGNAL RELOAD")

    def forget(self) -> None:
        """Forget every circuit and every onion service's descriptor: the next visit is a first."""
        with control(self.socket) as asked:
            asked.ask("SETEVENTS SIGNAL")
            asked.ask("SIGNAL NEWNYM")
            assert "NEWNYM" in asked.event(30)  # tor does so once in ten seconds

    def wait_for(self, onion: str, seconds: float = START) -> None:
        """Return when the descriptor of an onion service can be fetched."""
        deadline = time.monotonic() + seconds
        with control(self.socket) as asked:
            asked.ask("SETEVENTS HS_DESC")
            while time.monotonic() < deadline:
                asked.ask(f"HSFETCH {onion.removesuffix('.onion')}")
                until = time.monotonic() + 2
                while (left := until - time.monotonic()) > 0:
                    if "HS_DESC RECEIVED" in asked.event(left):
                        return
        raise NotStartedError(f"no descriptor of {onion} after {seconds} s")


class Network:
    """A network that runs. :func:`network` makes one."""

    def __init__(self, keys: Keys, folder: Path, clients: Sequence[str]) -> None:
        """Start authorities and relays in ``folder``; :meth:`wait` goes on."""
        self.keys, self.folder, self.names = keys, folder, clients
        self.began = time.monotonic()
        self.tors: list[Tor] = []
        self.clients: dict[str, Client] = {}
        ports = iter(range(keys.port, keys.port + PORTS))
        for name in AUTHORITIES:
            shutil.copytree(keys.folder / name, folder / name)
            where = (f"ORPort 127.0.0.1:{next(ports)}", f"DirPort 127.0.0.1:{next(ports)}")
            self._start(Tor, name, *AUTHORITY, *where)
        for name in RELAYS:
            self._start(Tor, name, *RELAY, f"ORPort 127.0.0.1:{next(ports)}")

    def _start(self, kind: type[Tor], name: str, *lines: str) -> Tor:
        made = kind(self.folder / name, [*lines, *self.keys.lines])
        self.tors.append(made)
        return made

    def wait(self) -> None:
        """Start the clients when that is of use; return when each of them has what it needs."""
        authority, relays = self.tors[0], len(AUTHORITIES) + len(RELAYS)
        self._until(lambda: authority.knows() == relays, "no consensus with every relay")
        for name in self.names:
            allowed = self.folder / name / "auth"
            allowed.mkdir(0o700, parents=True)
            allowed.parent.chmod(0o700)
            shown = f"ClientOnionAuthDir {allowed}"
            made = self._start(Client, name, "SocksPort 127.0.0.1:auto", shown)
            assert isinstance(made, Client)
            self.clients[name] = made
        everybody = self.clients.values()
        self._until(lambda: all(each.ready() for each in everybody), "clients without circuits")

    def _until(self, done: Callable[[], bool], what: str) -> None:
        while not done():
            for each in self.tors:
                each.look()
            if time.monotonic() - self.began > START:
                raise NotStartedError(f"{what} after {START} s")
            time.sleep(0.2)

    def stop(self) -> None:
        """End every process."""
        for each in reversed(self.tors):
            each.stop()


@contextlib.contextmanager
def kept_keys(folder: Path) -> Iterator[Keys]:
    """Yield the keys in a folder, which is ours alone until the block ends.

    Raises :class:`NotStartedError` if another network uses it.
    """
    folder.mkdir(0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as busy:
            raise NotStartedError(f"Another test network uses {folder}. Let it end.") from busy
        yield Keys.load(folder)


@contextlib.contextmanager
def network(keys: Keys, folder: Path, clients: Sequence[str]) -> Iterator[Network]:
    """Yield a network in which every client has started.

    Raises :class:`NotStartedError` if it does not start, twice.
    """
    made = Network(keys, _fresh(folder), clients)
    try:
        try:
            made.wait()
        except NotStartedError:
            made.stop()
            made = Network(keys, _fresh(folder), clients)
            made.wait()
        yield made
    finally:
        made.stop()


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(0o700)
    return folder
