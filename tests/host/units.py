r"""Unit files as systemd reads them (systemd.syntax(7), systemd.unit(5)), without systemd.

Rules:
- A line that ends with a backslash goes on in the next one; comments between the two are left out.
- A key may come again: then it has several values. An empty value forgets what came before.
- A unit is its first file in `SEARCH`, then its drop-ins, in the order of their names. A drop-in in
  a folder that comes earlier hides one of the same name.
- ``%`` stands for what `specifiers` has. Any other specifier is refused, as is every line that is
  no comment, section or ``key=value``: nothing of a unit is left out in silence.
- Nothing here knows what a key means; services.py does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SEARCH = (
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
)
SECTION = re.compile(r"\[([A-Z][A-Za-z-]*)\]")
LINE = re.compile(r"([A-Za-z][A-Za-z0-9]*)\s*=\s*(.*)", re.DOTALL)
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
PREFIXES = re.compile(r"[-@:+!|]*")
ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
SPANS = {"us": 1e-6, "ms": 1e-3, "": 1, "s": 1, "sec": 1, "min": 60, "h": 3600, "d": 86400}
TRUE, FALSE = ("1", "yes", "y", "true", "t", "on"), ("0", "no", "n", "false", "f", "off")


class BadUnit(Exception):  # noqa: N818 - it says what is bad
    """A file that systemd would not read as it stands, or that this module cannot."""


@dataclass(frozen=True, slots=True)
class Line:
    """One Exec line: its prefixes (``-`` a failure is none, ``+`` as root), and its words."""

    prefixes: str
    words: tuple[str, ...]

    @property
    def may_fail(self) -> bool:
        return "-" in self.prefixes

    @property
    def privileged(self) -> bool:
        return "+" in self.prefixes or "!" in self.prefixes

    def expanded(self, environment: Mapping[str, str]) -> list[str]:
        """Return the words with variables filled in: ``${X}`` within a word, ``$X`` as words."""
        if ":" in self.prefixes:
            return list(self.words)
        found: list[str] = []
        for word in self.words:
            if whole := re.fullmatch(r"\$([A-Za-z_][A-Za-z0-9_]*)", word):
                found += environment.get(whole[1], "").split()
            else:
                found.append(
                    re.sub(
                        r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}",
                        lambda m: environment.get(m[1], "") if m[1] else "$",
                        word,
                    )
                )
        return found


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit's name, the files that it was read from, and its values: by section, key, in order."""

    name: str
    files: tuple[Path, ...] = ()
    sections: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The section of its own: ``Service``, ``Socket``, ``Timer``."""
        return self.name.rpartition(".")[2].capitalize()

    def keys(self) -> list[str]:
        """Return the keys of its own section."""
        return list(self.sections.get(self.kind, {}))

    def says(self, key: str) -> bool:
        """Return whether a key stands in its own section, be it with no value."""
        return key in self.keys()

    def all(self, key: str, section: str = "") -> list[str]:
        """Return all values of a key."""
        return list(self.sections.get(section or self.kind, {}).get(key, ()))

    def get(self, key: str, default: str = "", section: str = "") -> str:
        """Return the last value of a key, which is the one that counts."""
        return (self.all(key, section) or [default])[-1]

    def yes(self, key: str, *, default: bool = False) -> bool:
        """Return a value that is yes or no."""
        value = self.get(key).lower()
        if value and value not in TRUE + FALSE:
            raise BadUnit(f"{self.name}: {key}={value} is neither yes nor no.")
        return value in TRUE if value else default

    def words(self, key: str) -> list[str]:
        """Return the words of all values of a key."""
        return [word for value in self.all(key) for word in split(value)]

    def seconds(self, key: str, default: float) -> float:
        """Return a span of time."""
        return span(self.get(key)) if self.get(key) else default

    def lines(self, key: str) -> list[Line]:
        """Return the Exec lines of a key."""
        return [exec_line(value) for value in self.all(key)]

    def environment(self, root: Path) -> dict[str, str]:
        """Return what ``Environment=`` and ``EnvironmentFile=`` give; files go before."""
        given = dict(assignment(word) for word in self.words("Environment"))
        for name in self.all("EnvironmentFile"):
            path = root / name.removeprefix("-").lstrip("/")
            if not name.startswith("-") or path.exists():
                given |= environment_file(path.read_text(encoding="utf-8"))
        return given


def load(root: Path, name: str) -> Unit:
    """Read a unit of the system in ``root``, with its drop-ins."""
    folders = [root / folder for folder in SEARCH]
    prefix, at, rest = name.partition("@")
    template = f"{prefix}@.{rest.rpartition('.')[2]}" if at else name
    found = [folder / one for one in (name, template) for folder in folders]
    path = next((path for path in found if path.exists() or path.is_symlink()), None)
    if path is None:
        raise BadUnit(f"There is no {name} in {root}.")
    if path.is_symlink() and str(path.readlink()) == "/dev/null":
        raise BadUnit(f"{name} is masked.")
    files = [path, *drop_ins(folders, name, template)]
    sections: dict[str, dict[str, list[str]]] = {}
    for each in files:
        read(each.read_text(encoding="utf-8"), sections, specifiers(name))
    return Unit(name, tuple(files), sections)


def drop_ins(folders: list[Path], name: str, template: str) -> list[Path]:
    """Return the drop-ins of a unit, in the order in which they are read."""
    stem, _, kind = name.rpartition(".")
    owners = list(dict.fromkeys([name, template]))
    if "@" not in stem:
        owners += [f"{stem[: m.end()]}.{kind}" for m in reversed([*re.finditer("-", stem)])]
    found: dict[str, Path] = {}
    for owner in (*owners, kind):
        for folder in folders:
            for path in (folder / f"{owner}.d").glob("*.conf"):
                found.setdefault(path.name, path)
    return [found[one] for one in sorted(found)]


def specifiers(name: str) -> dict[str, str]:
    """Return what ``%`` and a letter stand for in a unit of this name."""
    stem = name.rpartition(".")[0]
    prefix, _, instance = stem.partition("@")
    return {"%": "%", "n": name, "N": stem, "p": prefix, "i": instance, "I": instance, "t": "/run"}


def read(
    text: str, sections: dict[str, dict[str, list[str]]], stands_for: Mapping[str, str]
) -> None:
    """Add what a file says to ``sections``."""

    def specify(found: re.Match[str]) -> str:
        if found[1] not in stands_for:
            raise BadUnit(f"%{found[1]} is no specifier that is known here.")
        return stands_for[found[1]]

    section = ""
    for line in joined(text):
        if found := SECTION.fullmatch(line):
            section = found[1]
            sections.setdefault(section, {})
        elif (found := LINE.fullmatch(line)) and section:
            values = sections[section].setdefault(found[1], [])
            if found[2]:
                values.append(re.sub(r"%([A-Za-z%])", specify, found[2]))
            else:
                values.clear()
        else:
            raise BadUnit(f"This is no line of a unit: {line}")


def joined(text: str) -> Iterator[str]:
    """Yield the lines that say something, continued ones as one."""
    kept = ""
    for line in text.splitlines():
        if line.lstrip().startswith(("#", ";")) or (not kept and not line.strip()):
            continue
        kept += line
        if kept.endswith("\\"):
            kept = kept[:-1] + " "
            continue
        yield kept.strip()
        kept = ""
    if kept.strip():
        yield kept.strip()


def split(text: str) -> list[str]:
    """Return the words of a value: quotes hold a word together, a backslash escapes."""
    words: list[str] = []
    word, quote, rest = None, "", iter(text)
    for char in rest:
        if char == "\\":
            word = (word or "") + _escaped(next(rest, ""), rest)
        elif quote:
            if char == quote:
                quote = ""
            else:
                word = (word or "") + char
        elif char in "\"'" and word is None:
            word, quote = "", char
        elif char.isspace():
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + char
    if quote:
        raise BadUnit(f"A quote is not closed: {text}")
    return words + ([] if word is None else [word])


def _escaped(char: str, rest: Iterator[str]) -> str:
    if char == "x":
        return chr(int(next(rest) + next(rest), 16))
    if char in ESCAPES:
        return ESCAPES[char]
    if char and char in "\\\"'":
        return char
    raise BadUnit(f"\\{char} is no escape that is known here.")


def exec_line(value: str) -> Line:
    """Return the Exec line that ``value`` is."""
    found = PREFIXES.match(value)
    prefixes = found[0] if found else ""
    words = split(value[len(prefixes) :])
    if not words or "@" in prefixes or ";" in words:
        raise BadUnit(f"This Exec line is none that is known here: {value}")
    return Line(prefixes, tuple(words))


def assignment(word: str) -> tuple[str, str]:
    """Return name and value of ``NAME=value``."""
    if found := ASSIGNMENT.fullmatch(word):
        return found[1], found[2]
    raise BadUnit(f"This gives no variable a value: {word}")


def environment_file(text: str) -> dict[str, str]:
    """Return what a file for ``EnvironmentFile=`` gives (systemd.exec(5))."""
    found = {}
    for line in joined(text):
        name, value = assignment(line)
        quoted = value[:1] in {'"', "'"} or "\\" in value
        found[name] = " ".join(split(value)) if quoted else value.strip()
    return found


def span(text: str) -> float:
    """Return the seconds of a span such as ``30``, ``4h`` or ``1min 30s``."""
    if text == "infinity":
        return float("inf")
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text)
    whole = re.fullmatch(r"(\d+(\.\d+)?\s*[a-z]*\s*)+", text)
    if not whole or any(unit not in SPANS for _, unit in parts):
        raise BadUnit(f"This is no span of time: {text}")
    return sum(float(number) * SPANS[unit] for number, unit in parts)
