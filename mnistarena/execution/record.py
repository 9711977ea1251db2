"""A trial's record, made from the result that its process sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import cast

from mnistarena.environment import Conditions
from mnistarena.execution.resume import ScoringRequest, has_predictions
from mnistarena.plan.recipe import Trial
from mnistarena.plugin.messages import Measurements, Result
from mnistarena.store.records import TrialRecord


def trained_record(
    trial: Trial,
    result: Result,
    *,
    request: ScoringRequest,
    conditions: Conditions,
    began: str | None,
    measured: Measurements,
) -> TrialRecord:
    """The record of a trial that was trained; `measured` stands in where the result has no measurements."""
    record: TrialRecord = {
        "id": trial.id,
        "label": trial.recipe.label,
        "dataset": trial.recipe.data.label,
        "seed": trial.seed,
        "status": result["status"],
        "identity": trial.identity,
        "conditions": {**conditions, **result.get("conditions", {})},
        "started": began,
        "finished": now(),
    }
    record = cast(TrialRecord, {**record, **_without_conditions(result)})
    record["notes"] = _merged(trial.recipe.notes, result)
    if has_predictions(record):
        request.note(record)
        record.setdefault("measurements", measured)
    return record


def scored_record(before: TrialRecord | None, result: Result, request: ScoringRequest) -> TrialRecord:
    """The record of a trial of which only metrics and views were computed: `before`, with the new figures."""
    merged = cast(TrialRecord, {**(before or {}), **_without_conditions(result)})
    merged["notes"] = _merged(before.get("notes", ()) if before else (), result)
    if result["status"] == "interrupted":
        return merged
    if "error" not in result:
        merged.pop("error", None)
    request.note(merged)
    return merged


def now() -> str:
    """The present time in UTC, in ISO 8601 to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _without_conditions(result: Result) -> Result:
    return cast(Result, {key: value for key, value in result.items() if key != "conditions"})


def _merged(notes: Iterable[str], result: Result) -> list[str]:
    return list(dict.fromkeys([*notes, *result.get("notes", ())]))
