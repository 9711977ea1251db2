"""Which trials are not needed, where seeds are added until all is decided."""

from __future__ import annotations

from mnistarena.store.records import LooksRecord, PlannedTrial


def is_needed(trial: PlannedTrial, looks: LooksRecord | None) -> bool:
    """Whether a trial is, or may still be, asked for by the looks that a run folder has a record of."""
    found = looks and looks["datasets"].get(trial["dataset"])
    if not found:
        return True
    asked = found["asked"].get(trial["label"], 1)
    # A recipe that the last look asked for further seeds may come to need all of them.
    return trial.get("look", 1) <= asked or asked > len(found["looks"])
