"""Short names for the recipes of a grid: what all of them share is left out, the values of the others are joined."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from mnistarena.store.records import PlanRecord
from mnistarena.store.results import StoredRun
from mnistarena.store.search_records import SearchesRecord


def shortened(run: StoredRun) -> tuple[StoredRun, Mapping[str, str]]:
    """The run with short names in place of its labels, and the labels by these; the run itself where none is shorter.

    A run that looked at its results while seeds were added stays as it is: its looks name recipes by their labels.
    """
    labels = list(dict.fromkeys(entry["label"] for entry in run.plan["entries"]))
    short = {} if run.plan.get("looks") else short_names(labels)
    if not short:
        return run, {}
    plan: dict[str, Any] = dict(run.plan)
    for key in ("entries", "trials", "searches"):
        plan[key] = [{**one, "label": short.get(one["label"], one["label"])} for one in plan.get(key, ())]
    if baseline := run.plan.get("baseline"):
        plan["baseline"] = short.get(baseline, baseline)
    trials = tuple(replace(trial, label=short.get(trial.label, trial.label)) for trial in run.trials)
    found = [{**one, "label": short.get(one["label"], one["label"])} for one in run.searches["searches"]]
    searches = cast(SearchesRecord, {"searches": found})
    named = replace(run, plan=cast(PlanRecord, plan), trials=trials, searches=searches)
    return named, {name: label for label, name in short.items()}


def short_names(labels: Sequence[str]) -> dict[str, str]:
    """Short names of labels such as "cnn[channels=[4,8],norm=true]", by label; none where two would be the same."""
    grids: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for label in labels:
        if pairs := point(label):
            grids[label.partition("[")[0]][label] = dict(pairs)
    found: dict[str, str] = {}
    for base, grid in grids.items():
        varied = [key for key in dict.fromkeys(k for values in grid.values() for k in values) if _differs(key, grid)]
        for label, values in grid.items():
            found[label] = " · ".join([base, *(_said(key, values[key]) for key in varied if key in values)])
    names = [found.get(label, label) for label in labels]
    return found if len(set(names)) == len(names) else {}


def point(label: str) -> tuple[tuple[str, str], ...]:
    """The keys and values in the label of a recipe of a grid; empty of another one."""
    found = re.fullmatch(r"[^\[]*\[(.*)\]", label)
    if not found:
        return ()
    parts = [part.partition("=") for part in _split(found[1])]
    return tuple((key.strip(), value) for key, equal, value in parts if equal)


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand in no bracket."""
    depth, start = 0, 0
    for at, character in enumerate(text):
        depth += (character in "[{(") - (character in "]})")
        if character == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]


def _differs(key: str, grid: Mapping[str, Mapping[str, str]]) -> bool:
    return len({values.get(key) for values in grid.values()}) > 1


def _said(key: str, value: str) -> str:
    """A value with as much of its key as it needs."""
    name = key.rpartition(".")[2].replace("_", " ")
    if value in ("true", "false"):
        return name if value == "true" else f"no {name}"
    return f"{name} {value}"
