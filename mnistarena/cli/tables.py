"""Standard output of every command: sentences and tables.

In a pipe or a file nothing is cut or wrapped, and a row is one line. In a terminal no number is cut: columns that do
not fit leave from the right, and a line says how many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mnistarena.cli.options import WIDE
from mnistarena.text import plural

WHOLE = 1_000_000
"""The width of a console that cuts and wraps nothing."""

GAP = 2
"""Blanks between two columns."""

LEAST = 24
"""Characters that a column of text keeps at least, when it wraps in a narrow terminal."""


@dataclass(frozen=True)
class Column:
    """A column of a table; one of text `wraps` in a narrow terminal, one of numbers never does."""

    heading: str = ""
    right: bool = False
    _: KW_ONLY
    wraps: bool = False

    def least(self, cells: Sequence[Text]) -> int:
        """The characters that it needs."""
        widest = max([cell_len(self.heading), *(cell_len(line.plain) for cell in cells for line in cell.split())])
        return min(widest, LEAST) if self.wraps else widest


def open_console(*, wide: bool | None = None, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """A console as wide as the terminal; of no limit where there is none, or with `wide`: by default as --wide says.

    With `soft_wrap` the terminal breaks long lines, not this package, so that a command or a path can be copied.
    """
    console = Console(highlight=False, stderr=stderr, soft_wrap=soft_wrap)
    if wide is None:
        context = click.get_current_context(silent=True)
        wide = context is not None and context.meta.get(WIDE, False)
    if wide or not console.file.isatty():
        console.width, console.soft_wrap = WHOLE, True
    return console


def print_table(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]]) -> None:
    """Print rows under the headings of their columns, if these have any."""
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    if console.width >= WHOLE:
        _print_lines(console, columns, cells)
        return
    shown = _fitting(console.width, columns, cells)
    table = Table(box=None, show_header=_headed(columns), header_style="bold", pad_edge=False)
    for column in columns[:shown]:
        side: Literal["left", "right"] = "right" if column.right else "left"
        wraps = column.wraps or shown == 1
        table.add_column(column.heading, justify=side, no_wrap=not wraps, overflow="fold")
    for row in cells:
        table.add_row(*row[:shown])
    console.print(table)
    if shown < len(columns):
        verb = "does" if len(columns) - shown == 1 else "do"
        console.print(Text(f"{plural(len(columns) - shown, 'column')} {verb} not fit: --wide", "dim"))


def _headed(columns: Sequence[Column]) -> bool:
    return any(column.heading for column in columns)


def _print_lines(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> None:
    """Each row as one line, without blanks at its end."""
    lines = [[Text(" ").join(cell.split()) for cell in row] for row in rows]
    if _headed(columns):
        lines.insert(0, [Text(column.heading, "bold") for column in columns])
    for at, column in enumerate(columns):
        width = max((line[at].cell_len for line in lines), default=0)
        for line in lines:
            room = width - line[at].cell_len
            line[at].pad_left(room) if column.right else line[at].pad_right(room)
    for line in lines:
        whole = Text(" " * GAP).join(line)
        whole.rstrip()
        console.print(whole)


def _fitting(width: int, columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> int:
    """How many columns from the left fit, one at least."""
    used = -GAP
    for at, column in enumerate(columns):
        used += GAP + column.least([row[at] for row in rows])
        if used > width:
            return max(at, 1)
    return len(columns)
