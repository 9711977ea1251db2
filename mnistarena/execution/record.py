"""A trial's record, made from the result that its process sent."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import cast

from mnistarena.environment import Conditions
from mnistarena.execution.resume import ScoringRequest, has_predictions
from mnistarena.plan.recipe import Trial
from mnistarena.plugin.messages import REASON_CHARACTERS, Measurements, Result, error_message, view_title
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
        "notes": list(trial.recipe.notes),
        "started": began,
        "finished": now(),
    }
    record = cast(TrialRecord, {**record, **_answer(result)})
    if has_predictions(record):
        request.note(record)
        record.setdefault("measurements", measured)
    return record


def scored_record(before: TrialRecord | None, result: Result, request: ScoringRequest) -> TrialRecord:
    """The record of a trial of which only metrics and views were computed: `before`, with the new figures."""
    merged = cast(TrialRecord, {**(before or {}), **_answer(result)})
    if result["status"] == "interrupted":
        return merged
    if "error" not in result:
        merged.pop("error", None)
    request.note(merged)
    return merged


def unscored(result: Result, request: ScoringRequest, *, views_too: bool) -> Result:
    """The result of a trial whose process ended while its stored predictions were scored: done, without figures."""
    reason = error_message(result, "it was interrupted").partition("\n")[0][:REASON_CHARACTERS]
    found: Result = {
        "status": "done",
        "metrics": dict.fromkeys(request.metrics),
        "metric_problems": dict.fromkeys(request.metrics, reason),
        "no_values": {},
    }
    if views_too:
        found["view_problems"] = dict.fromkeys(map(view_title, request.views), reason)
    return found


def now() -> str:
    """The present time in UTC, in ISO 8601 to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _answer(result: Result) -> Result:
    return cast(Result, {key: value for key, value in result.items() if key != "conditions"})
