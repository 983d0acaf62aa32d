"""Count the lines somebody has to read: code, without blanks, comments and docstrings.

Rules:
- A line counts if any part of it is code. A string that is not a docstring is code, and counts with
  each of its lines that is not blank.
- A docstring is the string that opens a module, class or function. Templates and catalogues are
  not counted; nothing in them decides anything.
- All of `intake/` stays under `BUDGET` lines, and no line is wider than `WIDTH` columns. To have
  more, argue for it in docs/adr/ and change the number there and here together.

Run it as `make lines`. It ends with 1 if a limit is passed.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUDGET = 10_400
WIDTH = 100

_SILENT = frozenset(
    {
        tokenize.COMMENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
        tokenize.INDENT,
        tokenize.NEWLINE,
        tokenize.NL,
    }
)


def count(path: Path) -> int:
    """Return the number of lines of code in one Python file.

    Raises:
        SyntaxError: the file is not Python.
    """
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    docstrings = _docstrings(ast.parse(source, str(path)))
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _SILENT and token.start not in docstrings:
            code.update(range(token.start[0], token.end[0] + 1))
    return sum(1 for number in code if lines[number - 1].strip())


def _docstrings(tree: ast.Module) -> set[tuple[int, int]]:
    """Return where each docstring starts: (line, column)."""
    starts = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str()) as docstring), *_]:
                    starts.add((docstring.lineno, docstring.col_offset))
    return starts


def wide(path: Path) -> list[int]:
    """Return the numbers of the lines that are wider than `WIDTH` columns."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [number for number, line in enumerate(lines, 1) if len(line) > WIDTH]


def package(root: Path = ROOT) -> dict[str, int]:
    """Return the lines of each Python file of `intake/`, by its path below it, in order."""
    folder = root / "intake"
    return {str(path.relative_to(folder)): count(path) for path in sorted(folder.rglob("*.py"))}


def rooms(files: dict[str, int]) -> dict[str, int]:
    """Add up `package`'s files by the folder that holds them; single modules are one room."""
    sums: dict[str, int] = {}
    for name, lines in files.items():
        room = f"{name.split('/')[0]}/" if "/" in name else "(modules)"
        sums[room] = sums.get(room, 0) + lines
    return sums


def main() -> int:
    """Print the count of each room and file; return 1 if a limit is passed."""
    files = package()
    total = sum(files.values())
    for room, lines in rooms(files).items():
        print(f"{lines:6,}  {room}")
        for name, own in files.items():
            if name.startswith(room) or (room == "(modules)" and "/" not in name):
                print(f"{own:14,}  {name}")
    print(f"{total:6,}  intake/, of {BUDGET:,}")

    failed = total > BUDGET
    for name in files:
        for number in wide(ROOT / "intake" / name):
            print(f"intake/{name}:{number}: wider than {WIDTH} columns", file=sys.stderr)
            failed = True
    if total > BUDGET:
        print(f"intake/ has {total - BUDGET:,} lines too many", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
