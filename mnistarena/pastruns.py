"""What an earlier run trained, for a model that starts from there."""

from __future__ import annotations

import re
from pathlib import Path

from mnistarena.errors import ArenaError, StoreError
from mnistarena.registry import did_you_mean
from mnistarena.results import TrialResult, load_run


class Untrained(Exception):
    """Weights that are not there (yet); says what would make them."""


def trained_model(name: str) -> Path:
    """The file of the weights that `RUN/LABEL` names, or `RUN/LABEL/sN` for seed N: of the first seed that finished.

    RUN is a run folder, seen from where the command is started. Raises `Untrained` where the run, or its trained
    model, is not there, and `ArenaError` where the label is none of its models, or the file was altered.
    """
    path = Path(name)
    folder = next((parent for parent in path.parents if (parent / "plan.json").is_file()), None)
    if folder is None:
        raise Untrained(f"{path} lies in no run folder; run the spec that trains it first")
    run = load_run(folder)
    label = path.relative_to(folder).as_posix()
    seed = None
    if label not in _labels(run.trials) and (match := re.fullmatch(r"(.+)/s(\d+)", label)):
        label, seed = match[1], int(match[2])
    if label not in _labels(run.trials):
        known = _labels(run.trials)
        raise ArenaError(
            f'{folder} has no model "{label}"{did_you_mean(label, known) or "; it has " + ", ".join(known)}'
        )
    trials = [trial for trial in run.trials if trial.label == label and seed in (None, trial.seed)]
    found = next((trial for trial in trials if trial.done and "model.safetensors" in trial.files), None)
    if found is None:
        why = "its weights were not kept (keep_models)" if any(t.done for t in trials) else "it has not finished"
        raise Untrained(f"{label} of {folder}: {why}")
    assert found.folder is not None
    try:
        found.folder.check("model.safetensors", found.files)
    except StoreError as problem:
        raise ArenaError(str(problem)) from problem
    return (found.folder.path / "model.safetensors").resolve()


def _labels(trials: tuple[TrialResult, ...]) -> list[str]:
    return list(dict.fromkeys(trial.label for trial in trials))
