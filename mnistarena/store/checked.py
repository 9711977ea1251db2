"""The JSON files of a run folder, checked before anything reads a figure from them.

A file may come from a stranger or from another version: keys that are added later are allowed, those that are read
must have the type that `mnistarena.store.records` says.
"""

from __future__ import annotations

from typing import Any, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mnistarena.environment import Conditions
from mnistarena.errors import StoreError
from mnistarena.plugin import audit_record, messages
from mnistarena.plugin.audit_record import AuditRecord
from mnistarena.plugin.messages import (
    ComponentIdentity,
    ErrorDetails,
    HistoryRow,
    Identity,
    Measurements,
    MetricDefinition,
    StepsSaved,
    ViewDefinition,
)
from mnistarena.plugin.split_identity import SplitIdentity
from mnistarena.store import search_records
from mnistarena.store.proofs import FindingRecord, ProofRecord
from mnistarena.store.records import (
    BroughtRecord,
    DatasetLooks,
    DatasetRecord,
    DrawRecord,
    EarlierRecipe,
    EarlierUse,
    LookedAt,
    LooksPlan,
    LooksRecord,
    MetricRecord,
    PlannedTrial,
    PlanRecord,
    PluginRecord,
    PublishedRecord,
    RecipeRecord,
    TrainingRecord,
    TransformRecord,
    TrialRecord,
)
from mnistarena.store.search_records import SearchesRecord

_LOOSE = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

for _kind in (
    *(
        DatasetRecord,
        DrawRecord,
        TransformRecord,
        TrainingRecord,
        RecipeRecord,
        MetricRecord,
        PlannedTrial,
        PluginRecord,
    ),
    *(EarlierRecipe, EarlierUse, BroughtRecord, PublishedRecord),
    *(LooksPlan, LookedAt, DatasetLooks, LooksRecord),
    *(PlanRecord, TrialRecord, Conditions, Identity, ComponentIdentity, MetricDefinition, ViewDefinition),
    *(HistoryRow, Measurements, ErrorDetails, StepsSaved, messages.Latency, SplitIdentity),
    *(AuditRecord, audit_record.SplitAudit, audit_record.LeakedImage, audit_record.LostClass),
    *(audit_record.FoundImage, audit_record.FoundImages, audit_record.TwoLabels, audit_record.CopiesRecord),
    *(audit_record.RangeRecord, audit_record.LeftOutRecord),
    *(FindingRecord, ProofRecord),
    *(search_records.ParameterRecord, search_records.BudgetRecord, search_records.SearchPlan),
    *(search_records.TriedRecord, search_records.RepeatRecord, search_records.SearchRecord),
    *(search_records.ChosenRecord, SearchesRecord),
):
    _kind.__pydantic_config__ = _LOOSE  # type: ignore[union-attr]

_PLAN = TypeAdapter(PlanRecord)
_RECORD = TypeAdapter(TrialRecord)
_LOOKS = TypeAdapter(LooksRecord)
_AUDIT = TypeAdapter(AuditRecord)
_SEARCHES = TypeAdapter(SearchesRecord)
_ROW = TypeAdapter(HistoryRow)
_PROOF = TypeAdapter(ProofRecord)


def as_plan(value: object, where: object) -> PlanRecord:
    """A plan that was read; raises `StoreError` that names `where` and what is wrong."""
    plan = cast(PlanRecord, _checked(_PLAN, value, f"{where} is not a plan"))
    datasets = {entry["label"] for entry in plan["datasets"]}
    recipes = {(entry["label"], entry["dataset"]) for entry in plan["entries"]}
    if not {entry["dataset"] for entry in plan["entries"]} <= datasets:
        raise StoreError(f"{where} is not a plan: a recipe is on a dataset that the plan does not have")
    of = {(trial["label"], trial["dataset"]) for trial in plan["trials"]}
    if not of <= recipes:
        raise StoreError(f"{where} is not a plan: a trial is of a recipe that the plan does not have")
    if len({(trial["label"], trial["dataset"], "split" in trial) for trial in plan["trials"]}) > len(of):
        raise StoreError(f"{where} is not a plan: of a recipe some trials have a split, and others none")
    if plan.get("decide", "accuracy") not in {"accuracy", *(metric["label"] for metric in plan.get("metrics", ()))}:
        raise StoreError(f"{where} is not a plan: the figure that decides is no metric of it")
    if not {(one["label"], one["dataset"]) for one in plan.get("searches", ())} <= recipes:
        raise StoreError(f"{where} is not a plan: a search is of a recipe that the plan does not have")
    looks = plan.get("looks")
    seeds = [0] if looks is None else looks["seeds"]
    if seeds != sorted(set(seeds)):
        raise StoreError(f"{where} is not a plan: the seeds of its looks do not increase")
    if looks is not None and any(trial.get("look", 1) > len(seeds) for trial in plan["trials"]):
        raise StoreError(f"{where} is not a plan: a trial is for a look that the plan does not have")
    return plan


def as_record(value: object, where: object) -> TrialRecord:
    """A trial's record that was read; raises `StoreError` that names `where` and what is wrong."""
    return cast(TrialRecord, _checked(_RECORD, value, f"{where} is not a trial's record"))


def as_looks(value: object, where: object) -> LooksRecord:
    """The looks of a run that were read; raises `StoreError` that names `where` and what is wrong."""
    return cast(LooksRecord, _checked(_LOOKS, value, f"{where} is not a record of looks"))


def as_searches(value: object, where: object) -> SearchesRecord:
    """The searches of a run that were read; raises `StoreError` that names `where` and what is wrong."""
    found = cast(SearchesRecord, _checked(_SEARCHES, value, f"{where} is not a record of searches"))
    repeats = [one for search in found["searches"] for one in search["repeats"]]
    if any(one["chosen"] is not None and one["chosen"] >= len(one["trials"]) for one in repeats):
        raise StoreError(f"{where} is not a record of searches: one chose a trial that it does not have")
    return found


def as_audit(value: object, where: object) -> AuditRecord:
    """The audit of a dataset that was read; raises `StoreError` that names `where` and what is wrong."""
    return cast(AuditRecord, _checked(_AUDIT, value, f"{where} is not the audit of a dataset"))


def as_row(value: object, where: object) -> HistoryRow:
    """A row of a history that was read; raises `StoreError` that names `where` and what is wrong."""
    return cast(HistoryRow, _checked(_ROW, value, f"cannot read {where}"))


def as_proof(value: object, where: object) -> ProofRecord:
    """What `arena verify --json` found, as it was read; raises `StoreError` that names `where` and what is wrong."""
    return cast(ProofRecord, _checked(_PROOF, value, f"{where} is not what arena verify --json prints"))


def _checked(adapter: TypeAdapter[Any], value: object, blame: str) -> object:
    try:
        adapter.validate_python(value)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(f"{blame}: {where}: {first['msg']}" if where else f"{blame}: {first['msg']}") from None
    except RecursionError:
        raise StoreError(f"{blame}: nested too deeply") from None
    return value
