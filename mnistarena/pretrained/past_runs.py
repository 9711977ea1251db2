"""The weights that an earlier run trained, for a model that starts from them."""

from __future__ import annotations

import re
from pathlib import Path

from mnistarena.errors import ArenaError
from mnistarena.store.results import StoredTrial, read_run
from mnistarena.store.run_folder import RunFolder
from mnistarena.store.trial_folder import MODEL
from mnistarena.text import did_you_mean


class Untrained(Exception):
    """Weights that do not exist (yet); the message says what would make them."""


def trained_model(name: str) -> Path:
    """The file of the weights that `RUN/LABEL` names, or `RUN/LABEL/sN` for seed N: of the first seed that finished.

    RUN is a run folder, from where the command is started. Raises `Untrained` where the run, or its trained
    model, is not there, and `ArenaError` where the label is none of its models, or the file was altered.
    """
    path = Path(name)
    folder = next((parent for parent in path.parents if RunFolder(parent).exists()), None)
    if folder is None:
        raise Untrained(f"{path} is not in a run folder; run the spec that trains it first")
    run = read_run(folder)
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
    found = next((trial for trial in trials if trial.done and MODEL in trial.files), None)
    if found is None:
        why = "its weights were not kept (keep_models)" if any(t.done for t in trials) else "it has not finished"
        raise Untrained(f"{label} of {folder}: {why}")
    return found.folder.model_file(found.files).resolve()


def _labels(trials: tuple[StoredTrial, ...]) -> list[str]:
    return list(dict.fromkeys(trial.label for trial in trials))
