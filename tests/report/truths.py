"""What a true sentence of a report is: each is read back and compared with the numbers that it speaks of.

Every check yields what is wrong, and nothing where all is true.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from mnistarena.evidence.pairs import Pair
from mnistarena.report.comparison import Comparison
from mnistarena.report.format import margin, p_value, percent, points
from mnistarena.report.view import ReportData
from mnistarena.stats.verdicts import possible_places


def named(text: str) -> list[str]:
    """The labels of a list such as "a, b and 2 others", the others as so many "?"."""
    found = []
    for one in re.split(r", | and ", text):
        more = re.fullmatch(r"(\d+) others?", one)
        found += ["?"] * int(more[1]) if more else [one]
    return found


def matches(text: str, labels: set[str]) -> bool:
    """Whether a list names these labels and no other, the uncounted ones by their number."""
    found = named(text)
    seen = {one for one in found if one != "?"}
    return seen <= labels and len(found) == len(labels) == len(seen) + found.count("?")


def with_each(c: Comparison, label: str) -> dict[str, Pair]:
    """The pairs of a recipe, seen from it, by the other one."""
    return {one.b: one for pair in c.pairs if label in (pair.a, pair.b) for one in [pair.seen_from(label)]}


def by_verdict(c: Comparison, label: str, verdict: str) -> set[str]:
    return {other for other, pair in with_each(c, label).items() if pair.verdict == verdict}


def sentences(view: ReportData) -> Iterator[str]:
    for c in view.comparisons:
        yield from (c.headline, *(finding.text for finding in c.findings), *c.answers.values(), c.robustness.answer)
        yield from c.search.notes if c.search else ()
    yield from (growth.answer for growth in view.growths)
    yield from (view.across.headline, view.across.answer) if view.across else ()
    yield from (*view.caveats, view.failure_answer if view.incomplete else "")


CLUMSY = {
    r"\b(nan|inf|None|NaN)\b(?! of \d)|−inf|∞": "a figure that is none",
    r"\b1 of 1 (?!seed)": "1 of 1",
    r"(?<![\d.,])1 (seeds|images|pairs|trials|models|recipes|others|comparisons|datasets)\b": "a plural of one",
    r"(?<![\d.,])([2-9]|\d\d+) (seed|image|pair|trial|recipe|other|comparison|dataset)\b(?! c)": "a singular of many",
    r"\b1 (show|are|have)\b|\b([02-9]|\d\d+) (shows|is|has)\b": "a verb",
    r"\w and [^ ,;.(]+ and \w": "and … and",
    r"[ \u202f]{2}|\.\.|,,|;;|\( | \)|^ | $|\(\)": "spaces and stops",
    r"\d\.\d of \d": "a fraction of times",
    r"most accurate .*fastest|fastest .*most accurate": "two superlatives without a test",
    r"[+−](\d{4,}|[2-9]\d\d|1[1-9]\d|10[1-9])\.\d+\u202fpp|(?<![+−\d.])([2-9]\d\d|10[1-9])\.\d+\u202f%": "above 100 %",
    r"(?:smallest|fewest parameters) \(([^()]*?)(?: parameters)?\), .*(?:largest|most) \(\1\)": "smallest and largest",
}


def clumsy(view: ReportData) -> Iterator[str]:
    for said in sentences(view):
        yield from (f"{why}: {said}" for pattern, why in CLUMSY.items() if re.search(pattern, said))
        if said and not said.endswith((".", "!", "?")):
            yield f"no full stop: {said}"


def headline(c: Comparison, view: ReportData) -> Iterator[str]:
    said = c.headline
    ready = {row.label: row for row in c.rows if row.accuracy}
    others = {row.label for row in c.rows}
    winners = [a for a in ready if len(others) > 1 and by_verdict(c, a, "better") == others - {a}]
    won = re.match(
        r"(?:Of the (\d+) recipes that could be compared, )?(\S+) is the most accurate, at (.+?\u202f%):", said
    )
    if won:
        rest = {b for b, pair in with_each(c, won[2]).items() if pair.difference is not None}
        if by_verdict(c, won[2], "better") != rest or not rest:
            yield "a winner that is not better than each other"
        if (won[1] is None) != (rest == others - {won[2]}) or (won[1] and int(won[1]) != len(rest) + 1):
            yield "a winner over some is one over all"
        if won[3] != percent(ready[won[2]].mean):
            yield "the winner's accuracy"
    elif winners:
        yield f"{winners} won, unsaid"
    lead = (
        r"single winner(?: of the \d+ recipes that could be compared)?: (.+?) (?:has|share) the highest mean accuracy"
    )
    led = re.search(lead + r", (.+?\u202f%), but (.*?)\.(?= |$)", said)
    if led:
        first = named(led[1])[0]
        if led[2] != percent(ready[first].mean):
            yield "the leader's accuracy"
        open_ = re.search(r"(.+?) cannot be told apart from", led[3])
        equal = re.search(r"(?:^|; )([^;]+?) (?:is|are) practically equal to \S+ \(within ±(.+?)\u202fpp\)", led[3])
        if not matches(open_[1], by_verdict(c, first, "undecided")) if open_ else by_verdict(c, first, "undecided"):
            yield "cannot be told apart: not those that are undecided"
        if not matches(equal[1], by_verdict(c, first, "equal")) if equal else by_verdict(c, first, "equal"):
            yield "practically equal: not those that are"
        if equal and equal[2] != margin(view.margin):
            yield "the margin"
    elif "cannot be told apart" in said or "Tied" in said:
        yield "cannot be told apart, or tied, without a leader"
    judged = {label for pair in c.pairs if pair.difference for label in (pair.a, pair.b)}
    if c.pairs and not judged and ("single winner" in said or "most accurate" in said):
        yield "a verdict without a comparison"
    baseline = view.plan.get("baseline")
    if judged and baseline in others - judged and f"The baseline {baseline} is not compared: " not in said:
        yield "the failed baseline is not called so"
    states = {one.status for one in view.failures if one.dataset == c.label} if not ready else set()
    if states and (states <= {"pending", "interrupted"}) != ("finished yet" in said):
        yield "nothing has finished: yet, or for good?"
    if (
        "right most often" in said
        and sum(row.mean == max(r.mean or 0 for r in ready.values()) for row in ready.values()) > 1
    ):
        yield "right most often, at equal counts"
    if len(said) > 700:
        yield "too long"


def findings(c: Comparison, view: ReportData) -> Iterator[str]:
    verbs = {
        "better than": "better",
        "worse than": "worse",
        "practically equal to": "equal",
        "not told apart from": "undecided",
    }
    compared = sum(pair.difference is not None for pair in c.pairs)
    steady = {entry["label"] for entry in view.plan["entries"] if entry.get("deterministic")}
    for finding in c.findings:
        found = re.match(
            r"(\S+) is (better than|worse than|practically equal to|not told apart from) (\S+): (\S+\u202fpp)",
            finding.text,
        )
        if found:
            pair = c.pair(found[1], found[3])
            if pair is None or pair.difference is None or pair.verdict != verbs[found[2]]:
                yield f"not the verdict: {finding.text}"
                continue
            if found[4] != points(pair.difference.estimate):
                yield f"not the difference: {finding.text}"
            p = pair.p_equal if pair.verdict == "equal" else pair.p_adjusted
            if p_value(p or 0.0) not in finding.text:
                yield f"not its p: {finding.text}"
            if compared > 1 and f"Holm's correction over {compared:,} pairs" not in finding.text:
                yield f"not its correction: {finding.text}"
            ends = f"95 % interval {points(pair.difference.low)} to {points(pair.difference.high)}"
            if ends not in finding.text or ("lies within ±" in finding.text) != (pair.verdict == "equal"):
                yield f"not its interval: {finding.text}"
            if ("would take" in finding.text or "too small" in finding.text) != (pair.verdict == "undecided"):
                yield f"what would decide: {finding.text}"
            if {found[1], found[3]} <= steady and re.search(r"No number of seeds|would take about", finding.text):
                yield f"seeds of what has none: {finding.text}"
            if ("bound" in finding.text) != (pair.difference.low <= -1 and pair.difference.high >= 1):
                yield f"what bounds nothing: {finding.text}"
        elif finding.kind not in ("not compared", "checkpoint") and not re.match(r"\d+ recipes are", finding.text):
            yield f"a verdict without its sentence: {finding.kind}, {finding.text}"
        alone = re.match(r"(\S+) alone is right on ([\d,]+) images?, (\S+) alone on ([\d,]+)", finding.text)
        if "alone" in finding.text and "is right" in finding.text:
            test = alone and c.pair(alone[1], alone[3])
            if not alone or any(row.seeds > 1 for row in c.rows if row.label in (alone[1], alone[3])):
                yield f"one trained model for a recipe of several: {finding.text}"
            elif test and test.mcnemar and f"{test.mcnemar.only_first:,}" != alone[2]:
                yield f"not the count: {finding.text}"


def counts(c: Comparison, view: ReportData) -> Iterator[str]:
    """Certainty, pairs, places and the leaderboard's column speak of the same comparisons."""
    kinds = Counter(pair.verdict for pair in c.pairs if pair.difference is not None)
    total = sum(kinds.values())
    certain, pairs = c.answers["certainty"], c.answers["pairs"]
    said = re.match(r"([\d,]+|None) of ([\d,]+) comparisons", certain)
    if said and (said[1].replace(",", ""), said[2].replace(",", "")) != (
        str(total - kinds["undecided"] or None),
        str(total),
    ):
        yield f"how many are decided: {certain}"
    for number, kind in re.findall(r"([\d,]+) (show|practically|(?:is|are) practically|(?:is|are) undecided)", pairs):
        wanted = (
            kinds["undecided"]
            if "undecided" in kind
            else kinds["equal"]
            if "practically" in kind
            else kinds["better"] + kinds["worse"]
        )
        if int(number.replace(",", "")) != wanted:
            yield f"how many pairs: {pairs}"
    for text in (certain, pairs):
        over = re.search(r"correction over (?:all |the )?([\d,]+|one)", text)
        if over and total and int(over[1].replace(",", "").replace("one", "1")) != total:
            yield f"the family that was not used: {text}"
    at = {row.label: number for number, row in enumerate(c.rows)}
    wanted_places = possible_places(len(at), {(at[p.a], at[p.b]): p.verdict for p in c.pairs})
    for row, place in zip(c.rows, wanted_places, strict=True):
        if row.place != place:
            yield f"{row.label} has the place {row.place}, not {place}"
        pair = c.pair(row.label, c.reference or "")
        if pair is not None and row.verdict != pair.verdict:
            yield f"{row.label} is {row.verdict} on the leaderboard, {pair.verdict} among the pairs"
    if kinds and all(pair.difference is None for pair in with_each(c, c.reference or "").values()):
        yield "the column speaks of a recipe that was compared with none"
