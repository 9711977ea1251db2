"""The recipes that a `[[model]]` table stands for: one, or one for each point of its grid."""

from __future__ import annotations

import fnmatch
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from mnistarena.spec import schema
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.problems import Problems, TomlTable

SECTIONS = ("params", "training")
"""The tables of a model that a grid may vary."""


@dataclass(frozen=True)
class Variant:
    """A `[[model]]` at one point of its grid: `params` and `training` are what the point sets there."""

    path: KeyPath
    label: str
    _: KW_ONLY
    table: schema.ModelTable
    params: TomlTable
    training: TomlTable

    def where(self, section: str) -> KeyPath:
        """The path of `params` or `training` in the spec: in the grid where it varies them."""
        return (*self.path, "grid", section) if section in self.table.grid else (*self.path, section)


def variants(table: schema.ModelTable, path: KeyPath, problems: Problems) -> Iterator[Variant]:
    """Every point of a model's grid, in the order in which its axes are written; one where there is no grid."""
    axes = list(_axes(table, path, problems))
    label = table.label or table.name
    for values in itertools.product(*(choices for _, _, choices in axes)):
        changes: dict[str, TomlTable] = {section: {} for section in SECTIONS}
        for (section, key, _), value in zip(axes, values, strict=True):
            changes[section][key] = value
        point = ",".join(f"{key}={_short(value)}" for (_, key, _), value in zip(axes, values, strict=True))
        yield Variant(path, f"{label}[{point}]" if axes else label, table=table, **changes)


def is_chosen(label: str, only: Sequence[str]) -> bool:
    """Whether a recipe is among those that `--only` names by patterns of labels; without any, all are."""
    return not only or any(label == pattern or fnmatch.fnmatchcase(label, pattern) for pattern in only)


def _axes(table: schema.ModelTable, path: KeyPath, problems: Problems) -> Iterator[tuple[str, str, list[Any]]]:
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
