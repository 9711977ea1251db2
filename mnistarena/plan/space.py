"""The space of a search as a spec writes it, and a model's table at a point of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mnistarena.plan.grid import Source, Variant
from mnistarena.plugin.space import Between, OneOf, Parameter, Point, Space
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.load import merge
from mnistarena.spec.problems import Problems, TomlTable
from mnistarena.spec.search import DomainTable
from mnistarena.spec.table import ComponentEntry
from mnistarena.text import did_you_mean

SECTIONS = ("params", "training", "transforms")
"""The tables of a model that a search may choose in."""
_DOMAIN = {"low", "high", "values"}


def space_of(raw: TomlTable, where: KeyPath, problems: Problems) -> Space:
    """The parameters that a `search` table names, each after those that it depends on; problems are recorded."""
    before = len(problems.found)
    if not raw:
        problems.add(where, "an empty space has no points; name a parameter, such as training.optimizer.lr")
    found = {parameter.name: (parameter, path) for parameter, path in _parameters(raw, (), where, problems)}
    for parameter, path in found.values():
        for name in parameter.when:
            if name not in found:
                hint = did_you_mean(name, found) or f"; there are: {', '.join(found)}"
                problems.add((*path, "when"), f'"{name}" is no parameter of this search{hint}')
    if len(problems.found) > before:
        return ()
    ordered: list[Parameter] = []
    waiting = [parameter for parameter, _ in found.values()]
    while waiting:
        placed = {parameter.name for parameter in ordered}
        ready = next((parameter for parameter in waiting if parameter.when.keys() <= placed), None)
        if ready is None:
            names = " and ".join(f'"{parameter.name}"' for parameter in waiting)
            problems.add((*found[waiting[0].name][1], "when"), f"{names} depend on each other")
            return ()
        ordered.append(ready)
        waiting.remove(ready)
    return tuple(ordered)


def _parameters(
    raw: TomlTable, before: tuple[str, ...], where: KeyPath, problems: Problems
) -> Iterator[tuple[Parameter, KeyPath]]:
    for key, value in raw.items():
        names, path = (*before, *key.split(".")), (*where, key)
        name = ".".join(names)
        if names[0] not in SECTIONS:
            hint = did_you_mean(names[0], SECTIONS) or f"; a path begins with {', '.join(SECTIONS[:-1])} or transforms"
            problems.add(path, f'"{names[0]}" is nothing that a search can choose in{hint}')
        elif isinstance(value, dict) and not _is_domain(value):
            if not value:
                problems.add(path, f'"{name}" has no values; give low and high, or a list')
            yield from _parameters(value, names, path, problems)
        elif len(names) < (3 if names[0] == "transforms" else 2):
            problems.add(path, f'"{name}" is a whole table; name a parameter in it, such as {name}.NAME = […]')
        else:
            table = problems.check(DomainTable, {"values": value} if not isinstance(value, dict) else value, path)
            if table is not None:
                yield Parameter(name, _domain(table), when=dict(_conditions(table.when, ()))), path


def _is_domain(value: TomlTable) -> bool:
    """Whether a table is a domain, not a table of parameters, of which one may be called "low"."""
    return any(key in _DOMAIN and not isinstance(entry, dict) for key, entry in value.items()) and not (
        isinstance(value.get("low"), list) or isinstance(value.get("high"), list)
    )


def _domain(table: DomainTable) -> Between | OneOf:
    if table.values is not None:
        return OneOf(tuple(table.values))
    assert table.low is not None
    assert table.high is not None
    integer = isinstance(table.low, int) and isinstance(table.high, int)
    return Between(table.low, table.high, log=table.log, integer=integer)


def _conditions(raw: Mapping[str, Any], before: tuple[str, ...]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for key, value in raw.items():
        names = (*before, key)
        if isinstance(value, dict):
            yield from _conditions(value, names)
        else:
            yield ".".join(names), tuple(value) if isinstance(value, list) else (value,)


def at(variant: Variant, point: Point, source: Source) -> Variant:
    """A model's table with the values of a point."""
    nested: TomlTable = {}
    for name, value in point.items():
        *tables, key = name.split(".")
        table = nested
        for one in tables:
            table = table.setdefault(one, {})
        table[key] = value
    return replace(
        variant,
        params=merge(variant.params, nested.get("params", {})),
        training=merge(variant.training, nested.get("training", {})),
        transforms=nested.get("transforms", {}),
        source=source,
    )


def with_parameters(
    entries: Sequence[str | ComponentEntry], changes: TomlTable, where: KeyPath, problems: Problems
) -> list[str | ComponentEntry]:
    """A chain of transforms in which those named by `changes` have other parameters; problems are recorded."""
    found = list(entries)
    names = [entry if isinstance(entry, str) else entry.name for entry in entries]
    for name, parameters in changes.items():
        if names.count(name) != 1:
            what = "no transform" if name not in names else "more than one transform"
            hint = did_you_mean(name, names) or f"; there are: {', '.join(names) or 'none'}"
            problems.add((*where, name), f'{what} of this model is called "{name}"{hint}')
            continue
        place = names.index(name)
        entry = found[place]
        given = {} if isinstance(entry, str) else entry.arguments
        found[place] = ComponentEntry.model_validate({"name": name, **given, **parameters})
    return found


def corners(space: Space) -> Iterator[Point]:
    """Points that show every value of every list and both ends of every range: what a check of a space looks at."""
    first = _first(space, {})
    yield first
    for parameter in space:
        domain = parameter.domain
        values = domain.values if isinstance(domain, OneOf) else (_end(domain, domain.low), _end(domain, domain.high))
        for value in values:
            yield _first(space, {**_needed(space, parameter), parameter.name: value})


def _needed(space: Space, parameter: Parameter) -> Point:
    """Values of other parameters with which one counts."""
    point = {name: allowed[0] for name, allowed in parameter.when.items()}
    for other in space:
        if other.name in parameter.when:
            point = {**_needed(space, other), **point}
    return point


def _first(space: Space, given: Mapping[str, Any]) -> Point:
    point: Point = {}
    for parameter in space:
        if parameter.counts(point):
            domain = parameter.domain
            value = domain.values[0] if isinstance(domain, OneOf) else _end(domain, domain.low)
            point[parameter.name] = given.get(parameter.name, value)
    return point


def _end(domain: Between, value: float) -> float:
    return int(value) if domain.integer else float(value)
