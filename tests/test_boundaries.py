"""What is deployed to the server can open nothing: read from the code, not from a promise.

The rules stand in tests/boundaries.py and in the contracts of pyproject.toml. Each planted breach
of tests/breaches.py is put into a copy of the checkout, and must be named there by the same gate.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from importlinter.api import read_configuration

from intake.settings import ROOT
from tests.boundaries import OPENING, SERVED, SIGNER, breaches, refused
from tests.breaches import BREACHES, Breach

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
NAMES = {
    contract["name"]: contract["id"]
    for contract in read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
}


class Said(NamedTuple):
    """What the gate said of a checkout: lines of the code's reader, and reports by contract."""

    lines: set[str]
    reports: dict[str, str]


def gate(root: Path) -> Said:
    """Run both halves of the gate on the checkout at ``root``, the contracts as ``make check``."""
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo"],
        cwd=root,
        env={"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    judged = dict(re.findall(r"^(.*) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE))
    assert judged.keys() == NAMES.keys(), done.stdout + done.stderr
    _, _, broken = done.stdout.partition("Broken contracts\n")
    _, *parts = re.split(r"^(.+)\n---+\n", broken, flags=re.MULTILINE)
    reports = {NAMES[name]: text for name, text in zip(parts[::2], parts[1::2], strict=True)}
    assert reports.keys() == {NAMES[name] for name, said in judged.items() if said == "BROKEN"}
    assert done.returncode == bool(reports)
    return Said({re.sub(r":\d+:", ":", line) for line in breaches(root)}, reports)


def plant(folder: Path, planted: Iterable[Breach]) -> Path:
    """Return a copy of the code and its contracts, with these breaches in it."""
    skipped = shutil.ignore_patterns("__pycache__", "locale", "forms")
    shutil.copytree(ROOT / "intake", folder / "intake", ignore=skipped)
    for name in (*SERVED, "pyproject.toml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for breach in planted:
        for name, text in breach.plant.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("a", encoding="utf-8") as file:
                file.write(text)
    return folder


def groups() -> list[dict[str, Breach]]:
    """Return the breaches in groups, in which no two are named alike or make the same file.

    So whatever is said of a group's copy is said of one breach, and the gate runs few times.
    """
    found: list[dict[str, Breach]] = []
    for name, breach in BREACHES.items():
        for group in found:
            if not any(alike(breach, other) for other in group.values()):
                group[name] = breach
                break
        else:
            found.append({name: breach})
    return found


def alike(one: Breach, other: Breach) -> bool:
    """Return whether two breaches share something that is said of them, or a file they make."""
    made = {name for name in one.plant.keys() & other.plant.keys() if not (ROOT / name).exists()}
    said = set(one.says) & set(other.says) or one.breaks.items() & other.breaks.items()
    return bool(made or said)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Said]:
    """Return what the gate said of each breach's copy, which it shares with its group."""
    found: dict[str, Said] = {}
    for group in groups():
        copy = plant(tmp_path_factory.mktemp("copy"), group.values())
        found |= dict.fromkeys(group, gate(copy))
    return found


def test_nothing_that_is_deployed_to_the_server_opens_anything() -> None:
    assert list(breaches(ROOT)) == []


def test_of_a_copy_without_a_breach_nothing_is_said(tmp_path: Path) -> None:
    assert gate(plant(tmp_path, [])) == (set(), {})


@pytest.mark.parametrize("name", BREACHES)
def test_a_planted_breach_is_named(name: str, said: dict[str, Said]) -> None:
    breach = BREACHES[name]
    assert breach.says or breach.breaks
    assert set(breach.says) <= said[name].lines
    for contract, line in breach.breaks.items():
        assert line in said[name].reports[contract]


def test_of_the_planted_breaches_nothing_else_is_said(said: dict[str, Said]) -> None:
    for group in groups():
        lines, reports = said[next(iter(group))]
        assert lines == {line for breach in group.values() for line in breach.says}
        assert reports.keys() == {name for breach in group.values() for name in breach.breaks}


def test_the_parts_that_open_are_named_rightly() -> None:
    """The reader is not blind: each exception would be found, were it none."""
    for module in ("intake.age.identity", "intake.age.unsealing", "intake.locked", "intake.quorum"):
        assert module in OPENING
        source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        assert list(refused(source, "intake/server/site.py")), module
    assert list(refused((ROOT / SIGNER).read_text(encoding="utf-8"), "intake/admin/status.py"))
