"""Everything Intake refuses: what happened, whose fault it is, and what to do next.

Rules:
- The library raises these; only a tool's ``__main__`` turns one into words and an exit code.
- A message never carries what a source wrote, a passphrase or a key.
- ``what`` is a sentence about what happened; ``hint`` is the next step for the person who reads it.

Exit codes of every tool:

==== ==================================================================
0    done
1    a defect in Intake itself
2    the command line was wrong (:class:`Misuse`)
3    the keyring does not allow it (:class:`BadKeyring`)
4    a file is damaged, foreign or forged (:class:`BadFile`)
5    no key opens it (:class:`NoMatchingKey`, :class:`WrongPassphrase`)
6    unsafe: permissions, or a secret in the wrong place (:class:`Unsafe`)
7    the machine: disk full, locked, missing ML-KEM (:class:`MachineTrouble`)
8    done, but something is missing (:class:`Incomplete`)
==== ==================================================================
"""


class Refused(Exception):  # noqa: N818 - the domain's word; every subclass names a reason
    """Something was refused. ``what`` happened, and ``hint`` says what to do next."""

    exit = 1

    def __init__(self, what: str, hint: str = "") -> None:
        """Keep both sentences; neither may carry a source's words."""
        super().__init__(what)
        self.what = what
        self.hint = hint


class BadRequest(Refused):
    """A request that no form of ours sends: encoding, size or fields are wrong."""


class Misuse(Refused):
    """The caller's arguments or settings are wrong."""

    exit = 2


class BadKeyring(Refused):
    """The keyring is missing, expired, forged, or does not follow the installed one."""

    exit = 3


class BadFile(Refused):
    """A file is damaged, foreign or forged."""

    exit = 4


class NoMatchingKey(Refused):
    """None of the identities at hand opens this."""

    exit = 5


class WrongPassphrase(NoMatchingKey):
    """The passphrase does not open this file."""


class Unsafe(Refused):
    """Going on would put a secret at risk."""

    exit = 6


class MachineTrouble(Refused):
    """The machine failed: disk full, file locked, or a primitive is missing."""

    exit = 7


class NoRoom(MachineTrouble):
    """What would be stored does not fit; there may be room for what is smaller or matters more."""


class Incomplete(Refused):
    """The work was done, and something that should be there is missing."""

    exit = 8
