"""The recipes of several runs on the same test images: what differs by its seeds only is one recipe."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np

from mnistarena.evidence.figure import ACCURACY, Figure, deciding, margin_of
from mnistarena.evidence.recipe import RecipeEvidence, gather
from mnistarena.plan.identity import identify
from mnistarena.store.earlier_use import images_of
from mnistarena.store.records import DatasetRecord, MetricRecord, PlanRecord, RecipeRecord
from mnistarena.store.results import StoredRun, StoredTrial
from mnistarena.store.trial_folder import PREDICTIONS
from mnistarena.text import drawn, plural, series


@dataclass(frozen=True)
class Source:
    """A dataset of a run; `name` is what the run is called, unlike every other."""

    run: StoredRun
    dataset: DatasetRecord
    _: KW_ONLY
    name: str


@dataclass(frozen=True)
class Part:
    """A recipe as one run has it; `recipe` is the label of the pooled recipe that it belongs to."""

    source: Source
    evidence: RecipeEvidence
    _: KW_ONLY
    recipe: str


@dataclass(frozen=True)
class Pool:
    """Pooled recipes, each with a label of its own, and the parts that they were made of, run by run.

    They are compared by `figure` and `margin`. `notes` are sentences on what was not taken, or is not as elsewhere.
    """

    recipes: tuple[RecipeEvidence, ...]
    parts: tuple[Part, ...]
    _: KW_ONLY
    figure: Figure
    margin: float
    notes: tuple[str, ...]


def images_key(dataset: DatasetRecord) -> str:
    """What the datasets of two plans share if they have the same test images, split in the same way; else unlike.

    Empty where it is not known which images these are.
    """
    images = images_of(dataset)
    if not images:
        return ""
    several = dataset.get("folds") or dataset.get("splits")
    how = [dataset.get(key) for key in ("folds", "splits", "test", "split_seed", "test_limit")] if several else []
    return json.dumps([images, dataset["class_names"], dataset.get("test_groups", 0), how])


def pool(sources: Sequence[Source]) -> Pool:
    """The recipes of sources with one `images_key`. Raises `StoreError` where a stored file is damaged.

    Two recipes are one where they have a trial in common, or equal identities but for the seed. A trial that several
    runs have counts once.
    """
    figure, margin, notes = _terms(sources)
    parts = []
    for source in sources:
        for evidence in gather(source.run, source.dataset, figure):
            parts.append(Part(source, _slim(evidence), recipe=""))
    parts, left_out = _alike(parts)
    notes += left_out
    groups = _grouped(parts)
    recipes, labelled = [], []
    for label, group in zip(_labels(groups), groups, strict=True):
        found, more = _together(label, group, figure)
        recipes.append(found)
        labelled += [replace(part, recipe=label) for part in group]
        notes += more
    return Pool(tuple(recipes), tuple(labelled), figure=figure, margin=margin, notes=tuple(notes))


def _slim(evidence: RecipeEvidence) -> RecipeEvidence:
    """Without what only a run's own report shows: many runs are held at once."""
    return replace(evidence, predicted=evidence.predicted[:, :0], confidence=None, boxes=None)


def _terms(sources: Sequence[Source]) -> tuple[Figure, float, list[str]]:
    """The figure that all runs decide by, else the accuracy; the smallest of their margins; and what to say of that."""
    figures = {json.dumps(_definition(source.run.plan), sort_keys=True): source for source in sources}
    first, notes = deciding(sources[0].run.plan), []
    figure = first if len(figures) == 1 else ACCURACY
    if len(figures) > 1:
        notes.append("These runs decide by different figures, or by other versions of one: here the accuracy decides.")
    margins = sorted({margin_of(source.run.plan, figure) for source in sources})
    if len(margins) > 1:
        notes.append(f"These runs have margins from {margins[0]:g} to {margins[-1]:g}: here the smallest applies.")
    return figure, margins[0], notes


def _definition(plan: PlanRecord) -> MetricRecord | str:
    """The metric that decides in a run, with its parameters and the digest of its code."""
    figure = deciding(plan)
    known = (metric for metric in plan.get("metrics", ()) if metric["label"] == figure.label)
    return figure.label if figure == ACCURACY else next(known, figure.label)


def _alike(parts: Sequence[Part]) -> tuple[list[Part], list[str]]:
    """The parts whose test images have the classes that they have in the first run with them; and who has others."""
    known: dict[bytes, RecipeEvidence] = {}
    unlike: dict[str, None] = {}
    for part in parts:
        evidence = part.evidence
        if len(evidence.index):
            first = known.setdefault(evidence.index.tobytes(), evidence)
            if not np.array_equal(first.labels, evidence.labels):
                unlike[part.source.name] = None
    notes = [
        f"{name} is left out: its test images have other true classes than those of the others." for name in unlike
    ]
    return [part for part in parts if part.source.name not in unlike], notes


def _grouped(parts: Sequence[Part]) -> list[list[Part]]:
    """Parts of one recipe together, in the order of the runs."""
    found: list[tuple[set[str], list[Part]]] = []
    for part in parts:
        tokens, members, others = _tokens(part), [part], []
        for other in found:
            if other[0].isdisjoint(tokens):
                others.append(other)
            else:
                tokens |= other[0]
                members = [*other[1], *members]
        found = [*others, (tokens, members)]
    return [members for _, members in found]


