"""What a plan asks of a trial's record beyond its training: metrics and views, which may be added later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mnistarena.plan import Plan
from mnistarena.trialfolder import MODEL


@dataclass(frozen=True)
class Asked:
    """Definitions of the metrics, by label, and of the views of the test images."""

    metrics: dict[str, dict[str, Any]]
    views: list[dict[str, Any]]

    def record(self) -> dict[str, Any]:
        """For the record of a trial that was asked this, whether or not it could answer."""
        return {"metric_definitions": self.metrics, "view_definitions": self.views}

    def was_asked_of(self, record: dict[str, Any]) -> bool:
        """Whether a trial was asked for these metrics and views."""
        return bool(record.get("metric_definitions") == self.metrics) and not self.has_other_views(record)

    def has_other_views(self, record: dict[str, Any] | None) -> bool:
        """Whether the views that were predicted, or failed, are others."""
        return record is None or record.get("view_definitions", []) != self.views

    def must_train(self, record: dict[str, Any]) -> bool:
        """Whether views are missing and the model that should predict them was not kept; scikit-learn's is refitted."""
        of_torch = "parameters" in (record.get("measurements") or {})
        return bool(self.views) and self.has_other_views(record) and of_torch and MODEL not in record["files"]


def of(plan: Plan) -> Asked:
    """What a plan asks of each of its trials."""
    return Asked({m.label: m.definition() for m in plan.metrics}, [view.definition() for view in plan.views])


def has_predictions(record: dict[str, Any]) -> bool:
    """Whether a trial got as far as its predictions: done, or failed while they were scored."""
    return record["status"] == "done" or (record.get("error") or {}).get("stage") == "scoring"
