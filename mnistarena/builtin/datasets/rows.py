"""The rows of tables that a dataset takes: those with a label, in a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistarena.builtin.datasets.columns import Columns
from mnistarena.builtin.datasets.keyed import USUAL_VALIDATION
from mnistarena.data.large import empty_images
from mnistarena.data.tables import Table, listed_pixels
from mnistarena.errors import DataError
from mnistarena.plugin.components import LeftOut
from mnistarena.text import few, plural


@dataclass(frozen=True)
class Values:
    """What the column of splits holds for each; None: the usual, where it is there."""

    train: str | None
    test: str | None
    _: KW_ONLY
    validation: str | None

    def __post_init__(self) -> None:
        given = [value for value in (self.train, self.test, self.validation) if value is not None]
        if len(set(given)) < len(given):
            raise DataError("train, test and validation must be different values of the column of splits")

    def split_of(self, value: str) -> str | None:
        """The split of a row; None where it is in none."""
        for split, usual in (("train", ("train",)), ("test", ("test",)), ("validation", USUAL_VALIDATION)):
            given = getattr(self, split)
            if value == given or (given is None and value.casefold() in usual):
                return split
        return None


@dataclass
class Rows:
    """The rows that are used, in the order of the files: their splits, labels, groups, names, pixels and images."""

    splits: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    pixels: list[NDArray[np.uint8]] = field(default_factory=list)
    encoded: list[tuple[Table, str, NDArray[np.bool_]]] = field(default_factory=list)
    """Of each file with encoded images: the column, and which of its rows are used."""
    left_out: list[LeftOut] = field(default_factory=list)


def check_columns(table: Table, columns: Columns, first: Table) -> None:
    """Refuse a file that lacks columns of the first."""
    missing = sorted(columns.used - set(table.columns))
    if columns.label in missing:
        raise DataError(
            f"{table.path} has no column {columns.label}; without labels nothing can be tested: leave the file "
            "out, and have test = 0.2 in [[dataset]] set some of the others aside"
        )
    if missing:
        raise DataError(f"{table.path} has no {plural(len(missing), 'column')} of {first.path.name}: {few(missing)}")


def take(table: Table, columns: Columns, rows: Rows, values: Values, *, fixed: str, several: bool) -> None:
    """Add the rows of a table that have a label and are in a split, `fixed` where the whole file is of one."""
    number = 0
    used: list[bool] = []
    names = table.classes.get(columns.label)
    place = {name: index for index, name in enumerate(columns.texts)}
    for texts, pixels in table.rows(columns.texts, columns.pixels):
        keep = []
        for row, label in enumerate(texts[place[columns.label]]):
            number += 1
            path = texts[place[columns.image]][row] if columns.image in place else ""
            name = path or (f"{table.path.name} row {number}" if several else f"row {number}")
            value = texts[place[columns.split]][row] if columns.split is not None else None
            split = fixed or ("train" if value is None else values.split_of(value))
            unlabelled = not label.strip() or (names is not None and label == "-1")
            if unlabelled or split is None:
                rows.left_out.append(LeftOut(name, "no label" if unlabelled else f'in no split: "{value}"'))
            else:
                keep.append(row)
                rows.splits.append(split)
                rows.labels.append(_named(label, names, table, columns.label))
                rows.names.append(name)
                rows.paths.append(path)
                if columns.groups is not None:
                    rows.groups.append(texts[place[columns.groups]][row])
        if columns.listed is not None:
            rows.pixels.append(
                listed_pixels([texts[place[columns.listed]][row] for row in keep], columns.listed, table.path)
            )
        elif columns.pixels:
            rows.pixels.append(pixels[keep])
        used += np.isin(np.arange(len(texts[0])), keep).tolist()
    if columns.encoded and columns.image is not None:
        rows.encoded.append((table, columns.image, np.array(used, bool)))


def _named(label: str, names: Sequence[str] | None, table: Table, column: str) -> str:
    """The label's name, where the file has one for each number."""
    if names is None:
        return label
    if not label.isdecimal() or int(label) >= len(names):
        raise DataError(f"{table.path}: column {column} holds {label}, which is none of its {len(names)} classes")
    return names[int(label)]


def check_found(rows: Rows, columns: Columns, values: Values, *, wanted: Sequence[str], where: Path) -> None:
    """Refuse rows that are no dataset: none of a split that is `wanted`, a row without a group."""
    counts = Counter(rows.splits)
    for split in wanted:
        if not counts[split]:
            out = Counter(one.reason for one in rows.left_out).most_common()
            raise DataError(
                f"{where} has no row for {split}"
                + (f", which column {columns.split} calls {getattr(values, split) or split}" if columns.split else "")
                + (f"; left out: {few([f'{count} rows, {reason}' for reason, count in out])}" if out else "")
                + (
                    f'; write what it holds for them, {split} = "…", or split = "" if it says other things'
                    * bool(columns.split)
                )
            )
    if lacking := sum(not group.strip() for group in rows.groups):
        raise DataError(
            f"{where}: {lacking} of {len(rows.groups)} rows hold nothing in the column of groups {columns.groups}"
        )


def joined(blocks: Sequence[NDArray[np.uint8]], where: str) -> NDArray[np.uint8]:
    """The pixels of all rows, `(n, pixels)`. Raises `DataError` where rows have not as many."""
    several = sorted({block.shape[1] for block in blocks if len(block)})
    if len(several) > 1:
        raise DataError(f"{where}: its images have {few(several)} pixels; all must have as many")
    pixels = empty_images((sum(map(len, blocks)), several[0]))
    at = 0
    for block in filter(len, blocks):
        pixels[at : at + len(block)] = block
        at += len(block)
    return pixels
