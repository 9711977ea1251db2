"""Every pair of recipes: how many were decided, in which family."""

from __future__ import annotations

from collections.abc import Sequence

from mnistarena.evidence.pairs import Pair
from mnistarena.text import plural


def family(pairs: Sequence[Pair], against: str | None, baseline: str | None) -> str:
    """The name of the Holm family, such as "all 10 pairs of recipes"."""
    what = f"pairs with the baseline {baseline}" if baseline and against == baseline else "pairs of recipes"
    return f"all {len(pairs)} {what}" if len(pairs) > 1 else "the one comparison" if pairs else f"no {what}"


def answer(found: Sequence[Pair], family_name: str) -> str:
    """How many of all pairs were decided."""
    judged = [pair for pair in found if pair.difference is not None]
    if not found:
        return "There is no pair to compare."
    if not judged:
        return "No two recipes can be compared: that takes two seeds of each, all of them finished."
    counts = {kind: sum(pair.verdict == kind for pair in judged) for kind in ("better", "worse", "equal")}
    said = f"{counts['better'] + counts['worse']} of {plural(len(judged), 'pair')} show a difference"
    if counts["equal"]:
        said += f", {counts['equal']} {'is' if counts['equal'] == 1 else 'are'} practically equal"
    undecided = len(judged) - sum(counts.values())
    said += f", {undecided} {'is' if undecided == 1 else 'are'} undecided" if undecided else ""
    return said + f" (Holm's correction over {family_name})."
