"""What all tests share.

Rules:
- The same test does the same on every run: Hypothesis takes its examples from the test itself,
  keeps no database, and prints what repeats a failure. `HYPOTHESIS_PROFILE=ci` tries more of them.
- Ctrl-C means the same in every run: a job in the background has it ignored, and so would all that
  it starts.
- A test writes below `tmp_path`, and never sees a setting of the person who runs it.
- The slow step to a mailbox is quick in this process, but for tests that are slow themselves or ask
  for ``slow_step``: its cost is held by vectors, and felt wherever it runs in another process.
"""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, Phase, settings

from intake import reply

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "dev",
    database=None,
    deadline=None,
    derandomize=True,
    max_examples=50,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],  # explaining takes minutes
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", settings.get_profile("dev"), max_examples=200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the caller's settings, so that no test touches a real data folder or keyring."""
    for name in [name for name in os.environ if name.startswith("INTAKE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def slow_step() -> None:
    """Have the slow step as it is, for a test that is about it."""


@pytest.fixture(autouse=True)
def _quick_mailboxes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make scrypt cheap: every receipt that a test brings back would cost a tenth of a second."""
    slow = {"slow", "interop", "browser"} & {mark.name for mark in request.node.iter_markers()}
    if not slow and "slow_step" not in request.fixturenames:
        monkeypatch.setattr(reply, "_COST", 16)
