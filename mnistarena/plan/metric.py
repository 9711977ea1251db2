"""A metric of the plan."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from mnistarena.plugin.components import Params
from mnistarena.plugin.messages import MetricDefinition, MetricRequest
from mnistarena.plugin.registry import Component
from mnistarena.store.records import MetricRecord


@dataclass(frozen=True)
class Metric:
    """A metric under the label its figures carry."""

    label: str
    component: Component
    _: KW_ONLY
    params: Params

    def definition(self) -> MetricDefinition:
        """What a stored figure was computed with; another definition means computing it again."""
        return {
            "name": self.component.name,
            "params": self.params.model_dump(mode="json"),
            "source": self.component.plugin.digest,
        }

    def request(self) -> MetricRequest:
        """What a worker is asked to compute."""
        params, source = self.params.model_dump_json(), self.component.plugin.digest
        return MetricRequest(self.label, self.component.name, params=params, source=source)

    def describe(self) -> MetricRecord:
        """The metric in plan.json."""
        definition = self.component.definition
        return {
            "label": self.label,
            "higher_is_better": definition.higher_is_better,
            "share": definition.share,
            "summary": definition.summary,
            **self.definition(),
        }
