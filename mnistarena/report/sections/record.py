"""What the plan and the records say of a run, in words: caveats, conditions, recipes, environment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.environment import Conditions
from mnistarena.report.format import NONE, names, plain, series
from mnistarena.report.sections import published
from mnistarena.store import earlier_use
from mnistarena.store.findings import idle_seeds, repeated_seeds
from mnistarena.store.records import DatasetRecord, RecipeRecord, TrainingRecord
from mnistarena.store.results import StoredRun, StoredTrial

MANY_RECIPES = 4
"""So many recipes of one model, and the best of them is told to be chosen by the test images."""

Facts = tuple[tuple[str, str], ...]
"""Names with their values."""


@dataclass(frozen=True)
class RecipeText:
    """How one label was trained, in words."""

    label: str
    dataset: str
    _: KW_ONLY
    model: str
    summary: str
    params: str
    transforms: str
    training: str
    seeds: str
    distribution: str


def mixed_conditions(run: StoredRun) -> tuple[str, ...]:
    """A sentence for each condition that differs between finished trials."""
    seen: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for trial in run.trials:
        if trial.done:
            for key, value in ({**run.plan.get("conditions", {}), **trial.conditions}).items():
                seen[key][plain(value)].add(trial.label)
    return tuple(
        f"{key}: " + "; ".join(f"{value} ({series(sorted(labels))})" for value, labels in sorted(values.items()))
        for key, values in sorted(seen.items())
        if len(values) > 1
    )


def caveats(run: StoredRun) -> tuple[str, ...]:
    """What a reader must know before using a figure; each sentence once."""
    entries = run.plan["entries"]
    said = [
        *_few_seeds(run),
        *_picked(entries),
        *idle_seeds(run),
        *earlier_use.sentences(run.plan),
        *_noted((entry["label"], note) for entry in entries for note in entry.get("notes", ())),
        *(f"{entry['label']}: {caveat}" for entry in entries if (caveat := entry.get("caveat"))),
        *(f"{kind}: {names(dict.fromkeys(labels), 8)}." for kind, labels in _shortcuts(entries).items()),
        *_from_trials(run.trials),
        *published.caveats(run.plan),
        *(sentence for dataset in run.plan["datasets"] for sentence in _of_dataset(dataset, entries)),
    ]
    return tuple(dict.fromkeys(said))


def _noted(notes: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Each note of a label once, with all labels that it is about and does not name."""
    labels: dict[str, list[str]] = defaultdict(list)
    for label, note in notes:
        labels[note] += [] if label in note else [label]
    for note, those in labels.items():
        yield f"{names(dict.fromkeys(those), 8)}: {note}" if those else note


def _few_seeds(run: StoredRun) -> Iterator[str]:
    entries = []
    for entry in run.plan["entries"]:
        trials = run.of(entry["label"], entry["dataset"])
        repeated = () if entry.get("deterministic") else repeated_seeds(trials)
        # With several splits a single seed shows how much its luck matters: it is another in each.
        if not any(trial.split is not None for trial in trials):
            entries.append((entry, len(trials) - len(repeated)))
    one = [entry["label"] for entry, seeds in entries if seeds == 1 and not entry.get("deterministic")]
    few = [(entry["label"], seeds) for entry, seeds in entries if seeds in (2, 3) and not entry.get("deterministic")]
    if one:
        yield f"One seed: {names(dict.fromkeys(one))}. Their figures describe one trained model, not the recipe."
    if few:
        number = {frozenset({2}): "Two", frozenset({3}): "Three"}.get(
            frozenset(seeds for _, seeds in few), "Two or three"
        )
        yield (
            f"{number} seeds: {names(dict(few))}. So few can show a large difference, seldom a small one, and their "
            "intervals are wide. They cannot show a failure that is rare: where one seed in five goes wrong, three "
            "seeds miss it in 51 % of benchmarks, five in 33 %, and no interval holds then."
        )


def _picked(entries: Sequence[RecipeRecord]) -> Iterator[str]:
    """A sentence for each model of which several recipes, such as those of a grid, are on one dataset."""
    labels: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in entries:
        labels[entry["dataset"], entry.get("model", entry["label"])].append(entry["label"])
    most: dict[str, int] = {}
    for (_, model), those in labels.items():
        if len(those) >= MANY_RECIPES:
            most[model] = max(most.get(model, 0), len(those))
    for model, number in most.items():
        yield (
            f"{number} recipes are of the model {model}. Whoever takes the best of them has chosen by the test images, "
            "and its figure is too good: of 20 recipes that were all the same, the 95 % interval of the first held the "
            "truth in 82 % of simulations. Verdicts on pairs are corrected for the choice, the leader's own interval "
            "is not."
        )


def _from_trials(trials: Sequence[StoredTrial]) -> Iterator[str]:
    resumed = [trial.label for trial in trials if "resumed_at_step" in trial.measurements]
    if resumed:
        yield (
            f"Interrupted and continued from a checkpoint: {names(dict.fromkeys(resumed))}. The figures are those of "
            "an uninterrupted run; the times are the sums of all parts."
        )
    yield from _noted((trial.label, note) for trial in trials for note in trial.notes)


