"""A plot of bars, as SVG that is written by hand: no script, no font of its own, no dependency.

Rules:
- A bar is as long as its median; a thin line goes from the least to the most of all rounds.
- Every number stands beside its bar. It reads on white and on black.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, LEFT, RIGHT = 760, 210, 190  # pixels; what stands left of the bars, and right of them
ROW, GAP, TOP = 22, 30, 34  # pixels; of a bar, above a group, of the title
COLOURS = ("#2a6f97", "#89a8b8", "#c98b3c", "#7d6b91", "#6b8f71")  # of as many bars at most
INK = "#7a7a7a"


class Bar(NamedTuple):
    """A bar: its name, its median, the least and the most, and what stands beside it."""

    name: str
    median: float
    least: float
    most: float
    beside: str


def bars(title: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """Return the picture: groups of bars, all on one scale."""
    top = max(bar.most for _, rows in groups for bar in rows) or 1.0
    scale = (WIDTH - LEFT - RIGHT) / top
    lines, y = [_text(0, 18, title, "font-weight='bold'")], TOP
    for name, rows in groups:
        lines.append(_text(0, y + 14, name))
        y += GAP - 6
        for bar, colour in zip(rows, COLOURS[: len(rows)], strict=True):
            middle, width, fill = y + ROW / 2 - 2, bar.median * scale, f"fill='{colour}'"
            least, most = (LEFT + number * scale for number in (bar.least, bar.most))
            lines += [
                _text(LEFT - 8, middle + 4, bar.name, "text-anchor='end'"),
                f"<rect x='{LEFT}' y='{y}' width='{width:.1f}' height='{ROW - 5}' {fill}/>",
                f"<path d='M{least:.1f} {middle}H{most:.1f}' stroke='{INK}'/>",
                _text(max(LEFT + width, most) + 8, middle + 4, bar.beside),
            ]
            y += ROW
        y += GAP - ROW
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {y}' "
        f"font-family='sans-serif' font-size='13' fill='{INK}'>"
    )
    return "\n".join([head, f"<title>{escape(title)}</title>", *lines, "</svg>\n"])


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {more}>{escape(words)}</text>"
