"""The weights that an earlier run trained, for a model that starts from them."""

from __future__ import annotations

import re
from pathlib import Path

from mnistarena.errors import ArenaError
from mnistarena.plugin.split_identity import SplitIdentity
from mnistarena.store.results import StoredTrial, read_run
from mnistarena.store.run_folder import RunFolder
from mnistarena.store.trial_folder import MODEL
from mnistarena.text import did_you_mean


class Untrained(Exception):
    """Weights that do not exist (yet); the message says what would make them."""


def trained_model(name: str, dataset: SplitIdentity | None = None) -> Path:
    """The file of the weights that `RUN/LABEL` names, or `RUN/LABEL/sN` for seed N: of the first seed that finished.

    Raises as `trained_trials` does, and `StoreError` where the file was altered.
    """
    found = trained_trials(name, dataset)[0]
    return found.folder.model_file(found.files).resolve()


def trained_trials(name: str, dataset: SplitIdentity | None = None) -> list[StoredTrial]:
    """The finished trials that `RUN/LABEL` names, or `RUN/LABEL/sN` for seed N, whose weights are stored.

    RUN is a run folder, from where the command is started. Raises `Untrained` where the run, or its trained
    model, is not there, and `ArenaError` where the label is none of its models, or where it was trained on images
    that are tested on in a split of `dataset`.
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
    done = [trial for trial in trials if trial.done]
    found = [trial for trial in done if MODEL in trial.files and trial.folder.has_model()]
    if not found:
        raise Untrained(f"{label} of {folder}: {_why_not(done)}")
    if dataset is not None and any(saw(trial, dataset) for trial in found):
        raise ArenaError(
            f"{name} was trained on images that some split tests on: both have the same images, and with "
            '"folds" or "splits" any of them may be tested; take weights that were trained on other images'
        )
    return found


def saw(trial: StoredTrial, dataset: SplitIdentity) -> bool:
    """Whether a trial was trained on the images of a dataset of which each may be a test image."""
    record = trial.record()
    theirs = record["identity"]["dataset"] if record else dataset
    return theirs["fingerprint"] == dataset["fingerprint"] and ("split" in dataset or "split" in theirs)


def _why_not(done: list[StoredTrial]) -> str:
    """Why none of these finished trials has weights."""
    if not done:
        return "it has not finished"
    if not any("parameters" in trial.measurements for trial in done):
        return "it is a scikit-learn classifier, which has no weights"
    return "its weights were not kept (keep_models), or arena clean removed them"


def _labels(trials: tuple[StoredTrial, ...]) -> list[str]:
    return list(dict.fromkeys(trial.label for trial in trials))
