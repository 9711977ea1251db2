"""Every pair of recipes: how many were decided, in which family."""

from __future__ import annotations

from collections.abc import Sequence

from mnistarena.evidence.pairs import Pair


def family(pairs: Sequence[Pair]) -> str:
    """The Holm family as it was used, such as "over the 10 pairs that could be compared"."""
    count = sum(pair.difference is not None for pair in pairs)
    if not count:
        return "over nothing, as no pair could be compared"
    return (
        f"over the {count:,} pairs that could be compared" if count > 1 else "over the one pair that could be compared"
    )


def answer(found: Sequence[Pair], family_name: str) -> str:
    """How many of all pairs were decided, and how many were not compared."""
    judged = [pair for pair in found if pair.difference is not None]
    if not found:
        return "There is no pair to compare."
    if not judged:
        return "No two recipes can be compared; the table says why."
    counts = {kind: sum(pair.verdict == kind for pair in judged) for kind in ("better", "worse", "equal", "undecided")}
    different, without = counts["better"] + counts["worse"], len(found) - len(judged)
    kinds = [
        (different, "shows a difference", "show a difference"),
        (counts["equal"], "is practically equal", "are practically equal"),
        (counts["undecided"], "is undecided", "are undecided"),
        (without, "is not compared", "are not compared"),
    ]
    parts = [f"{count:,} {one if count == 1 else many}" for count, one, many in kinds if count]
    if len(found) == 1:
        return f"The one pair {parts[0].removeprefix('1 ')}."
    correction = f" (Holm's correction {family_name})" if len(judged) > 1 else ""
    return f"Of {len(found):,} pairs, {', '.join(parts)}{correction}."
