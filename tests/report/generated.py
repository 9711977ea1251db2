"""Many unlike runs, made in memory without training: what every sentence of a report is tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mnistarena.plugin.messages import HistoryRow
from mnistarena.plugin.predictions import Predictions
from mnistarena.stats.consistency import confusion, weighted_f1_gap
from mnistarena.store.results import StoredRun, StoredTrial
from mnistarena.store.trial_folder import PREDICTIONS, TrialFolder

from .searched import repeat, search, tried

LOST = ("failed", "timeout", "interrupted", "pending")
VIEWS = [{"name": name, "parameter": None, "severity": None} for name in ("blur", "noise")]


@dataclass(frozen=True)
class Trial(StoredTrial):
    """A trial whose files are in memory."""

    said: Predictions | None = None
    lines: tuple[HistoryRow, ...] = ()
    seen: Any = None

    def predictions(self) -> Predictions:
        assert self.said is not None
        return self.said

    def history(self) -> list[HistoryRow]:
        return list(self.lines)

    def views_predicted(self) -> Any:
        return self.seen


@dataclass(frozen=True)
class Run(StoredRun):
    """A run whose test split is in memory."""

    splits: Mapping[str, Any] = field(default_factory=dict)

    def test_split(self, dataset: str) -> Any:
        return self.splits[dataset]


@dataclass
class Shape:
    """What a generated run is like. A skill of 1 is never wrong; `lost` are seeds (recipe, seed) without a result."""

    n: int
    classes: int
    _: KW_ONLY
    skills: list[float]
    seeds: list[int]
    datasets: int = 1
    sizes: bool = False
    baseline: int | None = None
    lost: dict[tuple[int, int], str] = field(default_factory=dict)
    deterministic: set[int] = field(default_factory=set)
    elsewhere: set[int] = field(default_factory=set)
    strays: set[int] = field(default_factory=set)
    copies: dict[int, int] = field(default_factory=dict)
    spread: float = 0.01
    margin: float = 0.001
    views: bool = False
    long: bool = False
    target: float | None = None
    sure: float = 0.7
    grid: bool = False
    searches: dict[int, dict[str, Any]] = field(default_factory=dict)


KINDS = (
    "plain", "tie", "all failed", "one seed", "two seeds", "equal", "perfect", "two classes", "many", "no baseline",
    "failed baseline", "failed seeds", "unlike seeds", "one an image", "tiny", "datasets", "deterministic", "elsewhere",
    "one model", "wide margin", "pending", "views", "grid", "sizes", "labels", "search", "factors",
)  # fmt: skip


def shape(kind: str, rng: np.random.Generator) -> Shape:
    """A run of one kind; everything else is drawn."""
    count = int(rng.integers(2, 6))
    skills = rng.choice([0.3, 0.6, 0.9, 0.92, 0.95, 0.99, 1.0], count).tolist()
    seeds = [int(rng.choice([2, 3, 5]))] * count
    found = Shape(int(rng.choice([60, 300, 1000])), int(rng.choice([3, 10])), skills=skills, seeds=seeds)
    found.baseline = int(rng.integers(count)) if rng.random() < 0.5 else None
    found.spread = float(rng.choice([0.0, 0.005, 0.05]))
    if kind in ("tie", "wide margin"):
        found.skills = [0.9 + 0.002 * at for at in range(count)]
        found.margin = 0.1 if kind == "wide margin" else 0.001
    elif kind == "all failed":
        states = LOST if rng.random() < 0.5 else ("failed", "timeout")
        found.lost = {(a, s): str(rng.choice(states)) for a in range(count) for s in range(seeds[a])}
    elif kind == "one seed":
        found.seeds = [1] * count
    elif kind == "two seeds":
        found.seeds = [2] * count
    elif kind == "equal":
        found.copies = dict.fromkeys(range(1, count), 0) if rng.random() < 0.5 else {1: 0}
    elif kind == "perfect":
        found.skills = [1.0] * count
    elif kind == "two classes":
        found.classes = 2
    elif kind == "many":
        found.skills, found.seeds, found.n = rng.uniform(0.5, 0.99, 50).tolist(), [2] * 50, 60
        found.long = rng.random() < 0.5
    elif kind == "failed baseline":
        found.baseline = 0
        found.lost = {(0, s): "failed" for s in range(seeds[0] if rng.random() < 0.5 else 1)}
    elif kind in ("failed seeds", "pending"):
        state = ("pending", "interrupted") if kind == "pending" else LOST
        found.lost = {(int(rng.integers(count)), 0): str(rng.choice(state)) for _ in range(2)}
    elif kind == "unlike seeds":
        found.seeds = rng.choice([1, 2, 3, 5], count).tolist()
    elif kind == "one an image":
        found.n = found.classes
    elif kind == "tiny":
        found.n = int(rng.integers(1, 6))
    elif kind == "datasets":
        found.datasets, found.n, found.seeds = int(rng.choice([2, 5, 7])), 60, [1] * count
    elif kind == "deterministic":
        found.deterministic = set(range(count)) if rng.random() < 0.5 else {0}
        found.seeds = [1 if at in found.deterministic else many for at, many in enumerate(seeds)]
    elif kind == "elsewhere":
        found.elsewhere, found.strays = ({0}, set()) if rng.random() < 0.5 else (set(), {0})
    elif kind == "one model":
        found.skills, found.seeds, found.baseline = found.skills[:1], seeds[:1], None
    elif kind == "views":
        found.views, found.target = True, 0.9
    elif kind == "grid":
        found.skills, found.seeds, found.baseline = [0.9] * 8, [3] * 8, None
    elif kind == "sizes":
        found.datasets, found.sizes = 3, True
    elif kind == "factors":
        found.grid, found.skills, found.seeds = True, rng.choice([0.9, 0.92], int(rng.choice([4, 6]))).tolist(), [3] * 6
    elif kind == "search":
        found.searches = dict(enumerate(drawn_search(rng) for _ in range(int(rng.integers(1, count + 1)))))
    elif kind == "labels":
        found.sure, found.long = 0.0, True
    return found


def drawn_search(rng: np.random.Generator) -> dict[str, Any]:
    """A search that chose something, or found nothing, or goes on, or has not begun."""
    loss, count, seed = bool(rng.random() < 0.5), int(rng.choice([1, 2, 12])), int(rng.integers(1000))
    state = str(rng.choice(["chosen", "chosen", "repeats", "nothing", "going", "begun"]))
    bad = {"nothing": count, "repeats": 0}.get(state, int(rng.integers(0, count)))
    pruned = int(rng.integers(0, bad + 1))
    planned = 3 if state == "repeats" else 1
    ran = [
        tried(count, seed=seed + at, failed=bad - pruned, pruned=pruned, loss=loss, optimum=0.1)
        for at in range(planned if state != "begun" else 0)
    ]
    return search(
        *(repeat(one, higher=not loss, ended=state != "going") for one in ran),
        planned=planned,
        by="validation_loss" if loss else "validation_accuracy",
        higher_is_better=not loss,
        budget={"trials": 12} if rng.random() < 0.5 else {"seconds": 600.0},
        searcher={"name": str(rng.choice(["random", "grid"])), "params": {}},
    )


def label_of(shape: Shape, at: int) -> str:
    """A recipe's label, of 60 characters where the shape says so."""
    if shape.grid:
        return f"m[act={('relu', 'elu', 'silu')[at // 2]},norm={'true' if at % 2 else 'false'}]"
    return f"m{at}" if not shape.long else f"m{at}[" + "width=64," * 6 + f"at={at:02}]"


