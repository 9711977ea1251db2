"""The number of seeds: fixed, chosen by looks that were planned, or changed after results were there."""

from __future__ import annotations

from collections.abc import Sequence

from mnistarena.evidence.looks import Followed, sentence
from mnistarena.evidence.pairs import Pair
from mnistarena.report.format import series
from mnistarena.stats.intervals import ALPHA
from mnistarena.stats.looks import Looks
from mnistarena.store.records import DatasetRecord, LookedAt
from mnistarena.store.results import StoredRun
from mnistarena.text import plural

OPTIONAL_STOPPING = "8 to 19\u202f%"
"""False verdicts where one looks after every seed from 3 to 10 and stops at the first verdict: simulated."""


def answer(run: StoredRun, dataset: DatasetRecord, followed: Followed | None) -> str:
    """How the number of seeds came about, where it was not fixed from the start; else ""."""
    return " ".join(filter(None, (_decided(run, dataset, followed), _changed(run, dataset))))


def _decided(run: StoredRun, dataset: DatasetRecord, followed: Followed | None) -> str:
    """What the looks at a dataset decided and saved, and what keeps its verdicts honest."""
    plan = run.plan.get("looks")
    if plan is None or followed is None:
        return ""
    most, looks = plan["seeds"][-1], followed.looks
    if not looks:
        return f"Seeds until decided, at most {most}: the first look, after {plan['seeds'][0]} seeds, is still to come."
    last = looks[-1]
    if not followed.ended:
        return f"Seeds until decided, at most {most}: {sentence(last)}, which have not all finished."
    said = _outcome(last, most, followed.hopeless)
    trials = [trial for trial in run.trials if trial.dataset == dataset["label"]]
    if spared := sum(not trial.needed for trial in trials):
        said += f": {spared} of {plural(len(trials), 'trial')} {'was' if spared == 1 else 'were'} not needed"
    levels = series(f"{100 * ALPHA * share:.2g}\u202f%" for share in Looks(tuple(plan["seeds"])).shares)
    return (
        f"{said}. The number of seeds was chosen by looking at the verdicts, so each look has only a part of the "
        f"{100 * ALPHA:g}\u202f% of false ones: {levels} after {series(map(str, plan['seeds']))} seeds. The p values "
        "are corrected for that; the 95\u202f% intervals are not. A comparison has the figures of the look that "
        "decided it."
    )


def _outcome(last: LookedAt, most: int, hopeless: int) -> str:
    after = f"after {last['seeds']} of at most {most} seeds"
    if not last["compared"]:
        return f"Nothing could be compared {after}, so there were no further ones"
    if last["decided"] == last["compared"]:
        return f"Decided {after}"
    said = f"{last['decided']} of {plural(last['compared'], 'comparison')} decided {after}"
    few = last["seeds"] < most and hopeless
    return said + (f", and {most} would hardly decide {'the other' if few == 1 else 'the others'}" if few else "")


def _changed(run: StoredRun, dataset: DatasetRecord) -> str:
    """Which recipes got other seeds when results were there already."""
    changed = [
        f"{entry['label']} (when {series(map(str, entry['ended_before']))} had ended)"
        for entry in run.plan["entries"]
        if entry["dataset"] == dataset["label"] and entry.get("ended_before")
    ]
    if not changed:
        return ""
    return (
        f"Seeds were added or taken away after results were there: {series(changed)}. Where that was done for the sake "
        f"of a verdict, do not trust it: who looks after every seed from 3 to 10 gets {OPTIONAL_STOPPING} of false "
        f"verdicts in place of {100 * ALPHA:g}\u202f%."
    )


def warning(run: StoredRun, pairs: Sequence[Pair]) -> str:
    """What to know before seeds are added to a run because of a verdict; "" where nothing invites to it."""
    # Over several splits of the same images, seeds have no part of their own that more of them would shrink.
    inviting = [
        pair for pair in pairs if pair.verdict == "undecided" and pair.difference and pair.difference.splits == 1
    ]
    if run.plan.get("looks") is not None or not inviting:
        return ""
    return (
        f" Do not add seeds to this run until something is decided: who looks after every seed from 3 to 10 gets "
        f"{OPTIONAL_STOPPING} of false verdicts in place of {100 * ALPHA:g}\u202f%. Start a new run with other seeds, "
        'or plan the looks: seeds = { until = "decided", most = … }.'
    )


def contradictions(run: StoredRun, dataset: DatasetRecord, followed: Followed | None) -> list[str]:
    """Why the looks that the run folder keeps are not those that its predictions give; empty where they are."""
    if followed is None:
        return []
    label, given = dataset["label"], followed.record()
    stored = run.looks["datasets"].get(label, {"asked": {}, "looks": []})
    number = len(stored["looks"])
    as_given = number < len(given["looks"]) or stored["asked"] == given["asked"]
    if stored["looks"] == given["looks"][:number] and as_given:
        return []
    return [
        f"{label}: looks.json says which recipes got how many seeds, and the stored predictions say otherwise; "
        "run the spec again to have that computed"
    ]
