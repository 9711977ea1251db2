"""The same search by Optuna alone and by arena: what both find, and what a proposal costs beside Optuna's own time."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from mnistarena_optuna.searcher import make_sampler

import mnistarena
from benchmarks.rows import Row
from mnistarena import Between, Parameter, SearchTask
from mnistarena.plan.lookup import registry_for
from mnistarena.plan.resolve import resolve
from mnistarena.plugin.registry import installed
from mnistarena.spec.load import load_spec
from mnistarena.stats.calibration import log_loss

TRIALS, REPEATS = 20, 10
SPACE: dict[str, tuple[float, float, bool]] = {
    "n_estimators": (5, 100, True),
    "max_depth": (2, 20, False),
    "min_samples_leaf": (1, 10, False),
}
SPEC: dict[str, Any] = {
    "benchmark": {"name": "tuning", "seeds": list(range(REPEATS)), "metrics": ["accuracy"], "keep_models": False},
    "dataset": [{"name": "digits", "train_limit": 600, "validation": 300}],
    "search": {"trials": TRIALS, "at_once": 1, "repeats": REPEATS, "searcher": {"name": "optuna", "sampler": "tpe"}},
    "model": [
        {
            "name": "random-forest",
            "search": {"params": {name: {"low": a, "high": b, "log": log} for name, (a, b, log) in SPACE.items()}},
        }
    ],
}
TOLD = 1000


def run(rounds: int) -> list[Row]:
    """The best validation loss of ten searches each way, and the time of asking and telling after 1,000 trials."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    theirs, ours = by_hand(), by_arena()
    apart = statistics.mean(ours) - statistics.mean(theirs)
    spread = max(statistics.stdev(theirs), statistics.stdev(ours))
    alone, beside = costs(rounds)
    found = (
        f"{statistics.mean(ours):.4f} ± {statistics.stdev(ours):.4f} by arena, "
        f"{statistics.mean(theirs):.4f} ± {statistics.stdev(theirs):.4f} by hand"
    )
    return [
        Row(
            f"best validation loss of {TRIALS} trials, TPE, {REPEATS} searches each",
            "apart by less than one search's spread",
            found,
            abs(apart) < spread,
            "random-forest on 600 digits, three parameters; ± is the standard deviation over searches",
        ),
        Row(
            f"a proposal with {TOLD:,} trials told, beside Optuna's own time",
            "≤ 10 ms",
            f"{beside - alone:+.2f} ms",
            beside - alone <= 10,
            f"medians: {beside:.1f} ms asked and told through arena's searcher, {alone:.1f} ms by Optuna alone",
        ),
    ]


def sampler(seed: int) -> Any:
    """The sampler that arena would use."""
    from mnistarena_optuna import OptunaParams

    space = tuple(Parameter(name, Between(a, b, log=log, integer=True)) for name, (a, b, log) in SPACE.items())
    task = SearchTask(space, seed, higher_is_better=False, trials=TRIALS)
    return make_sampler("tpe", OptunaParams(sampler="tpe"), task)


def by_hand() -> list[float]:
    """Optuna and scikit-learn, on the same images as arena's trials."""
    from sklearn.ensemble import RandomForestClassifier

    spec = load_spec(SPEC)
    draw = resolve(spec, registry_for(spec)).datasets[0].first
    images = draw.dataset.train_images.reshape(len(draw.dataset.train_images), -1).astype(np.float32) / 255
    labels, train, held = draw.dataset.train_labels, draw.split.train, draw.split.validation
    found = []
    for seed in range(REPEATS):
        random = np.random.default_rng([99, seed])

        def objective(trial: optuna.Trial, random: np.random.Generator = random) -> float:
            params = {name: trial.suggest_int(name, int(a), int(b), log=log) for name, (a, b, log) in SPACE.items()}
            forest = RandomForestClassifier(**params, random_state=int(random.integers(2**31)))
            forest.fit(images[train], labels[train])
            return log_loss(forest.predict_proba(images[held]), labels[held])

        study = optuna.create_study(sampler=sampler(1000 + seed))
        study.optimize(objective, n_trials=TRIALS)
        found.append(study.best_value)
    return found


def by_arena() -> list[float]:
    """What arena's searches chose."""
    with tempfile.TemporaryDirectory() as folder:
        mnistarena.run(SPEC, out=folder)
        (search,) = json.loads((Path(folder) / "searches.json").read_text())["searches"]
        return [one["trials"][one["chosen"]]["value"] for one in search["repeats"]]


def costs(rounds: int) -> tuple[float, float]:
    """Milliseconds of processor time to ask and tell once, with many trials told: Optuna alone, and through arena."""
    from mnistarena import Tried

    definition = installed().get("searcher", "optuna").definition
    space = tuple(Parameter(name, Between(a, b, log=log, integer=True)) for name, (a, b, log) in SPACE.items())
    random = np.random.default_rng(1)
    searcher = definition.start(
        definition.params(sampler="tpe"), SearchTask(space, 1, higher_is_better=False, trials=2 * TOLD)
    )
    study = optuna.create_study(sampler=sampler(1))
    for _ in range(TOLD):
        distributions: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.IntDistribution(int(a), int(b), log=log) for name, (a, b, log) in SPACE.items()
        }
        point = {name: int(random.integers(int(a), int(b) + 1)) for name, (a, b, _) in SPACE.items()}
        value = float(random.random())
        one = optuna.create_trial(params=point, distributions=distributions, value=value)
        study.add_trial(one)
        searcher.study.add_trial(one)
    alone, beside = [], []
    for _ in range(max(5, rounds)):
        began = time.process_time()
        trial = study.ask()
        for name, (a, b, log) in SPACE.items():
            trial.suggest_int(name, int(a), int(b), log=log)
        study.tell(trial, 0.5)
        alone.append(1000 * (time.process_time() - began))
        began = time.process_time()
        (asked,) = searcher.ask(1)
        searcher.tell([Tried(asked, 0.5)])
        beside.append(1000 * (time.process_time() - began))
    return statistics.median(alone), statistics.median(beside)