def generated(number: int, kind: str) -> tuple[Run, Shape]:
    """Run `number` of a kind."""
    rng = np.random.default_rng([number, *kind.encode()])
    what = shape(kind, rng)
    plan: dict[str, Any] = {
        "name": f"{kind} {number}", "baseline": None if what.baseline is None else label_of(what, what.baseline),
        "margin": what.margin, "target": what.target, "views": VIEWS if what.views else [], "conditions": {"jobs": 1},
        "metrics": [], "datasets": [], "entries": [],
    }  # fmt: skip
    trials: list[Trial] = []
    splits = {}
    for place in range(what.datasets):
        name = f"data{place}"
        plan["datasets"].append(
            {
                "label": name, "name": "d", "class_names": [f"c{one}" for one in range(what.classes)],
                "n_train": 100 * (place + 1), "n_validation": 10, "n_test": what.n, "split_seed": 0,
                "fingerprint": "same" if what.sizes else name, "known_label_errors": [0, 1],
                "source": "", "licence": "", "train_limit": None, "test_limit": None,
            }
        )  # fmt: skip
        labels = np.arange(what.n, dtype=np.int64) % what.classes
        splits[name] = {
            "images": np.zeros((what.n + 1, 1, 2, 2), np.uint8),
            "labels": labels,
            "index": np.arange(what.n + 1),
        }
        trials += _trials(what, name, labels, rng=rng, plan=plan)
    found = [
        {"label": one["label"], "dataset": one["dataset"], "repeats": what.searches[at]["repeats"]}
        for at, one in enumerate(plan.get("searches", ()))
    ]
    run = Run(
        Path("nowhere"),
        plan,  # type: ignore[arg-type]
        environment={},
        spec="",
        trials=tuple(trials),
        splits=splits,
        searches={"searches": found},  # type: ignore[typeddict-item]
    )
    return run, what