def _tokens(part: Part) -> set[str]:
    """What two parts of one recipe share: trials, or an identity without its seed."""
    evidence = part.evidence
    trials = (*evidence.trials, *evidence.repeated)
    identities = (_without_seed(trial, part.source.dataset) for trial in trials)
    return {trial.id for trial in trials} | {next(filter(None, identities), trials[0].id if trials else evidence.label)}


def _without_seed(trial: StoredTrial, dataset: DatasetRecord) -> str:
    """A trial's identity without its seed and split, as text; empty where its record has none that is its own."""
    record = trial.record()
    identity = record.get("identity") if record else None
    if not identity or identify(identity) != trial.id:
        return ""
    drawn = {"split", "split_seed"} if dataset.get("split_seed") == "seed" else {"split"}
    split = {key: value for key, value in identity.get("dataset", {}).items() if key not in drawn}
    return json.dumps({**identity, "dataset": split, "seed": None}, sort_keys=True)


def _labels(groups: Sequence[Sequence[Part]]) -> list[str]:
    """A label for each group, no two alike: that of its recipe, with its runs where others are called the same."""
    plain = [group[0].evidence.label for group in groups]
    count = Counter(plain)
    sets = Counter(name for group in groups for name in {(part.source.name, part.evidence.label) for part in group})
    taken: set[str] = set()
    for at, group in enumerate(groups):
        label = plain[at]
        if count[label] > 1:
            runs = list(dict.fromkeys(part.source.name for part in group))
            # A run may have a dataset twice, with fewer training images: then its recipes differ by that.
            twice = sets[group[0].source.name, label] > 1
            more = f", {group[0].source.dataset['label']}" if twice else ""
            label = f"{label} ({series(runs, 2)}{more})"
        unique, number = label, 2
        while unique in taken:
            unique, number = f"{label} #{number}", number + 1
        taken.add(unique)
        plain[at] = unique
    return plain


def _together(label: str, group: Sequence[Part], figure: Figure) -> tuple[RecipeEvidence, list[str]]:
    """One recipe of its parts, and what is to be said of it."""
    ready = [part for part in group if not any(_waits(trial) for trial in part.evidence.trials)] or list(group)
    notes = [
        f"{label}: its seeds in {part.source.name} have not all ended, so none of these counts yet."
        for part in group
        if part not in ready
    ]
    plain = group[0].evidence.label
    notes += [
        f"{label} is called {part.evidence.label} in {part.source.name}."
        for part in group
        if part.evidence.label != plain
    ]
    first = ready[0]
    if len(ready) == 1:
        return replace(first.evidence, label=label), notes
    trials, more = _once([(part, trial) for part in ready for trial in _all(part)])
    entry: RecipeRecord = {**first.evidence.entry, "label": label}
    dataset = first.source.dataset
    run = StoredRun(
        first.source.run.path,
        {**first.source.run.plan, "entries": [entry], "datasets": [dataset]},
        environment={},
        spec="",
        trials=tuple(replace(trial, label=label, dataset=dataset["label"]) for trial in trials),
    )
    return _slim(gather(run, dataset, figure)[0]), [*notes, *(f"{label}, {text}" for text in more)]


def _all(part: Part) -> Sequence[StoredTrial]:
    return (*part.evidence.trials, *part.evidence.repeated)


def _waits(trial: StoredTrial) -> bool:
    return trial.status in ("pending", "interrupted")


def _once(every: Sequence[tuple[Part, StoredTrial]]) -> tuple[list[StoredTrial], list[str]]:
    """Each trial once, one with results before one without; and which have other predictions in another run."""
    chosen: dict[str, tuple[Part, StoredTrial]] = {}
    notes = []
    for part, trial in every:
        held = chosen.setdefault(trial.id, (part, trial))
        of, here, there = drawn(trial.seed, trial.split), part.source.name, held[0].source.name
        if trial.done != held[1].done:
            good, bad = (here, there) if trial.done else (there, here)
            notes.append(f"{of}: the trial has a result in {good}, which counts, and none in {bad}.")
            chosen[trial.id] = (part, trial) if trial.done else held
        elif trial.done and trial.files.get(PREDICTIONS) != held[1].files.get(PREDICTIONS):
            notes.append(f"{of}: {here} has other predictions than {there}, whose count.")
    each: dict[tuple[int, int | None], StoredTrial] = {}
    for _, trial in chosen.values():
        each.setdefault((trial.seed, trial.split), trial)
    return list(each.values()), notes


def done_here(pooled: Pool, runs: int) -> str:
    """How many recipes of how many runs these are, and how many have seeds of several runs."""
    made: Mapping[str, set[str]] = {recipe.label: set() for recipe in pooled.recipes}
    for part in pooled.parts:
        made[part.recipe].add(part.source.name)
    several = sum(len(names) > 1 for names in made.values())
    said = f"{plural(len(made), 'recipe')} of {plural(runs, 'run')}"
    if several:
        said += f"; {several} of them {'stands' if several == 1 else 'stand'} in several runs, with all seeds together"
    return said
