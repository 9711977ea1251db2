"""How often the test images of a run were used before, by recipes that are not in it.

A run looks at its own folder's earlier plans and at the run folders beside it when it starts, and keeps what it finds
in its plan, so that its report stays the same whatever happens beside it later.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

from mnistarena.errors import ArenaError
from mnistarena.store.records import DatasetRecord, EarlierRecipe, EarlierUse, PlanRecord
from mnistarena.store.results import StoredRun
from mnistarena.store.run_folder import RunFolder
from mnistarena.store.trial_folder import PREDICTIONS
from mnistarena.text import plural, series, visible

MOST_FOLDERS, MOST_RUNS, MOST_RECIPES = 5000, 200, 1000
"""Bounds on what a run reads of its neighbours: folders that are listed, plans that are read, recipes that are kept."""


def earlier_uses(folder: RunFolder, plan: PlanRecord, before: PlanRecord | None) -> list[EarlierUse]:
    """How runs here have used the test images of a plan that is about to start.

    `before` is what was planned in this folder until now. The folders beside it are read only where the plan has a
    trial that was not in it: a run that is continued keeps what it found. Nothing is raised.
    """
    found: list[EarlierUse] = []
    if before is not None:
        found += [*before.get("earlier_uses", ()), *uses_of(folder, before)]
    if before is None or not _trials(plan) <= _trials(before):
        for beside in _beside(folder):
            with suppress(ArenaError, OSError):
                theirs = beside.plan()
                found += [*theirs.get("earlier_uses", ()), *uses_of(beside, theirs)]
    return _others(plan, found)


def uses_of(folder: RunFolder, plan: PlanRecord) -> Iterator[EarlierUse]:
    """What a run folder has used: each dataset's recipes that have predicted its test images."""
    for dataset in plan["datasets"]:
        recipes: dict[str, list[str]] = {}
        seen = set()
        for trial in plan["trials"]:
            label, seed = trial["label"], trial["seed"]
            if trial["dataset"] == dataset["label"]:
                recipes.setdefault(label, []).append(trial["id"])
                if label in seen:
                    continue
                files = folder.trial(label, dataset["label"], seed=seed, split=trial.get("split"), identity=trial["id"])
                if (files.path / PREDICTIONS).is_file():
                    seen.add(label)
        yield {
            "run": visible(folder.path.resolve().name)[:200],
            "date": _date(folder.path / "plan.json"),
            "images": images_of(dataset),
            "recipes": [{"label": label, "trials": ids} for label, ids in recipes.items() if label in seen],
        }


def images_of(dataset: DatasetRecord) -> str:
    """What the datasets of two plans share if their test images are the same; empty where that is not known."""
    seed = dataset.get("split_seed")
    # Where each seed draws its training images, the test images are those of the split seed 0.
    drawn = f" {dataset['test_limit']} {0 if seed == 'seed' else seed}" if dataset.get("test_limit") else ""
    if dataset.get("folds") or dataset.get("splits"):
        drawn = _ALL
    return dataset["fingerprint"] + drawn if "fingerprint" in dataset else ""


_ALL = " all"


def _hold(used: str, images: str) -> bool:
    """Whether test images that were used are, or hold, those of a dataset, each as of `images_of`."""
    fingerprint = images.partition(" ")[0]
    return used == images or used == fingerprint + _ALL or (used == fingerprint and images != fingerprint + _ALL)


def sentences(plan: PlanRecord, uses: Iterable[EarlierUse] | None = None, *, kind: str = "earlier") -> list[str]:
    """A sentence for each dataset whose test images were used by other recipes; none at the first use.

    `uses` are those that the plan holds unless told otherwise; `kind` is what these runs are called.
    """
    uses = list(plan.get("earlier_uses", ()) if uses is None else uses)
    return [
        sentence
        for images, dataset in _datasets(plan).items()
        if (sentence := _sentence(plan, dataset, [use for use in uses if _hold(use["images"], images)], kind))
    ]


def between(before: StoredRun, after: StoredRun) -> list[str]:
    """The sentences of two runs that are compared, for what the second of them shows."""
    mine = uses_of(RunFolder(before.path), before.plan)
    known = [*before.plan.get("earlier_uses", ()), *after.plan.get("earlier_uses", ()), *mine]
    return sentences(after.plan, _others(after.plan, known), kind="other")


def _sentence(plan: PlanRecord, dataset: str, uses: list[EarlierUse], kind: str) -> str:
    recipes = [recipe for use in uses for recipe in use["recipes"]]
    if not recipes:
        return ""
    here = {entry["label"] for entry in plan["entries"] if entry["dataset"] == dataset}
    changed = [recipe["label"] for recipe in recipes if recipe["label"] in here]
    forms = ""
    if changed:
        some = "" if len(changed) == len(recipes) else f"{len(changed)} of them "
        what = "another form" if len(changed) == 1 else "other forms"
        forms = f", {some}{what} of {series(dict.fromkeys(changed))}"
    runs = series((f"{use['run']} of {use['date']}" for use in uses), 5)
    return (
        f"{dataset}: these test images were used by {plural(len(uses), f'{kind} run')} here ({runs}), with "
        f"{plural(len(recipes), 'other recipe')}{forms}. The more recipes are chosen by the same images, the more the "
        "best of them owes to luck; only images that no choice was made by would show how much."
    )


def _others(plan: PlanRecord, uses: Iterable[EarlierUse]) -> list[EarlierUse]:
    """Of these uses, the recipes that are not in a plan, on its test images, each once."""
    datasets = _datasets(plan)
    known = set(_trials(plan))
    found: list[EarlierUse] = []
    left = MOST_RECIPES
    for use in uses:
        recipes: list[EarlierRecipe] = []
        for recipe in use["recipes"] if any(_hold(use["images"], images) for images in datasets) else ():
            # Two recipes with a trial in common are one, with other seeds.
            if left and known.isdisjoint(recipe["trials"]):
                recipes.append(recipe)
                left -= 1
            known.update(recipe["trials"])
        if recipes:
            found.append({**use, "recipes": recipes})
    return found


def _datasets(plan: PlanRecord) -> dict[str, str]:
    """The labels of a plan's datasets by their test images."""
    return {images: data["label"] for data in reversed(plan["datasets"]) if (images := images_of(data))}


def _trials(plan: PlanRecord) -> set[str]:
    return {trial["id"] for trial in plan["trials"]}


def _beside(folder: RunFolder) -> list[RunFolder]:
    """The run folders beside one, those that were started last; the oldest first."""
    own = folder.path.resolve()
    found: list[tuple[float, str]] = []
    with suppress(OSError), os.scandir(own.parent) as entries:
        for entry in islice(entries, MOST_FOLDERS):
            with suppress(OSError):
                if entry.name != own.name and entry.is_dir(follow_symlinks=False):
                    found.append((os.stat(Path(entry.path) / "plan.json").st_mtime, entry.path))
    return [RunFolder(Path(path)) for _, path in sorted(found)[-MOST_RUNS:]]


def _date(path: Path) -> str:
    """When a file was last written: a day, in UTC."""
    return datetime.fromtimestamp(path.stat().st_mtime, timezone.utc).date().isoformat()