def _trials(
    what: Shape, dataset: str, labels: np.ndarray, *, rng: np.random.Generator, plan: dict[str, Any]
) -> Iterator[Trial]:
    """The trials of all recipes on one dataset; hard images are hard for all."""
    hard = rng.normal(size=what.n)
    answers: dict[tuple[int, int], np.ndarray] = {}
    for at, skill in enumerate(what.skills):
        label = label_of(what, at)
        seeds = list(range(what.seeds[at]))
        entry = {"label": label, "dataset": dataset, "model": "m" if len(what.skills) == 8 else label, "seeds": seeds}
        plan["entries"].append({**entry, "deterministic": at in what.deterministic})
        if one := what.searches.get(at):
            plan.setdefault("searches", []).append({"label": label, "dataset": dataset, **one["plan"]})
            plan["entries"][-1] |= {"chosen": one["chosen"], "training": {"select": "best"} if at else {"patience": 3}}
        for seed in seeds if plan["entries"][-1].get("chosen") != [] else ():
            accuracy = 1.0 if skill == 1.0 else min(0.999, skill + what.spread * rng.normal())
            wrong = (
                hard + rng.normal(0, 0.5, what.n) > np.quantile(hard, max(0.0, accuracy)) if skill < 1 else hard > 99
            )
            answer = np.where(wrong, (labels + 1 + rng.integers(0, what.classes - 1, what.n)) % what.classes, labels)
            answers[at, seed] = answers.get((what.copies.get(at, -1), seed), answer)
            moved = at in what.elsewhere or (at in what.strays and seed == 1)
            yield _trial(what, label, dataset, seed=seed, answer=answers[at, seed], labels=labels, moved=moved, at=at)


def _trial(
    what: Shape, label: str, dataset: str, *, seed: int, answer: np.ndarray, labels: np.ndarray, moved: bool, at: int
) -> Trial:
    key = hashlib.sha256(f"{label} {dataset} {seed}".encode()).hexdigest()[:12]
    folder = TrialFolder(Path("nowhere") / key)
    status = what.lost.get((at, seed))
    if status is not None:
        return Trial(key, label, dataset=dataset, seed=seed, status=status, folder=folder)  # type: ignore[arg-type]
    index = np.arange(what.n) + moved
    if what.sure:
        given = np.full((what.n, what.classes), (1 - what.sure) / what.classes)
        given[np.arange(what.n), answer] += what.sure
        said = Predictions(labels, given, index=index)
    else:
        said = Predictions(labels, answer, index=index, output="labels", n_classes=what.classes)
    right = float((answer == labels).mean())
    seconds = 10.0 + at + 0.1 * seed
    lines = tuple(
        {"epoch": epoch, "step": epoch, "validation_accuracy": right * epoch / 2, "train_seconds": seconds * epoch / 2}
        for epoch in (1, 2)
    )
    return Trial(
        key,
        label,
        dataset=dataset,
        seed=seed,
        status="done",
        folder=folder,
        metrics={"accuracy": right, "f1_weighted": right + weighted_f1_gap(confusion(labels, answer, what.classes))},
        measurements={  # type: ignore[arg-type]
            "train_seconds": seconds,
            "parameters": 1000 + at // 2,
            "latency_ms": {"1": {"p50": 1.0 + at, "p95": 2.0 + at}},
        },
        files={PREDICTIONS: hashlib.sha256(answer.tobytes() + bytes([moved, seed if what.sure else 0])).hexdigest()},
        said=said,
        lines=lines,  # type: ignore[arg-type]
        views=tuple(VIEWS) if what.views else (),  # type: ignore[arg-type]
        seen=np.array([np.roll(answer, 1), answer]) if what.views else None,
    )