def _of_dataset(dataset: DatasetRecord, entries: Sequence[RecipeRecord]) -> Iterator[str]:
    label = dataset["label"]
    trained = any("brought" not in entry for entry in entries if entry["dataset"] == label)
    if not dataset.get("n_validation") and trained:
        yield f"{label}: no validation split; all {dataset['n_train']:,} images were trained on."
    if share := dataset.get("test"):
        yield (
            f"{label}: the data have no test split of their own; {100 * share:g} % of the images were drawn as one, "
            f"by the split seed {dataset.get('split_seed', 0)}."
        )
    if dataset.get("train_limit") and trained:
        yield f"{label}: only a part of it, {dataset['n_train']:,} training images."
    if dataset.get("test_limit"):
        yield f"{label}: only a part of it, {dataset['n_test']:,} test images."


def _shortcuts(entries: Sequence[RecipeRecord]) -> dict[str, list[str]]:
    """Recipes that train for steps, at another resolution, or select their epoch."""
    found: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        label, training = entry["label"], _training(entry)
        if steps := training.get("steps"):
            found["Trained for a number of steps, not for whole epochs"].append(f"{label} ({steps:,})")
        for transform in entry.get("transforms", ()):
            if transform["name"] == "resize" and (size := transform.get("size")):
                shape = "×".join(map(str, size)) if isinstance(size, (list, tuple)) else f"{size}×{size}"
                found["Images resized"].append(f"{label} ({shape})")
        if training.get("select") == "best":
            found["Best epoch on validation, not the last"].append(label)
    return found


def _training(entry: RecipeRecord) -> TrainingRecord:
    """A recipe's training table; empty for a recipe that is fitted in one step."""
    return entry.get("training") or {}


def shared_training(entries: Sequence[RecipeRecord]) -> tuple[str, ...]:
    """What the trainings of several recipes share, in words; recipes that are fitted at once have none."""
    known = [list(_training_parts(_training(entry))) for entry in entries if _training(entry)]
    if len(known) < 2:
        return ()
    return tuple(part for part in known[0] if all(part in other for other in known))


def recipe(entry: RecipeRecord, shared: Sequence[str] = ()) -> RecipeText:
    """How an entry of the plan was trained; what is `shared` by all is left out."""
    parts = [part for part in _training_parts(_training(entry)) if part not in shared]
    transforms = [
        _with_settings(transform["name"], {key: value for key, value in transform.items() if value is not None})
        for transform in entry.get("transforms", ())
    ]
    brought = [f"{one['file']} (SHA-256 {one['sha256'][:16]}…)" for one in entry.get("brought", ())]
    return RecipeText(
        entry["label"],
        entry["dataset"],
        model=entry.get("model", ""),
        summary=entry.get("summary", ""),
        params=series(brought) or (plain(entry.get("params") or {}) or NONE) + _searched(entry),
        transforms=NONE if brought else " → ".join(transforms) or "none",
        training="not here: predictions brought from outside"
        if brought
        else ", ".join(parts) or ("nothing else" if _training(entry) else "fitted at once"),
        seeds=plain(entry.get("seeds", ())) + (" (deterministic)" if entry.get("deterministic") else ""),
        distribution=NONE if brought else entry.get("distribution", ""),
    )


def _searched(entry: RecipeRecord) -> str:
    """What to know of values that a search chooses."""
    chosen = entry.get("chosen")
    if chosen is None or len(chosen) == 1:
        return ""
    return " (what the first search chose; the others differ)" if chosen else " (no search has chosen yet)"


def _training_parts(training: TrainingRecord) -> Iterator[str]:
    """A training table in words: its length, optimizer and schedule first."""
    if (epochs := training.get("epochs")) is not None:
        yield f"{epochs:,} epochs"
    if (steps := training.get("steps")) is not None:
        yield f"{steps:,} steps"
    for kind, table in (("optimizer", training.get("optimizer")), ("schedule", training.get("schedule"))):
        if table is not None:
            yield _with_settings(str(table.get("name", kind)), table)
    for key, value in training.items():
        if key not in ("epochs", "steps", "optimizer", "schedule") and value not in (None, [], {}):
            yield f"{key.replace('_', ' ')} {plain(value)}"


def _with_settings(name: str, table: Mapping[str, object]) -> str:
    """A component's name and its parameters, which stand beside the name in its table."""
    settings = {key: value for key, value in table.items() if key != "name"}
    return name + (f" ({plain(settings)})" if settings else "")


def conditions(found: Conditions) -> Facts:
    """The conditions that were fixed at the start, as names and values."""
    return tuple((key.replace("_", " "), plain(value)) for key, value in found.items() if value is not None)


def environment(found: Mapping[str, object]) -> tuple[tuple[str, Facts], ...]:
    """The record of the environment, in groups of names and values."""
    loose = tuple((key, plain(v)) for key, v in sorted(found.items()) if not isinstance(v, dict) and key != "format")
    groups = [
        (key, tuple((str(name), plain(value)) for name, value in sorted(group.items())))
        for key, group in sorted(found.items())
        if isinstance(group, dict) and group
    ]
    return (*([("run", loose)] if loose else []), *groups)
