"""What the ceremony's commands are given, by name: how argparse reads each, and its help.

Rule: what is typed wrong ends here, before anybody is asked for a passphrase.
"""

from argparse import ArgumentTypeError
from typing import Any

from intake import days, keyring
from intake.signatures import octets
from intake.terminal import NUMBER, PATH, PATHS, REVIEWER, YES


def _name(text: str) -> str:
    if not keyring.NAME.match(text):
        raise ArgumentTypeError("a name has small letters, digits and -, 32 at most")
    return text


def _quarter(text: str) -> str:
    if not keyring.QUARTER.match(text):
        raise ArgumentTypeError("a quarter looks like 2026q4")
    return text


def _key(text: str) -> str:
    return octets(text, 32).hex()


_DAY = {"type": days.day, "metavar": "DAY"}
OPTIONS: dict[str, dict[str, Any]] = {
    "--issued": {**_DAY, "help": "today, if not given"},
    **dict.fromkeys(("--quorum", "--threshold"), NUMBER),
    "--weeks": {**NUMBER, "default": 4, "help": "how many; 4, if not given"},
    **dict.fromkeys(("packages", "signatures"), PATHS),
    "--periods": {**PATHS, "help": "the folders of the periods' packages, attested"},
    "--reviewers": {**PATHS, "help": "the reviewers' cards"},
    "--roots": {**PATHS, "help": "the roots' cards"},
    "--root": {**PATH, "help": "the root's folder"},
    "--closing": {**PATH, "help": "the server's bundle that says the period is empty"},
    "--drop": {"nargs": "+", "metavar": "PERIOD", "help": "periods that were retired"},
    "--ends": {**PATH, "help": "what 'desk ends' wrote"},
    "--keyring": {**PATHS, "help": "the keyring in force; others before it"},
    "--return": {**PATH, "dest": "back", "help": "the return that acknowledges that bundle"},
    "--archive": {**PATH, "help": "the folder of the archive's package, attested"},
    "--body": {"metavar": "TEXT", "help": "who sent the reviewer"},
    "--bundle-key": {"type": _key, "metavar": "HEX", "help": "what the server's init printed"},
    "--expires": {**_DAY, "help": "the last day; the one before's, if not given"},
    "--from": {**_DAY, "dest": "first", "help": "the first day, such as 2026-11-23"},
    "--out": {**PATH, "help": "the folder or file to make"},
    "--previous": {**PATH, "help": "the keyring that this one follows"},
    "--quarter": {"type": _quarter, "nargs": "+", "help": "2026q4; the one of today, if not given"},
    "--reviewer": REVIEWER,
    "--yes": YES,
    "name": {"type": _name},
}
