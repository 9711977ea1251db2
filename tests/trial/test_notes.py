"""What a trial says of itself: in its record, once, whether it ends well or fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mnistarena.execution.record import scored_record, trained_record
from mnistarena.execution.resume import ScoringRequest
from mnistarena.plugin.messages import Result
from mnistarena.trial.context import TrialContext


class _Recipe:
    label, notes = "one", ("from the plan",)

    class data:
        label = "digits"


class _Trial:
    id, seed, split, identity, recipe = "abc", 0, None, {}, _Recipe


@pytest.mark.parametrize("status", ["done", "failed"])
def test_the_notes_of_plan_and_worker_are_kept_together_and_once(
    status: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    blank: Any = None
    context = TrialContext(blank, blank, registry=blank, chain=blank, recipe=blank, device=blank)
    for sentence in ("slow", "slow", "from the plan"):
        context.note(sentence)
    assert capsys.readouterr().out == "slow\nfrom the plan\n"
    request, trial = ScoringRequest({}, []), _Trial
    result: Result = {"status": status, "notes": context.notes}
    record = trained_record(trial, result, request=request, conditions={}, began=None, measured=None)  # type: ignore[arg-type]
    assert record["notes"] == ["from the plan", "slow"]
    again = scored_record(record, {"status": "done", "metrics": {"accuracy": 1.0}, "notes": ["scored anew"]}, request)
    assert again["notes"] == ["from the plan", "slow", "scored anew"]


@pytest.mark.parametrize(("device", "threads", "said"), [("cpu", 1, True), ("cpu", 2, False), ("cuda", 1, False)])
def test_processor_time_that_contradicts_the_threads_is_noted(device: str, threads: int, *, said: bool) -> None:
    blank: Any = None
    job: Any = SimpleNamespace(conditions={"threads": threads})
    context = TrialContext(job, blank, registry=blank, chain=blank, recipe=blank, device=torch.device(device))
    context.check_threads({"train_cpu_seconds": 4.0, "train_seconds": 2.0})
    assert bool(context.notes) == said
