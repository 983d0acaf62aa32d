"""The catalogues' tool, for maintainers: what is shown, what is translated, what is missing.

Rules:
- There are two catalogues: `intake` is what a source sees, and `desk` what only reviewers see.
- A sentence of `intake` is found in four places: the form's declaration; `Sentence` in
  intake/form.py; `_(…)` in templates/source; and in intake/server every string that begins with a
  capital letter, a dash or a brace, in a constant (a name in capitals) or in a function that calls
  `text(…)`. One of `desk` is found in `_(…)` and `both(…)` in templates/desk, in
  intake/desk/labels.toml, and in `MODULES`, there also in the calls of `SAYING`. What `intake` has,
  `desk` need not have.
- The Zawgyi copy of `intake` is computed from the Burmese, with the same table that replies take.
  `make interop` holds it to ICU, so whoever makes it needs no ICU. It is never edited.
- Nothing is guessed: no fuzzy entries. A sentence that changed is a new sentence to translate.
- The files depend on their words only, not on the day, the machine or Babel's version; so a test
  can compile the .po again and compare.

Usage:
    python deploy/messages.py extract            print every sentence and where it is shown
    python deploy/messages.py update my          bring a language's .po up to date (new, gone)
    python deploy/messages.py compile my         write the .mo files from them
    python deploy/messages.py zawgyi             write the Zawgyi .mo from the Burmese one; with a
                                                 folder, of a form's own `locale/` there
    python deploy/messages.py check my           say what is missing; ends with 1 if anything is
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract as babel_extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from intake.form import Form, Question, Sentence  # noqa: E402 - after the path is set
from intake.settings import FORM  # noqa: E402
from intake.wording import LOCALE, ZAWGYI  # noqa: E402
from intake.zawgyi import to_zawgyi  # noqa: E402

HEADER = """\
# What Intake says. How to change it, and how a native speaker signs it off: docs/LANGUAGES.md.
# Keep what stands in {braces}. Zero-width spaces (U+200B) between phrases let long lines break."""
INTAKE, DESK = "intake", "desk"
MODULES = (
    *("assembling.py", "casebook.py", "cases.py", "deciding.py", "figures.py", "page.py"),
    *("reading.py", "tables.py", "tally.py"),
    *("pages/case.py", "pages/session.py", "pages/site.py"),
)
SAYING = frozenset(
    {"Incomplete", "MachineTrouble", "Misuse", "Row", "Table", "WrongPassphrase"}
)  # calls, at the desk
SHOWN = re.compile(r"\A[A-Z—“{].*", re.DOTALL)
BRACES = re.compile(r"\{[a-z_]*\}")


class Words(Catalog):
    """A catalogue whose header says only what a reader of the file needs."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """The header, without days and versions."""
        return [
            ("Language", str(self.locale_identifier)),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]


def found(domain: str = INTAKE) -> dict[str, set[str]]:
    """Return every msgid with the files that show it, in the order of the form and the pages."""
    places: dict[str, set[str]] = {}
    known = found() if domain == DESK else {}
    for path, sentences in _at_the_desk() if domain == DESK else _everywhere():
        for sentence in sentences:
            if sentence not in known and not sentence.isupper():  # which is a code
                places.setdefault(sentence, set()).add(path.relative_to(ROOT).as_posix())
    return places


def of_form(form: Form) -> Iterator[str]:
    """Yield what a declared form shows."""
    yield form.title
    for section in form.sections:
        yield section.title
        yield from section.help.splitlines()
        for question in section.questions:
            yield from _of_question(question)


def translated(language: str, locale: Path = LOCALE, domain: str = INTAKE) -> Catalog:
    """Return the catalogue in the language's .po, or an empty one."""
    path = _po(language, locale, domain)
    if not path.exists():
        return Catalog(locale=language)
    return read_po(io.BytesIO(path.read_bytes()), locale=language, abort_invalid=True)


def updated(language: str, domain: str = INTAKE) -> bytes:
    """Return the .po with exactly the sentences found, and the translations there are."""
    old = translated(language, domain=domain)
    words = Words(locale=language, header_comment=HEADER, fuzzy=False)
    for msgid, places in found(domain).items():
        known = old.get(msgid)
        words.add(
            msgid,
            known.string if known else "",
            locations=[(place, 0) for place in sorted(places)],
            user_comments=known.user_comments if known else (),
        )
    return _written(words)


def compiled(language: str, locale: Path = LOCALE, domain: str = INTAKE) -> bytes:
    """Return the .mo that the .po compiles to."""
    words = Words(locale=language, fuzzy=False)
    for message in translated(language, locale, domain):
        if message.id and message.string and not message.fuzzy:
            words.add(message.id, message.string)
    file = io.BytesIO()
    write_mo(file, words)
    return file.getvalue()


def in_zawgyi(locale: Path = LOCALE) -> bytes:
    """Return the Zawgyi copy, as a .mo, of the Burmese .mo in a folder of catalogues."""
    words = Words(locale="my", fuzzy=False)
    with _po("my", locale).with_suffix(".mo").open("rb") as burmese:
        for message in read_mo(burmese):
            if message.id:
                words.add(message.id, to_zawgyi(str(message.string)))
    file = io.BytesIO()
    write_mo(file, words)
    return file.getvalue()


