"""The trials of a run, round by round: all of them at once, or those that each look at the results asks for."""

from __future__ import annotations

from mnistarena.evidence.looks import look_at, sentence
from mnistarena.execution.observer import Observer
from mnistarena.execution.resume import Resume
from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import Trial
from mnistarena.store.records import LooksRecord, PlanRecord, RecipeRecord
from mnistarena.store.results import StoredRun, read_trials
from mnistarena.text import few


class Rounds:
    """The rounds of a plan.

    What a look asks for depends on the plan and on the stored predictions only, not on what was run now and what
    before. `described` is the plan as the run folder has it; `record` is what the looks decided so far.
    """

    def __init__(self, plan: Plan, described: PlanRecord, resume: Resume, observer: Observer) -> None:
        self.trials, self.described, self.resume, self.observer = plan.in_turns(), described, resume, observer
        self.record: LooksRecord = {"datasets": {}}
        self.given: set[str] = set()
        self.told: set[str] = set()

    def next(self) -> list[Trial]:
        """The trials of the next round that must run, once those of the last one have ended; none at the end."""
        while True:
            if self.given and self.described.get("looks"):
                self.look()
            new = [trial for trial in self.trials if trial.id not in self.given and trial.look <= self.asked(trial)]
            self.given |= {trial.id for trial in new}
            waiting = self.resume.waiting(new)
            if waiting or not new:
                return waiting

    def asked(self, trial: Trial) -> int:
        """The look up to which the trial's recipe is asked for its seeds."""
        looks = self.record["datasets"].get(trial.recipe.data.label)
        return 1 if looks is None else looks["asked"].get(trial.recipe.label, 1)

    def look(self) -> None:
        """Judge what is stored."""
        folder = self.resume.folder
        trials = read_trials(self.described, folder)
        self.record = look_at(StoredRun(folder.path, self.described, environment={}, spec="", trials=trials))

    def tell(self) -> None:
        """Tell the observer what the looks found that it does not know."""
        several = len(self.record["datasets"]) > 1
        for label, found in self.record["datasets"].items():
            for look in found["looks"]:
                said = f"{label}: {sentence(look)}" if several else sentence(look)
                if said not in self.told:
                    self.observer.looked(label, look, said)
                    self.told.add(said)
        here = {trial.recipe.label for trial in self.trials}
        looks = (found["asked"] for found in self.record["datasets"].values())
        absent = {label for asked in looks for label, look in asked.items() if look > 1} - here
        if absent - self.told:
            self.told |= absent
            self.observer.notice(f"further seeds are needed of {few(sorted(absent))}, which --only leaves out")


def note_changed_seeds(described: PlanRecord, before: PlanRecord | None, resume: Resume) -> None:
    """Note in each recipe of a plan how many of its seeds had ended at earlier starts that asked for other seeds."""
    if before is None:
        return
    datasets, known = (
        {dataset["label"]: dataset.get("fingerprint") for dataset in plan["datasets"]} for plan in (described, before)
    )
    old = {(entry["label"], entry["dataset"]): entry for entry in before["entries"]}
    planned_anew = described.get("looks") != before.get("looks")
    for entry in described["entries"]:
        dataset, key = entry["dataset"], (entry["label"], entry["dataset"])
        earlier = old.get(key)
        if earlier is None or _recipe(entry) != _recipe(earlier) or datasets[dataset] != known.get(dataset):
            continue
        noted = list(earlier.get("ended_before", ()))
        if planned_anew or entry.get("seeds") != earlier.get("seeds"):
            trials = [trial for trial in before["trials"] if (trial["label"], trial["dataset"]) == key]
            looks = resume.folder.looks() if before.get("looks") else None
            stored = read_trials({**before, "trials": trials}, resume.folder, looks=looks)
            ended = {trial.seed for trial in stored if trial.status in ("done", "failed", "timeout")}
            if ended and ended != set(entry.get("seeds", ())) and len(ended) not in noted:
                noted.append(len(ended))
        if noted:
            entry["ended_before"] = noted


def _recipe(entry: RecipeRecord) -> dict[str, object]:
    """A recipe without its seeds."""
    return {key: value for key, value in entry.items() if key not in ("seeds", "ended_before")}
