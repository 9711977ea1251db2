"""How long the rest of a run takes, from the trials that have ended and from how far the running ones are.

One thread tells it what happens while another asks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import KW_ONLY, dataclass

from mnistarena.plan.recipe import Trial

Key = tuple[str, str]
"""A recipe: its label and its dataset's."""

SHARE, SECONDS = 0.05, 2.0
"""From so far on, and after so long, a running trial says how long it takes."""


@dataclass
class _Running:
    key: Key
    began: float
    _: KW_ONLY
    share: float = 0.0

    def whole(self, now: float) -> float | None:
        """The seconds of the whole trial at its pace until now; None where it is too early to say."""
        passed = now - self.began
        return passed / self.share if self.share >= SHARE and passed >= SECONDS else None


def key_of(trial: Trial) -> Key:
    """The recipe of a trial."""
    return trial.recipe.label, trial.recipe.data.label


class Pace:
    """The trials of a run as far as their time goes; times in seconds of one clock. `jobs` go on side by side."""

    def __init__(self) -> None:
        self.jobs = 1
        self.waiting: Counter[Key] = Counter()
        self.took: dict[Key, list[float]] = {}
        self.running: dict[str, _Running] = {}

    def add(self, trials: list[Trial]) -> None:
        """Trials that will run."""
        self.waiting.update(map(key_of, trials))

    def measured(self, key: Key, seconds: float) -> None:
        """A trial of a recipe took so long."""
        self.took.setdefault(key, []).append(seconds)

    def started(self, trial: Trial, now: float) -> None:
        """A trial begins; one that continues on another machine has begun already."""
        if trial.id not in self.running:
            self.waiting[key_of(trial)] -= 1
            self.running[trial.id] = _Running(key_of(trial), now)

    def reached(self, trial: Trial, share: float) -> None:
        """A trial has done this share of its training."""
        if trial.id in self.running:
            self.running[trial.id].share = share

    def ended(self, trial: Trial, now: float, *, done: bool) -> None:
        """A trial has ended; one that failed does not say how long the others take."""
        one = self.running.pop(trial.id, None)
        if one is not None and done:
            self.measured(one.key, now - one.began)

    def whole(self, now: float) -> dict[Key, float]:
        """The seconds of a trial of each recipe of which anything is known, from those that ended if any has."""
        found = {key: sum(times) / len(times) for key, times in list(self.took.items())}
        for one in list(self.running.values()):
            whole = one.whole(now)
            if whole is not None and one.key not in self.took:
                found[one.key] = max(whole, found.get(one.key, 0.0))
        return found

    def left(self, trial: Trial, now: float) -> float | None:
        """The seconds that a running trial still takes; None where nothing is known of its recipe."""
        one = self.running.get(trial.id)
        whole = None if one is None else one.whole(now) or self.whole(now).get(one.key)
        return None if one is None or whole is None else max(0.0, whole - (now - one.began))

    def rest(self, now: float) -> float | None:
        """The seconds until all trials have ended; None where nothing is known.

        A recipe of which nothing is known is taken for the mean of the others.
        """
        known = self.whole(now)
        if not known:
            return None
        usual = sum(known.values()) / len(known)
        running = [
            max(0.0, (one.whole(now) or known.get(one.key, usual)) - (now - one.began))
            for one in list(self.running.values())
        ]
        waiting = [(known.get(key, usual), number) for key, number in list(self.waiting.items()) if number > 0]
        work = sum(running) + sum(one * number for one, number in waiting)
        return max([work / self.jobs, *running, *(one for one, _ in waiting)])
