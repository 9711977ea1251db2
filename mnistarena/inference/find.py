"""The finished trial that a label, a dataset and a seed name."""

from __future__ import annotations

from mnistarena.errors import ArenaError
from mnistarena.store.results import StoredRun, StoredTrial
from mnistarena.text import did_you_mean, drawn


def find_trial(run: StoredRun, label: str, *, dataset: str | None = None, seed: int | None = None) -> StoredTrial:
    """The finished trial of a recipe; without a seed its first one that is done. Of several splits it is the first.

    Raises `ArenaError` where the run has no such label, dataset or seed, where several datasets
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
            known = ", ".join(dict.fromkeys(str(trial.seed) for trial in trials))
            raise ArenaError(f'"{label}" has no seed {seed}; it has {known}')
        trials = chosen
    done = [trial for trial in trials if trial.done]
    if not done:
        states = ", ".join(f"{drawn(trial.seed, trial.split)} is {trial.status}" for trial in trials)
        raise ArenaError(f'"{label}" on {trials[0].dataset} is not trained: {states}; finish it with: arena run SPEC')
    return done[0]
