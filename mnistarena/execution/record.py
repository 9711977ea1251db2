"""A trial's record, made from the result that its process sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import cast

from mnistarena.environment import Conditions
from mnistarena.execution.resume import ScoringRequest, has_predictions
from mnistarena.plan.recipe import Trial
from mnistarena.plugin.messages import REASON_CHARACTERS, Measured, Result, error_message, view_title
from mnistarena.store.records import TrialRecord


def trained_record(
    trial: Trial,
    result: Result,
    *,
    request: ScoringRequest | None,
    conditions: Conditions,
    began: str | None = None,
    measured: Measured | None = None,
) -> TrialRecord:
    """The record of a trial that was trained; without a `request` it was not asked for figures yet.

    `measured` is what it reported once its predictions were stored, and stands in where its process was lost after
    that: such a record is scored later, without training.
    """
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
    if trial.split is not None:
        record["split"] = trial.split
    record = cast(TrialRecord, {**record, **_answer(result)})
    record["notes"] = _merged(trial.recipe.notes, result.get("notes", ()))
    if measured is not None:
        record.setdefault("measurements", measured.measurements)
        record["notes"] = _merged(record["notes"], measured.notes)
    if measured is not None and result["status"] != "done" and not has_predictions(record):
        message = error_message(result, "the trial was stopped after its training")
        record["error"] = {"type": "Lost", **result.get("error", {}), "message": message, "stage": "scoring"}
        record["notes"] = [*record["notes"], f"not measured to its end: {message}"]
    elif has_predictions(record) and request is not None:
        request.note(record)
    return record


def lost_after_training(record: TrialRecord) -> bool:
    """Whether a trial's predictions are stored, and its process was lost before they were scored."""
    return has_predictions(record) and "metric_definitions" not in record


def scored_record(before: TrialRecord | None, result: Result, request: ScoringRequest) -> TrialRecord:
    """The record of a trial of which only metrics and views were computed: `before`, with the new figures."""
    merged = cast(TrialRecord, {**(before or {}), **_answer(result)})
    merged["notes"] = _merged(before.get("notes", ()) if before else (), result.get("notes", ()))
    if result["status"] == "interrupted":
        return merged
    if "error" in result:
        merged["error"] = {**result["error"], "stage": "scoring"}
    else:
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


def _merged(notes: Iterable[str], more: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*notes, *more]))
