"""The figure that decides which model is better, and the margin within which it does not matter."""

from __future__ import annotations

from collections.abc import Sequence

from mnistarena.plan.metric import Metric
from mnistarena.spec import units
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.load import Spec
from mnistarena.text import did_you_mean

SHARE = "0.1 pp"
"""The margin of a share where the spec gives none."""


def planned_margin(spec: Spec, metrics: Sequence[Metric]) -> float:
    """The margin of the figure that decides, in its own unit; 0 where there is a problem, which is recorded."""
    if spec.benchmark is None:
        return 0.0
    label, given = spec.benchmark.decide, spec.benchmark.margin
    found = {metric.label: metric for metric in metrics}.get(label)
    where: KeyPath = ("benchmark", "decide" if given is None else "margin")
    if found is None and label != "accuracy":
        labels = [metric.label for metric in metrics]
        hint = did_you_mean(label, labels) or f"; metrics: {', '.join(labels)}"
        spec.problems.add(("benchmark", "decide"), f'no metric is labelled "{label}"{hint}')
    elif found is None or found.component.definition.share:
        if given is None or isinstance(given, str):
            return units.share(given or SHARE)
        spec.problems.add(where, f'"{label}" is a share; give percentage points, such as margin = "{SHARE}"')
    elif given is None or isinstance(given, str):
        spec.problems.add(
            where,
            f'"{label}" is no share, so its margin is a number in its own unit; set "margin", such as margin = 0.01: '
            "figures that differ by no more count as practically equal",
        )
    else:
        return given
    return 0.0
