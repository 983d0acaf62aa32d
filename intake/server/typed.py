"""A receipt as it is typed back: in Latin, Burmese or Shan digits, mixed or not, with any spacing.

As in the form, the letter wa is a zero.

Rule: whether it is mistyped is told by its check digit alone, which anybody can compute. What is
anything but digits and spacing, or longer than a line, is no receipt.
"""

from intake.form import LETTER_WA
from intake.receipt import DIGITS, check_digit

ZEROS = "0\u1040\u1090"  # of the Latin, Burmese and Shan digits
SPACERS = "-\u2010\u2011\u2012\u2013\u2014\u200b\u200c\u200d\u2060\ufeff.,\u104a\u104b"
LONGEST = 500  # characters that are looked at

_READ: dict[int, str | None] = dict.fromkeys(map(ord, SPACERS))
_READ |= {ord(LETTER_WA): "0"} | {ord(zero) + n: str(n) for zero in ZEROS for n in range(10)}


def read(typed: str) -> str | None:
    """Return the 24 digits of a receipt that was typed back, None if they cannot be right."""
    digits = "".join(typed[: LONGEST + 1].translate(_READ).split())
    whole = len(typed) <= LONGEST and digits.isascii() and digits.isdecimal()
    if whole and len(digits) == DIGITS and check_digit(digits[:-1]) == digits[-1]:
        return digits
    return None
