"""``make bench-quick``'s chain, small: beside the real OnionShare, and with haproxy where it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.chains import HAPROXY
from intake.settings import ROOT
from tests.interop.test_bench_files import left_running

pytestmark = pytest.mark.interop
SCRIPT: tuple[str | Path, ...] = (sys.executable, ROOT / "deploy" / "bench_chain.py")


def run(tmp_path: Path, *options: str | Path) -> str:
    """Return what it prints."""
    few = ("--rounds", "1", "--seconds", "0.5", "--posts", "60", "--folder", tmp_path)
    done = subprocess.run(
        [*SCRIPT, *few, *options], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
    assert not left_running(tmp_path)
    return done.stdout


def check(servers: list[dict[str, Any]]) -> None:
    """Each stored what it was sent, but for the one that discards."""
    for each in servers:
        must = 0 if "discarding" in each["name"] else each["submissions"]
        assert each["submissions"] > 0
        assert each["stored"] == must


def test_four_beside_each_other(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    plot = tmp_path_factory.mktemp("plot") / "plot.svg"
    found = json.loads(run(tmp_path, "--json", "--plot", plot))
    assert len(found["servers"]) == 4
    assert found["servers"][0]["submissions"] >= 60
    check(found["servers"])
    assert plot.read_text(encoding="utf-8").count("OnionShare") == 2


@pytest.mark.skipif(not HAPROXY, reason="haproxy is missing (apt-get install haproxy)")
def test_with_haproxy_in_front(tmp_path: Path) -> None:
    found = json.loads(run(tmp_path, "--json", "--haproxy"))
    assert [each["name"] for each in found["servers"]][-1] == "haproxy in front"
    check(found["servers"])
