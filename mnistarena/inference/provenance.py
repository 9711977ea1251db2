"""What a finished trial was made of: its entry in the plan, its identity, its plugins, its dataset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from mnistarena.data.dataset import check_dataset, fingerprint
from mnistarena.data.draws import Draw, draw, pooled, rule_of, with_test
from mnistarena.errors import ArenaError
from mnistarena.paths import data_dir
from mnistarena.plugin.components import DataContext
from mnistarena.plugin.messages import Identity
from mnistarena.plugin.registry import Registry, installed
from mnistarena.plugin.single_file import plugin_file
from mnistarena.plugin.split_identity import SplitIdentity
from mnistarena.store.records import DatasetRecord, RecipeRecord
from mnistarena.store.results import StoredRun, StoredTrial
from mnistarena.store.search_records import ChosenRecord


def registry_for_run(run: StoredRun, plugins: Sequence[object] = ()) -> Registry:
    """The installed plugins, and single files that the caller names.

    A run folder may come from anybody, so the code that it holds is never loaded by itself: raises `ArenaError` where
    the run used a single-file plugin that is not among `plugins`.
    """
    files = tuple(map(plugin_file, plugins))
    missing = [p["name"] for p in run.plan.get("plugins", []) if p["name"] not in {file.name for file in files}]
    if missing:
        copies = Path(run.path) / "plugins"
        raise ArenaError(
            f"{run.path} used the plugin {missing[0]}.py; name it with --plugin {missing[0]}.py (a copy of it is in "
            f"{copies}: look at it first if the run is not your own)"
        )
    registry = installed(files)
    for plugin in registry.plugins:
        if plugin.file is not None and plugin.status == "broken":
            raise ArenaError(f"the plugin {plugin.file.path} is broken: {plugin.cause}")
    return registry


def planned_recipe(run: StoredRun, trial: StoredTrial) -> RecipeRecord:
    """The recipe's entry in the plan; where each seed has a search of its own, as that of this trial chose it."""
    entry = next(e for e in run.plan["entries"] if (e["label"], e["dataset"]) == (trial.label, trial.dataset))
    if len(entry.get("chosen", [])) < 2:
        return entry
    one = chosen_for(entry, trial)
    parts = {part: one[part] for part in ("params", "transforms", "training") if part in one}  # type: ignore[literal-required]
    return cast(RecipeRecord, {**entry, **parts})


def chosen_for(entry: RecipeRecord, trial: StoredTrial) -> ChosenRecord:
    """What a search chose for a trial, of a recipe for which one did."""
    chosen = entry["chosen"]
    return dict(zip(entry.get("seeds", ()), chosen, strict=False)).get(trial.seed, chosen[0])


def planned_dataset(run: StoredRun, label: str) -> DatasetRecord:
    """The dataset's entry in the plan."""
    return next(entry for entry in run.plan["datasets"] if entry["label"] == label)


def identity_of(trial: StoredTrial) -> Identity:
    """What the trial's record says it is; empty where it says nothing."""
    record = trial.record()
    return record.get("identity", Identity()) if record else Identity()


def load_dataset(run: StoredRun, label: str, *, split: SplitIdentity, registry: Registry) -> Draw:
    """The dataset of a run, loaded and split as an identity's `dataset` says.

    Raises `ArenaError` where it cannot be had or is not what it was.
    """
    entry = planned_dataset(run, label)
    component = registry.get("dataset", entry["name"])
    try:
        params = component.definition.params.model_validate_json(json.dumps(entry["params"]))
    except ValidationError as problem:
        raise ArenaError(f'the dataset "{label}" no longer takes its parameters: {problem}') from problem
    context = DataContext(data_dir(), base_dir=run.path / run.plan.get("spec_folder", ""))
    dataset = check_dataset(component.definition.load(params, context), entry["name"])
    if (share := entry.get("test")) is not None:
        drawn_by = entry.get("split_seed", 0)
        dataset = with_test(dataset, share, 0 if drawn_by == "seed" else drawn_by)
    found = fingerprint(dataset)
    if found != split["fingerprint"]:
        raise ArenaError(f'the dataset "{label}" is not what it was: another fingerprint')
    rule = rule_of(split)
    return draw(dataset if rule.split is None else pooled(dataset), rule, found)
