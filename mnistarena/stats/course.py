"""A family of pairs on its way through looks: which pair is judged at which, and which recipe gets further seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field

from mnistarena.stats.intervals import ALPHA, Difference
from mnistarena.stats.looks import Looks
from mnistarena.stats.power import chances
from mnistarena.stats.verdicts import AtLook, Judged, Verdict, judge

LEAST_CHANCE = 0.1
"""Where the most seeds are less likely than this to decide a pair, it gets no further ones."""
Pair = tuple[int, int]
"""Two recipes, by their places."""


@dataclass
class Course:
    """The state after `number` looks.

    `last` is the last look that brings each recipe new seeds; 1 for one whose seeds are all there from the start.
    `asked` is the look up to which each is asked for its seeds. `called` are the verdicts that stand.

    A pair is tested at a look only where both recipes have all the seeds that this look can have, so that each of its
    tests is one of a design that was fixed before.
    """

    looks: Looks
    last: Sequence[int]
    _: KW_ONLY
    margin: float
    higher_is_better: bool = True
    number: int = 0
    asked: list[int] = field(default_factory=list)
    called: dict[Pair, Verdict] = field(default_factory=dict)
    hopeless: set[Pair] = field(default_factory=set)

    def __post_init__(self) -> None:
        """All are asked for the seeds of the first look."""
        self.asked = [1] * len(self.last)

    @property
    def ended(self) -> bool:
        """Whether no recipe is asked for further seeds."""
        return self.number >= max(self.asked, default=0)

    def share(self, pair: Pair) -> float:
        """What the last look spent of α on this pair: all that is left where it was the pair's last; 0: not tested."""
        last = max(self.last[m] for m in pair)
        if self.number > last or any(self.asked[m] < min(self.number, self.last[m]) for m in pair):
            return 0.0
        spent = sum(self.looks.shares[: self.number - 1])
        return 1 - spent if self.number == last else self.looks.shares[self.number - 1]

    def look(self, pairs: Sequence[Pair], found: Sequence[Difference | None]) -> list[Judged]:
        """The next look: a verdict on each pair, None being one that cannot be compared; asks for further seeds.

        A verdict stands from then on, but for one that the seeds since then speak against: the order of the means has
        turned, or they have moved further apart than the margin.
        """
        self.number += 1
        for pair, difference in zip(pairs, found, strict=True):
            if difference is None or not self._agrees(self.called.get(pair), difference):
                self.called.pop(pair, None)
        before = [self.called.get(pair) for pair in pairs]
        judged = judge(
            found,
            margin=self.margin,
            higher_is_better=self.higher_is_better,
            at_look=AtLook([self.share(pair) for pair in pairs], before),
        )
        result = []
        for pair, one, verdict in zip(pairs, judged, before, strict=True):
            if verdict is None and one.verdict in ("better", "worse", "equal"):
                self.called[pair] = one.verdict
            result.append(one if verdict is None else Judged(verdict, one.p, one.p_equal))
        self._ask(pairs, found)
        return result

    def _ask(self, pairs: Sequence[Pair], found: Sequence[Difference | None]) -> None:
        """Ask for the next seeds of recipes in pairs that are undecided and that the most seeds may decide."""
        opened = {
            pair: difference
            for pair, difference in zip(pairs, found, strict=True)
            if difference is not None
            and pair not in self.called
            and pair not in self.hopeless
            and self.number < max(self.last[m] for m in pair)
        }
        alpha = ALPHA * self.looks.shares[-1]
        likely = chances(list(opened.values()), self.looks.seeds[-1], margin=self.margin, alpha=alpha)
        for pair, one in zip(list(opened), likely, strict=True):
            if one < LEAST_CHANCE:
                self.hopeless.add(pair)
                del opened[pair]
        for pair in opened:
            for m in pair:
                self.asked[m] = min(self.number + 1, self.last[m])

    def _agrees(self, verdict: Verdict | None, difference: Difference) -> bool:
        """Whether an estimate is on the side of an earlier verdict."""
        if verdict == "equal":
            return abs(difference.estimate) <= self.margin
        above = difference.estimate > 0
        return verdict is None or (above == self.higher_is_better) == (verdict == "better")
