"""Proof that a trial's recipe is the one that its search chose, and that this is the best that it tried."""

from __future__ import annotations

from mnistarena.inference.provenance import chosen_for, identity_of, planned_recipe
from mnistarena.plan.identity import identify
from mnistarena.spec.search import ACCURACY, LOSS
from mnistarena.store.records import TrialRecord
from mnistarena.store.results import StoredRun, StoredTrial
from mnistarena.store.run_folder import RunFolder
from mnistarena.store.search_records import RepeatRecord, SearchPlan

CHOSEN = ("model", "transforms", "training", "sources")
"""What of an identity a search chooses."""


def search_problem(run: StoredRun, trial: StoredTrial) -> str | None:
    """What is wrong with the choice of a trial's recipe; None where it is sound, or no search chose it."""
    entry = planned_recipe(run, trial)
    chosen = entry.get("chosen")
    if not chosen:
        return None
    one = chosen_for(entry, trial)
    key = (trial.label, trial.dataset)
    plans = [plan for plan in run.plan.get("searches", ()) if (plan["label"], plan["dataset"]) == key]
    found = [search for search in run.searches["searches"] if (search["label"], search["dataset"]) == key]
    if not plans or not found or one["repeat"] >= len(found[0]["repeats"]):
        return "its search is not in searches.json"
    repeat = found[0]["repeats"][one["repeat"]]
    if one["number"] != repeat["chosen"]:
        return f"its search chose trial {(repeat['chosen'] or 0) + 1}, not {one['number'] + 1}"
    return _choice_problem(run, trial, plans[0], repeat)


def _choice_problem(run: StoredRun, trial: StoredTrial, plan: SearchPlan, repeat: RepeatRecord) -> str | None:
    folder, sign, best = RunFolder(run.path), 1 if plan["higher_is_better"] else -1, None
    for number, tried in enumerate(repeat["trials"]):
        name = f"trial {number + 1} of its search"
        if tried["id"] is None:
            continue
        record = folder.search_trial(trial.label, trial.dataset, number=number, identity=tried["id"]).read()
        if record is None or identify(record.get("identity", {})) != tried["id"]:
            return f"the record of {name} is missing, or another one's"
        value = _value(record, plan["by"])
        if tried["value"] is not None and tried["value"] != value:
            return f"{name} has the {plan['by']} {value}, and searches.json says {tried['value']}"
        if tried["value"] is not None and (best is None or sign * tried["value"] > best[0]):
            best = (sign * tried["value"], number)
        if number == repeat["chosen"]:
            judged, chosen = identity_of(trial), record["identity"]
            if any(judged.get(part) != chosen.get(part) for part in CHOSEN):
                return f"its recipe is not that of {name}, which was chosen"
    if best is None or best[1] != repeat["chosen"]:
        return f"trial {(repeat['chosen'] or 0) + 1}, which was chosen, is not the best of its search"
    return None


def _value(record: TrialRecord, by: str) -> float | None:
    if by not in (LOSS, ACCURACY):
        return record.get("metrics", {}).get(by)
    value = record.get("measurements", {}).get(by)
    return float(value) if isinstance(value, (int, float)) else None
