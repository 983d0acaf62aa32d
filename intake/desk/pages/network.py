"""Is this machine cut off? Linux says so in ``/sys/class/net``.

Rules:
- An interface that is switched on counts, unless it is loopback or the kernel says that it is down:
  a tunnel says ``unknown``, and connects.
- Where it cannot be told, it is not assumed. The reviewer may answer for it, with an option.
"""

from pathlib import Path

from intake.errors import Unsafe

KERNEL = Path("/sys/class/net")
_UP, _LOOPBACK = 0x1, 0x8  # IFF_UP and IFF_LOOPBACK (linux/if.h)
_CUT = frozenset({"down", "lowerlayerdown", "notpresent"})  # RFC 2863, as the kernel spells it
_ANSWER = "If you are sure that nobody reaches this machine, add --despite-network."


def connected(folder: Path = KERNEL) -> list[str]:
    """Return the names of the interfaces that may connect. Raises :class:`Unsafe` if unknown."""
    try:
        found = sorted(path for path in folder.iterdir() if (path / "flags").is_file())
        return [path.name for path in found if _connects(path)]
    except (OSError, ValueError):
        what = "Whether a network is up cannot be told on this machine."
        raise Unsafe(what, f"Switch off every network, and pull the cable. {_ANSWER}") from None


def suspected(folder: Path = KERNEL) -> bool:
    """Return whether a network is up, or it cannot be told any more."""
    try:
        return bool(connected(folder))
    except Unsafe:
        return True


def refuse(folder: Path = KERNEL) -> None:
    """Raise :class:`Unsafe` if a network is up, or if that cannot be told."""
    if names := connected(folder):
        raise Unsafe(
            f"A network is up: {', '.join(names)}.",
            f"Switch it off, and pull the cable; then run this again. {_ANSWER}",
        )


def _connects(path: Path) -> bool:
    flags = int((path / "flags").read_text("ascii"), 16)
    state = (path / "operstate").read_text("ascii").strip()
    return flags & (_UP | _LOOPBACK) == _UP and state not in _CUT
