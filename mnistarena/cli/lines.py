"""Lines of a terminal that hold a name and figures: the name is cut where there is no room, a figure never."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

NAME = 24
"""A name of so many columns is not cut: figures go, from the right."""

GAP = 2


@dataclass(frozen=True)
class Row:
    """A name, and figures as text or as `Text`."""

    name: str
    figures: Sequence[str | Text]


def columns(rows: Sequence[Row], width: int) -> list[Text]:
    """The rows as lines of one table, at most `width` columns wide."""
    figures = [[one if isinstance(one, Text) else Text(one) for one in row.figures] for row in rows]
    number = max((len(row) for row in figures), default=0)
    longest = max((cell_len(row.name) for row in rows), default=0)
    while True:
        widths = [max((row[at].cell_len for row in figures if at < len(row)), default=0) for at in range(number)]
        room = width - sum(one + GAP for one in widths if one)
        if room >= min(NAME, longest) or number <= 1:
            break
        number -= 1
    name = min(max(room, 1), longest)
    lines = []
    for row, cells in zip(rows, figures, strict=True):
        line = Text(pad(cut(row.name, name), name))
        for at, one in enumerate(widths):
            if one:
                cell = cells[at] if at < len(cells) else Text()
                line.append(" " * GAP).append_text(cell).append(" " * (one - cell.cell_len))
        line.rstrip()
        lines.append(line)
    return lines


def cut(text: str, width: int) -> str:
    """A text of at most `width` columns; what is too long loses its middle."""
    if cell_len(text) <= width:
        return text
    head, tail = text[: (len(text) + 1) // 2], text[(len(text) + 1) // 2 :]
    while (head or tail) and cell_len(head) + cell_len(tail) + 1 > width:
        head, tail = (head[:-1], tail) if cell_len(head) > cell_len(tail) else (head, tail[1:])
    return f"{head}…{tail}"


def pad(text: str, width: int) -> str:
    """A text with blanks up to `width` columns."""
    return text + " " * (width - cell_len(text))
