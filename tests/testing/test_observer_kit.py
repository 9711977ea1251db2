"""The checks of an observer find one that raises, that is slow, that changes the run, or that knows today's events."""

from __future__ import annotations

import time
from pathlib import Path

from mnistarena import ObserverDef, Params
from mnistarena.execution import observers
from mnistarena.testing import checks

KINDS = {"planned", "started", "stage", "steps", "row", "done", "failed", "interrupted", "notice", "ended"}


def failed(tell):
    """The messages of the checks that an observer fails, by name."""
    made = checks(ObserverDef("own", "made up", params=Params, start=lambda params: tell))
    outcomes = {check.name: check.outcome() for check in made if check.name != "import-without-torch"}
    return {name: outcome.message for name, outcome in outcomes.items() if outcome.status == "failed"}


def test_each_promise_has_an_observer_that_breaks_it(monkeypatch):
    heard = []
    assert failed(heard.append) == {}
    assert {event["event"] for event in heard} >= KINDS - {"notice", "steps"}

    def strict(event):
        if event["event"] not in KINDS:
            raise ValueError(event["event"])

    def careless(event):
        if event["event"] == "ended":
            record = next(Path(event["folder"]).glob("trials/*/trial.json"))
            record.write_text(record.read_text() + " ")

    assert failed(strict).keys() == {"later"}
    changed = failed(careless)
    assert changed.keys() == {"run-untouched"}
    assert "trial.json of the run folder" in changed["run-untouched"]
    assert "and not a function of an event" in failed(None)["events"]
    monkeypatch.setattr(observers, "END_SECONDS", 0.1)
    assert "0.1 s after the run" in failed(lambda event: time.sleep(5))["events"]
