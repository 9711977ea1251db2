"""The recipes that a `[[model]]` table stands for: one, or one for each point of its grid."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

from mnistarena.spec import schema
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.problems import Problems, TomlTable

Source = Literal["grid", "search"]
"""The table of a model that a point is of."""

SECTIONS = ("params", "training")
"""The tables of a model that a grid may vary."""


@dataclass(frozen=True)
class Variant:
    """A `[[model]]` at one point of its grid, or of its search: `params` and `training` are what the point sets there.

    `transforms` are parameters that it sets, by the transform's name; `source` is the table that the point is of.
    """

    path: KeyPath
    label: str
    _: KW_ONLY
    table: schema.ModelTable
    params: TomlTable
    training: TomlTable
    transforms: TomlTable = field(default_factory=dict)
    source: Source = "grid"

    def where(self, section: str) -> KeyPath:
        """The path of a table such as `params` in the spec: in the grid, or the search, where that varies it."""
        varied = self.table.grid if self.source == "grid" else self.table.search or {}
        return (*self.path, self.source, section) if section in varied else (*self.path, section)


def variants(table: schema.ModelTable, path: KeyPath, problems: Problems) -> Iterator[Variant]:
    """Every point of a model's grid, in the order in which its axes are written; one where there is no grid.

    One, too, where a search chooses among the points.
    """
    axes = [] if table.choose else list(axes_of(table, path, problems))
    label = table.label or table.name
    for values in itertools.product(*(choices for _, _, choices in axes)):
        changes: dict[str, TomlTable] = {section: {} for section in SECTIONS}
        for (section, key, _), value in zip(axes, values, strict=True):
            changes[section][key] = value
        point = ",".join(f"{key}={_short(value)}" for (_, key, _), value in zip(axes, values, strict=True))
        yield Variant(
            path,
            f"{label}[{point}]" if axes else label,
            table=table,
            params=changes["params"],
            training=changes["training"],
        )


def axes_of(table: schema.ModelTable, path: KeyPath, problems: Problems) -> Iterator[tuple[str, str, list[Any]]]:
    """Each axis: its section, its key, and the values to try."""
    for section, keys in table.grid.items():
        if section not in SECTIONS or not isinstance(keys, dict):
            problems.add(
                (*path, "grid", section),
                f'unknown grid axis "{section}"; write params.NAME = […] or training.KEY = […]',
            )
            continue
        for key, values in keys.items():
            if not isinstance(values, list) or not values:
                problems.add((*path, "grid", section, key), f'"grid.{section}.{key}" must be a list of values to try')
            else:
                yield section, key, values


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text.replace('"', "")