def problems(language: str, domain: str = INTAKE) -> list[str]:
    """Return what keeps a catalogue from being complete; empty if nothing does."""
    catalogue, wanted = translated(language, domain=domain), found(domain)
    said = {str(m.id): m for m in catalogue if m.id}
    wrong = [f"not translated: {i}" for i in wanted if i not in said or not said[i].string]
    wrong += [f"no longer shown: {i}" for i in said if i not in wanted]
    wrong += [f"fuzzy: {i}" for i, m in said.items() if m.fuzzy]
    wrong += [
        f"braces differ: {i}"
        for i, m in said.items()
        if m.string and sorted(BRACES.findall(i)) != sorted(BRACES.findall(str(m.string)))
    ]
    path = _po(language, LOCALE, domain).with_suffix(".mo")
    if not path.exists() or path.read_bytes() != compiled(language, domain=domain):
        wrong.append("the .mo is not what the .po compiles to")
    copy = _po(ZAWGYI, LOCALE).with_suffix(".mo")
    is_copied = copy.exists() and copy.read_bytes() == in_zawgyi()
    if (language, domain) == ("my", INTAKE) and not is_copied:
        wrong.append("the Zawgyi copy is not one of the Burmese .mo")
    return wrong


def domains(language: str) -> list[str]:
    """Return a language's catalogues: what a source sees, and, where there is a desk.po, that."""
    return [INTAKE, DESK] if _po(language, LOCALE, DESK).exists() else [INTAKE]


def main(arguments: list[str]) -> int:
    """Run one command; return the exit code."""
    match arguments:
        case ["extract"]:
            for msgid, places in (found() | found(DESK)).items():
                print(msgid, " ← ", ", ".join(sorted(places)))
        case ["update", language]:
            _po(language, LOCALE).parent.mkdir(parents=True, exist_ok=True)
            for domain in domains(language):
                _po(language, LOCALE, domain).write_bytes(updated(language, domain))
        case ["compile", language]:
            for domain in domains(language):
                path = _po(language, LOCALE, domain).with_suffix(".mo")
                path.write_bytes(compiled(language, domain=domain))
        case ["zawgyi"] | ["zawgyi", _]:
            locale = Path(arguments[1]) if arguments[1:] else LOCALE
            if not (burmese := _po("my", locale).with_suffix(".mo")).exists():
                print(f"{burmese} is not there: compile the Burmese first.")
                return 1
            path = _po(ZAWGYI, locale).with_suffix(".mo")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(in_zawgyi(locale))
        case ["check", language]:
            both = domains(language)
            wrong = [one for domain in both for one in problems(language, domain)]
            count = sum(len(found(domain)) for domain in both)
            print("\n".join(wrong) or f"{count} sentences, all translated")
            return 1 if wrong else 0
        case _:
            print(__doc__)
            return 2
    return 0


def _everywhere() -> Iterator[tuple[Path, list[str]]]:
    yield FORM, list(of_form(Form.load(FORM)))
    yield ROOT / "intake" / "form.py", [str(sentence) for sentence in Sentence]
    for path in sorted((ROOT / "templates" / "source").glob("*.html")):
        yield path, list(_of_template(path))
    for path in sorted((ROOT / "intake" / "server").glob("*.py")):
        yield path, list(_of_python(path.read_text(encoding="utf-8")))


def _at_the_desk() -> Iterator[tuple[Path, list[str]]]:
    folder = ROOT / "templates" / "desk"
    for path in sorted(folder.rglob("*.html")):
        if path.exists():
            yield path, list(_of_template(path))
    room = ROOT / "intake" / "desk"
    if (labels := room / "labels.toml").exists():
        tables = tomllib.loads(labels.read_text(encoding="utf-8")).values()
        said = [one for table in tables for one in table.values()]
        yield labels, [one for one in said if isinstance(one, str)]
    for path in map(room.joinpath, MODULES):
        if path.exists():
            yield path, list(_of_python(source := path.read_text(encoding="utf-8")))
            yield path, list(_of_calls(source))


def _of_question(question: Question) -> Iterator[str]:
    yield from filter(None, (question.label, question.help))
    if question.kind == "consent":
        yield from ("Yes", "No")  # as the desk shows the answer
    for heading, group in question.groups.items():
        if heading:
            yield heading
        yield from group.values()


def _of_template(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        options = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
        names: dict[str, None] = {"_": None, "both": None}
        for _, message, *_ in babel_extract("jinja2", file, names, options=options):
            yield str(message)


def _of_python(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    constants = [n for n in tree.body if isinstance(n, ast.Assign | ast.AnnAssign)]
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    for function in filter(_calls_text, functions):
        start = 1 if ast.get_docstring(function) else 0
        yield from _strings(*function.body[start:])
    yield from _strings(*filter(_in_capitals, constants))


def _of_calls(source: str) -> Iterator[str]:
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    for call in calls:
        if _name(call.func) in SAYING:
            plain = [a for a in call.args if isinstance(a, ast.Constant)]  # no f-string is found
            yield from _strings(*plain)


def _strings(*nodes: ast.AST) -> Iterator[str]:
    for part in (part for node in nodes for part in ast.walk(node)):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield from SHOWN.findall(part.value)


def _calls_text(function: ast.FunctionDef) -> bool:
    calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    return any(_name(call.func) == "text" for call in calls)


def _in_capitals(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return all(_name(target).isupper() for target in targets)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _po(language: str, locale: Path, domain: str = INTAKE) -> Path:
    return locale / language / "LC_MESSAGES" / f"{domain}.po"


def _written(words: Words) -> bytes:
    file = io.BytesIO()
    write_po(file, words, width=0, include_lineno=False)
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
