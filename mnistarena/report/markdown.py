"""Markdown of text that is not ours: escaped, fenced, and as a table."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from markupsafe import Markup

_RULES = {"l": ":--", "r": "--:", "c": ":-:"}


def escape_markdown(value: object) -> object:
    """Text of a run, escaped so that it is literal text in Markdown and in HTML inside it."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    flat = " ".join(html.escape(value, quote=False).split("\n"))
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", flat)


def fence(value: str, language: str = "") -> Markup:
    """A fenced block that its content cannot end."""
    longest = max((len(run) for run in re.findall(r"`+", value)), default=0)
    ticks = "`" * max(3, longest + 1)
    return Markup(f"{ticks}{language}\n{value.rstrip()}\n{ticks}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """The lines of a table, its text escaped; `sides` has l, r or c for each column."""
    lines = ["| " + " | ".join(str(escape_markdown(cell)) for cell in row) + " |" for row in (head, *rows)]
    return [lines[0], "| " + " | ".join(_RULES[side] for side in sides) + " |", *lines[1:]]
