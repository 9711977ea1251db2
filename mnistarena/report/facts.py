"""What the plan and the records say of a run, in words: caveats, conditions, recipes, environment."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from mnistarena.report.format import NONE, plain, series
from mnistarena.results import Run


@dataclass(frozen=True)
class RecipeText:
    """How one label was trained, in words."""

    label: str
    dataset: str
    model: str
    summary: str
    params: str
    transforms: str
    training: str
    seeds: str
    distribution: str


def mixed_conditions(run: Run) -> tuple[str, ...]:
    """A sentence for each condition that differs between finished trials."""
    seen: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    done = [trial for trial in run.trials if trial.done]
    for trial in done:
        for key, value in ({**run.plan.get("conditions", {}), **trial.conditions}).items():
            seen[key][plain(value)].add(trial.label)
    return tuple(
        f"{key}: " + "; ".join(f"{value} ({series(sorted(labels))})" for value, labels in sorted(values.items()))
        for key, values in sorted(seen.items())
        if len(values) > 1
    )


def caveats(run: Run) -> tuple[str, ...]:
    """What a reader must know before believing a figure."""
    said: dict[str, None] = {}
    entries = run.plan["entries"]
    planned: dict[tuple[str, str], int] = defaultdict(int)
    for trial in run.trials:
        planned[trial.label, trial.dataset] += 1
    one = [e["label"] for e in entries if planned[e["label"], e["dataset"]] == 1 and not e.get("deterministic")]
    two = [e["label"] for e in entries if planned[e["label"], e["dataset"]] == 2]
    if one:
        said[f"One seed: {series(dict.fromkeys(one))}. Their figures describe one trained model, not the recipe."] = (
            None
        )
    if two:
        said[f"Two seeds: {series(dict.fromkeys(two))}. That says very little about how much seeds matter."] = None
    for entry in entries:
        for note in entry.get("notes", ()):
            said[note if entry["label"] in note else f"{entry['label']}: {note}"] = None
    for kind, names in _shortcuts(entries).items():
        said[f"{kind}: {series(dict.fromkeys(names), 8)}."] = None
    resumed = [trial.label for trial in run.trials if "resumed_at_step" in trial.measurements]
    if resumed:
        said[
            f"Interrupted and continued from a checkpoint: {series(dict.fromkeys(resumed))}. The figures are those of "
            "an undisturbed run; the times add up what each sitting took."
        ] = None
    for trial in run.trials:
        for note in trial.notes:
            said.setdefault(note if trial.label in note else f"{trial.label}: {note}")
    for data in run.plan["datasets"]:
        if not data.get("n_validation"):
            said[f"{data['label']}: no validation split; all {data['n_train']:,} images were trained on."] = None
        for part in ("train", "test"):
            if data.get(f"{part}_limit"):
                said[f"{data['label']}: a slice only, {data[f'n_{part}']:,} {part} images."] = None
    return tuple(text if text.endswith((".", "!", "?")) else f"{text}." for text in said)


def _shortcuts(entries: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Recipes that train for steps, at another resolution, or choose their epoch."""
    found: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        training = entry.get("training") or {}
        if training.get("steps"):
            found["Trained for a number of steps, not for whole epochs"].append(
                f"{entry['label']} ({training['steps']:,})"
            )
        for transform in entry.get("transforms", ()):
            if transform.get("name") == "resize" and transform.get("size"):
                size = transform["size"]
                shape = "×".join(map(str, size)) if isinstance(size, (list, tuple)) else f"{size}×{size}"
                found["Images resized"].append(f"{entry['label']} ({shape})")
        if training.get("select") == "best":
            found["Best epoch on validation, not the last"].append(entry["label"])
    return found


def recipe(entry: dict[str, Any]) -> RecipeText:
    """How an entry was trained."""
    transforms = []
    for transform in entry.get("transforms", ()):
        settings = {key: value for key, value in transform.items() if key != "name" and value is not None}
        transforms.append(transform["name"] + (f" ({plain(settings)})" if settings else ""))
    training = dict(entry.get("training") or {})
    parts = []
    for key, unit in (("epochs", "epochs"), ("steps", "steps")):
        if (number := training.pop(key, None)) is not None:
            parts.append(f"{number:,} {unit}")
    for key in ("optimizer", "schedule"):
        if isinstance(table := training.pop(key, None), dict):
            rest = {k: v for k, v in table.items() if k != "name"}
            parts.append(f"{table.get('name', key)}" + (f" ({plain(rest)})" if rest else ""))
    parts += [f"{key.replace('_', ' ')} {plain(value)}" for key, value in training.items() if value is not None]
    return RecipeText(
        label=entry["label"],
        dataset=entry["dataset"],
        model=str(entry.get("model", "")),
        summary=str(entry.get("summary", "")),
        params=plain(entry.get("params") or {}) or NONE,
        transforms=" → ".join(transforms) or "none",
        training=", ".join(parts) or "fitted in one step",
        seeds=plain(entry.get("seeds", ())) + (" (deterministic)" if entry.get("deterministic") else ""),
        distribution=str(entry.get("distribution", "")),
    )


def conditions(found: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The conditions that were fixed at the start, as names and values."""
    return tuple((key.replace("_", " "), plain(value)) for key, value in found.items() if value is not None)


def environment(found: dict[str, Any]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Whatever the environment's record holds, in groups of names and values."""
    loose = tuple((str(k), plain(v)) for k, v in sorted(found.items()) if not isinstance(v, dict) and k != "format")
    groups = [
        (str(k), tuple((str(n), plain(x)) for n, x in sorted(v.items())))
        for k, v in sorted(found.items())
        if isinstance(v, dict) and v
    ]
    return tuple([("run", loose)] if loose else []) + tuple(groups)
