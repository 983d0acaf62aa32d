"""Decoys: envelopes that mean nothing, stored as a letter is, when nobody can foresee it.

Two copies of the disk show which rows are new, and nothing of them tells a decoy from a letter. Who
counts them knows their sum, and of the decoys no more than their rate (docs/adr/0022-decoys.md).

Procedure of :func:`run`, in each worker of the site:
1. Wait for a time drawn from the exponential distribution. How long it was till now says nothing of
   how long it will be. So nothing is kept, a restart changes nothing, and all workers together make
   as many as the setting says.
2. Post a decoy as a letter is posted: an envelope of its own case, today's recipient and period,
   one transaction. Then go on with (1).

Rule: what fails is passed over in silence. A line in a log would say when.
"""

import contextlib
import secrets
from collections.abc import Callable

from intake import receipt
from intake.envelope import DECOY
from intake.server.letterbox import Letterbox, Source
from intake.settings import Settings

DAY = 86_400  # seconds
CHANCE = secrets.SystemRandom()


def run(settings: Settings, workers: int, sleep: Callable[[float], object]) -> None:
    """Post decoys for ever, as one of so many ``workers``; ``sleep`` takes seconds."""
    letterbox = Letterbox(settings)
    while settings.decoys:
        sleep(CHANCE.expovariate(settings.decoys / workers / DAY))  # (1)
        with contextlib.suppress(Exception):  # a thread that ended would not be missed
            post(letterbox)


def post(letterbox: Letterbox) -> None:
    """Post one (2). Raises what :meth:`Letterbox.post` does."""
    seed = receipt.new_seed()
    source = Source(receipt.nonce(seed), receipt.receipt(seed), "")
    letterbox.post(letterbox.today(), source, DECOY, {})
