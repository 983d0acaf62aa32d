"""The size somebody can audit in one sitting, and who may import whom.

Rules:
- The limits stand in deploy/lines.py, the import contracts in pyproject.toml. Each contract is a
  test of its own here, so that one command shows all of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from importlinter.api import read_configuration
from importlinter.cli import lint_imports

from deploy import lines

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = str(ROOT / "pyproject.toml")
CONTRACTS = [contract["id"] for contract in read_configuration(PYPROJECT)["contracts_options"]]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", 0),
        ("\n\n# said\n", 0),
        ('"""Said.\n\nMore.\n"""\n', 0),
        ("a = 1  # said\n", 1),
        ('def f() -> None:\n    """Say."""\n\n    # said\n    return None\n', 2),
        ('class A:\n    """Say."""\n', 1),
        ('async def f() -> str:\n    """Say."""; return "x"\n', 2),
        ('a = """one\n\nthree"""\n', 2),
        ("a = (\n    1,\n\n    # said\n    2,\n)\n", 4),
        ('a = 1\n"""Not a docstring."""\n', 2),
        ('a = f"""{\n1\n}"""\n', 3),
    ],
)
def test_count(tmp_path: Path, source: str, expected: int) -> None:
    path = tmp_path / "module.py"
    path.write_text(source, encoding="utf-8")
    assert lines.count(path) == expected


def test_all_of_intake_is_within_its_budget() -> None:
    assert sum(lines.package().values()) <= lines.BUDGET


def test_rooms_add_up() -> None:
    files = lines.package()
    assert sum(lines.rooms(files).values()) == sum(files.values())


def test_no_line_is_too_wide() -> None:
    wide = {name: lines.wide(ROOT / "intake" / name) for name in lines.package()}
    assert {name: numbers for name, numbers in wide.items() if numbers} == {}


@pytest.mark.parametrize("contract", CONTRACTS)
def test_import_contract(
    contract: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    broken = lint_imports(config_filename=PYPROJECT, limit_to_contracts=(contract,), no_cache=True)
    assert not broken, capsys.readouterr().out
