"""What a finished trial was made of: its entry in the plan, its identity, its plugins, its dataset."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from mnistarena import data
from mnistarena.components import DataContext
from mnistarena.errors import ArenaError
from mnistarena.plan import Data
from mnistarena.registry import Registry, did_you_mean
from mnistarena.resolve import data_dir
from mnistarena.results import Run, TrialResult
from mnistarena.spec.schema import DatasetTable

SPLIT = ("validation", "split_seed", "train_limit", "test_limit")
"""What of an identity's dataset says how it was split."""


def find(run: Run, label: str, dataset: str | None = None, seed: int | None = None) -> TrialResult:
    """The finished trial of a recipe; without a seed its first one that is done.

    Raises `ArenaError` where the label, dataset or seed is none of the run's, where several datasets
    leave a choice, and where the trial is not done.
    """
    labels = list(dict.fromkeys(trial.label for trial in run.trials))
    if label not in labels:
        hint = did_you_mean(label, labels) or f"; its labels: {', '.join(labels) or 'none'}"
        raise ArenaError(f'{run.path} has no model labelled "{label}"{hint}')
    datasets = list(dict.fromkeys(trial.dataset for trial in run.trials if trial.label == label))
    if dataset is None and len(datasets) > 1:
        raise ArenaError(f'"{label}" was trained on several datasets; choose with --dataset: {", ".join(datasets)}')
    if dataset is not None and dataset not in datasets:
        hint = did_you_mean(dataset, datasets) or f"; there is {', '.join(datasets)}"
        raise ArenaError(f'{run.path} has no "{label}" on a dataset labelled "{dataset}"{hint}')
    trials = run.of(label, dataset or datasets[0])
    if seed is not None:
        chosen = [trial for trial in trials if trial.seed == seed]
        if not chosen:
            raise ArenaError(f'"{label}" has no seed {seed}; it has {", ".join(str(t.seed) for t in trials)}')
        trials = chosen
    done = [trial for trial in trials if trial.done]
    if not done:
        states = ", ".join(f"seed {trial.seed} is {trial.status}" for trial in trials)
        raise ArenaError(f'"{label}" on {trials[0].dataset} is not trained: {states}; finish it with: arena run SPEC')
    return done[0]


def planned(run: Run, trial: TrialResult) -> dict[str, Any]:
    """The recipe's entry in the plan."""
    return next(e for e in run.plan["entries"] if (e["label"], e["dataset"]) == (trial.label, trial.dataset))


def planned_dataset(run: Run, label: str) -> dict[str, Any]:
    """The dataset's entry in the plan."""
    return next(entry for entry in run.plan["datasets"] if entry["label"] == label)


def identity(trial: TrialResult) -> dict[str, Any]:
    """What the trial's record says it is; empty where it says nothing."""
    assert trial.folder is not None
    found = (trial.folder.read() or {}).get("identity")
    return found if isinstance(found, dict) else {}


def changed_sources(asked: dict[str, Any], registry: Registry) -> list[str]:
    """The plugins, as distribution:name, whose code is not what the trial of this identity ran with."""
    parts = [("model", asked["model"]["name"]), *(("transform", t["name"]) for t in asked["transforms"])]
    plugins = [registry.get(kind, name).plugin for kind, name in parts]
    here = {f"{plugin.distribution}:{plugin.name}": plugin.digest for plugin in plugins}
    return list(dict.fromkeys(name for name, _ in sorted(set(here.items()) ^ set(asked["sources"].items()))))


def load_dataset(run: Run, label: str, asked: dict[str, Any], registry: Registry) -> Data:
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
    loaded = data.check(component.definition.load(params, context), entry["name"])
    fingerprint = data.fingerprint(loaded)
    if fingerprint != asked["fingerprint"]:
        raise ArenaError(f'the dataset "{label}" is not what it was: another fingerprint')
    draw = {key: asked[key] for key in SPLIT}
    parts = data.split(loaded, **draw)
    table = DatasetTable(name=entry["name"], **draw)
    return Data(label, component, params, table, loaded, parts, fingerprint, data.task(loaded, parts))
