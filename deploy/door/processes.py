"""What a process that serves does to itself, by prctl(2): out of reach, silent, not alone."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
from collections.abc import Iterable

PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4  # prctl(2)


def silence(families: Iterable[int]) -> None:
    """Have this process, which serves on sockets of these families, print nowhere.

    Behind tor its memory is out of reach too, for a core dump and for others of the same user.
    """
    if socket.AF_UNIX in families:
        _set(PR_SET_DUMPABLE, 0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def end_with(parent: int) -> None:
    """Have this process killed when its parent ends."""
    _set(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _set(option: int, value: int) -> None:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
