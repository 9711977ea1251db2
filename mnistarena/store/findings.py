"""What a reader of a run's figures must be told: figures that are missing, seeds that change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mnistarena.store.results import StoredRun, StoredTrial
from mnistarena.store.trial_folder import MODEL, PREDICTIONS
from mnistarena.text import plural, series


def missing_figures(trials: Iterable[StoredTrial]) -> list[str]:
    """A sentence for each recipe and reason: which metrics and views are missing, in which seeds, and why."""
    groups: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = {}
    for seeds, trial, what, reason in _missing(trials):
        groups.setdefault((trial.label, trial.dataset, reason, seeds), []).append(what)
    return [
        f"{series(what)} {'is' if len(what) == 1 else 'are'} missing for {label} on {dataset}, "
        f"{'seed' if len(seeds) == 1 else 'seeds'} {series(seeds)}: {reason}"
        for (label, dataset, reason, seeds), what in groups.items()
    ]


def _missing(trials: Iterable[StoredTrial]) -> Iterator[tuple[tuple[str, ...], StoredTrial, str, str]]:
    """Every figure of a recipe that is missing for one reason, with the seeds."""
    found: dict[tuple[str, str, str, str], list[StoredTrial]] = {}
    for trial in trials:
        for what, reason in trial.missing.items():
            found.setdefault((trial.label, trial.dataset, what, reason), []).append(trial)
    for (_, _, what, reason), those in found.items():
        those.sort(key=lambda trial: (trial.seed, trial.split or 0))
        numbers = (str(t.seed) if t.split is None else f"{t.seed} (split {t.split})" for t in those)
        yield tuple(numbers), those[0], what, reason


def repeated_seeds(trials: Sequence[StoredTrial]) -> tuple[StoredTrial, ...]:
    """Of the finished trials of one recipe on one dataset, those that repeat an earlier one bit for bit.

    The predictions are equal, and so are the stored models where both have one.
    """
    different: list[StoredTrial] = []
    repeated = []
    for trial in trials:
        if trial.done:
            if any(_equal(trial, earlier) for earlier in different):
                repeated.append(trial)
            else:
                different.append(trial)
    return tuple(repeated)


def _equal(one: StoredTrial, other: StoredTrial) -> bool:
    alike = one.files.get(PREDICTIONS) == other.files.get(PREDICTIONS) is not None
    models = one.files.get(MODEL), other.files.get(MODEL)
    return alike and (None in models or models[0] == models[1])


def idle_seeds(run: StoredRun) -> list[str]:
    """A sentence for each recipe, not declared deterministic, some of whose seeds changed nothing."""
    said = []
    for entry in run.plan["entries"]:
        trials = run.of(entry["label"], entry["dataset"])
        repeated = () if entry.get("deterministic") else repeated_seeds(trials)
        if repeated:
            done = sum(trial.done for trial in trials)
            noun = "seed" if trials[0].split is None else "trial"
            said.append(
                f"{entry['label']} on {entry['dataset']}: {plural(len(repeated), noun)} of {done} changed nothing: "
                f"the predictions are bit-identical to another {noun}'s, so {done} count as {done - len(repeated)}; "
                "does it take its random numbers from the seed? If it needs none, its plugin should say "
                "deterministic=True"
            )
    return said
